// Words. Every text of the wizard stands in en.js and fr.js under the same key; what the API says is shown as it came.

export const LANGUAGES = { en: "English", fr: "Français" };
const loaders = { en: () => import("./en.js"), fr: () => import("./fr.js") };

let strings = {};
let current = "en";

/** The language in use, as in `lang`. */
export const language = () => current;

/** Use the language of the address (?lang=fr), or the first of the browser's that there is. */
export async function chooseFirstLanguage() {
  const asked = new URLSearchParams(location.search).get("lang");
  const wanted = [asked, ...navigator.languages].map((tag) => tag?.slice(0, 2).toLowerCase());
  await useLanguage(wanted.find((code) => Object.hasOwn(LANGUAGES, code ?? "")) ?? "en");
}

/** Use a language from now on. Whoever calls this renders anew. */
export async function useLanguage(code) {
  strings = (await loaders[code]()).default;
  current = code;
  document.documentElement.lang = code;
}

/** Keep the choice in the address, the only place where the wizard keeps anything. */
export function noteLanguage(code) {
  const query = new URLSearchParams(location.search);
  query.set("lang", code);
  history.replaceState(null, "", `?${query}${location.hash}`);
}

/** Return what stands under a key: "role.title" is title in the group role, "copy" the nameless one in copy. */
function look(key) {
  const [group, ...rest] = key.split(".");
  const name = rest.join(".");
  return Object.hasOwn(strings, group) && Object.hasOwn(strings[group], name) ? strings[group][name] : null;
}

/** Return the text of a key, with {names} replaced. */
export function t(key, values = {}) {
  return look(key).replace(/\{(\w+)\}/g, (mark, name) => String(values[name] ?? mark));
}

/** Return the text of a key as parts: {names} are replaced by nodes. */
export function rich(key, nodes) {
  return look(key).split(/\{(\w+)\}/).map((part, at) => (at % 2 ? nodes[part] : part));
}

/** Return the text of a key for a number: key.one or key.other by the language's rules. */
export function counted(key, number) {
  const form = new Intl.PluralRules(current).select(number) === "one" ? "one" : "other";
  return t(`${key}.${form}`, { number: new Intl.NumberFormat(current).format(number) });
}

/** Return the text of a key if there is one, else the fallback: codes of the API may be newer than this page. */
export const known = (key, fallback) => look(key) ?? fallback;

/** What to put on text of the API, which is English. */
export const foreign = () => (current === "en" ? {} : { lang: "en" });

/** Return a time of the API as people of this language write it. */
export function time(text) {
  return new Intl.DateTimeFormat(current, { dateStyle: "medium", timeStyle: "short" }).format(new Date(text));
}
