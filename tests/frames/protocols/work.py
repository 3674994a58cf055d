"""Steps of workflows that are done elsewhere."""

from gateway import Gateway
from protocols.workflows import CHATS, ELSEWHERE, EXTRACT, WORK, new_chat, racing, upload


def record(transcript, binary):
    elsewhere(transcript, binary)


def elsewhere(transcript, binary):
    with Gateway(transcript, binary, "work done elsewhere", {"workflows.max_attempts": "1",
            "workflows.lease": "300ms"}) as gateway:
        chat = new_chat(gateway)
        upload(gateway, chat)
        watcher = gateway.websocket(f"/chat/{chat}", name="watcher")
        watcher.text()
        for body in ("{}", '{"operation":"shop/other"}', '{"operation":7}', '{"wait":-1}',
                '{"wait":"x"}', '{"lease_seconds":0}',
                '{"lease_seconds":3601}', '{"worker":7}', "{", "[]", "", '{"operation":""}'):
            gateway.post(f"{WORK}/claim", body)

        def offered(*steps):
            gateway.post(f"{CHATS}/{chat}/runs", {"steps": list(steps)})
            job = gateway.post(f"{WORK}/claim", {"operation": "shop/translate", "worker": "ann",
                "wait": 30, "lease_seconds": 60}).json()["data"]
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
        for body in ({"progress": 25, "message": "translating"}, {"progress": 75.5}, {},
                {"progress": 101}, {"progress": -1}, {"progress": "x"},
                {"message": 7}, {"lease_seconds": 120}, {"lease_seconds": 0}, "{", "[]"):
            gateway.post(f"{WORK}/{step}/progress", body, claim)
        for body in ({}, {"result": 7}, {"result": []}, "{", "[]"):
            gateway.post(f"{WORK}/{step}/result", body, claim)
        gateway.form(f"{WORK}/{step}/result", [("result", None, "nonsense"),
            ("file", "x.csv", "a\n1\n")], claim)
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
        for body in ({}, {"message": 7}, {"message": ""}, "{", {"message": "no words"},
                {"message": "no words"}, {"message": "other words"}):
            gateway.post(f"{WORK}/{step}/error", body, claim)
        watcher.until("workflow_failed")
        transcript.note("a worker that vanishes")
        gateway.post(f"{CHATS}/{chat}/runs", {"steps": [ELSEWHERE]})
        gateway.post(f"{WORK}/claim", {"operation": "shop/translate", "wait": 30})
        watcher.until("workflow_failed")
        transcript.note("a run that is cancelled under its worker")
        step, claim = offered(ELSEWHERE)
        job = gateway.get(f"{CHATS}/{chat}/runs?limit=1").json()["data"]["runs"][0]["job_id"]
        gateway.post(f"{CHATS}/{chat}/runs/{job}/cancel", {}, shown=racing)
        watcher.until("workflow_cancelled")
        gateway.post(f"{WORK}/{step}/progress", {"progress": 1}, claim)
        for method, path in (("GET", f"{WORK}/claim"), ("GET", f"{WORK}/nobody/input"), ("POST",
                f"{WORK}/nobody/result"), ("GET", WORK)):
            gateway.request(method, path, [claim])
        gateway.get(f"{CHATS}/{chat}/runs")
        watcher.close()
        gateway.metrics()
