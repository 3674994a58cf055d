"""A WebSocket client on a bare socket, for frames that no library would send."""

import struct
import time

import rawhttp

TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10
NAMES = {0: "continuation", TEXT: "text", BINARY: "binary", CLOSE: "close", PING: "ping",
    PONG: "pong"}
# Key and mask never change, so that handshakes and frames do not.
KEY = "dGhlIHNhbXBsZSBub25jZQ=="
MASK = b"\x11\x22\x33\x44"
HANDSHAKE = [
    ("Connection", "Upgrade"),
    ("Upgrade", "websocket"),
    ("Sec-WebSocket-Version", "13"),
    ("Sec-WebSocket-Key", KEY),
]


def frame(opcode, payload, fin=True, masked=True, reserved=0):
    first = (0x80 if fin else 0) | reserved << 4 | opcode
    mask_bit = 0x80 if masked else 0
    length = len(payload)
    if length < 126:
        head = struct.pack("!BB", first, mask_bit | length)
    elif length < 65536:
        head = struct.pack("!BBH", first, mask_bit | 126, length)
    else:
        head = struct.pack("!BBQ", first, mask_bit | 127, length)
    if not masked:
        return head + payload
    repeated = MASK * (length // 4 + 1)
    data = bytes(a ^ b for a, b in zip(payload, repeated)) if length < 4096 else _xor(payload,
        repeated)
    return head + MASK + data


def _xor(payload, repeated):
    length = len(payload)
    number = int.from_bytes(payload, "big") ^ int.from_bytes(repeated[:length], "big")
    return number.to_bytes(length, "big")


def read_frame(stream):
    """First byte and payload of the next frame."""
    first, second = stream.exactly(2)
    length = second & 0x7F
    if length == 126:
        (length,) = struct.unpack("!H", stream.exactly(2))
    elif length == 127:
        (length,) = struct.unpack("!Q", stream.exactly(8))
    mask = stream.exactly(4) if second & 0x80 else None
    payload = stream.exactly(length)
    if mask:
        payload = bytes(byte ^ mask[place % 4] for place, byte in enumerate(payload))
    return first, payload


class Socket:
    """A connection whose handshake succeeded. All that it reads is recorded."""

    def __init__(self, transcript, name, stream):
        self.transcript, self.name, self.stream = transcript, name, stream
        self.answers_pings = True
        self._syncs = 0

    def send(self, text, opcode=TEXT, **options):
        payload = text.encode("utf-8") if isinstance(text, str) else text
        shown = f"{self.name} {NAMES.get(opcode, opcode)}"
        if options:
            shown += " " + " ".join(f"{key}={value}" for key, value in options.items())
        if opcode == CLOSE:
            self.transcript.sent(f"{shown} {int.from_bytes(payload[:2], 'big')}")
        else:
            self.transcript.sent(shown, payload)
        self.stream.send(frame(opcode, payload, **options))

    def send_raw(self, data, what):
        self.transcript.sent(f"{self.name} {what}")
        self.stream.send(data)

    def _read(self):
        """The next frame as text for the transcript, its opcode and its payload."""
        first, payload = read_frame(self.stream)
        opcode = first & 0x0F
        shown = f"{self.name} {NAMES.get(opcode, opcode)}"
        if first & 0xF0 != 0x80:
            shown += f" with bits {first >> 4:04b}"
        if opcode == CLOSE:
            code = struct.unpack("!H", payload[:2])[0] if payload else 1005
            shown += f" {code} {payload[2:].decode('utf-8')!r}"
            return shown, opcode, payload[2:], None
        return shown, opcode, payload, payload

    def read(self, record=True):
        """The next frame, recorded. `(CLOSE, b"")` also if the connection ends without one."""
        try:
            shown, opcode, payload, body = self._read()
        except rawhttp.Gone:
            self.transcript.got(f"{self.name} end of the connection")
            return CLOSE, b""
        if opcode == PING and self.answers_pings:
            self.stream.send(frame(PONG, payload))
            return self.read(record)
        if record or opcode == CLOSE:
            self.transcript.got(shown, body)
        return opcode, payload

    def text(self):
        """The next text frame."""
        opcode, payload = self.read()
        assert opcode == TEXT, f"{self.name}: a text was expected, not {opcode} {payload!r}"
        return payload.decode("utf-8")

    def until(self, part):
        """Read frames until one has `part` in it, which is returned."""
        while True:
            text = self.text()
            if part in text:
                return text

    def sync(self, in_order=True):
        """Read what comes before the answer to a ping; sorted if their order has no meaning."""
        self._syncs += 1
        mark = f"sync {self._syncs}".encode()
        self.stream.send(frame(PING, mark))
        frames = []
        while True:
            shown, opcode, payload, body = self._read()
            if opcode == PONG and payload == mark:
                break
            frames.append((shown, body))
        for shown, body in frames if in_order else sorted(frames):
            self.transcript.got(shown, body)

    def outcome(self):
        """Read until the connection is closed, or a ping is answered; then it is closed from here."""
        self.stream.send(frame(PING, b"outcome"))
        while True:
            shown, opcode, payload, body = self._read()
            if opcode == PONG and payload == b"outcome":
                self.close()
                return
            self.transcript.got(shown, body)
            if opcode == CLOSE:
                self.stream.close()
                return

    def closed(self, record=True):
        """Read until the connection is closed. Without `record`, the close frame alone is recorded."""
        begun = time.monotonic()
        while self.read(record)[0] != CLOSE:
            late = time.monotonic() > begun + rawhttp.PATIENCE
            assert not late, f"{self.name}: waited in vain for its end"
        self.stream.close()

    def close(self, code=1000):
        """Close it, and read how that is answered."""
        self.send(struct.pack("!H", code), CLOSE)
        self.closed()
