// The heading of a page, which gets the focus when one comes to it.
import { make } from "../parts/dom.js";
import { icon } from "../parts/icons.js";
import { entitle } from "../router.js";

/** Returns the heading, and entitles the page by it. */
export function heading(page, title, { isBelow = false } = {}) {
  entitle(page, title);
  const back = make(
    "button",
    { type: "button", class: "quiet", "aria-label": "Back", onclick: () => history.back() },
    icon("back"),
  );
  return make("div", { class: "heading" }, isBelow ? back : null, make("h1", { tabindex: "-1" }, title));
}
