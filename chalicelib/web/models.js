// Step 4: what the role can call, and why not.

import { call, connectionPath, isStop } from "./api.js";
import * as drafts from "./drafts.js";
import { fill, h, mark } from "./dom.js";
import { counted, known, t } from "./i18n.js";
import { button, field, linkButton, load, problemBox, said, setBusy } from "./parts.js";
import { address } from "./router.js";
import { connectionAtStep, tooEarlyBanner, stepPage } from "./steps.js";

/** The page. */
export async function modelsPage(route, signal) {
  const connection = await connectionAtStep(route.id, signal);
  const hindrance = tooEarlyBanner(connection);
  const slot = h("div", { class: "slot" });
  if (!hindrance) load(slot, () => rowsOf(connection, signal), (rows) => table(connection, rows, signal), signal);
  return stepPage({
    step: "models", connection, title: t("models.title"), lead: t("models.lead"), back: "verify", content: hindrance ?? slot,
    onward: !hindrance && linkButton(t("models.onward"), address("chat", connection.id), "primary"),
  });
}

const rowsOf = async (connection, signal, query = "") =>
  (await call("GET", connectionPath(connection.id, `/models${query}`), { signal })).data;

function table(connection, first, signal) {
  let rows = first;
  const place = `models:${connection.id}:`;
  const text = drafts.keep(`${place}text`, h("input", { type: "search", autocomplete: "off", spellcheck: "false" }));
  const which = drafts.keep(`${place}which`, h("select", {}, ["all", "yes", "no"].map((value) => h("option", { value }, t(`models.${value}`)))));
  const count = h("p", { class: "count", role: "status" });
  const body = h("tbody", {});
  const trouble = h("div", {});
  const draw = () => {
    const words = text.value.toLowerCase().split(/\s+/).filter(Boolean);
    const shown = rows.filter((row) =>
      (which.value === "all" || (row.available === true) === (which.value === "yes")) &&
      words.every((word) => `${row.id} ${row.name} ${row.provider}`.toLowerCase().includes(word)));
    count.textContent = counted("models.count", shown.length);
    fill(body, shown.map(modelRow), shown.length === 0 && h("tr", {}, h("td", { colspan: "4", class: "none" }, t("models.none"))));
  };
  text.addEventListener("input", draw);
  which.addEventListener("input", draw);
  const probe = button(t("models.probe"), async () => {
    setBusy(probe, true);
    probe.textContent = t("models.probing");
    trouble.replaceChildren();
    try {
      rows = await rowsOf(connection, signal, "?probe=true");
      draw();
    } catch (error) {
      if (isStop(error)) return;
      if (error.kind === undefined) throw error;
      fill(trouble, problemBox(error, { retry: () => probe.click(), signal }));
    } finally {
      setBusy(probe, false);
      probe.textContent = t("models.probe");
    }
  });
  draw();
  return [
    h("div", { class: "filters" },
      field({ label: t("models.filter"), control: text }).element, field({ label: t("models.which"), control: which }).element),
    h("div", { class: "above-table" }, count, probe), h("p", { class: "help" }, t("models.probe.help")), trouble,
    h("table", { class: "stack" },
      h("caption", { class: "unseen" }, t("models.title")),
      h("thead", {}, h("tr", {}, ["model", "provider", "available", "regions"].map((name) => h("th", { scope: "col" }, t(`models.${name}`))))),
      body),
  ];
}

function modelRow(row) {
  const label = (name) => t("label", { name: t(`models.${name}`) });
  // null: AWS would not say.
  const word = row.available === null ? "unclear" : row.available ? "can" : "cannot";
  const state = row.available ? (row.finding ? "warning" : "good") : row.available === null ? "warning" : "bad";
  return h("tr", {},
    h("th", { scope: "row" }, row.name, h("code", {}, row.id)),
    h("td", { "data-label": label("provider") }, row.provider),
    h("td", { "data-label": label("available"), class: `availability ${state}` },
      mark(),
      h("span", {}, t(`models.${word}`),
        row.reason && h("span", { class: "reason" }, ` · ${known(`finding.${row.reason}`, row.reason)}`),
        row.finding && h("details", {}, h("summary", {}, t("models.why")), said(row.finding.message), said(row.finding.fix)))),
    h("td", { "data-label": label("regions") }, row.regions.join(", ")));
}
