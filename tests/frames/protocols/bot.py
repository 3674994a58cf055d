"""The bot of workflows: conversations, suggestions, confirmations, and its agent."""

import json

from gateway import JWT, Gateway, token
from protocols.workflows import ELSEWHERE, PEOPLE, SEARCH, racing

BOT = "/api/v1/chat/bot"

SENTENCES = [
    "hello", "help", "what can you do?", "extract columns: city, id", "remove duplicates",
        "convert to excel", "convert to csv", "uppercase name",
    "normalise the data", "make SQL for table people", "generate json",
        "search rows where city equals Oslo", "join two files by id",
    "map columns name to who", "information about my file", "yes", "no", "cancel", "thank you",
        "bye", "🙂", "xyzzy plugh", "extract columns: nope",
    "find rows where nope is 1", "status", "what did you do?", "  ", "select",
]


def record(transcript, binary):
    talking(transcript, binary)
    confirming(transcript, binary)
    with_an_agent(transcript, binary)
    signed_in(transcript, binary)


def begin(gateway, *headers):
    return gateway.request("POST", f"{BOT}/conversations", headers).json()["data"]["chat_id"]


class Talk:
    """A conversation with the bot, which somebody watches."""

    def __init__(self, gateway):
        self.gateway, self.id = gateway, begin(gateway)
        self.path = f"{BOT}/conversations/{self.id}"
        self.watcher = gateway.websocket(f"/chat/{self.id}?positions=true", name="watcher")
        self.watcher.text()

    def say(self, message, **more):
        answer = self.gateway.post(f"{self.path}/message", {"message": message} | more)
        data = answer.json().get("data") or {}
        if isinstance(data, dict) and data.get("job_id"):
            self.over()
        return data

    def over(self):
        """Wait until a run is over, and what the bot says of it is published."""
        self.watcher.until("workflow_completed")

    def upload(self, name="people.csv", content=PEOPLE):
        return self.gateway.form(f"{self.path}/upload", [("file", name, content)])


def talking(transcript, binary):
    with Gateway(transcript, binary, "talking") as gateway:
        gateway.get(f"{BOT}/operations")
        for body in ("{}", '{"chat_id":"mine"}', '{"chat_id":"mine"}', '{"chat_id":7}',
                '{"chat_id":""}', '{"chat_id":"a\\u0007"}', "[]", "{"):
            gateway.post(f"{BOT}/conversations", body)
        talk = Talk(gateway)
        for sentence in SENTENCES:
            talk.say(sentence)
        talk.upload()
        for sentence in SENTENCES:
            talk.say(sentence)
        for name, content in (("a.xlsx", "no workbook"), ("a.csv", ""), ("a.csv", "x\n"), ("b.txt",
                "a;b\n1;2\n"), ("", "x"), ("a.pdf", "%PDF")):
            talk.upload(name, content)
        for body in ({"message": ""}, {"message": 7}, {}, "{", "[]", {"message": "x" * 10_001},
                {"message": "hi", "other": 1}):
            gateway.post(f"{talk.path}/message", body)
        for query in ("", "?limit=2", "?limit=x", "?limit=0", "?limit=-1"):
            gateway.get(f"{talk.path}/history{query}")
        for path in ("/history", "/workflow/status/x", "/nothing", ""):
            gateway.get(f"{BOT}/conversations/nobody{path}")
        gateway.post(f"{BOT}/conversations/nobody/message", {"message": "hi"})
        gateway.post(f"{BOT}/conversations/nobody/confirm", {"confirmed": True})
        gateway.form(f"{BOT}/conversations/nobody/upload", [("file", "a.csv", PEOPLE)])
        gateway.form(f"{talk.path}/upload", [("other", "a.csv", PEOPLE)])
        gateway.get(f"{talk.path}/workflow/status/nobody")
        gateway.get(f"{talk.path}/message")
        gateway.request("DELETE", talk.path)
        talk.watcher.until("deleted")
        gateway.request("DELETE", talk.path)
        gateway.get(f"{talk.path}/history")
        talk.watcher.close()
        gateway.metrics()


def confirming(transcript, binary):
    with Gateway(transcript, binary, "confirming") as gateway:
        talk = Talk(gateway)
        confirm = f"{talk.path}/confirm"
        gateway.post(confirm, {"confirmed": True})
        talk.upload()
        for body in ({"confirmed": False}, {"confirmed": "yes"}, {}, "{", "[]", {"confirmed": None},
                {"confirmed": True, "modified_workflow": []},
                {"confirmed": True, "modified_workflow": [{}]}, {"confirmed": False,
                "modified_workflow": [{}]},
                {"confirmed": True, "modified_workflow": [{"operation": "foo/bar"}]},
                {"confirmed": True, "modified_workflow": [ELSEWHERE]},
                {"confirmed": True, "modified_workflow": 7}):
            talk.say("extract columns: id")
            answer = gateway.post(confirm, body)
            if answer.status == 202:
                job = answer.json()["data"]["job_id"]
                if "external" in str(body):
                    talk.watcher.until("Waiting for a worker")
                    gateway.post(f"/api/v1/chat/workflows/{talk.id}/runs/{job}/cancel", {},
                        shown=racing)
                    talk.watcher.until("workflow_cancelled")
                else:
                    talk.over()
        talk.say("extract columns: id")
        job = gateway.post(confirm, {"confirmed": True}).json()["data"]["job_id"]
        talk.over()
        gateway.get(f"{talk.path}/workflow/status/{job}")
        key = ("Idempotency-Key", "k1")
        answer = gateway.post(confirm, {"confirmed": True, "modified_workflow": [SEARCH]}, key)
        talk.over()
        gateway.post(confirm, {"confirmed": True, "modified_workflow": [SEARCH]}, key)
        gateway.post(confirm, {"confirmed": True}, key)
        wrong = SEARCH | {"arguments": {"conditions": [{"column": "nope", "operator": "equals",
            "value": "x"}]}}
        job = gateway.post(confirm, {"confirmed": True, "modified_workflow": [wrong]}).json()[
            "data"]["job_id"]
        talk.watcher.until("workflow_failed")
        gateway.get(f"{talk.path}/workflow/status/{job}")
        talk.say("extract columns: city")
        gateway.post(f"{talk.path}/message", {"message": "yes"}, ("Idempotency-Key", "k2"))
        talk.over()
        gateway.get(f"/api/v1/chat/workflows/{talk.id}")
        talk.watcher.close()


def with_an_agent(transcript, binary):
    with Gateway(transcript, binary, "with an agent", {"workflows.agent": "echo"}) as gateway:
        talk = Talk(gateway)
        for sentence in ("xyzzy", "hello", "help"):
            talk.say(sentence)
        for _ in range(2):
            talk.watcher.until("turn.completed")
        gateway.get(f"{talk.path}/history")
        talk.watcher.close()


def signed_in(transcript, binary):
    with Gateway(transcript, binary, "signed in", JWT) as gateway:
        ann, bob = ("Authorization", f"Bearer {token(sub='7', topics=['chat:mine'])}"), (
            "Authorization", f"Bearer {token(sub='8')}")
        program = ("Authorization", f"Bearer {token(topics=['*'])}")
        chat = begin(gateway, ann)
        for who in ([], [ann], [bob], [program]):
            gateway.request("POST", f"{BOT}/conversations", who)
            gateway.post(f"{BOT}/conversations", '{"chat_id":"mine"}', *who)
            gateway.post(f"{BOT}/conversations/{chat}/message", {"message": "hello"}, *who)
            gateway.get(f"{BOT}/conversations/{chat}/history", *who)
            gateway.get(f"{BOT}/operations", *who)
            gateway.form(f"{BOT}/conversations/{chat}/upload", [("file", "a.csv", PEOPLE)], *who)
        for who in ([], [bob], [ann]):
            gateway.request("DELETE", f"{BOT}/conversations/{chat}", who)
