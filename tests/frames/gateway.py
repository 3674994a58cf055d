"""The gateway under test: a process in a folder of its own, and the requests that are sent to it."""

import base64
import hashlib
import hmac
import itertools
import json
import os
import shutil
import signal
import subprocess
import tempfile
import threading
import time
from pathlib import Path

import rawhttp
import websocket
from transcript import readable

SECRET = "known to the tests, and long enough"
JWT = {"auth.mode": "jwt", "auth.jwt.secret": SECRET}
TOKENS = itertools.count(1)
# Metrics that are there or not, depending on which of two tasks was faster.
BY_CHANCE = ["quadrille_publisher_waits_total", "quadrille_records_coalesced_total"]
DEFAULTS = {"server.listen": ["127.0.0.1:0"], "log.level": "warn"}


def environment(settings):
    """The variables of the process: those of configuration keys, and nothing else of the caller's."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith("QUADRILLE_")}
    for key, value in settings.items():
        text = value if isinstance(value, str) else json.dumps(value)
        kept["QUADRILLE_" + key.upper().replace(".", "__")] = text
    return kept


def token(secret=SECRET, ttl=3600, **claims):
    """A token that is signed with HS256, and no other is equal to it. Claims of `None` are left out."""
    claims = {"exp": int(time.time()) + ttl, "n": next(TOKENS)} | claims
    claims = {key: value for key, value in claims.items() if value is not None}
    parts = [{"alg": "HS256", "typ": "JWT"}, claims]
    encoded = b".".join(_base64(json.dumps(part).encode()) for part in parts)
    signature = hmac.new(secret.encode(), encoded, hashlib.sha256).digest()
    return (encoded + b"." + _base64(signature)).decode()


def _base64(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=")


class Run:
    """A command that was run to its end."""

    def __init__(self, transcript, binary, args, files=(), settings=None, shown=None):
        home = Path(tempfile.mkdtemp(prefix="frames-"))
        try:
            for name, content in files:
                (home / name).parent.mkdir(parents=True, exist_ok=True)
                (home / name).write_text(content, encoding="utf-8")
            transcript.literal(str(home), "{home}")
            for name, content in files:
                transcript.sent(f"file {name}", content)
            for key, value in (settings or {}).items():
                transcript.sent(f"key {key} = {value}")
            transcript.sent("quadrille " + " ".join(args))
            done = subprocess.run(
                [binary, *args], cwd=home, env=environment(settings or {}), capture_output=True,
                timeout=rawhttp.PATIENCE, check=False,
            )
            transcript.got(f"exit code {done.returncode}")
            for name, text in (("stdout", done.stdout), ("stderr", done.stderr)):
                text = (shown or (lambda it: it))(text.decode("utf-8"))
                if text:
                    transcript.got(name, text)
            self.stdout = done.stdout.decode("utf-8")
        finally:
            shutil.rmtree(home)


class Gateway:
    """A gateway that serves, for the time of a `with`."""

    def __init__(self, transcript, binary, title, settings=None, literals=None, files=()):
        self.transcript = transcript
        self.home = Path(tempfile.mkdtemp(prefix="frames-"))
        for name, content in files:
            (self.home / name).write_text(content, encoding="utf-8")
        settings = DEFAULTS | (settings or {})
        self._errors = (self.home / "stderr").open("wb")
        self.process = subprocess.Popen(
            [binary, "serve", *(["--config", files[0][0]] if files else [])], cwd=self.home,
                env=environment(settings),
            stdout=subprocess.PIPE, stderr=self._errors,
        )
        self.banner = self._ready()
        address = self.banner.split("http://", 1)[1].split(" ")[0].split(",")[0].split("/")[0]
        host, port = address.rsplit(":", 1)
        self.address = (host, int(port))
        known = {address: "{gateway}", str(self.home): "{home}"} | (literals or {})
        transcript.section(title, known)
        for key, value in settings.items():
            if key not in DEFAULTS:
                transcript.sent(
                    f"key {key} = {value if isinstance(value, str) else json.dumps(value)}")
        # Headers with which anything may be published.
        self.publisher = []

    def _ready(self):
        for line in self.process.stdout:
            line = line.decode("utf-8")
            if " ready on " in line:
                self.rest = []
                reader = threading.Thread(target=lambda: self.rest.extend(self.process.stdout),
                    daemon=True)
                reader.start()
                return line
        raise RuntimeError("the gateway did not start: " + (self.home / "stderr").read_text())

    def __enter__(self):
        return self

    def __exit__(self, kind, error, trace):
        if self.process.poll() is None:
            self.process.kill() if kind else self.process.send_signal(signal.SIGTERM)
            self.process.wait(rawhttp.PATIENCE)
        if kind:
            print((self.home / "stderr").read_text())
        self.process.stdout.close()
        self._errors.close()
        shutil.rmtree(self.home)

    # --- requests ---

    def request(self, method, path, headers=(), body=None, shown=None, name="", record=True,
            sent=None):
        """Send a request, and record it with its response. `shown` makes text of the response's body,
        `sent` is said in place of the request's."""
        body = body.encode("utf-8") if isinstance(body, str) else body
        if record:
            self._sent(method, path, headers, sent or body, name)
        data = rawhttp.request_bytes(self.address, method, path, headers, body)
        stream = rawhttp.Stream(self.address)
        stream.send(data)
        response = rawhttp.read_head(stream)
        rawhttp.read_body(stream, method, response)
        stream.close()
        if record:
            self.record(response, name, shown)
        return response

    def _sent(self, method, path, headers, body, name):
        lines = [f"{key}: {value}" for key, value in headers]
        self.transcript.sent(" ".join(filter(None, [name, method, path])), "\n".join(lines))
        if body:
            self.transcript.sent("body", body)

    def record(self, response, name="", shown=None):
        line = " ".join(filter(None, [name, response.line]))
        body = f"\n\n{(shown or readable)(response.body)}" if response.body else ""
        self.transcript.got(line, response.head_text() + body)

    def get(self, path, *headers, **options):
        return self.request("GET", path, headers, **options)

    def post(self, path, value, *headers, **options):
        """Post JSON: a text as it is, anything else encoded."""
        body = value if isinstance(value, (str, bytes)) else json.dumps(value)
        return self.request("POST", path, [("Content-Type", "application/json"), *headers], body,
            **options)

    def form(self, path, parts, *headers, **options):
        """Post a form of parts: name, file name or `None`, content."""
        pieces = []
        for name, file, content in parts:
            content = content.encode("utf-8") if isinstance(content, str) else content
            file = f'; filename="{file}"' if file is not None else ""
            head = f'--b\r\nContent-Disposition: form-data; name="{name}"{file}\r\n\r\n'
            pieces.append(head.encode("utf-8") + content + b"\r\n")
        body = b"".join(pieces) + b"--b--\r\n"
        media = ("Content-Type", "multipart/form-data; boundary=b")
        return self.request("POST", path, [media, *headers], body, **options)

    def stream(self, method, path, headers=(), body=None, name=""):
        """Send a request whose response is a stream of events. Its head is recorded."""
        body = body.encode("utf-8") if isinstance(body, str) else body
        self._sent(method, path, headers, body, name)
        stream = rawhttp.Stream(self.address)
        stream.send(rawhttp.request_bytes(self.address, method, path, headers, body))
        response = rawhttp.read_head(stream)
        events = rawhttp.Events(stream, response)
        if events.is_over:
            rawhttp.read_body(stream, method, response)
        self.record(response, name)
        return Watcher(self.transcript, name, events)

    def raw(self, data, shown=None):
        """Send bytes, and record all that comes until the connection is closed."""
        self.transcript.sent("bytes", shown or data)
        stream = rawhttp.Stream(self.address)
        stream.send(data)
        self.transcript.got("bytes until the end", stream.rest())
        stream.close()

    def websocket(self, path, *headers, name="ws", receive_buffer=None, record=True):
        """Open a WebSocket; gives the response if that is refused."""
        stream = rawhttp.Stream(self.address, receive_buffer)
        headers = [*websocket.HANDSHAKE, *headers]
        if record:
            shown = "\n".join(f"{key}: {value}" for key, value in headers[4:])
            self.transcript.sent(f"{name} handshake {path}", shown)
        stream.send(rawhttp.request_bytes(self.address, "GET", path, headers, None))
        response = rawhttp.read_head(stream)
        rawhttp.read_body(stream, "GET", response)
        if record:
            self.record(response, name)
        if response.status != 101:
            stream.close()
            return response
        return websocket.Socket(self.transcript, name, stream)

    # --- others ---

    def sessions(self, count, *headers):
        """Wait until there are so many sessions."""
        def look():
            answer = self.request("GET", "/api/v1/sessions", headers, record=False)
            return len(answer.json()["sessions"]) == count or None
        rawhttp.eventually(f"{count} sessions", look)

    def metrics(self):
        """Record which metrics there are, in the order of their names and without values."""
        answer = self.request("GET", "/metrics", record=False)
        lines = answer.body.decode("utf-8").split("\n")
        names = {line if line.startswith("#") else line.rsplit(" ", 1)[0] for line in lines if line}
        names = {name for name in names if not any(part in name for part in BY_CHANCE)}
        self.transcript.note("metrics, without their values")
        self.transcript.got(answer.line, "\n".join(sorted(names)))

    def stop(self):
        """End it as an operator would, and record the exit code."""
        self.process.send_signal(signal.SIGTERM)
        self.transcript.got(f"exit code {self.process.wait(rawhttp.PATIENCE)}")


class Watcher:
    """A stream of events that is recorded event by event."""

    def __init__(self, transcript, name, events):
        self.transcript, self.name, self.events = transcript, name, events

    def next(self):
        event = self.events.next()
        self.transcript.got(f"{self.name} event" if event else f"{self.name} end of the stream",
            event)
        return event

    def until(self, part):
        while (event := self.next()) is not None:
            if part in event:
                return event
        raise AssertionError(f"the stream ended before {part!r}")

    def rest(self):
        """Read to the end."""
        events = []
        while (event := self.next()) is not None:
            events.append(event)
        return events

    def close(self):
        self.events.close()
