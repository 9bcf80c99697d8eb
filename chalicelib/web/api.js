// The public API through fetch, and nothing else. Every failure becomes a Problem, which says what to do.

import { readEvents } from "./sse.js";
import * as session from "./session.js";

// This file is <service>/wizard/<version>/api.js, whatever stage or path the service is under.
const ROOT = new URL("../../", import.meta.url);
const PATIENCE_MS = 40_000;
// A model may think before its first word.
const STREAM_PATIENCE_MS = 120_000;
export const TOKEN_CODES = new Set(["token_expired", "invalid_token", "missing_token"]);

/** What went wrong: kind is network, token, limited, server, refused or stopped; the rest is the API's envelope. */
export class Problem extends Error {
  constructor(kind, details = {}) {
    super(details.message ?? kind);
    this.kind = kind;
    this.code = details.code ?? null;
    this.param = details.param ?? null;
    this.fix = details.fix ?? null;
    this.whoseFix = details.whose_fix ?? null;
    this.requestId = details.request_id ?? null;
    this.retryAfter = details.retry_after ?? null;
  }
}

/** Whether an error is only that its view was left. */
export const isStop = (error) => error instanceof Problem && error.kind === "stopped";

function kindOf(status, { code, type, whose_fix: whose }) {
  if (status === 401 && TOKEN_CODES.has(code)) return "token";
  // A quota that is used up comes back no sooner for waiting a little; its own words say what helps.
  if (status === 429) return type === "insufficient_quota" ? "refused" : "limited";
  // What failed at AWS is not told as this service's failure; what something in front of it says, in its own words, is.
  return !code || (status >= 500 && whose !== "aws") ? "server" : "refused";
}

async function problemOf(response) {
  const document = await response.json().catch(() => ({}));
  const error = typeof document.error === "object" && document.error !== null ? document.error : {};
  const wait = Number(response.headers.get("Retry-After"));
  const details = { ...error, retry_after: Number.isFinite(wait) && wait > 0 ? wait : null };
  return new Problem(kindOf(response.status, error), details);
}

async function send(method, path, { body, headers = {}, signal, token, stream = false }) {
  const ours = new AbortController();
  const stop = () => ours.abort();
  if (signal?.aborted) throw new Problem("stopped");
  signal?.addEventListener("abort", stop, { once: true });
  // A stream has no end to wait for; that it begins is waited for as for any answer.
  const timer = setTimeout(stop, stream ? STREAM_PATIENCE_MS : PATIENCE_MS);
  try {
    const response = await fetch(new URL(path, ROOT), {
      method,
      headers: {
        Authorization: token ? `Bearer ${token}` : session.authorization(),
        Accept: stream ? "text/event-stream" : "application/json",
        ...(body === undefined ? {} : { "Content-Type": "application/json" }),
        ...headers,
      },
      body: body === undefined ? undefined : JSON.stringify(body),
      signal: ours.signal,
      cache: "no-store",
      credentials: "omit",
      redirect: "error",
      referrerPolicy: "no-referrer",
    });
    if (!response.ok) throw await problemOf(response);
    // A body that does not come to its end is waited for no longer than an answer.
    return stream ? response : await response.json();
  } catch (error) {
    if (error instanceof Problem) throw error;
    throw new Problem(signal?.aborted ? "stopped" : "network");
  } finally {
    clearTimeout(timer);
    // The body of a stream is read after this; whoever reads it stops with the signal.
    if (!stream) signal?.removeEventListener("abort", stop);
  }
}

/** Call the API and return its document. `options`: body, headers, signal, and token to use another than the session's. */
export async function call(method, path, options = {}) {
  for (;;) {
    try {
      return await send(method, path, options);
    } catch (error) {
      if (error.kind !== "token" || options.token) throw error;
      // The token's time is over. A new one of the same person is asked for, and the request goes out again.
      await session.renew();
    }
  }
}

/**
 * Call the API and yield its events as {kind, data}. An answer that is no stream is yielded as one event, `report`; what
 * stands for the end of a whole chat is the event `done`, and a stream that ends without it, or without a report, broke.
 */
export async function* events(method, path, options = {}) {
  const response = await call(method, path, { ...options, stream: true });
  try {
    if (!(response.headers.get("Content-Type") ?? "").startsWith("text/event-stream")) {
      yield { kind: "report", data: await response.json() };
      return;
    }
    for await (const event of readEvents(response)) {
      const isDone = event.data === "[DONE]";
      yield isDone ? { kind: "done", data: {} } : { kind: event.kind, data: JSON.parse(event.data) };
      if (isDone) return;
    }
  } catch {
    throw new Problem(options.signal?.aborted ? "stopped" : "network");
  }
}

/** Turn the envelope of an error that came within a stream into a Problem. */
export const problemIn = (envelope) => new Problem("refused", envelope.error ?? {});

/** Return the path of a connection. */
export const connectionPath = (id, rest = "") => `v1/connections/${encodeURIComponent(id)}${rest}`;

/** Return a key under which a repeated request is the same request. crypto.randomUUID needs TLS; this does not. */
export function freshKey() {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (octet) => octet.toString(16).padStart(2, "0")).join("");
}
