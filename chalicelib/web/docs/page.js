// Shows openapi.json to people. All of it becomes text: nothing here turns a text into markup.

const main = document.getElementById("main");
const nav = document.getElementById("nav");
const filter = document.getElementById("filter");
const menu = document.getElementById("menu");
const narrow = matchMedia("(max-width: 56rem)");
const DEEPEST = 8;
const SENT = ["required", "optional"];
const ANSWERED = ["always there", "may be absent"];
let api;
let operations = [];

/** Make an element. Attributes named on… are listeners; null, undefined and false leave an attribute or child out. */
function h(name, attributes, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes ?? {})) {
    if (value === undefined || value === null || value === false) continue;
    if (typeof value === "function") element.addEventListener(key.slice(2), value);
    else element.setAttribute(key, value === true ? "" : value);
  }
  element.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

/** Return a text as nodes: what stands between back-ticks becomes code. */
function prose(text) {
  return (text ?? "").split("`").map((part, place) => (place % 2 ? h("code", null, part) : part));
}

function announce(text) {
  document.getElementById("announcer").textContent = text;
}

/** Return what a reference leads to. */
function resolved(value) {
  let found = value;
  while (found?.$ref) found = found.$ref.slice(2).split("/").reduce((at, key) => at?.[key], api);
  return found ?? {};
}

const nameOf = (schema) => schema?.$ref?.split("/").at(-1);

function table(kind, heads, rows) {
  // Roles are said aloud: the style of narrow screens makes blocks of rows and cells.
  return h("table", { class: kind, role: "table" },
    h("thead", { role: "rowgroup" }, h("tr", { role: "row" }, heads.map((head) => h("th", { scope: "col", role: "columnheader" }, head)))),
    h("tbody", { role: "rowgroup" }, rows));
}

const row = (attributes, ...cells) => h("tr", { role: "row", ...attributes }, cells.map((cell) => h("td", { role: "cell" }, cell)));

/** Return what a schema takes, in words. */
function typeOf(schema) {
  const name = nameOf(schema);
  const it = resolved(schema);
  const quoted = (value) => (value === null ? "null" : `\`${value}\``);
  if ("const" in it) return quoted(it.const);
  if (it.enum) return it.enum.length > 12 ? `one of ${it.enum.length} codes` : it.enum.map(quoted).join(", ");
  const choices = it.anyOf ?? it.oneOf;
  if (choices) return [...new Set(choices.map(typeOf))].join(" or ");
  if (it.type === "array") return `list of ${typeOf(it.items ?? {})}`;
  if (it.properties) return name ?? "object";
  if (it.type === "object") return it.additionalProperties?.type ? `object of ${typeOf(it.additionalProperties)}s by name` : "JSON object";
  if (it.format === "date-time") return "time, ISO 8601";
  if (it.format === "password") return "text, secret";
  return { string: "text", integer: "whole number", number: "number", boolean: "true or false", null: "null" }[it.type] ?? "any JSON";
}

function span(least, most, what) {
  if (most === undefined) return `at least ${least} ${what}`;
  return least ? `${least} to ${most} ${what}` : `up to ${most} ${what}`;
}

/** Return the bounds of a schema, in words. */
function boundsOf(schema) {
  const it = resolved(schema);
  const inner = (it.anyOf ?? []).map(resolved).find((one) => one.type !== "null") ?? it;
  const found = [];
  if (inner.minimum !== undefined || inner.maximum !== undefined) found.push(`from ${inner.minimum ?? "…"} to ${inner.maximum ?? "…"}`);
  if (inner.minLength || inner.maxLength) found.push(span(inner.minLength, inner.maxLength, "characters"));
  if (inner.minItems || inner.maxItems) found.push(span(inner.minItems, inner.maxItems, "entries"));
  if (inner.pattern) found.push(`matches \`${inner.pattern}\``);
  if (it.default !== undefined && it.default !== null) found.push(`\`${it.default}\` when left out`);
  return found.join("; ");
}

/** Return what a field is for: said of itself, of its type, or of one of its choices. */
function meaningOf(field) {
  const it = resolved(field);
  return field.description ?? it.description ?? (it.anyOf ?? []).map((one) => one.description).find(Boolean) ?? "";
}

/** Return the objects within a schema, each with its name: what a row opens. */
function objectsIn(schema) {
  const it = resolved(schema);
  if (it.properties) return [[nameOf(schema) ?? "object", schema]];
  const inner = [it.items, typeof it.additionalProperties === "object" ? it.additionalProperties : null, ...(it.anyOf ?? []), ...(it.oneOf ?? [])];
  return inner.filter(Boolean).flatMap(objectsIn);
}

function fields(schema, words, depth = 0) {
  const it = resolved(schema);
  const required = new Set(it.required ?? []);
  const rows = Object.entries(it.properties ?? {}).map(([name, field]) => {
    const bounds = boundsOf(field);
    return row(null,
      [h("code", null, name), h("span", { class: "must" }, words[required.has(name) ? 0 : 1])],
      h("span", { class: "type" }, prose(typeOf(field))),
      [prose(meaningOf(field)), bounds && h("span", { class: "must" }, prose(bounds)),
        depth < DEEPEST && objectsIn(field).map(([kind, inner]) =>
          h("details", null, h("summary", null, kind), fields(inner, words, depth + 1)))]);
  });
  return table("fields", ["Field", "Type", "Meaning"], rows);
}

function shape(schema, words = ANSWERED) {
  const objects = objectsIn(schema);
  if (!objects.length) return h("p", { class: "soft" }, prose(resolved(schema).description ?? typeOf(schema)));
  return objects.map(([name, inner]) => [
    h("p", null, h("strong", null, name), " ", prose(resolved(inner).description)), h("div", { class: "card" }, fields(inner, words))]);
}

function example(part, title, value) {
  const text = typeof value === "string" ? value : JSON.stringify(value, null, 2);
  const code = h("pre", { tabindex: 0, role: "group", "aria-label": `${part}: ${title}` }, text);
  const copy = async () => {
    try {
      await navigator.clipboard.writeText(text);
      announce("Copied.");
    } catch {
      getSelection().selectAllChildren(code);
      announce("Selected; copy it with the keyboard.");
    }
  };
  return h("figure", null, h("figcaption", null, title, h("button", { type: "button", onclick: copy, "aria-label": `Copy ${part}: ${title}` }, "Copy")), code);
}

function curl(operation, body) {
  const quoted = (text) => `'${text.replaceAll("'", "'\\''")}'`;
  // curl itself makes something of braces, so a parameter's example stands where its name does.
  const given = (mark, name) => operation.parameters.find((one) => one.in === "path" && one.name === name)?.example ?? mark;
  const address = new URL(".", location.href).href.replace(/\/$/, "") + operation.path.replace(/\{(\w+)\}/g, given);
  const parts = [operation.method === "get" ? "curl" : `curl -X ${operation.method.toUpperCase()}`, quoted(address)];
  if (operation.scope) parts.push('-H "Authorization: Bearer $TOKEN"');
  for (const one of operation.parameters ?? []) {
    if (one.in === "header" && one.required) parts.push(`-H ${quoted(`${one.name}: ${one.example ?? "…"}`)}`);
  }
  if (body !== undefined) parts.push("-H 'Content-Type: application/json'", `-d ${quoted(JSON.stringify(body))}`);
  return parts.join(" \\\n  ");
}

function parameters(operation) {
  if (!operation.parameters) return null;
  const places = { path: "path", query: "query", header: "header" };
  return [h("h2", null, "Parameters"), h("div", { class: "card" }, table("fields", ["Name", "Type", "Meaning"], operation.parameters.map((one) => row(null,
    [h("code", null, one.name), h("span", { class: "must" }, `${places[one.in]}, ${one.required ? "required" : "optional"}`)],
    h("span", { class: "type" }, prose(typeOf(one.schema))),
    [prose(one.description), boundsOf(one.schema) && h("span", { class: "must" }, prose(boundsOf(one.schema)))]))))];
}

function request(operation) {
  const content = operation.requestBody?.content["application/json"];
  const bodies = Object.values(content?.examples ?? {});
  return [
    content && [h("h2", null, "Body"), shape(content.schema, SENT), bodies.map((one) => example("body", one.summary, one.value))],
    h("h2", null, "Request"), example("request", "With curl", curl(operation, bodies[0]?.value))];
}

function success(status, answer) {
  const names = Object.keys(answer.headers ?? {});
  return [h("h2", null, `Answer: ${status} ${answer.description}`),
    names.length > 0 && h("dl", { class: "facts" }, names.map((name) => [
      h("dt", null, h("code", null, name)), h("dd", null, prose(resolved(answer.headers[name]).description))])),
    Object.entries(answer.content ?? {}).map(([kind, content]) => [
      h("h3", null, h("code", null, kind)),
      content["x-events"]
        ? content["x-events"].map((event) => [h("p", null, event.event ? [h("code", null, `event: ${event.event}`), " "] : [h("code", null, "data:"), " "], event.description), shape(event.schema)])
        : shape(content.schema),
      Object.values(content.examples ?? {}).map((one) => example("answer", one.summary, one.value))])];
}

const errorRow = (code, attributes) => {
  const about = api["x-error-codes"][code];
  return row(attributes, [h("a", { href: `#/errors/${code}` }, h("code", null, code)), h("span", { class: "must" }, `${about.status} ${about.type}`)],
    prose(about.meaning), prose(about.fix));
};

function refusals(operation) {
  const found = Object.entries(operation.responses).filter(([status]) => status >= "400");
  return [h("h2", null, "Errors"), h("div", { class: "answers" }, found.map(([status, answer]) => {
    const codes = Object.keys(answer.content["application/json"].examples);
    const few = codes.length > 4 ? `${codes.slice(0, 3).join(", ")} and ${codes.length - 3} more` : codes.join(", ");
    return h("details", null, h("summary", null, h("span", { class: "status" }, status), ` ${answer.description} `, h("span", { class: "soft" }, few)),
      table("errors", ["Code", "Meaning", "What to do"], codes.map((code) => errorRow(code))));
  }))];
}

function operationPage(operation) {
  return [
    h("h1", { tabindex: -1 }, operation.summary),
    h("p", { class: "address" }, h("span", { class: `method ${operation.method}` }, operation.method.toUpperCase()), h("span", null, operation.path)),
    operation.description && h("p", { class: "lead" }, prose(operation.description)),
    h("dl", { class: "facts" }, h("dt", null, "Scope"), h("dd", null, operation.scope ? h("code", null, operation.scope) : "none: no token is needed"),
      h("dt", null, "operationId"), h("dd", null, h("code", null, operation.operationId))),
    parameters(operation), request(operation),
    Object.entries(operation.responses).filter(([status]) => status < "400").map(([status, answer]) => success(status, answer)),
    refusals(operation)];
}

function oneError(code) {
  const about = api["x-error-codes"][code];
  const having = operations.filter((one) => Object.values(one.responses).some((answer) => answer.content?.["application/json"]?.examples?.[code]?.$ref));
  return [h("h2", null, h("code", null, code)),
    h("dl", { class: "facts" }, h("dt", null, "Status"), h("dd", null, `${about.status} ${about.type}`),
      h("dt", null, "Meaning"), h("dd", null, prose(about.meaning)), h("dt", null, "What to do"), h("dd", null, prose(about.fix))),
    example("error", "An example", resolved(api.components.examples[`error_${code}`]).value),
    having.length > 0 && h("details", null, h("summary", null, `Routes that answer it: ${having.length}`),
      h("ul", null, having.map((one) => h("li", null, h("a", { href: `#/operation/${one.operationId}` }, `${one.method.toUpperCase()} ${one.path}`)))))];
}

function errorsPage(code) {
  const rows = Object.entries(api["x-error-codes"]).map(([one, about]) => errorRow(one, { "data-words": words(one, about) }));
  return [h("h1", { tabindex: -1 }, "Errors"),
    h("p", { class: "lead" }, prose("Every error, on every route, has one form. `code` is stable: programs rely on it. `message` is for people, and its wording may change.")),
    Object.hasOwn(api["x-error-codes"], code ?? "") && oneError(code),
    h("h2", null, "The form"), h("div", { class: "card" }, fields({ $ref: "#/components/schemas/ErrorDetail" }, ANSWERED)),
    h("h2", null, "All codes"), h("div", { class: "card" }, table("errors", ["Code", "Meaning", "What to do"], rows))];
}

function overview() {
  return [h("h1", { tabindex: -1 }, "Rolecall API"),
    api.info.description.split("\n\n").map((text) => h("p", { class: "lead" }, prose(text))),
    h("h2", null, "Scopes"), h("dl", { class: "facts" }, Object.entries(api["x-scopes"]).map(([scope, meaning]) => [h("dt", null, h("code", null, scope)), h("dd", null, meaning)])),
    api.tags.map((tag) => [h("h2", null, tag.name), h("p", null, tag.description),
      h("div", { class: "card" }, table("routes", ["Route", "Does"], operations.filter((one) => one.tags[0] === tag.name).map((one) => row(null,
        h("code", null, `${one.method.toUpperCase()} ${one.path}`), h("a", { href: `#/operation/${one.operationId}` }, one.summary)))))])];
}

/** Return all words that a thing is found by. */
const words = (...parts) => parts.map((part) => (typeof part === "string" ? part : JSON.stringify(part))).join(" ").toLowerCase();

function fieldNames(schema, seen = new Set()) {
  return objectsIn(schema ?? {}).flatMap(([name, inner]) => {
    if (seen.has(name)) return [];
    seen.add(name);
    const properties = resolved(inner).properties;
    return [name, ...Object.keys(properties), ...Object.values(properties).flatMap((field) => fieldNames(field, seen))];
  });
}

function navigation() {
  const link = (href, data, ...children) => h("li", { "data-words": data }, h("a", { href }, children));
  return [
    h("ul", null, link("#/", "overview", "Overview"), link("#/errors", words("errors", api["x-error-codes"]), "Errors")),
    api.tags.map((tag) => h("section", null, h("h2", null, tag.name), h("ul", null, operations.filter((one) => one.tags[0] === tag.name).map((one) => {
      const contents = Object.values(one.responses).flatMap((answer) => Object.values(answer.content ?? {}).map((content) => content.schema));
      const names = [one.requestBody?.content["application/json"].schema, ...contents].flatMap((schema) => fieldNames(schema));
      const codes = Object.values(one.responses).flatMap((answer) => Object.keys(answer.content?.["application/json"]?.examples ?? {}));
      return link(`#/operation/${one.operationId}`, words(one.path, one.summary, one.operationId, (one.parameters ?? []).map((p) => p.name), names, codes),
        h("span", { class: `method ${one.method}` }, one.method.toUpperCase()), h("span", null, one.summary));
    }))))];
}

/** Hide what the filter leaves out, in the menu and in the table of codes. */
function sieve() {
  const wanted = filter.value.trim().toLowerCase().split(/\s+/).filter(Boolean);
  let left = 0;
  for (const item of document.querySelectorAll("[data-words]")) {
    item.hidden = !wanted.every((word) => item.dataset.words.includes(word));
    left += item.hidden ? 0 : 1;
  }
  for (const section of nav.querySelectorAll("section")) section.hidden = !section.querySelector("li:not([hidden])");
  if (wanted.length) announce(`${left} found.`);
}

function show(moved) {
  // No name of an operation or code has anything to be decoded; what an address holds may be anything.
  const [, kind, name] = location.hash.split("/");
  const operation = kind === "operation" && operations.find((one) => one.operationId === name);
  const content = operation ? operationPage(operation) : kind === "errors" ? errorsPage(name) : overview();
  main.replaceChildren(...content.flat(Infinity).filter(Boolean));
  const heading = main.querySelector("h1");
  document.title = `${heading.textContent} · Rolecall API`;
  for (const link of nav.querySelectorAll("a")) {
    const current = link.getAttribute("href") === (kind === "errors" ? "#/errors" : location.hash || "#/");
    if (current) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  sieve();
  if (!moved) return;
  if (narrow.matches) menu.open = false;
  scrollTo(0, 0);
  heading.focus({ preventScroll: true });
}

async function start() {
  try {
    const answer = await fetch("openapi.json");
    if (!answer.ok) throw new Error(`HTTP ${answer.status}`);
    api = await answer.json();
  } catch (error) {
    main.replaceChildren(h("h1", { tabindex: -1 }, "Rolecall API"), h("p", { role: "alert" }, `openapi.json can't be read: ${error.message}. Load the page again in a moment.`));
    return;
  }
  document.getElementById("version").textContent = api.info.version;
  operations = Object.entries(api.paths).flatMap(([path, methods]) => Object.entries(methods).map(([method, about]) => (
    { ...about, method, path, scope: about.security[0]?.token[0] })));
  nav.replaceChildren(...navigation().flat(Infinity));
  filter.addEventListener("input", sieve);
  document.getElementById("skip").addEventListener("click", (event) => { event.preventDefault(); main.focus(); });
  addEventListener("hashchange", () => show(true));
  menu.open = !narrow.matches;
  narrow.addEventListener("change", () => { menu.open = !narrow.matches; });
  show(false);
}

start();
