// The five steps, and where a connection stands in them by what the service knows of it.

import { call, connectionPath, Problem } from "./api.js";
import { h } from "./dom.js";
import { t } from "./i18n.js";
import { banner, linkButton, statusChip } from "./parts.js";
import { address, replace } from "./router.js";

const STEPS = ["details", "role", "verify", "models", "chat"];
const SERVED = new Set(["active", "rotating", "degraded"]);

/** Get a connection. */
export const connectionOf = (id, signal) => call("GET", connectionPath(id), { signal });

/** Get the connection that a step is about. There are no steps any more once it is deleted: its own page says what is left. */
export async function connectionAtStep(id, signal) {
  const connection = await connectionOf(id, signal);
  if (connection.status !== "revoked") return connection;
  replace("connection", id);
  throw new Problem("stopped");
}

/** Get the report of its last verification, or null when there was none. */
export async function lastReport(id, signal) {
  try {
    return await call("GET", connectionPath(id, "/verification"), { signal });
  } catch (error) {
    if (error.code === "report_not_found") return null;
    throw error;
  }
}

/** Whether its models can be asked for. */
export const isServed = (connection) => SERVED.has(connection.status);

/** What stands in a step's place when the connection's time is over; null when it is not. */
export const overBanner = (connection) => (connection.status !== "expired" ? null
  : banner("warning", t("role.expired"), h("p", {}, t("role.expired.fix")), h("p", { class: "actions" }, linkButton(t("connections.new"), "#/new"))));

/** What stands in a step's place when it needs a role that passed its checks, and there is none; null when there is. */
export const tooEarlyBanner = (connection) => overBanner(connection) ?? (isServed(connection) ? null
  : banner("warning", t("chat.notServed"), h("p", { class: "actions" }, linkButton(t("chat.verify"), address("verify", connection.id)))));

/** Where a person goes on with a connection. */
export function nextStep(connection) {
  // One that needs attention, or can't be used, is helped by a check; its models would only be refused.
  if (isServed(connection) && connection.usable && connection.status !== "degraded") return "models";
  return connection.role_arn || connection.candidate_role_arn ? "verify" : "role";
}

function isDone(step, connection) {
  if (connection === null) return false;
  if (step === "details") return true;
  if (step === "role") return Boolean(connection.role_arn || connection.candidate_role_arn);
  return step === "verify" && isServed(connection);
}

function isOpen(step, connection) {
  if (connection === null) return step === "details";
  if (connection.status === "revoked") return false;
  return ["details", "role", "verify"].includes(step) || isServed(connection);
}

/** The list of steps; `connection` is null before there is one. */
export function stepper(current, connection) {
  return h("nav", { class: "steps", "aria-label": t("steps") }, h("ol", {}, STEPS.map((step, at) => {
    const done = isDone(step, connection) && step !== current;
    const label = [
      h("span", { class: "dot", "aria-hidden": "true" }, done ? "✓" : String(at + 1)),
      h("span", { class: "step-name" }, t(`step.${step}`), done && h("span", { class: "unseen" }, ` ${t("step.done")}`)),
    ];
    const state = step === current ? "current" : done ? "done" : "";
    if (!isOpen(step, connection) || step === current) {
      return h("li", { class: state }, h("span", { "aria-current": step === current ? "step" : null, class: "step" }, label));
    }
    return h("li", { class: state }, h("a", { class: "step", href: address(step, connection.id) }, label));
  })));
}

/** A page of the wizard: steps, title, one sentence, and what it is about. */
export function stepPage({ step, connection, title, lead, content, back, onward }) {
  return h("section", {}, stepper(step, connection),
    connection && h("p", { class: "which" }, h("a", { href: address("connection", connection.id) }, connection.name), " ", statusChip(connection.status)),
    h("h1", { tabindex: "-1" }, title), h("p", { class: "lead" }, lead), content,
    (back || onward) && h("p", { class: "actions onward" }, back && linkButton(t("back"), address(back, connection?.id)), onward));
}
