// Telling the moderators about a tweet or a person.
import { newKey, writeOnce } from "../net/api.js";
import { field, formOf, openDialog } from "./dialogs.js";
import { make, newId } from "./dom.js";
import { notice } from "./notices.js";

const REASONS = {
  spam: "Spam",
  abuse: "Abuse",
  harassment: "Harassment",
  violence: "Violence",
  sensitive: "Sensitive content",
  other: "Something else",
};
const COMMENT_MAX = 1_000;

/** Asks for the reason; `about` is {tweet_id} or {username}. */
export function report(about, inWords) {
  let [key, keyOf] = ["", null];
  const send = (given) => {
    const body = { ...about, reason: given.get("reason") ?? "", comment: given.get("comment") };
    if (keyOf !== JSON.stringify(body)) [key, keyOf] = [newKey(), JSON.stringify(body)];
    return writeOnce("POST", "/reports", body, key);
  };
  const done = () => {
    dialog.close();
    notice("Reported. Thank you.");
  };
  const dialog = openDialog(
    "Report",
    formOf(
      { submit: "Report", onsend: send, done, cancel: () => dialog.close(), danger: true },
      make("fieldset", {}, make("legend", {}, `What is wrong with ${inWords}?`), Object.entries(REASONS).map(choice)),
      field("Anything to add?", { name: "comment", rows: 3, maxlength: COMMENT_MAX, dir: "auto" }, { tag: "textarea" }),
    ),
  );
}

function choice([value, label], index) {
  const id = newId("reason");
  const radio = make("input", { type: "radio", name: "reason", value, id, checked: index === 0 });
  return make("div", { class: "choice" }, radio, make("label", { for: id }, label));
}
