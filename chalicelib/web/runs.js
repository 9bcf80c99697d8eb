// Verifications under way. They go on while their page is left, and are there when it is come back to.

import { connectionPath, events, isStop, Problem, problemIn } from "./api.js";

const runs = new Map();

/** The checks of a verification, in the order in which they are shown. */
export const CHECKS = [
  "assume_with_external_id", "refused_without_external_id", "refused_with_similar_external_id",
  "refused_with_foreign_external_id", "refused_with_other_case", "list_models", "invoke_model",
];

/** The run of a connection that was started last in this page, or undefined. */
export const runOf = (id) => runs.get(id);

/** Forget all runs, and stop those under way. */
export function forget() {
  for (const run of runs.values()) run.stop.abort();
  runs.clear();
}

/** Start a verification. `run.onchange` is called after each event. */
export function start(id, roleArn, invoke) {
  runs.get(id)?.stop.abort();
  const run = { checks: new Map(), waiting: null, report: null, problem: null, running: true, stop: new AbortController(), onchange: null };
  runs.set(id, run);
  follow(run, id, { role_arn: roleArn, invoke });
  return run;
}

async function follow(run, id, body) {
  try {
    for await (const { kind, data } of events("POST", connectionPath(id, "/verification"), { body, signal: run.stop.signal })) {
      take(run, kind, data);
      run.onchange?.(kind);
    }
    // A stream that ends without a report broke on its way; what it showed so far decides nothing.
    if (run.report === null) throw new Problem("network");
  } catch (error) {
    if (isStop(error)) return;
    if (!(error instanceof Problem)) throw error;
    run.problem = error;
  } finally {
    run.running = false;
    run.waiting = null;
    run.onchange?.("end");
  }
}

function take(run, kind, data) {
  if (kind === "check") {
    run.waiting = null;
    run.checks.set(data.id, data);
  } else if (kind === "waiting") {
    run.waiting = data;
  } else if (kind === "report") {
    run.report = data;
    run.checks = new Map(data.checks.map((check) => [check.id, check]));
  } else if (kind === "error") {
    throw problemIn(data);
  }
}
