"""Placeholders for what differs between two runs of one binary: ids, times, ports, signatures.

Ids are numbered in the order in which they are first seen in a section, so that two recordings are
equal only if the same ids are the same in both.
"""

import re

JWT = re.compile(r"eyJ[\w-]+\.[\w-]+\.[\w-]+")
UUID = re.compile(r"(?<![0-9a-zA-Z])[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}(?![0-9a-zA-Z])")
# The end of the id of a run.
RUN = re.compile(r"(?<=_workflow_)\d{13}_[0-9a-f]{8}")
HEX = re.compile(r"(?<![0-9a-zA-Z])[0-9a-f]{32}(?![0-9a-zA-Z])")
EPOCH = re.compile(r"(?<![0-9a-zA-Z])[0-9a-f]{13}(?=-\d+)")
# Ids and names that are shown once with their member's name, and used elsewhere without.
NAMED = re.compile(r'"(sid|pid|participant_name)": ?"([\w-]{12,}|[A-Z][a-z]+-\d{4})"')
ETAG = re.compile(r'\betag: (?:W/)?"([^"]+)"')

REQUEST_ID = [
    (re.compile(r"(x-request-id: )" + UUID.pattern), r"\1{request}"),
    (re.compile(r'("request_id": ?")[0-9a-f]{32}"'), r'\1{request}"'),
]
# Times are not numbered: two of them may be equal by chance. Their form stays.
TIMES = [
    (re.compile(r"\b\w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT"), "{date}"),
    (re.compile(r"\b\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.(\d+)"), lambda m: "{time.%d}" % len(m[1])),
    (re.compile(r"\b20\d\d-\d\d-\d\d[T ]\d\d:\d\d:\d\d"), "{time}"),
    (re.compile(r"(workflows/)20\d\d/\d\d(?=/)"), r"\1{month}"),
    # Names that were made in one second get a number.
    (re.compile(r"(?<!\d)20\d{6}_\d{6}(?:_\d+)?(?!\d)"), "{stamp}"),
    (re.compile(r"(?<!\d)20\d{6}T\d{6}Z"), "{stampZ}"),
    (re.compile(r'("partition_key": ?")\d{4}/\d\d"'), r'\1{month}"'),
    (re.compile(r"(expires=9?)\d{10}&(signature=\.?)[\w-]{43}"), r"\1{unix}&\2{signature}"),
    (re.compile(r"(?<![\d.])1[789]\d{8}\.\d+"), "{seconds}"),
    (re.compile(r"(?<![\d.])1[789]\d{11}(?!\d)"), "{ms}"),
    (re.compile(r"(?<![\d.])1[789]\d{8}(?!\d)"), "{unix}"),
    (re.compile(r'("(?:expires|expires_in)":)3[56]\d\d\b'), r"\1{an hour}"),
    (re.compile(r'("uptime":)[\d.]+'), r"\1{uptime}"),
    (re.compile(r'("uptime":")[^"]*"'), r'\1{uptime}"'),
    (re.compile(r'("lease_until":")[^"]*"'), r'\1{lease}"'),
    (re.compile(r'("retry_after":)[\d.]+'), r"\1{retry}"),
    (re.compile(r"; [\d.]+ m?s\)"), "; {duration})"),
]


class Placeholders:
    """The placeholders of one section."""

    def __init__(self, literals):
        self._literals = dict(literals)
        self._patterns = []
        self._seen = {}

    def literal(self, text, placeholder):
        self._literals[text] = placeholder

    def pattern(self, pattern, replacement):
        self._patterns.append((re.compile(pattern), replacement))

    def apply(self, text):
        for pattern, replacement in REQUEST_ID:
            text = pattern.sub(replacement, text)
        for literal in sorted(self._literals, key=len, reverse=True):
            text = text.replace(literal, self._literals[literal])
        for kind, value in NAMED.findall(text):
            text = text.replace(value, self._number(kind, value))
        for value in ETAG.findall(text):
            text = text.replace(value, self._number("etag", value))
        for kind, pattern in [("token", JWT), ("run", RUN), ("uuid", UUID), ("hex", HEX), ("epoch",
                EPOCH)]:
            text = pattern.sub(lambda m, kind=kind: self._number(kind, m[0]), text)
        for pattern, replacement in TIMES + self._patterns:
            text = pattern.sub(replacement, text)
        return text

    def _number(self, kind, value):
        # An id may be shown with hyphens in one place and without in another.
        numbers = self._seen.setdefault(kind, {})
        return "{%s:%d}" % (kind, numbers.setdefault(value, len(numbers) + 1))
