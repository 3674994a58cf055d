"""A subscriber that loses its connection every few records and resumes where it was.

    resuming_reader.py URL CHANNEL CUT_EVERY

Prints `ready`, then `got N` for each record, and ends with 0 after the payload "end".
"""

import asyncio
import json
import sys

from websockets.asyncio.client import connect


async def subscribe(connection, channel, since):
    options = {"channel": channel, "positions": True}
    if since is not None:
        options["since"] = since
    await connection.send(json.dumps({"action": "subscribe", **options}))
    answer = json.loads(await connection.recv())
    assert answer["action"] == "subscribed" and answer["channel_name"] == channel, answer
    return answer["position"]


async def main(url, channel, cut_every):
    since = None
    while True:
        async with connect(url) as connection:
            position = await subscribe(connection, channel, since)
            if since is None:
                print("ready", flush=True)
            since = position
            left = cut_every
            async for text in connection:
                frame = json.loads(text)
                assert frame["channel"] == channel, frame
                since = frame["position"]
                if frame["payload"] == "end":
                    return
                print("got", frame["payload"], flush=True)
                left -= 1
                if left == 0:
                    connection.transport.abort()
                    break


asyncio.run(main(sys.argv[1], sys.argv[2], int(sys.argv[3])))
