"""Engine.IO: handshakes, polling, upgrades, packets of both layers, time-outs and ends."""

import json

import rawhttp
import websocket
from gateway import Gateway
from socketio import PATH, SEPARATOR, Client, guest, post_during_poll

TEXT = ("Content-Type", "text/plain")

QUERIES = [
    ("GET", "EIO=4&transport=carrier-pigeon"), ("GET", "EIO=4"), ("POST", "EIO=4"), ("GET",
        "EIO=4&transport="),
    ("GET", "EIO=4&transport=WebSocket"), ("GET", "EIO=4&transport=polling&sid=nobody"),
    ("POST", "EIO=4&transport=polling&sid=nobody"), ("GET", "EIO=4&transport=websocket&sid=nobody"),
    ("GET", "EIO=4&transport=polling&sid="), ("POST", "EIO=4&transport=polling"), ("PUT",
        "EIO=4&transport=polling"),
    ("DELETE", "EIO=4&transport=websocket"), ("GET", "EIO=3&transport=polling"), ("GET",
        "EIO=5&transport=websocket"),
    ("GET", "transport=polling"), ("GET", ""), ("POST", "EIO=four"), ("GET",
        "EIO=4&transport=websocket"),
    ("OPTIONS", "EIO=4&transport=polling"), ("HEAD", "EIO=4&transport=polling"), ("GET",
        "EIO=4&transport=polling&b64=1&t=x"),
    ("GET", "EIO=4&transport=polling&EIO=3"), ("GET", "%ff"),
]

# What is no packet ends the connection.
ENDING = [b"4abc", b"4", b"42{}", b"42[]", b'42abc["e"]', b'42["e"', b'45["e"]', b"42[{}]", b"9",
    b"x", b"",
    b"0{}", b"2other", b"5", b"6", b"47", b'4599999999999999999999-["e"]',
    b'420000000000000000000000["e"]']
# What can be read and is of no use is told.
USELESS = ["42[7]", "44{}", '4517-["e"]', '42["' + "e" * 300 + '"]', '44{"message":"no"}', "3", "2",
    "41/other,",
    '42/other,["e"]', "40/other,{}", "40/other", "431[]", '431["a"]', "43[]",
    '4318446744073709551615["a"]',
    '421["unknown"]', '4218446744073709551615["unknown"]', '421["e",1,{"a":[1.50]},null]',
    "40", '40{"user_id":8}']
BODIES = [b"", b"x", b'42["a"]\x1e', b'\x1e42["a"]', b'42["a"]\x1e\x1e42["b"]', b"bnot base64!",
    b'42["\xff"]', b"0{}",
    b"99999999", b"4", b"1\x1e42"]


def record(transcript, binary):
    handshakes(transcript, binary)
    packets(transcript, binary)
    bodies(transcript, binary)
    upgrades(transcript, binary)
    connecting(transcript, binary)
    ends(transcript, binary)


def handshakes(transcript, binary):
    with Gateway(transcript, binary, "handshakes") as gateway:
        for path in ("/socket.io/", "/socket.io"):
            gateway.get(f"{path}?EIO=4&transport=polling")
            socket = gateway.websocket(f"{path}?EIO=4&transport=websocket")
            socket.text()
            socket.close()
        for method, query in QUERIES:
            gateway.request(method, f"/socket.io/?{query}")
        gateway.get("/socket.io/other?EIO=4&transport=polling")
        on_socket = Client(gateway, "on a socket")
        gateway.get(on_socket.path)
        gateway.request("POST", on_socket.path, [TEXT], "40")
        opened = gateway.websocket(f"{PATH}&transport=websocket", ("Sec-WebSocket-Protocol",
            "a, b"))
        opened.text()
        opened.close()
        gateway.metrics()
    settings = {"rooms.ping_interval": "7s", "rooms.ping_timeout": "1m",
        "rooms.max_message_size": "5000"}
    with Gateway(transcript, binary, "what is configured", settings) as gateway:
        Client(gateway, "polling", polling=True)
        Client(gateway, "socket").leave()


def packets(transcript, binary):
    for polling in (False, True):
        with Gateway(transcript, binary, "packets, " + ("polling" if polling
                else "WebSocket")) as gateway:
            client = guest(gateway, polling=polling)
            for packet in USELESS:
                client.send(packet)
                client.settle()
            transcript.note("binary events")
            event = '["e",{"_placeholder":true,"num":0}]'
            attachment = "bAQIDBA=="
            for packet in (f"451-{event}", f"451-7{event}", f"461-7{event}"):
                client.send(packet)
                if polling:
                    client.send(attachment)
                else:
                    client.socket.send(b"\x01\x02\x03\x04", websocket.BINARY)
                client.settle()
            client.send('450-14["e"]')
            client.settle()
            if not polling:
                transcript.note("packets in binary frames, and attachments that nobody waits for")
                client.socket.send(b"\x01", websocket.BINARY)
                client.settle()
            transcript.note("several at once")
            if polling:
                client.send(SEPARATOR.join(['421["a"]', "3", '422["b",{"c":1}]',
                    '423["get_stats"]']))
                client.until("433[")
            client.send("41")
            client.send('421["after leaving"]')
            client.send("40")
            if not polling:
                client.socket.sync()
            client.leave()
            for packet in ENDING:
                client = guest(gateway, "ending", polling=polling)
                client.send(packet)
                client.outcome()
            for packet in (b"40[]", b'40"text"', b"40{", b"41", b'42["before connecting"]'):
                client = Client(gateway, "not connected", polling=polling)
                client.send(packet)
                client.outcome()
            gateway.metrics()


def bodies(transcript, binary):
    with Gateway(transcript, binary, "bodies", {"rooms.max_message_size": "1000"}) as gateway:
        for body in BODIES:
            client = guest(gateway, "poller", polling=True)
            gateway.request("POST", client.path, [TEXT], body)
            gateway.get(client.path)
            gateway.request("POST", client.path, [TEXT], "40")
        client = guest(gateway, "poller", polling=True)
        client.send('421["e","' + "x" * 900 + '"]')
        client.until("431[")
        client.send('421["e","' + "x" * 1000 + '"]')
        gateway.get(client.path)
        client = guest(gateway, "poller", polling=True)
        for method in ("PUT", "DELETE", "PATCH"):
            gateway.request(method, client.path)
        gateway.request("POST", client.path, [("Content-Type", "application/octet-stream")],
            '421["e"]')
        gateway.request("POST", client.path, [], b'\xef\xbb\xbf422["with a mark"]')
        gateway.get(client.path)
        transcript.note("two polls at once: one is refused, the other is told of the end")
        polls = [rawhttp.Stream(gateway.address) for _ in range(2)]
        answers = []
        for poll in polls:
            poll.send(rawhttp.request_bytes(gateway.address, "GET", client.path, [], None))
        for poll in polls:
            answers.append(rawhttp.read_head(poll))
            rawhttp.read_body(poll, "GET", answers[-1])
        for answer in sorted(answers, key=lambda answer: answer.status):
            gateway.record(answer)
        transcript.note("a poll that waits when the client closes")
        for text in ("1", SEPARATOR.join(['42["e"]', "1", '42["e"]'])):
            client = guest(gateway, "closer", polling=True)
            post_during_poll(gateway, "closer", client.path, text)
            gateway.get(client.path)
        transcript.note("two posts at once")
        client = Client(gateway, "poster", polling=True)
        slow = rawhttp.Stream(gateway.address)
        slow.send(f"POST {client.path} HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n".encode())
        transcript.got("interim", slow.until(b"\r\n\r\n"))
        gateway.request("POST", client.path, [TEXT], "40")
        gateway.get(client.path)
        slow.close()
        transcript.note("a poll that its client gives up")
        client = guest(gateway, "impatient", polling=True)
        poll = rawhttp.Stream(gateway.address)
        poll.send(rawhttp.request_bytes(gateway.address, "GET", client.path, [], None))
        poll.close()
        def look():
            answer = gateway.request("POST", client.path, [TEXT], "3", record=False)
            return answer if answer.status != 200 else None
        gateway.record(rawhttp.eventually("the session to end", look))
        gateway.metrics()
    with Gateway(transcript, binary, "a large frame", {
            "rooms.max_message_size": "1000"}) as gateway:
        client = guest(gateway)
        client.send('42["e","' + "x" * 1000 + '"]')
        client.closed()


def upgrades(transcript, binary):
    with Gateway(transcript, binary, "upgrades") as gateway:
        client = guest(gateway, "upgrading", polling=True)
        client.ask("join_room", {"room": "den"}, events=['"room_joined"'])
        poll = rawhttp.Stream(gateway.address)
        poll.send(rawhttp.request_bytes(gateway.address, "GET", client.path, [], None))
        transcript.sent("a poll that waits")
        path = client.path.replace("polling", "websocket")
        socket = gateway.websocket(path, name="upgrade")
        socket.send("2probe")
        socket.text()
        response = rawhttp.read_head(poll)
        rawhttp.read_body(poll, "GET", response)
        gateway.record(response, "poll")
        second = gateway.websocket(path, name="second")
        second.closed()
        socket.send("5")
        socket.send('421["e"]')
        socket.text()
        gateway.get(client.path)
        gateway.request("POST", client.path, [TEXT], "3")
        third = gateway.websocket(path, name="third")
        third.closed()
        gateway.post("/api/v1/publish", {"topic": "room:@den", "payload": "published"})
        socket.text()
        socket.send("1")
        socket.closed()
        for wrong in ("2", "5", "4", "2other", "x", b"\x01"):
            client = guest(gateway, "wrong", polling=True)
            socket = gateway.websocket(client.path.replace("polling", "websocket"), name="upgrade")
            socket.send(wrong, websocket.BINARY if isinstance(wrong, bytes) else websocket.TEXT)
            socket.outcome()
            client.send('421["it goes on"]')
            client.until("431[")
            client.leave()
        gateway.metrics()


def connecting(transcript, binary):
    for guests in ("open", "always", "never"):
        with Gateway(transcript, binary, f"connecting, guests {guests}",
                {"rooms.guests": guests}) as gateway:
            for auth in ("", "{}", '{"user_id":7}', '{"user_id":"7"}', '{"user_id":""}',
                    '{"user_id":"a\\u0007"}',
                    '{"user_id":[7]}', '{"user_id":null}', '{"token":"nonsense"}',
                    '{"token":7}', '{"token":""}',
                    '{"other":1}', '{"user_id":1.5}'):
                client = Client(gateway)
                client.send("40" + auth)
                client.send('421["get_stats"]')
                client.send("40")
                client.socket.sync()
                client.leave()
            client = Client(gateway, query="&token=nonsense")
            client.send("40")
            client.socket.sync()
            client.leave()


def ends(transcript, binary):
    quick = {"rooms.ping_interval": "200ms", "rooms.ping_timeout": "200ms"}
    with Gateway(transcript, binary, "pings that are not answered", quick) as gateway:
        client = guest(gateway)
        client.closed()
        client = Client(gateway, "poller", polling=True)
        client.packet()
        def look():
            answer = gateway.request("POST", client.path, [TEXT], "", record=False)
            return answer if '"code":1' in answer.body.decode() else None
        gateway.record(rawhttp.eventually("the session to end", look))
        transcript.note("a ping that is answered")
        client = guest(gateway, "lively")
        client.until("2")
        client.send("3")
        client.until("2")
        client.send("3")
        client.leave()
    with Gateway(transcript, binary, "nobody connects", {
            "rooms.connect_timeout": "300ms"}) as gateway:
        client = Client(gateway)
        client.closed()
        client = guest(gateway, "leaving")
        client.send("41")
        client.closed()
        client = Client(gateway, "poller", polling=True)
        client.closed()
    with Gateway(transcript, binary, "an operator ends sessions") as gateway:
        for polling in (False, True):
            client = guest(gateway, polling=polling)
            session = json.loads(gateway.get("/api/v1/sessions").body)["sessions"][0]["id"]
            gateway.request("DELETE", f"/api/v1/sessions/{session}")
            client.closed()
    slow = {"rooms.write_timeout": "300ms", "topics.room.on_slow": "disconnect",
        "topics.room.patience": "0s",
        "topics.room.events": "16"}
    with Gateway(transcript, binary, "a reader that reads nothing", slow) as gateway:
        socket = gateway.websocket(f"{PATH}&transport=websocket", name="reader",
            receive_buffer=4096)
        socket.text()
        socket.send("40")
        socket.until('"status",')
        socket.send('421["join_room",{"room":"den"}]')
        socket.until("431[")
        body = json.dumps({"topic": "room:@den", "payload": "x" * 500_000})
        for _ in range(40):
            gateway.post("/api/v1/publish", body, record=False)
        gateway.sessions(0)
        socket.closed(record=False)
