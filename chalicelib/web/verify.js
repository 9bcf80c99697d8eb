// Step 3: the role's ARN, and the checks one by one as the service does them.

import { mayBecomeArn, roleArnProblem, trimmed } from "./arn.js";
import * as drafts from "./drafts.js";
import { announce, fill, h, mark } from "./dom.js";
import { findingList } from "./findings.js";
import { known, t, time } from "./i18n.js";
import { lintBox } from "./lint.js";
import { banner, button, countDown, field, linkButton, number, problemBox, said, setBusy, statusChip } from "./parts.js";
import { address } from "./router.js";
import * as runs from "./runs.js";
import * as session from "./session.js";
import { connectionAtStep, overBanner, isServed, lastReport, stepPage, stepper } from "./steps.js";

/** The page. */
export async function verifyPage(route, signal) {
  const connection = await connectionAtStep(route.id, signal);
  const last = connection.candidate_role_arn || connection.role_arn ? await lastReport(connection.id, signal) : null;
  const form = verifyForm(connection, () => follow(runs.start(connection.id, trimmed(form.input.value), form.invoke.checked)));
  const results = h("div", { class: "results" });
  const onward = h("span", {});
  const view = { connection, form, results, onward, signal };

  function follow(run) {
    run.onchange = (kind) => {
      if (signal.aborted) return;
      if (kind !== "check") draw(view, run);
      else drawChecks(view, run);
      if (kind === "end" && run.report) {
        showStanding({ ...connection, status: run.report.status, candidate_role_arn: run.report.role_arn });
        announce(verdictTitle(run.report));
      }
    };
    draw(view, run);
  }

  const run = runs.runOf(connection.id);
  // Another window may have verified since.
  if (run && !(run.report && last && last.checked_at > run.report.checked_at)) follow(run);
  else if (last) draw(view, { checks: new Map(last.checks.map((check) => [check.id, check])), report: last, past: true });
  else fill(results, emptyChecks());
  showOnward(view, isServed(connection));
  return stepPage({
    step: "verify", connection, title: t("verify.title"), lead: t("verify.lead"), back: "role",
    content: overBanner(connection) ?? [form.element, results, lintBox(connection, signal)], onward,
  });
}

function verifyForm(connection, onstart) {
  const { partition } = session.setup();
  const foretold = connection.candidate_role_arn ?? connection.role_arn ?? connection.expected_role_arn ?? "";
  const input = drafts.keep(`arn:${connection.id}`, h("input", { class: "arn", autocomplete: "off", spellcheck: "false", autocapitalize: "off", value: foretold, placeholder: `arn:${partition}:iam::…:role/…` }));
  const invoke = drafts.keep(`invoke:${connection.id}`, h("input", { type: "checkbox", checked: true }));
  const arn = field({ label: t("verify.arn"), help: t(connection.expected_role_arn ? "verify.arn.foretold" : "verify.arn.help", { partition }), control: input });
  const check = (final) => {
    const problem = roleArnProblem(input.value, session.setup(), connection.account_id ?? null);
    // What may still become right is not called wrong while it is typed.
    const early = !final && (trimmed(input.value) === "" || mayBecomeArn(input.value));
    arn.show(problem && !early ? t(problem.key, problem.values) : null);
    return problem === null;
  };
  input.addEventListener("input", () => check(false));
  input.addEventListener("blur", () => { if (trimmed(input.value) !== "") check(true); });
  input.addEventListener("paste", () => setTimeout(() => { input.value = trimmed(input.value); input.dispatchEvent(new Event("input", { bubbles: true })); }));
  const submit = button(t("verify.go"), null, { type: "submit", look: "primary" });
  const element = h("form", {
    novalidate: true,
    onsubmit: (event) => {
      event.preventDefault();
      input.value = trimmed(input.value);
      if (check(true)) onstart();
      else input.focus();
    },
  }, arn.element, h("label", { class: "choice" }, invoke, t("verify.invoke")), h("p", { class: "actions" }, submit));
  return { element, input, invoke, submit, arn };
}

function isAsExpected(check) {
  return check.outcome === check.expected;
}

function checkRow(id, check, running) {
  const state = !check ? (running ? "running" : "open") : check.outcome === "skipped" ? "skipped" : check.outcome === "inconclusive" ? "unclear" : isAsExpected(check) ? "good" : "bad";
  return h("li", { class: `check ${state}` },
    mark(),
    h("span", { class: "check-text" },
      h("span", { class: "check-title" }, known(`check.${id}`, check?.title ?? id)),
      h("span", { class: "check-why" }, known(`check.${id}.why`, ""))),
    h("span", { class: "check-state" }, t(`outcome.${state}`)));
}

const emptyChecks = () => [h("h2", {}, t("verify.checks")), h("ol", { class: "checks" }, runs.CHECKS.map((id) => checkRow(id, null, false)))];

function drawChecks(view, run) {
  const list = view.results.querySelector(".checks");
  const next = runs.CHECKS.find((id) => !run.checks.has(id));
  fill(list, runs.CHECKS.map((id) => checkRow(id, run.checks.get(id), run.running && id === next)));
  const bar = view.results.querySelector("progress");
  if (bar) bar.value = run.checks.size;
  const count = view.results.querySelector(".progress-text");
  if (count) count.textContent = t("verify.progress", { done: run.checks.size, all: runs.CHECKS.length });
}

function draw(view, run) {
  const { form, results, signal } = view;
  setBusy(form.submit, run.running);
  form.submit.textContent = t(run.running ? "verify.running" : run.report ? "verify.again" : "verify.go");
  const waiting = h("p", { class: "waiting", role: "status" });
  fill(results,
    h("h2", {}, t("verify.checks")),
    run.running && h("div", { class: "progress" }, h("progress", { max: runs.CHECKS.length, value: run.checks.size, "aria-label": t("verify.progress.label") }), h("span", { class: "progress-text" })),
    waiting,
    h("ol", { class: "checks" }),
    run.problem && runProblem(view, run),
    run.report && verdictBox(view, run),
    run.report && findingList(run.report.findings));
  drawChecks(view, run);
  if (run.waiting) {
    announce(t("verify.waiting"));
    fill(waiting, said(run.waiting.reason, "span"), " ", h("span", { class: "seconds" }));
    countDown(waiting.lastChild, "verify.waiting.in", run.waiting.seconds, signal).catch(() => {});
  }
  showOnward(view, run.report ? isServed(run.report) : isServed(view.connection));
}

function runProblem(view, run) {
  const { arn, input } = view.form;
  if (run.problem.param === "role_arn") {
    arn.show([run.problem.message, run.problem.fix].filter(Boolean).join(" "));
    input.focus();
    return null;
  }
  return problemBox(run.problem, { retry: () => view.form.element.requestSubmit(), signal: view.signal });
}

function verdictTitle(report) {
  if (report.verdict === "verified") return t(report.usable ? "verdict.verified" : "verdict.notUsable");
  return t(`verdict.${report.verdict}`);
}

function verdictBox(view, run) {
  const { report } = run;
  const kind = report.verdict === "verified" ? (report.usable ? "good" : "warning") : report.verdict === "refused" ? "bad" : "warning";
  const wait = h("span", { class: "wait" });
  const box = banner(kind, verdictTitle(report),
    h("p", {}, t(report.verdict === "verified" && !report.usable ? "verdict.notUsable.means" : `verdict.${report.verdict}.means`)),
    report.retry_after && h("p", {}, t("verdict.retry")),
    report.verdict !== "verified" && h("p", { class: "actions" }, button(t("verify.again"), () => view.form.element.requestSubmit()), wait),
    h("p", { class: "reference" }, t("verdict.at", { time: time(report.checked_at), seconds: number(Math.round(report.duration_ms / 100) / 10) })));
  if (report.retry_after && !run.past) countDown(wait, "verdict.retry.in", report.retry_after, view.signal).then(() => { wait.textContent = t("verdict.retry.now"); }, () => {});
  return box;
}

/** Show the steps and the status as they are now, after a verification. */
function showStanding(connection) {
  document.querySelector(".steps").replaceWith(stepper("verify", connection));
  document.querySelector(".which .chip").replaceWith(statusChip(connection.status));
}

function showOnward(view, served) {
  fill(view.onward, served && linkButton(t("verify.onward"), address("models", view.connection.id), "primary"));
}
