// Streams of what happens, over the one connection: home, public, notifications, hashtag:<tag> and tweet:<id>, as
// docs/live.md has them. A stream is taken up again where it was left: the cursor of its newest frame is safe to resume
// from, and what comes twice is dropped by whoever shows it.
import { tell } from "../events.js";
import { connect, send } from "./connection.js";

const AGAIN_SECONDS = 2;
const LONGEST_SECONDS = 60;
const PASSING = ["rate_limited", "unavailable"];

/** Those that are followed, by their names. */
const followed = new Map();
let asking = null;
/** How often in a row it was refused. */
let refusals = 0;

/** Connects if someone is signed in. */
export function start() {
  connect(take);
}

export class LiveStream {
  #name;
  #arrived;
  #missed;
  #cursor = null;
  /** Asked for, and not answered: what is told until then was meant for whoever followed it before. */
  #isPending = false;

  /** Once it is followed, `arrived` is given each tweet, or notification; `missed` is called when more has happened than
   *  is told, so that what is shown has to be loaded anew. Deletions and counts are told to all of the page
   *  (events.js). */
  constructor(name, { arrived, missed }) {
    [this.#name, this.#arrived, this.#missed] = [name, arrived, missed];
  }

  /** Follows it, in place of who has followed it: from where it was left, or else from `after` on, the `prev_cursor`
   *  of a page. Of an empty page there is none: then it is missed what came before the stream began. Stays with what is
   *  already followed: who loads anew hears meanwhile what comes. */
  follow(after = null) {
    this.#cursor ??= after;
    if (followed.get(this.#name) === this) return;
    followed.set(this.#name, this);
    this.subscribe();
  }

  leave() {
    if (followed.get(this.#name) !== this) return;
    followed.delete(this.#name);
    send({ type: "unsubscribe", stream: this.#name });
  }

  subscribe() {
    this.#isPending = true;
    send({ type: "subscribe", stream: this.#name, ...(this.#cursor ? { after: this.#cursor } : {}) });
  }

  subscribeUnlessAnswered() {
    if (this.#isPending) this.subscribe();
  }

  take({ type, cursor, tweet, notification }) {
    if (type === "subscribed") {
      this.#isPending = false;
      if (!this.#cursor) this.#missed();
    } else if (this.#isPending) {
      return;
    } else if (type === "tweet" || type === "notification") {
      this.#cursor = cursor;
      this.#arrived(tweet ?? notification);
    } else if (type === "gap") {
      this.#missed();
    }
  }
}

function take(frame) {
  if (frame.type === "subscribed") refusals = 0;
  if (frame.type === "ready") followed.forEach((stream) => stream.subscribe());
  else if (frame.type === "delete") tell("gone", [frame.id]);
  else if (frame.type === "counts") tell("changed", { id: frame.id, counts: frame.counts });
  else if (frame.type === "error" && PASSING.includes(frame.code)) askAgain(frame.retry_after_seconds);
  else followed.get(frame.stream)?.take(frame);
}

/** An error does not say of which stream it is: whatever has not been answered by then is asked for again. */
function askAgain(seconds = Math.min(LONGEST_SECONDS, AGAIN_SECONDS * 2 ** refusals)) {
  clearTimeout(asking);
  refusals += 1;
  const wait = seconds * 1_000 * (1 + Math.random() / 2);
  asking = setTimeout(() => followed.forEach((stream) => stream.subscribeUnlessAnswered()), wait);
}
