// The pieces that every page is made of.

import { announce, fill, freshId, h, mark, sleep } from "./dom.js";
import { call, isStop, TOKEN_CODES } from "./api.js";
import { foreign, known, language, t } from "./i18n.js";

/** A message in a box. `kind` is good, bad, warning or info; the word before the title tells it without color. */
export function banner(kind, title, ...rest) {
  return h("div", { class: `banner ${kind}`, role: kind === "bad" ? "alert" : "status" },
    h("p", { class: "banner-title" }, mark(), h("span", { class: "unseen" }, `${t(`mark.${kind}`)} `), title),
    rest);
}

/** A button. `look` is primary, plain, danger or small; one of type submit needs no `onclick`. */
export function button(text, onclick, { look = "plain", ...attributes } = {}) {
  const made = h("button", {
    type: "button", class: `button ${look}`, ...attributes,
    onclick: (event) => {
      if (made.hasAttribute("aria-disabled")) event.preventDefault();
      else onclick?.(event);
    },
  }, text);
  return made;
}

/** Switch a button off while its work is under way. It keeps the focus, which `disabled` would throw to the page's top. */
export function setBusy(made, busy) {
  if (busy) made.setAttribute("aria-disabled", "true");
  else made.removeAttribute("aria-disabled");
}

/** A link to another page of the wizard that looks like a button. */
export const linkButton = (text, href, look = "plain") => h("a", { class: `button ${look}`, href }, text);

/** A word for a connection's status. */
export const statusChip = (status) => h("span", { class: `chip ${status}` }, known(`status.${status}`, status));

/** Text that came from the API. It is English, and said to be where the page is not. */
export const said = (text, name = "p", attributes = {}) => h(name, { ...foreign(), ...attributes }, text);

const AWS_HOSTS = /(^|\.)(aws\.amazon\.com|amazonaws-us-gov\.com|amazonaws\.cn|amazonaws-eusc\.eu)$/;

/** A link to AWS's console in a new tab, or plain text for any other address: the API's word is not enough to open it. */
export function consoleLink(text, address, attributes = {}) {
  const url = URL.canParse(address) ? new URL(address) : null;
  if (url === null || url.protocol !== "https:" || !AWS_HOSTS.test(url.hostname)) return h("span", {}, text);
  return h("a", { href: url.href, target: "_blank", rel: "noopener noreferrer", ...attributes }, text, h("span", { class: "unseen" }, ` ${t("link.newTab")}`));
}

/** A field: label, one line of help, the control, and what is wrong with what was typed. */
export function field({ label, help, control, optional = false }) {
  const id = freshId();
  const helpId = `${id}h`;
  const errorId = `${id}e`;
  control.id = id;
  control.setAttribute("aria-describedby", help ? `${helpId} ${errorId}` : errorId);
  const error = h("p", { class: "error", id: errorId, "aria-live": "polite" });
  const element = h("div", { class: "field" },
    h("label", { for: id }, label, optional && h("span", { class: "optional" }, ` ${t("field.optional")}`)),
    help && h("p", { class: "help", id: helpId }, help), control, error);
  const show = (text) => {
    if (error.textContent !== (text ?? "")) error.textContent = text ?? "";
    if (text) control.setAttribute("aria-invalid", "true");
    else control.removeAttribute("aria-invalid");
  };
  return { element, control, show };
}

async function copy(text, source) {
  try {
    await navigator.clipboard.writeText(text);
    announce(t("copy.done"));
    return true;
  } catch {
    // Without TLS there is no clipboard: the text is marked, and the person copies it.
    const range = document.createRange();
    range.selectNodeContents(source);
    getSelection().removeAllRanges();
    getSelection().addRange(range);
    announce(t("copy.marked"));
    return false;
  }
}

/** A button that copies a text; `source` is the element that shows it. */
export function copyButton(text, source, name) {
  const made = button(t("copy"), async () => {
    const done = await copy(text, source);
    made.firstChild.data = t(done ? "copy.short" : "copy.markedShort");
    setTimeout(() => { made.firstChild.data = t("copy"); }, 2500);
  }, { look: "small", "aria-label": t("copy.what", { name }) });
  return made;
}

function download(name, text) {
  const address = URL.createObjectURL(new Blob([text], { type: "text/plain;charset=utf-8" }));
  h("a", { href: address, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(address), 10_000);
}

/** A document with Copy and Download. */
export function documentBlock(name, text) {
  const pre = h("pre", { tabindex: "0", role: "region", "aria-label": t("document.of", { name }) }, h("code", {}, text));
  return h("figure", { class: "document" },
    h("figcaption", {}, h("span", { class: "file" }, name),
      h("span", { class: "tools" }, copyButton(text, pre, name),
        button(t("download"), () => download(name, text), { look: "small", "aria-label": t("download.what", { name }) }))),
    pre);
}

/** A short value in a line of its own, with Copy. */
export function valueLine(text, name) {
  const code = h("code", { class: "value" }, text);
  return h("span", { class: "value-line" }, code, copyButton(text, code, name));
}

/** Tabs, after the ARIA patterns: arrows move, Home and End jump. `choices` are {id, label, content}. */
export function tabs(label, choices, { selected, onselect } = {}) {
  const base = freshId();
  const panel = h("div", { class: "panel", role: "tabpanel", id: `${base}p`, tabindex: "0" });
  const buttons = choices.map((choice, at) => h("button", {
    type: "button", role: "tab", id: `${base}${at}`, "aria-controls": `${base}p`,
    onclick: () => select(at),
    onkeydown: (event) => {
      const to = { ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: choices.length - 1 }[event.key];
      if (to === undefined) return;
      event.preventDefault();
      const wanted = (to + choices.length) % choices.length;
      select(wanted);
      buttons[wanted].focus();
    },
  }, choice.label));
  function select(at) {
    buttons.forEach((one, index) => {
      one.setAttribute("aria-selected", String(index === at));
      one.tabIndex = index === at ? 0 : -1;
    });
    panel.setAttribute("aria-labelledby", `${base}${at}`);
    fill(panel, choices[at].content());
    onselect?.(choices[at].id);
  }
  select(Math.max(0, choices.findIndex((choice) => choice.id === selected)));
  return h("div", { class: "tabs" }, h("div", { role: "tablist", "aria-label": label, class: "tablist" }, buttons), panel);
}

/** A length of time in hours, minutes or seconds: a day's limit in seconds would say nothing to anybody. */
function duration(seconds) {
  const [unit, size] = seconds < 100 ? ["second", 1] : seconds < 6000 ? ["minute", 60] : ["hour", 3600];
  return new Intl.NumberFormat(language(), { style: "unit", unit, unitDisplay: "long" }).format(Math.ceil(seconds / size));
}

/** Count down in an element, as `key` with {time}; resolves at nought. The seconds are not read aloud one by one. */
export async function countDown(element, key, seconds, signal) {
  element.setAttribute("aria-live", "off");
  for (let left = seconds; left > 0; left -= 1) {
    element.textContent = t(key, { time: duration(left) });
    await sleep(1, signal);
  }
  element.textContent = "";
}

/** What went wrong, what to do, and a button that does it. Nothing that was typed is gone. */
export function problemBox(problem, { retry, signal } = {}) {
  const refused = problem.kind === "refused";
  // What the API says besides: not of a server that is none of ours, nor twice of what can't be told.
  const own = problem.code !== null && !["internal_error", ...TOKEN_CODES].includes(problem.code);
  const again = retry && button(t("again"), () => { box.remove(); retry(); });
  const wait = h("span", { class: "wait" });
  const box = banner("bad", refused ? said(problem.message, "span") : t(`problem.${problem.kind}`),
    !refused && h("p", {}, t(`problem.${problem.kind}.fix`)),
    !refused && own && said(problem.message),
    own && problem.fix && said(problem.fix),
    problem.whoseFix && problem.whoseFix !== "customer" && h("p", {}, t(`whose.${problem.whoseFix}`)),
    (again || problem.kind === "limited") && h("p", { class: "actions" }, again, wait),
    problem.requestId && h("p", { class: "reference" }, t("problem.reference"), " ", h("code", {}, problem.requestId)));
  if (problem.kind === "limited" && problem.retryAfter) {
    if (again) setBusy(again, true);
    countDown(wait, "again.in", problem.retryAfter, signal).then(() => { if (again) setBusy(again, false); }, () => {});
  }
  if (problem.kind === "network" && retry) {
    // The browser says when the network is back; the person need not press.
    const back = () => { if (box.isConnected) { box.remove(); retry(); } };
    addEventListener("online", back, { once: true, signal });
  }
  return box;
}

/** Fill a slot with what `fetcher` brings, with a word while it is under way and a way on when it fails. */
export async function load(slot, fetcher, render, signal) {
  fill(slot, h("p", { class: "loading", role: "status" }, t("loading")));
  slot.setAttribute("aria-busy", "true");
  try {
    const data = await fetcher();
    if (signal?.aborted) return;
    fill(slot, render(data));
  } catch (error) {
    if (isStop(error) || signal?.aborted) return;
    if (error.kind === undefined) throw error;
    fill(slot, problemBox(error, { retry: () => load(slot, fetcher, render, signal), signal }));
  } finally {
    slot.removeAttribute("aria-busy");
  }
}

/** Add the rows of a list's first page, and of further ones as they are asked for. */
export function paged(list, row, first, path, signal) {
  const more = h("div", { class: "more" });
  const add = (page) => {
    const rows = page.data.map(row);
    list.append(...rows);
    fill(more, page.next_cursor && button(t("more"), () => next(page.next_cursor)));
    return rows;
  };
  const next = async (cursor) => {
    // A second press would bring the same rows again.
    fill(more, h("p", { class: "loading", role: "status" }, t("loading")));
    try {
      const [begun] = add(await call("GET", `${path}&cursor=${encodeURIComponent(cursor)}`, { signal }));
      // What was pressed is gone; who reads on by keyboard or by ear reads on here.
      begun?.setAttribute("tabindex", "-1");
      begun?.focus();
    } catch (error) {
      if (error.kind === undefined) throw error;
      if (!isStop(error)) fill(more, problemBox(error, { retry: () => next(cursor), signal }));
    }
  };
  add(first);
  return more;
}

/** Ask before something that can't be undone. Resolves to whether the person said yes; a page that is left takes it along. */
export function ask({ title, text, yes, signal }) {
  return new Promise((resolve) => {
    const titleId = freshId();
    const dialog = h("dialog", { "aria-labelledby": titleId, onclose: () => { resolve(dialog.returnValue === "yes"); dialog.remove(); } },
      h("h2", { id: titleId }, title), h("p", {}, text),
      h("p", { class: "actions" },
        button(t("cancel"), () => dialog.close("no"), { autofocus: true }),
        button(yes, () => dialog.close("yes"), { look: "danger" })));
    signal.addEventListener("abort", () => dialog.close("no"), { once: true });
    document.body.append(dialog);
    dialog.showModal();
  });
}

/** Numbers as people of this language write them. */
export const number = (value) => new Intl.NumberFormat(language()).format(value);
