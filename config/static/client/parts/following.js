// What keeps a page's list up with what happens: a live stream, or for whoever is not signed in, asking again.
import { LiveStream } from "../net/live.js";
import { me } from "../net/session.js";
import { polling } from "./polling.js";
import { tweetList } from "./tweet_list.js";

/** Returns a list of the tweets below `path`, to which those of `stream` come while the page is shown, or, with
 *  `isKept`, until the page is forgotten. `missed` hears when what the page shows besides has to be read anew.
 *  Further options are those of PagedList. */
export function liveTweetList(page, { path, stream, isKept = false, missed = () => {}, ...options }) {
  const arrived = (tweet) => list.wait(tweet);
  const outdated = () => {
    list.outdate();
    missed();
  };
  const begin = me() ? following(page, { stream, isKept, arrived, outdated }) : polling(page, path, arrived);
  const list = tweetList({ ...options, path, signal: page.signal, loaded: ({ meta }) => begin(meta.prev_cursor) });
  return list;
}

/** Returns what begins it, given the cursor of a first page. */
function following(page, { stream, isKept, arrived, outdated }) {
  const live = new LiveStream(stream, { arrived, missed: outdated });
  let begunAt;
  const follow = () => begunAt !== undefined && live.follow(begunAt);
  page.element.addEventListener("shown", follow);
  if (!isKept) page.element.addEventListener("left", () => live.leave());
  page.signal.addEventListener("abort", () => live.leave());
  return (cursor) => {
    begunAt = cursor;
    if (isKept || page.element.isConnected) follow();
  };
}
