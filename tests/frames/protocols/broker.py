"""The broker's WebSocket: commands in all forms, what is wrong with them, and how connections end."""

import json
import struct

import websocket
from gateway import JWT, Gateway, token


def record(transcript, binary):
    commands(transcript, binary)
    publishing(transcript, binary)
    resuming(transcript, binary)
    handshakes(transcript, binary)
    bad_frames(transcript, binary)
    signed_in(transcript, binary)
    ends(transcript, binary)
    turns(transcript, binary)


def forms(action, channel, **more):
    """One command in the four forms."""
    fields = {"channel": channel} | more
    return [
        {"channel": "subscription", "payload": {"action": action} | fields},
        {"action": action} | fields,
        {"type": action, "payload": fields},
        {"type": action} | fields,
    ]


def ask(socket, command, answers=1):
    socket.send(command if isinstance(command, str) else json.dumps(command))
    return [socket.text() for _ in range(answers)][-1]


def commands(transcript, binary):
    with Gateway(transcript, binary, "commands", {"broker.max_channels": "8"}) as gateway:
        socket = gateway.websocket("/ws")
        other = gateway.websocket("/ws", name="other")
        for number, command in enumerate(forms("subscribe", "demo")):
            command = json.loads(json.dumps(command).replace("demo", f"demo{number}"))
            ask(socket, command)
        for action in ("subscribe", "history", "presence", "unsubscribe", "unsubscribe"):
            for command in forms(action, "demo0"):
                ask(socket, command)
        for command in forms("ping", "demo0")[:2] + [{"type": "ping"}, {"action": "ping"}]:
            ask(socket, command)
        for command in forms("cancel", "demo0", turn="01a1fc38-7d52-71cc-a09a-5fd2b57c9c0f"):
            ask(socket, command)
        for command in forms("cancel", "demo0", turn="nonsense") + forms("cancel", "demo0", turn=7):
            ask(socket, command)
        for command in forms("fly", "demo0")[:2]:
            ask(socket, command)
        transcript.note("names of channels")
        names = ["", "a b", "a\u0007b", "a\nb", "a\u00a0b", "é" * 100, "é" * 101, "x" * 201,
            "subscription",
            "room:42", "chat:9", "user:7", "chan:x", "other:y", 7, None, ["a"], True]
        for name in names:
            for command in forms("subscribe", name)[:3] if name in ("", 7) else forms("subscribe",
                    name)[1:2]:
                ask(socket, command)
            ask(socket, forms("unsubscribe", name)[1])
        transcript.note("options")
        for options in ({"since": "nonsense"}, {"since": 7}, {"since": None}, {"positions": 1},
                {"positions": None},
                {"since": "0000000000000-0"}, {"positions": False}, {"since": ""}):
            ask(socket, forms("subscribe", "options", **options)[0])
            socket.sync()
        for limit in (0, 1, 1000, 1001, -1, 1.5, "7", None):
            ask(socket, forms("history", "demo1", limit=limit)[1])
        ask(socket, forms("history", "demo1", since="nonsense")[2])
        transcript.note("too many channels")
        for number in range(9):
            ask(socket, {"action": "subscribe", "channel": f"more{number}"})
        transcript.note("malformed frames")
        malformed = [
            "", "{", "nonsense", "[]", "7", "null", '"text"', "{}", '{"channel":"demo0"',
                '{"payload":1}',
            '{"channel":"subscription"}', '{"channel":"subscription","payload":7}',
            '{"channel":"subscription","payload":{}}',
                '{"channel":"subscription","payload":{"action":7}}',
            '{"channel":"subscription","payload":{"action":"fly"}}', '{"action":"fly"}',
                '{"action":7}',
            '{"action":"subscribe"}', '{"action":"history"}', '{"action":"presence"}',
                '{"action":"cancel"}',
            '{"type":"subscribe"}', '{"type":"subscribe","payload":7}',
                '{"type":"subscribe","payload":{}}',
            '{"type":"fly"}', '{"channel":7,"payload":1}', '{"channel":"","payload":1}',
                '{"channel":null}',
            '{"channel":"a\\u0007","payload":1}', "[" * 200 + "]" * 200, '{"action":"refresh"}',
            '{"action":"subscribe","channel":"a","channel":"b"}', '{"a":1,}', "{'a':1}",
                '{"a":NaN}',
        ]
        for text in malformed:
            socket.send(text)
            socket.sync()
        socket.send(b"\x00\x01", websocket.BINARY)
        socket.sync()
        socket.send('{"channel":"demo1","pay', fin=False)
        socket.send('load":"in pieces"}', 0)
        socket.send("", websocket.PING)
        socket.read()
        socket.sync()
        ask(other, forms("history", "demo1")[0])
        other.close()
        socket.close()
        gateway.sessions(0)
        gateway.metrics()


def publishing(transcript, binary):
    with Gateway(transcript, binary, "publishing") as gateway:
        sender = gateway.websocket("/ws", name="sender")
        plain = gateway.websocket("/ws", name="plain")
        placed = gateway.websocket("/ws", name="placed")
        ask(plain, forms("subscribe", "demo")[0])
        ask(placed, forms("subscribe", "demo", positions=True)[1])
        ask(sender, forms("subscribe", "demo")[1])
        frames = [
            '{"channel":"demo","payload":{"message":"hello"}}', '{"channel":"demo","payload":null}',
            '{ "channel" : "demo", "payload" : [1, 2.50, 12345678901234567890123, "\\u00e9"] , "more": true }',
            '{"channel":"demo","message":"bare","message_id":"m1"}',
                '{"channel":"demo","message":7}',
            '{"type":"demo","payload":{"first":"revision"}}',
                '{"channel":"demo","payload":"","message_id":"m2"}',
            '{"type":"refresh","channel":"demo","payload":1}',
                '{"type":"cancel","channel":"demo","payload":2}',
            '{"channel":"demo","kind":"x","payload":{}}',
                '{"channel":"chan:demo","payload":"by its topic"}',
        ]
        for frame in frames:
            sender.send(frame)
        sender.send('{"channel":"demo","payload":"last"}')
        plain.until("last")
        placed.until("last")
        sender.sync()
        ask(sender, forms("history", "demo")[0])
        ask(sender, forms("history", "demo", limit=3)[3])
        transcript.note("records of another protocol")
        for topic in ("room:42", "user:7", "chat:9"):
            ask(plain, forms("subscribe", topic)[1])
            ask(placed, forms("subscribe", topic, positions=True)[0])
            gateway.post("/api/v1/publish", {"topic": topic, "payload": {"n": 1.50}})
            sender.send(json.dumps({"channel": topic, "payload": {"text": "from a client"}}))
            sender.send(json.dumps({"channel": topic, "message": "bare last"}))
            plain.until("bare last")
            placed.until("bare last")
            gateway.get(f"/api/v1/topics/{topic}/history")
        ask(placed, forms("presence", "room:42")[0])
        transcript.note("nothing more comes after unsubscribing")
        ask(plain, forms("unsubscribe", "demo")[2])
        ask(placed, forms("subscribe", "demo", positions=False)[2])
        sender.send('{"channel":"demo","payload":"after"}')
        placed.until("after")
        plain.sync()
        for socket in (sender, plain, placed):
            socket.close()


def resuming(transcript, binary):
    for policy in ("skip", "coalesce", "disconnect"):
        settings = {"topics.chan.events": "4", "topics.chan.on_slow": policy,
            "topics.chan.patience": "0s"}
        with Gateway(transcript, binary, f"resuming, {policy}", settings) as gateway:
            sender = gateway.websocket("/ws", name="sender")
            reader = gateway.websocket("/ws", name="reader")
            begin = json.loads(ask(reader, forms("subscribe", "demo", positions=True)[1]))[
                "position"]
            for number in range(3):
                sender.send(json.dumps({"channel": "demo", "payload": number,
                    "message_id": f"m{number % 2}"}))
            middle = json.loads(reader.until('"payload": 2'))["position"]
            reader.close()
            late = gateway.websocket("/ws", name="late")
            ask(late, forms("subscribe", "demo", since=begin)[0])
            late.until('"payload": 2')
            for number in range(3, 9):
                sender.send(json.dumps({"channel": "demo", "payload": number,
                    "message_id": f"m{number % 2}"}))
                late.until(f'"payload": {number}')
            ask(late, forms("subscribe", "demo", since=middle, positions=True)[1])
            late.until('"payload": 8')
            ask(late, forms("history", "demo", since=begin)[0])
            ask(late, forms("history", "demo", since=middle, limit=2)[1])
            ask(late, forms("subscribe", "nothing", since=middle)[1])
            late.sync()
            ask(late, forms("history", "nothing", since=middle)[1])
            late.close()
            sender.close()


def handshakes(transcript, binary):
    with Gateway(transcript, binary, "handshakes", {"broker.path": "/socket"}) as gateway:
        gateway.get("/socket")
        gateway.request("POST", "/socket")
        for change in (("Sec-WebSocket-Version", "8"), ("Sec-WebSocket-Key", "short"), ("Upgrade",
                "h2c"),
                ("Connection", "close")):
            headers = [change if name == change[0] else (name, value) for name,
                value in websocket.HANDSHAKE]
            gateway.get("/socket", *headers)
        for missing in range(4):
            gateway.get("/socket", *(websocket.HANDSHAKE[:missing] + websocket.HANDSHAKE[
                missing + 1:]))
        for protocols in ("quadrille", "a, b", "quadrille, quadrille.token.x", "quadrille.token.x",
                ""):
            opened = gateway.websocket("/socket", ("Sec-WebSocket-Protocol", protocols))
            opened.close()
        opened = gateway.websocket("/socket?token=x", ("Sec-WebSocket-Extensions",
            "permessage-deflate"))
        opened.close()
        gateway.websocket("/ws")
        gateway.websocket("/socket", ("Host", "evil.example"))


def bad_frames(transcript, binary):
    with Gateway(transcript, binary, "bad frames", {"broker.max_message_size": "1000"}) as gateway:
        cases = {
            "without a mask": websocket.frame(1, b"{}", masked=False),
            "with a reserved bit": websocket.frame(1, b"{}", reserved=4),
            "with an unknown opcode": websocket.frame(3, b"{}"),
            "of a continuation of nothing": websocket.frame(0, b"{}"),
            "in the middle of a message": websocket.frame(1, b"{", fin=False) + websocket.frame(1,
                b"}"),
            "that is no UTF-8": websocket.frame(1, b"\xff\xfe"),
            "of a ping in pieces": websocket.frame(9, b"", fin=False),
            "of a ping that is too long": websocket.frame(9, b"x" * 126),
            "that is too large": websocket.frame(1, b"x" * 1001),
            "that is too large in pieces": websocket.frame(1, b"x" * 600,
                fin=False) + websocket.frame(0, b"x" * 600),
            "of a length beyond all": b"\x81\xff\xff\xff\xff\xff\xff\xff\xff\xff\x11\x22\x33\x44",
            "of 5000 pieces": websocket.frame(1, b"", fin=False) + websocket.frame(0, b"",
                fin=False) * 5000,
            "of a close with one byte": websocket.frame(8, b"x"),
            "of a close with a bad code": websocket.frame(8, struct.pack("!H", 1005)),
            "of a close with bad text": websocket.frame(8, struct.pack("!H", 1000) + b"\xff"),
            "of a close without a code": websocket.frame(8, b""),
            "of a close with a code of its own": websocket.frame(8, struct.pack("!H",
                4000) + b"bye"),
        }
        for what, data in cases.items():
            socket = gateway.websocket("/ws")
            socket.send_raw(data, f"frame {what}")
            socket.closed()


def signed_in(transcript, binary):
    with Gateway(transcript, binary, "signed in", JWT) as gateway:
        gateway.websocket("/ws")
        for bad in (token("x" * 32, sub="7"), token(sub="7", ttl=-60), "nonsense"):
            gateway.websocket("/ws", ("Authorization", f"Bearer {bad}"))
            gateway.websocket(f"/ws?token={bad}")
        grants = {"channels": {"read": ["news-*"], "write": ["news-a"]}, "rooms": ["42"]}
        good = token(sub="7", name="Ann", **grants)
        by_protocol = gateway.websocket("/ws", ("Sec-WebSocket-Protocol",
            f"quadrille, quadrille.token.{good}"))
        by_protocol.close()
        cookie = ("Cookie", f"access_token={good}")
        gateway.websocket("/ws", cookie, ("Origin", "https://evil.example"))
        gateway.websocket("/ws", cookie)
        socket = gateway.websocket("/ws", ("Authorization", f"Bearer {good}"))
        for name in ("news-a", "news-b", "news", "other", "room:42", "room:43", "user:7", "user:8"):
            ask(socket, forms("subscribe", name)[0])
            ask(socket, forms("history", name)[1])
            ask(socket, forms("presence", name)[1])
            socket.send(json.dumps({"channel": name, "payload": 1}))
            socket.sync()
        for shown in ("nonsense", token(sub="8"), token(sub="7", ttl=-60), 7, token("x" * 32,
                sub="7")):
            ask(socket, {"action": "refresh", "token": shown})
        ask(socket, forms("refresh", "ignored", token=good)[0])
        transcript.note("a new token that covers less")
        socket.send(json.dumps({"type": "refresh", "token": token(sub="7", channels=["news-a"])}))
        socket.text()
        socket.sync(in_order=False)
        ask(socket, {"action": "presence", "channel": "news-a"})
        transcript.note("a connection ends with its token")
        short = gateway.websocket("/ws", ("Authorization", f"Bearer {token(sub='9', ttl=-4)}"),
            name="short")
        short.closed()
        socket.close()
        gateway.metrics()


def ends(transcript, binary):
    quick = {"broker.ping_interval": "200ms", "broker.ping_timeout": "200ms"}
    with Gateway(transcript, binary, "a ping that is not answered", quick) as gateway:
        socket = gateway.websocket("/ws")
        socket.answers_pings = False
        socket.closed()
    with Gateway(transcript, binary, "a session that an operator ends") as gateway:
        socket = gateway.websocket("/ws")
        session = gateway.get("/api/v1/sessions").json()["sessions"][0]["id"]
        gateway.request("DELETE", f"/api/v1/sessions/{session}")
        socket.closed()
    limited = {"limits.frames_per_second": "1"}
    with Gateway(transcript, binary, "more frames than may be", limited) as gateway:
        socket = gateway.websocket("/ws")
        refused_once(socket, '{"action":"ping"}', "too_many_frames")
    limited = {"limits.publishes_per_second": "1"}
    with Gateway(transcript, binary, "more records than may be", limited) as gateway:
        socket = gateway.websocket("/ws")
        refused_once(socket, '{"channel":"a","payload":1}', "rate_limited")
    slow = {"broker.write_timeout": "300ms", "topics.chan.on_slow": "disconnect",
        "topics.chan.patience": "0s",
        "topics.chan.events": "16"}
    with Gateway(transcript, binary, "a reader that reads nothing", slow) as gateway:
        reader = gateway.websocket("/ws", name="reader", receive_buffer=4096)
        ask(reader, forms("subscribe", "demo")[1])
        body = json.dumps({"channel": "demo", "payload": "x" * 500_000})
        for _ in range(40):
            gateway.post("/api/v1/publish", body, record=False)
        gateway.sessions(0)
        reader.closed(record=False)
    deleted = {}
    with Gateway(transcript, binary, "a topic that is deleted", deleted) as gateway:
        socket = gateway.websocket("/ws")
        chat = gateway.request("POST", "/api/v1/chat/workflows").json()["data"]["chat_id"]
        ask(socket, forms("subscribe", f"chat:{chat}")[0])
        gateway.request("DELETE", f"/api/v1/chat/workflows/{chat}")
        socket.until("deleted")
        socket.close()


def refused_once(socket, command, code):
    """Repeat a command until it is refused; answers of the others are not recorded."""
    socket.transcript.sent("again and again", command)
    while True:
        socket.stream.send(websocket.frame(websocket.TEXT, command.encode()))
        socket._syncs += 1
        mark = f"again {socket._syncs}".encode()
        socket.stream.send(websocket.frame(websocket.PING, mark))
        while True:
            opcode, payload = socket.read(record=False)
            if opcode == websocket.PONG and payload == mark:
                break
            if code in payload.decode():
                socket.transcript.got(f"{socket.name} text", payload)
                return


def turns(transcript, binary):
    with Gateway(transcript, binary, "turns") as gateway:
        plain = gateway.websocket("/ws", name="plain")
        placed = gateway.websocket("/ws", name="placed")
        ask(plain, forms("subscribe", "user:7")[0])
        ask(placed, forms("subscribe", "user:7", positions=True)[1])
        turn = gateway.post("/send", {"user_id": "7", "message": "hello"}).header("quadrille-turn")
        plain.until('"final_message":true')
        placed.until('"final_message":true')
        ask(plain, forms("history", "user:7")[0])
        ask(plain, forms("history", "user:7", limit=2)[1])
        ask(plain, forms("cancel", "user:7", turn=turn)[0])
        ask(plain, forms("cancel", "user:8", turn=turn)[1])
        gateway.get("/api/v1/topics/user:7/history")
        plain.close()
        placed.close()
