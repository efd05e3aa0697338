// Windows over the page: the browser keeps the focus in them, and Escape closes them.
import { make, newId } from "./dom.js";
import { icon } from "./icons.js";
import { inWords } from "../net/problems.js";

/** Opens a window, and returns it. What had the focus gets it back when it closes. */
export function openDialog(title, ...content) {
  const before = document.activeElement;
  const heading = newId("dialog");
  const end = { type: "button", class: "quiet", "aria-label": "Close", onclick: () => dialog.close() };
  const dialog = make(
    "dialog",
    { "aria-labelledby": heading },
    make(
      "header",
      {},
      make("h2", { id: heading }, title),
      make("button", end, icon("close")),
    ),
    ...content,
  );
  dialog.addEventListener("close", () => {
    dialog.remove();
    if (before?.isConnected) before.focus();
  });
  // A click beside it closes it, unless a text would be lost.
  const isBegun = () => [...dialog.querySelectorAll("textarea")].some((text) => text.value);
  dialog.addEventListener("pointerdown", (event) => event.target === dialog && !isBegun() && dialog.close());
  document.body.append(dialog);
  dialog.showModal();
  return dialog;
}

/** Asks, and does it if the answer is yes; what goes wrong is said in the window. */
export function confirmFirst({ title, text, action, danger = true }, act) {
  const close = () => dialog.close();
  const form = formOf({ submit: action, danger, onsend: act, done: close, cancel: close }, make("p", {}, text));
  const dialog = openDialog(title, form);
}

/** Returns a form. While `onsend` works its button waits; a problem stands above the button, and at its fields. */
export function formOf({ submit, onsend, done = () => {}, cancel = null, danger = false }, ...fields) {
  const said = make("p", { class: "problem", role: "alert" });
  const button = make("button", { type: "submit", class: danger ? "danger" : "primary" }, submit);
  const row = make("div", { class: "row end" });
  if (cancel) row.append(make("button", { type: "button", onclick: cancel }, "Cancel"));
  row.append(button);
  const form = make("form", { novalidate: true }, ...fields, said, row);
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    if (button.disabled) return;
    button.disabled = true;
    clearFaults(form, said);
    try {
      done(await onsend(new FormData(form)));
    } catch (error) {
      showFaults(form, said, error);
    } finally {
      button.disabled = false;
    }
  });
  return form;
}

function clearFaults(form, said) {
  said.textContent = "";
  for (const fault of form.querySelectorAll(".fault")) fault.textContent = "";
  for (const input of form.querySelectorAll("[aria-invalid]")) input.removeAttribute("aria-invalid");
}

/** Puts each fault at its field, and the focus on the first; what belongs to no field stands above the button. */
function showFaults(form, said, error) {
  let first = null;
  const rest = [];
  for (const [name, messages] of Object.entries(error.errors ?? {})) {
    const input = form.elements[name];
    const fault = input?.closest?.(".field")?.querySelector(".fault");
    if (fault) {
      fault.textContent = messages.join(" ");
      input.setAttribute("aria-invalid", "true");
      first ??= input;
    } else {
      rest.push(...messages);
    }
  }
  said.textContent = first || rest.length ? rest.join(" ") : inWords(error);
  first?.focus();
}

/** Returns a labelled field. */
export function field(label, attributes, { hint = "", tag = "input" } = {}) {
  const [id, fault, hinted] = [newId("field"), newId("fault"), newId("hint")];
  const described = hint ? `${fault} ${hinted}` : fault;
  const { value = "", ...others } = attributes;
  const input = make(tag, { id, "aria-describedby": described, ...others });
  input.value = value;
  return make(
    "div",
    { class: "field" },
    make("label", { for: id }, label),
    input,
    hint ? make("p", { class: "hint", id: hinted }, hint) : null,
    make("p", { class: "fault", id: fault }),
  );
}
