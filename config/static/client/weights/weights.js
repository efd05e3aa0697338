// What a text weighs, as the server counts it (tweets/parsing/weights.py): a link 23, an emoji 2, most letters of
// alphabets 1, all else 2. A tweet may weigh MAX_WEIGHT.
import { findLinks } from "./links.js";
import { EMOJI, EMOJI_WEIGHT, LINK_WEIGHT, MAX_CODE_POINTS, MAX_EMOJI, MAX_WEIGHT } from "./tables.js";

export { MAX_WEIGHT };

const EMOJI_PATTERN = new RegExp(EMOJI, "gu");
const ASCII = /^[\0-\x7f]*$/;
const HEAVY = /[^\u0000-\u10ff\u2000-\u200d\u2010-\u201f\u2032-\u2037]/u;
const VISIBLE = /[^\p{White_Space}\p{Z}\u2800\u3164\uffa0\p{Default_Ignorable_Code_Point}\p{C}\ufff9-\ufffc\u{1d159}]/u;
const UNITS_A_CHARACTER = 2;

/** Returns what a text weighs; null if it was found far too heavy for the limit on the way. */
export function weigh(text, limit = MAX_WEIGHT) {
  text = text.replaceAll("\r\n", "\n");
  text = ASCII.test(text) ? text : text.normalize("NFC");
  const mostBeside = Math.floor(limit / EMOJI_WEIGHT) * MAX_EMOJI * UNITS_A_CHARACTER;
  const links = findLinks(text, { mostBeside, most: Math.floor((4 * limit) / LINK_WEIGHT) });
  if (links === null) return null;
  const marked = links.map(([start, end]) => [start, end, LINK_WEIGHT]);
  for (const emoji of text.matchAll(EMOJI_PATTERN)) {
    marked.push([emoji.index, emoji.index + emoji[0].length, EMOJI_WEIGHT]);
  }
  marked.sort(([start, end], [otherStart, otherEnd]) => start - otherStart || end - otherEnd);
  let [weight, place] = [0, 0];
  for (const [start, end, markedWeight] of marked) {
    if (start >= place) {
      weight += weighCharacters(text.slice(place, start)) + markedWeight;
      place = end;
    }
  }
  return weight + weighCharacters(text.slice(place));
}

function weighCharacters(text) {
  if (ASCII.test(text)) return text.length;
  let weight = 0;
  for (const character of text) weight += HEAVY.test(character) ? 2 : 1;
  return weight;
}

/** Returns whether anything of the text can be seen; the server has the last word. */
export function isVisible(text) {
  return VISIBLE.test(text);
}

/** Returns what a tweet may still weigh more, negative if it is too long, -Infinity if far too long to be weighed. */
export function weightLeft(text) {
  const hasTooMany = text.length > MAX_CODE_POINTS && [...text].length > MAX_CODE_POINTS;
  const weight = hasTooMany ? null : weigh(text);
  return weight === null ? -Infinity : MAX_WEIGHT - weight;
}
