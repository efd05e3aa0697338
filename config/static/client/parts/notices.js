// What is said in passing: to everybody at the foot of the page, and to screen readers. One notice at a time.
import { make } from "./dom.js";
import { icon } from "./icons.js";
import { inWords } from "../net/problems.js";

const SHOWN_MS = 7_000;
const polite = make("div", { class: "unseen", role: "status", "aria-live": "polite" });
const urgent = make("div", { class: "unseen", role: "alert" });
const place = make("div", { class: "notices" });
let hiding = null;

/** Puts the places where things are said into the page. */
export function addNotices(body) {
  body.append(polite, urgent, place);
}

/** Tells screen readers, when they have a moment. */
export function announce(text) {
  polite.textContent = "";
  setTimeout(() => (polite.textContent = text), 50);
}

export function notice(text) {
  show(text, "notice");
  announce(text);
}

/** Says what went wrong. */
export function complain(error) {
  if (error?.name === "AbortError") return;
  const text = inWords(error);
  show(text, "notice notice-bad");
  urgent.textContent = "";
  setTimeout(() => (urgent.textContent = text), 50);
}

function show(text, kind) {
  clearTimeout(hiding);
  const hide = () => place.replaceChildren();
  const named = { type: "button", class: "quiet", "aria-label": "Dismiss" };
  const close = make("button", { ...named, onclick: hide }, icon("close"));
  place.replaceChildren(make("div", { class: kind }, make("p", {}, text), close));
  hiding = setTimeout(hide, SHOWN_MS);
}
