"""Rooms over HTTP: conversations, messages, files, links, search, and replies as a stream."""

import json

from gateway import JWT, Gateway, token
from protocols.limits import until_refused

PICTURE = b"\x89PNG\r\n\x1a\n picture"


def record(transcript, binary):
    conversations(transcript, binary)
    messages(transcript, binary)
    files(transcript, binary)
    chat_stream(transcript, binary)
    signed_in(transcript, binary)
    bounds(transcript, binary)


def conversations(transcript, binary):
    with Gateway(transcript, binary, "conversations") as gateway:
        gateway.get("/conversations")
        for user in ("7", "Ann", "", "a%07", "u" * 300, "%ff"):
            gateway.get(f"/conversations?user_id={user}")
        for body in ({"user_id": "7", "title": "plans"}, {"user_id": 7}, {"user_id": "Ann",
                "title": "hers"}, {"title": "nobody's"},
                {"user_id": "7", "title": ""}, {"user_id": "7", "title": "t" * 256},
                {"user_id": "7", "title": 7},
                {"user_id": "7", "title": None}, {"user_id": ["7"]}, "", "{", "[]", "null",
                b'{"user_id":"\xff"}'):
            gateway.post("/conversations", body)
        gateway.request("POST", "/conversations?user_id=7")
        gateway.request("POST", "/conversations?user_id=7", [("Content-Type", "text/plain")], "{}")
        gateway.request("POST", "/conversations", [("Content-Type",
            "application/x-www-form-urlencoded")], "user_id=7&title=by+form")
        gateway.form("/conversations", [("user_id", None, "7"), ("title", None, "by parts")])
        for body in ({"title": "renamed"}, {"is_pinned": True}, {"title": "both",
                "is_pinned": False}, {}, {"title": ""},
                {"is_pinned": "yes"}, {"title": 7}, "", "{"):
            gateway.request("PATCH", "/conversations/1?user_id=7",
                [("Content-Type", "application/json")],
                body if isinstance(body, str) else json.dumps(body))
        for path in ("/conversations/1?user_id=8", "/conversations/999?user_id=7",
                "/conversations/x?user_id=7", "/conversations/1",
                "/conversations/-1?user_id=7", "/conversations/99999999999999999999?user_id=7",
                "/conversations/%ff?user_id=7"):
            gateway.request("PATCH", path, [("Content-Type", "application/json")], '{"title":"x"}')
            gateway.request("DELETE", path)
        for query in ("", "&limit=1", "&limit=1&offset=1", "&limit=0", "&limit=1001", "&limit=x",
                "&offset=x", "&offset=-1", "&limit=1&limit=2"):
            gateway.get(f"/conversations?user_id=7{query}")
        gateway.request("DELETE", "/conversations/2?user_id=7")
        gateway.request("DELETE", "/conversations/2?user_id=7")
        for method, path in (("PUT", "/conversations"), ("GET", "/conversations/1"), ("HEAD",
                "/conversations?user_id=7"), ("GET", "/conversations/"),
                ("OPTIONS", "/conversations")):
            gateway.request(method, path)
        gateway.metrics()


def messages(transcript, binary):
    with Gateway(transcript, binary, "messages") as gateway:
        gateway.post("/conversations", {"user_id": "7"})
        gateway.post("/conversations", {"user_id": "8"})
        watcher = gateway.websocket("/ws", name="watcher")
        watcher.send('{"action":"subscribe","channel":"room:1","positions":true}')
        watcher.text()
        good = {"user_id": "7", "conversation_id": 1, "content": "hello there"}
        for change in ({}, {"sender": "assistant"}, {"role": "user"}, {"role": "assistant",
                "sender": "user"}, {"sender": "nobody"}, {"sender": 7},
                {"metadata": {"a": [1.50, 12345678901234567890123]}}, {"metadata": "text"},
                {"metadata": None}, {"content": ""},
                {"content": None}, {"content": 7}, {"content": "  "},
                {"conversation_id": "1"}, {"conversation_id": None},
                {"conversation_id": 2}, {"conversation_id": 999}, {"conversation_id": "x"},
                {"conversation_id": 1.5}, {"user_id": "8"},
                {"user_id": None}, {"temp_id": "t1"}, {"temp_id": "t1"}, {"temp_id": "t1",
                "content": "other"},
                {"temp_id": "t1", "metadata": {}}, {"temp_id": ""}, {"temp_id": "t" * 256},
                {"temp_id": 7}, {"other": "ignored"}):
            gateway.post("/messages", good | change)
        for body in ("", "{", "[]", "null", '{"user_id":"7"} x'):
            gateway.post("/messages", body)
        gateway.request("POST", "/messages", [("Content-Type", "text/plain")], json.dumps(good))
        gateway.request("POST", "/messages", [("Content-Type",
            "application/x-www-form-urlencoded")],
            "user_id=7&conversation_id=1&content=by+form&metadata=%7B%22a%22%3A1%7D&temp_id=f1")
        gateway.request("POST", "/messages", [("Content-Type",
            "application/x-www-form-urlencoded")],
            "user_id=7&conversation_id=1&content=x&metadata=nonsense")
        parts = [("user_id", None, "7"), ("conversation_id", None, "1")]
        gateway.form("/messages", [*parts, ("content", None, "with files"),
            ("files", "ä b.txt", "hello"), ("files", "p.png", PICTURE)])
        gateway.form("/messages", [*parts, ("files", "a.txt", "hello"), ("temp_id", None, "p1")])
        gateway.form("/messages", [*parts, ("files", "a.txt", "hello"), ("temp_id", None, "p1")])
        gateway.form("/messages", [*parts, ("files", "a.txt", "other"), ("temp_id", None, "p1")])
        gateway.form("/messages", parts)
        gateway.request("POST", "/messages", [("Content-Type", "multipart/form-data")],
            "no boundary")
        gateway.request("POST", "/messages", [("Content-Type", "multipart/form-data; boundary=b")],
            "--b\r\nnonsense")
        gateway.post("/messages", good | {"content": "last"})
        watcher.until("last")
        watcher.close()
        for query in ("", "&limit=2", "&limit=2&before=5", "&before=1", "&before=999", "&before=x",
                "&limit=0", "&limit=1001"):
            gateway.get(f"/conversations/1/messages?user_id=7{query}")
        for path in ("/conversations/1/messages?user_id=8", "/conversations/999/messages?user_id=7",
                "/conversations/x/messages?user_id=7",
                "/conversations/1/messages"):
            gateway.get(path)
        for query in ("q=hello", "q=hello&limit=1", "q=hello&limit=1&offset=1", "q=HELLO+there",
                "q=nothing", "q=", "", "q=%22%27%25*", "q=hello&limit=x",
                "q=hello&offset=-1", "q=%ff", "q=" + "w" * 3000):
            gateway.get(f"/api/v1/search?user_id=7&{query}")
        gateway.get("/api/v1/search?user_id=8&q=hello")
        gateway.get("/api/v1/search?q=hello")
        gateway.get("/health")
        gateway.get("/api/v1/status")
        for method, path in (("GET", "/messages"), ("POST", "/conversations/1/messages"), ("POST",
                "/api/v1/search"), ("POST", "/health"),
                ("DELETE", "/api/v1/status")):
            gateway.request(method, path)
        gateway.metrics()


def files(transcript, binary):
    with Gateway(transcript, binary, "files", {"files.max_upload_size": "1000"}) as gateway:
        gateway.post("/conversations", {"user_id": "7"})
        parts = [("user_id", None, "7"), ("conversation_id", None, "1")]
        names = ["a.txt", "p.png", "p.svg", "ä b/../c.html", "", "..", ".hidden",
            "x" * 300 + ".pdf", "a.TXT", "no-extension", "a\\b.csv", "CON"]
        links = []
        for name in names:
            content = PICTURE if name.endswith("png") else f"content of {name}"
            answer = gateway.form("/api/upload_file", [*parts, ("files", name, content)])
            links += answer.json().get("files", []) if answer.status == 201 else []
        gateway.form("/api/upload_file", [*parts, ("message", None, "two"), ("files", "1.txt", "1"),
            ("files", "2.txt", "")])
        gateway.form("/api/upload_file", [("files", "1.txt", "1"), *parts])
        gateway.form("/api/upload_file", [*parts, ("file", "1.txt", "1")])
        gateway.form("/api/upload_file", parts)
        gateway.form("/api/upload_file", [*parts[:1], ("files", "1.txt", "1")])
        gateway.form("/api/upload_file", [parts[0], ("conversation_id", None, "9"),
            ("files", "1.txt", "1")])
        gateway.form("/api/upload_file", [parts[0], ("conversation_id", None, "x"),
            ("files", "1.txt", "1")])
        gateway.form("/api/upload_file", [*parts[1:], ("files", "1.txt", "1")])
        gateway.form("/api/upload_file", [*parts, ("files", "big.txt", "x" * 1001)])
        gateway.form("/api/upload_file", [*parts, *[("files", f"{n}.txt", "x") for n in range(65)]])
        gateway.post("/api/upload_file", {"user_id": "7"})
        gateway.get("/api/files?user_id=7")
        for query in ("&limit=1", "&limit=1&offset=1", "&limit=x"):
            gateway.get(f"/api/files?user_id=7{query}")
        gateway.get("/api/files")
        gateway.get("/api/files?user_id=8")
        paths = ["/files/" + link.split("/files/", 1)[1] for link in links]
        for path in paths:
            gateway.get(path)
        first = paths[0]
        bare = first.split("?")[0]
        etag = gateway.get(first, record=False).header("etag")
        for headers in ([("Range", "bytes=0-3")], [("Range", "bytes=-3")],
                [("Range", "bytes=100-")], [("Range", "bytes=0-1,3-4")],
                [("Range", "nonsense")], [("If-None-Match", etag)],
                [("If-None-Match", '"other"')], [("If-None-Match", "*")],
                [("Range", "bytes=0-3"), ("If-Range", etag)], [("Range", "bytes=0-3"),
                ("If-Range", '"other"')]):
            gateway.get(first, *headers)
        gateway.request("HEAD", first)
        for path in (bare, f"{bare}?user_id=7", f"{bare}?user_id=8", f"{first}.",
                first.replace("expires=", "expires=9"),
                first.replace("signature=", "signature=."), f"{bare}?expires=1&signature=x",
                "/files/7/x/a.txt?user_id=7", "/files/", "/files/a",
                "/files/7/../7/a", "/files/%2e%2e/x", "/files/%ff"):
            gateway.get(path)
        gateway.request("DELETE", first)
        gateway.request("DELETE", "/conversations/1?user_id=7")
        gateway.get(first)
        gateway.metrics()
    with Gateway(transcript, binary, "files below an address",
            {"server.public_url": "https://chat.example/assistant"}) as gateway:
        gateway.post("/conversations", {"user_id": "7"})
        gateway.form("/api/upload_file", [*parts, ("files", "a.txt", "x")])
        gateway.get("/api/files?user_id=7")


def chat_stream(transcript, binary):
    with Gateway(transcript, binary, "a reply as a stream") as gateway:
        form = ("Content-Type", "application/x-www-form-urlencoded")
        for body in ("user_id=7&message=hello", "user_id=7&message=hello&conversation_id=1",
                "user_id=7", "message=hello", "user_id=7&message=",
                "user_id=7&message=hi&image=file:///x",
                "user_id=7&message=hi&image=https://example.org/a.png",
                "user_id=7&message=hi&history=nonsense",
                "user_id=7&message=hi&history=[]&intelligence_level=super",
                "user_id=7&message=hi&intelligence_level=" + "l" * 300):
            stream = gateway.stream("POST", "/chat/stream", [form], body)
            stream.rest()
        for body in ({"user_id": "7", "message": "hello"}, {"user_id": "7", "message": "hello",
                "conversation_id": 1}, {"user_id": "7", "message": 7},
                {"user_id": "7", "message": "hi", "history": [{"role": "user",
                "content": "a"}]}, {"user_id": "7", "message": "hi", "history": [7]},
                {"user_id": "7", "message": "hi", "image_url": "data:image/png;base64,AA=="},
                {"user_id": "7", "message": "hi", "image": 7}):
            stream = gateway.stream("POST", "/chat/stream", [("Content-Type", "application/json")],
                json.dumps(body))
            stream.rest()
        gateway.form("/chat/stream", [("user_id", None, "7"), ("message", None, ""),
            ("image", "a.png", PICTURE)])
        gateway.post("/chat/stream", "{")
        gateway.request("POST", "/chat/stream", [("Content-Type", "text/plain")], "hello")
        gateway.get("/chat/stream")
        gateway.get("/api/v1/topics/user:7/history")
        gateway.metrics()


def signed_in(transcript, binary):
    with Gateway(transcript, binary, "signed in", JWT) as gateway:
        ann, bob = token(sub="7"), token(sub="8", rooms={"read": ["1"]})
        bearer = {"ann": ("Authorization", f"Bearer {ann}"), "bob": ("Authorization",
            f"Bearer {bob}"),
            "program": ("Authorization", f"Bearer {token(rooms=['1'])}")}
        gateway.post("/conversations", {"title": "plans"}, bearer["ann"])
        for shown in ("nonsense", token(sub="7", ttl=-60), token(sub="7", type="refresh"),
                token("x" * 32, sub="7"), token(sub=["7"])):
            gateway.get("/conversations", ("Authorization", f"Bearer {shown}"))
            gateway.get(f"/conversations?jwt={shown}")
        gateway.get("/conversations")
        gateway.get(f"/conversations?jwt={ann}")
        gateway.get(f"/conversations?token={ann}")
        cookie = ("Cookie", f"access_token={ann}")
        gateway.get("/conversations", cookie)
        gateway.post("/conversations", {}, cookie)
        gateway.post("/conversations", {}, cookie, ("Sec-Fetch-Site", "same-origin"))
        gateway.get("/conversations", ("Authorization", "Basic x"), cookie)
        for name, who in bearer.items():
            transcript.note(name)
            gateway.get("/conversations?user_id=7", who)
            gateway.get("/conversations/1/messages", who)
            gateway.post("/messages", {"conversation_id": 1, "content": f"from {name}",
                "user_id": "7"}, who)
            gateway.request("PATCH", "/conversations/1", [("Content-Type", "application/json"),
                who], '{"title":"x"}')
            answer = gateway.form("/api/upload_file", [("conversation_id", None, "1"),
                ("files", "a.txt", "x")], who)
            gateway.get("/api/files", who)
            gateway.get("/api/v1/search?q=from", who)
            stream = gateway.stream("POST", "/chat/stream", [("Content-Type", "application/json"),
                who], '{"message":"hello"}')
            stream.rest()
            if name == "ann":
                path = "/files/" + answer.json()["files"][0].split("/files/", 1)[1]
            gateway.get(path)
            gateway.get(path.split("?")[0], who)
        gateway.get(path.split("?")[0])
        gateway.get(path + ".", bearer["ann"])
        for who in reversed(bearer.values()):
            gateway.request("DELETE", "/conversations/1", [who])
        gateway.get("/health")
        gateway.get("/api/v1/status")
        gateway.metrics()


def bounds(transcript, binary):
    with Gateway(transcript, binary, "bounds", {"limits.requests_per_second": "1",
            "limits.bad_tokens_per_minute": "0"}) as gateway:
        until_refused(gateway, lambda: gateway.get("/conversations?user_id=7", record=False), 429)
        until_refused(gateway, lambda: gateway.get("/files/7/a/b", record=False), 429)
    with Gateway(transcript, binary, "a limit of publications",
            {"limits.publishes_per_second": "1"}) as gateway:
        gateway.post("/conversations", {"user_id": "7"})
        until_refused(gateway, lambda: gateway.post(
            "/messages", {"user_id": "7", "conversation_id": 1, "content": "x"}, record=False), 429)
