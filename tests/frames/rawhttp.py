"""An HTTP/1.1 client on a bare socket: nothing is hidden of what comes over the wire."""

import json
import os
import socket
import time

PATIENCE = float(os.environ.get("QUADRILLE_TEST_PATIENCE", "60"))


class Gone(Exception):
    """The other side closed the connection."""


class Stream:
    """A connection with a buffer for what was read too far."""

    def __init__(self, address, receive_buffer=None):
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        if receive_buffer:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.socket.settimeout(PATIENCE)
        self.socket.connect(address)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.buffer = b""

    def send(self, data):
        self.socket.sendall(data)

    def _more(self):
        try:
            data = self.socket.recv(65536)
        except ConnectionResetError as err:
            raise Gone("reset") from err
        if not data:
            raise Gone("closed")
        self.buffer += data

    def exactly(self, count):
        while len(self.buffer) < count:
            self._more()
        data, self.buffer = self.buffer[:count], self.buffer[count:]
        return data

    def until(self, mark):
        while mark not in self.buffer:
            self._more()
        data, self.buffer = self.buffer.split(mark, 1)
        return data

    def rest(self):
        try:
            while True:
                self._more()
        except Gone:
            data, self.buffer = self.buffer, b""
            return data

    def close(self):
        self.socket.close()


class Response:
    """A status line, headers in their order, and a body once it is read."""

    def __init__(self, head):
        lines = head.decode("latin-1").split("\r\n")
        self.line = lines[0]
        self.status = int(lines[0].split(" ")[1])
        self.headers = [tuple(line.split(": ", 1)) for line in lines[1:]]
        self.body = b""

    def header(self, name):
        for key, value in self.headers:
            if key.lower() == name:
                return value
        return None

    def json(self):
        return json.loads(self.body)

    def head_text(self):
        """The headers, a line each. A length that is that of the body is not shown as a number."""
        shown = []
        for name, value in self.headers:
            if name == "content-length" and value == str(len(self.body)):
                value = "{of the body}"
            shown.append(f"{name}: {value}")
        return "\n".join(shown)


def request_bytes(address, method, path, headers, body):
    host = f"{address[0]}:{address[1]}"
    names = {name.lower() for name, _ in headers}
    lines = [f"{method} {path} HTTP/1.1"]
    if "host" not in names:
        lines.append(f"Host: {host}")
    lines += [f"{name}: {value}" for name, value in headers]
    if body is not None and not names & {"content-length", "transfer-encoding"}:
        lines.append(f"Content-Length: {len(body)}")
    return ("\r\n".join(lines) + "\r\n\r\n").encode("utf-8") + (body or b"")


def read_head(stream):
    """The next head that is no interim response."""
    while True:
        response = Response(stream.until(b"\r\n\r\n"))
        if response.status != 100:
            return response


def has_body(method, response):
    return method != "HEAD" and response.status not in (101, 204, 304)


def read_chunk(stream):
    """The next piece of a chunked body; empty at its end."""
    size = int(stream.until(b"\r\n"), 16)
    data = stream.exactly(size)
    stream.until(b"\r\n")
    return data


def read_body(stream, method, response):
    if not has_body(method, response):
        return
    if response.header("transfer-encoding") == "chunked":
        pieces = []
        while piece := read_chunk(stream):
            pieces.append(piece)
        response.body = b"".join(pieces)
    elif (length := response.header("content-length")) is not None:
        response.body = stream.exactly(int(length))
    else:
        response.body = stream.rest()


class Events:
    """A response that is a stream of server-sent events, read one by one."""

    def __init__(self, stream, response):
        self._stream = stream
        self._text = b""
        self._chunked = response.header("transfer-encoding") == "chunked"
        media = response.header("content-type") or ""
        self.is_over = response.status != 200 or not media.startswith("text/event-stream")

    def next(self):
        """The next event with its line breaks, without comments; `None` at the end of the stream."""
        while True:
            while b"\n\n" not in self._text:
                if not self._read():
                    rest, self._text = self._text, b""
                    return rest.decode("utf-8") or None
            event, self._text = self._text.split(b"\n\n", 1)
            lines = [line for line in event.decode("utf-8").split("\n") if line[:1] != ":"]
            if lines:
                return "\n".join(lines)

    def _read(self):
        if self.is_over:
            return b""
        try:
            if self._chunked:
                piece = read_chunk(self._stream)
            else:
                self._stream._more()
                piece, self._stream.buffer = self._stream.buffer, b""
        except Gone:
            piece = b""
        self._text += piece
        self.is_over = not piece
        return piece

    def close(self):
        self._stream.close()


def eventually(what, look):
    """Look again and again until there is something."""
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until:
        if found := look():
            return found
        time.sleep(0.005)
    raise TimeoutError(f"waited in vain for {what}")
