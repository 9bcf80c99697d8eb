// Plays one scene with OpenAI's client for JavaScript and prints what it saw as one line of JSON.
// Address, token and model come as arguments: what the tests give is all that it knows.
import OpenAI from "openai";

const [scene, baseURL, apiKey, model] = process.argv.slice(2);
const client = new OpenAI({ baseURL, apiKey, maxRetries: 0 });
const messages = [{ role: "user", content: "Tell me of the river and the two mills beside it." }];
const tools = [
  {
    type: "function",
    function: {
      name: "weather",
      parameters: { type: "object", properties: { city: { type: "string" } }, required: ["city"] },
    },
  },
];

const scenes = {
  async text() {
    const answer = await client.chat.completions.create({ model, messages });
    return { content: answer.choices[0].message.content, finish: answer.choices[0].finish_reason };
  },
  async stream() {
    const stream = await client.chat.completions.create({
      model, messages, stream: true, stream_options: { include_usage: true },
    });
    let content = "";
    let usage = null;
    for await (const chunk of stream) {
      content += chunk.choices[0]?.delta?.content ?? "";
      usage = chunk.usage ?? usage;
    }
    return { content, tokens: usage?.total_tokens };
  },
  async tools() {
    const first = await client.chat.completions.create({ model, messages, tools });
    const call = first.choices[0].message.tool_calls[0];
    const result = { role: "tool", tool_call_id: call.id, content: "Sunny" };
    const then = [...messages, first.choices[0].message, result];
    const last = await client.chat.completions.create({ model, messages: then, tools });
    return {
      called: call.function.name,
      arguments: Object.keys(JSON.parse(call.function.arguments)),
      content: last.choices[0].message.content,
    };
  },
  async streamedTools() {
    const runner = client.chat.completions.stream({ model, messages, tools });
    const message = await runner.finalMessage();
    return { called: message.tool_calls[0].function.name, arguments: message.tool_calls[0].function.arguments };
  },
  async models() {
    const ids = [];
    for await (const one of client.models.list()) ids.push(one.id);
    return { known: ids.includes(model), one: (await client.models.retrieve(model)).id };
  },
};

try {
  console.log(JSON.stringify(await scenes[scene]()));
} catch (error) {
  if (!(error instanceof OpenAI.APIError)) throw error;
  console.log(JSON.stringify({ error: error.constructor.name, status: error.status ?? null, code: error.code }));
}
