// The record of a connection: who changed what, from where, before and after.

import { connectionPath } from "./api.js";
import { h } from "./dom.js";
import { known, t, time } from "./i18n.js";
import { paged } from "./parts.js";

/** Where the events of a connection are, newest first. */
export const recordPath = (id) => connectionPath(id, "/events?limit=20");

/** The events, from the first page on. */
export function timeline(connection, first, signal) {
  const list = h("ol", { class: "timeline" });
  return [list, paged(list, entry, first, recordPath(connection.id), signal)];
}

function entry({ at, type, actor, source_ip: from, before, after }) {
  const changes = differences(before, after);
  return h("li", { class: type },
    h("p", { class: "event" }, h("strong", {}, known(`event.${type}`, type)), " ", h("time", { datetime: at }, time(at))),
    h("p", { class: "by" }, from ? t("record.by", { actor, from }) : t("record.bySelf", { actor })),
    changes.length > 0 && h("ul", { class: "short" }, changes.map(({ name, was, is }) => h("li", {},
      `${t("label", { name: known(`record.${name}`, name) })} `, was !== null && [value(name, was), " → "], value(name, is)))));
}

/** A status is a word of the page's language; anything else stands as it is. */
const value = (name, text) => (name === "status" ? h("span", {}, known(`status.${text}`, text)) : h("code", {}, text));

const shown = (value) => (value === null || value === undefined ? "–" : Array.isArray(value) ? value.join(", ") : String(value));

function differences(before, after) {
  if (after === null) return [];
  return Object.keys(after)
    .filter((name) => name !== "version" && after[name] !== null && (before === null || shown(before[name]) !== shown(after[name])))
    .map((name) => ({ name, was: before === null ? null : shown(before[name]), is: shown(after[name]) }));
}
