"""The WebSocket of a chat: what a client may say, where it goes on, and how it ends."""

import json

import rawhttp
from gateway import Gateway
from protocols.workflows import CHATS, SEARCH, new_chat, upload


def record(transcript, binary):
    socket(transcript, binary)
    ends(transcript, binary)


def socket(transcript, binary):
    with Gateway(transcript, binary, "the WebSocket of a chat", {"workflows.max_connections": "3",
            "topics.chat.events": "8"}) as gateway:
        chat = new_chat(gateway)
        upload(gateway, chat)
        client = gateway.websocket(f"/chat/{chat}", name="client")
        begin = json.loads(client.text())["position"]
        for text in ('{"type":"ping"}', "ping", "{}", '{"type":"other","n":1.50}', "7", "null",
                "[]", "{", '"text"', '{"type":7}',
                '{"type":"subscribe"}', '{"type":"subscribe","chat_id":null}',
                '{"type":"subscribe","chat_id":""}',
                '{"type":"subscribe","chat_id":7}',
                '{"type":"subscribe","chat_id":"a\\u0007"}',
                '{"type":"subscribe","chat_id":["a"]}',
                json.dumps({"type": "subscribe", "chat_id": "c" * 300}),
                '{"type":"subscribe","chat_id":"x","since":"nonsense"}',
                '{"type":"subscribe","chat_id":"x","since":7}',
                '{"type":"subscribe","chat_id":"x","snapshot":true}',
                '{"type":"subscribe","chat_id":"x","snapshot":"yes"}',
                '{"type":"subscribe","chat_id":"x","positions":7}',
                '{"type":"refresh","token":"x"}', '{"type":"refresh"}',
                '{"type":"refresh","token":7}', '{"type":"ack"}'):
            client.send(text)
            client.send('{"type":"ping"}')
            client.until('"pong"')
        client.send(b"\x01", 2)
        client.sync()
        client.send(json.dumps({"type": "subscribe", "chat_id": chat, "positions": True}))
        client.text()
        gateway.post("/api/v1/publish",
            '{"topic":"chat:%s","payload":{"n":1.50,"big":12345678901234567890123}}' % chat)
        client.until("big")
        gateway.post(f"{CHATS}/{chat}/execute", {"steps": [SEARCH]})
        client.until("workflow_completed")
        for query in (f"?since={begin}", f"?since={begin}&positions=true", "?snapshot=true",
                f"?since={begin}&snapshot=true",
                "?since=nonsense", "?since=0000000000000-1", "?positions=nonsense",
                "?snapshot=nonsense"):
            other = gateway.websocket(f"/chat/{chat}{query}", name="other")
            if isinstance(other, rawhttp.Response):
                continue
            other.text()
            gateway.post("/api/v1/publish", {"topic": f"chat:{chat}", "payload": f"after {query}"})
            other.until(f'after {query}"')
            other.close()
            client.until(f'after {query}"')
        for path in ("/chat", "/chat/", "/chat/a%07", "/chat/%ff", "/chat/" + "c" * 300,
                "/chat/a/b"):
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


def ends(transcript, binary):
    quick = {"workflows.ping_interval": "200ms", "workflows.ping_timeout": "200ms",
        "workflows.max_message_size": "100"}
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
