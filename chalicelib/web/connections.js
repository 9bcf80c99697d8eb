// All connections of the tenant, and where each stands.

import { call } from "./api.js";
import { h } from "./dom.js";
import { t, time } from "./i18n.js";
import { linkButton, load, paged, statusChip } from "./parts.js";
import { address } from "./router.js";
import { isServed, nextStep } from "./steps.js";

const PATH = "v1/connections?limit=25";

/** The page. */
export async function connectionsPage(route, signal) {
  const slot = h("div", { class: "slot" });
  load(slot, () => call("GET", PATH, { signal }), (page) => list(page, signal), signal);
  return h("section", {},
    h("div", { class: "title-line" }, h("h1", { tabindex: "-1" }, t("connections.title")), linkButton(t("connections.new"), "#/new", "primary")),
    h("p", { class: "lead" }, t("connections.lead")), slot);
}

function list(first, signal) {
  if (first.data.length === 0) {
    return h("div", { class: "empty" }, h("h2", {}, t("connections.none")), h("p", {}, t("connections.none.how")),
      h("ol", { class: "numbered" }, [1, 2, 3].map((step) => h("li", {}, t(`connections.none.${step}`)))),
      h("p", { class: "actions" }, linkButton(t("connections.first"), "#/new", "primary")));
  }
  const body = h("tbody", {});
  const more = paged(body, row, first, PATH, signal);
  return [h("table", { class: "stack" },
    h("caption", { class: "unseen" }, t("connections.title")),
    h("thead", {}, h("tr", {}, ["name", "status", "region", "verified", "next"].map((name) => h("th", { scope: "col" }, t(`connections.${name}`))))), body), more];
}

function row(connection) {
  const cell = (name, ...children) => h("td", { "data-label": t("label", { name: t(`connections.${name}`) }) }, children);
  const step = nextStep(connection);
  const over = ["revoked", "expired"].includes(connection.status);
  return h("tr", {},
    h("th", { scope: "row" }, h("a", { href: address("connection", connection.id) }, connection.name)),
    cell("status", statusChip(connection.status), isServed(connection) && !connection.usable && h("span", { class: "reason" }, ` ${t("connections.notUsable")}`)),
    cell("region", connection.region),
    cell("verified", connection.verified_at ? time(connection.verified_at) : t("never")),
    cell("next", over ? "–" : h("a", { href: address(step, connection.id), "aria-label": t("connections.next.what", { step: t(`next.${step}`), name: connection.name }) }, t(`next.${step}`))));
}
