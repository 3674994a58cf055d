"""An upstream that plays scripts: over HTTP by its path, or as a Cheshire Cat over a WebSocket."""

import base64
import hashlib
import json
import queue
import socket
import threading
import tomllib
from pathlib import Path

import rawhttp
import websocket
from transcript import readable

CORPUS = Path(__file__).parent.parent / "corpus"
GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


class Answer:
    """A recorded answer of `tests/corpus`, and how it is served."""

    def __init__(self, path):
        self.name = path.stem
        described = tomllib.loads(path.read_text(encoding="utf-8"))
        self.served = {"type": "text/event-stream", "end": "chunked"} | described.get("served", {})
        bodies = (path.with_suffix(suffix) for suffix in (".sse", ".json", ".jsonl"))
        self.body = next(body for body in bodies if body.exists()).read_bytes()


def corpus(dialect):
    return [Answer(path) for path in sorted((CORPUS / dialect).glob("*.toml"))]


class Upstream:
    """Serves until the process ends. `/play/DIALECT/NAME` answers from the corpus, `/steps` piece by
    piece as it is told, `/status/CODE` with that status, and `/silent` with nothing."""

    def __init__(self):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.address = self.listener.getsockname()
        self.pieces = queue.Queue()
        self.asked = queue.Queue()
        self.left = threading.Semaphore(0)
        self._answers = {}
        for dialect in ("openai", "agui", "http", "cat"):
            for answer in corpus(dialect):
                self._answers[dialect, answer.name] = answer
        threading.Thread(target=self._accept, daemon=True).start()

    def url(self, path, scheme="http"):
        return f"{scheme}://{self.address[0]}:{self.address[1]}{path}"

    @property
    def literals(self):
        return {f"{self.address[0]}:{self.address[1]}": "{upstream}"}

    def note_asked(self, transcript):
        """Record the next request that came."""
        transcript.got("upstream was asked", self.asked.get(timeout=rawhttp.PATIENCE))

    def drop_asked(self):
        """Forget what was asked."""
        while not self.asked.empty():
            self.asked.get()

    def _accept(self):
        while True:
            connection, _ = self.listener.accept()
            stream = rawhttp.Stream.__new__(rawhttp.Stream)
            stream.socket, stream.buffer = connection, b""
            threading.Thread(target=self._serve, args=(stream,), daemon=True).start()

    def _serve(self, stream):
        try:
            while self._request(stream):
                pass
        except (rawhttp.Gone, OSError):
            self.left.release()
        stream.close()

    def _request(self, stream):
        head = stream.until(b"\r\n\r\n")
        lines = head.decode("latin-1").split("\r\n")
        headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in lines[
            1:])}
        path = lines[0].split(" ")[1]
        if headers.get("upgrade", "").lower() == "websocket":
            return self._cat(stream, lines, headers, path)
        body = stream.exactly(int(headers.get("content-length", "0")))
        self.asked.put("\n".join(lines) + "\n\n" + readable(body))
        parts = path.strip("/").split("?")[0].split("/")
        if parts[0] == "play":
            return self._play(stream, self._answers[parts[1], parts[2]])
        if parts[0] == "status":
            stream.send(b"HTTP/1.1 %s Told\r\nContent-Length: 2\r\n\r\nno" % parts[1].encode())
            return True
        if parts[0] == "silent":
            stream.exactly(1)
        stream.send(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n")
        return self._steps(stream)

    def _steps(self, stream):
        """Sends what is put into `pieces`: bytes, "end" for the end, "cut" for that of the connection,
        and "gone" to wait until the other side has left."""
        while True:
            piece = self.pieces.get(timeout=rawhttp.PATIENCE)
            if piece == "end":
                stream.send(b"0\r\n\r\n")
                return True
            if piece == "cut":
                return False
            if piece == "gone":
                stream.exactly(1)
            stream.send(b"%x\r\n%s\r\n" % (len(piece), piece))

    @staticmethod
    def _play(stream, answer):
        body, end = answer.body, answer.served["end"]
        framing = {"short": f"Content-Length: {len(body) + 100}\r\n",
            "close": "Connection: close\r\n"}
        head = "HTTP/1.1 200 OK\r\n"
        if answer.served["type"]:
            head += f"Content-Type: {answer.served['type']}\r\n"
        head += framing.get(end, "Transfer-Encoding: chunked\r\n") + "\r\n"
        if end in framing:
            stream.send(head.encode() + body)
            return False
        stream.send(head.encode() + b"%x\r\n%s\r\n" % (len(body), body))
        if end == "cut":
            return False
        stream.send(b"0\r\n\r\n")
        return True

    def _cat(self, stream, lines, headers, path):
        key = headers["sec-websocket-key"]
        self.asked.put("\n".join(lines).replace(key, "{key}"))
        if "/refused/" in path:
            stream.send(b"HTTP/1.1 403 No\r\nContent-Length: 0\r\n\r\n")
            return True
        accept = base64.b64encode(hashlib.sha1(key.encode() + GUID).digest())
        stream.send(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                    b"Sec-WebSocket-Accept: " + accept + b"\r\n\r\n")
        name = path.split("/ws/")[0].rsplit("/", 1)[1]
        while True:
            first, payload = websocket.read_frame(stream)
            opcode = first & 0x0F
            if opcode == websocket.PING:
                stream.send(websocket.frame(websocket.PONG, payload, masked=False))
            if opcode == websocket.CLOSE:
                return False
            if opcode != websocket.TEXT:
                continue
            self.asked.put(readable(payload))
            question = json.loads(payload)["text"]
            for line in self._answers["cat", name].body.splitlines():
                line = line.replace(b"{question}", question.encode())
                if line.strip():
                    stream.send(websocket.frame(websocket.TEXT, line, masked=False))
            if name.startswith("no-end"):
                return False
