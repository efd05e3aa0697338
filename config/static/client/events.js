// What one part of the page tells the others:
//
//   session       someone signed in or out
//   connection    the live connection's state has changed: its name
//   posted        a tweet of one's own was posted: the tweet
//   changed       a tweet has other counts or marks: the tweet, or {id, counts} if that is all that is known
//   gone          entries have left: their ids
//   hidden        someone was blocked or muted: their username; null of a word that was muted, or is no more
//   person        someone's account, as it is now
//   notified      one is notified of something: the notification
//   news          how much of it is new has changed: how much
const bus = new EventTarget();

/** Calls the listener with what is told, until the signal is aborted. */
export function on(kind, listener, signal) {
  bus.addEventListener(kind, (event) => listener(event.detail), { signal });
}

export function tell(kind, detail) {
  bus.dispatchEvent(new CustomEvent(kind, { detail }));
}
