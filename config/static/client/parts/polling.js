// What this page subscribes to no stream for is asked for now and then, while the page is looked at.
import { read } from "../net/api.js";

const EVERY_MS = 12_000;
const SLOWEST_MS = 120_000;
const MOST = 100;

/** By page: what ends its polling. */
const endings = new WeakMap();

/** Asks for what is above the cursor, that of a first page, and hands it over, the oldest first; in place of what was
 *  asked for this page before. Nothing is asked while it is hidden, another one is shown, or the browser is offline. */
export function pollFrom(page, path, cursor, arrived) {
  let [since, wait, timer, isOver] = [cursor, EVERY_MS, null, false];
  endings.get(page)?.();
  const again = () => {
    clearTimeout(timer);
    if (!isOver && !page.signal.aborted) timer = setTimeout(poll, wait);
  };
  async function poll() {
    if (document.visibilityState !== "visible" || !page.element.isConnected || !navigator.onLine) return again();
    try {
      const { data, meta } = await read(path, { since, limit: MOST, signal: page.signal });
      since = meta.prev_cursor ?? since;
      data.reverse().forEach(arrived);
      wait = EVERY_MS;
    } catch (error) {
      wait = Math.min(SLOWEST_MS, error.retryAfter ? error.retryAfter * 1_000 : wait * 2);
    }
    again();
  }
  endings.set(page, () => {
    isOver = true;
    clearTimeout(timer);
  });
  page.signal.addEventListener("abort", () => clearTimeout(timer));
  again();
}
