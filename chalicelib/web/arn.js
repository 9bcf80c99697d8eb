// What is wrong with an ARN or an account number, as it is typed. The service judges again; this only answers sooner.

const SAMPLES = new Set(["123456789012", "000000000000"]);
const PLACEHOLDER = /[<>{}$]|\b(your|example|placeholder)\b|your[_-]/i;
const BEGINNING = /^(a|ar|arn|arn:[a-z-]*|arn:[a-z-]+:(i|ia|iam)?|arn:[a-z-]+:iam:|arn:[a-z-]+:iam::[0-9]{0,12}|arn:[a-z-]+:iam::[0-9]{12}:(r|ro|rol|role|role\/)?)$/;
const NAMES = { 0x20: "space", 0xa0: "nbsp", 0x200b: "zero", 0xfeff: "zero", 0x201c: "quote", 0x201d: "quote", 0x2018: "quote", 0x2019: "quote", 0x0a: "line", 0x0d: "line" };

/** Take off the white space that copying leaves around. */
export const trimmed = (text) => text.replace(/^[ \t\r\n]+|[ \t\r\n]+$/g, "");

/** Whether a text may still become a role's ARN as it is typed on. */
export const mayBecomeArn = (text) => BEGINNING.test(trimmed(text));

const wrong = (key, values = {}) => ({ key, values });

/** Return {key, values} of the text that says what is wrong with a role's ARN, or null. `setup` is GET /v1/setup. */
export function roleArnProblem(text, setup, accountId = null) {
  const arn = trimmed(text);
  if (arn === "") return wrong("arn.empty");
  for (const character of arn) {
    const code = character.codePointAt(0);
    if (code < 0x21 || code > 0x7e) {
      return wrong(`arn.character.${NAMES[code] ?? "other"}`, { code: `U+${code.toString(16).toUpperCase().padStart(4, "0")}` });
    }
  }
  if (PLACEHOLDER.test(arn)) return wrong("arn.placeholder");
  const [head, partition, service, region, account, ...rest] = arn.split(":");
  const resource = rest.join(":");
  if (head !== "arn" || account === undefined) return wrong("arn.beginning", { partition: setup.partition });
  if (service === "sts" && resource.startsWith("assumed-role/")) {
    return wrong("arn.session", { arn: `arn:${partition}:iam::${account}:role/${resource.split("/")[1]}` });
  }
  if (service === "iam" && resource.startsWith("user/")) return wrong("arn.user");
  if (service !== "iam" || region !== "" || !resource.startsWith("role/")) return wrong("arn.other");
  if (!/^[0-9]{12}$/.test(account)) return wrong("arn.account");
  if (SAMPLES.has(account)) return wrong("arn.sample", { account });
  if (partition !== setup.partition) return wrong("arn.partition", { partition, ours: setup.partition });
  if (account === setup.principal.account_id) return wrong("arn.own");
  if (accountId !== null && account !== accountId) return wrong("arn.mismatch", { account, expected: accountId });
  if (resource.startsWith("role/aws-service-role/")) return wrong("arn.service");
  const name = resource.slice("role/".length);
  if (!/^([\w+=,.@-]+\/)*[\w+=,.@-]{1,64}$/.test(name) || name.length > 575) return wrong("arn.name");
  return null;
}

/** Return the twelve digits of an account number, dashes taken off, or null. */
export function accountNumber(text) {
  const digits = trimmed(text).replace(/^(\d{4})-(\d{4})-(\d{4})$/, "$1$2$3");
  return /^[0-9]{12}$/.test(digits) ? digits : null;
}

/** Return {key, values} of the text that says what is wrong with an account number, or null. */
export function accountProblem(text, setup) {
  const digits = accountNumber(text);
  if (digits === null) return wrong("account.digits");
  if (SAMPLES.has(digits)) return wrong("account.sample", { account: digits });
  return digits === setup.principal.account_id ? wrong("account.own") : null;
}
