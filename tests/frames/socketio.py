"""A client of Socket.IO over either transport of Engine.IO, which sends packets as they are."""

import itertools
import json
import re
import time

import rawhttp
import websocket

PATH = "/socket.io/?EIO=4"
SEPARATOR = "\x1e"
PLAIN = ("Content-Type", "text/plain")

# Records that are only there to be waited for have this in them. They are not recorded.
BARRIER = "barrier "
BARRIERS = itertools.count(1)

# Events that answer a command. All others show a record of a log.
ANSWERS = ("connected", "status", "error", "stats", "joined_room", "watching", "auth_refreshed")
EVENT = re.compile(r'42\d*\["(\w+)"')
LOG = re.compile(r'"(?:room|conversation_id|topic)":("[^"]*"|\d+)')


class Client:
    """A session of Engine.IO, in which packets are read one by one."""

    def __init__(self, gateway, name="client", polling=False, query="", headers=()):
        self.gateway, self.name, self.transcript = gateway, name, gateway.transcript
        self.socket, self.topics, self._early, self._asked = None, set(), [], 0
        if polling:
            answer = gateway.get(f"{PATH}&transport=polling{query}", *headers, name=name)
            hello = answer.body.decode()
        else:
            self.socket = gateway.websocket(f"{PATH}&transport=websocket{query}", *headers,
                name=name)
            hello = self.socket.text()
        self.sid = json.loads(hello[1:])["sid"]
        self.path = f"{PATH}&transport=polling&sid={self.sid}"

    # --- what it sends ---

    def send(self, packet):
        """One packet, or several that travel together."""
        if self.socket:
            self.socket.send(packet)
        else:
            self.gateway.request("POST", self.path, [PLAIN], packet, name=self.name)

    def connect(self, auth=None):
        """Connect to the namespace and read the greetings."""
        self.send("40" + (json.dumps(auth) if auth is not None else ""))
        return self.until('"status",')

    def emit(self, event, *arguments):
        self.send("42" + json.dumps([event, *arguments], ensure_ascii=False))

    def ask(self, event, *arguments, events=()):
        """Send an event, and read until it is acknowledged, `events` have come, and all records of
        the client's topics. Gives the acknowledgement."""
        # Joining again tells how far this client has read.
        before = self._records() if event in ("join_room", "watch") else []
        self._asked += 1
        self.send(f"42{self._asked}" + json.dumps([event, *arguments], ensure_ascii=False))
        begin = f"43{self._asked}["
        packets = self._collect([begin, *events])
        acknowledged = next(packet for packet in packets if packet.startswith(begin))
        topic = topic_of(arguments[0]) if arguments else None
        if topic and event in ("join_room", "watch") and '"position"' in acknowledged:
            self.topics.add(topic)
        if event in ("leave_room", "unwatch") and "error" not in acknowledged:
            self.topics.discard(topic)
        self._record(before + packets + self._records())
        return acknowledged

    # --- what it reads ---

    def _packet(self):
        """The next packet, which is not recorded."""
        if self.socket:
            opcode, payload = self.socket.read(record=False)
            assert opcode == websocket.TEXT, f"{self.name}: a packet was expected, not {payload!r}"
            return payload.decode("utf-8")
        while not self._early:
            answer = self.gateway.request("GET", self.path, record=False)
            if answer.status != 200:
                self.gateway.record(answer, self.name)
                raise AssertionError(f"{self.name}: the session ended")
            self._early = answer.body.decode("utf-8").split(SEPARATOR)
        return self._early.pop(0)

    def packet(self):
        """The next packet."""
        packet = self._packet()
        self.transcript.got(f"{self.name} packet", packet)
        return packet

    def until(self, *parts):
        """Read until each of `parts` was in a packet of its own, and give all packets."""
        packets = self._collect(parts)
        self._record(packets)
        return packets

    def settle(self):
        """Read all that there is: what answers its commands, and the records of its topics."""
        self.emit("get_stats")
        self._record(self._collect(['"stats",']) + self._records())

    def _records(self):
        """Read until a record that is published now, in each of its topics."""
        parts = []
        for topic in sorted(self.topics):
            parts.append(f"{BARRIER}{next(BARRIERS)}.")
            record = {"topic": topic, "payload": {"of": parts[-1]}}
            self.gateway.post("/api/v1/publish", record, *self.gateway.publisher, record=False)
        return self._collect(parts)

    def _collect(self, parts):
        missing, begun, packets = list(parts), time.monotonic(), []
        while missing:
            packet = self._packet()
            assert time.monotonic(
                ) < begun + rawhttp.PATIENCE, f"{self.name}: waited in vain for {missing}"
            found = next((part for part in missing if part in packet), None)
            if found:
                missing.remove(found)
            packets.append(packet)
        return packets

    def _record(self, packets):
        """It is chance whether an answer or a record comes first, and of two logs which. So they are
        recorded in their order, but answers first and then log by log."""
        for packet in sorted(packets, key=source):
            if BARRIER not in packet:
                self.transcript.got(f"{self.name} packet", packet)

    # --- how it ends ---

    def closed(self):
        """Read until the session has ended."""
        if self.socket:
            self.socket.closed()
            return
        while True:
            answer = self.gateway.request("GET", self.path, record=False)
            self.gateway.record(answer, self.name)
            if answer.status != 200:
                return

    def outcome(self):
        """Record whether the session has ended; if it has not, end it."""
        if self.socket:
            self.socket.outcome()
            return
        post = self.gateway.request("POST", self.path, [PLAIN], f'40{SEPARATOR}421["outcome"]',
            name=self.name)
        self.gateway.get(self.path, name=self.name)
        if post.status == 200:
            self.leave()

    def leave(self):
        """Leave, and wait until the session is over."""
        self.send("1")
        if self.socket:
            self.socket.closed()


def source(packet):
    """Where a packet comes from: an answer, or a record and of which log."""
    event = EVENT.match(packet)
    if not event or event[1] in ANSWERS:
        return ""
    log = LOG.search(packet)
    return "log " + (log[1].strip('"').removeprefix("room:").removeprefix("@") if log else "")


def topic_of(payload):
    """The topic that a command joins or leaves."""
    if not isinstance(payload, dict):
        return None
    if "topic" in payload:
        return str(payload["topic"]) if ":" in str(payload["topic"]) else f"chan:{payload['topic']}"
    if payload.get("conversation_id") is not None:
        return f"room:{payload['conversation_id']}"
    return f"room:@{payload.get('room') or 'general'}"


def signed_in(gateway, name, user, **options):
    """A client that has said that it is this user, where nobody signs in."""
    client = Client(gateway, name, **options)
    client.connect({"user_id": user})
    return client


def guest(gateway, name="client", **options):
    client = Client(gateway, name, **options)
    client.connect()
    return client


def position(packet):
    """The last position in a packet."""
    return packet.rsplit('"position":"', 1)[1].split('"')[0]


def post_during_poll(gateway, name, path, packets):
    """Send packets while a poll waits, and record how both are answered."""
    poll = rawhttp.Stream(gateway.address)
    poll.send(rawhttp.request_bytes(gateway.address, "GET", path, [], None))
    gateway.transcript.sent(f"{name} a poll that waits")
    gateway.request("POST", path, [PLAIN], packets, name=name)
    response = rawhttp.read_head(poll)
    rawhttp.read_body(poll, "GET", response)
    gateway.record(response, f"{name} poll")
