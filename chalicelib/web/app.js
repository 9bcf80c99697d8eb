// The frame: header, languages, pages by address, and the gate before them.

import { isStop, Problem } from "./api.js";
import * as arrival from "./arrival.js";
import { announce, fill, h } from "./dom.js";
import * as drafts from "./drafts.js";
import * as gate from "./gate.js";
import { chooseFirstLanguage, language, LANGUAGES, noteLanguage, t, useLanguage } from "./i18n.js";
import { button, problemBox } from "./parts.js";
import * as router from "./router.js";
import * as runs from "./runs.js";
import * as session from "./session.js";
import { chatPage, forgetTalks } from "./chat.js";
import { connectionPage } from "./connection.js";
import { connectionsPage } from "./connections.js";
import { detailsPage } from "./details.js";
import { keysPage } from "./keys.js";
import { modelsPage } from "./models.js";
import { rolePage } from "./role.js";
import { verifyPage } from "./verify.js";

const pages = {
  connections: connectionsPage, new: detailsPage, details: detailsPage, role: rolePage, verify: verifyPage,
  models: modelsPage, chat: chatPage, connection: connectionPage, keys: keysPage,
};
const main = document.getElementById("main");
const top = document.getElementById("top").firstElementChild;

/** What stands before the pages: {name: "ask", …}, {name: "confirm", …}, or null once a person has confirmed. */
let waiting = { name: "ask" };
let leaving = new AbortController();

function header(route) {
  const person = session.confirmed();
  const link = (name, text, current) =>
    h("a", { href: router.address(name), "aria-current": current ? "page" : null }, text);
  const select = h("select", { "aria-label": t("language"), onchange: () => changeLanguage(select.value) },
    Object.entries(LANGUAGES).map(([code, name]) => h("option", { value: code, lang: code, selected: code === language() }, name)));
  fill(top,
    h("a", { class: "brand", href: "#/" }, h("span", { class: "logo", "aria-hidden": "true" }), "Rolecall"),
    person && waiting === null && h("nav", { "aria-label": t("nav") },
      link("connections", t("nav.connections"), route?.name !== "keys"), link("keys", t("nav.keys"), route?.name === "keys")),
    h("div", { class: "who" },
      person && waiting === null && h("span", { class: "person", title: t("confirm.person") }, `${person.subject} · ${person.tenant}`),
      person && waiting === null && button(t("session.end"), endSession, { look: "small" }),
      select));
  document.getElementById("skip").textContent = t("skip");
}

async function changeLanguage(code) {
  try {
    await useLanguage(code);
  } catch {
    // Its words can't be had now: the page stays as it is, in the language that it is in.
    top.querySelector("select").value = language();
    main.prepend(problemBox(new Problem("network"), { retry: () => changeLanguage(code), signal: leaving.signal }));
    return;
  }
  noteLanguage(code);
  await show({ focus: false });
  top.querySelector("select").focus();
}

/** Leave nothing of what was typed, asked or checked to whoever comes next. */
function forgetWork() {
  runs.forget();
  forgetTalks();
  drafts.drop("");
}

function endSession() {
  session.end();
  forgetWork();
  waiting = { name: "ask" };
  show();
}

/** A token has come, and the service has said whose it is: the person at the page is asked. */
function toConfirm(token, answer, fromLink) {
  // Nothing changes under the finger of whoever is about to say yes: the first question stands until it is answered.
  if (waiting?.name === "confirm") return;
  const before = waiting;
  waiting = {
    name: "confirm", answer, fromLink,
    onYes: () => {
      if (!session.isSamePerson(answer.caller)) forgetWork();
      session.begin(token, answer);
      waiting = null;
      show();
    },
    onNo: () => {
      // Work that was confirmed before goes on with its own token.
      waiting = session.isConfirmed() ? null : before?.name === "ask" ? before : { name: "ask" };
      show();
    },
  };
  show();
}

async function arrived(token, fromLink) {
  try {
    toConfirm(token, await gate.whose(token), fromLink);
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
    if (session.isConfirmed()) return;
    waiting = error.kind === "token" ? { name: "ask", note: "arrival.refused" } : { name: "ask", problem: error, retry: () => arrived(token, fromLink) };
    show();
  }
}

async function fromOpener(token) {
  if (!session.isConfirmed()) {
    await arrived(token, false);
    return;
  }
  // A window that may hand over tokens may keep this person's fresh; it can't put another one in their place.
  const answer = await gate.whose(token).catch(() => null);
  if (answer !== null && session.isSamePerson(answer.caller)) {
    session.renewWith(token);
    gate.renewed();
  }
}

function fromAddress() {
  const found = arrival.takeFromAddress();
  if (found === null) return false;
  if (found.token !== null) arrived(found.token, true);
  else if (!session.isConfirmed()) waiting = { name: "ask", note: found.refused ? "arrival.noLinks" : "arrival.refused" };
  return true;
}

function gatePage() {
  if (waiting.name === "confirm") return gate.confirmPage(waiting);
  return gate.askPage({ ...waiting, onAnswer: (token, answer) => toConfirm(token, answer, false) });
}

async function show({ focus = true } = {}) {
  leaving.abort();
  leaving = new AbortController();
  const { signal } = leaving;
  const route = router.read(location.hash);
  header(route);
  let page;
  main.setAttribute("aria-busy", "true");
  try {
    page = waiting === null ? await pages[route.name](route, signal) : gatePage();
  } catch (error) {
    if (isStop(error) || signal.aborted) return;
    if (!(error instanceof Problem)) throw error;
    page = h("section", {}, h("h1", { tabindex: "-1" }, t("problem.page")), problemBox(error, { retry: () => show(), signal }));
  }
  if (signal.aborted) return;
  fill(main, page);
  main.removeAttribute("aria-busy");
  const heading = main.querySelector("h1");
  document.title = `${heading.textContent} · Rolecall`;
  if (focus) {
    scrollTo(0, 0);
    heading.focus({ preventScroll: true });
  }
}

document.getElementById("skip").addEventListener("click", (event) => {
  // What stands behind # are the pages.
  event.preventDefault();
  main.focus();
});
addEventListener("hashchange", () => {
  fromAddress();
  show();
});
addEventListener("offline", () => announce(t("problem.network")));
session.onRenewal(gate.askForRenewal);
const first = arrival.takeFromAddress();
await chooseFirstLanguage();
arrival.onMessage(fromOpener);
if (first?.refused) waiting = { name: "ask", note: "arrival.noLinks" };
else if (first !== null && first.token === null) waiting = { name: "ask", note: "arrival.refused" };
await show({ focus: false });
if (first?.token) arrived(first.token, true);
else arrival.tellThatATokenIsWanted();
