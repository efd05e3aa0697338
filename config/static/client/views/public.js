// What everybody writes, newest first.
import { on } from "../events.js";
import { me } from "../net/session.js";
import { liveTweetList } from "../parts/following.js";
import { heading } from "./heading.js";

export function publicView(page) {
  return [heading(page, "Public"), publicTweets(page)];
}

/** Returns the list alone. */
export function publicTweets(page) {
  const list = liveTweetList(page, {
    path: "/feed/public",
    stream: "public",
    label: "Public tweets",
    empty: "Nobody has written anything yet.",
  });
  if (me()) on("posted", (tweet) => tweet.reply_to_id === null && list.add(tweet), page.signal);
  return list.element;
}
