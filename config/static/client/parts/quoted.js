// A tweet within another one, and what both need.
import { make } from "./dom.js";
import { avatar, nameOf, textWithEntities } from "./text.js";
import { timeAgo } from "./times.js";

/** Where a tweet has a page of its own. */
export const placeOf = (tweet) => `/@${tweet.author.username}/${tweet.id}`;

export function names(person) {
  return make("span", { class: "names" }, nameOf(person), make("bdi", { class: "handle" }, `@${person.username}`));
}

/** Returns a tweet that is quoted, or answered in a window. */
export function quoted(tweet) {
  return make(
    "blockquote",
    { class: "quoted", "data-quotes": tweet.id },
    make(
      "a",
      { href: placeOf(tweet), class: "author" },
      avatar(tweet.author, "small"),
      names(tweet.author),
      timeAgo(tweet.created_at),
    ),
    make("p", { class: "text", dir: "auto" }, textWithEntities(tweet.text, tweet.entities)),
  );
}
