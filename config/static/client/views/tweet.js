// A tweet's own page: what it answers, itself, and what answers it; and who liked or retweeted it.
import { on, tell } from "../events.js";
import { read } from "../net/api.js";
import { inWords, Problem } from "../net/problems.js";
import { me } from "../net/session.js";
import { refreshActions } from "../parts/actions.js";
import { composer } from "../parts/composer.js";
import { make } from "../parts/dom.js";
import { liveTweetList } from "../parts/following.js";
import { PagedList } from "../parts/lists.js";
import { personCard } from "../parts/people.js";
import { several } from "../parts/text.js";
import { placeOf } from "../parts/quoted.js";
import { tweetCard } from "../parts/tweet.js";
import { correct, entitle, open } from "../router.js";
import { heading } from "./heading.js";

export function tweetView(page, { id }) {
  const above = make("ol", { class: "entries ancestors", "aria-label": "What it answers" });
  const itself = make("div", { class: "itself", "aria-busy": "true" });
  const counts = make("ul", { class: "counts" });
  let shown = null;
  const below = make("div", {});
  load();

  async function load() {
    try {
      const { data } = await read(`/tweets/${id}/thread`, { signal: page.signal, limit: 1 });
      if (data.tweet.retweet_of) return open(placeOf(data.tweet.retweet_of), { replace: true });
      above.append(...data.ancestors.map((each) => make("li", { "data-entry": each.id }, tweetCard(each))));
      show(data.tweet);
      below.append(replies(page, id));
    } catch (error) {
      if (error.name === "AbortError") return;
      const isNone = error instanceof Problem && error.status === 404;
      sayGone(isNone ? "This tweet is not there, or not for you." : inWords(error));
    }
    itself.setAttribute("aria-busy", "false");
  }

  function show(tweet) {
    correct(placeOf(tweet), page);
    entitle(page, `@${tweet.author.username}: ${[...tweet.text].slice(0, 60).join("")}`);
    const label = `Reply to @${tweet.author.username}`;
    const reply = me() ? [composer({ label, action: "Reply", target: { reply_to: id } })] : [];
    itself.replaceChildren(tweetCard(tweet, { isLarge: true }), counts, ...reply);
    count(tweet);
    // Where there is something above, one comes to the tweet itself.
    const isNew = page.element.isConnected && page.scroll === 0;
    if (above.childElementCount && isNew) itself.scrollIntoView({ block: "start" });
  }

  function count(tweet) {
    shown = { ...shown, ...tweet };
    counts.replaceChildren(...who(shown));
  }

  function sayGone(words) {
    itself.replaceChildren(make("p", { class: "said" }, words));
  }

  on("changed", (tweet) => [above, itself].forEach((part) => refreshActions(part, tweet)), page.signal);
  on("changed", (tweet) => tweet.id === id && shown && count(tweet), page.signal);
  on("gone", (ids) => {
    if (ids.includes(id)) sayGone("This tweet was deleted.");
    ids.forEach((each) => above.querySelector(`[data-entry="${CSS.escape(each)}"]`)?.remove());
  }, page.signal);
  return [heading(page, "Tweet", { isBelow: true }), above, itself, below];
}

/** Ways to who liked and retweeted it, if anybody did. */
function who({ author, id, counts }) {
  const parts = [["likes", "like"], ["retweets", "retweet"]].filter(([part]) => counts[part]);
  const place = (part) => `/@${author.username}/${id}/${part}`;
  const link = ([part, one]) => make("li", {}, make("a", { href: place(part) }, several(counts[part], one)));
  return parts.map(link);
}

function replies(page, id) {
  const list = liveTweetList(page, {
    path: `/tweets/${id}/replies`,
    stream: `tweet:${id}`,
    label: "Replies",
    empty: "No replies yet.",
    missed: () => readCounts(page, id),
  });
  on("posted", (tweet) => tweet.reply_to_id === id && list.add(tweet), page.signal);
  return list.element;
}

/** If that fails, the stream tells the next change of them. */
async function readCounts(page, id) {
  const { data } = await read(`/tweets/${id}`, { signal: page.signal }).catch(() => ({ data: null }));
  if (data) tell("changed", data);
}

export function whoView(page, { username, id, part }) {
  const title = part === "likes" ? "Liked by" : "Retweeted by";
  const list = new PagedList({
    path: `/tweets/${id}/${part}`,
    label: title,
    empty: "Nobody yet.",
    signal: page.signal,
    item: (person) => personCard(person),
  });
  const back = make("p", { class: "context" }, make("a", { href: `/@${username}/${id}` }, "The tweet"));
  return [heading(page, title, { isBelow: true }), back, list.element];
}
