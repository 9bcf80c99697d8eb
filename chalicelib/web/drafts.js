// What was typed, kept in memory while the page is open: no change of page, language or token loses it.

const kept = new Map();

/** Keep what is typed into a control under a name, and put back what was typed before. */
export function keep(name, control) {
  const property = control.type === "checkbox" || control.type === "radio" ? "checked" : "value";
  if (kept.has(name)) control[property] = kept.get(name);
  // What was chosen may not be offered any more; then the first is, as if nothing had been chosen.
  if (control.selectedIndex === -1) control.selectedIndex = 0;
  control.addEventListener("input", () => kept.set(name, control[property]));
  return control;
}

/** Forget everything whose name begins so. */
export function drop(prefix) {
  for (const name of [...kept.keys()]) if (name.startsWith(prefix)) kept.delete(name);
}

/** Whether something was typed under this name. */
export const has = (name) => kept.has(name);

/** Keep a value that is no control's. */
export const remember = (name, value) => kept.set(name, value);

/** What is kept under a name. */
export const recall = (name) => kept.get(name);
