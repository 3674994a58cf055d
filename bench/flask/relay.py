"""The relay as one begins with it: Flask with a thread for each request, and for each request a new
WebSocket to the Cat that is never closed. Whether it is open is looked at once a second.

Usage: relay.py PORT-OF-THE-CAT
"""

import json
import queue
import sys
import time
from threading import Lock

import cheshire_cat_api as ccat
from flask import Flask, request
from werkzeug.serving import make_server

app = Flask(__name__)
cat_port = int(sys.argv[1])
waiting = {}
lock = Lock()


def heard(frame):
    frame = json.loads(frame)
    with lock:
        reply = waiting.pop(frame.get("user_id"), None)
    if reply is not None:
        reply.put(frame["content"] if frame["type"] == "chat" else "not a chat frame")


@app.post("/send")
def send():
    asked = request.get_json()
    user = asked["user_id"]
    config = ccat.Config(base_url="127.0.0.1", port=cat_port, user_id=user)
    cat = ccat.CatClient(config=config, on_message=heard)
    cat.connect_ws()
    while not cat.is_ws_connected:
        time.sleep(1)
    reply = queue.Queue()
    with lock:
        waiting[user] = reply
    cat.send(message=json.dumps({"user_id": user, "message": asked["message"]}))
    return {"response": reply.get()}


# What `app.run(threaded=True)` does, but for a port of the kernel's choice.
server = make_server("127.0.0.1", 0, app, threaded=True)
print(f"listening on 127.0.0.1:{server.server_port}", flush=True)
server.serve_forever()
