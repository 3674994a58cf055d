"""What was sent and received, as text: one file for each protocol, one section for each gateway."""

import re
from pathlib import Path

from placeholders import Placeholders

# Longer bodies of requests are told by their length; they are made by this program.
LONG_REQUEST = 2000
CONTROL = re.compile(r"[\x00-\x09\x0b-\x1f\x7f]")


class Transcript:
    """The file of one protocol."""

    def __init__(self, name):
        self.name = name
        self.received = 0
        self._done = []
        self._title = None
        self._lines = []
        self._placeholders = None

    def section(self, title, literals):
        """Begin a section. `literals` are texts that differ between runs, with their placeholders."""
        self.end_section()
        self._title = title
        self._placeholders = Placeholders(literals)

    def end_section(self):
        """Write down the section, with placeholders in it. Their numbers begin anew in the next."""
        if self._title is not None:
            text = self._placeholders.apply("\n".join(self._lines))
            self._done.append(f"=== {self._title} ===\n{text}\n")
        self._title, self._lines = None, []

    def literal(self, text, placeholder):
        """Replace a text that differs between runs, from here on and before."""
        self._placeholders.literal(text, placeholder)

    def pattern(self, pattern, replacement):
        """Replace what a pattern matches in this section, after all placeholders."""
        self._placeholders.pattern(pattern, replacement)

    def note(self, text):
        """Say what comes next."""
        self._lines += ["", f"# {text}"]

    def sent(self, line, body=None):
        self._lines.append(f"--> {line}")
        if body:
            shown = body if isinstance(body, str) else readable(body)
            if len(shown) > LONG_REQUEST:
                shown = f"({len(body)} bytes)"
            self._block(shown)

    def got(self, line, body=None):
        self.received += 1
        self._lines.append(f"<-- {line}")
        if body:
            self._block(body if isinstance(body, str) else readable(body))

    def _block(self, text):
        self._lines += [f"    | {line}" for line in text.split("\n")]

    def write(self, folder):
        self.end_section()
        path = Path(folder) / f"{self.name}.txt"
        path.write_text("\n".join(self._done), encoding="utf-8")
        return self.received


def readable(data):
    """Bytes as text: what is not UTF-8 is escaped, as are control characters but line feeds."""
    text = data.decode("utf-8", errors="backslashreplace")
    return CONTROL.sub(lambda found: f"\\x{ord(found[0]):02x}", text)
