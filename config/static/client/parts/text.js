// A tweet's text with its links, mentions and hashtags; a person's name and picture; numbers.
import { make } from "./dom.js";

const LONGEST_SHOWN = 36;
const REL = "noopener noreferrer nofollow ugc";
const TONES = 8;
const TIME_SHIFT = 22n;
/** Bits of an id below its milliseconds, which hardly differ. */
const short = new Intl.NumberFormat("en", { notation: "compact", maximumFractionDigits: 1 });
const long = new Intl.NumberFormat("en");

/** Returns nodes for a text; entities' indices count code points. */
export function textWithEntities(text, { mentions, hashtags, urls }) {
  const characters = Array.from(text);
  const marked = [
    ...mentions.map((each) => [each.indices, (said) => make("a", { href: `/@${each.username}` }, said)]),
    ...hashtags.map(({ indices, tag }) => [indices, (said) => make("a", { href: placeOf(tag) }, said)]),
    ...urls.map((each) => [each.indices, linkTo]),
  ].sort(([[one]], [[other]]) => one - other);
  const nodes = [];
  let place = 0;
  for (const [[start, end], shown] of marked) {
    nodes.push(characters.slice(place, start).join(""), shown(characters.slice(start, end).join("")));
    place = end;
  }
  return [...nodes, characters.slice(place).join("")];
}

const placeOf = (tag) => `/hashtag/${encodeURIComponent(tag)}`;

/** Whatever it is, it leads to a web page and nowhere else. */
function linkTo(said) {
  const href = /^https?:\/\//i.test(said) ? said : `https://${said}`;
  const shown = said.replace(/^https?:\/\//i, "");
  const cut = Array.from(shown);
  return make(
    "a",
    { href, dir: "ltr", rel: REL, target: "_blank", title: cut.length > LONGEST_SHOWN ? said : null },
    cut.length > LONGEST_SHOWN ? `${cut.slice(0, LONGEST_SHOWN).join("")}…` : shown,
  );
}

/** A person's letter on a colour of their own: pictures would come from other hosts. */
export function avatar(person, size = "") {
  const tone = Number((BigInt(person.id) >> TIME_SHIFT) % BigInt(TONES));
  const letter = [...new Intl.Segmenter("en").segment(person.display_name || person.username)][0].segment;
  return make("span", { class: `avatar tone-${tone} ${size}`, "aria-hidden": "true" }, letter.toUpperCase());
}

export function nameOf(person) {
  return make("bdi", { class: "name" }, person.display_name || person.username);
}

export const counted = (number) => short.format(number);

/** Returns "1 like", "2,000 likes". */
export const several = (number, one, many = `${one}s`) => `${long.format(number)} ${number === 1 ? one : many}`;
