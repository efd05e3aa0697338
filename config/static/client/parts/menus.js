// A button that shows a few more buttons below it. Escape, or the focus or a click elsewhere, hides them.
import { flag, make, newId } from "./dom.js";

/** Returns the button with its list; `choices()` says what is in it when it opens, as [label, act, isDangerous]. */
export function menu(label, content, choices) {
  const id = newId("menu");
  const list = make("ul", { id, class: "menu-list", hidden: true });
  const button = make(
    "button",
    { type: "button", class: "quiet", "aria-label": label, "aria-expanded": "false", "aria-controls": id },
    content,
  );
  const element = make("div", { class: "menu" }, button, list);

  function show(isShown) {
    if (isShown) list.replaceChildren(...choices().map((each) => make("li", {}, choice(...each))));
    flag(list, "hidden", !isShown);
    button.setAttribute("aria-expanded", String(isShown));
  }
  function choice(name, act, isDangerous) {
    const chosen = () => {
      show(false);
      button.focus();
      act();
    };
    return make("button", { type: "button", class: isDangerous ? "bad" : null, onclick: chosen }, name);
  }

  button.addEventListener("click", () => {
    show(list.hidden);
    list.querySelector("button")?.focus();
  });
  element.addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || list.hidden) return;
    show(false);
    button.focus();
  });
  element.addEventListener("focusout", (event) => {
    if (!element.contains(event.relatedTarget)) show(false);
  });
  return element;
}
