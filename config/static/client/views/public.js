// What everybody writes, newest first; asked for anew now and then.
import { on } from "../events.js";
import { me } from "../net/session.js";
import { pollFrom } from "../parts/polling.js";
import { tweetList } from "../parts/tweet_list.js";
import { heading } from "./heading.js";

const PATH = "/feed/public";

export function publicView(page) {
  return [heading(page, "Public"), publicTweets(page)];
}

/** Returns the list alone. */
export function publicTweets(page) {
  const list = tweetList({
    path: PATH,
    label: "Public tweets",
    empty: "Nobody has written anything yet.",
    signal: page.signal,
    loaded: ({ meta }) => pollFrom(page, PATH, meta.prev_cursor, (tweet) => list.wait(tweet)),
  });
  if (me()) on("posted", (tweet) => tweet.reply_to_id === null && list.add(tweet), page.signal);
  return list.element;
}
