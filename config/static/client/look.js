// Light, dark, or as the system has it: kept on this device.
import { make } from "./parts/dom.js";
import { icon } from "./parts/icons.js";
import { announce } from "./parts/notices.js";

const KEY = "theme";
const NAMES = { system: "as the system", light: "light", dark: "dark" };
const ORDER = Object.keys(NAMES);

const chosen = () => localStorage.getItem(KEY) ?? "system";

/** Returns a button that goes from one look to the next. */
export function lookButton() {
  const button = make("button", { type: "button", class: "quiet look", onclick: next }, icon("look"));
  const name = () => button.setAttribute("aria-label", `Look: ${NAMES[chosen()]}`);
  function next() {
    choose(ORDER[(ORDER.indexOf(chosen()) + 1) % ORDER.length]);
    name();
    button.title = button.getAttribute("aria-label");
    announce(button.title);
  }
  name();
  button.title = button.getAttribute("aria-label");
  return button;
}

function choose(look) {
  if (look === "system") {
    localStorage.removeItem(KEY);
    delete document.documentElement.dataset.theme;
  } else {
    localStorage.setItem(KEY, look);
    document.documentElement.dataset.theme = look;
  }
}
