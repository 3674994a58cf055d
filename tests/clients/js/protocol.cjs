// The cases of the official test suites of Engine.IO (protocol 4) and Socket.IO (protocol 5), in words
// of our own: no registry has the suites themselves. What those ask of a server's own handlers is
// asked of the events that the gateway has.
//
//   node protocol.cjs http://HOST:PORT
//
// Prints `ok NAME` or `not ok NAME: WHY` for each case. Expects 300 ms between pings, 200 ms for the
// answer, and payloads of 1,000,000 bytes.
const assert = require("node:assert/strict");
const WebSocket = require("ws");

const base = `${process.argv[2]}/socket.io/`;
const INTERVAL = 300;
const TIMEOUT = 200;
const DEADLINE = 10_000;
const SEPARATOR = "\x1e";

const after = (ms) => new Promise((done) => setTimeout(done, ms));
const address = (query) => `${base}?${new URLSearchParams(query)}`;
const polling = { EIO: 4, transport: "polling" };
const websocket = { EIO: 4, transport: "websocket" };

async function status(query, options) {
  const answer = await fetch(address(query), options);
  await answer.text();
  return answer.status;
}

function opening(packet, upgrades) {
  assert.equal(packet[0], "0");
  const { sid, ...rest } = JSON.parse(packet.slice(1));
  assert.equal(typeof sid, "string");
  const told = { upgrades, pingInterval: INTERVAL, pingTimeout: TIMEOUT, maxPayload: 1000000 };
  assert.deepEqual(rest, told);
  return sid;
}

// A session that polls.
class Poller {
  static async open() {
    const answer = await fetch(address(polling));
    assert.equal(answer.status, 200);
    return new Poller(opening(await answer.text(), ["websocket"]));
  }

  constructor(sid) {
    this.query = { ...polling, sid };
    this.upgrade = { ...websocket, sid };
  }

  async get(options) {
    const answer = await fetch(address(this.query), options);
    return [answer.status, await answer.text()];
  }

  async post(...packets) {
    const options = { method: "POST", body: packets.join(SEPARATOR) };
    const answer = await fetch(address(this.query), options);
    return [answer.status, await answer.text()];
  }

  async isGone() {
    assert.equal((await this.get())[0], 400);
  }
}

// A WebSocket whose frames are kept until somebody asks for them. An error that nobody expects, such
// as a refused handshake, is one of the case.
class Socket {
  constructor(query, { mayFail = false } = {}) {
    this.frames = [];
    this.takers = [];
    this.raw = new WebSocket(address(query).replace("http", "ws"));
    const failed = new Promise((_, fail) => this.raw.on("error", (why) => mayFail || fail(why)));
    const once = (name) => new Promise((done) => this.raw.once(name, done));
    this.opened = Promise.race([once("open"), failed]);
    this.closed = Promise.race([once("close"), failed]);
    this.closed.catch(() => {});
    this.opened.catch(() => {});
    this.raw.on("message", (data, isBinary) => {
      const frame = isBinary ? data : data.toString();
      const taker = this.takers.shift();
      if (taker) taker(frame);
      else this.frames.push(frame);
    });
  }

  static async open() {
    const socket = new Socket(websocket);
    opening(await socket.next(), []);
    return socket;
  }

  static async connected() {
    const socket = await Socket.open();
    socket.send("40");
    assert.match(await socket.next(), /^40\{"sid":"[^"]+"\}$/);
    assert.match(await socket.next(), /^42\["status",/);
    return socket;
  }

  next() {
    if (this.frames.length) return Promise.resolve(this.frames.shift());
    return new Promise((done) => this.takers.push(done));
  }

  // The next packet that is no ping.
  async packet() {
    let packet;
    do packet = await this.next();
    while (packet === "2");
    return packet;
  }

  send(...packets) {
    for (const packet of packets) this.raw.send(packet);
  }

  // It is a good connection, in whatever state.
  async answers() {
    this.send("40", '4217["e"]');
    let packet;
    do packet = await this.packet();
    while (packet !== "4317[]");
  }

  async upgraded() {
    await this.opened;
    this.send("2probe");
    assert.equal(await this.next(), "3probe");
  }
}

const cases = {
  async "a handshake over polling"() {
    await Poller.open();
  },
  async "a handshake over polling without the protocol's version, or with none"() {
    assert.equal(await status({ transport: "polling" }), 400);
    assert.equal(await status({ EIO: "abc", transport: "polling" }), 400);
  },
  async "a handshake without a transport, or with one that there is not"() {
    assert.equal(await status({ EIO: 4 }), 400);
    assert.equal(await status({ EIO: 4, transport: "abc" }), 400);
  },
  async "a handshake with another method"() {
    for (const method of ["POST", "PUT"]) assert.equal(await status(polling, { method }), 400);
  },
  async "a handshake over WebSocket"() {
    (await Socket.open()).raw.close();
  },
  async "a WebSocket without the protocol's version, or with none"() {
    await new Socket({ transport: "websocket" }, { mayFail: true }).closed;
    await new Socket({ EIO: "abc", transport: "websocket" }, { mayFail: true }).closed;
  },
  async "a WebSocket without a transport, or with one that there is not"() {
    await new Socket({ EIO: 4 }, { mayFail: true }).closed;
    await new Socket({ EIO: 4, transport: "abc" }, { mayFail: true }).closed;
  },
  async "a body with one packet"() {
    const session = await Poller.open();
    assert.deepEqual(await session.post("40"), [200, "ok"]);
    const [code, body] = await session.get();
    assert.equal(code, 200);
    assert.match(body, /^40\{"sid"/);
  },
  async "a body with several packets"() {
    const session = await Poller.open();
    assert.deepEqual(await session.post("40", '421["e"]', '422["e"]'), [200, "ok"]);
    const [code, body] = await session.get();
    assert.equal(code, 200);
    assert.deepEqual(body.split(SEPARATOR).slice(2), ["431[]", "432[]"]);
  },
  async "a body with text and bytes"() {
    const session = await Poller.open();
    const event = '451-7["e",{"_placeholder":true,"num":0}]';
    assert.deepEqual(await session.post("40", event, "bAQIDBA=="), [200, "ok"]);
    const [code, body] = await session.get();
    assert.equal(code, 200);
    assert.match(body.split(SEPARATOR).at(-1), /^437\[/);
  },
  async "a body that is no packets ends the session"() {
    const session = await Poller.open();
    assert.equal((await session.post("abc"))[0], 400);
    await session.isGone();
  },
  async "two polls at once end the session, and the first is told"() {
    const session = await Poller.open();
    const [one, other] = await Promise.all([session.get(), after(20).then(() => session.get())]);
    assert.deepEqual(one, [200, "1"]);
    assert.equal(other[0], 400);
    await session.isGone();
  },
  async "a poll that its client gives up ends the session"() {
    const session = await Poller.open();
    let answer = [200];
    // A poll that is given up before it has come ends nothing.
    for (let wait = 20; answer[0] === 200 && wait < INTERVAL; wait *= 3) {
      const giveUp = new AbortController();
      const poll = session.get({ signal: giveUp.signal }).catch(({ name }) => name);
      await after(wait);
      giveUp.abort();
      assert.equal(await poll, "AbortError");
      answer = await session.get();
    }
    assert.equal(answer[0], 400);
  },
  async "a text frame"() {
    await (await Socket.open()).answers();
  },
  async "a binary frame"() {
    const socket = await Socket.open();
    socket.send(Uint8Array.of(1, 2, 3, 4));
    await socket.answers();
  },
  async "a frame that is no packet ends the session"() {
    const socket = await Socket.open();
    socket.send("abc");
    await socket.closed;
  },
  async "pings over polling"() {
    const session = await Poller.open();
    for (let n = 0; n < 3; n++) {
      assert.deepEqual(await session.get(), [200, "2"]);
      assert.deepEqual(await session.post("3"), [200, "ok"]);
    }
  },
  async "who does not poll in time finds no session"() {
    const session = await Poller.open();
    await after(INTERVAL + TIMEOUT);
    await session.isGone();
  },
  async "pings over WebSocket"() {
    const socket = await Socket.open();
    for (let n = 0; n < 3; n++) {
      assert.equal(await socket.next(), "2");
      socket.send("3");
    }
    socket.raw.close();
  },
  async "a WebSocket that answers no ping is closed"() {
    await new Socket(websocket).closed;
  },
  async "a poll that waits when the client closes is told"() {
    const session = await Poller.open();
    const [poll] = await Promise.all([session.get(), session.post("1")]);
    assert.deepEqual(poll, [200, "6"]);
    await session.isGone();
  },
  async "a WebSocket that says that it closes is closed"() {
    const socket = await Socket.open();
    socket.send("1");
    await socket.closed;
  },
  async "an upgrade lets the poll go"() {
    const session = await Poller.open();
    const socket = new Socket(session.upgrade);
    await socket.upgraded();
    assert.deepEqual(await session.get(), [200, "6"]);
    socket.send("5");
    await socket.answers();
  },
  async "after an upgrade there is nothing to poll"() {
    const session = await Poller.open();
    const socket = new Socket(session.upgrade);
    await socket.upgraded();
    socket.send("5");
    await session.isGone();
    await socket.answers();
  },
  async "after an upgrade that waits for nothing there is nothing to poll"() {
    const session = await Poller.open();
    const socket = new Socket(session.upgrade);
    await socket.opened;
    socket.send("2probe", "5");
    await session.isGone();
  },
  async "after an upgrade another WebSocket is opened and closed"() {
    const session = await Poller.open();
    const socket = new Socket(session.upgrade);
    await socket.upgraded();
    socket.send("5");
    const other = new Socket(session.upgrade);
    await other.opened;
    await other.closed;
    await socket.answers();
  },
  async "during an upgrade another WebSocket is opened and closed"() {
    const session = await Poller.open();
    const socket = new Socket(session.upgrade);
    await socket.opened;
    socket.send("2probe", "5");
    await new Socket(session.upgrade).closed;
  },
  async "the main namespace, and what it is told"() {
    await Socket.connected();
    const socket = await Socket.open();
    socket.send('40{"token":null,"any":"thing"}');
    assert.match(await socket.next(), /^40\{"sid":"[^"]+"\}$/);
  },
  async "an unknown namespace is refused"() {
    const socket = await Socket.open();
    socket.send("40/random");
    assert.equal(await socket.next(), '44/random,{"message":"Invalid namespace"}');
  },
  async "what is no packet instead of the connect ends the connection"() {
    const socket = await Socket.open();
    socket.send("4abc");
    await socket.closed;
  },
  async "a connection that never connects ends"() {
    await (await Socket.open()).closed;
  },
  async "who leaves the namespace stays connected"() {
    const socket = await Socket.connected();
    socket.send("41");
    assert.equal(await socket.next(), "2");
  },
  async "who leaves another namespace stays in the main one"() {
    const socket = await Socket.connected();
    socket.send("41/custom", '42456["e",1,"2",{"3":[true]}]');
    assert.equal(await socket.packet(), "43456[]");
  },
  async "an event with attachments is acknowledged"() {
    const socket = await Socket.connected();
    const places = [0, 1].map((num) => `{"_placeholder":true,"num":${num}}`);
    socket.send(`452-789["e",${places}]`, Uint8Array.of(1, 2, 3), Uint8Array.of(4, 5, 6));
    assert.match(await socket.packet(), /^42\["error",/);
    assert.match(await socket.packet(), /^43789\[/);
    socket.raw.close();
  },
  async "an unknown type of packet ends the connection"() {
    const socket = await Socket.connected();
    socket.send("4abc");
    await socket.closed;
  },
  async "an event that is no list ends the connection"() {
    const socket = await Socket.connected();
    socket.send("42{}");
    await socket.closed;
  },
  async "an id that is no number ends the connection"() {
    const socket = await Socket.connected();
    socket.send('42abc["e",1]');
    await socket.closed;
  },
};

async function run(name, work) {
  const late = after(DEADLINE).then(() => assert.fail("nothing happened in time"));
  try {
    await Promise.race([work(), late]);
    console.log(`ok ${name}`);
  } catch (why) {
    console.log(`not ok ${name}: ${String(why.stack).replaceAll("\n", " ")}`);
  }
}

async function all() {
  for (const [name, work] of Object.entries(cases)) await run(name, work);
  process.exit(0);
}

all();
