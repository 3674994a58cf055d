"""What upstreams are asked, in each dialect, and what becomes of their answers."""

import json

from gateway import Gateway
from upstream import Upstream, corpus

KINDS = {"openai": "openai", "agui": "agui", "http": "http", "cat": "cheshire-cat"}


def record(transcript, binary):
    for dialect in KINDS:
        answers(transcript, binary, dialect)
    failures(transcript, binary)
    given(transcript, binary)


def agent(dialect, upstream, path, **more):
    """The keys of an agent of this dialect."""
    scheme = "ws" if dialect == "cat" else "http"
    keys = {"kind": KINDS[dialect], "url": upstream.url(path, scheme)}
    if dialect == "openai":
        keys |= {"model": "m"}
    return keys | more


def toml(agents, default):
    lines = ["[agents]", f'default = "{default}"']
    for name, keys in agents.items():
        lines.append(f"[agents.{name}]")
        lines += [f"{key} = {value if key == 'body' else json.dumps(value)}" for key,
            value in keys.items()]
    return "\n".join(lines)


def start(transcript, binary, title, agents, upstream):
    """A gateway with these agents. Those of a corpus are too many for variables."""
    default = next(iter(agents))
    transcript_file = ("agents.toml", toml(agents, default))
    return Gateway(transcript, binary, title, {}, upstream.literals, files=[transcript_file])


def without_deltas(body):
    """A history without the pieces of replies: how many there are depends on when they came."""
    told = json.loads(body)
    kept = [record for record in told["records"] if record["kind"] != "turn.delta"]
    text = "".join(record["payload"]["text"] for record in told["records"]
        if record["kind"] == "turn.delta")
    kinds = [{"kind": record["kind"], "payload": record["payload"]} for record in kept]
    return "\n".join(json.dumps(line, ensure_ascii=False) for line in [*kinds, {"pieces": text}])


def answers(transcript, binary, dialect):
    upstream = Upstream()
    recorded = corpus(dialect)
    agents = {f"a{number}": agent(dialect, upstream, f"/play/{dialect}/{answer.name}",
        token_timeout="400ms")
        for number, answer in enumerate(recorded)}
    with start(transcript, binary, f"answers of {dialect}", agents, upstream) as gateway:
        # How many records a reply has depends on when its pieces came.
        transcript.pattern(r"(quadrille-position: .*-)\d+", r"\1{n}")
        for number, answer in enumerate(recorded):
            transcript.note(answer.name)
            user = f"u{number}"
            gateway.post("/send", {"user_id": user, "message": "Where?", "agent": f"a{number}"})
            upstream.note_asked(transcript)
            if dialect == "cat":
                upstream.note_asked(transcript)
            gateway.get(f"/api/v1/topics/user:{user}/history", shown=without_deltas)
        gateway.metrics()


def failures(transcript, binary):
    upstream = Upstream()
    agents = {"echo2": {"kind": "echo"}}
    for dialect in KINDS:
        agents[f"{dialect}-unreachable"] = {**agent(dialect, upstream, ""),
            "url": "http://127.0.0.1:1"}
        if dialect == "cat":
            agents["cat-refused"] = agent(dialect, upstream, "/refused")
            continue
        for status in (301, 401, 404, 429, 500, 503):
            agents[f"{dialect}-{status}"] = agent(dialect, upstream, f"/status/{status}")
        agents[f"{dialect}-first"] = agent(dialect, upstream, "/silent",
            first_token_timeout="200ms")
        agents[f"{dialect}-total"] = agent(dialect, upstream, "/silent", total_timeout="200ms")
    agents["http-long"] = agent("http", upstream, "/play/http/plain", max_reply=3)
    with start(transcript, binary, "failures", agents, upstream) as gateway:
        for number, name in enumerate(agents):
            transcript.note(name)
            gateway.post("/send", {"user_id": f"u{number}", "message": "Where?", "agent": name})
            stream = gateway.stream("POST", "/send", [("Accept", "text/event-stream"),
                ("Content-Type", "application/json")],
                json.dumps({"user_id": f"u{number}", "message": "Where?",
                "agent": name}), name=name)
            stream.rest()
        gateway.metrics()


def given(transcript, binary):
    upstream = Upstream()
    body = '{ level = "{intelligence_level}", stop = ["x"], temperature = 0.5 }'
    agents = {
        "gpt": agent("openai", upstream, "/play/openai/plain", token="sk-secret",
            system="Be a cat.", window=1, body=body),
        "agui": agent("agui", upstream, "/play/agui/plain", token="sk-secret", window=1,
            content="blocks", body=body),
        "agui-text": agent("agui", upstream, "/play/agui/plain", window=1, content="text"),
        "http": agent("http", upstream, "/play/http/plain", token="sk-secret",
            message_field="question", user_field="",
                      session_field="session", body=body),
        "cat": agent("cat", upstream, "/play/cat/plain", token="a key & more"),
    }
    history = [{"role": "user", "content": "One?"}, {"role": "assistant", "content": "1"}]
    more = {"history": history, "image": "https://example.org/a.png", "intelligence_level": "super"}
    for name, keys in agents.items():
        with start(transcript, binary, f"what clients give along, {name}", {name: keys},
                upstream) as gateway:
            transcript.pattern(r"(quadrille-position: .*-)\d+", r"\1{n}")
            for extra in ({}, {}, more):
                question = {"user_id": "a/b ü", "message": "Where?", "conversation_id": "1"} | extra
                stream = gateway.stream("POST", "/chat/stream",
                    [("Content-Type", "application/json")],
                    json.dumps(question))
                transcript.got("reply", "".join(_pieces(stream)))
                note_all_asked(upstream, transcript)
            gateway.post("/send", {"user_id": "7", "message": "Again?"})
            note_all_asked(upstream, transcript)


def note_all_asked(upstream, transcript):
    """Record what was asked for a reply that came."""
    while not upstream.asked.empty():
        upstream.note_asked(transcript)


def _pieces(stream):
    """The data of all events, without recording how they were cut."""
    while (event := stream.events.next()) is not None:
        for line in event.split("\n"):
            if line.startswith("data: "):
                yield json.loads(line[6:]) if line[6:7] == '"' else line[6:]
