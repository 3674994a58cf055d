"""Questions over HTTP: asking and waiting, streams, turns by id, and what goes wrong."""

import json

from gateway import JWT, Gateway, token
from upstream import Upstream

SEND, TURNS = "/send", "/api/v1/turns"
STREAM = ("Accept", "text/event-stream")


def piece(text):
    """An event of the upstream with more of the reply."""
    return f"data: {json.dumps({'token': text})}\n\n".encode()


def with_steps(upstream, **more):
    """A second agent, whose reply comes piece by piece."""
    return {"agents.steps.kind": "http", "agents.steps.url": upstream.url("/steps")} | more


def record(transcript, binary):
    questions(transcript, binary)
    streams(transcript, binary)
    turns(transcript, binary)
    signed_in(transcript, binary)
    bounds(transcript, binary)
    described(transcript, binary)


def questions(transcript, binary):
    with Gateway(transcript, binary, "questions") as gateway:
        bodies = [
            {"user_id": "7", "message": "hello"}, {"user_id": 7, "text": "hello"}, {"user_id": "7",
                "message": "two words"},
            {"user_id": "7", "message": "hi", "text": "hi"}, {"user_id": "7"}, {"message": "hi"},
                {"user_id": "7", "message": ""},
            {"user_id": "7", "message": "  "}, {"user_id": "7", "message": 7}, {"user_id": "7",
                "message": None},
            {"user_id": "", "message": "hi"}, {"user_id": "a\u0007", "message": "hi"},
                {"user_id": "u" * 300, "message": "hi"},
            {"user_id": 1.5, "message": "hi"}, {"user_id": ["7"], "message": "hi"},
                {"user_id": None, "message": "hi"},
            {"user_id": "7", "message": "hi", "agent": "echo"}, {"user_id": "7", "message": "hi",
                "agent": "nobody"},
            {"user_id": "7", "message": "hi", "agent": 7}, {"user_id": "7", "message": "hi",
                "topic": "room:9"},
            {"user_id": "7", "message": "hi", "topic": ""}, {"user_id": "7", "message": "hi",
                "topic": "subscription"},
            {"user_id": "7", "message": "hi", "topic": 7}, {"user_id": "7", "message": "hi",
                "other": {"ignored": True}},
            {"user_id": "7", "message": "hi", "idempotency_key": "k"}, {"user_id": "7",
                "message": "hi", "idempotency_key": "k"},
            {"user_id": "7", "message": "ho", "idempotency_key": "k"}, {"user_id": "8",
                "message": "ho", "idempotency_key": "k"},
            {"user_id": "7", "message": "hi", "idempotency_key": ""}, {"user_id": "7",
                "message": "hi", "idempotency_key": "k" * 256},
            {"user_id": "7", "message": "hi", "idempotency_key": 7}, {"user_id": "7",
                "message": "x" * 262_144},
            "", "{", "[]", "null", "7", '{"user_id":"7","message":"a"} x',
                b'{"user_id":"7","message":"\xff"}', "[" * 200,
            '{"user_id":"7","message":"one","message":"two"}',
        ]
        for body in bodies:
            gateway.post(SEND, body)
        for key in ("header", "header", "", "k" * 256):
            gateway.post(SEND, {"user_id": "7", "message": "by header", "idempotency_key": "body"},
                ("Idempotency-Key", key))
        gateway.post(SEND, {"user_id": "7", "message": "other"}, ("Idempotency-Key", "header"))
        gateway.request("POST", SEND, [], b'{"user_id":"7","message":"a"}')
        for media in ("text/plain", "application/x-www-form-urlencoded",
                "application/json; charset=utf-8"):
            gateway.request("POST", SEND, [("Content-Type", media)],
                b'{"user_id":"7","message":"a"}')
        for method in ("GET", "PUT", "DELETE", "HEAD"):
            gateway.request(method, SEND)
        gateway.post(SEND, {"user_id": "7", "message": "a"}, ("Origin", "https://evil.example"))
        gateway.get("/api/v1/topics/user:7/history?limit=5")
        gateway.metrics()


def streams(transcript, binary):
    with Gateway(transcript, binary, "streams") as gateway:
        events = gateway.stream("POST", SEND, [STREAM, ("Content-Type", "application/json")],
                                '{"user_id":"7","message":"hello"}', name="asker")
        told = events.rest()
        turn = json.loads(told[1].split("data: ", 1)[1])["turn"]
        places = [line[4:] for event in told for line in event.split("\n")
            if line.startswith("id: ")]
        for place in (places[0], places[2], places[-1], "nonsense", "0000000000000-1"):
            again = gateway.stream("GET", f"{TURNS}/{turn}/events", [("Last-Event-ID", place)],
                name="again")
            again.rest()
        for query in (f"?lastEventId={places[2]}", "?lastEventId=nonsense", ""):
            again = gateway.stream("GET", f"{TURNS}/{turn}/events{query}", name="again")
            again.rest()
        gateway.get(f"{TURNS}/{turn}/events", ("Last-Event-ID", places[-1]), ("Accept",
            "application/json"))
        for accept in ("application/json", "*/*", "text/html",
                "text/event-stream;q=0, application/json",
                "application/json, text/event-stream"):
            answer = gateway.stream("POST", SEND, [("Accept", accept),
                ("Content-Type", "application/json")],
                '{"user_id":"7","message":"hello"}', name=accept)
            if "event-stream" in accept:
                answer.rest()
            answer.close()
        bad = gateway.stream("POST", SEND, [STREAM, ("Content-Type", "application/json")],
            '{"user_id":"7"}', name="bad")
        bad.close()


def turns(transcript, binary):
    upstream = Upstream()
    settings = with_steps(upstream, **{"agents.default": "steps"})
    with Gateway(transcript, binary, "turns", settings, upstream.literals) as gateway:
        for bad in ('{"user_id":"7"}', "{", '{"message":"hi"}'):
            gateway.post(TURNS, bad)
        first = gateway.post(TURNS, {"user_id": "7", "message": "first"}).json()["turn"]
        upstream.note_asked(transcript)
        gateway.get(f"{TURNS}/{first}")
        second = gateway.post(TURNS, {"user_id": "7", "message": "second",
            "idempotency_key": "k"}).json()["turn"]
        gateway.post(TURNS, {"user_id": "7", "message": "second", "idempotency_key": "k"})
        gateway.post(TURNS, {"user_id": "7", "message": "another", "idempotency_key": "k"})
        gateway.get(f"{TURNS}/{second}")
        events = gateway.stream("GET", f"{TURNS}/{first}/events", name="first")
        events.until("turn")
        for text in ("Hello ", "all of ", "you"):
            upstream.pieces.put(piece(text))
            events.until(text)
        upstream.pieces.put(b'data: {"response": "Hello all of you."}\n\n')
        upstream.pieces.put("end")
        events.rest()
        gateway.get(f"{TURNS}/{first}")
        transcript.note("the second one runs, is seen in part, and is cancelled")
        upstream.note_asked(transcript)
        events = gateway.stream("GET", f"{TURNS}/{second}/events", name="second")
        upstream.pieces.put(piece("Partly"))
        events.until("Partly")
        gateway.get(f"{TURNS}/{second}")
        upstream.pieces.put("gone")
        gateway.request("DELETE", f"{TURNS}/{second}")
        events.rest()
        gateway.request("DELETE", f"{TURNS}/{second}")
        gateway.get(f"{TURNS}/{second}")
        gateway.post(SEND, {"user_id": "7", "message": "second", "idempotency_key": "k"})
        transcript.note("a waiting one is cancelled")
        third = gateway.post(TURNS, {"user_id": "7", "message": "third"}).json()["turn"]
        upstream.note_asked(transcript)
        fourth = gateway.post(TURNS, {"user_id": "7", "message": "fourth"}).json()["turn"]
        gateway.request("DELETE", f"{TURNS}/{fourth}")
        socket = gateway.websocket("/ws", name="broker")
        socket.send('{"action":"subscribe","channel":"user:7"}')
        socket.text()
        socket.send(json.dumps({"action": "cancel", "channel": "user:7", "turn": third}))
        upstream.pieces.put("gone")
        socket.until("cancelling")
        socket.until("final_message")
        socket.close()
        for turn in ("nonsense", "01a1fc38-7d52-71cc-a09a-5fd2b57c9c0f"):
            gateway.get(f"{TURNS}/{turn}")
            gateway.get(f"{TURNS}/{turn}/events")
            gateway.request("DELETE", f"{TURNS}/{turn}")
        gateway.request("PUT", f"{TURNS}/{first}")
        gateway.get(TURNS)
        transcript.note("the upstream breaks off")
        upstream.pieces.put(piece("Partly"))
        upstream.pieces.put("cut")
        gateway.post(SEND, {"user_id": "9", "message": "cut"})
        upstream.pieces.put(piece("Partly"))
        upstream.pieces.put("cut")
        broken = gateway.stream("POST", SEND, [STREAM, ("Content-Type", "application/json")],
                                '{"user_id":"9","message":"cut"}', name="broken")
        broken.rest()
        gateway.get("/api/v1/topics/user:7/history")
        gateway.metrics()


def signed_in(transcript, binary):
    with Gateway(transcript, binary, "signed in", JWT) as gateway:
        def bearer(**claims):
            return ("Authorization", f"Bearer {token(**claims)}")

        ann, bob = bearer(sub="7"), bearer(sub="8", topics=["room:*"])
        program = bearer(topics={"write": ["user:9"], "read": ["user:9"]})
        question = {"message": "hello"}
        gateway.post(SEND, question)
        gateway.post(SEND, question, ann)
        gateway.post(SEND, question | {"user_id": "8"}, ann)
        turn = gateway.post(TURNS, question, ann).json()["turn"]
        watched = gateway.stream("GET", f"{TURNS}/{turn}/events", [ann], name="own")
        watched.rest()
        for who in (ann, bob, program):
            gateway.get(f"{TURNS}/{turn}", who)
            gateway.request("DELETE", f"{TURNS}/{turn}", [who])
            if who != ann:
                gateway.get(f"{TURNS}/{turn}/events", who)
        gateway.get(f"{TURNS}/{turn}")
        gateway.post(SEND, question, program)
        gateway.post(SEND, question | {"user_id": "9"}, program)
        gateway.post(SEND, question | {"user_id": "10"}, program)
        for who in (ann, bob):
            gateway.post(SEND, question | {"topic": "room:5"}, who)
            gateway.post(SEND, question | {"topic": "chan:x"}, who)
        gateway.metrics()


def bounds(transcript, binary):
    upstream = Upstream()
    settings = with_steps(upstream, **{"agents.default": "steps", "agents.max_queued": "1",
        "agents.max_running": "1",
        "agents.queue_timeout": "300ms",
        "relay.max_body_size": "1000"})
    with Gateway(transcript, binary, "bounds", settings, upstream.literals) as gateway:
        gateway.post(SEND, {"user_id": "7", "message": "x" * 1000})
        gateway.post(TURNS, {"user_id": "7", "message": "x" * 1000})
        runs = gateway.post(TURNS, {"user_id": "7", "message": "one"}).json()["turn"]
        upstream.note_asked(transcript)
        gateway.post(SEND, {"user_id": "8", "message": "waits too long"})
        stream = gateway.stream("POST", SEND, [STREAM, ("Content-Type", "application/json")],
                                '{"user_id":"8","message":"waits too long"}', name="waiting")
        stream.rest()
        upstream.pieces.put("gone")
        gateway.request("DELETE", f"{TURNS}/{runs}")
    settings = with_steps(upstream, **{"agents.default": "steps", "agents.max_queued": "1",
        "limits.user_share": "1.0"})
    with Gateway(transcript, binary, "a full queue", settings, upstream.literals) as gateway:
        upstream.drop_asked()
        runs = gateway.post(TURNS, {"user_id": "7", "message": "one"}).json()["turn"]
        upstream.note_asked(transcript)
        waits = gateway.post(TURNS, {"user_id": "7", "message": "two"}).json()["turn"]
        gateway.post(TURNS, {"user_id": "7", "message": "three"})
        gateway.post(SEND, {"user_id": "7", "message": "three"})
        gateway.request("DELETE", f"{TURNS}/{waits}")
        upstream.pieces.put("gone")
        gateway.request("DELETE", f"{TURNS}/{runs}")
        gateway.metrics()


def described(transcript, binary):
    def pretty(body):
        return json.dumps(json.loads(body), indent=1, ensure_ascii=False)

    for title, settings in (("the description, open", {}), ("the description, signed in", JWT)):
        with Gateway(transcript, binary, title, settings) as gateway:
            gateway.get("/openapi.json", shown=pretty)
            gateway.request("POST", "/openapi.json")
