// A list that goes on as one scrolls: entries by id, each once; live ones wait behind a bar until they are asked for.
import { read } from "../net/api.js";
import { inWords } from "../net/problems.js";
import { flag, make } from "./dom.js";
import { icon } from "./icons.js";
import { announce } from "./notices.js";
import { several } from "./text.js";

/** Entries; with more the browser gets slow, and it goes on by hand only. */
const MOST_SHOWN = 1_000;
const MOST_WAITING = 100;
/** Pixels from the end, at which the next page is asked for. */
const AHEAD = 800;
/** Pixels from the beginning, within which it is in view. */
const NEAR = 200;
/** Without a further tweet, before what waits is told to screen readers. */
const QUIET_MS = 800;
/** Between two times that it loads itself anew under a reader's eyes. */
const CALM_MS = 15_000;
const FURTHER = "Show more";
const AGAIN = "Try again";

export class PagedList {
  #shown = new Map();
  #waiting = [];
  #cursor = null;
  #isLoading = false;
  #isOutdated = false;
  #failed = { anew: false };
  #meanwhile = [];
  #renewed = -CALM_MS;
  #announcing = null;
  #entries;
  #said = make("p", { class: "said" });
  #bar = make("button", { type: "button", class: "bar", hidden: true, onclick: () => this.#showWaiting() });
  #more = make("button", { type: "button", class: "more", hidden: true, onclick: () => this.#goOn() }, FURTHER);
  #options;
  #observer;

  /** Lists what is below `path`, until the signal is aborted. `item` makes an entry's element, `empty` says that there
   *  is none, `loaded` hears of the first page, and of waiting entries one of each `same` is kept. */
  constructor({ path, query = {}, item, label, empty, signal, loaded = () => {}, same = ({ id }) => id }) {
    this.#options = { path, query, item, empty, signal, loaded, same };
    this.#entries = make("ul", { class: "entries", "aria-label": label });
    const parts = [this.#bar, this.#entries, this.#said, this.#more];
    this.element = make("section", { class: "list", "aria-label": label, "aria-busy": "true" }, ...parts);
    this.#goOnByItself();
    this.#load();
  }

  /** Puts an entry where it belongs by its id: it may have become visible after a younger one. */
  add(entry) {
    this.#again(() => this.add(entry));
    this.#waiting = this.#waiting.filter(({ id }) => id !== entry.id);
    this.#refreshBar();
    let place = this.#entries.firstElementChild;
    while (place && isNewer(idOf(place), entry.id)) place = place.nextElementSibling;
    this.#put(entry, place);
  }

  /** Keeps an entry back until it is asked for. What is older than all that is shown comes when one gets there. */
  wait(entry) {
    this.#again(() => this.wait(entry));
    const last = this.#entries.lastElementChild;
    if (this.#shown.has(entry.id) || (this.#cursor && last && isNewer(idOf(last), entry.id))) return;
    const { same } = this.#options;
    this.#waiting = [...this.#waiting.filter((other) => same(other) !== same(entry)), entry];
    if (this.#waiting.length > MOST_WAITING) {
      this.#waiting.shift();
      this.#isOutdated = true;
    }
    this.#refreshBar();
    clearTimeout(this.#announcing);
    this.#announcing = setTimeout(() => announce(this.#bar.textContent), QUIET_MS);
  }

  /** Takes out each entry of which that is so. */
  remove(isGone) {
    this.#again(() => this.remove(isGone));
    for (const { entry, element } of [...this.#shown.values()]) {
      if (isGone(entry)) this.#take(entry.id, element);
    }
    this.#waiting = this.#waiting.filter((entry) => !isGone(entry));
    this.#refreshBar();
    if (!this.#shown.size && !this.#cursor && !this.#isLoading) this.#said.textContent = this.#options.empty;
  }

  /** What is shown may have missed something: loads it anew, at once if its beginning is in view, unless it has done so
   *  a moment ago. */
  outdate() {
    this.#isOutdated = true;
    if (this.#isLoading) return;
    const isCalm = performance.now() - this.#renewed >= CALM_MS;
    if (!this.#shown.size || (scrollY < NEAR && isCalm)) this.#load({ anew: true });
    else this.#refreshBar();
  }

  /** What is told while a page is being read may be younger than what that page has: it is told again behind it. */
  #again(told) {
    if (this.#isLoading) this.#meanwhile.push(told);
  }

  /** The next page; or once more what has failed. */
  #goOn() {
    this.#load(this.#more.textContent === AGAIN ? this.#failed : {});
  }

  async #load({ anew = false } = {}) {
    if (this.#isLoading) return;
    this.#isLoading = true;
    if (anew) [this.#isOutdated, this.#renewed] = [false, performance.now()];
    flag(this.#more, "disabled", true);
    if (this.#shown.size || !anew) this.#said.textContent = this.#shown.size ? "" : "Loading…";
    try {
      const { path, query, signal } = this.#options;
      this.#show(await read(path, { ...query, cursor: anew ? null : this.#cursor, signal }), anew);
    } catch (error) {
      if (error.name === "AbortError") return;
      this.#isOutdated ||= anew;
      this.#failed = { anew };
      this.#said.textContent = inWords(error);
      this.#offer(AGAIN);
      this.#refreshBar();
    } finally {
      this.#isLoading = false;
      this.element.setAttribute("aria-busy", "false");
      flag(this.#more, "disabled", false);
    }
    for (const told of this.#meanwhile.splice(0)) told();
    if (this.#isOutdated && this.#more.textContent !== AGAIN) this.outdate();
  }

  #show(page, anew) {
    if (anew) this.#clear();
    const isFirst = anew || this.#cursor === null;
    for (const entry of page.data) this.#put(entry);
    this.#cursor = page.meta.next_cursor;
    this.#said.textContent = this.#shown.size ? "" : this.#options.empty;
    this.#offer(this.#cursor ? FURTHER : null);
    if (isFirst) this.#options.loaded(page);
  }

  #clear() {
    this.#shown.clear();
    this.#entries.replaceChildren();
    this.#waiting = [];
    this.#refreshBar();
  }

  #put(entry, before = null) {
    if (this.#shown.has(entry.id)) return;
    const element = make("li", { "data-entry": entry.id }, this.#options.item(entry));
    this.#shown.set(entry.id, { entry, element });
    this.#entries.insertBefore(element, before);
    this.#said.textContent = "";
  }

  /** The focus goes to a neighbour, if it was in what goes. */
  #take(id, element) {
    const isFocused = element.contains(document.activeElement);
    const neighbour = element.nextElementSibling ?? element.previousElementSibling;
    element.remove();
    this.#shown.delete(id);
    if (isFocused) (neighbour?.querySelector("a") ?? this.element.closest(".page")?.querySelector("h1"))?.focus();
  }

  #refreshBar() {
    const number = this.#waiting.length;
    const said = number === MOST_WAITING ? `${MOST_WAITING}+ new tweets` : several(number, "new tweet");
    flag(this.#bar, "hidden", !number && !this.#isOutdated);
    this.#bar.replaceChildren(icon("up"), number ? said : "Show what is new");
    this.element.dispatchEvent(new CustomEvent("waiting", { detail: number }));
  }

  async #showWaiting() {
    if (this.#isOutdated || this.#shown.size + this.#waiting.length > MOST_SHOWN) {
      await this.#load({ anew: true });
    } else {
      const waiting = this.#waiting;
      this.#waiting = [];
      waiting.forEach((entry) => this.add(entry));
      this.#refreshBar();
    }
    scrollTo({ top: 0 });
    this.#entries.querySelector("a")?.focus({ preventScroll: true });
  }

  /** The button under the list, or none; looked at anew, as it may be in view already. */
  #offer(name) {
    flag(this.#more, "hidden", !name);
    this.#more.textContent = name ?? "";
    this.#observer.unobserve(this.#more);
    this.#observer.observe(this.#more);
  }

  /** The next page is asked for before the end comes into view, and after an error when the network is back. */
  #goOnByItself() {
    const { signal } = this.#options;
    const isNext = () => this.#more.textContent === FURTHER && this.#shown.size < MOST_SHOWN;
    const seen = ([{ isIntersecting }]) => isIntersecting && isNext() && this.#load();
    this.#observer = new IntersectionObserver(seen, { rootMargin: `0px 0px ${AHEAD}px 0px` });
    signal.addEventListener("abort", () => this.#observer.disconnect());
    addEventListener("online", () => this.#more.textContent === AGAIN && this.#goOn(), { signal });
  }
}

const idOf = (element) => element.dataset.entry;

/** Of snowflakes, which are longer than numbers can be. */
const isNewer = (id, other) => id.length > other.length || (id.length === other.length && id > other);
