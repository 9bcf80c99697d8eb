// How a token comes: pasted, from a window that the operator trusts, or in the address where that is allowed.

const openers = document.querySelector('meta[name="rolecall-openers"]').content.split(" ").filter(Boolean);
const onLoopback = ["127.0.0.1", "localhost", "[::1]"].includes(location.hostname);
const fromAddress = onLoopback || document.querySelector('meta[name="rolecall-fragment-token"]').content === "on";
const LONGEST = 8192;

/** Return a text as a token that can be sent, or null. */
export function tokenOf(text) {
  const token = String(text).trim().replace(/^Bearer\s+/i, "");
  return token.length <= LONGEST && /^[\w-]+\.[\w-]+\.[\w-]+$/.test(token) ? token : null;
}

/**
 * Take a token out of the address, where it must not stay: histories, screenshots and shared links keep addresses.
 * Returns null, or {token, refused}: `refused` when this service takes none from there.
 */
export function takeFromAddress() {
  const match = /^#token=(.*)$/.exec(location.hash);
  if (match === null) return null;
  history.replaceState(null, "", `${location.pathname}${location.search}#/`);
  const token = tokenOf(decodeURIComponentOrNothing(match[1]));
  return { token: fromAddress ? token : null, refused: !fromAddress };
}

function decodeURIComponentOrNothing(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return "";
  }
}

const holders = [window.opener, window.parent].filter((other) => other && other !== window);

/** Tell whoever opened or frames this page that it waits for a token; only an origin of WIZARD_OPENERS gets to know. */
export function tellThatATokenIsWanted() {
  for (const holder of holders) for (const origin of openers) holder.postMessage({ type: "rolecall-token-wanted" }, origin);
}

/** Call `take` with each token that a trusted window sends: {type: "rolecall-token", token}. */
export function onMessage(take) {
  addEventListener("message", (event) => {
    // Origin and window both: another page of that origin is not who opened this one.
    if (!openers.includes(event.origin) || !holders.includes(event.source)) return;
    if (typeof event.data !== "object" || event.data?.type !== "rolecall-token") return;
    const token = tokenOf(event.data.token);
    if (token !== null) take(token);
  });
}
