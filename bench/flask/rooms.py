"""Rooms as Flask-SocketIO has them in threading mode: join one, and speak to all in it."""

import time

from flask import Flask
from flask_socketio import SocketIO, emit, join_room
from werkzeug.serving import make_server

app = Flask(__name__)
socketio = SocketIO(app, async_mode="threading")
members = {}


@socketio.on("join_room")
def join(data):
    room = data["room"]
    join_room(room)
    members[room] = members.get(room, 0) + 1
    # Only who joins is told: thousands who are told of thousands would be a bench of its own.
    emit("room_joined", {"room": room, "user_count": members[room]})


@socketio.on("message")
def speak(data):
    room = data["room"]
    message = {
        "user": data["user_name"],
        "message": data["message"],
        "timestamp": time.time(),
        "room": room,
    }
    emit("new_message", message, to=room)


# What `socketio.run(app)` does without its debugger, but for a port of the kernel's choice.
server = make_server("127.0.0.1", 0, app, threaded=True)
print(f"listening on 127.0.0.1:{server.server_port}", flush=True)
server.serve_forever()
