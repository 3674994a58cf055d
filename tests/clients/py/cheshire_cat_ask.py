"""One question to a Cheshire Cat by its own client.

    cheshire_cat_ask.py HOST PORT USER TOKEN TEXT

Prints each frame that comes up to the reply, and ends with 0 after it.
"""

import json
import sys
import threading

from cheshire_cat_api import CatClient, Config


def main(host, port, user, token, text):
    replied = threading.Event()

    def on_message(frame):
        print(frame, flush=True)
        if json.loads(frame)["type"] == "chat":
            replied.set()

    config = Config(base_url=host, port=int(port), user_id=user, auth_key=token)
    client = CatClient(config, on_open=lambda: client.send(text), on_message=on_message)
    client.connect_ws()
    replied.wait()
    client.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
