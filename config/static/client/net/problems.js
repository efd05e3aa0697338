// What went wrong, as the server says it (RFC 9457), and in words.

export class Problem extends Error {
  /** `document` is the problem document; `retryAfter` seconds to wait, null if the server did not say. */
  constructor(status, document, retryAfter) {
    super(document.detail ?? document.title ?? `The server answered ${status}.`);
    this.status = status;
    this.code = document.code ?? "";
    this.errors = document.errors ?? {};
    this.requestId = document.request_id ?? null;
    this.retryAfter = retryAfter;
  }
}

/** The request did not get there, or no answer came: nobody knows whether it was carried out. */
export class Unreachable extends Error {}

export async function problemOf(answer) {
  const document = await answer.json().catch(() => ({}));
  const wait = Number.parseInt(answer.headers.get("Retry-After"), 10);
  return new Problem(answer.status, document, Number.isNaN(wait) ? null : wait);
}

/** Returns what to tell a person. */
export function inWords(error) {
  if (error instanceof Unreachable) {
    return navigator.onLine ? "The server does not answer. Try again in a moment." : "You are offline.";
  }
  if (!(error instanceof Problem)) return "Something went wrong on this page. Try again.";
  if (error.status === 429) return `That was a lot at once. Try again ${inTime(error.retryAfter)}.`;
  if (error.status === 503) return `The server is not at its best. Try again ${inTime(error.retryAfter)}.`;
  const fields = Object.values(error.errors).flat();
  if (fields.length) return fields.join(" ");
  if (error.status >= 500 && error.requestId) return `${error.message} (request ${error.requestId})`;
  return error.message;
}

function inTime(seconds) {
  if (seconds === null) return "in a moment";
  if (seconds < 90) return seconds === 1 ? "in a second" : `in ${seconds} seconds`;
  return `in ${Math.ceil(seconds / 60)} minutes`;
}
