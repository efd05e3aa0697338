// An address at which there is nothing.
import { make } from "../parts/dom.js";
import { heading } from "./heading.js";

export function nowhereView(page) {
  return [
    heading(page, "Nothing here"),
    make("p", { class: "said" }, "There is no such page. ", make("a", { href: "/" }, "Go home")),
  ];
}
