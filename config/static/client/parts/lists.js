// A list that goes on as one scrolls: entries by id, each once; live ones wait behind a bar until they are asked for.
import { read } from "../net/api.js";
import { inWords } from "../net/problems.js";
import { on } from "../events.js";
import { flag, make } from "./dom.js";
import { refreshActions } from "./actions.js";
import { announce } from "./notices.js";
import { several } from "./text.js";
import { original, tweetCard } from "./tweet.js";
import { icon } from "./icons.js";

/** Entries; with more the browser gets slow, and it goes on by hand only. */
const MOST_SHOWN = 1_000;
const MOST_WAITING = 100;
const AHEAD = "800px";
/** Without a further tweet, before what waits is told to screen readers. */
const QUIET_MS = 800;

/** Returns a list of tweets below `path`, which keeps up with what is told of them. */
export function tweetList(options) {
  const list = pagedList({ ...options, item: tweetCard });
  const { signal } = options;
  on("changed", (tweet) => refreshActions(list.element, tweet), signal);
  on("gone", (ids) => list.remove((tweet) => ids.includes(tweet.id) || ids.includes(original(tweet).id)), signal);
  on("gone", (ids) => ids.forEach((id) => unquote(list.element, id)), signal);
  on("hidden", (username) => list.remove((tweet) => isBy(tweet, username)), signal);
  return list;
}

function unquote(element, id) {
  for (const quote of element.querySelectorAll(`[data-quotes="${CSS.escape(id)}"]`)) quote.remove();
}

const isBy = (tweet, username) => [tweet, original(tweet)].some((each) => each.author.username === username);

/** Returns a list of what is below `path`. `item` makes an entry's element; `loaded` hears of the first page. */
export function pagedList({ path, query = {}, item, label, empty, signal, loaded = () => {} }) {
  const shown = new Map();
  let [waiting, cursor, isLoading, isOutdated, announcing] = [[], null, false, false, null];
  const entries = make("ul", { class: "entries", "aria-label": label });
  const bar = make("button", { type: "button", class: "bar", hidden: true, onclick: showWaiting });
  const said = make("p", { class: "said" });
  const more = make("button", { type: "button", class: "more", hidden: true, onclick: () => load() }, "Show more");
  const element = make("section", { class: "list", "aria-label": label, "aria-busy": "true" });
  element.append(bar, entries, said, more);

  async function load({ anew = false } = {}) {
    if (isLoading) return;
    isLoading = true;
    flag(more, "disabled", true);
    said.textContent = shown.size && !anew ? "" : "Loading…";
    try {
      const page = await read(path, { ...query, cursor: anew ? null : cursor, signal });
      if (anew) clear();
      const isFirst = !shown.size;
      page.data.forEach((each) => put(each));
      cursor = page.meta.next_cursor;
      flag(more, "hidden", !cursor);
      more.textContent = "Show more";
      said.textContent = shown.size ? "" : empty;
      if (isFirst) loaded(page);
    } catch (error) {
      if (error.name === "AbortError") return;
      said.textContent = inWords(error);
      more.textContent = "Try again";
      flag(more, "hidden", false);
    } finally {
      isLoading = false;
      flag(more, "disabled", false);
      element.setAttribute("aria-busy", "false");
      watch();
    }
  }

  function clear() {
    shown.clear();
    entries.replaceChildren();
    [waiting, isOutdated] = [[], false];
    refreshBar();
  }

  function put(each, before = null) {
    if (shown.has(each.id)) return;
    const entry = make("li", { "data-entry": each.id }, item(each));
    shown.set(each.id, { each, entry });
    entries.insertBefore(entry, before);
    said.textContent = "";
  }

  /** Puts an entry where it belongs by its id: it may have become visible after a younger one. */
  function insert(each) {
    let place = entries.firstElementChild;
    while (place && isNewer(idOf(place), each.id)) place = place.nextElementSibling;
    put(each, place);
  }

  /** Keeps an entry back until it is asked for. What is older than all that is shown comes when one gets there. */
  function wait(each) {
    const last = entries.lastElementChild;
    if (shown.has(each.id) || waiting.some(({ id }) => id === each.id)) return;
    if (cursor && last && isNewer(idOf(last), each.id)) return;
    waiting = waiting.filter((other) => original(other).id !== original(each).id);
    waiting.push(each);
    if (waiting.length > MOST_WAITING) isOutdated = true;
    waiting.splice(0, waiting.length - MOST_WAITING);
    refreshBar();
    clearTimeout(announcing);
    announcing = setTimeout(() => announce(bar.textContent), QUIET_MS);
  }

  function refreshBar() {
    flag(bar, "hidden", !waiting.length && !isOutdated);
    const isMore = waiting.length === MOST_WAITING;
    const number = isMore ? `${MOST_WAITING}+ new tweets` : several(waiting.length, "new tweet");
    bar.replaceChildren(icon("up"), isOutdated && !waiting.length ? "Show what is new" : number);
    element.dispatchEvent(new CustomEvent("waiting", { detail: waiting.length }));
  }

  async function showWaiting() {
    if (isOutdated || shown.size + waiting.length > MOST_SHOWN) {
      await load({ anew: true });
    } else {
      waiting.forEach(insert);
      waiting = [];
      refreshBar();
    }
    scrollTo({ top: 0 });
    entries.querySelector("a")?.focus({ preventScroll: true });
  }

  function remove(isGone) {
    for (const [id, { each, entry }] of shown) {
      if (!isGone(each)) continue;
      const isFocused = entry.contains(document.activeElement);
      const neighbour = entry.nextElementSibling ?? entry.previousElementSibling;
      entry.remove();
      shown.delete(id);
      if (isFocused) (neighbour?.querySelector("a") ?? element.closest(".page")?.querySelector("h1"))?.focus();
    }
    waiting = waiting.filter((each) => !isGone(each));
    refreshBar();
    if (!shown.size && !cursor && !isLoading) said.textContent = empty;
  }

  // The next page is asked for before the end comes into view.
  const observer = new IntersectionObserver(([{ isIntersecting }]) => {
    const goesOn = !more.hidden && more.textContent === "Show more" && shown.size < MOST_SHOWN;
    if (isIntersecting && goesOn) load();
  }, { rootMargin: `0px 0px ${AHEAD} 0px` });
  function watch() {
    observer.unobserve(more);
    observer.observe(more);
  }
  signal.addEventListener("abort", () => observer.disconnect());
  addEventListener("online", () => more.textContent === "Try again" && load(), { signal });

  load();
  return {
    element,
    add: insert,
    wait,
    remove,
    /** What is shown may have missed something: loads it anew, at once if its beginning is in view. */
    outdate() {
      isOutdated = true;
      if (scrollY < 200) load({ anew: true });
      else refreshBar();
    },
  };
}

const idOf = (entry) => entry.dataset.entry;

/** Of snowflakes, which are longer than numbers can be. */
const isNewer = (id, other) => id.length > other.length || (id.length === other.length && id > other);
