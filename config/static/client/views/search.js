// Searching for tweets. What is asked for stands in the address.
import { announce } from "../parts/notices.js";
import { field, formOf } from "../parts/dialogs.js";
import { make } from "../parts/dom.js";
import { tweetList } from "../parts/tweet_list.js";
import { heading } from "./heading.js";

const MOST = 256;

export function searchView(page) {
  const found = make("div");
  let ended = new AbortController();

  function search(query) {
    ended.abort();
    ended = new AbortController();
    const list = tweetList({
      path: "/search/tweets",
      query: { q: query },
      label: "Found",
      empty: "No tweet has all of that.",
      signal: AbortSignal.any([page.signal, ended.signal]),
      loaded: ({ data }) => announce(data.length ? "Found." : "No tweet has all of that."),
    });
    found.replaceChildren(list.element);
  }

  function asked(given) {
    const query = given.get("q").trim();
    if (!query) return;
    history.replaceState(history.state, "", `/search?${new URLSearchParams({ q: query })}`);
    search(query);
  }

  const first = new URLSearchParams(location.search).get("q") ?? "";
  const query = field(
    "Tweets with",
    { name: "q", type: "search", value: first, maxlength: MOST, autocapitalize: "none", autocomplete: "off" },
    { hint: 'Words, "words side by side", -without, #hashtags, from:name, since:2026-11-01, until:2026-12-01.' },
  );
  if (first.trim()) search(first);
  const form = formOf({ submit: "Search", onsend: asked }, query);
  return [heading(page, "Search"), make("search", { class: "panel" }, form), found];
}
