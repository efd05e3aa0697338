// One's own e-mail address: whether it is confirmed, and having the letter sent again.
import { on } from "../events.js";
import { write } from "../net/api.js";
import { me } from "../net/session.js";
import { make } from "./dom.js";
import { complain, notice } from "./notices.js";

/** Returns what says so, kept up until the signal is aborted. */
export function address(signal) {
  const text = make("p", {});
  const again = make("button", { type: "button", onclick: send }, "Send the letter again");
  const enter = make("a", { href: "/confirm-email" }, "Enter what it says");
  const row = make("div", { class: "row" }, again, enter);
  function show() {
    const { email, email_confirmed: isConfirmed } = me() ?? {};
    text.textContent = email ? `${email} ${isConfirmed ? "is confirmed." : "is not confirmed yet."}` : "";
    row.hidden = !email || isConfirmed;
  }
  async function send() {
    again.disabled = true;
    try {
      await write("POST", "/me/email/confirmation");
      notice("A letter is on its way, unless three were sent within the hour.");
    } catch (error) {
      complain(error);
    } finally {
      again.disabled = false;
    }
  }
  on("person", show, signal);
  show();
  return [text, row];
}
