// Taking one's data along, and leaving.
import { pause, readLines, write } from "../net/api.js";
import { end, me } from "../net/session.js";
import { field, formOf, openDialog } from "./dialogs.js";
import { make } from "./dom.js";
import { complain, notice } from "./notices.js";

const LONGEST_WAIT_S = 300;
const PASSING = [429, 503];
const TRIES = 20;
/** Of one answer; then it is said, and the button goes on from there. */

/** Returns what offers one's own data as a file. What broke off goes on where it was when it is pressed again. */
export function ownData() {
  let [begun, after] = [[], null];
  const button = make("button", { type: "button", onclick: download }, "Download my data");
  async function download() {
    const { username } = me();
    button.disabled = true;
    try {
      for (let more = true; more; ) {
        const lines = (await readOn(after)).trimEnd().split("\n");
        const last = JSON.parse(lines.pop());
        begun.push(...lines.map((line) => `${line}\n`));
        [more, after] = [last.type === "more", last.cursor ?? null];
      }
      save(begun, `${username}.ndjson`);
      [begun, after] = [[], null];
    } catch (error) {
      complain(error);
    } finally {
      button.disabled = false;
    }
  }
  return [make("p", {}, "Everything that is yours, one JSON object a line."), button];
}

/** Reads on, and waits where the server says that it was a lot at once, or that something of it does not answer; not for
 *  as long as till tomorrow. */
async function readOn(after) {
  for (let tries = 1; ; tries++) {
    try {
      return await readLines("/me/export", { after });
    } catch (error) {
      const passes = PASSING.includes(error.status) && error.retryAfter && error.retryAfter <= LONGEST_WAIT_S;
      if (!passes || tries === TRIES) throw error;
      await pause(error.retryAfter * 1_000);
    }
  }
}

function save(parts, name) {
  const url = URL.createObjectURL(new Blob(parts, { type: "application/x-ndjson" }));
  const link = make("a", { href: url, download: name });
  document.body.append(link);
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(url), 60_000);
}

/** Returns what has one leave, for good. */
export function leaving() {
  return [
    make("p", {}, "Your account, and everything that you wrote and did here, is deleted. Your name stays taken."),
    make("button", { type: "button", class: "danger", onclick: askToLeave }, "Leave …"),
  ];
}

function askToLeave() {
  const close = () => dialog.close();
  const form = formOf(
    {
      submit: "Leave for good",
      danger: true,
      // Once only: whoever has left is signed out, and a second try would be refused.
      onsend: (given) => write("DELETE", "/me", Object.fromEntries(given)),
      done: left,
      cancel: close,
    },
    make("p", {}, "You are signed out everywhere, and nobody sees what you wrote any more. Nothing brings it back."),
    field("Your password", { name: "password", type: "password", autocomplete: "current-password" }),
  );
  const dialog = openDialog("Leave?", form);
  function left() {
    close();
    end();
    notice("You have left. What was yours is being deleted.");
  }
}
