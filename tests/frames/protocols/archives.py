"""Chats as archives, and copies of the database."""

import gzip
import io
import json
import tarfile

from gateway import Gateway
from protocols.workflows import CHATS, EXTRACT, SEARCH, new_chat, upload
from transcript import readable


def record(transcript, binary):
    archives(transcript, binary)


def unpacked(body):
    """The entries of an archive, in the order of their names."""
    with tarfile.open(fileobj=io.BytesIO(body)) as archive:
        entries = sorted(archive.getmembers(), key=lambda entry: entry.name)
        lines = []
        for entry in entries:
            content = readable(archive.extractfile(entry).read())
            if entry.name == "metadata.json":
                content = json.dumps(json.loads(content), indent=1, ensure_ascii=False)
            lines.append(f"{entry.name} {entry.mode:o} {entry.type!r}\n{content}")
        return "\n".join(lines)


def archive_of(*entries):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for name, kind, content in entries:
            info = tarfile.TarInfo(name)
            info.type, info.size = kind, len(content)
            archive.addfile(info, io.BytesIO(content))
    return gzip.compress(out.getvalue(), mtime=0)


def archives(transcript, binary):
    with Gateway(transcript, binary, "archives") as gateway:
        chat = new_chat(gateway)
        upload(gateway, chat)
        gateway.post(f"{CHATS}/{chat}/execute", {"steps": [SEARCH, EXTRACT]})
        gateway.request("POST", f"{CHATS}/nobody/dump")
        url = gateway.request("POST", f"{CHATS}/{chat}/dump").json()["data"]["download_url"]
        path = "/" + url.split("/", 3)[3]
        transcript.pattern(r"content-length: \d+", "content-length: {of the archive}")
        transcript.pattern(r"content-range: .*", "content-range: {of the archive}")
        dumped = gateway.get(path, shown=unpacked).body
        gateway.get(path, ("Range", "bytes=0-1"))
        gateway.get("/api/v1/chat/downloads/nothing.tar.gz")
        restore = f"{CHATS}/restore"

        def restored(body, part="dump_file"):
            sent = "a form with the archive" if body == dumped else None
            return gateway.form(restore, [(part, "a.tar.gz", body)], sent=sent)

        restored(dumped)
        gateway.request("DELETE", f"{CHATS}/{chat}")
        restored(dumped)
        gateway.get(f"{CHATS}/{chat}/runs")
        gateway.get(f"{CHATS}/{chat}/files/people.csv")
        restored(dumped, "other")
        restored(b"nonsense")
        restored(b"")
        metadata = ("metadata.json", tarfile.REGTYPE, b'{"chat_id":"evil"}')
        for entry in (("../evil", tarfile.REGTYPE, b"x"), ("/tmp/evil", tarfile.REGTYPE, b"x"),
                ("uploads/link", tarfile.SYMTYPE, b""),
                ("elsewhere/x", tarfile.REGTYPE, b"x"), ("uploads/a.csv", tarfile.REGTYPE,
                b"id\n1\n")):
            restored(archive_of(metadata, entry))
        restored(archive_of(("metadata.json", tarfile.REGTYPE, b"nonsense")))
        restored(archive_of(("uploads/a.csv", tarfile.REGTYPE, b"x")))
        restored(archive_of(metadata, ("uploads/a", tarfile.REGTYPE, b"x"), ("uploads/a",
            tarfile.REGTYPE, b"x")))
        gateway.get(restore)
        gateway.request("POST", "/api/v1/chat/sqlite/backup")
        gateway.get("/api/v1/chat/sqlite/backup")
        gateway.metrics()
