// A tweet as it stands in a list, or large, on a page of its own.
import { me } from "../net/session.js";
import { actionsOf } from "./actions.js";
import { flag, make, newId, unseen } from "./dom.js";
import { icon } from "./icons.js";
import { names, placeOf, quoted } from "./quoted.js";
import { avatar, nameOf, textWithEntities } from "./text.js";
import { timeAgo, timeInFull } from "./times.js";
import { choicesFor } from "./tweet_menu.js";
import { menu } from "./menus.js";

const MANY_LINES = 14;
const SIGN_LIKE = /[\p{M}]{6,}/u;

/** What an entry shows: itself, or what it is a retweet of. */
export const original = (tweet) => tweet.retweet_of ?? tweet;

/** Returns the tweet as an article. */
export function tweetCard(entry, { isLarge = false } = {}) {
  const tweet = original(entry);
  const label = newId("tweet");
  const card = make(
    "article",
    { class: isLarge ? "tweet large" : "tweet", "aria-labelledby": label, "data-shows": tweet.id },
    entry.retweet_of ? retweetedBy(entry.author) : null,
    make(
      "div",
      { class: "byline" },
      author(tweet.author, label),
      isLarge ? null : written(tweet),
      menu("More about this tweet", icon("more"), () => choicesFor(tweet)),
    ),
    make(
      "div",
      { class: "body" },
      tweet.reply_to_id ? make("p", { class: "context" }, make("a", { href: placeOf(tweet) }, "In reply")) : null,
      textOf(tweet, isLarge),
      tweet.quote_of ? quoted(tweet.quote_of) : null,
      isLarge ? make("p", { class: "when" }, timeInFull(tweet.created_at)) : null,
      actionsOf(tweet, { isLarge }),
    ),
  );
  if (!isLarge) card.addEventListener("click", (event) => openUnlessMeant(event, card));
  return card;
}

function author(person, id) {
  return make("a", { href: `/@${person.username}`, class: "author", id }, avatar(person), names(person));
}

function written(tweet) {
  return make("a", { href: placeOf(tweet), class: "when" }, unseen("Written "), timeAgo(tweet.created_at));
}

function retweetedBy(person) {
  const who = person.id === me()?.id ? "You" : nameOf(person);
  const link = make("a", { href: `/@${person.username}` }, who, " retweeted");
  return make("p", { class: "context" }, icon("retweet"), link);
}

function textOf(tweet, isLarge) {
  const isLong = !isLarge && tweet.text.split("\n").length > MANY_LINES;
  const text = make("p", { class: "text", dir: "auto" }, textWithEntities(tweet.text, tweet.entities));
  flag(text, "data-cut", isLong);
  flag(text, "data-tall", SIGN_LIKE.test(tweet.text));
  return isLong ? [text, make("a", { href: placeOf(tweet), class: "all" }, "Show all of it")] : text;
}

/** A click on what is no control leads to the tweet: a wider target for its link, which keyboards have anyway. */
function openUnlessMeant(event, card) {
  if (event.target.closest("a, button, input, .menu-list") || String(getSelection())) return;
  const inQuote = event.target.closest(".quoted")?.querySelector("a");
  (inQuote ?? card.querySelector("a.when"))?.click();
}
