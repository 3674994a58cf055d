"""Rooms over Socket.IO: clients with a token, and those that come back."""

import json

from gateway import JWT, Gateway, token
from socketio import Client, guest


def record(transcript, binary):
    tokens(transcript, binary)
    for polling in (False, True):
        recovery(transcript, binary, polling)


def tokens(transcript, binary):
    for guests in ("never", "always"):
        with Gateway(transcript, binary, f"signed in, guests {guests}",
                JWT | {"rooms.guests": guests}) as gateway:
            gateway.publisher = [("Authorization", f"Bearer {token(topics=['*'])}")]
            ann = token(sub="7", name="Ann", rooms=["@general", "9"])
            headers = [("Authorization", f"Bearer {ann}")]
            number = gateway.post("/conversations", {"title": "plans"}, *headers).json()[
                "conversation_id"]
            for shown in (None, "nonsense", token(sub="7", ttl=-60), token(sub="7", type="refresh"),
                    token("x" * 32, sub="7"),
                    token(rooms=["@den"]), ann):
                client = Client(gateway, "trying")
                client.send("40" + (json.dumps({"token": shown}) if shown else ""))
                client.socket.sync()
                client.send("40" + json.dumps({"token": ann}))
                client.socket.sync()
                client.leave()
            for where in ({"query": f"&token={ann}"}, {"headers": headers},
                    {"query": "&token=nonsense"},
                    {"headers": [("Cookie", f"access_token={ann}")]}):
                client = Client(gateway, "elsewhere", **where)
                client.send("40")
                client.socket.sync()
                client.leave()
            client = Client(gateway, "ann")
            client.connect({"token": ann, "user_id": "8"})
            for payload in ({"conversation_id": number}, {"conversation_id": 9},
                    {"conversation_id": 10}, {"room": "general"},
                    {"room": "den"}, {}):
                client.ask("join_room", payload)
                client.settle()
            client.ask("typing", {"conversation_id": number, "is_typing": True})
            client.ask("message", {"room": "general", "message": "hello"})
            client.ask("message", {"room": "den", "message": "hello"})
            client.ask("broadcast", {"message": "to all"})
            client.settle()
            client.ask("watch", {"topic": "user:7"})
            client.ask("watch", {"topic": "user:8"})
            client.ask("send_message", {"conversation_id": number, "message": "hello",
                "user_id": "8"}, events=["ai_response_complete"])
            for shown in ("nonsense", token(sub="8"), token(sub="7", ttl=-60), 7, None):
                client.ask("auth_refresh", {"token": shown})
                client.settle()
            client.ask("auth_refresh", {"token": ann}, events=["auth_refreshed"])
            client.emit("auth_refresh", {"token": token(sub="7")})
            client.topics.clear()
            client.until("auth_refreshed")
            client.settle()
            program = Client(gateway, "program")
            program.connect({"token": token(rooms=["@den"])})
            program.ask("join_room", {"room": "den"})
            program.ask("llm_request", {"message": "hello"})
            program.ask("send_message", {"conversation_id": number, "message": "hello",
                "user_id": "7"})
            program.settle()
            short = Client(gateway, "short")
            short.connect({"token": token(sub="9", ttl=-4)})
            short.closed()
            client.leave()
            program.leave()
            gateway.metrics()


def recovery(transcript, binary, polling):
    title = "recovery, " + ("polling" if polling else "WebSocket")
    with Gateway(transcript, binary, title, {"rooms.recovery": "2m",
            "topics.room.events": "4"}) as gateway:
        talker = guest(gateway, "talker")

        def come_back(auth, name="back"):
            client = Client(gateway, name, polling=polling)
            client.send("40" + json.dumps(auth))
            client.until('"status",')
            return client

        def say(room, message):
            talker.ask("message", {"room": room, "message": message})

        client = Client(gateway, "client", polling=polling)
        client.send("40{}")
        pid = json.loads(client.until("40{")[-1][2:])["pid"]
        client.until('"status",')
        transcript.note("without an offset")
        client.ask("join_room", {"room": "den"}, events=["room_joined"])
        client.ask("join_room", {"room": "attic", "positions": True}, events=["room_joined"])
        say("den", "one")
        offset = json.loads(client.until('"one"')[-1][2:])[-1]
        if not polling:
            client.socket.stream.close()
            gateway.sessions(1)
        say("attic", "two")
        say("den", "three")
        transcript.note("back with its offset")
        back = come_back({"pid": pid, "offset": offset})
        for text in ("two", "three"):
            say("den", f"{text} more")
        back.until('"two"', "three more")
        if polling:
            client.closed()
        for text in range(8):
            say("den", text)
        transcript.note("the log does not reach back, and then what is unknown")
        back.until('"message":7')
        offset = "nonsense"
        for auth in ({"pid": "nobody", "offset": offset}, {"pid": 7}, {"offset": offset},
                {"pid": pid, "offset": "1-1 room:@den"}):
            other = come_back(auth, "other")
            other.leave()
        back.send("41")
        talker.settle()
        gateway.metrics()
        talker.leave()
