// Icons, drawn with lines on a field of 24 by 24.
import { makeSvg } from "./dom.js";

const PATHS = {
  home: "M4 11.5 12 4l8 7.5V20h-5.5v-5.5h-5V20H4z",
  public: "M12 3a9 9 0 1 0 0 18 9 9 0 0 0 0-18M3.5 12h17M12 3c3 3 3.6 6 3.6 9S15 18 12 21c-3-3-3.6-6-3.6-9S9 6 12 3",
  people: "M9 5a3.5 3.5 0 1 0 0 7 3.5 3.5 0 0 0 0-7M2.5 19.5c.6-3.4 3-5 6.5-5s5.9 1.6 6.5 5M17.5 8v6M14.5 11h6",
  search: "M10.5 4a6.5 6.5 0 1 0 0 13 6.5 6.5 0 0 0 0-13m4.8 11.3 5.2 5.2M7.5 9h6M7.5 12h4",
  bell: "M12 3.5a5.5 5.5 0 0 0-5.5 5.5c0 5-2 6.5-2 6.5h15s-2-1.5-2-6.5A5.5 5.5 0 0 0 12 3.5M10 19a2.2 2.2 0 0 0 4 0",
  bookmark: "M6.5 4h11v16L12 16l-5.5 4z",
  person: "M12 4a4 4 0 1 0 0 8 4 4 0 0 0 0-8M4.5 20.5c.8-4 3.8-5.7 7.5-5.7s6.7 1.7 7.5 5.7",
  settings:
    "M4 7h9M17 7h3M4 17h3M11 17h9M15 4.8a2.2 2.2 0 1 0 0 4.4 2.2 2.2 0 0 0 0-4.4M9 14.8a2.2 2.2 0 1 0 0 4.4 2.2 2.2 0 0 0 0-4.4",
  write: "M4 20l1-4.5L16.5 4l3.5 3.5L8.5 19zM14 6.5 17.5 10",
  reply: "M20 11.5c0 4-3.6 7-8 7-1 0-2-.1-2.8-.4L4.5 20l1.2-3.8A6.5 6.5 0 0 1 4 11.5c0-4 3.6-7 8-7s8 3 8 7z",
  retweet:
    "M17 2.5 20.5 6 17 9.5M20.5 6H8a4 4 0 0 0-4 4v1.5M7 21.5 3.5 18 7 14.5M3.5 18H16a4 4 0 0 0 4-4v-1.5",
  quote: "M10 7.5H5.5V12H10zM10 12c0 2.5-1.3 4-3.5 4.7M18.5 7.5H14V12h4.5zM18.5 12c0 2.5-1.3 4-3.5 4.7",
  like:
    "M12 20C7 16.5 4 13.3 4 9.6 4 7 5.9 5 8.3 5c1.5 0 2.9.8 3.7 2.1C12.8 5.8 14.2 5 15.7 5 18.1 5 20 7 20 9.6c0 3.7-3 6.9-8 10.4z",
  lock: "M6 11h12v9H6zM8.5 11V8a3.5 3.5 0 0 1 7 0v3",
  more: "M5 12h.01M12 12h.01M19 12h.01",
  close: "M6 6l12 12M18 6 6 18",
  back: "M19 12H5.5M11 6l-6 6 6 6",
  look: "M12 4a8 8 0 1 0 0 16zM12 4a8 8 0 0 1 0 16",
  up: "M12 19V6M6 11.5 12 5.5l6 6",
};

/** Returns an icon. It says nothing to screen readers: what it stands for is in words beside it. */
export function icon(name) {
  const drawn = { viewBox: "0 0 24 24", class: `icon icon-${name}`, "aria-hidden": "true", focusable: "false" };
  return makeSvg("svg", drawn, makeSvg("path", { d: PATHS[name] }));
}
