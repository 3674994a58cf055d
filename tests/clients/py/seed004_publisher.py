"""An assistant that tells a channel about its progress and never reads from it.

It behaves as the first client of the broker protocol did: the legacy API of websockets 12, an event
loop that runs only while something is sent, a subscription to its own channel, and no recv at all.

    seed004_publisher.py URL CHANNEL UPDATES (alone | crowd)

Prints `sent FRAME` for each publication, and ends with 0 if its connection was open to the last.
`alone` also asks for a pong at the end: that tells whether the client still reads, which it does not
once 32 frames wait for a recv that never comes. In a crowd the others' frames fill it up, so that it
cannot see the answer to its close either, and gives up waiting for that after a second instead of ten.
"""

import asyncio
import json
import sys
import time

import websockets


class Channel:
    """A connection, and the channels it has subscribed to."""

    def __init__(self, uri, close_timeout):
        self.uri = uri
        self.close_timeout = close_timeout
        self.websocket = None
        self.subscribed = set()

    async def connect(self):
        self.websocket = await websockets.connect(
            self.uri,
            ping_interval=30,
            ping_timeout=10,
            close_timeout=self.close_timeout,
            max_size=None,
        )

    async def command(self, action, channel):
        payload = {"action": action, "channel": channel}
        await self.websocket.send(json.dumps({"channel": "subscription", "payload": payload}))

    async def subscribe(self, channel):
        await self.command("subscribe", channel)
        self.subscribed.add(channel)

    async def send_message(self, channel, message):
        if channel not in self.subscribed:
            raise RuntimeError(f"not subscribed to {channel}")
        frame = json.dumps({"channel": channel, "payload": message})
        await self.websocket.send(frame)
        print("sent", frame, flush=True)

    async def pong(self):
        pong = await self.websocket.ping()
        await asyncio.wait_for(pong, 30)

    async def disconnect(self):
        for channel in self.subscribed:
            await self.command("unsubscribe", channel)
        await self.websocket.close()


class Assistant:
    """One answer to one question, as the stream of events that a channel sees."""

    def __init__(self, loop, service, channel):
        self.loop, self.service, self.channel = loop, service, channel
        self.message_id = f"message-{channel}"
        self.thread_id = None

    def tell(self, kind, status, message, final=False):
        payload = {
            "message": message,
            "timestamp": time.time(),
            "status": status,
            "type": kind,
            "final_message": final,
            "message_id": self.message_id,
            "thread_id": self.thread_id,
        }
        self.loop.run_until_complete(self.service.send_message(self.channel, payload))

    def answer(self, updates):
        self.tell("status", "started", "Assistant is processing your request...")
        self.tell("status", "started", "Assistant is processing your request...")
        self.thread_id = "thread_abc123"
        self.tell("status", "processing", "Assistant is gathering information...")
        self.tell("status", "responding", "Assistant is responding...")
        text = ""
        for n in range(updates):
            text += f"Wort {n} – ça va, 天気 \N{SUN BEHIND CLOUD}. "
            self.tell("response", "in_progress", text)
        self.tell("response", "completed", text, final=True)


def main():
    uri, channel, updates, company = sys.argv[1:]
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    service = Channel(uri, close_timeout=10 if company == "alone" else 1)
    loop.run_until_complete(service.connect())
    loop.run_until_complete(service.subscribe(channel))
    Assistant(loop, service, channel).answer(int(updates))
    if company == "alone":
        loop.run_until_complete(service.pong())
    survived = service.websocket.open
    loop.run_until_complete(service.disconnect())
    print("open to the last" if survived else "closed before the end", flush=True)
    sys.exit(0 if survived else 1)


main()
