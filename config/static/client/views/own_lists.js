// What is one's own business: bookmarks, whom one blocks, whom one mutes, who asks to follow one.
import { on } from "../events.js";
import { me } from "../net/session.js";
import { PagedList } from "../parts/lists.js";
import { answerButtons, endButton, personCard } from "../parts/people.js";
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

const ending = (kind) => (username, ended) => endButton(username, kind, ended);
export const blocksView = (page) => people(page, "Blocked people", "blocks", "You block nobody.", ending("block"));
export const mutesView = (page) => people(page, "Muted people", "mutes", "You mute nobody.", ending("mute"));
export const followRequestsView = (page) =>
  people(page, "Who asks to follow you", "follow-requests", "Nobody asks to follow you.", answerButtons);

/** `buttons` makes what ends that somebody is in the list, given their name and what to call then. */
function people(page, title, path, empty, buttons) {
  if (!me()) return signInView(page);
  const forget = (person) => list.remove(({ id }) => id === person.id);
  const list = new PagedList({
    path: `/me/${path}`,
    label: title,
    empty,
    signal: page.signal,
    item: (person) => personCard(person, buttons(person.username, () => forget(person))),
  });
  return [heading(page, title, { isBelow: true }), list.element];
}
