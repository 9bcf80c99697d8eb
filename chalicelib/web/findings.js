// Findings: what is wrong, whose change it is, and the document to paste.

import { h, mark } from "./dom.js";
import { known, t } from "./i18n.js";
import { documentBlock, said } from "./parts.js";

const pretty = (value) => JSON.stringify(value, null, 2);

function edits(list) {
  return list.map((edit) => [said(edit.title, "p", { class: "edit-title" }), documentBlock(edit.document, pretty(edit.json))]);
}

/** One finding as a card. */
export function findingCard(finding) {
  const kind = { error: "bad", warning: "warning", info: "info" }[finding.severity] ?? "info";
  return h("article", { class: `finding ${kind}` },
    h("h3", {}, mark(), known(`finding.${finding.code}`, finding.code)),
    h("p", { class: "whose" }, known(`whose.${finding.whose_fix}`, finding.whose_fix)),
    said(finding.message),
    h("h4", {}, t("finding.fix")),
    instructions(finding.fix),
    edits(finding.edits ?? []),
    finding.suspects?.length > 0 && suspectList(finding.suspects),
    evidence(finding.evidence ?? {}));
}

/** Instructions; "1. … 2. …" become a list. */
function instructions(text) {
  const steps = text.split(/(?:^|\s)\d{1,2}\. (?=[A-Z])/).filter(Boolean);
  return text.startsWith("1. ") && steps.length > 1 ? h("ol", { class: "numbered" }, steps.map((step) => said(step, "li"))) : said(text);
}

function suspectList(suspects) {
  return h("details", { class: "suspects" },
    h("summary", {}, t("finding.suspects")),
    h("ol", {}, suspects.map((suspect) => h("li", {},
      h("strong", {}, known(`suspect.${suspect.code}`, suspect.code)), said(suspect.message), said(suspect.fix), edits(suspect.edits)))));
}

function evidence(pairs) {
  const names = Object.keys(pairs);
  return names.length > 0 && h("details", { class: "evidence" },
    h("summary", {}, t("finding.evidence")),
    h("dl", {}, names.map((name) => [h("dt", {}, h("code", {}, name)), h("dd", {}, h("code", {}, pairs[name]))])));
}

/** Findings, or nothing where there are none. */
export function findingList(findings) {
  return findings.length > 0 && h("div", { class: "findings" }, findings.map(findingCard));
}
