// Host names within a text: their parts, and the last of them, which has to be a known one. As tweets/parsing/hosts.py.
// Places are those of JavaScript, in UTF-16 code units; one never lies within a character.
import { ACCENTED, DOMAINS_IN_ASCII, LABEL_MAX, OTHER_DOMAINS, SURELY_FITS } from "./tables.js";

const IN_ASCII = new Set(DOMAINS_IN_ASCII.split(" "));
const BY_FIRST_CHARACTER = grouped(OTHER_DOMAINS.split(" "));
const WORD = /[0-9A-Za-z]{1,25}(?![0-9A-Za-z@+-])/y;
const PUNYCODE = /[xX][nN]--[-0-9A-Za-z]+/y;
const ENDED = /(?![0-9A-Za-z@+-])/y;
const PLAIN = new RegExp(`^[\\-A-Za-z0-9${ACCENTED}]+$`, "u");
const PLAIN_HOST = new RegExp(`^[.\\-A-Za-z0-9${ACCENTED}]+$`, "u");
const UP_TO_OTHERS = new RegExp(`^[^]*[^\\-A-Za-z0-9${ACCENTED}]`, "u");
const ASCII = /^[\0-\x7f]*$/;
const FULL_STOPS = /[.\u3002\uff0e\uff61]/;

/** The first characters of domains in other letters. */
export const FIRSTS = [...BY_FIRST_CHARACTER.keys()].join("");

function grouped(names) {
  const groups = new Map();
  for (const name of names) groups.set(name[0], [...(groups.get(name[0]) ?? []), name]);
  return groups;
}

/** Returns what the expression, sticky, matches at the place; null if nothing. */
export function matchAt(expression, text, place) {
  expression.lastIndex = place;
  return expression.exec(text);
}

/** Returns where the top-level domain ends that begins at the place; 0 if none does. */
function topLevelEnd(text, place) {
  const word = matchAt(WORD, text, place)?.[0];
  if (word && IN_ASCII.has(word.toLowerCase())) return place + word.length;
  const first = text.slice(place, place + 1).toLowerCase();
  for (const name of BY_FIRST_CHARACTER.get(first) ?? []) {
    const end = place + name.length;
    if (text.slice(place, end).toLowerCase() === name && matchAt(ENDED, text, end)) return end;
  }
  const punycode = first === "x" ? matchAt(PUNYCODE, text, place) : null;
  return punycode ? place + punycode[0].length : 0;
}

/** Returns where the text stands between the places, -1 if it does not. */
export function indexWithin(text, sought, start, end) {
  const found = text.indexOf(sought, start);
  return found >= 0 && found < end ? found : -1;
}

/** Cuts a run at its dots; what stands behind the last dot is in no part. */
export function partsOfRun(text, start, end) {
  const parts = [];
  for (let dot = indexWithin(text, ".", start, end); dot >= 0; dot = indexWithin(text, ".", start, end)) {
    parts.push({ start, end: dot, suffixEnd: topLevelEnd(text, dot + 1), last: null });
    start = dot + 1;
  }
  let last = null;
  for (let index = parts.length - 1; index >= 0; index -= 1) {
    const part = parts[index];
    if (part.start === part.end || "_-".includes(text[part.start]) || "_-".includes(text[part.end - 1])) {
      last = null;
    } else if (last === null && part.suffixEnd && indexWithin(text, "_", part.start, part.end) < 0) {
      last = index;
    }
    part.last = last;
  }
  return parts;
}

/** Returns where host names of Latin letters stand in one of any letters: a link without http:// needs them. */
export function plainHosts(host) {
  if (PLAIN_HOST.test(host)) return [[0, host.length]];
  const cut = host.split(".");
  const starts = [0];
  for (const part of cut) starts.push(starts.at(-1) + part.length + 1);
  const reaches = starts.slice(1, cut.length).map((start) => topLevelEnd(host, start));
  let reach = 0;
  for (let index = reaches.length - 1; index >= 0; index -= 1) {
    if (!(reach && PLAIN.test(cut[index + 1]))) reach = reaches[index];
    reaches[index] = reach;
  }
  const found = [];
  let place = 0;
  reaches.forEach((end, index) => {
    if (!end) return;
    const others = UP_TO_OTHERS.exec(cut[index]);
    const start = Math.max(place, starts[index] + (others ? others[0].length : 0));
    if (start < starts[index + 1] - 1) {
      found.push([start, end]);
      place = end;
    }
  });
  return found;
}

/** Returns whether DNS may have it: no part of more than 63 characters, nothing but ASCII behind xn--. */
export function isHost(host) {
  if (host.startsWith("xn--") && !plainHosts(host).length) return false;
  const parts = host.split(".");
  if (parts.some((part) => [...part].length > LABEL_MAX)) return false;
  return ASCII.test(host) || parts.every((part) => asciiLength(part) <= LABEL_MAX);
}

/** Returns how long the part is in Punycode, or less if it fits for certain. Other full stops part it as well. */
function asciiLength(part) {
  const length = [...part].length;
  if (ASCII.test(part) || length <= SURELY_FITS) return length;
  const cut = part.split(FULL_STOPS);
  const lengths = cut.map((each) => (ASCII.test(each) ? each.length : "xn--".length + punycodeLength(each)));
  return lengths.reduce((sum, each) => sum + each, cut.length - 1);
}

/** Returns the length of what RFC 3492 makes of the label. */
function punycodeLength(label) {
  const codes = Array.from(label, (character) => character.codePointAt(0));
  const known = codes.flatMap((code, place) => (code < 0x80 ? [place] : []));
  const others = codes.flatMap((code, place) => (code < 0x80 ? [] : [[code, place]]));
  others.sort(([one, its], [other, theirs]) => one - other || its - theirs);
  let length = known.length + (known.length ? 1 : 0);
  let [bias, point, index, damping] = [72, 0x80, 0, 700];
  for (const [code, place] of others) {
    const handled = known.length + 1;
    let rank = known.findIndex((each) => each >= place);
    if (rank < 0) rank = known.length;
    const delta = (code - point) * handled + rank - index;
    length += countDigits(delta, bias);
    known.splice(rank, 0, place);
    bias = adapted(Math.floor(delta / damping), handled);
    [point, index, damping] = [code, rank + 1, 2];
  }
  return length;
}

/** Returns how many digits the number takes (RFC 3492, 6.3). */
function countDigits(number, bias) {
  let [digits, step] = [1, 36];
  for (;;) {
    const threshold = step <= bias ? 1 : Math.min(26, step - bias);
    if (number < threshold) return digits;
    number = Math.floor((number - threshold) / (36 - threshold));
    digits += 1;
    step += 36;
  }
}

/** Returns the bias for the next number (RFC 3492, 6.1). */
function adapted(delta, handled) {
  delta += Math.floor(delta / handled);
  let divisions = 0;
  while (delta > 455) {
    delta = Math.floor(delta / 35);
    divisions += 36;
  }
  return divisions + Math.floor((36 * delta) / (delta + 38));
}
