// Words that one has muted: what has them does not notify.
import { tell } from "../events.js";
import { writeOnce } from "../net/api.js";
import { me } from "../net/session.js";
import { field, formOf } from "../parts/dialogs.js";
import { make } from "../parts/dom.js";
import { PagedList } from "../parts/lists.js";
import { complain, notice } from "../parts/notices.js";
import { heading } from "./heading.js";
import { signInView } from "./sign_in.js";

const MEANT = "Mentions, replies and quotes with these words do not notify you. Timelines show them all the same.";
const HINT = "A word, a phrase, or a hashtag with its #.";
const pathOf = (word) => `/me/muted-words/${encodeURIComponent(word)}`;

export function mutedWordsView(page) {
  if (!me()) return signInView(page);
  const list = new PagedList({
    path: "/me/muted-words",
    label: "Muted words",
    empty: "You mute no words.",
    signal: page.signal,
    item: (muted) => line(muted, () => list.remove(({ id }) => id === muted.id)),
  });
  const form = formOf(
    { submit: "Mute", onsend: (given) => mute(given.get("word")), done: (muted) => (form.reset(), list.add(muted)) },
    field("Word", { name: "word", dir: "auto", autocomplete: "off", autocapitalize: "none" }, { hint: HINT }),
  );
  return [
    heading(page, "Muted words", { isBelow: true }),
    make("section", { class: "panel" }, make("p", {}, MEANT), form),
    list.element,
  ];
}

async function mute(word) {
  const { data } = await writeOnce("PUT", pathOf(word));
  tell("hidden", null);
  notice(`“${data.word}” is muted.`);
  return data;
}

function line({ word }, ended) {
  async function end() {
    try {
      await writeOnce("DELETE", pathOf(word));
      ended();
      tell("hidden", null);
      notice(`“${word}” is no longer muted.`);
    } catch (error) {
      complain(error);
    }
  }
  const button = make("button", { type: "button", "aria-label": `Unmute ${word}`, onclick: end }, "Unmute");
  return make("article", { class: "person" }, make("p", { class: "text", dir: "auto" }, word), button);
}
