// Addresses. What stands behind # is the page and the connection, never a secret, so that a step can be come back to.

const CONNECTION = /^conn-[a-z0-9]{4,64}$/;
const STEPS = new Set(["details", "role", "verify", "models", "chat"]);

/** Read an address: {name} or {name, id}. Whatever it can't be is the list of connections. */
export function read(hash) {
  const parts = hash.replace(/^#\/?/, "").split("/");
  if (parts[0] === "new" && parts.length === 1) return { name: "new" };
  if (parts[0] === "keys" && parts.length === 1) return { name: "keys" };
  if (parts[0] === "c" && CONNECTION.test(parts[1] ?? "")) {
    if (parts.length === 2) return { name: "connection", id: parts[1] };
    if (parts.length === 3 && STEPS.has(parts[2])) return { name: parts[2], id: parts[1] };
  }
  return { name: "connections" };
}

/** The address of a page. */
export const address = (name, id) => {
  if (id === undefined) return name === "connections" ? "#/" : `#/${name}`;
  return name === "connection" ? `#/c/${id}` : `#/c/${id}/${name}`;
};

/** Go to a page. */
export function go(name, id) {
  location.hash = address(name, id);
}

/** Go to a page in place of this one, so that Back does not lead to what is over. */
export function replace(name, id) {
  location.replace(address(name, id));
}
