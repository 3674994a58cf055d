// Reads recorded answers with the official client of OpenAI, as its documents say.
//
// node openai_reader.cjs BASE_URL NAME...: prints a line of JSON for each answer.
const { createRequire } = require("node:module");
const path = require("node:path");

const modules = process.env.NODE_PATH;
const load = createRequire(path.join(modules, "x.js"));
const { OpenAI } = load("openai");

// The reasons that the reference has for a reply that is over.
const ENDS = ["stop", "length", "tool_calls", "function_call", "content_filter"];

async function read(base, name) {
  const client = new OpenAI({ baseURL: `${base}/${name}`, apiKey: "none", maxRetries: 0, timeout: 20000 });
  let [text, reason, why] = ["", null, null];
  const tools = new Map();
  try {
    const messages = [{ role: "user", content: "Hi" }];
    const stream = await client.chat.completions.create({ model: "m", messages, stream: true });
    for await (const chunk of stream) {
      for (const choice of chunk.choices ?? []) {
        if (choice.index) continue;
        reason = choice.finish_reason || reason;
        for (const piece of [choice.delta?.content, choice.delta?.refusal]) {
          if (typeof piece === "string") text += piece;
        }
        for (const call of choice.delta?.tool_calls ?? []) {
          const tool = tools.get(call.index) ?? ["", ""];
          tools.set(call.index, [tool[0] + (call.function.name ?? ""), tool[1] + (call.function.arguments ?? "")]);
        }
      }
    }
  } catch (error) {
    why = error.constructor.name;
  }
  if (why === null && !ENDS.includes(reason)) why = `finish_reason ${JSON.stringify(reason)}`;
  return {
    name,
    outcome: why ? "failed" : "complete",
    why,
    text: text.toWellFormed(),
    tools: [...tools.values()].map((tool) => tool.map((part) => part.toWellFormed())),
  };
}

(async () => {
  const [base, ...names] = process.argv.slice(2);
  for (const name of names) console.log(JSON.stringify(await read(base, name)));
})();
