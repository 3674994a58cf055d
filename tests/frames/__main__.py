"""Records what a gateway says over every protocol, and compares two recordings.

    python3 tests/frames record BINARY FOLDER [PROTOCOL ...]
    python3 tests/frames compare BEFORE AFTER [TEXTS]
"""

import argparse
import sys
import time
from pathlib import Path

from compare import compare
from protocols import PROTOCOLS
from transcript import Transcript


def record(binary, folder, names):
    folder.mkdir(parents=True, exist_ok=True)
    total = 0
    for name in names or PROTOCOLS:
        begun = time.monotonic()
        transcript = Transcript(name)
        try:
            PROTOCOLS[name](transcript, str(binary.resolve()))
        finally:
            # After an error, what there is of it shows where it happened.
            received = transcript.write(folder)
        total += received
        print(f"{name}: {received} responses and frames in {time.monotonic() - begun:.1f} s")
    print(f"{total} in all, in {folder}")
    return 0


def main():
    parser = argparse.ArgumentParser(prog="tests/frames", description=__doc__.split("\n")[0])
    commands = parser.add_subparsers(dest="command", required=True)
    recording = commands.add_parser("record", help="record a binary: one file for each protocol")
    recording.add_argument("binary", type=Path)
    recording.add_argument("folder", type=Path)
    recording.add_argument("protocols", nargs="*", choices=[[], *PROTOCOLS], metavar="PROTOCOL")
    comparing = commands.add_parser("compare", help="compare two folders; 1 if they differ")
    comparing.add_argument("before", type=Path)
    comparing.add_argument("after", type=Path)
    comparing.add_argument("texts", type=Path, nargs="?",
        help="changed texts: OLD → NEW, one a line")
    args = parser.parse_args()
    if args.command == "record":
        return record(args.binary, args.folder, args.protocols)
    return compare(args.before, args.after, args.texts)


if __name__ == "__main__":
    sys.exit(main())
