"""A client of Socket.IO over either transport of Engine.IO, which sends packets as they are."""

import json

import rawhttp

PATH = "/socket.io/?EIO=4"
SEPARATOR = "\x1e"


class Client:
    """A session of Engine.IO, in which packets are read one by one."""

    def __init__(self, gateway, name="client", polling=False, query="", headers=()):
        self.gateway, self.name, self.transcript = gateway, name, gateway.transcript
        self.answers_pings = False
        self.socket, self._early, self._asked = None, [], 0
        if polling:
            answer = gateway.get(f"{PATH}&transport=polling{query}", *headers, name=name)
            hello = answer.body.decode()
        else:
            self.socket = gateway.websocket(f"{PATH}&transport=websocket{query}", *headers, name=name)
            hello = self.socket.text()
        self.sid = json.loads(hello[1:])["sid"]
        self.path = f"{PATH}&transport=polling&sid={self.sid}"

    def send(self, packet):
        """One packet, or several that travel together."""
        if self.socket:
            self.socket.send(packet)
        else:
            self.gateway.request("POST", self.path, [("Content-Type", "text/plain")], packet, name=self.name)

    def packet(self):
        """The next packet."""
        if self.socket:
            while (packet := self.socket.text()) == "2" and self.answers_pings:
                self.send("3")
            return packet
        while not self._early:
            answer = self.gateway.request("GET", self.path, record=False)
            if answer.status != 200:
                self.gateway.record(answer, self.name)
                raise AssertionError(f"{self.name}: the session ended")
            self._early = answer.body.decode("utf-8").split(SEPARATOR)
        packet = self._early.pop(0)
        self.transcript.got(f"{self.name} packet", packet)
        return packet

    def until(self, *parts):
        """Read until each of `parts` was in a packet; gives the last packet."""
        missing = list(parts)
        while missing:
            packet = self.packet()
            found = next((part for part in missing if part in packet), None)
            if found:
                missing.remove(found)
        return packet

    def connect(self, auth=None):
        """Connect to the namespace and read the greetings."""
        self.send("40" + (json.dumps(auth) if auth is not None else ""))
        return self.until('"status",')

    def emit(self, event, *arguments):
        self.send("42" + json.dumps([event, *arguments], ensure_ascii=False))

    def ask(self, event, *arguments, events=()):
        """Send an event, and read until it is acknowledged and `events` have come."""
        self._asked += 1
        self.send(f"42{self._asked}" + json.dumps([event, *arguments], ensure_ascii=False))
        self.until(f"43{self._asked}[", *events)

    def settle(self):
        """Read what comes before the answer to a command that is done after all others."""
        self.emit("get_stats")
        self.until('"stats",')

    def closed(self):
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
        post = self.gateway.request("POST", self.path, [("Content-Type", "text/plain")],
                                    f'40{SEPARATOR}421["outcome"]', name=self.name)
        self.gateway.get(self.path, name=self.name)
        if post.status == 200:
            self.leave()

    def leave(self):
        """Leave, and wait until the session is over."""
        self.send("1")
        if self.socket:
            self.socket.closed()


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
    gateway.request("POST", path, [("Content-Type", "text/plain")], packets, name=name)
    response = rawhttp.read_head(poll)
    rawhttp.read_body(poll, "GET", response)
    gateway.record(response, f"{name} poll")
