// Times as people say them, kept right while they are shown; the exact one is the title.
import { make } from "./dom.js";

const REFRESH_MS = 20_000;
const exact = new Intl.DateTimeFormat("en", { dateStyle: "full", timeStyle: "medium" });
const sameYear = new Intl.DateTimeFormat("en", { day: "numeric", month: "short" });
const otherYear = new Intl.DateTimeFormat("en", { day: "numeric", month: "short", year: "numeric" });
const month = new Intl.DateTimeFormat("en", { month: "long", year: "numeric" });

/** Returns how long ago it was, short: "now", "5 min", "2 h", "12 Nov". */
export function ago(time, now = new Date()) {
  const seconds = Math.max(0, (now - time) / 1_000);
  if (seconds < 45) return "now";
  if (seconds < 3_600) return `${Math.max(1, Math.floor(seconds / 60))} min`;
  if (seconds < 86_400) return `${Math.floor(seconds / 3_600)} h`;
  return (time.getFullYear() === now.getFullYear() ? sameYear : otherYear).format(time);
}

/** Returns an element that says how long ago it was. */
export function timeAgo(written) {
  const time = new Date(written);
  return make("time", { datetime: written, title: exact.format(time), class: "ago" }, ago(time));
}

export function timeInFull(written) {
  return make("time", { datetime: written }, exact.format(new Date(written)));
}

export const monthOf = (written) => month.format(new Date(written));

setInterval(() => {
  for (const element of document.querySelectorAll("time.ago")) {
    const said = ago(new Date(element.dateTime));
    if (element.textContent !== said) element.textContent = said;
  }
}, REFRESH_MS);
