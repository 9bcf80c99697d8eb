// Who is at work here. The token lives in this module's memory: no storage, cookie, address or element ever holds it.

let token = null;
let person = null;
let facts = null;
let renewing = null;
let askForToken = null;

/** Whether a person has confirmed whose token this is. Nothing but that question is asked of the API before. */
export const isConfirmed = () => person !== null;

/** Tenant and subject, as the service reads the confirmed token. */
export const confirmed = () => person;

/** What GET /v1/setup said: principal, partition, regions, permissions. */
export const setup = () => facts;

/** The header of a request. */
export const authorization = () => `Bearer ${token}`;

/** Go on as the bearer of a token that the person at the page has confirmed. */
export function begin(confirmedToken, answer) {
  token = confirmedToken;
  facts = answer;
  person = { tenant: answer.caller.tenant, subject: answer.caller.subject };
}

/** Forget the token. */
export function end() {
  token = null;
  person = null;
  facts = null;
}

/** Whether a token's bearer is the person at work. */
export const isSamePerson = (caller) =>
  person !== null && caller.tenant === person.tenant && caller.subject === person.subject;

/** Take a newer token of the same person. */
export function renewWith(newer) {
  token = newer;
}

/** Name what asks for a new token; it resolves once `renewWith` was called, and rejects when the person gives up. */
export function onRenewal(ask) {
  askForToken = ask;
}

/** Ask for a new token, once for all requests that need one. */
export function renew() {
  renewing ??= askForToken().finally(() => { renewing = null; });
  return renewing;
}
