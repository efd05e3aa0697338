// Addresses within the page, without loading it anew. A page that was left is kept as it stood, so that going back
// shows the same lines at the same place; its element hears `shown` and `left`.
import { make } from "./parts/dom.js";
import { announce } from "./parts/notices.js";

const MOST_KEPT = 12;
const SITE = "Feed";

let routes = [];
let main = null;
let current = null;
/** By the key of their history entry, the one left last at the end. */
const kept = new Map();

/** Shows the page of the present address in the element; `known` are [pattern, view] pairs, the last for all else. */
export function begin(element, known) {
  [main, routes] = [element, known];
  history.scrollRestoration = "manual";
  addEventListener("popstate", ({ state }) => show(state?.key ?? mark(), { isReturn: true }));
  document.addEventListener("click", follow);
  show(mark());
}

/** Goes to a place within the page; a new entry of the history unless it replaces this one. */
export function open(place, { replace = false } = {}) {
  const key = crypto.getRandomValues(new Uint32Array(2)).join("-");
  if (replace && current) forget(current.key);
  history[replace ? "replaceState" : "pushState"]({ key }, "", place);
  show(key);
}

/** Writes the address as it should be, of the page that is shown. */
export function correct(place, page) {
  if (current === page && location.pathname !== place) history.replaceState(history.state, "", place);
}

/** Forgets every page, and shows this one anew: who is signed in has changed. */
export function restart(place = location.pathname + location.search) {
  for (const key of [...kept.keys()]) forget(key);
  open(place, { replace: true });
}

/** Tells the page its title, once it is known. */
export function entitle(page, title) {
  page.title = title;
  if (current === page) showTitle();
}

let unread = 0;
/** Shows how many tweets wait, in the window's title. */
export function countUnread(number) {
  unread = number;
  showTitle();
}

function showTitle() {
  document.title = `${unread ? `(${unread}) ` : ""}${current?.title ? `${current.title} · ` : ""}${SITE}`;
}

/** The key of this entry of the history; it gets one if it has none. */
function mark() {
  const key = history.state?.key ?? crypto.getRandomValues(new Uint32Array(2)).join("-");
  history.replaceState({ key }, "");
  return key;
}

function show(key, { isReturn = false } = {}) {
  leave();
  const page = kept.get(key) ?? made(key);
  kept.delete(key);
  kept.set(key, page);
  for (const old of [...kept.keys()].slice(0, -MOST_KEPT)) forget(old);
  current = page;
  main.replaceChildren(page.element);
  showTitle();
  page.element.dispatchEvent(new Event("shown"));
  dispatchEvent(new CustomEvent("placed", { detail: location.pathname }));
  scrollTo(0, page.scroll);
  settleFocus(page, isReturn);
}

function leave() {
  if (!current) return;
  current.scroll = scrollY;
  current.active = current.element.contains(document.activeElement) ? document.activeElement : null;
  current.element.dispatchEvent(new Event("left"));
}

function made(key) {
  const path = decodeURI(location.pathname);
  const [pattern, view] = routes.find(([each]) => each.test(path));
  const controller = new AbortController();
  const page = { key, path, scroll: 0, active: null, controller, signal: controller.signal, title: "" };
  page.element = make("div", { class: "page" });
  page.element.append(...[view(page, pattern.exec(path).groups ?? {})].flat());
  return page;
}

function forget(key) {
  kept.get(key)?.controller.abort();
  kept.delete(key);
}

let isFirst = true;
/** Who comes back finds the focus where it was; who comes anew, on the heading, which is read out. A page that the
 *  browser has just loaded begins at its beginning. */
function settleFocus(page, isReturn) {
  const place = isReturn && page.active?.isConnected ? page.active : page.element.querySelector("h1");
  if (!isFirst) {
    place?.focus({ preventScroll: true });
    announce(page.title);
  }
  isFirst = false;
}

/** Links to places of the page are followed within it. */
function follow(event) {
  const link = event.target.closest?.("a[href]");
  const isForBrowser = event.button || event.ctrlKey || event.metaKey || event.shiftKey || event.altKey;
  if (!link || event.defaultPrevented || isForBrowser) return;
  if (link.origin !== location.origin || link.target || !isOurs(link.pathname)) return;
  event.preventDefault();
  if (link.pathname === location.pathname) open(link.pathname, { replace: true });
  else open(link.pathname);
}

const isOurs = (path) => routes.slice(0, -1).some(([pattern]) => pattern.test(decodeURI(path)));
