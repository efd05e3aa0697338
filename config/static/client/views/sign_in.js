// Signing up and signing in.
import { write } from "../net/api.js";
import { begin, me } from "../net/session.js";
import { field, formOf } from "../parts/dialogs.js";
import { make, newId } from "../parts/dom.js";
import { heading } from "./heading.js";

const TYPED = { autocapitalize: "none", spellcheck: "false", required: true };
const NAME = { name: "username", autocomplete: "username", ...TYPED };
const EMAIL = { name: "email", type: "email", autocomplete: "email", required: true };
const PASSWORD = { name: "password", type: "password", required: true };

export function signInView(page) {
  return entrance(page, "Sign in", "/auth/token", ["New here? ", make("a", { href: "/sign-up" }, "Sign up")], [
    field("Username or e-mail address", NAME),
    field("Password", { ...PASSWORD, autocomplete: "current-password" }),
  ]);
}

export function signUpView(page) {
  const other = ["Been here before? ", make("a", { href: "/sign-in" }, "Sign in")];
  return entrance(page, "Sign up", "/auth/register", other, [
    field("Username", NAME, { hint: "Letters, digits and underscores." }),
    field("E-mail address", EMAIL, { hint: "Nobody else sees it." }),
    field("Password", { ...PASSWORD, autocomplete: "new-password" }, { hint: "At least 8 characters." }),
  ]);
}

function entrance(page, title, path, other, fields) {
  if (me()) return [heading(page, title), make("p", { class: "said" }, `You are signed in as @${me().username}.`)];
  const id = newId("stay");
  const stay = make(
    "div",
    { class: "choice" },
    make("input", { type: "checkbox", name: "stay", id }),
    make("label", { for: id }, "Stay signed in on this device"),
  );
  async function enter(given) {
    const { stay, ...body } = Object.fromEntries(given);
    const { data } = await write("POST", path, body);
    begin(data, { stay: Boolean(stay) });
  }
  return [
    heading(page, title),
    make("div", { class: "panel" }, formOf({ submit: title, onsend: enter }, ...fields, stay), make("p", {}, ...other)),
  ];
}
