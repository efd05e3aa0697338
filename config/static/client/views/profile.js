// Somebody's profile: who they are, and their tweets, replies, likes, followers or followees.
import { on } from "../events.js";
import { read } from "../net/api.js";
import { inWords, Problem } from "../net/problems.js";
import { me } from "../net/session.js";
import { make } from "../parts/dom.js";
import { icon } from "../parts/icons.js";
import { PagedList } from "../parts/lists.js";
import { menu } from "../parts/menus.js";
import { blockPerson, endButton, followButton, isMe, mutePerson, personCard } from "../parts/people.js";
import { report } from "../parts/reporting.js";
import { avatar, counted, several } from "../parts/text.js";
import { monthOf } from "../parts/times.js";
import { tweetList } from "../parts/tweet_list.js";
import { correct, entitle } from "../router.js";
import { heading } from "./heading.js";

const TABS = [
  ["", "Tweets"],
  ["replies", "With replies"],
  ["likes", "Likes"],
];
const EMPTY = {
  "": "No tweets yet.",
  replies: "No tweets yet.",
  likes: "No likes yet.",
  followers: "Nobody follows yet.",
  following: "Follows nobody yet.",
};

export function profileView(page, { username, part = "" }) {
  const top = heading(page, `@${username}`, { isBelow: true });
  const card = make("div", { class: "profile", "aria-busy": "true" });
  const rest = make("div", {});
  load();

  async function load() {
    try {
      const { data } = await read(`/users/${username}`, { signal: page.signal });
      correct(place(data.username, part), page);
      show(data);
      rest.append(tabs(data.username, part), listOf(data.username, part, page));
    } catch (error) {
      if (error.name === "AbortError") return;
      const isNobody = error instanceof Problem && error.status === 404;
      const words = isNobody ? "There is nobody here of that name." : inWords(error);
      rest.replaceChildren(make("p", { class: "said" }, words));
    }
    card.setAttribute("aria-busy", "false");
  }

  function show(person) {
    entitle(page, person.display_name || `@${person.username}`);
    top.querySelector("h1").replaceChildren(make("bdi", {}, person.display_name || `@${person.username}`));
    card.replaceChildren(...profile(person, show).filter(Boolean));
  }
  on("person", (own) => isMe({ username }) && card.childElementCount && reload(own), page.signal);
  async function reload() {
    show((await read(`/users/${username}`, { signal: page.signal })).data);
  }
  return [top, card, rest];
}

const place = (username, part) => `/@${username}${part ? `/${part}` : ""}`;

function profile(person, changed) {
  const counts = [
    ["", person.tweets_count, "tweet", "tweets"],
    ["following", person.following_count, "following", "following"],
    ["followers", person.followers_count, "follower", "followers"],
  ];
  return [
    make("div", { class: "row apart" }, avatar(person, "big"), controls(person, changed)),
    make(
      "p",
      { class: "handle" },
      make("bdi", {}, `@${person.username}`),
      person.protected ? make("span", { class: "tag" }, icon("lock"), " Protected") : null,
      person.relationship?.followed_by ? make("span", { class: "tag" }, "Follows you") : null,
    ),
    person.bio ? make("p", { class: "text", dir: "auto" }, person.bio) : null,
    make("p", { class: "context" }, `Here since ${monthOf(person.created_at)}`),
    make(
      "ul",
      { class: "counts" },
      counts.map(([part, number, one, many]) => {
        const link = { href: place(person.username, part), title: several(number, one, many) };
        return make("li", {}, make("a", link, make("strong", {}, counted(number)), ` ${number === 1 ? one : many}`));
      }),
    ),
  ];
}

function controls(person, changed) {
  if (!me()) return null;
  if (isMe(person)) return make("a", { href: "/settings", class: "button" }, "Edit profile");
  const { username, relationship } = person;
  const now = (relation) => changed({ ...person, ...followersAfter(person, relation), relationship: relation });
  const button = relationship.blocking ? endButton(username, "block", now) : followButton(username, relationship, now);
  const choices = () => [
    relationship.muting ? null : [`Mute @${username}`, () => mutePerson(username, now)],
    relationship.blocking ? null : [`Block @${username}`, () => blockPerson(username, now), true],
    ["Report", () => report({ username }, `@${username}`), true],
  ].filter(Boolean);
  return make(
    "div",
    { class: "row" },
    relationship.muting ? endButton(username, "mute", now) : null,
    button,
    menu(`More about @${username}`, icon("more"), choices),
  );
}

/** How many follow them after that. */
function followersAfter(person, relation) {
  const more = Number(relation.following) - Number(person.relationship.following);
  return { followers_count: person.followers_count + more };
}

function tabs(username, part) {
  if (part === "followers" || part === "following") {
    const lists = [["followers", "Followers"], ["following", "Following"]];
    return tabBar(username, part, lists);
  }
  return tabBar(username, part, TABS);
}

function tabBar(username, part, all) {
  const tab = ([name, label]) =>
    make("li", {}, make("a", { href: place(username, name), "aria-current": name === part ? "page" : null }, label));
  return make("nav", { class: "tabs", "aria-label": "Profile" }, make("ul", {}, all.map(tab)));
}

function listOf(username, part, page) {
  const common = { empty: EMPTY[part], signal: page.signal };
  if (part === "followers" || part === "following") {
    const item = (each) => personCard(each);
    return new PagedList({ ...common, path: `/users/${username}/${part}`, label: part, item }).element;
  }
  if (part === "likes") {
    return tweetList({ ...common, path: `/users/${username}/likes`, label: "Liked tweets" }).element;
  }
  const query = part === "replies" ? {} : { replies: false };
  const list = tweetList({ ...common, path: `/users/${username}/tweets`, query, label: "Tweets" });
  if (isMe({ username })) {
    on("posted", (tweet) => (part === "replies" || !tweet.reply_to_id) && list.add(tweet), page.signal);
  }
  return list.element;
}
