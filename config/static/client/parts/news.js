// How much one is notified of that was not read: counted by the server, anew whenever something comes or was read.
import { on, tell } from "../events.js";
import { read, writeOnce } from "../net/api.js";
import { LiveStream } from "../net/live.js";
import { me } from "../net/session.js";

/** What comes within it is counted once. */
const TOGETHER_MS = 400;
/** So many means so many or more. */
const MOST = 100;

let stream = null;
let counting = null;
let unread = 0;

/** Returns how much is new, in words that fit a badge; nothing for nothing. */
export const news = () => (unread === 0 ? "" : unread >= MOST ? `${MOST - 1}+` : String(unread));

/** Follows what whoever is signed in is notified of, in place of who was before. */
export function startNews() {
  clearTimeout(counting);
  stream?.leave();
  stream = null;
  know(0);
  if (!me()) return;
  stream = new LiveStream("notifications", { arrived, missed: count });
  stream.follow();
  count();
}

/** Marks it, and everything older, as read. What cannot be marked now is new until it is looked at again. */
export async function markRead(notification) {
  try {
    const { data } = await writeOnce("PUT", "/me/notifications/read", { up_to: notification.id });
    know(data.count);
  } catch {
    count();
  }
}

function arrived(notification) {
  tell("notified", notification);
  count();
}

function count() {
  clearTimeout(counting);
  counting = setTimeout(async () => {
    const asker = me()?.id;
    if (!asker) return;
    const { data } = await read("/me/notifications/unread").catch(() => ({ data: { count: unread } }));
    if (me()?.id === asker) know(data.count);
  }, TOGETHER_MS);
}

function know(number) {
  if (number === unread) return;
  unread = number;
  tell("news", unread);
}

on("hidden", () => me() && count());
