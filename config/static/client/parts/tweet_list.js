// A list of tweets, which keeps up with what is told of them.
import { on } from "../events.js";
import { refreshActions } from "./actions.js";
import { PagedList } from "./lists.js";
import { original, tweetCard } from "./tweet.js";

/** Returns a list of the tweets below a path; `options` are those of PagedList. */
export function tweetList(options) {
  const list = new PagedList({ ...options, item: (tweet) => tweetCard(tweet), same: (tweet) => original(tweet).id });
  const { signal } = options;
  on("changed", (tweet) => refreshActions(list.element, tweet), signal);
  on("gone", (ids) => list.remove((tweet) => ids.includes(tweet.id) || ids.includes(original(tweet).id)), signal);
  on("gone", (ids) => ids.forEach((id) => unquote(list.element, id)), signal);
  on("hidden", (username) => list.remove((tweet) => isBy(tweet, username)), signal);
  return list;
}

/** A tweet stays without the one that it quotes. */
function unquote(element, id) {
  for (const quote of element.querySelectorAll(`[data-quotes="${CSS.escape(id)}"]`)) quote.remove();
}

const isBy = (tweet, username) => [tweet, original(tweet)].some((each) => each.author.username === username);
