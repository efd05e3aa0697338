// Finding somebody by their username.
import { read } from "../net/api.js";
import { Problem } from "../net/problems.js";
import { me } from "../net/session.js";
import { field, formOf } from "../parts/dialogs.js";
import { make } from "../parts/dom.js";
import { announce } from "../parts/notices.js";
import { followButton, isMe, personCard } from "../parts/people.js";
import { heading } from "./heading.js";

const NAME = /[A-Za-z0-9_]+/g;
const MOST = 10;

export function findView(page) {
  const found = make("ul", { class: "entries", "aria-label": "Found" });
  const said = make("p", { class: "said" });

  async function search(given) {
    const names = [...new Set(given.get("names").match(NAME) ?? [])].slice(0, MOST);
    const people = (await Promise.all(names.map((name) => person(name, page.signal)))).filter(Boolean);
    found.replaceChildren(...people.map((each) => make("li", {}, personCard(each, buttonFor(each)))));
    said.textContent = people.length ? "" : "Nobody has that username.";
    announce(people.length ? `${people.length} found.` : said.textContent);
  }

  const names = field(
    "Usernames",
    { name: "names", type: "search", autocapitalize: "none", autocomplete: "off", spellcheck: "false" },
    { hint: "Exact ones; several with spaces between them." },
  );
  const form = formOf({ submit: "Find", onsend: search }, names);
  return [heading(page, "Find people"), make("search", { class: "panel" }, form), found, said];
}

const buttonFor = (person) => (isMe(person) || !me() ? null : followButton(person.username, person.relationship));

/** Returns the profile; null when there is none of that name. */
async function person(name, signal) {
  try {
    return (await read(`/users/${name}`, { signal })).data;
  } catch (error) {
    if (error instanceof Problem && error.status === 404) return null;
    throw error;
  }
}
