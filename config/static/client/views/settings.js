// One's own account: what others see of it, its lists, and ways out.
import { write, writeOnce } from "../net/api.js";
import { end, keep, me } from "../net/session.js";
import { address } from "../parts/address.js";
import { confirmFirst, field, formOf } from "../parts/dialogs.js";
import { make } from "../parts/dom.js";
import { leaving, ownData } from "../parts/leaving.js";
import { complain, notice } from "../parts/notices.js";
import { heading } from "./heading.js";
import { signInView } from "./sign_in.js";

export function settingsView(page) {
  if (!me()) return signInView(page);
  return [
    heading(page, "Settings"),
    panel("Profile", profileForm()),
    panel("E-mail address", ...address(page.signal)),
    panel("Protection", ...protection()),
    panel("Password", passwordForm()),
    panel("Lists", lists()),
    panel("Signed in", make("p", {}, `You are signed in as @${me().username}.`), ways()),
    panel("Your data", ...ownData()),
    panel("Leave", ...leaving()),
  ];
}

function panel(title, ...content) {
  return make("section", { class: "panel" }, make("h2", {}, title), ...content);
}

function profileForm() {
  const { display_name, bio } = me();
  return formOf(
    { submit: "Save", onsend: (given) => change(writeOnce, given, "Saved.") },
    field("Name", { name: "display_name", value: display_name, dir: "auto", autocomplete: "nickname" }),
    field("About you", { name: "bio", value: bio, rows: 3, dir: "auto" }, { tag: "textarea" }),
  );
}

function protection() {
  const text = make("p", {});
  const button = make("button", { type: "button", onclick: turn });
  function show() {
    const isOn = me().protected;
    text.textContent = isOn
      ? "Only your followers and you see your tweets. Who wants to follow you asks."
      : "Everybody sees your tweets, and may follow you.";
    button.textContent = isOn ? "Show my tweets to everybody" : "Protect my tweets";
  }
  async function turn() {
    button.disabled = true;
    try {
      const { data } = await writeOnce("PATCH", "/me", { protected: !me().protected });
      keep(data);
      show();
      notice(data.protected ? "Your tweets are protected." : "Your tweets are for everybody.");
    } catch (error) {
      complain(error);
    } finally {
      button.disabled = false;
    }
  }
  show();
  return [text, button];
}

function passwordForm() {
  const form = formOf(
    {
      submit: "Change password",
      // Once only: after a first try that was carried out, the present password would be a wrong one.
      onsend: (given) => change(write, given, "Changed. You are signed out everywhere else."),
      done: () => form.reset(),
    },
    field("Present password", { name: "current_password", type: "password", autocomplete: "current-password" }),
    field("New password", { name: "password", type: "password", autocomplete: "new-password" }),
  );
  return form;
}

async function change(send, given, said) {
  const { data } = await send("PATCH", "/me", Object.fromEntries(given));
  keep(data);
  notice(said);
}

function lists() {
  const all = [
    ["/bookmarks", "Bookmarks"],
    ["/blocks", "Blocked people"],
    ["/mutes", "Muted people"],
    ["/muted-words", "Muted words"],
    ["/follow-requests", "Who asks to follow you"],
  ];
  return make("ul", { class: "plain" }, all.map(([place, name]) => make("li", {}, make("a", { href: place }, name))));
}

function ways() {
  return make(
    "div",
    { class: "row" },
    make("button", { type: "button", onclick: signOut }, "Sign out"),
    make("button", { type: "button", class: "danger", onclick: askToSignOutEverywhere }, "Sign out everywhere"),
  );
}

async function signOut() {
  try {
    await write("DELETE", "/auth/token");
    end();
  } catch (error) {
    complain(error);
  }
}

function askToSignOutEverywhere() {
  const asked = {
    title: "Sign out everywhere?",
    text: "Every device and program that is signed in as you has to sign in again, this one as well.",
    action: "Sign out everywhere",
  };
  confirmFirst(asked, async () => {
    await write("DELETE", "/auth/token?all=true");
    end();
  });
}
