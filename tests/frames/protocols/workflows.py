"""Workflows: chats, files, runs."""

import json
import re

import rawhttp
from gateway import JWT, Gateway, token
from transcript import readable

CHATS = "/api/v1/chat/workflows"
WORK = "/api/v1/chat/work"
PEOPLE = "id,name,city\n1,Ann,Oslo\n2,Jürgen,Bergen\n3,,Oslo\n"
SEARCH = {"operation": "csv/search", "arguments": {"conditions": [{"column": "city",
    "operator": "equals", "value": "Oslo"}]}}
EXTRACT = {"operation": "excel/extract-columns", "arguments": {"columns": ["id"],
    "include_statistics": False}}
ELSEWHERE = {"operation": "shop/translate", "kind": "external", "arguments": {"words": ["Oslo"],
    "to": "nb", "from": "de"}}


def record(transcript, binary):
    chats(transcript, binary)
    runs(transcript, binary)
    signed_in(transcript, binary)
    bounds(transcript, binary)


def racing(body):
    """A run that is shown while it changes: how far it is then is chance."""
    text = readable(body)
    for pattern in (r'("status":)"(?:pending|running|cancelled|skipped|failed|completed)"',
            r'("(?:seq|completed_steps|progress)":)\d+',
            r'("(?:started_at|completed_at|error|error_message|result)":)(?:null|"[^"]*"|\{[^{}]*\})'):
        text = re.sub(pattern, r"\1{racing}", text)
    return text


def new_chat(gateway, *headers):
    return gateway.request("POST", CHATS, headers).json()["data"]["chat_id"]


def upload(gateway, chat, name="people.csv", content=PEOPLE, headers=()):
    return gateway.form(f"{CHATS}/{chat}/upload", [("file", name, content)], *headers)


def chats(transcript, binary):
    with Gateway(transcript, binary, "chats") as gateway:
        gateway.get(CHATS)
        chat = new_chat(gateway)
        new_chat(gateway)
        for body in ("{}", '{"chat_id":"mine"}', "[]", "{", '{"metadata":{"a":1}}',
                '{"participant_name":"Ann"}'):
            gateway.post(CHATS, body)
        for query in ("", "?limit=1", "?limit=1&offset=1", "?limit=x", "?limit=0", "?limit=100000",
                "?offset=-1", "?status=created", "?status=nonsense"):
            gateway.get(CHATS + query)
        for name in ("people.csv", "ä b.csv", "../x.csv", "", "people.csv", "a.txt", "noextension",
                "a.xlsx"):
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
        for headers in ([("Range", "bytes=0-3")], [("Range", "bytes=1000-")],
                [("If-None-Match", etag)]):
            gateway.get(f"{CHATS}/{chat}/files/people.csv", *headers)
        for method, path in (("GET", f"{CHATS}/nobody"), ("DELETE", f"{CHATS}/nobody"), ("PUT",
                f"{CHATS}/{chat}"), ("PATCH", CHATS),
                ("GET", f"{CHATS}/%ff"), ("GET", f"{CHATS}/{chat}/nothing"), ("DELETE",
                f"{CHATS}/{chat}"), ("GET", f"{CHATS}/{chat}"),
                ("GET", f"{CHATS}/{chat}/files/people.csv")):
            gateway.request(method, path)
        gateway.metrics()


def runs(transcript, binary):
    with Gateway(transcript, binary, "runs", {"workflows.workers": "1"}) as gateway:
        chat = new_chat(gateway)

        def execute(body, *headers, path="/execute"):
            shown = racing if path.endswith(("/cancel", "/retry")) else None
            return gateway.post(f"{CHATS}/{chat}{path}", body, *headers, shown=shown)

        execute({"steps": [SEARCH]})
        upload(gateway, chat)
        watcher = gateway.websocket(f"/chat/{chat}?positions=true", name="watcher")
        watcher.text()
        execute({"steps": [SEARCH, EXTRACT]})
        watcher.until("workflow_completed")
        for body in ({}, {"steps": None}, {"steps": "x"}, {"steps": [7]}, {"steps": [{}]},
                {"steps": [{"operation": 7}]},
                {"steps": [{"operation": "foo/bar"}]},
                {"steps": [{"operation": "csv/search"}]},
                {"steps": [{"operation": "csv/search", "arguments": 7}]},
                {"steps": [{"operation": "csv/search", "arguments": {"conditions": []}}]},
                {"steps": [SEARCH] * 101}, {"steps": [SEARCH | {"kind": "nonsense"}]}, "", "{",
                "[]", "null"):
            execute(body)
        execute({"steps": []})
        watcher.until("workflow_completed")
        wrong = {"operation": "csv/search", "arguments": {"conditions": [{"column": "nope",
            "operator": "equals", "value": "x"}]}}
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
        submitted = execute({"steps": [SEARCH]}, path="/execute?wait=false").json()["data"][
            "job_id"]
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
            "normalization/apply": {"normalizations": [{"column": "name", "type": "uppercase"}],
                "return_report": True},
            "sql/generate": {"table_name": "t", "column_mapping": mapping},
                "sql/generate-to-text": {"table_name": "t"},
            "sql/generate-custom-to-text": {"template": "SELECT {who};", "column_mapping": mapping},
                "json/generate": {"unknown": 1},
            "json/generate-with-template": {"template": {"n": "{who}"}, "column_mapping": mapping},
            "excel/bind-single-key": {"bind_file": "people.csv", "comparison_column": "id",
                "bind_columns": ["city"]},
            "excel/bind-multi-key": {"bind_file": "../../etc/passwd", "comparison_columns": ["id"],
                "bind_columns": ["city"]},
        }.items():
            execute({"steps": [{"operation": operation, "arguments": arguments}]})
            watcher.until("workflow_failed" if "passwd" in str(arguments) else "workflow_completed")
        gateway.get(f"{CHATS}/{chat}")
        gateway.get(f"/api/v1/topics/chat:{chat}/history?limit=5")
        transcript.note(
            "a run that waits elsewhere is cancelled, as is that of a chat that is deleted")
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


def signed_in(transcript, binary):
    with Gateway(transcript, binary, "signed in", JWT) as gateway:
        ann, bob = ("Authorization", f"Bearer {token(sub='7')}"), ("Authorization",
            f"Bearer {token(sub='8')}")
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
        short = gateway.websocket("/chat", ("Authorization", f"Bearer {token(sub='9', ttl=-4)}"),
            name="short")
        short.closed()
        gateway.metrics()


def bounds(transcript, binary):
    settings = {"workflows.max_waiting": "1", "workflows.workers": "1",
        "files.max_upload_size": "1000", "workflows.max_steps": "2",
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
    with Gateway(transcript, binary, "without workflows",
            {"workflows.enabled": "false"}) as gateway:
        gateway.get(CHATS)
        gateway.get("/chat")
        gateway.get("/")
