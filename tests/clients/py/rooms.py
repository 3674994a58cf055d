"""A page that does what it is told, line by line.

    rooms.py URL TRANSPORTS (manager | service)

TRANSPORTS is a list with commas, or `default`, which is a WebSocket. A line of standard input is a
JSON list: a method and its arguments. Prints `{"answer":VALUE}` for each of them, and
`{"event":NAME,"data":VALUE}` for what happens. This client hands each event to a thread of its own,
so what is printed for events that come together is in no order.
"""

import json
import sys
import threading

import socketio
from socketio.base_client import reconnecting_clients

PATIENCE = 30


class SocketManager:
    """Conversations, with one token."""

    def __init__(self, sio, connect):
        self.sio, self._connect = sio, connect

    def connect(self, token):
        self._connect(auth=None if token is None else {"token": token})

    def joinRoom(self, conversation_id):
        self.sio.emit("join_room", {"conversation_id": conversation_id})

    def leaveRoom(self, conversation_id):
        self.sio.emit("leave_room", {"conversation_id": conversation_id})

    def sendMessage(self, message, conversation_id, user_id):
        payload = {"message": message, "conversation_id": conversation_id, "user_id": user_id}
        self.sio.emit("send_message", payload)

    def sendTypingIndicator(self, conversation_id, user_id, is_typing):
        payload = {"conversation_id": conversation_id, "user_id": user_id, "is_typing": is_typing}
        self.sio.emit("typing", payload)


class WebSocketService:
    """Named rooms, and a model of one's own; nobody signs in."""

    def __init__(self, sio, connect):
        self.sio, self._connect = sio, connect

    def connect(self):
        self._connect()

    def joinRoom(self, room):
        self.sio.emit("join_room", {"room": room})

    def sendMessage(self, message, room="general"):
        self.sio.emit("message", {"message": message, "room": room})

    def requestLLM(self, message, intelligence_level="super"):
        payload = {"message": message, "intelligence_level": intelligence_level}
        self.sio.emit("llm_request", payload)


class Told:
    """What can be asked of either page."""

    def __init__(self, url, transports, kind):
        self.url = url
        self.transports = ["websocket"] if transports == "default" else transports.split(",")
        # None of these delays is random, or it may come out below zero.
        self.sio = socketio.Client(
            reconnection_delay=0.01, reconnection_delay_max=0.05, randomization_factor=0
        )
        self.printing = threading.Lock()
        page = {"manager": SocketManager, "service": WebSocketService}[kind]
        self.page = page(self.sio, self._connect)
        self.sio.on("connect", self._connected)
        self.sio.on("disconnect", lambda reason: self.tell("disconnect", {"reason": reason}))
        self.refused = None

    def print(self, line):
        with self.printing:
            print(json.dumps(line, separators=(",", ":")), flush=True)

    def tell(self, event, data=None):
        self.print({"event": event, "data": data})

    def _connected(self):
        self.tell("connect", {"id": self.sio.get_sid()})

    def _connect(self, **options):
        self.sio.on("connect_error", self._refused)
        try:
            self.sio.connect(
                self.url, transports=self.transports, wait_timeout=PATIENCE, **options
            )
        except socketio.exceptions.ConnectionError:
            if self.refused is None:
                raise
            self.tell("connect_error", {"message": self.refused, "active": self.sio.connected})

    def _refused(self, data):
        # Without a server it is a text, or nothing.
        if isinstance(data, dict) and self.sio.eio.state == "connected":
            self.refused = data["message"]

    def hear(self, *names):
        for name in names:
            self.sio.on(name, lambda data, name=name: self.tell(name, data))

    def unhear(self, name):
        self.sio.on(name, lambda data: None)

    def emit(self, event, *data):
        self.sio.emit(event, tuple(data))

    def ask(self, event, *data):
        return self.sio.call(event, tuple(data), timeout=PATIENCE)

    def transport(self):
        return self.sio.transport()

    def state(self):
        active = self.sio.connected or self.sio in reconnecting_clients
        return {"connected": self.sio.connected, "active": active}

    def disconnect(self):
        self.sio.disconnect()

    def obey(self, line):
        method, *arguments = json.loads(line)
        run = getattr(self, method, None) or getattr(self.page, method)
        self.print({"answer": run(*arguments)})


told = Told(*sys.argv[1:])
for command in sys.stdin:
    told.obey(command)
told.sio.disconnect()
