"""Compares two recordings, but for texts that were changed on purpose."""

import difflib
import sys

ARROW = " → "


def changed_texts(path):
    """Pairs of an old text and the new one: `OLD → NEW`, one a line; `#` begins a comment."""
    pairs = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        old, arrow, new = line.partition(ARROW)
        if not arrow or not old or ARROW in new:
            raise SystemExit(f"{path}:{number}: a line is OLD{ARROW}NEW")
        pairs.append((old, new))
    return pairs


def compare(before, after, texts=None):
    """Print how the folder `after` differs from `before`; gives 1 if it does, 0 otherwise."""
    pairs = changed_texts(texts) if texts else []
    matched = dict.fromkeys(pairs, 0)
    names = sorted({path.name for folder in (before, after) for path in folder.glob("*.txt")})
    if not names:
        raise SystemExit("there are no recordings")
    differing = []
    for name in names:
        old, new = read(before / name), read(after / name)
        for pair in pairs:
            matched[pair] += old.count(pair[0])
            old = old.replace(*pair)
        lines = list(difflib.unified_diff(
            old.splitlines(), new.splitlines(), str(before / name), str(after / name), n=6,
                lineterm="",
        ))
        if lines:
            differing.append(name)
            print("\n".join(lines))
    unused = [pair for pair in pairs if not matched[pair]]
    for old, new in unused:
        print(f"never seen: {old}{ARROW}{new}", file=sys.stderr)
    if differing:
        print(f"{len(differing)} of {len(names)} differ: {', '.join(differing)}", file=sys.stderr)
    else:
        print(f"{len(names)} protocols are equal, {sum(matched.values())} texts are as listed")
    return 1 if differing or unused else 0


def read(path):
    return path.read_text(encoding="utf-8") if path.exists() else ""
