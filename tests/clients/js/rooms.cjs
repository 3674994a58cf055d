// A page that does what it is told, line by line.
//
//   node rooms.cjs PACKAGE URL TRANSPORTS (manager | service)
//
// PACKAGE is the Socket.IO client to load, TRANSPORTS a list with commas, or `default`. A line of
// standard input is a JSON list: a method and its arguments. Prints `{"answer":VALUE}` for each of
// them, and `{"event":NAME,"data":VALUE}` for what happens.
const readline = require("node:readline");
const { SocketManager } = require("./socket_manager.cjs");
const { WebSocketService } = require("./websocket_service.cjs");

const [library, url, transports, kind] = process.argv.slice(2);
const { io } = require(library);
const options = { reconnectionDelay: 10, reconnectionDelayMax: 50, reconnectionAttempts: 10000 };
if (transports !== "default") options.transports = transports.split(",");
const client = new { manager: SocketManager, service: WebSocketService }[kind](io, url, options);

const print = (line) => process.stdout.write(`${JSON.stringify(line)}\n`);
const tell = (event, data = null) => print({ event, data });
const handlers = {};
const early = [];
let joins = () => {};

const REPLY = ["ai_thinking", "ai_response_chunk", "ai_response_complete", "ai_response_error"];
const EVENTS = ["new_message", ...REPLY, "gap", "error"];

function hear(name) {
  const handler = (data) => tell(name, data);
  handlers[name] = handler;
  if (name === "new_message" && client.onMessage) client.onMessage(handler);
  else if (name === "llm_token" && client.onLLMToken) client.onLLMToken(handler);
  else (client.on ? client : client.socket).on(name, handler);
}

// What happens to the connection.
function watch() {
  const { socket } = client;
  socket.on("connect", () => {
    tell("connect", { id: socket.id, recovered: socket.recovered });
    // Events that were read before are told first, and may have cut the connection again: a join
    // would then wait for the next one, and ask there for what was shown meanwhile.
    if (socket.connected) joins();
  });
  socket.on("disconnect", (reason) => tell("disconnect", { reason, active: socket.active }));
  socket.on("connect_error", ({ message }) => {
    // Without a server there are as many of these as tries.
    if (!socket.active) tell("connect_error", { message, active: socket.active });
  });
  socket.io.on("open", () => {
    socket.io.engine.once("upgrade", ({ name }) => tell("upgrade", { transport: name }));
  });
}

const told = {
  connect(...args) {
    // The page's promise may never settle, and is not waited for.
    client.connect(...args)?.catch(({ message }) => tell("gave up", { message }));
    watch();
    for (const name of early.splice(0)) hear(name);
  },
  hear(...names) {
    // One of the pages has no socket to listen to before it connects.
    if (client.on || client.socket) names.forEach(hear);
    else early.push(...names);
  },
  unhear(name) {
    client.off(name, handlers[name]);
  },
  // Shows a conversation with positions, and goes on after the last one whenever it connects. The
  // connection is lost after `every` events, `cuts` times: cut under the client's hands, or left.
  follow(conversation, every, cuts) {
    let position;
    let events = 0;
    let lost = 0;
    joins = () => {
      const payload = { conversation_id: conversation, since: position, positions: true };
      client.socket.emit("join_room", payload);
    };
    client.on("joined_room", (data) => {
      if (position === undefined) tell("following");
      position ??= data.position;
    });
    for (const name of EVENTS) {
      client.on(name, (data) => {
        position = data.position;
        tell(name, data);
        events += 1;
        // What was read before the connection was cut is told after it.
        if (events < every || lost === cuts || !client.socket.connected) return;
        // One that is closing already is not lost again.
        if (client.socket.io.engine.readyState !== "open") return;
        events = 0;
        lost += 1;
        if (lost % 2) client.socket.io.engine.close();
        else client.socket.disconnect().connect();
      });
    }
  },
  // Cuts the connection under the client's hands, until it is to come back.
  cut() {
    client.socket.io.reconnection(false);
    client.socket.io.engine.close();
  },
  back() {
    client.socket.io.reconnection(true);
    client.socket.connect();
  },
  // Cuts it after every so many events, and the client comes back by itself. Neither while an event is
  // looked at nor during an upgrade: then it may have read packets that it tells of only when it is
  // back, and does not say that it has them. A connection that is lost by itself does not do that.
  cut_every(name, every) {
    let events = 0;
    client.socket.on(name, () => {
      events += 1;
      if (events % every !== 0) return;
      setImmediate(() => {
        const { engine } = client.socket.io;
        if (!engine.upgrading) engine.close();
      });
    });
  },
  emit(...args) {
    client.socket.emit(...args);
  },
  ask(...args) {
    return client.socket.timeout(30000).emitWithAck(...args);
  },
  transport: () => client.socket.io.engine.transport.name,
  state() {
    const { socket } = client;
    return { active: socket.active, connected: socket.connected };
  },
};

async function listen() {
  for await (const line of readline.createInterface({ input: process.stdin })) {
    const [method, ...args] = JSON.parse(line);
    const run = told[method] ?? client[method].bind(client);
    try {
      print({ answer: (await run(...args)) ?? null });
    } catch (why) {
      print({ answer: { failed: why.message } });
    }
  }
  client.socket?.disconnect();
}

listen();
