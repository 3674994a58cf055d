"""A program that has spreadsheets worked on: it asks over HTTP, and watches over a WebSocket.

    workflows.py HOST:PORT (run ROWS | talk | crowd CONNECTIONS)

`run` makes a table, has it searched and normalised, and looks at every cell of the workbook.
`talk` says everything that can be said over the WebSocket. `crowd` opens that many connections, and
one more. Prints `frame TEXT` for each frame, in the order in which they come, and `answer STATUS`
when the blocking request is answered.
"""

import asyncio
import csv
import json
import sys
import tempfile

import openpyxl
import requests
import websockets

COLUMNS = ["account", "name", "city"]
CITIES = ["Köln", "Ærø", "São Paulo", "東京"]


def say(*words):
    print(*words, flush=True)


def row(n):
    """Values that suffer where somebody takes them for numbers, or for ASCII."""
    name = f'Jürgen "{n}" Ångström, 😀'
    return [f"{9007199254740993 + n:020}", name, CITIES[n % len(CITIES)]]


class Workflows:
    """The service over HTTP."""

    def __init__(self, address):
        self.chats = f"http://{address}/api/v1/chat/workflows"

    def create(self):
        return requests.post(self.chats).json()["data"]["chat_id"]

    def upload(self, chat_id, rows):
        with tempfile.TemporaryFile("w+", encoding="utf-8", newline="") as table:
            writer = csv.writer(table)
            writer.writerow(COLUMNS)
            writer.writerows(row(n) for n in range(rows))
            table.seek(0)
            files = {"file": ("people.csv", table.buffer, "text/csv")}
            response = requests.post(f"{self.chats}/{chat_id}/upload", files=files)
        response.raise_for_status()

    def execute(self, chat_id, steps):
        response = requests.post(f"{self.chats}/{chat_id}/execute", json={"steps": steps})
        say("answer", response.status_code)
        response.raise_for_status()
        return response.json()["data"]


async def frame(ws):
    text = await ws.recv()
    say("frame", text)
    return json.loads(text)


async def listen_for_updates(ws):
    while (await frame(ws))["type"] not in ("workflow_completed", "workflow_failed"):
        pass


def check(url, rows):
    """Looks at every cell of the workbook."""
    with tempfile.TemporaryFile() as file:
        with requests.get(url, stream=True) as response:
            response.raise_for_status()
            for chunk in response.iter_content(1 << 20):
                file.write(chunk)
        sheet = openpyxl.load_workbook(file, read_only=True).active
        cells = sheet.iter_rows(values_only=True)
        assert list(next(cells)) == COLUMNS
        n = -1
        for n, found in enumerate(cells):
            expected = row(n)
            expected[-1] = expected[-1].upper()
            assert list(found) == expected, (found, expected)
    say("rows", n + 1)
    assert n + 1 == rows


NORMALIZATION = {
    "column_name": "city",
    "normalization_type": "uppercase",
    "backup_original": False,
}
CONDITION = {"column": "name", "operator": "contains", "value": "Ångström"}
STEPS = [
    {"operation": "csv/search", "arguments": {"conditions": [CONDITION]}},
    {"operation": "normalization/apply", "arguments": {"normalizations": [NORMALIZATION]}},
]


async def run(address, rows):
    service = Workflows(address)
    chat_id = service.create()
    async with websockets.connect(f"ws://{address}/chat/{chat_id}") as ws:
        listener = asyncio.create_task(listen_for_updates(ws))
        await asyncio.to_thread(service.upload, chat_id, rows)
        say("uploaded")
        data = await asyncio.to_thread(service.execute, chat_id, STEPS)
        await listener
    url = data["output_files"][-1]["download_url"]
    assert url == data["results"][-1]["download_url"]
    await asyncio.to_thread(check, url, rows)


async def talk(address):
    service = Workflows(address)
    one, other = service.create(), service.create()
    async with websockets.connect(f"ws://{address}/chat/{one}") as ws:
        assert (await frame(ws))["chat_id"] == one
        frames = [
            # The heartbeat of a page, which looks at no answer.
            "ping",
            json.dumps({"type": "ping"}),
            json.dumps({"type": "hello", "n": 1}),
            json.dumps({"type": "subscribe"}),
            json.dumps({"type": "ping"}),
        ]
        for text in frames:
            await ws.send(text)
        for _ in range(4):
            await frame(ws)
        await ws.send(json.dumps({"type": "subscribe", "chat_id": other}))
        assert (await frame(ws))["chat_id"] == other
        # Nothing is read meanwhile: this library waits without the event loop.
        for chat_id in [one, other]:
            service.upload(chat_id, 10)
            service.execute(chat_id, STEPS[:1])
        while (seen := await frame(ws))["type"] != "workflow_completed":
            assert seen["chat_id"] == other
        assert seen["chat_id"] == other


async def crowd(address, connections):
    uri = f"ws://{address}/chat/crowd"
    inside = [await websockets.connect(uri) for _ in range(connections)]
    for ws in inside:
        await frame(ws)
    async with websockets.connect(uri) as ws:
        await frame(ws)
        try:
            await ws.recv()
        except websockets.ConnectionClosedOK as closed:
            say("closed", closed.rcvd.code, repr(closed.rcvd.reason))
    # Who was in stays in, and who leaves makes room.
    for ws in inside:
        await ws.send(json.dumps({"type": "ping"}))
        await frame(ws)
    await inside.pop().close()
    while True:
        ws = await websockets.connect(uri)
        if json.loads(await ws.recv())["type"] == "connected":
            break
        await ws.wait_closed()
    say("room again")
    for ws in [ws, *inside]:
        await ws.close()


address, what, *numbers = sys.argv[1:]
what = {"run": run, "talk": talk, "crowd": crowd}[what]
asyncio.run(what(address, *map(int, numbers)))
