// Writing a tweet, a reply or a quote. The counter counts as the server does. What is sent again is posted once: the
// key stays the same until the text is another one.
import { newKey, writeOnce } from "../net/api.js";
import { inWords } from "../net/problems.js";
import { tell } from "../events.js";
import { isVisible, MAX_WEIGHT, weightLeft } from "../weights/weights.js";
import { flag, make, makeSvg, newId } from "./dom.js";
import { announce, notice } from "./notices.js";

/** Characters left from which the number is shown, and told to screen readers. */
const NEAR = 20;
const AROUND = 2 * Math.PI * 9;

/** Returns the form. `target` is {reply_to} or {quote_of}; `done` is called with what was posted. */
export function composer(options) {
  const { label = "What is happening?", action = "Post", target = {}, done = () => {}, beside = null } = options;
  const [id, counterId] = [newId("text"), newId("counter")];
  const text = make("textarea", { id, rows: 2, dir: "auto", placeholder: label, "aria-describedby": counterId });
  const counter = ring(counterId);
  const problem = make("p", { class: "problem", role: "alert" });
  const button = make("button", { type: "submit", class: "primary", disabled: true }, action);
  const form = make(
    "form",
    { class: "composer" },
    make("label", { for: id, class: "unseen" }, label),
    text,
    beside,
    problem,
    make("div", { class: "row end" }, counter.element, button),
  );
  let [key, keyOf, isSending] = ["", null, false];

  function refresh() {
    const left = weightLeft(text.value);
    counter.show(left, text.value !== "");
    flag(button, "disabled", isSending || left < 0 || !isVisible(text.value));
    flag(text, "readonly", isSending);
    button.textContent = isSending ? "Posting…" : action;
  }

  async function send() {
    if (button.disabled) return;
    if (keyOf !== text.value) [key, keyOf] = [newKey(), text.value];
    isSending = true;
    problem.textContent = "";
    refresh();
    try {
      const { data } = await writeOnce("POST", "/tweets", { text: text.value, ...target }, key);
      [text.value, keyOf] = ["", null];
      tell("posted", data);
      notice("Posted.");
      done(data);
    } catch (error) {
      problem.textContent = `Not posted. ${inWords(error)}`;
    } finally {
      isSending = false;
      refresh();
    }
  }

  text.addEventListener("input", refresh);
  text.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) send();
  });
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    send();
  });
  refresh();
  return form;
}

/** A ring that fills, and near its end the number of characters that are left. */
function ring(id) {
  const arc = makeSvg("circle", { cx: 12, cy: 12, r: 9, class: "arc", "stroke-dasharray": `${AROUND}` });
  const drawn = makeSvg(
    "svg",
    { viewBox: "0 0 24 24", class: "ring", "aria-hidden": "true" },
    makeSvg("circle", { cx: 12, cy: 12, r: 9, class: "track" }),
    arc,
  );
  const number = make("span", { class: "left", "aria-hidden": "true" });
  const words = make("span", { class: "unseen", id });
  const element = make("div", { class: "counter" }, number, drawn, words);
  let said = false;

  function show(left, isBegun) {
    const used = Math.min(1, (MAX_WEIGHT - Math.max(left, 0)) / MAX_WEIGHT);
    arc.setAttribute("stroke-dashoffset", String(AROUND * (1 - used)));
    flag(element, "hidden", !isBegun);
    flag(element, "data-near", left <= NEAR && left >= 0);
    flag(element, "data-over", left < 0);
    const isNear = left <= NEAR;
    number.textContent = isNear ? (Number.isFinite(left) ? String(left) : "far too long") : "";
    words.textContent = inWordsLeft(left);
    if (isNear !== said && isNear) announce(inWordsLeft(left));
    said = isNear;
  }
  return { element, show };
}

function inWordsLeft(left) {
  if (left === -Infinity) return "Far too long.";
  return left < 0 ? `${-left} characters too many.` : `${left} characters left.`;
}
