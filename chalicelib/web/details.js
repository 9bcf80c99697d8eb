// Step 1: name, region, account, models; and a picture of what the role will be asked for.

import { accountNumber, accountProblem } from "./arn.js";
import { call, connectionPath, freshKey, isStop, Problem } from "./api.js";
import * as drafts from "./drafts.js";
import { fill, h } from "./dom.js";
import { known, t } from "./i18n.js";
import { button, field, problemBox, said, setBusy } from "./parts.js";
import * as router from "./router.js";
import * as session from "./session.js";
import { connectionAtStep, connectionOf, nextStep, stepPage } from "./steps.js";

const PREFERRED = ["us-east-1", "us-west-2", "eu-central-1", "eu-west-1", "eu-west-3"];
const lines = (text) => text.split(/[\n,]/).map((line) => line.trim()).filter(Boolean);

/** The page, for a new connection or to change one. */
export async function detailsPage(route, signal) {
  let connection = route.id === undefined ? null : await connectionAtStep(route.id, signal);
  const place = `details:${route.id ?? "new"}:`;
  const fields = formFields(connection, place);
  const problems = h("div", {});
  const picture = h("div", { class: "picture" });
  const draw = () => fill(picture, pictureOf(fields, connection));
  const submit = button(t(connection ? "details.save" : "details.create"), null, { type: "submit", look: "primary" });
  const form = h("form", {
    novalidate: true, oninput: draw,
    onsubmit: async (event) => {
      event.preventDefault();
      if (!isComplete(fields, connection)) return;
      setBusy(submit, true);
      problems.replaceChildren();
      try {
        const saved = await save(fields, connection, place, signal);
        drafts.drop(place);
        if (!signal.aborted) router.go(connection ? nextStep(saved) : "role", saved.id);
      } catch (error) {
        if (!(error instanceof Problem)) throw error;
        if (isStop(error)) return;
        // Somebody else has changed it: what is typed here is sent to what it is now, if it is sent again.
        if (error.code === "connection_changed") connection = await connectionOf(route.id, signal).catch(() => connection);
        if (!showAtField(fields, error)) fill(problems, problemBox(error, { retry: () => form.requestSubmit(), signal }));
      } finally {
        setBusy(submit, false);
      }
    },
  }, fields.name.element, fields.region.element, fields.account.element, modelFields(fields), problems,
  h("p", { class: "actions onward" }, submit));
  draw();
  return stepPage({
    step: "details", connection, title: t("details.title"), lead: t("details.lead"),
    content: h("div", { class: "beside" }, form, h("aside", { "aria-labelledby": "picture-title" }, h("h2", { id: "picture-title" }, t("picture.title")), picture)),
  });
}

function formFields(connection, place) {
  const input = (name, value, attributes) =>
    drafts.keep(place + name, h("input", { autocomplete: "off", spellcheck: "false", value: value ?? "", ...attributes }));
  const account = input("account", connection?.account_id, { inputmode: "numeric", disabled: connection !== null, maxlength: "32" });
  const scope = drafts.recall(`${place}scope`) ?? (connection?.models ? "some" : "all");
  const choice = (name) => h("input", { type: "radio", name: "scope", checked: scope === name, onchange: () => drafts.remember(`${place}scope`, name) });
  const fields = {
    name: field({ label: t("details.name"), help: t("details.name.help"), control: input("name", connection?.name, { maxlength: "100", required: true }) }),
    region: field({ label: t("details.region"), help: t("details.region.help"), control: drafts.keep(`${place}region`, regionSelect(connection?.region)) }),
    account: field({ label: t("details.account"), help: t("details.account.help"), control: account, optional: true }),
    models: field({ label: t("details.models.ids"), help: t("details.models.help"), control: drafts.keep(`${place}models`, h("textarea", { rows: "4", spellcheck: "false", value: (connection?.models ?? []).join("\n") })) }),
    all: choice("all"),
    some: choice("some"),
  };
  account.addEventListener("input", () => {
    // Until twelve digits are there nothing is wrong yet; then it is told at once.
    const problem = account.value.trim().length < 12 ? null : accountProblem(account.value, session.setup());
    fields.account.show(problem && t(problem.key, problem.values));
  });
  return fields;
}

function regionSelect(chosen) {
  const { regions } = session.setup();
  const first = PREFERRED.filter((region) => regions.includes(region));
  const option = (region) => h("option", { value: region, selected: region === (chosen ?? first[0] ?? regions[0]) }, region);
  const group = (label, members) => members.length > 0 && h("optgroup", { label }, members.map(option));
  return h("select", {}, group(t("details.region.usual"), first), group(t("details.region.all"), regions.filter((region) => !first.includes(region))));
}

function modelFields(fields) {
  const ids = h("div", { class: "indented" }, fields.models.element);
  const update = () => { ids.hidden = !fields.some.checked; };
  for (const radio of [fields.all, fields.some]) radio.addEventListener("change", update);
  update();
  return h("fieldset", {}, h("legend", {}, t("details.models")),
    h("label", { class: "choice" }, fields.all, t("details.models.all")),
    h("label", { class: "choice" }, fields.some, t("details.models.some")), ids);
}

function isComplete(fields, connection) {
  const account = fields.account.control.value.trim();
  const accountTrouble = connection === null && account !== "" ? accountProblem(account, session.setup()) : null;
  const modelTrouble = fields.some.checked && lines(fields.models.control.value).length === 0;
  fields.name.show(fields.name.control.value.trim() === "" ? t("details.name.missing") : null);
  fields.region.show(null);
  fields.account.show(accountTrouble && t(accountTrouble.key, accountTrouble.values));
  fields.models.show(modelTrouble ? t("details.models.missing") : null);
  const wrong = [fields.name, fields.account, fields.models].find((one) => one.control.hasAttribute("aria-invalid"));
  wrong?.control.focus();
  return wrong === undefined;
}

function showAtField(fields, problem) {
  const name = { name: "name", region: "region", account_id: "account" }[problem.param] ?? (problem.param?.startsWith("models") ? "models" : null);
  if (problem.kind !== "refused" || name === null) return false;
  fields[name].show([problem.message, problem.fix].filter(Boolean).join(" "));
  fields[name].control.focus();
  return true;
}

async function save(fields, connection, place, signal) {
  const body = { name: fields.name.control.value.trim(), region: fields.region.control.value };
  if (fields.some.checked) body.models = lines(fields.models.control.value);
  else if (connection?.models) body.models = null;
  if (connection !== null) {
    return call("PATCH", connectionPath(connection.id), { body, headers: { "If-Match": `"${connection.version}"` }, signal });
  }
  const account = accountNumber(fields.account.control.value);
  if (account !== null) body.account_id = account;
  // Sent again after a broken line, the same content makes the same connection.
  const content = JSON.stringify(body);
  if (drafts.recall(`${place}sent`)?.content !== content) drafts.remember(`${place}sent`, { content, key: freshKey() });
  return call("POST", "v1/connections", { body, headers: { "Idempotency-Key": drafts.recall(`${place}sent`).key }, signal });
}

function pictureOf(fields, connection) {
  const { principal, permissions } = session.setup();
  const account = accountNumber(fields.account.control.value);
  const ids = fields.some.checked ? lines(fields.models.control.value) : [];
  const node = (kind, title, text) => h("li", { class: `node ${kind}` }, h("strong", {}, title), h("span", {}, text));
  const arrow = (text) => h("li", { class: "arrow" }, text);
  return [
    h("ol", { class: "flow" },
      node("ours", t("picture.ours"), t("picture.account", { account: principal.account_id })),
      arrow(t("picture.assumes")),
      node("role", t("picture.role"), account ? t("picture.account", { account }) : t("picture.yours")),
      arrow(t("picture.may")),
      node("models", t("picture.models"), `${ids.length ? ids.join(", ") : t("picture.all")} · ${fields.region.control.value}`)),
    h("h3", {}, t("picture.permissions")),
    h("ul", { class: "permissions" }, permissions.filter((one) => one.sid !== "ApplyGuardrail" || connection?.guardrail).map((one) => h("li", {},
      known(`permission.${one.sid}`, null) ?? said(one.reason, "span"), h("code", {}, one.actions.join(", "))))),
    h("p", { class: "help" }, t("picture.nothing")),
  ];
}
