"""Workflows: chats, files, runs, their WebSocket, work done elsewhere, archives."""

import io
import json
import tarfile

import rawhttp
from gateway import JWT, Gateway, token
from transcript import readable

CHATS = "/api/v1/chat/workflows"
WORK = "/api/v1/chat/work"
PEOPLE = "id,name,city\n1,Ann,Oslo\n2,Jürgen,Bergen\n3,,Oslo\n"
SEARCH = {"operation": "csv/search", "arguments": {"conditions": [{"column": "city", "operator": "equals", "value": "Oslo"}]}}
EXTRACT = {"operation": "excel/extract-columns", "arguments": {"columns": ["id"], "include_statistics": False}}
ELSEWHERE = {"operation": "shop/translate", "kind": "external", "arguments": {"words": ["Oslo"], "to": "nb", "from": "de"}}


def record(transcript, binary):
    chats(transcript, binary)
    runs(transcript, binary)
    socket(transcript, binary)
    elsewhere(transcript, binary)
    archives(transcript, binary)
    signed_in(transcript, binary)
    bounds(transcript, binary)


def new_chat(gateway, *headers):
    return gateway.request("POST", CHATS, headers).json()["data"]["chat_id"]


def upload(gateway, chat, name="people.csv", content=PEOPLE, headers=()):
    return gateway.form(f"{CHATS}/{chat}/upload", [("file", name, content)], *headers)


def chats(transcript, binary):
    with Gateway(transcript, binary, "chats") as gateway:
        gateway.get(CHATS)
        chat = new_chat(gateway)
        new_chat(gateway)
        for body in ("{}", '{"chat_id":"mine"}', "[]", "{", '{"metadata":{"a":1}}', '{"participant_name":"Ann"}'):
            gateway.post(CHATS, body)
        for query in ("", "?limit=1", "?limit=1&offset=1", "?limit=x", "?limit=0", "?limit=100000", "?offset=-1", "?status=created", "?status=nonsense"):
            gateway.get(CHATS + query)
        for name in ("people.csv", "ä b.csv", "../x.csv", "", "people.csv", "a.txt", "noextension", "a.xlsx"):
            upload(gateway, chat, name)
        gateway.form(f"{CHATS}/{chat}/upload", [("other", "a.csv", "x")])
        gateway.form(f"{CHATS}/{chat}/upload", [("file", None, "no file name")])
        gateway.form(f"{CHATS}/{chat}/upload", [])
        gateway.post(f"{CHATS}/{chat}/upload", "{}")
        upload(gateway, "nobody")
        gateway.get(f"{CHATS}/{chat}")
        for path in ("people.csv", "nothing.csv", "..%2fx", "%ff", ""):
            gateway.get(f"{CHATS}/{chat}/files/{path}")
        etag = gateway.get(f"{CHATS}/{chat}/files/people.csv", record=False).header("etag")
        for headers in ([("Range", "bytes=0-3")], [("Range", "bytes=1000-")], [("If-None-Match", etag)]):
            gateway.get(f"{CHATS}/{chat}/files/people.csv", *headers)
        for method, path in (("GET", f"{CHATS}/nobody"), ("DELETE", f"{CHATS}/nobody"), ("PUT", f"{CHATS}/{chat}"), ("PATCH", CHATS),
                             ("GET", f"{CHATS}/%ff"), ("GET", f"{CHATS}/{chat}/nothing"), ("DELETE", f"{CHATS}/{chat}"), ("GET", f"{CHATS}/{chat}"),
                             ("GET", f"{CHATS}/{chat}/files/people.csv")):
            gateway.request(method, path)
        gateway.metrics()


def runs(transcript, binary):
    with Gateway(transcript, binary, "runs", {"workflows.workers": "1"}) as gateway:
        chat = new_chat(gateway)

        def execute(body, *headers, path="/execute"):
            return gateway.post(f"{CHATS}/{chat}{path}", body, *headers)

        execute({"steps": [SEARCH]})
        upload(gateway, chat)
        watcher = gateway.websocket(f"/chat/{chat}?positions=true", name="watcher")
        watcher.text()
        execute({"steps": [SEARCH, EXTRACT]})
        watcher.until("workflow_completed")
        for body in ({}, {"steps": None}, {"steps": "x"}, {"steps": [7]}, {"steps": [{}]}, {"steps": [{"operation": 7}]},
                     {"steps": [{"operation": "foo/bar"}]}, {"steps": [{"operation": "csv/search"}]},
                     {"steps": [{"operation": "csv/search", "arguments": 7}]}, {"steps": [{"operation": "csv/search", "arguments": {"conditions": []}}]},
                     {"steps": [SEARCH] * 101}, {"steps": [SEARCH | {"kind": "nonsense"}]}, "", "{", "[]", "null"):
            execute(body)
        execute({"steps": []})
        watcher.until("workflow_completed")
        wrong = {"operation": "csv/search", "arguments": {"conditions": [{"column": "nope", "operator": "equals", "value": "x"}]}}
        failed = execute({"steps": [EXTRACT, wrong, SEARCH]})
        watcher.until("workflow_failed")
        listed = gateway.get(f"{CHATS}/{chat}/runs").json()["data"]["runs"]
        last = listed[0]["job_id"]
        gateway.get(f"{CHATS}/{chat}/runs/{last}")
        execute({}, path=f"/runs/{last}/cancel")
        execute({}, path=f"/runs/{last}/retry")
        watcher.until("workflow_failed")
        for query in ("?limit=1", "?limit=1&offset=1", "?limit=x", "?offset=-1"):
            gateway.get(f"{CHATS}/{chat}/runs{query}")
        for path in ("/runs/nobody", "/runs/nobody/cancel", "/runs/nobody/retry", "/runs/%ff"):
            gateway.get(f"{CHATS}/{chat}{path}")
            execute({}, path=path)
        transcript.note("without waiting, and with keys")
        submitted = execute({"steps": [SEARCH]}, path="/execute?wait=false").json()["data"]["job_id"]
        watcher.until("workflow_completed")
        gateway.get(f"{CHATS}/{chat}/runs/{submitted}")
        execute({}, path=f"/runs/{submitted}/retry")
        key = ("Idempotency-Key", "k1")
        execute({"steps": [EXTRACT]}, key)
        watcher.until("workflow_completed")
        execute({"steps": [EXTRACT]}, key)
        execute({"steps": [EXTRACT]}, key, path="/runs")
        execute({"steps": [SEARCH]}, key)
        execute({"steps": [SEARCH]}, ("Idempotency-Key", ""))
        execute({"steps": [SEARCH]}, ("Idempotency-Key", "k" * 256))
        execute({"steps": [SEARCH]}, path="/execute?wait=nonsense")
        execute({"steps": [EXTRACT], "other": 1}, path="/runs")
        watcher.until("workflow_completed")
        transcript.note("every operation on a table")
        mapping = {"who": "name"}
        for operation, arguments in {
            "excel/extract-columns-to-file": {"columns": ["name", "id"], "remove_duplicates": True},
            "excel/map-columns": {"mapping": {"B": "name", "A": {"default": 7}}},
            "csv/convert-to-excel": {"sheet_name": "People"}, "excel/convert-to-csv": {},
            "excel/search": SEARCH["arguments"] | {"logic": "OR"},
            "normalization/apply": {"normalizations": [{"column": "name", "type": "uppercase"}], "return_report": True},
            "sql/generate": {"table_name": "t", "column_mapping": mapping}, "sql/generate-to-text": {"table_name": "t"},
            "sql/generate-custom-to-text": {"template": "SELECT {who};", "column_mapping": mapping}, "json/generate": {"unknown": 1},
            "json/generate-with-template": {"template": {"n": "{who}"}, "column_mapping": mapping},
            "excel/bind-single-key": {"bind_file": "people.csv", "comparison_column": "id", "bind_columns": ["city"]},
            "excel/bind-multi-key": {"bind_file": "../../etc/passwd", "comparison_columns": ["id"], "bind_columns": ["city"]},
        }.items():
            execute({"steps": [{"operation": operation, "arguments": arguments}]})
            watcher.until("workflow_failed" if "passwd" in str(arguments) else "workflow_completed")
        gateway.get(f"{CHATS}/{chat}")
        gateway.get(f"/api/v1/topics/chat:{chat}/history?limit=5")
        transcript.note("a run that waits elsewhere is cancelled, as is that of a chat that is deleted")
        waiting = execute({"steps": [ELSEWHERE]}, path="/runs").json()["data"]["job_id"]
        watcher.until("progress")
        execute({}, path=f"/runs/{waiting}/cancel")
        watcher.until("workflow_cancelled")
        gateway.get(f"{CHATS}/{chat}/runs/{waiting}")
        execute({"steps": [ELSEWHERE]}, path="/runs")
        watcher.until("progress")
        gateway.request("DELETE", f"{CHATS}/{chat}")
        watcher.until("deleted")
        watcher.close()
        gateway.metrics()


def socket(transcript, binary):
    with Gateway(transcript, binary, "the WebSocket of a chat", {"workflows.max_connections": "3", "topics.chat.events": "8"}) as gateway:
        chat = new_chat(gateway)
        upload(gateway, chat)
        client = gateway.websocket(f"/chat/{chat}", name="client")
        begin = json.loads(client.text())["position"]
        for text in ('{"type":"ping"}', "ping", "{}", '{"type":"other","n":1.50}', "7", "null", "[]", "{", '"text"', '{"type":7}',
                     '{"type":"subscribe"}', '{"type":"subscribe","chat_id":null}', '{"type":"subscribe","chat_id":""}',
                     '{"type":"subscribe","chat_id":7}', '{"type":"subscribe","chat_id":"a\\u0007"}', '{"type":"subscribe","chat_id":["a"]}',
                     json.dumps({"type": "subscribe", "chat_id": "c" * 300}), '{"type":"subscribe","chat_id":"x","since":"nonsense"}',
                     '{"type":"subscribe","chat_id":"x","since":7}', '{"type":"subscribe","chat_id":"x","snapshot":true}',
                     '{"type":"subscribe","chat_id":"x","snapshot":"yes"}', '{"type":"subscribe","chat_id":"x","positions":7}',
                     '{"type":"refresh","token":"x"}', '{"type":"refresh"}', '{"type":"refresh","token":7}', '{"type":"ack"}'):
            client.send(text)
            client.send('{"type":"ping"}')
            client.until('"pong"')
        client.send(b"\x01", 2)
        client.sync()
        client.send(json.dumps({"type": "subscribe", "chat_id": chat, "positions": True}))
        client.text()
        gateway.post("/api/v1/publish", '{"topic":"chat:%s","payload":{"n":1.50,"big":12345678901234567890123}}' % chat)
        client.until("big")
        gateway.post(f"{CHATS}/{chat}/execute", {"steps": [SEARCH]})
        client.until("workflow_completed")
        for query in (f"?since={begin}", f"?since={begin}&positions=true", "?snapshot=true", f"?since={begin}&snapshot=true",
                      "?since=nonsense", "?since=0000000000000-1", "?positions=nonsense", "?snapshot=nonsense"):
            other = gateway.websocket(f"/chat/{chat}{query}", name="other")
            if isinstance(other, rawhttp.Response):
                continue
            other.text()
            gateway.post("/api/v1/publish", {"topic": f"chat:{chat}", "payload": f"after {query}"})
            other.until("after")
            other.close()
            client.until("after")
        for path in ("/chat", "/chat/", "/chat/a%07", "/chat/%ff", "/chat/" + "c" * 300, "/chat/a/b"):
            other = gateway.websocket(path, name="other")
            if isinstance(other, rawhttp.Response):
                continue
            other.sync()
            other.close()
        gateway.get("/chat")
        gateway.request("POST", f"/chat/{chat}")
        others = [gateway.websocket("/chat", name=f"client {number}") for number in range(2)]
        for other in others:
            other.sync()
        full = gateway.websocket("/chat", name="too many")
        full.closed()
        for other in [*others, client]:
            other.close()
        gateway.metrics()
    quick = {"workflows.ping_interval": "200ms", "workflows.ping_timeout": "200ms", "workflows.max_message_size": "100"}
    with Gateway(transcript, binary, "ends", quick) as gateway:
        client = gateway.websocket("/chat", name="silent")
        client.answers_pings = False
        client.closed()
        client = gateway.websocket("/chat", name="large")
        client.send("x" * 101)
        client.closed()
        client = gateway.websocket("/chat", name="sent away")
        client.sync()
        session = gateway.get("/api/v1/sessions").json()["sessions"][0]["id"]
        gateway.request("DELETE", f"/api/v1/sessions/{session}")
        client.closed()


def elsewhere(transcript, binary):
    with Gateway(transcript, binary, "work done elsewhere", {"workflows.max_attempts": "1", "workflows.lease": "300ms"}) as gateway:
        chat = new_chat(gateway)
        upload(gateway, chat)
        watcher = gateway.websocket(f"/chat/{chat}", name="watcher")
        watcher.text()
        for body in ("{}", '{"operation":"shop/other"}', '{"operation":7}', '{"wait":31}', '{"wait":-1}', '{"wait":"x"}', '{"lease_seconds":0}',
                     '{"lease_seconds":3601}', '{"worker":7}', "{", "[]", "", '{"operation":""}'):
            gateway.post(f"{WORK}/claim", body)

        def offered(*steps):
            gateway.post(f"{CHATS}/{chat}/runs", {"steps": list(steps)})
            job = gateway.post(f"{WORK}/claim", {"operation": "shop/translate", "worker": "ann", "wait": 30, "lease_seconds": 60}).json()["data"]
            watcher.until("claimed") if False else None
            return job["step_id"], ("X-Claim", job["claim"])

        step, claim = offered(ELSEWHERE, EXTRACT)
        other = ("X-Claim", "00000000-0000-7000-8000-000000000000")
        gateway.get(f"{WORK}/{step}/input", claim)
        gateway.get(f"{WORK}/{step}/input", claim, ("Range", "bytes=0-1"))
        for shown in ([other], [("X-Claim", "nonsense")], []):
            gateway.get(f"{WORK}/{step}/input", *shown)
            gateway.post(f"{WORK}/{step}/progress", {"progress": 1}, *shown)
            gateway.post(f"{WORK}/{step}/result", {"result": {}}, *shown)
            gateway.post(f"{WORK}/{step}/error", {"message": "x"}, *shown)
        for body in ({"progress": 25, "message": "translating"}, {"progress": 75.5}, {}, {"progress": 101}, {"progress": -1}, {"progress": "x"},
                     {"message": 7}, {"lease_seconds": 120}, {"lease_seconds": 0}, "{", "[]"):
            gateway.post(f"{WORK}/{step}/progress", body, claim)
        for body in ({}, {"result": 7}, {"result": []}, "{", "[]"):
            gateway.post(f"{WORK}/{step}/result", body, claim)
        gateway.form(f"{WORK}/{step}/result", [("result", None, "nonsense"), ("file", "x.csv", "a\n1\n")], claim)
        done = [("result", None, '{"words":1}'), ("file", "words of it.csv", "id,word\n07,Oslo\n")]
        gateway.form(f"{WORK}/{step}/result", done, claim)
        gateway.form(f"{WORK}/{step}/result", done, claim)
        gateway.post(f"{WORK}/{step}/result", {"result": {}}, claim)
        gateway.post(f"{WORK}/{step}/progress", {"progress": 1}, claim)
        watcher.until("workflow_completed")
        transcript.note("a result without a file, and an error")
        step, claim = offered(ELSEWHERE)
        gateway.post(f"{WORK}/{step}/result", {"result": {"letters": 7}}, claim)
        watcher.until("workflow_completed")
        step, claim = offered(ELSEWHERE)
        for body in ({}, {"message": 7}, {"message": ""}, "{", {"message": "no words"}, {"message": "no words"}, {"message": "other words"}):
            gateway.post(f"{WORK}/{step}/error", body, claim)
        watcher.until("workflow_failed")
        transcript.note("a worker that vanishes")
        gateway.post(f"{CHATS}/{chat}/runs", {"steps": [ELSEWHERE]})
        gateway.post(f"{WORK}/claim", {"operation": "shop/translate", "wait": 30})
        watcher.until("workflow_failed")
        transcript.note("a run that is cancelled under its worker")
        step, claim = offered(ELSEWHERE)
        job = gateway.get(f"{CHATS}/{chat}/runs?limit=1").json()["data"]["runs"][0]["job_id"]
        gateway.post(f"{CHATS}/{chat}/runs/{job}/cancel", {})
        watcher.until("workflow_cancelled")
        gateway.post(f"{WORK}/{step}/progress", {"progress": 1}, claim)
        for method, path in (("GET", f"{WORK}/claim"), ("GET", f"{WORK}/nobody/input"), ("POST", f"{WORK}/nobody/result"), ("GET", WORK)):
            gateway.request(method, path, [claim])
        gateway.get(f"{CHATS}/{chat}/runs")
        watcher.close()
        gateway.metrics()


def unpacked(body):
    """The entries of an archive, in the order of their names."""
    with tarfile.open(fileobj=io.BytesIO(body)) as archive:
        entries = sorted(archive.getmembers(), key=lambda entry: entry.name)
        lines = []
        for entry in entries:
            content = readable(archive.extractfile(entry).read())
            if entry.name == "metadata.json":
                content = json.dumps(json.loads(content), indent=1, ensure_ascii=False)
            lines.append(f"{entry.name} {entry.mode:o} {entry.type!r}\n{content}")
        return "\n".join(lines)


def archive_of(*entries):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as archive:
        for name, kind, content in entries:
            info = tarfile.TarInfo(name)
            info.type, info.size = kind, len(content)
            archive.addfile(info, io.BytesIO(content))
    return out.getvalue()


def archives(transcript, binary):
    with Gateway(transcript, binary, "archives") as gateway:
        chat = new_chat(gateway)
        upload(gateway, chat)
        gateway.post(f"{CHATS}/{chat}/execute", {"steps": [SEARCH, EXTRACT]})
        gateway.request("POST", f"{CHATS}/nobody/dump")
        url = gateway.request("POST", f"{CHATS}/{chat}/dump").json()["data"]["download_url"]
        path = "/" + url.split("/", 3)[3]
        transcript.pattern(r"content-length: \d+", "content-length: {of the archive}")
        transcript.pattern(r"content-range: .*", "content-range: {of the archive}")
        dumped = gateway.get(path, shown=unpacked).body
        gateway.get(path, ("Range", "bytes=0-1"))
        gateway.get("/api/v1/chat/downloads/nothing.tar.gz")
        restore = f"{CHATS}/restore"

        def restored(body, part="dump_file"):
            return gateway.form(restore, [(part, "a.tar.gz", body)])

        restored(dumped)
        gateway.request("DELETE", f"{CHATS}/{chat}")
        restored(dumped)
        gateway.get(f"{CHATS}/{chat}/runs")
        gateway.get(f"{CHATS}/{chat}/files/people.csv")
        restored(dumped, "other")
        restored(b"nonsense")
        restored(b"")
        metadata = ("metadata.json", tarfile.REGTYPE, b'{"chat_id":"evil"}')
        for entry in (("../evil", tarfile.REGTYPE, b"x"), ("/tmp/evil", tarfile.REGTYPE, b"x"), ("uploads/link", tarfile.SYMTYPE, b""),
                      ("elsewhere/x", tarfile.REGTYPE, b"x"), ("uploads/a.csv", tarfile.REGTYPE, b"id\n1\n")):
            restored(archive_of(metadata, entry))
        restored(archive_of(("metadata.json", tarfile.REGTYPE, b"nonsense")))
        restored(archive_of(("uploads/a.csv", tarfile.REGTYPE, b"x")))
        restored(archive_of(metadata, ("uploads/a", tarfile.REGTYPE, b"x"), ("uploads/a", tarfile.REGTYPE, b"x")))
        gateway.get(restore)
        gateway.request("POST", "/api/v1/chat/sqlite/backup")
        gateway.get("/api/v1/chat/sqlite/backup")
        gateway.metrics()


def signed_in(transcript, binary):
    with Gateway(transcript, binary, "signed in", JWT) as gateway:
        ann, bob = ("Authorization", f"Bearer {token(sub='7')}"), ("Authorization", f"Bearer {token(sub='8')}")
        worker = ("Authorization", f"Bearer {token(scope='work backup')}")
        chat = new_chat(gateway, ann)
        upload(gateway, chat, headers=[ann])
        for who in ([], [bob], [worker], [ann]):
            gateway.get(CHATS, *who)
            gateway.get(f"{CHATS}/{chat}", *who)
            gateway.get(f"{CHATS}/{chat}/files/people.csv", *who)
            gateway.request("POST", CHATS, who)
            gateway.post(f"{CHATS}/{chat}/execute", {"steps": [EXTRACT]}, *who)
            gateway.request("POST", f"{CHATS}/{chat}/dump", who)
            gateway.form(f"{CHATS}/restore", [("dump_file", "a.tar.gz", b"x")], *who)
            gateway.post(f"{WORK}/claim", {}, *who)
            gateway.request("POST", "/api/v1/chat/sqlite/backup", who)
            client = gateway.websocket(f"/chat/{chat}", *who)
            if not isinstance(client, rawhttp.Response):
                client.sync()
                client.close()
        client = gateway.websocket(f"/chat/{chat}", ann)
        client.text()
        for shown in ("nonsense", token(sub="8"), 7, token(sub="7")):
            client.send(json.dumps({"type": "refresh", "token": shown}))
            client.sync()
        client.send('{"type":"subscribe","chat_id":"other"}')
        client.sync()
        client.close()
        short = gateway.websocket("/chat", ("Authorization", f"Bearer {token(sub='9', ttl=-4)}"), name="short")
        short.closed()
        gateway.metrics()


def bounds(transcript, binary):
    settings = {"workflows.max_waiting": "1", "workflows.workers": "1", "files.max_upload_size": "1000", "workflows.max_steps": "2",
                "limits.user_share": "1.0"}
    with Gateway(transcript, binary, "bounds", settings) as gateway:
        chat = new_chat(gateway)
        upload(gateway, chat, content="x" * 1001)
        upload(gateway, chat)
        gateway.post(f"{CHATS}/{chat}/execute", {"steps": [EXTRACT] * 3})
        # The first waits for a worker elsewhere, the next behind it.
        watcher = gateway.websocket(f"/chat/{chat}", name="watcher")
        watcher.text()
        gateway.post(f"{CHATS}/{chat}/runs", {"steps": [ELSEWHERE]})
        watcher.until("progress")
        gateway.post(f"{CHATS}/{chat}/runs", {"steps": [EXTRACT]})
        gateway.post(f"{CHATS}/{chat}/runs", {"steps": [EXTRACT]})
        gateway.post(f"{CHATS}/{chat}/execute", {"steps": [EXTRACT]})
        watcher.close()
    with Gateway(transcript, binary, "without workflows", {"workflows.enabled": "false"}) as gateway:
        gateway.get(CHATS)
        gateway.get("/chat")
        gateway.get("/")
