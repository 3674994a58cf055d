// A page that has spreadsheets worked on: it asks with fetch, and watches over a WebSocket.
//
//   node workflows.cjs HOST:PORT (run ROWS | talk)
//
// `run` makes a table, has it searched and made JSON, and compares that with what it must be. `talk` says everything that can be said over the WebSocket. Prints `frame TEXT` for
// each frame, in the order in which they come, and `answer STATUS` when the blocking request is
// answered.
const assert = require("node:assert");
const WebSocket = require("ws");

const [address, what, rows] = process.argv.slice(2);
const chats = `http://${address}/api/v1/chat/workflows`;
const CITIES = ["Köln", "Ærø", "São Paulo", "東京"];

// Values that suffer where somebody takes them for numbers, or for ASCII.
const row = (n) => ({
  account: String(9007199254740993n + BigInt(n)).padStart(20, "0"),
  name: `Jürgen "${n}" Ångström, 😀`,
  city: CITIES[n % CITIES.length],
});

const quoted = (text) => `"${text.replaceAll('"', '""')}"`;

function table(count) {
  let text = "account,name,city\n";
  for (let n = 0; n < count; n += 1) text += `${Object.values(row(n)).map(quoted).join(",")}\n`;
  return text;
}

async function post(path, options = {}) {
  const response = await fetch(chats + path, { method: "POST", ...options });
  const { data, message } = await response.json();
  return { status: response.status, data, message };
}

const create = async () => (await post("")).data.chat_id;

async function upload(chat, count) {
  const form = new FormData();
  form.append("file", new Blob([table(count)], { type: "text/csv" }), "people.csv");
  const { status, message } = await post(`/${chat}/upload`, { body: form });
  assert.equal(status, 200, message);
}

async function execute(chat, steps) {
  const headers = { "Content-Type": "application/json" };
  const body = JSON.stringify({ steps });
  const { status, data, message } = await post(`/${chat}/execute`, { headers, body });
  console.log("answer", status);
  assert.equal(status, 200, message);
  return data;
}

// What is watched, with a promise of its next frame that `wanted` accepts.
function watch(chat) {
  const ws = new WebSocket(`ws://${address}/chat/${chat}`);
  const waiting = [];
  const frames = [];
  ws.onmessage = (event) => {
    console.log("frame", event.data);
    const data = JSON.parse(event.data);
    frames.push(data);
    for (const it of waiting.splice(0)) {
      if (it.wanted(data)) it.resolve(data);
      else waiting.push(it);
    }
  };
  ws.onerror = ({ message }) => assert.fail(message);
  const next = (wanted) => new Promise((resolve) => waiting.push({ wanted, resolve }));
  return { ws, next, frames };
}

const is = (type) => (data) => data.type === type;

const OPERATIONS = {
  search: {
    operation: "csv/search",
    arguments: { conditions: [{ column: "name", operator: "contains", value: "Ångström" }] },
  },
  json: { operation: "json/generate", arguments: { pretty_print: false } },
};

async function run() {
  const chat = await create();
  const { ws, next } = watch(chat);
  await next(is("connected"));
  const over = next(is("workflow_completed"));
  await upload(chat, Number(rows));
  console.log("uploaded");
  const { search, json } = OPERATIONS;
  const { output_files: files } = await execute(chat, [search, json]);
  await over;
  ws.close();
  const found = await (await fetch(files.at(-1).download_url)).json();
  assert.equal(found.length, Number(rows));
  found.forEach((it, n) => assert.deepEqual(it, row(n)));
  console.log("rows", rows);
}

async function talk() {
  const [one, other] = [await create(), await create()];
  const { ws, next, frames } = watch(one);
  await next(is("connected"));
  // The heartbeat of a page, which looks at no answer.
  ws.send("ping");
  ws.send(JSON.stringify({ type: "ping" }));
  ws.send(JSON.stringify({ type: "hello", n: 1 }));
  ws.send(JSON.stringify({ type: "subscribe" }));
  ws.send(JSON.stringify({ type: "ping" }));
  await next(() => frames.length === 5);
  const moved = next(is("connected"));
  ws.send(JSON.stringify({ type: "subscribe", chat_id: other }));
  assert.equal((await moved).chat_id, other);
  const over = next(is("workflow_completed"));
  for (const chat of [one, other]) {
    await upload(chat, 10);
    await execute(chat, [OPERATIONS.search]);
  }
  await over;
  for (const data of frames.slice(5)) assert.equal(data.chat_id, other);
  ws.close();
}

({ run, talk })[what]().catch((why) => {
  console.error(why);
  process.exit(1);
});
