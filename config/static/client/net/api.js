// The public API, as anyone may use it: docs at /api/docs/.
import { Problem, problemOf, Unreachable } from "./problems.js";
import { end, token } from "./session.js";

const ROOT = "/api/v1";
const ANSWER_MS = 20_000;
const WAITS_MS = [400, 1_500, 4_000, 8_000, 12_000];
/** Between tries of a write whose fate is not known. */
/** What asks for more is told to the person. */
const LONGEST_WAIT_S = 10;

/** Reads. Answers the JSON. Raises Problem, or Unreachable. */
export function read(path, { signal, ...query } = {}) {
  return request("GET", withQuery(path, query), { signal });
}

/** Reads what is answered in lines; answers the text. Raises the same. */
export function readLines(path, query) {
  return request("GET", withQuery(path, query), { take: (answer) => answer.text() });
}

function withQuery(path, query) {
  const asked = Object.entries(query).filter(([, value]) => value !== null && value !== undefined);
  const search = new URLSearchParams(asked).toString();
  return search ? `${path}?${search}` : path;
}

/** Writes once: for what must not be repeated blindly, such as signing in. */
export function write(method, path, body) {
  return request(method, path, { body });
}

/** Writes, again while nobody knows whether it was carried out. A POST has a key, under which the server does it once;
 *  other methods come to the same however often they are sent. */
export async function writeOnce(method, path, body, key = method === "POST" ? newKey() : null) {
  for (const wait of [...WAITS_MS, null]) {
    try {
      return await request(method, path, { body, key });
    } catch (error) {
      if (wait === null || !isWorthAnotherTry(error)) throw error;
      await pause(error.retryAfter ? error.retryAfter * 1_000 : wait * (0.5 + Math.random()));
    }
  }
  throw new Unreachable();
}

/** A name for one write. (randomUUID is there on HTTPS and loopback only.) */
export function newKey() {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

function isWorthAnotherTry(error) {
  if (error instanceof Unreachable) return true;
  const isPassing = error instanceof Problem && [409, 502, 503, 504].includes(error.status);
  return isPassing && (error.retryAfter ?? 0) <= LONGEST_WAIT_S;
}

/** Returns after that time, or once the browser is online again. */
export function pause(milliseconds) {
  return new Promise((done) => {
    setTimeout(done, milliseconds);
    addEventListener("online", done, { once: true });
  });
}

async function request(method, path, { body, key, signal, take = (answer) => answer.json() }) {
  const sent = token();
  const headers = new Headers({ Accept: "application/json" });
  if (sent) headers.set("Authorization", `Bearer ${sent}`);
  if (key) headers.set("Idempotency-Key", key);
  if (body) headers.set("Content-Type", "application/json");
  const answer = await answered(ROOT + path, {
    method,
    headers,
    body: body ? JSON.stringify(body) : undefined,
    signal: signal ? AbortSignal.any([signal, AbortSignal.timeout(ANSWER_MS)]) : AbortSignal.timeout(ANSWER_MS),
  });
  if (answer.ok) return answer.status === 204 ? null : take(answer);
  const problem = await problemOf(answer);
  if (problem.status === 401 && sent) end({ because: "You have been signed out.", ofToken: sent });
  throw problem;
}

async function answered(url, options) {
  try {
    return await fetch(url, options);
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Unreachable();
  }
}
