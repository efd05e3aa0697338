// What stands around every page: the ways to others, the connection's light, who is signed in, light or dark.
import { on } from "./events.js";
import { connection } from "./net/connection.js";
import { me } from "./net/session.js";
import { composer } from "./parts/composer.js";
import { openDialog } from "./parts/dialogs.js";
import { news } from "./parts/news.js";
import { make, unseen } from "./parts/dom.js";
import { icon } from "./parts/icons.js";
import { avatar, nameOf } from "./parts/text.js";
import { lookButton } from "./look.js";

const LIGHTS = {
  connecting: "Connecting…",
  live: "Live",
  waiting: "Connection lost, trying again…",
  offline: "You are offline",
};

/** Fills the body, and returns the place for pages. */
export function addShell(body) {
  const main = make("main", { id: "main" });
  const top = make("header", { class: "top" });
  const side = make("nav", { class: "ways", "aria-label": "Pages" });
  body.replaceChildren(make("a", { href: "#main", class: "skip", onclick: skip }, "Skip to content"), top, side, main);
  const refresh = () => {
    top.replaceChildren(brand(), light(), lookButton());
    side.replaceChildren(make("ul", {}, ways().map(way)), ...(me() ? [writeButton(), account()] : [doors()]), about());
    showPlace();
    showNews();
  };
  refresh();
  on("session", refresh);
  on("person", refresh);
  on("connection", showLight);
  on("news", showNews);
  for (const kind of ["online", "offline"]) addEventListener(kind, showLight);
  addEventListener("placed", showPlace);
  return main;
}

function skip(event) {
  event.preventDefault();
  (document.querySelector("main h1") ?? document.querySelector("main")).focus();
}

function brand() {
  return make("a", { href: "/", class: "brand" }, make("span", { class: "mark", "aria-hidden": "true" }), "Feed");
}

function ways() {
  const everybody = [["/", "Home", "home"], ["/public", "Public", "public"], ["/search", "Search", "search"]];
  if (!me()) return everybody;
  return [
    ...everybody,
    ["/notifications", "Notifications", "bell"],
    ["/find", "Find people", "people"],
    ["/bookmarks", "Bookmarks", "bookmark"],
    [`/@${me().username}`, "Profile", "person"],
    ["/settings", "Settings", "settings"],
  ];
}

function way([place, label, name]) {
  return make("li", {}, make("a", { href: place, title: label, "aria-label": label }, icon(name), labelled(label)));
}

/** On the bell, and in its name for who hears the page. */
function showNews() {
  const bell = document.querySelector('.ways a[href="/notifications"]');
  if (!bell) return;
  bell.querySelector(".badge")?.remove();
  // Apart from the label, so that its name has all that is seen of it.
  if (news()) bell.append(make("span", { class: "badge", "aria-hidden": "true" }, ` ${news()}`));
  bell.setAttribute("aria-label", news() ? `Notifications ${news()} new` : "Notifications");
}

const labelled = (text) => make("span", { class: "label" }, text);

function writeButton() {
  const write = () => {
    const dialog = openDialog("Write", composer({ done: () => dialog.close() }));
    dialog.querySelector("textarea").focus();
  };
  return make(
    "button",
    { type: "button", class: "primary write", title: "Write", "aria-label": "Write", onclick: write },
    icon("write"),
    labelled("Write"),
  );
}

function account() {
  return make(
    "a",
    { href: "/settings", class: "account" },
    avatar(me()),
    unseen("Your settings, "),
    make("span", { class: "label names" }, nameOf(me()), make("bdi", { class: "handle" }, `@${me().username}`)),
  );
}

function doors() {
  return make(
    "div",
    { class: "doors" },
    make("a", { href: "/sign-up", class: "button primary" }, "Sign up"),
    make("a", { href: "/sign-in", class: "button" }, "Sign in"),
  );
}

function about() {
  const pages = [make("a", { href: "/api/docs/" }, "API"), " · ", make("a", { href: "/api/docs/live/" }, "Live feed")];
  return make("p", { class: "about" }, ...pages);
}

function light() {
  const dot = make("span", { class: "dot", "aria-hidden": "true" });
  return make("p", { class: "light", role: "status" }, dot, make("span", { class: "words" }));
}

function showLight() {
  const element = document.querySelector(".light");
  const state = navigator.onLine ? connection() : "offline";
  const words = LIGHTS[state] ?? "";
  element.dataset.state = state;
  const place = element.querySelector(".words");
  if (place.textContent !== words) place.textContent = words;
}

function showPlace() {
  for (const link of document.querySelectorAll(".ways a")) {
    if (link.getAttribute("href") === location.pathname) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  showLight();
}
