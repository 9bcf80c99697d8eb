// Step 5: a chat through the role, streamed, as an app would have it.

import { call, connectionPath, events, isStop, Problem, problemIn } from "./api.js";
import * as drafts from "./drafts.js";
import { announce, fill, h } from "./dom.js";
import { t } from "./i18n.js";
import { banner, button, field, linkButton, number, problemBox, setBusy } from "./parts.js";
import { address } from "./router.js";
import { connectionAtStep, tooEarlyBanner, stepPage } from "./steps.js";

const LONGEST_ANSWER = 800;
const talks = new Map();

/** Forget all talks: they are of whoever was at work. */
export function forgetTalks() {
  for (const talk of talks.values()) talk.stop?.abort();
  talks.clear();
}

/** The page. */
export async function chatPage(route, signal) {
  const connection = await connectionAtStep(route.id, signal);
  const page = (content) => stepPage({
    step: "chat", connection, title: t("chat.title"), lead: t("chat.lead"), back: "models", content,
    onward: linkButton(t("chat.onward"), address("connection", connection.id)),
  });
  const hindrance = tooEarlyBanner(connection);
  if (hindrance) return page(hindrance);
  const [models, rows] = await Promise.all([
    call("GET", "v1/models", { headers: { "Rolecall-Connection": connection.id }, signal }),
    call("GET", connectionPath(connection.id, "/models"), { signal }),
  ]);
  const closed = new Set(rows.data.filter((row) => row.available === false).map((row) => `bedrock/${row.id}`));
  const usable = models.data.filter((model) => (model.rolecall.output_modalities ?? ["TEXT"]).includes("TEXT") && !closed.has(model.id));
  if (usable.length === 0) return page(banner("warning", t("chat.noModels")));
  const talk = talks.get(connection.id) ?? { turns: [], stop: null, problem: null, view: null };
  talks.set(connection.id, talk);
  return page(box(connection, talk, usable, signal));
}

function modelSelect(place, usable) {
  const makers = [...new Set(usable.map((model) => model.owned_by))];
  return drafts.keep(`${place}model`, h("select", {}, makers.map((maker) => h("optgroup", { label: maker },
    usable.filter((model) => model.owned_by === maker).map((model) => h("option", { value: model.id }, model.rolecall.name ?? model.id))))));
}

function box(connection, talk, usable, signal) {
  const place = `chat:${connection.id}:`;
  const select = modelSelect(place, usable);
  const input = drafts.keep(`${place}text`, h("textarea", { rows: "3", maxlength: "20000" }));
  const log = h("div", { class: "talk", role: "log", tabindex: "0", "aria-label": t("chat.log") });
  const trouble = h("div", {});
  const send = button(t("chat.send"), null, { type: "submit", look: "primary" });
  const stop = button(t("chat.stop"), () => talk.stop?.abort());
  const draw = () => {
    if (signal.aborted) return;
    const atEnd = log.scrollHeight - log.scrollTop - log.clientHeight < 40;
    fill(log, talk.turns.length ? talk.turns.map(turn) : h("p", { class: "none" }, t("chat.empty")));
    log.setAttribute("aria-busy", String(talk.stop !== null));
    if (atEnd) log.scrollTop = log.scrollHeight;
    setBusy(send, talk.stop !== null);
    setBusy(stop, talk.stop === null);
    fill(trouble, talk.problem && problemBox(talk.problem, { retry: () => form.requestSubmit(), signal }));
  };
  const clear = () => {
    talk.stop?.abort();
    talk.turns.length = 0;
    talk.problem = null;
    draw();
  };
  const form = h("form", {
    novalidate: true,
    onsubmit: async (event) => {
      event.preventDefault();
      const text = input.value.trim();
      if (text === "" || talk.stop !== null) return input.focus();
      write("");
      await ask(connection, talk, select.value, text);
    },
  }, field({ label: t("chat.model"), control: select }).element, log, trouble,
  field({ label: t("chat.question"), help: t("chat.question.help"), control: input }).element,
  h("p", { class: "actions" }, send, stop, button(t("chat.clear"), clear)));
  input.addEventListener("keydown", (event) => {
    // A word being composed, as in Japanese, is ended by Enter too; that is not the question's end.
    if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
    event.preventDefault();
    form.requestSubmit();
  });
  const write = (text) => {
    input.value = text;
    drafts.remember(`${place}text`, text);
  };
  // What comes after the page was left and come back to, or is in another language now, is drawn where it is seen.
  talk.view = { draw, giveBack: (text) => write([text, input.value].filter(Boolean).join("\n")) };
  draw();
  return form;
}

function turn({ role, text, usage, stopped, model }) {
  return h("div", { class: `turn ${role}` },
    h("p", { class: "speaker" }, role === "user" ? t("chat.you") : model),
    h("p", { class: "words" }, text),
    usage && h("p", { class: "usage" }, t("chat.tokens", { in: number(usage.prompt_tokens), out: number(usage.completion_tokens) })),
    stopped && h("p", { class: "usage" }, t("chat.stopped")));
}

/** Ask, and add the answer to the talk as it comes. A question that gets none is put back where it was typed. */
async function ask(connection, talk, model, text) {
  talk.problem = null;
  talk.turns.push({ role: "user", text });
  const problem = await answer(connection, talk, model);
  // The session has ended meanwhile: nothing goes to whoever comes next.
  if (talks.get(connection.id) !== talk) return;
  if (problem === null) {
    announce(t(talk.turns.at(-1)?.stopped ? "chat.stopped" : "chat.answered"));
  } else {
    talk.turns.splice(talk.turns.findLastIndex((one) => one.role === "user"));
    talk.problem = problem;
    talk.view.giveBack(text);
  }
  talk.view.draw();
}

/** Get an answer to the talk so far. Returns the problem, or null. */
async function answer(connection, talk, model) {
  const reply = { role: "assistant", text: "", usage: null, stopped: false, model };
  const messages = talk.turns.map((one) => ({ role: one.role, content: one.text }));
  let whole = false;
  talk.stop = new AbortController();
  talk.turns.push(reply);
  talk.view.draw();
  try {
    const body = { model, messages, stream: true, stream_options: { include_usage: true }, max_tokens: LONGEST_ANSWER };
    const options = { body, headers: { "Rolecall-Connection": connection.id }, signal: talk.stop.signal };
    for await (const { kind, data } of events("POST", "v1/chat/completions", options)) {
      whole ||= kind === "done" || kind === "report";
      if (data.error) throw problemIn(data);
      // An answer that came whole has a message where a streamed one has deltas.
      reply.text += data.choices?.[0]?.[kind === "report" ? "message" : "delta"]?.content ?? "";
      reply.usage = data.usage ?? reply.usage;
      talk.view.draw();
    }
    // Half an answer is not taken for a whole one.
    return whole ? null : new Problem("network");
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
    if (!isStop(error)) return error;
    reply.stopped = true;
    return null;
  } finally {
    talk.stop = null;
  }
}
