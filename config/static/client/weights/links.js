// Links in a text, found as tweets/parsing/links.py finds them, which argues for each step.
// Places are in UTF-16 code units; one never lies within a character.
import { FIRSTS, indexWithin, isHost, matchAt, partsOfRun, plainHosts } from "./hosts.js";
import {
  ASTRAL,
  MAX_LINK,
  MAX_SHORT_NAME,
  NOT_AT_PART_END,
  NOT_BEFORE_LINK,
  NOT_IN_HOST,
  PATH,
  PATH_END,
  QUERY,
  QUERY_END,
} from "./tables.js";

const HOST_END = new RegExp(`\\.[0-9A-Za-z${FIRSTS}]`, "iu");
const RUN = new RegExp(`[^${NOT_IN_HOST}]+`, "gu");
const START = new RegExp(`(?<=[^${NOT_BEFORE_LINK}])[^${NOT_AT_PART_END}]|[${ASTRAL}]`, "gu");
const BEFORE_LINK = new RegExp(`[^${NOT_BEFORE_LINK}]`, "uy");
const PROTOCOL = /[hH][tT][tT][pP][sS]?:\/\//y;
const PORT = /:[0-9]+/y;
const PATH_RUN = new RegExp(`[${PATH}]*`, "uy");
const PATH_THAT_ENDS = new RegExp(`[${PATH}]*[${PATH_END}]`, "uy");
const IN_BRACKETS = new RegExp(`\\([${PATH}]+\\)|\\([${PATH}]*\\([${PATH}]+\\)[${PATH}]*\\)`, "uy");
const QUERY_PART = new RegExp(`\\?[${QUERY}]*[${QUERY_END}]`, "uy");
const SHORT = new RegExp(
  `^[hH][tT][tT][pP][sS]?://[tT]\\.[cC][oO]/([A-Za-z0-9]+)(?:\\?[${QUERY}]*[${QUERY_END}])?`,
  "u",
);

/** Returns where links stand in a text, in their order; none overlaps another. Stops with null when there are more
 *  than `most`, or more than `mostBeside` code units in none. */
export function findLinks(text, { mostBeside = Infinity, most = Infinity } = {}) {
  const found = [];
  if (!HOST_END.test(text)) return found;
  let [beside, place] = [0, 0];
  for (const candidate of candidates(text)) {
    const links = linksOf(text, candidate);
    beside += candidate.end - place - links.reduce((sum, [start, end]) => sum + end - start, 0);
    place = candidate.end;
    found.push(...links);
    if (beside > mostBeside || found.length > most) return null;
  }
  return found;
}

function* candidates(text) {
  let place = 0;
  for (const run of text.matchAll(RUN)) {
    const start = run.index;
    const end = start + run[0].length;
    if (end <= place || indexWithin(text, ".", start, end) < 0) continue;
    const parts = partsOfRun(text, start, end);
    const protocol = protocolBefore(text, start, place);
    if (protocol !== null && parts[0].last !== null) {
      const candidate = withTail(text, "", protocol, start, parts[parts[0].last]);
      place = candidate.end;
      yield candidate;
    }
    for (let index = 0; index < parts.length; index += 1) {
      const begun = place < parts[index].end ? beginIn(text, parts, index, place) : null;
      if (begun) {
        const [first, last] = begun;
        const candidate = withTail(text, text.slice(Math.max(place, first - 1), first), first, first, last);
        place = candidate.end;
        yield candidate;
      }
    }
  }
}

const isAstral = (text, place) => text.codePointAt(place) > 0xffff;
const next = (text, place) => place + (isAstral(text, place) ? 2 : 1);
const previous = (text, place) => (place > 1 && isAstral(text, place - 2) ? place - 2 : place - 1);

/** Returns where the http:// begins that stands before the host, and may stand there; null if none does. */
function protocolBefore(text, host, place) {
  for (const start of [host - 7, host - 8]) {
    const found = start >= place ? matchAt(PROTOCOL, text, start) : null;
    if (found && start + found[0].length === host) {
      const before = previous(text, start);
      return start === 0 || (before >= place && matchAt(BEFORE_LINK, text, before)) ? start : null;
    }
  }
  return null;
}

/** Returns where in a part a host name begins, the character before it not before the place, and its last part. */
function beginIn(text, parts, index, place) {
  const part = parts[index];
  const behind = next(text, place);
  let first = Math.max(part.start, behind);
  let last = null;
  if (part.start < part.end && !"_-".includes(text[part.end - 1])) {
    last = index + 1 < parts.length ? parts[index + 1].last : null;
    if (last === null && part.suffixEnd) {
      last = index;
      const line = text.lastIndexOf("_", part.end - 1);
      first = Math.max(first, line >= part.start ? line + 1 : 0);
    }
  }
  if (last === null) return null;
  if (first === behind && behind > part.start && isAstral(text, place)) return [place, parts[last]];
  const found = startWithin(text, first, part.end);
  if (place === 0 && part.start === 0 && part.last !== null && found !== behind) return [0, parts[last]];
  return found === null ? null : [found, parts[last]];
}

function startWithin(text, first, end) {
  const found = first < end ? matchAt(START, text, first) : null;
  return found && found.index < end ? found.index : null;
}

/** The candidate with as much as there is of port, path and query. */
function withTail(text, before, start, hostStart, last) {
  const port = matchAt(PORT, text, last.suffixEnd);
  let end = last.suffixEnd + (port ? port[0].length : 0);
  const hasPath = text[end] === "/";
  if (hasPath) end = pathEnd(text, end + 1);
  const query = matchAt(QUERY_PART, text, end);
  return { before, start, hostStart, hostEnd: last.suffixEnd, hasPath, end: end + (query ? query[0].length : 0) };
}

/** Returns where a path ends that goes on at the place: behind its last letter or slash, and closed brackets there. */
function pathEnd(text, place) {
  let end = place;
  for (;;) {
    const ends = matchAt(PATH_THAT_ENDS, text, place);
    if (ends) end = place + ends[0].length;
    place += matchAt(PATH_RUN, text, place)[0].length;
    const brackets = matchAt(IN_BRACKETS, text, place);
    if (!brackets) return end;
    const closed = place + brackets[0].length;
    if (end === place) end = closed;
    place = closed;
  }
}

/** The links that a candidate is: none, one, or without http:// one for each of its parts in Latin letters. */
function linksOf(text, { before, start, hostStart, hostEnd, hasPath, end }) {
  const host = text.slice(hostStart, hostEnd);
  const protocol = hostStart - start;
  if (end - start + (protocol || "https://".length) > MAX_LINK || !isHost(host)) return [];
  if (protocol) {
    const short = SHORT.exec(text.slice(start, end));
    if (short && short[1].length > MAX_SHORT_NAME) return [];
    return [[start, short ? start + short[0].length : end]];
  }
  if (before && "-_./".includes(before)) return [];
  const found = plainHosts(host).map(([first, behind]) => [start + first, start + behind]);
  if (found.length && hasPath) found.at(-1)[1] = end;
  return found;
}
