// Where the letter leads that confirms an e-mail address: what it says stands behind the # of the address, or is entered.
import { read, writeOnce } from "../net/api.js";
import { keep, me } from "../net/session.js";
import { field, formOf } from "../parts/dialogs.js";
import { make } from "../parts/dom.js";
import { heading } from "./heading.js";

const TOKEN = /^#token=([\w.-]+)$/;

export function confirmEmailView(page) {
  const given = TOKEN.exec(location.hash)?.[1] ?? "";
  // Out of sight, and out of the history.
  if (given) history.replaceState(history.state, "", location.pathname);
  const panel = make("section", { class: "panel" });
  const form = formOf(
    { submit: "Confirm", onsend: (entered) => confirm(entered.get("token").trim()), done },
    field("What the letter says", {
      name: "token",
      value: given,
      autocapitalize: "none",
      autocomplete: "one-time-code",
      spellcheck: "false",
    }),
  );
  function done() {
    panel.replaceChildren(make("p", { role: "status" }, "Your e-mail address is confirmed."));
  }
  // Nothing is sent by itself: programs that look through letters open their links, and run what stands there.
  panel.append(form);
  return [heading(page, "Confirm your e-mail address"), panel];
}

/** The same again comes to the same. */
async function confirm(token) {
  await writeOnce("POST", "/auth/email/confirm", { token }, null);
  if (me()) await read("/me").then(({ data }) => keep(data), () => {});
}
