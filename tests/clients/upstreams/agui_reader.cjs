// Reads recorded answers with the official client of AG-UI, as its documents say.
//
// node agui_reader.cjs BASE_URL NAME...: prints a line of JSON for each answer.
const { createRequire } = require("node:module");
const path = require("node:path");

const load = createRequire(path.join(process.env.NODE_PATH, "x.js"));
const { HttpAgent } = load("@ag-ui/client");

console.error = console.warn = () => {};
// A connection that is lost rejects a promise that nobody else sees.
process.on("unhandledRejection", () => {});

async function read(base, name) {
  const agent = new HttpAgent({ url: `${base}/${name}`, initialMessages: [{ id: "q", role: "user", content: "Hi" }] });
  let [finished, why, streamed] = [false, null, ""];
  let messages = [];
  try {
    const { newMessages } = await agent.runAgent({ runId: "r" }, {
      onRunFinishedEvent: () => { finished = true; },
      onRunErrorEvent: () => { why = "RUN_ERROR"; },
      onTextMessageContentEvent: ({ event }) => { streamed += event.delta; },
    });
    messages = newMessages;
  } catch (error) {
    why = error.constructor.name;
  }
  if (why === null && !finished) why = "no RUN_FINISHED";
  const said = messages.filter((it) => it.role === "assistant" && typeof it.content === "string" && it.content);
  const calls = messages.flatMap((it) => it.toolCalls ?? []);
  return {
    name,
    outcome: why ? "failed" : "complete",
    why,
    text: (why ? streamed : said.map((it) => it.content).join("\n\n")).toWellFormed(),
    tools: calls.map((it) => [it.function.name, it.function.arguments]),
  };
}

(async () => {
  const [base, ...names] = process.argv.slice(2);
  for (const name of names) console.log(JSON.stringify(await read(base, name)));
})();
