"""What is refused because too much is asked for, and what is said then."""

import json

import rawhttp
import websocket
from gateway import JWT, Gateway, token
from socketio import PATH, PLAIN, Client, guest

PUBLISH = "/api/v1/publish"


def record(transcript, binary):
    limits(transcript, binary)
    bytes_of_input(transcript, binary)
    strangers(transcript, binary)
    without_keys(transcript, binary)


def limits(transcript, binary):
    with Gateway(transcript, binary, "a limit of requests",
            {"limits.requests_per_second": "1"}) as gateway:
        until_refused(gateway, lambda: gateway.get("/api/v1/topics", record=False), 429)
    with Gateway(transcript, binary, "a limit of publications",
            {"limits.publishes_per_second": "1"}) as gateway:
        body = '{"channel":"demo","payload":1}'
        until_refused(gateway, lambda: gateway.post(PUBLISH, body, record=False), 429)
    with Gateway(transcript, binary, "a limit of bad tokens",
            JWT | {"limits.bad_tokens_per_minute": "2"}) as gateway:
        bad = ("Authorization", "Bearer nonsense")
        until_refused(gateway, lambda: gateway.get("/api/v1/topics", bad, record=False), 429)
    settings = {"limits.connections_per_ip": "1"}
    with Gateway(transcript, binary, "one session of an address", settings) as gateway:
        socket = gateway.websocket("/ws")
        socket.sync()
        gateway.websocket("/ws", name="second")
        socket.close()
    with Gateway(transcript, binary, "one session", {"limits.connections": "1"}) as gateway:
        socket = gateway.websocket("/ws")
        gateway.websocket("/ws", name="second")
        gateway.get("/events?topic=a")
        gateway.get("/socket.io/?EIO=4&transport=polling")
        gateway.get("/healthz")
        socket.close()
        gateway.sessions(0)
        gateway.metrics()
    with Gateway(transcript, binary, "one topic", {"limits.topics": "1"}) as gateway:
        socket = gateway.websocket("/ws")
        socket.send('{"action":"subscribe","channel":"a"}')
        socket.text()
        gateway.post(PUBLISH, '{"channel":"b","payload":1}')
        socket.send('{"channel":"b","payload":1}')
        socket.send('{"action":"subscribe","channel":"b"}')
        socket.text()
        socket.text()
        socket.close()


def bytes_of_input(transcript, binary):
    with Gateway(transcript, binary, "bytes of input", {"limits.input_bytes": "20000"}) as gateway:
        large = "x" * 200_000
        gateway.post(PUBLISH, {"channel": "a", "payload": large})
        gateway.post("/send", {"user_id": "7", "message": large})
        gateway.post("/messages", {"user_id": "7", "conversation_id": 1, "content": large})
        for path, text in (("/ws", json.dumps({"channel": "a", "payload": large})),
                ("/chat", large), (f"{PATH}&transport=websocket", f'42["e","{large}"]')):
            socket = gateway.websocket(path)
            # A part of it is enough.
            socket.send_raw(websocket.frame(websocket.TEXT, text.encode())[:-1], "nearly a frame")
            socket.closed()
        client = guest(gateway, "rooms, polling", polling=True)
        gateway.request("POST", client.path, [PLAIN], f'42["e","{large}"]')
        gateway.get(client.path)
        gateway.metrics()


def strangers(transcript, binary):
    settings = JWT | {"limits.connections": "8", "limits.stranger_share": "0.125"}
    with Gateway(transcript, binary, "strangers", settings) as gateway:
        first = Client(gateway, "first")
        second = Client(gateway, "second")
        first.closed()
        second.connect({"token": token(sub="7")})
        third = Client(gateway, "third", polling=True)
        fourth = Client(gateway, "fourth")
        third.closed()
        fourth.leave()
        second.leave()
    with Gateway(transcript, binary, "a share of connections", JWT | {"limits.connections": "8"}) as gateway:
        bearer = ("Authorization", f"Bearer {token(sub='7')}")
        sockets = [gateway.websocket("/ws", bearer, name=f"ws {number}") for number in range(2)]
        for socket in sockets:
            socket.sync()
        gateway.websocket("/ws", bearer, name="too many")
        events = gateway.stream("GET", "/events?topic=user:7", [bearer], name="too many")
        events.close()
        client = Client(gateway, "rooms")
        client.send("40" + json.dumps({"token": token(sub="7")}))
        client.socket.sync()
        client.leave()
        for socket in sockets:
            socket.close()


def without_keys(transcript, binary):
    settings = {"auth.mode": "jwt", "auth.jwt.jwks": "http://127.0.0.1:1/keys"}
    with Gateway(transcript, binary, "keys that cannot be fetched", settings) as gateway:
        # It names a key, as tokens that are checked with a set do.
        shown = "eyJhbGciOiJSUzI1NiIsImtpZCI6ImEifQ.eyJzdWIiOiI3In0.c2ln"
        bearer = ("Authorization", f"Bearer {shown}")
        gateway.get("/api/v1/topics", bearer)
        gateway.post("/send", {"message": "hi"}, bearer)
        gateway.get("/conversations", bearer)
        gateway.get("/api/v1/chat/workflows", bearer)
        gateway.websocket("/ws", bearer)
        client = Client(gateway)
        client.send("40" + json.dumps({"token": shown}))
        client.socket.sync()
        client.leave()
        gateway.get(f"{PATH}&transport=polling", bearer)
        gateway.metrics()
    keys = {"auth.jwt.secret": JWT["auth.jwt.secret"]}
    with Gateway(transcript, binary, "open, with a key", keys) as gateway:
        for shown in ("nonsense", token(sub="7"), token(sub="7", ttl=-60)):
            bearer = ("Authorization", f"Bearer {shown}")
            gateway.post(PUBLISH, {"channel": "a", "payload": 1}, bearer)
            gateway.post("/send", {"user_id": "8", "message": "hi"}, bearer)
            gateway.get("/conversations?user_id=8", bearer)


def until_refused(gateway, request, status):
    """Repeat a request until it is refused, which is recorded."""
    def look():
        response = request()
        return response if response.status == status else None
    gateway.record(rawhttp.eventually(f"status {status}", look))
