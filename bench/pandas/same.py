"""Whether two files hold the same cells: same.py OURS THEIRS. Says where they differ, and fails."""

import json
import sys
from pathlib import Path

import pandas as pd


def cells(path):
    match path.suffix:
        case ".json":
            return json.loads(path.read_text(encoding="utf-8"))
        case ".sql":
            lines = path.read_text(encoding="utf-8").splitlines()
            return [line for line in lines if line.startswith("INSERT")]
        case ".csv":
            table = pd.read_csv(path, dtype=str, keep_default_na=False)
        case _:
            table = pd.read_excel(path, engine="calamine", dtype=str, keep_default_na=False)
    return [list(table.columns), *table.values.tolist()]


ours, theirs = (cells(Path(path)) for path in sys.argv[1:])
if len(ours) != len(theirs):
    sys.exit(f"{len(ours)} and {len(theirs)} rows")
for place, (mine, other) in enumerate(zip(ours, theirs)):
    if mine != other:
        sys.exit(f"row {place}: {mine} and {other}")
