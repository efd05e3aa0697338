// Reply, retweet, quote, like, bookmark: what can be done to a tweet, with how often it was.
import { writeOnce } from "../net/api.js";
import { Problem } from "../net/problems.js";
import { token } from "../net/session.js";
import { tell } from "../events.js";
import { open } from "../router.js";
import { composer } from "./composer.js";
import { openDialog } from "./dialogs.js";
import { make } from "./dom.js";
import { icon } from "./icons.js";
import { complain, notice } from "./notices.js";
import { quoted } from "./quoted.js";
import { counted } from "./text.js";

/** Each mark: its name in the path, in viewer and in counts, and how it reads. */
const MARKS = {
  retweet: { mark: "retweeted", count: "retweets", set: "Retweet", unset: "Undo retweet", one: "retweet" },
  like: { mark: "liked", count: "likes", set: "Like", unset: "Unlike", one: "like" },
  bookmark: { mark: "bookmarked", count: null, set: "Bookmark", unset: "Remove bookmark" },
};

/** Returns the row of buttons. It keeps up with what is told of the tweet: see refreshActions. */
export function actionsOf(tweet, { isLarge = false } = {}) {
  const row = make("div", { class: "actions", "data-actions": tweet.id });
  row.tweet = tweet;
  row.isLarge = isLarge;
  fill(row);
  return row;
}

/** Shows a tweet's present marks and counts wherever it stands below the element. */
export function refreshActions(element, tweet) {
  for (const row of element.querySelectorAll(`[data-actions="${CSS.escape(tweet.id)}"]`)) {
    row.tweet = { ...row.tweet, counts: tweet.counts, viewer: tweet.viewer ?? row.tweet.viewer };
    fill(row);
  }
}

function fill(row) {
  const { tweet } = row;
  const focused = row.contains(document.activeElement) ? document.activeElement.dataset.act : null;
  row.replaceChildren(
    button("reply", "Reply", tweet.counts.replies, "reply", () => write("Reply", tweet, { reply_to: tweet.id })),
    marking(row, "retweet"),
    button("quote", "Quote", tweet.counts.quotes, "quote", () => write("Quote", tweet, { quote_of: tweet.id })),
    marking(row, "like"),
    marking(row, "bookmark"),
  );
  if (focused) row.querySelector(`[data-act="${focused}"]`)?.focus();
}

function button(name, label, count, one, act, pressed = null) {
  const many = one === "reply" ? "replies" : `${one}s`;
  const said = count ? `${label}, ${counted(count)} ${count === 1 ? one : many}` : label;
  const named = { "aria-label": said, title: label, "aria-pressed": pressed };
  return make(
    "button",
    { type: "button", class: `act act-${name}`, "data-act": name, ...named, onclick: act },
    icon(name),
    make("span", { class: "count" }, count ? counted(count) : ""),
  );
}

function marking(row, name) {
  const { mark, count, set, unset, one } = MARKS[name];
  const isSet = Boolean(row.tweet.viewer?.[mark]);
  const number = count ? row.tweet.counts[count] : 0;
  return button(name, isSet ? unset : set, number, one, () => toggle(row, name), String(isSet));
}

/** By mark and tweet, while the server is told: whether it is to be set. */
const wished = new Map();

/** Shows the change at once, and takes it back if the server refuses. */
async function toggle(row, name) {
  if (!token()) return open("/sign-in");
  const { mark, count } = MARKS[name];
  const before = row.tweet;
  const isSet = !before.viewer?.[mark];
  const more = isSet ? 1 : -1;
  const counts = count ? { ...before.counts, [count]: Math.max(0, before.counts[count] + more) } : before.counts;
  tell("changed", { ...before, counts, viewer: { ...before.viewer, [mark]: isSet } });
  if (name === "bookmark") notice(isSet ? "Bookmarked." : "Bookmark removed.");
  const path = `/tweets/${before.id}/${name}`;
  const isBeingTold = wished.has(path);
  wished.set(path, isSet);
  if (isBeingTold) return;
  try {
    const answer = await tellLatest(path);
    if (answer) tell("changed", answer.data.retweet_of ?? answer.data);
  } catch (error) {
    tell("changed", before);
    if (error instanceof Problem && error.status === 404) tell("gone", [before.id]);
    complain(error);
  } finally {
    wished.delete(path);
  }
}

/** Tells the server one wish after the other, until the latest one is fulfilled: none overtakes another. */
async function tellLatest(path) {
  for (;;) {
    const isSet = wished.get(path);
    const answer = await writeOnce(isSet ? "PUT" : "DELETE", path);
    if (wished.get(path) === isSet) return answer;
  }
}

function write(title, tweet, target) {
  if (!token()) return open("/sign-in");
  const beside = make("div", { class: "beside" }, quoted(tweet));
  const label = title === "Reply" ? `Reply to @${tweet.author.username}` : "Say something about it";
  const dialog = openDialog(title, composer({ label, action: title, target, beside, done: () => dialog.close() }));
  dialog.querySelector("textarea").focus();
}
