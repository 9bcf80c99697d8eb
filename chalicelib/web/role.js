// Step 2: the role. Every way to make it gives the same two policies.

import { call, connectionPath } from "./api.js";
import * as drafts from "./drafts.js";
import { h } from "./dom.js";
import { rich, t } from "./i18n.js";
import { lintBox } from "./lint.js";
import { banner, consoleLink, documentBlock, linkButton, tabs, valueLine } from "./parts.js";
import { address } from "./router.js";
import * as session from "./session.js";
import { connectionAtStep, overBanner, stepPage } from "./steps.js";

const CONSOLES = {
  "aws": "https://console.aws.amazon.com", "aws-us-gov": "https://console.amazonaws-us-gov.com",
  "aws-cn": "https://console.amazonaws.cn", "aws-eusc": "https://console.amazonaws-eusc.eu",
};

/** The page. */
export async function rolePage(route, signal) {
  const connection = await connectionAtStep(route.id, signal);
  const page = (content, onward) => stepPage({ step: "role", connection, title: t("role.title"), lead: t("role.lead"), back: "details", content, onward });
  const over = overBanner(connection);
  if (over) return page(over);
  const made = await call("GET", connectionPath(route.id, "/documents"), { signal });
  return page([
    connection.pending_external_id && banner("info", t("role.rotating"), h("p", {}, t("role.rotating.fix"))),
    externalIdBox(connection),
    tabs(t("role.ways"), ways(connection, made, signal), {
      selected: drafts.recall("role:way"), onselect: (id) => drafts.remember("role:way", id),
    }),
  ], linkButton(t("role.onward"), address("verify", connection.id), "primary"));
}

function externalIdBox(connection) {
  return h("div", { class: "external-id" },
    h("h2", {}, t("external.title")), h("p", {}, t("external.explained")),
    valueLine(connection.external_id, t("external.title")),
    connection.pending_external_id && [h("p", {}, t("external.pending")), valueLine(connection.pending_external_id, t("external.pending.name"))]);
}

function ways(connection, made, signal) {
  const file = (name) => documentBlock(name, made.files[name]);
  const steps = (...items) => h("ol", { class: "numbered" }, items.map((item) => h("li", {}, item)));
  const deployable = (id, name, count) => ({
    id, label: t(`way.${id}`),
    content: () => [h("p", {}, t(`way.${id}.what`)), steps(...Array.from({ length: count }, (_, at) => t(`way.${id}.${at + 1}`))), file(name)],
  });
  return [
    made.quick_create_url && { id: "launch", label: t("way.launch"), content: () => launch(made, steps) },
    deployable("cloudformation", "customer-role.cfn.yaml", 3),
    deployable("terraform", "customer-role.tf", 2),
    deployable("cli", "create-role.sh", 2),
    { id: "hand", label: t("way.hand"), content: () => byHand(connection, file, steps) },
    { id: "existing", label: t("way.existing"), content: () => existing(connection, made, file, signal) },
  ].filter(Boolean);
}

function launch(made, steps) {
  return [h("p", {}, t("way.launch.what")), steps(t("way.launch.1"), t("way.launch.2"), t("way.launch.3")),
    h("p", { class: "actions" }, consoleLink(t("way.launch.go"), made.quick_create_url, { class: "button primary" }))];
}

function byHand(connection, file, steps) {
  const { partition } = session.setup();
  const roleName = (connection.expected_role_arn ?? connection.role_arn ?? "").split("/").at(-1) || `RolecallAccess-${connection.id.replace("conn-", "")}`;
  const home = `${CONSOLES[partition] ?? CONSOLES.aws}/iam/home#/roles/create`;
  return [h("p", {}, t("way.hand.what")), steps(
    rich("way.hand.1", { link: consoleLink(t("way.hand.console"), home) }),
    [t("way.hand.2"), file("trust-policy.json")],
    t("way.hand.3"),
    [t("way.hand.4"), valueLine(roleName, t("role.name"))],
    t("way.hand.5"),
    [t("way.hand.6"), file("permissions-policy.json")],
    t("way.hand.7"))];
}

function existing(connection, made, file, signal) {
  const statement = made.trust_policy.Statement.map((one) => JSON.stringify(one, null, 2)).join(",\n");
  return [h("p", {}, t("way.existing.what")),
    h("h3", {}, t("way.existing.trust")), h("p", {}, t("way.existing.trust.how")), documentBlock("trust-statement.json", statement),
    h("h3", {}, t("way.existing.permissions")), h("p", {}, t("way.existing.permissions.how")), file("permissions-policy.json"),
    lintBox(connection, signal)];
}
