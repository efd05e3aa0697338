// What is one's own business: bookmarks, whom one blocks, whom one mutes.
import { on } from "../events.js";
import { me } from "../net/session.js";
import { PagedList } from "../parts/lists.js";
import { endButton, personCard } from "../parts/people.js";
import { tweetList } from "../parts/tweet_list.js";
import { heading } from "./heading.js";
import { signInView } from "./sign_in.js";

export function bookmarksView(page) {
  if (!me()) return signInView(page);
  const list = tweetList({
    path: "/me/bookmarks",
    label: "Bookmarked tweets",
    empty: "No bookmarks. Only you can see the ones you set.",
    signal: page.signal,
  });
  on("changed", ({ id, viewer }) => viewer?.bookmarked === false && list.remove((each) => each.id === id), page.signal);
  return [heading(page, "Bookmarks"), list.element];
}

export const blocksView = (page) => people(page, "Blocked people", "block", "You block nobody.");
export const mutesView = (page) => people(page, "Muted people", "mute", "You mute nobody.");

function people(page, title, kind, empty) {
  if (!me()) return signInView(page);
  const forget = (person) => list.remove(({ id }) => id === person.id);
  const list = new PagedList({
    path: `/me/${kind}s`,
    label: title,
    empty,
    signal: page.signal,
    item: (person) => personCard(person, endButton(person.username, kind, () => forget(person))),
  });
  return [heading(page, title, { isBelow: true }), list.element];
}
