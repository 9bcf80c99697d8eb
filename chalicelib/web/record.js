// The record of a connection: who changed what, from where, before and after.

import { call, connectionPath } from "./api.js";
import { fill, h } from "./dom.js";
import { known, t, time } from "./i18n.js";
import { button, problemBox } from "./parts.js";

/** The events of a connection, newest first. */
export function timeline(connection, first, signal) {
  const list = h("ol", { class: "timeline" });
  const more = h("div", { class: "more" });
  const add = (page) => {
    list.append(...page.data.map(entry));
    fill(more, page.next_cursor && button(t("more"), async () => {
      try {
        const path = `/events?limit=20&cursor=${encodeURIComponent(page.next_cursor)}`;
        add(await call("GET", connectionPath(connection.id, path), { signal }));
      } catch (error) {
        if (error.kind === undefined) throw error;
        fill(more, problemBox(error, { retry: () => add({ data: [], next_cursor: page.next_cursor }), signal }));
      }
    }));
  };
  add(first);
  return [list, more];
}

function entry({ at, type, actor, source_ip: from, before, after }) {
  const changes = differences(before, after);
  return h("li", { class: type },
    h("p", { class: "event" }, h("strong", {}, known(`event.${type}`, type)), " ", h("time", { datetime: at }, time(at))),
    h("p", { class: "by" }, from ? t("record.by", { actor, from }) : t("record.bySelf", { actor })),
    changes.length > 0 && h("ul", { class: "short" }, changes.map(({ name, was, is }) => h("li", {},
      `${known(`record.${name}`, name)}: `, was !== null && [h("code", {}, was), " → "], h("code", {}, is)))));
}

const shown = (value) => (value === null || value === undefined ? "–" : Array.isArray(value) ? value.join(", ") : String(value));

function differences(before, after) {
  if (after === null) return [];
  return Object.keys(after)
    .filter((name) => name !== "version" && after[name] !== null && (before === null || shown(before[name]) !== shown(after[name])))
    .map((name) => ({ name, was: before === null ? null : shown(before[name]), is: shown(after[name]) }));
}
