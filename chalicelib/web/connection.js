// One connection: how it stands, its record, a new external ID, its end.

import { call, connectionPath, Problem } from "./api.js";
import { announce, fill, h, mark } from "./dom.js";
import { findingList } from "./findings.js";
import { known, t, time } from "./i18n.js";
import { ask, banner, button, linkButton, load, problemBox, said, setBusy, statusChip, valueLine } from "./parts.js";
import { address } from "./router.js";
import { recordPath, timeline } from "./record.js";
import { connectionOf, isServed, lastReport, nextStep } from "./steps.js";

/** The page. */
export async function connectionPage(route, signal) {
  const view = { connection: await connectionOf(route.id, signal), signal, body: h("div", {}), removal: null };
  draw(view);
  return h("section", {},
    h("p", { class: "which" }, h("a", { href: "#/" }, t("connection.all"))),
    h("h1", { tabindex: "-1" }, view.connection.name), view.body);
}

function draw(view) {
  const { connection, signal } = view;
  const report = h("div", { class: "slot" });
  const record = h("div", { class: "slot" });
  fill(view.body,
    h("p", { class: "lead" }, statusChip(connection.status), " ", t(`status.${connection.status}.means`)),
    isServed(connection) && !connection.usable && banner("warning", t("connection.notUsable"), h("p", {}, t("connection.notUsable.fix"))),
    connection.status !== "revoked" && h("p", { class: "actions" }, doors(connection)),
    h("h2", {}, t("connection.facts")), facts(connection),
    connection.status === "revoked" ? ending(view) : [
      h("h2", {}, t("connection.report")), report,
      h("h2", {}, t("rotation.title")), rotation(view),
      h("h2", {}, t("removal.title")), removal(view),
    ],
    h("h2", {}, t("record.title")), record);
  if (connection.status !== "revoked") load(report, () => lastReport(connection.id, signal), reportSummary, signal);
  load(record, () => call("GET", recordPath(connection.id), { signal }), (page) => timeline(connection, page, signal), signal);
}

function doors(connection) {
  const to = (name, look) => linkButton(t(`connection.to.${name}`), address(name, connection.id), look);
  if (connection.status === "expired") return linkButton(t("connections.new"), "#/new", "primary");
  const step = nextStep(connection);
  if (!isServed(connection)) return [to(step, "primary"), to("details")];
  return ["models", "chat", "verify", "role", "details"].map((name) => to(name, name === step ? "primary" : "plain"));
}

function facts(connection) {
  const pair = (name, value) => value && [h("dt", {}, t(`fact.${name}`)), h("dd", {}, value)];
  const code = (name, text) => text && pair(name, valueLine(text, t(`fact.${name}`)));
  return h("dl", { class: "facts" },
    code("external", connection.external_id), code("pending", connection.pending_external_id),
    code("role", connection.role_arn), connection.candidate_role_arn !== connection.role_arn && code("candidate", connection.candidate_role_arn),
    pair("account", connection.account_id), pair("region", connection.region),
    pair("models", connection.models ? connection.models.join(", ") : t("fact.models.all")),
    connection.guardrail && pair("guardrail", `${connection.guardrail.identifier} · ${connection.guardrail.version}`),
    pair("created", time(connection.created_at)), pair("verified", connection.verified_at ? time(connection.verified_at) : t("never")),
    connection.expires_at && pair("expires", time(connection.expires_at)), code("id", connection.id));
}

function reportSummary(report) {
  if (report === null) return h("p", {}, t("never.verified"));
  const kind = { verified: report.usable ? "good" : "warning", refused: "bad", inconclusive: "warning" }[report.verdict];
  return [h("p", { class: `summary ${kind}` }, mark(), `${t(`verdict.${report.verdict}`)} · ${time(report.checked_at)}`),
    h("ul", { class: "short" }, report.checks.map((check) => h("li", {},
      `${t("label", { name: known(`check.${check.id}`, check.title) })} ${known(`outcome.${check.outcome}`, check.outcome)}`))),
    findingList(report.findings)];
}

/** Do something to the connection, then draw what it is now. */
async function act(view, slot, method, rest, done) {
  try {
    const answer = await call(method, connectionPath(view.connection.id, rest), { body: method === "POST" ? {} : undefined, signal: view.signal });
    done(answer);
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
    if (error.kind === "stopped") return;
    if (error.kind !== "refused") {
      fill(slot, problemBox(error, { retry: () => act(view, slot, method, rest, done), signal: view.signal }));
      return;
    }
    // Most often somebody else was first: what it is now is shown, and the same again would be refused again.
    redraw(view, await connectionOf(view.connection.id, view.signal).catch(() => view.connection), "");
    view.body.prepend(problemBox(error));
  }
}

function redraw(view, connection, words) {
  view.connection = connection;
  draw(view);
  announce(words);
  view.body.closest("section").querySelector("h1").focus();
}

function rotation(view) {
  const { connection } = view;
  const slot = h("div", {});
  if (connection.pending_external_id) {
    return [banner("info", t("rotation.under"), h("ol", { class: "numbered" }, [1, 2].map((step) => h("li", {}, t(`rotation.step.${step}`)))),
      h("p", { class: "actions" }, linkButton(t("rotation.documents"), address("role", connection.id), "primary"), linkButton(t("connection.to.verify"), address("verify", connection.id)),
        button(t("rotation.cancel"), () => act(view, slot, "DELETE", "/rotation", (row) => redraw(view, row, t("rotation.cancelled")))))), slot];
  }
  return [h("p", {}, t("rotation.explained")), connection.status === "active"
    ? h("p", { class: "actions" }, button(t("rotation.start"), () => act(view, slot, "POST", "/rotation", (row) => redraw(view, row, t("rotation.started")))))
    : h("p", { class: "help" }, t("rotation.notNow")), slot];
}

function removal(view) {
  const slot = h("div", {});
  const go = async () => {
    const sure = await ask({ title: t("removal.ask", { name: view.connection.name }), text: t("removal.ask.text"), yes: t("removal.yes"), signal: view.signal });
    if (sure) await revoke(view, slot);
  };
  return [h("p", {}, t("removal.explained")), h("p", { class: "actions" }, button(t("removal.go"), go, { look: "danger" })), slot];
}

function revoke(view, slot) {
  return act(view, slot, "DELETE", "", ({ connection, teardown }) => {
    view.teardown = teardown;
    redraw(view, connection, t("removal.done"));
  });
}

function ending(view) {
  const slot = h("div", {});
  const proof = h("div", { "aria-live": "polite" });
  // The last step of the API's list is for programs; the button below does it.
  const steps = view.teardown?.filter((step) => !step.startsWith("POST "));
  const prove = button(t("removal.prove"), async () => {
    setBusy(prove, true);
    await act(view, proof, "POST", "/removal", (answer) => fill(proof, proven(answer)));
    setBusy(prove, false);
  }, { look: "primary" });
  return [h("h2", {}, t("teardown.title")), h("p", {}, t("teardown.text")),
    steps ? h("ol", { class: "numbered" }, steps.map((step) => said(step, "li"))) : h("p", {}, button(t("teardown.show"), () => revoke(view, slot))),
    slot, h("h2", {}, t("removal.proof")), h("p", {}, t("removal.proof.text")), h("p", { class: "actions" }, prove), proof];
}

function proven({ removed, findings }) {
  const kind = removed === true ? "good" : removed === false ? "bad" : "warning";
  return [banner(kind, t(`removal.${removed === true ? "proven" : removed === false ? "admits" : "unclear"}`)), findingList(findings)];
}
