// For whoever is not signed in there are no live streams: what is new is asked for now and then, while it is looked at.
import { read } from "../net/api.js";

const EVERY_MS = 12_000;
const SLOWEST_MS = 120_000;
const MOST = 100;

/** Returns what begins it, given the cursor of a first page: from then on what lies above is handed over, the oldest
 *  first. Nothing is asked while the page is hidden, another one is shown, or the browser is offline. */
export function polling(page, path, arrived) {
  let [since, wait, timer] = [null, EVERY_MS, null];

  function goOn() {
    clearTimeout(timer);
    if (!page.signal.aborted) timer = setTimeout(poll, wait);
  }
  async function poll() {
    if (document.visibilityState !== "visible" || !page.element.isConnected || !navigator.onLine) return goOn();
    try {
      const { data, meta } = await read(path, { since, limit: MOST, signal: page.signal });
      since = meta.prev_cursor ?? since;
      data.reverse().forEach(arrived);
      wait = EVERY_MS;
    } catch (error) {
      wait = Math.min(SLOWEST_MS, error.retryAfter ? error.retryAfter * 1_000 : wait * 2);
    }
    goOn();
  }
  return (cursor) => {
    since = cursor;
    goOn();
  };
}
