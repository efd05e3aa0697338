// The home timeline, live; for whoever is not signed in, what this is.
import { on } from "../events.js";
import { follow } from "../net/live.js";
import { me } from "../net/session.js";
import { composer } from "../parts/composer.js";
import { make } from "../parts/dom.js";
import { tweetList } from "../parts/tweet_list.js";
import { countUnread } from "../router.js";
import { heading } from "./heading.js";
import { publicTweets } from "./public.js";

export function homeView(page) {
  return me() ? timeline(page) : welcome(page);
}

/** The one whose waiting tweets are counted, if several are kept. */
let newest = null;

function timeline(page) {
  const list = tweetList({
    path: "/feed/home",
    label: "Home timeline",
    empty: "Nothing here yet. Find people to follow, or write something.",
    signal: page.signal,
    loaded: ({ meta }) => follow(meta.prev_cursor),
  });
  on("arrived", ({ tweet }) => list.wait(tweet), page.signal);
  on("posted", (tweet) => list.add(tweet), page.signal);
  on("gap", () => list.outdate(), page.signal);
  newest = page;
  countUnread(0);
  list.element.addEventListener("waiting", ({ detail }) => newest === page && countUnread(detail));
  return [heading(page, "Home"), composer({}), list.element];
}

function welcome(page) {
  return [
    heading(page, "Welcome"),
    make(
      "div",
      { class: "welcome" },
      make("p", {}, "Short messages from people you choose, as they happen."),
      make(
        "p",
        { class: "row" },
        make("a", { href: "/sign-up", class: "button primary" }, "Sign up"),
        make("a", { href: "/sign-in", class: "button" }, "Sign in"),
      ),
    ),
    make("h2", { class: "part" }, "What is being said"),
    publicTweets(page),
  ];
}
