// Keys instead of a role: what one is good for. It is sent once, to be tried, and kept by nobody.

import { call, Problem } from "./api.js";
import * as drafts from "./drafts.js";
import { fill, h } from "./dom.js";
import { findingList } from "./findings.js";
import { counted, known, t } from "./i18n.js";
import { banner, button, field, problemBox, setBusy } from "./parts.js";
import * as session from "./session.js";

const FORMS = {
  openai: ["key"], anthropic: ["key"], google: ["key"], azure: ["endpoint", "key"],
  bedrock: ["key", "region"], aws: ["access_key_id", "secret_access_key", "session_token", "region"],
};
const OPTIONAL = new Set(["session_token"]);
const SHOWN = new Set(["endpoint", "access_key_id", "region"]);

/** The page. */
export async function keysPage(route, signal) {
  // What was typed stays while the page is drawn anew in another language, and goes when it is left.
  addEventListener("hashchange", () => drafts.drop("keys:"), { once: true });
  const parts = h("div", {});
  const result = h("div", { "aria-live": "polite" });
  let fields = {};
  const provider = drafts.keep("keys:provider", h("select", {}, Object.keys(FORMS).map((name) => h("option", { value: name }, t(`provider.${name}`)))));
  const choose = () => {
    fields = Object.fromEntries(FORMS[provider.value].map((name) => [name, partField(provider.value, name)]));
    fill(parts, Object.values(fields).map((one) => one.element));
    result.replaceChildren();
  };
  provider.addEventListener("input", choose);
  choose();
  const submit = button(t("keys.go"), null, { type: "submit", look: "primary" });
  const form = h("form", {
    novalidate: true,
    onsubmit: async (event) => {
      event.preventDefault();
      if (!isComplete(fields)) return;
      setBusy(submit, true);
      fill(result, h("p", { role: "status", class: "loading" }, t("keys.checking")));
      try {
        fill(result, verdict(await call("POST", "v1/keys/verify", { body: bodyOf(provider.value, fields), signal })));
      } catch (error) {
        if (!(error instanceof Problem)) throw error;
        if (error.kind === "stopped") return;
        if (error.kind === "refused" && fields[error.param]) {
          result.replaceChildren();
          fields[error.param].show([error.message, error.fix].filter(Boolean).join(" "));
          fields[error.param].control.focus();
        } else fill(result, problemBox(error, { retry: () => form.requestSubmit(), signal }));
      } finally {
        setBusy(submit, false);
      }
    },
  }, field({ label: t("keys.provider"), control: provider }).element, parts, h("p", { class: "actions" }, submit));
  return h("section", { class: "narrow" }, h("h1", { tabindex: "-1" }, t("keys.title")), h("p", { class: "lead" }, t("keys.lead")),
    banner("info", t("keys.notStored"), h("p", {}, t("keys.notStored.means"))), form, result);
}

function partField(provider, name) {
  const control = name === "region"
    ? h("select", {}, session.setup().regions.map((region) => h("option", { value: region, selected: region === "us-east-1" }, region)))
    : h("input", { type: SHOWN.has(name) ? "text" : "password", autocomplete: "off", spellcheck: "false", name: `part-${name}` });
  drafts.keep(`keys:${provider}:${name}`, control);
  const made = field({ label: known(`part.${provider}.${name}`, t(`part.${name}`)), help: known(`part.${provider}.${name}.help`, known(`part.${name}.help`, null)), control, optional: OPTIONAL.has(name) });
  if (control.type === "password") made.element.append(revealButton(control));
  return made;
}

function revealButton(control) {
  const made = button(t("keys.show"), () => {
    control.type = control.type === "password" ? "text" : "password";
    made.textContent = t(control.type === "password" ? "keys.show" : "keys.hide");
  }, { look: "small" });
  return made;
}

function isComplete(fields) {
  const missing = Object.entries(fields).filter(([name, one]) => {
    const empty = one.control.value.trim() === "" && !OPTIONAL.has(name);
    one.show(empty ? t("keys.missing") : null);
    return empty;
  });
  missing[0]?.[1].control.focus();
  return missing.length === 0;
}

function bodyOf(provider, fields) {
  const sent = Object.entries(fields).map(([name, one]) => [name, one.control.value.trim()]).filter(([, value]) => value !== "");
  return { provider: provider === "aws" ? "bedrock" : provider, ...Object.fromEntries(sent) };
}

function verdict({ status, models, finding }) {
  const kind = { valid: "good", limited: "warning", unknown: "warning" }[status] ?? "bad";
  return [
    banner(kind, known(`key.${status}`, status), h("p", {}, known(`key.${status}.means`, ""))),
    finding && findingList([finding]),
    models.length > 0 && [h("h2", {}, counted("models.count", models.length)),
      h("ul", { class: "model-list" }, models.map((model) => h("li", {}, model.rolecall?.name ?? model.id, h("code", {}, model.id))))],
  ];
}
