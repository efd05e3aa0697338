// What has one hashtag, newest first.
import { liveTweetList } from "../parts/following.js";
import { heading } from "./heading.js";

export function hashtagView(page, { tag }) {
  const list = liveTweetList(page, {
    path: `/hashtags/${encodeURIComponent(tag)}/tweets`,
    stream: `hashtag:${tag}`,
    label: `Tweets with #${tag}`,
    empty: "Nobody has written anything with this hashtag.",
  });
  return [heading(page, `#${tag}`, { isBelow: true }), list.element];
}
