// Server-sent events from a fetch (HTML standard, section 9.2.6). EventSource can send neither a token nor a body.

const SILENCE_MS = 120_000;

/** Yield each event of a response as {kind, data}; half an event at the end is dropped, as the standard says. */
export async function* readEvents(response) {
  let pending = "";
  for await (const text of chunks(response)) {
    pending += text;
    for (;;) {
      const end = /\r?\n\r?\n/.exec(pending);
      if (end === null) break;
      const event = parse(pending.slice(0, end.index));
      pending = pending.slice(end.index + end[0].length);
      if (event !== null) yield event;
    }
  }
}

async function* chunks(response) {
  // Where bodies can't be read piece by piece, the whole comes at once: later, and otherwise the same.
  if (!response.body?.getReader) {
    yield await response.text();
    return;
  }
  const reader = response.body.getReader();
  const decoder = new TextDecoder();
  try {
    for (;;) {
      // A stream in which nothing comes any more is ended here; whoever reads it misses its last event.
      const silence = setTimeout(() => reader.cancel(), SILENCE_MS);
      const { done, value } = await reader.read();
      clearTimeout(silence);
      if (done) return;
      yield decoder.decode(value, { stream: true });
    }
  } finally {
    // Whoever stops reading ends the request, and with it the work behind it.
    reader.cancel().catch(() => {});
  }
}

function parse(block) {
  let kind = "message";
  const data = [];
  for (const line of block.split(/\r?\n/)) {
    if (line.startsWith("event:")) kind = line.slice(6).trim();
    else if (line.startsWith("data:")) data.push(line.slice(5).replace(/^ /, ""));
  }
  return data.length ? { kind, data: data.join("\n") } : null;
}
