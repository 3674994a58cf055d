"""Topics over HTTP: publishing, watching, reading, sessions, health, and refusals at the edge."""

import json

import rawhttp
from gateway import JWT, Gateway, token

JSON = ("Content-Type", "application/json")
PUBLISH = "/api/v1/publish"


def bearer(**claims):
    return ("Authorization", f"Bearer {token(**claims)}")


def record(transcript, binary):
    publishing(transcript, binary)
    watching(transcript, binary)
    reading(transcript, binary)
    edge(transcript, binary)
    pages(transcript, binary)
    below(transcript, binary)
    signed_in(transcript, binary)
    draining(transcript, binary)


def publishing(transcript, binary):
    with Gateway(transcript, binary, "publishing") as gateway:
        bodies = [
            '{"channel":"demo","payload":{"message":"hello"}}',
            '{"topic":"room:42","payload": [1, 2.50, 12345678901234567890123, "\\u00e9"] }',
            '{"channel":"demo","payload":null}',
            '{"channel":"demo","payload":1,"key":"k1"}',
            '{"channel":"demo","payload":1,"key":"k1"}',
            '{"channel":"demo","payload":2,"key":"k1"}',
            '{"channel":"demo","payload":2,"key":""}',
            '{"channel":"demo","payload":2,"key":"a\\nb"}',
            json.dumps({"channel": "demo", "payload": 2, "key": "k" * 256}),
            '{"channel":"demo","payload":1,"key":7}',
            '{"channel":"demo"}', '{"payload":1}', '{"channel":"demo","topic":"demo","payload":1}',
            '{"channel":"demo","payload":1,"other":1}', '{"channel":7,"payload":1}',
            '{"channel":"","payload":1}', '{"channel":"a\\u0007","payload":1}',
            '{"channel":"subscription","payload":1}',
            json.dumps({"channel": "x" * 256, "payload": 1}),
            "[]", "1", "", "{", '{"channel":"demo","payload":1} x',
                b'{"channel":"demo","payload":"\xff"}',
            '{"channel":"demo","payload":%s}' % ("[" * 200 + "]" * 200),
            json.dumps({"channel": "demo", "payload": "x" * 1_050_000}),
        ]
        for body in bodies:
            gateway.post(PUBLISH, body)
        gateway.request("POST", PUBLISH, [], bodies[0])
        for media in ("text/plain", "application/json; charset=utf-8",
                "application/json; charset=latin-1"):
            gateway.request("POST", PUBLISH, [("Content-Type", media)], bodies[0])
        gateway.request("POST", PUBLISH, [JSON, ("Content-Encoding", "gzip")], bodies[0])
        for method in ("GET", "PUT", "DELETE", "HEAD", "OPTIONS"):
            gateway.request(method, PUBLISH)
        gateway.metrics()


def watching(transcript, binary):
    with Gateway(transcript, binary, "watching", {"topics.chan.events": "4"}) as gateway:
        def publish(value, topic="demo"):
            gateway.post(PUBLISH, {"topic": topic, "payload": value}, record=False)

        events = gateway.stream("GET", "/events?topic=demo&topic=room:9", name="both")
        events.next()
        publish({"text": "one"})
        first = events.until("one")
        publish("two", "room:9")
        second = events.until("two")
        gateway.post(PUBLISH, '{"topic":"demo","payload":{"a":\n1}}')
        events.next()
        events.close()
        place = [line[4:] for line in second.split("\n") if line.startswith("id: ")][0]
        resumed = gateway.stream("GET", "/events?topic=demo&topic=room:9",
            [("Last-Event-ID", place)], name="resumed")
        resumed.until('"a"')
        resumed.close()
        alone = [line[4:] for line in first.split("\n") if line.startswith("id: ")][0].split(",")[0]
        for number in range(6):
            publish(number)
        for query in (f"since={alone}", f"lastEventId={alone}&since=nonsense"):
            late = gateway.stream("GET", f"/events?topic=demo&{query}", name="late")
            late.until('"payload":5')
            late.close()
        transcript.note("a record that is called as a notice is")
        socket = gateway.websocket("/ws")
        socket.send('{"channel":"demo","message":"bare","message_id":"m1"}')
        socket.sync()
        gateway.get("/api/v1/topics/demo/history?limit=1")
        socket.close()
        queries = [
            "", "?topic=", "?topic=demo&topic=demo", "?topic=demo&topic=chan:demo",
                "?topic=demo&since=yesterday",
            "?topic=demo&topic=b&since=1", "?topic=a%07", "?topic=%ff",
                "?topic=demo&since=1&since=2",
            "?" + "&".join(f"topic=t{n}" for n in range(101)), "?topic=" + "x" * 256,
                "?topic=subscription",
            f"?topic=demo&topic=b&since={alone}",
        ]
        for query in queries:
            gateway.get(f"/events{query}")
        gateway.request("POST", "/events?topic=demo")
        transcript.note("an operator ends a stream")
        events = gateway.stream("GET", "/events?topic=ended", name="ended")
        events.next()
        session = gateway.get("/api/v1/sessions").json()["sessions"][-1]["id"]
        gateway.request("DELETE", f"/api/v1/sessions/{session}")
        events.rest()
        gateway.request("DELETE", f"/api/v1/sessions/{session}")
        gateway.request("DELETE", "/api/v1/sessions/7")
        gateway.metrics()


def reading(transcript, binary):
    with Gateway(transcript, binary, "reading") as gateway:
        gateway.get("/api/v1/topics")
        gateway.get("/api/v1/topics/demo/history")
        gateway.get("/api/v1/topics/demo/presence")
        positions = []
        for number in range(5):
            answer = gateway.post(PUBLISH, {"channel": "demo", "payload": {"n": number}})
            positions.append(answer.json()["position"])
        gateway.post(PUBLISH, {"topic": "room:a/b", "payload": 1})
        for query in ("", "?limit=2", f"?since={positions[1]}&limit=2", f"?since={positions[4]}",
                      "?limit=0", "?limit=1001", "?limit=x", "?limit=1&limit=2", "?since=x",
                      "?since=0000000000000-1"):
            gateway.get(f"/api/v1/topics/demo/history{query}")
        gateway.get("/api/v1/topics/room%3Aa%2Fb/history")
        gateway.get("/api/v1/topics/room:a%2Fb/presence")
        gateway.get("/api/v1/topics/%07/history")
        gateway.get("/api/v1/topics/%ff/history")
        gateway.get("/api/v1/topics/" + "x" * 256 + "/presence")
        gateway.request("DELETE", "/api/v1/topics/demo/history")
        one = gateway.websocket("/ws", name="one")
        one.send('{"action":"subscribe","channel":"demo"}')
        one.text()
        gateway.get("/api/v1/topics/demo/presence")
        for query in ("", "?limit=1", "?limit=1&after=chan:demo", "?limit=0", "?after=%07"):
            gateway.get(f"/api/v1/topics{query}")
        two = gateway.websocket("/ws", name="two")
        first = gateway.get("/api/v1/sessions?limit=1").json()
        gateway.get(f"/api/v1/sessions?limit=1&after={first.get('next', '')}")
        gateway.get("/api/v1/sessions?limit=x")
        gateway.get("/api/v1/sessions?after=x")
        gateway.request("POST", "/api/v1/sessions")
        session = first["sessions"][0]["id"]
        gateway.request("DELETE", f"/api/v1/sessions/{session}")
        one.closed()
        two.close()
        for path in ("/api/v1/topics/demo/history", "/openapi.json", "/metrics", "/api/v1/topics"):
            zipped = gateway.get(path, ("Accept-Encoding", "gzip"), record=False)
            transcript.note(f"{path} with gzip")
            transcript.got(zipped.line, "\n".join(
                f"{name}: {value}" for name, value in zipped.headers if name != "content-length"))


def edge(transcript, binary):
    with Gateway(transcript, binary, "the edge") as gateway:
        transcript.note("what is said at the start")
        transcript.got("stdout", gateway.banner + b"".join(gateway.rest).decode())
        for path in ("/", "/healthz", "/readyz", "/nothing", "/api/v1/nothing", "/api", "/%ff",
                "//", "/health"):
            gateway.get(path)
        for method in ("HEAD", "OPTIONS", "POST", "DELETE", "TRACE"):
            for path in ("/", "/healthz", "/nothing"):
                gateway.request(method, path)
        gateway.get("/healthz", ("X-Request-Id", "mine"))
        gateway.get("/healthz", ("Host", "evil.example"))
        gateway.get("/healthz", ("Host", "localhost"))
        gateway.get("/events?topic=a", ("Host", "evil.example"))
        gateway.get("/events?topic=a", ("Host", ""))
        gateway.raw(b"GET /healthz HTTP/1.0\r\n\r\n")
        gateway.raw(b"GET /events HTTP/1.1\r\nConnection: close\r\n\r\n")
        gateway.raw(b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\nConnection: close\r\n\r\n")
        gateway.raw(b"nonsense\r\n\r\n")
        gateway.raw(b"GET / HTTP/1.1\r\nHost: localhost\r\nX: " + b"x" * 70_000 + b"\r\n\r\n",
            "a large head")
        gateway.raw(b"\x16\x03\x01\x00\x05hello")
        gateway.raw(b"GET /send HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        gateway.raw(b"POST /api/v1/publish HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
                    b"Expect: 100-continue\r\nConnection: close\r\nContent-Length: 29\r\n\r\n"
                    b'{"channel":"demo","payload":1')
        transcript.note("a body in chunks")
        body = b'5\r\n{"cha\r\n1b\r\nnnel":"demo","payload":[1]}\r\n0\r\n\r\n'
        gateway.raw(b"POST /api/v1/publish HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
                    b"Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n" + body)


def pages(transcript, binary):
    origins = ["https://chat.example.com", "https://*.example.org", "*"]
    for title, listed in (("pages, none listed", []), ("pages that are listed", origins[:2]),
                          ("pages, all listed", origins[2:])):
        with Gateway(transcript, binary, title, {"server.origins": listed}) as gateway:
            for origin in ("https://chat.example.com", "https://a.example.org",
                    "http://localhost:3000",
                    "https://evil.example", "null", "nonsense"):
                gateway.post(PUBLISH, {"channel": "demo", "payload": 1}, ("Origin", origin))
                gateway.request("OPTIONS", PUBLISH, [("Origin", origin),
                    ("Access-Control-Request-Method", "POST"),
                    ("Access-Control-Request-Headers", "x-any")])
                opened = gateway.websocket("/ws", ("Origin", origin))
                if isinstance(opened, rawhttp.Response):
                    continue
                opened.close()
            for path in ("/conversations?user_id=7", "/socket.io/?EIO=4&transport=polling", "/send",
                         "/api/v1/chat/workflows", "/chat", "/nothing"):
                gateway.get(path, ("Origin", "https://evil.example"))
                gateway.request("OPTIONS", path, [("Origin", "https://chat.example.com"),
                                                  ("Access-Control-Request-Method", "GET")])


def below(transcript, binary):
    settings = {"server.base_path": "/assistant", "server.trusted_proxies": ["127.0.0.1"]}
    with Gateway(transcript, binary, "below a path, behind a proxy", settings) as gateway:
        for path in ("/", "/assistant", "/assistant/", "/assistant/healthz", "/healthz",
                "/assistant/nothing"):
            gateway.get(path)
        proxied = [("X-Forwarded-For", "198.51.100.7"), ("X-Forwarded-Proto", "https"),
                   ("X-Forwarded-Prefix", "/pre"), ("X-Request-Id", "from-the-proxy")]
        gateway.get("/", *proxied)
        events = gateway.stream("GET", "/assistant/events?topic=demo", proxied, name="proxied")
        events.next()
        gateway.get("/api/v1/sessions", *proxied)
        events.close()
        gateway.post("/api/v1/chat/workflows", "{}", *proxied)
        parts = [("user_id", None, "7"), ("conversation_id", None, "1"), ("files", "a.txt",
            "hello")]
        gateway.post("/conversations", {"user_id": "7"}, *proxied)
        gateway.form("/api/upload_file", parts, *proxied)


def signed_in(transcript, binary):
    with Gateway(transcript, binary, "signed in", JWT) as gateway:
        body = '{"channel":"demo","payload":1}'
        good = bearer(sub="7", channels=["demo"], rooms={"read": ["42"]}, name="Ann")
        gateway.post(PUBLISH, body)
        refused = {
            "not a token": "nonsense", "two parts": "a.b", "another secret": token("x" * 32,
                sub="7"),
            "expired": token(ttl=-60, sub="7"), "early": token(sub="7", nbf=4_000_000_000),
            "without exp": token(exp=None, sub="7"), "for refreshing": token(sub="7",
                type="refresh"),
            "with a bad sub": token(sub=["7"]), "with bad grants": token(sub="7", channels="demo"),
            "too long": token(sub="7", pad="x" * 9000),
            "alg none": "eyJhbGciOiJub25lIn0.eyJzdWIiOiI3In0.x",
                "with a long name": token(sub="x" * 300),
            "with a kid": "eyJhbGciOiJIUzI1NiIsImtpZCI6ImEifQ.eyJzdWIiOiI3In0.c2ln",
        }
        for kind, shown in refused.items():
            transcript.note(f"a token {kind}")
            gateway.post(PUBLISH, body, ("Authorization", f"Bearer {shown}"))
        transcript.note("a good token in every place")
        gateway.post(PUBLISH, body, good)
        gateway.post(PUBLISH + "?token=" + token(sub="7", channels=["demo"]), body)
        gateway.post(PUBLISH, body, ("Authorization", "Basic x"))
        cookie = ("Cookie", "access_token=" + token(sub="7", channels=["demo"]))
        gateway.post(PUBLISH, body, cookie)
        gateway.post(PUBLISH, body, cookie, ("Sec-Fetch-Site", "same-origin"))
        gateway.post(PUBLISH, body, cookie, ("Origin", "http://{}:{}".format(*gateway.address)))
        gateway.post(PUBLISH, body, cookie, ("Origin", "https://evil.example"))
        transcript.note("what is granted, and what is not")
        gateway.post(PUBLISH, '{"topic":"room:42","payload":1}', good)
        gateway.post(PUBLISH, '{"topic":"user:7","payload":1}', good)
        gateway.post(PUBLISH, '{"topic":"user:8","payload":1}', good)
        gateway.get("/api/v1/topics/room:42/history", good)
        gateway.get("/api/v1/topics/room:43/history", good)
        gateway.get("/api/v1/topics/room:42/presence", good)
        gateway.get("/events?topic=demo&topic=other", good)
        for path in ("/api/v1/topics", "/api/v1/sessions"):
            gateway.get(path)
            gateway.get(path, good)
            gateway.get(path, bearer(sub="1", scope="topics sessions"))
        some = "/api/v1/sessions/01a1fbc1-845d-769d-b40f-274a851de780"
        gateway.request("DELETE", some, [good])
        gateway.request("DELETE", some, [bearer(scopes=["sessions:end"])])
        for path in ("/healthz", "/readyz", "/nothing", "/"):
            gateway.get(path)
        transcript.note("a stream ends with its token")
        soon = bearer(sub="7", channels=["demo"], ttl=-4)
        events = gateway.stream("GET", "/events?topic=demo", [soon], name="short")
        events.rest()
        gateway.metrics()


def draining(transcript, binary):
    settings = {"server.drain_delay": "2s", "server.drain_window": "0s"}
    with Gateway(transcript, binary, "draining", settings) as gateway:
        events = gateway.stream("GET", "/events?topic=a", name="events")
        events.next()
        socket = gateway.websocket("/ws", name="broker")
        chat = gateway.websocket("/chat", name="chat")
        chat.text()
        rooms = gateway.websocket("/socket.io/?EIO=4&transport=websocket", name="rooms")
        rooms.text()
        rooms.send("40")
        rooms.until("status")
        gateway.process.terminate()
        def look():
            answer = gateway.get("/readyz", record=False)
            return answer if answer.status == 503 else None
        gateway.record(rawhttp.eventually("readyz to say so", look))
        gateway.request("OPTIONS", "/")
        gateway.get("/healthz")
        gateway.post(PUBLISH, '{"channel":"a","payload":"last"}')
        events.rest()
        socket.closed()
        chat.closed()
        rooms.closed()
        transcript.got(f"exit code {gateway.process.wait(rawhttp.PATIENCE)}")
