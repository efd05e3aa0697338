// What one is notified of. Whatever is shown while it is looked at has been read.
import { on } from "../events.js";
import { me } from "../net/session.js";
import { make } from "../parts/dom.js";
import { icon } from "../parts/icons.js";
import { PagedList } from "../parts/lists.js";
import { markRead } from "../parts/news.js";
import { placeOf, quoted } from "../parts/quoted.js";
import { avatar, nameOf, several } from "../parts/text.js";
import { timeAgo } from "../parts/times.js";
import { heading } from "./heading.js";
import { signInView } from "./sign_in.js";

const WORDS = {
  follow: ["person", "followed you"],
  follow_request: ["person", "asked to follow you"],
  mention: ["reply", "mentioned you"],
  reply: ["reply", "replied to you"],
  quote: ["quote", "quoted you"],
  retweet: ["retweet", "retweeted your tweet"],
  like: ["like", "liked your tweet"],
};

export function notificationsView(page) {
  if (!me()) return signInView(page);
  const isLookedAt = () => page.element.isConnected && document.visibilityState === "visible";
  const seen = (newest) => newest && isLookedAt() && markRead(newest);
  const list = new PagedList({
    path: "/me/notifications",
    label: "Notifications",
    empty: "Nothing yet. Here stands who follows you, and what becomes of your tweets.",
    signal: page.signal,
    item: notificationCard,
    loaded: ({ data }) => seen(data[0]),
  });
  on("notified", (notification) => {
    list.remove((each) => isSame(each, notification));
    list.add(notification);
    seen(notification);
  }, page.signal);
  on("gone", (ids) => list.remove(({ tweet }) => tweet && ids.includes(tweet.id)), page.signal);
  on("hidden", () => list.outdate(), page.signal);
  let isBack = false;
  page.element.addEventListener("shown", () => {
    if (isBack) list.outdate();
    isBack = true;
  });
  return [heading(page, "Notifications"), list.element];
}

/** It has come again, and takes the place of the one before. */
const isSame = (one, other) => one.type === other.type && one.tweet?.id === other.tweet?.id;

function notificationCard(notification) {
  const { type, people, people_count: count, tweet, created_at: time, read } = notification;
  const [name, words] = WORDS[type] ?? ["more", "did something"];
  const others = count - 1;
  return make(
    "article",
    { class: read ? "notification" : "notification new", "data-type": type },
    icon(name),
    make(
      "div",
      { class: "body" },
      make("p", { class: "faces" }, ...people.map((person) => avatar(person, "small"))),
      make(
        "p",
        { class: "words" },
        make("a", { href: `/@${people[0].username}` }, nameOf(people[0])),
        others > 0 ? ` and ${several(others, "other")} ` : " ",
        tweet ? make("a", { href: placeOf(tweet) }, words) : words,
        " ",
        timeAgo(time),
      ),
      tweet ? quoted(tweet) : null,
    ),
  );
}
