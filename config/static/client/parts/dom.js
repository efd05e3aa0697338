// Elements. What people wrote gets into the page here, and only as text.

const SVG = "http://www.w3.org/2000/svg";

/** Returns an element. Attributes that are null or false are left out, `on…` are listeners, and strings among the
 *  children are text, never markup. */
export function make(tag, attributes = {}, ...children) {
  return filled(document.createElement(tag), attributes, children);
}

export function makeSvg(tag, attributes = {}, ...children) {
  return filled(document.createElementNS(SVG, tag), attributes, children);
}

function filled(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

/** Returns text for screen readers alone. */
export const unseen = (text) => make("span", { class: "unseen" }, text);

let numbers = 0;
/** Returns an id that no other element has. */
export const newId = (name) => `${name}-${(numbers += 1)}`;

/** Sets or removes an attribute that is there or is not. */
export function flag(element, name, isSet) {
  element.toggleAttribute(name, Boolean(isSet));
}
