// Paste a trust policy: what AWS would answer this service and strangers, before AWS is asked.

import { call, connectionPath, isStop, Problem } from "./api.js";
import * as drafts from "./drafts.js";
import { fill, h } from "./dom.js";
import { findingList } from "./findings.js";
import { t } from "./i18n.js";
import { banner, button, documentBlock, field, problemBox, setBusy } from "./parts.js";

/** The box. */
export function lintBox(connection, signal) {
  const text = drafts.keep(`lint:${connection.id}`, h("textarea", { rows: "6", spellcheck: "false", maxlength: "20000" }));
  const policy = field({ label: t("lint.label"), help: t("lint.help"), control: text });
  const slot = h("div", { "aria-live": "polite" });
  const submit = button(t("lint.go"), null, { type: "submit" });
  const form = h("form", {
    novalidate: true,
    onsubmit: async (event) => {
      event.preventDefault();
      policy.show(text.value.trim() === "" ? t("lint.empty") : null);
      if (text.value.trim() === "") return text.focus();
      setBusy(submit, true);
      try {
        const answer = await call("POST", connectionPath(connection.id, "/trust-policy"), { body: { trust_policy: text.value }, signal });
        fill(slot, verdict(answer));
      } catch (error) {
        if (!(error instanceof Problem)) throw error;
        if (!isStop(error)) fill(slot, problemBox(error, { retry: () => form.requestSubmit(), signal }));
      } finally {
        setBusy(submit, false);
      }
    },
  }, policy.element, h("p", { class: "actions" }, submit), slot);
  return h("details", { class: "box", open: drafts.has(`lint:${connection.id}`) }, h("summary", {}, t("lint.title")), form);
}

function verdict({ findings, corrected_trust_policy: corrected }) {
  if (findings.length === 0) return banner("good", t("lint.good"), h("p", {}, t("lint.good.means")));
  const bad = findings.some((finding) => finding.severity === "error");
  return [banner(bad ? "bad" : "warning", t(bad ? "lint.bad" : "lint.warning")), findingList(findings),
    h("h3", {}, t("lint.corrected")), documentBlock("trust-policy.json", JSON.stringify(corrected, null, 2))];
}
