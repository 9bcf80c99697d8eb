// Elements made of text and properties. Nothing here, or anywhere in the wizard, turns a text into markup.

/** Make an element. Attributes named on… are listeners; null, undefined and false leave an attribute or child out. */
export function h(name, attributes = {}, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (value === undefined || value === null || value === false) continue;
    if (typeof value === "function") element.addEventListener(key.slice(2), value);
    else if (key === "value" || key === "checked" || key === "max") element[key] = value;
    else element.setAttribute(key, value === true ? "" : value);
  }
  return fill(element, ...children);
}

/** Put children in place of what an element holds. */
export function fill(element, ...children) {
  element.replaceChildren(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

/** The sign before a word of how something stands; the word says the same. */
export const mark = () => h("span", { class: "mark", "aria-hidden": "true" });

let made = 0;

/** Return an id that nothing else on the page has. */
export const freshId = () => `r${++made}`;

/** Say something to screen readers without moving the focus. */
export function announce(text) {
  const announcer = document.getElementById("announcer");
  announcer.textContent = "";
  // The same words twice in a row are read twice only when the region was empty in between.
  setTimeout(() => { announcer.textContent = text; }, 50);
}

/** Resolve after some seconds, or reject when the signal is aborted. */
export function sleep(seconds, signal) {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(resolve, seconds * 1000);
    signal?.addEventListener("abort", () => { clearTimeout(timer); reject(signal.reason); }, { once: true });
  });
}
