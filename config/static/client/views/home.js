// The home timeline, live; for whoever is not signed in, what this is.
import { on } from "../events.js";
import { me } from "../net/session.js";
import { composer } from "../parts/composer.js";
import { make } from "../parts/dom.js";
import { liveTweetList } from "../parts/following.js";
import { countUnread } from "../router.js";
import { heading } from "./heading.js";
import { publicTweets } from "./public.js";

export function homeView(page) {
  return me() ? timeline(page) : welcome(page);
}

/** The one whose waiting tweets are counted, if several are kept: the one shown last. */
let latest = null;

function timeline(page) {
  const list = liveTweetList(page, {
    path: "/feed/home",
    stream: "home",
    isKept: true,
    label: "Home timeline",
    empty: "Nothing here yet. Find people to follow, or write something.",
  });
  on("posted", (tweet) => list.add(tweet), page.signal);
  countWaiting(page, list);
  return [heading(page, "Home"), composer({}), list.element];
}

/** In the window's title, whichever page is shown. */
function countWaiting(page, list) {
  let waiting = 0;
  const count = () => latest === page && countUnread(waiting);
  list.element.addEventListener("waiting", ({ detail }) => {
    waiting = detail;
    count();
  });
  page.element.addEventListener("shown", () => {
    latest = page;
    count();
  });
  page.signal.addEventListener("abort", () => {
    waiting = 0;
    count();
  });
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
