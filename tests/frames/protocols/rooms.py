"""Rooms over Socket.IO: conversations, named rooms, watching, and bounds."""

import json

from gateway import Gateway
from protocols.relay import piece, with_steps
from socketio import Client, guest, position, signed_in
from upstream import Upstream


def record(transcript, binary):
    conversations(transcript, binary)
    replies(transcript, binary)
    named_rooms(transcript, binary)
    resuming(transcript, binary)
    bounds(transcript, binary)


def conversation(gateway, user="7", title="plans"):
    answer = gateway.post("/conversations", {"user_id": user, "title": title}, record=False)
    return answer.json()["conversation_id"]


def conversations(transcript, binary):
    for polling in (False, True):
        title = "conversations, " + ("polling" if polling else "WebSocket")
        with Gateway(transcript, binary, title) as gateway:
            number = conversation(gateway)
            strange = conversation(gateway, "8")
            one = signed_in(gateway, "one", "7", polling=polling)
            two = signed_in(gateway, "two", 7)
            for payload in ({"conversation_id": number}, {"conversation_id": str(number)},
                    {"conversation_id": number, "positions": True},
                    {}, {"conversation_id": None}, {"conversation_id": "x"},
                    {"conversation_id": 1.5}, {"conversation_id": -1},
                    {"conversation_id": 999}, {"conversation_id": strange},
                    {"conversation_id": number, "since": "x"},
                    {"conversation_id": number, "since": 7}, {"conversation_id": number,
                    "positions": "yes"},
                    {"conversation_id": 10 ** 30}, "text", 7, None, [], {"room": "den",
                    "conversation_id": number}):
                one.ask("join_room", payload)
                one.emit("join_room", payload)
                one.settle()
            one.ask("join_room")
            two.ask("join_room", {"conversation_id": number, "positions": True})
            transcript.note("a question, its reply, and the same again")
            question = {"conversation_id": number, "user_id": "7", "message": "hello",
                "temp_id": "t1"}
            one.ask("send_message", question, events=["ai_response_complete"])
            two.until("ai_response_complete")
            one.ask("send_message", question)
            one.ask("send_message", question | {"message": "other"})
            one.ask("send_message", question | {"client_msg_id": "t2", "temp_id": None},
                events=["ai_response_complete"])
            two.until("ai_response_complete")
            for payload in ({}, {"conversation_id": number}, {"message": "hi"},
                    {"conversation_id": number, "message": "  "},
                    {"conversation_id": number, "message": 7}, {"conversation_id": 999,
                    "message": "hi"},
                    {"conversation_id": strange, "message": "hi", "user_id": "7"},
                    {"conversation_id": "x", "message": "hi"},
                    {"conversation_id": number, "message": "hi", "temp_id": ""}, "text",
                    None,
                    {"conversation_id": number, "message": "hi", "temp_id": "k" * 256},
                    {"conversation_id": number, "message": None, "user_id": "7"}):
                one.ask("send_message", payload)
                one.emit("send_message", payload)
                one.settle()
            nobody = {"conversation_id": number, "message": "hi", "agent": "nobody"}
            one.ask("send_message", nobody, events=["ai_response_error"])
            two.until("ai_response_error")
            one.ask("send_message", {"conversation_id": number, "message": "hi", "temp_id": 7},
                events=["ai_response_complete"])
            two.until("ai_response_complete")
            transcript.note("typing")
            for payload in ({"conversation_id": number, "is_typing": True},
                    {"conversation_id": number}, {"conversation_id": strange, "is_typing": True},
                    {"is_typing": True}, {"conversation_id": number, "is_typing": "x"},
                    "text", {"conversation_id": 999}):
                one.ask("typing", payload)
            two.settle()
            transcript.note("leaving")
            for payload in ({"conversation_id": number}, {"conversation_id": number},
                    {"conversation_id": 999}, {}, "text", None, {"conversation_id": "x"}):
                one.ask("leave_room", payload)
                one.settle()
            transcript.note("cancelling what does not run")
            for payload in ({"conversation_id": number}, {"conversation_id": 999}, {},
                    {"turn": "x"}, {"conversation_id": number, "turn": "x"}, "text"):
                one.ask("cancel", payload)
                one.settle()
            transcript.note("from elsewhere")
            gateway.post("/messages", {"user_id": "7", "conversation_id": number,
                "content": "over HTTP", "temp_id": "h1"})
            two.until("over HTTP")
            gateway.post("/send", {"user_id": "7", "message": "relayed", "topic": f"room:{number}"})
            two.until("ai_response_complete")
            gateway.post("/api/v1/publish", {"topic": f"room:{number}", "payload": {"n": 1.50}})
            gateway.post("/api/v1/publish", {"topic": f"room:{number}", "payload": [1]})
            two.until('"data":[1]')
            gateway.form("/api/upload_file", [("user_id", None, "7"),
                ("conversation_id", None, str(number)), ("files", "a.txt", "hello")])
            two.until("file_uploaded")
            two.ask("watch", {"topic": f"room:{number}"})
            gateway.get(f"/api/v1/topics/room:{number}/history")
            gateway.request("DELETE", f"/conversations/{number}?user_id=7")
            two.until("deleted")
            one.topics.clear()
            two.topics.clear()
            two.settle()
            one.settle()
            one.leave()
            two.leave()
            gateway.metrics()


def replies(transcript, binary):
    upstream = Upstream()
    settings = with_steps(upstream, **{"agents.default": "steps"})
    with Gateway(transcript, binary, "replies", settings, upstream.literals) as gateway:
        number = conversation(gateway, title=None)
        client = signed_in(gateway, "client", "7")
        broker = gateway.websocket("/ws", name="broker")
        client.ask("join_room", {"conversation_id": number})
        broker.send(json.dumps({"action": "subscribe", "channel": f"room:{number}",
            "positions": True}))
        broker.text()

        def ask(text):
            client.ask("send_message", {"conversation_id": number, "message": text, "user_id": "7"},
                events=["ai_thinking"])

        ask("in pieces")
        for text in ("Ciao ", "è ", "😀", "!"):
            upstream.pieces.put(piece(text))
            client.until("ai_response_chunk")
        upstream.pieces.put(b'data: [DONE]\n\n')
        upstream.pieces.put("end")
        client.until("ai_response_complete")
        broker.until("final_message")
        transcript.note("cancelled by its conversation")
        ask("cancelled")
        upstream.pieces.put(piece("Partly"))
        client.until("Partly")
        upstream.pieces.put("gone")
        client.ask("cancel", {"conversation_id": number}, events=["ai_response_complete"])
        transcript.note("broken off")
        ask("broken")
        upstream.pieces.put(piece("Partly"))
        client.until("Partly")
        upstream.pieces.put("cut")
        client.until("ai_response_error")
        ask("failed")
        upstream.pieces.put(b'data: {"error": "out of order"}\n\n')
        upstream.pieces.put("end")
        client.until("ai_response_error")
        gateway.get(f"/conversations/{number}/messages?user_id=7")
        transcript.note("for the client alone")
        client.ask("llm_request", {"message": "alone", "intelligence_level": "super",
            "image": "https://example.org/a.png"})
        upstream.pieces.put(piece("One"))
        client.until("llm_token")
        upstream.pieces.put(piece(" two"))
        client.until("llm_token")
        upstream.pieces.put(b'data: [DONE]\n\n')
        upstream.pieces.put("end")
        client.until("llm_complete")
        client.ask("llm_request", {"message": "cancelled"})
        upstream.pieces.put(piece("One"))
        client.until("llm_token")
        upstream.pieces.put("gone")
        client.ask("cancel", {}, events=["llm_complete"])
        client.ask("llm_request", {"message": "broken"})
        upstream.pieces.put(piece("One"))
        client.until("llm_token")
        upstream.pieces.put("cut")
        client.until('"error"')
        transcript.note("in a named room")
        client.ask("join_room", {"room": "den"}, events=["room_joined"])
        upstream.pieces.put(b'data: {"response": "Named."}\n\n')
        upstream.pieces.put("end")
        client.ask("message", {"room": "den", "message": "/ai in a room", "user_name": "Ann"},
            events=["new_message", "ai_response"])
        client.leave()
        broker.close()
        gateway.metrics()


def named_rooms(transcript, binary):
    with Gateway(transcript, binary, "named rooms") as gateway:
        ann, bob = guest(gateway, "ann"), guest(gateway, "bob", polling=True)
        ann.ask("join_room", {"room": "den"}, events=["room_joined"])
        bob.ask("join_room", {"room": "den"}, events=["room_joined"])
        ann.until("room_joined")
        for payload in ({"room": "den", "message": "hello", "user_name": "Ann"}, {"room": "den",
                "message": "nameless"},
                {"room": "den", "message": 12345678901234567890123}, {"room": "den",
                "message": {"a": [1.50]}},
                {"room": "den", "message": None}, {"room": "den", "message": "x",
                "user_name": 7}):
            ann.ask("message", payload)
            ann.settle()
            bob.settle()
        for payload in ({}, "text", None, {"message": "to general"}, {"room": "", "message": "x"},
                {"room": "a\u0007", "message": "x"},
                {"room": 7, "message": "x"}, {"room": "r" * 300, "message": "x"},
                {"room": "unjoined", "message": "x"},
                {"room": "den", "message": ""}):
            ann.ask("message", payload)
            ann.settle()
        bob.settle()
        transcript.note("joining and leaving")
        for payload in ({"room": "den"}, {"room": "den", "positions": True}, {"room": ""},
                {"room": "a\u0007"}, {"room": 7}, {},
                {"room": "r" * 300}, "text", {"room": "42"}, {"room": "@x"}, {"room": "den",
                "since": "x"}):
            ann.ask("join_room", payload)
            ann.settle()
            ann.ask("leave_room", payload)
            ann.settle()
        bob.settle()
        transcript.note("typing, broadcasts, questions")
        ann.ask("join_room", {"room": "den", "positions": True}, events=["room_joined"])
        bob.until("room_joined")
        for payload in ({"room": "den", "user_name": "Ann", "is_typing": True}, {"room": "den"},
                {"room": "den", "is_typing": False}, "text"):
            ann.ask("typing", payload)
            ann.settle()
        bob.settle()
        for payload in ({"message": "to all"}, {"message": {"a": 1.50}}, {}, "text", None):
            ann.ask("broadcast", payload, events=["broadcast_message"] if isinstance(payload, dict)
                else [])
        for _ in range(3):
            bob.until("broadcast_message")
        bob.settle()
        for payload in ({"message": "hello"}, {"message": ""}, {}, "text", {"message": 7},
                {"message": "hi", "image": "file:///x"},
                {"message": "hi", "history": "x"}, {"message": "hi",
                "intelligence_level": 7}):
            is_asked = isinstance(payload, dict) and payload.get("message") in ("hello", "hi")
            ann.ask("llm_request", payload, events=["llm_complete"] if is_asked else [])
        ann.ask("message", {"room": "den", "message": "/ai hello", "user_name": "Ann"},
            events=["ai_response", "new_message"])
        bob.settle()
        for payload in ({"room": "den"}, {"turn": "x"}, {}, {"room": 7}):
            ann.ask("cancel", payload)
        ann.ask("get_stats", events=['"stats",'])
        ann.ask("get_stats", {"ignored": 1}, events=['"stats",'])
        ann.ask("unheard_of", {"a": 1})
        ann.ask("auth_refresh", {"token": "x"})
        ann.ask("auth_refresh", {})
        ann.settle()
        gateway.get("/health")
        gateway.get("/api/v1/status")
        bob.ask("leave_room", {"room": "den"})
        ann.until("room_left")
        bob.leave()
        gateway.sessions(1)
        ann.settle()
        ann.leave()
        gateway.metrics()


def resuming(transcript, binary):
    with Gateway(transcript, binary, "resuming", {"topics.room.events": "4"}) as gateway:
        one, two = guest(gateway, "one"), guest(gateway, "two")
        begin = None
        one.ask("join_room", {"room": "den", "positions": True}, events=["room_joined"])
        for number in range(8):
            two.ask("message", {"room": "den", "message": number})
            packet = one.until("new_message")[-1]
            begin = begin or position(packet)
            middle = position(packet) if number == 5 else None if number < 5 else middle
        for since in (middle, begin, "0000000000000-1", "nonsense", 7, None):
            two.ask("join_room", {"room": "den", "since": since, "positions": True})
            two.settle()
        one.settle()
        transcript.note("watching any topic")
        for payload in ({"topic": "demo"}, {"topic": "chan:demo", "positions": True},
                {"topic": "user:7"}, {"topic": ""}, {"topic": 7}, {},
                "text", {"topic": "a\u0007"}, {"topic": "demo", "since": "x"},
                {"topic": "room:@den"}):
            one.ask("watch", payload)
        gateway.post("/api/v1/publish", {"channel": "demo", "payload": {"n": 1.50}})
        gateway.post("/api/v1/publish", {"channel": "demo", "payload": 12345678901234567890123})
        one.until("12345678901234567890123")
        gateway.post("/send", {"user_id": "7", "message": "hello"})
        one.until("turn.completed")
        for payload in ({"topic": "demo"}, {"topic": "demo"}, {"topic": 7}, {}, "text"):
            one.ask("unwatch", payload)
            one.settle()
        one.leave()
        two.leave()


def bounds(transcript, binary):
    with Gateway(transcript, binary, "bounds", {"rooms.max_rooms": "2"}) as gateway:
        client = guest(gateway)
        for name in ("a", "b", "c"):
            client.ask("join_room", {"room": name})
        client.settle()
        client.leave()
    with Gateway(transcript, binary, "one topic", {"limits.topics": "1"}) as gateway:
        client = guest(gateway)
        client.ask("join_room", {"room": "a"})
        client.ask("join_room", {"room": "b"})
        client.ask("message", {"room": "b", "message": "hello"})
        client.ask("broadcast", {"message": "hello"}, events=["broadcast_message"])
        client.settle()
        client.leave()
    with Gateway(transcript, binary, "one connection of a user",
            {"limits.connections": "4"}) as gateway:
        clients = [Client(gateway, f"client {number}") for number in range(4)]
        gateway.get("/socket.io/?EIO=4&transport=polling")
        for client in clients:
            client.leave()
