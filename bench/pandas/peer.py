"""One operation on a spreadsheet as pandas has it: peer.py OPERATION ARGUMENTS INPUT OUTPUT BIND.

Every cell is text, as the gateway reads it. Prints what it took from reading to writing as JSON; the
peak is that of the process, whose libraries were loaded before.
"""

import json
import resource
import sys
import time
from pathlib import Path

import pandas as pd
import python_calamine  # noqa: F401 - loaded before the clock runs, as pandas is
import xlsxwriter  # noqa: F401 - the same

TESTS = {
    "equals": lambda cells, value: cells == value,
    "greater_than": lambda cells, value: pd.to_numeric(cells, errors="coerce") > value,
}
NORMALIZATIONS = {
    "uppercase": lambda cells: cells.str.upper(),
    "trim_whitespace": lambda cells: cells.str.strip(),
    "email_format": lambda cells: cells.str.lower().str.strip(),
}


def read(path):
    if path.endswith(".xlsx"):
        return pd.read_excel(path, engine="calamine", dtype=str, keep_default_na=False)
    return pd.read_csv(path, dtype=str, keep_default_na=False)


def excel(table, output):
    table.to_excel(output, engine="xlsxwriter", index=False)


def extract(arguments, source, output, _bind):
    excel(read(source)[arguments["columns"]], output)


def map_columns(arguments, source, output, _bind):
    mapping = arguments["mapping"]
    table = read(source)[list(mapping.values())]
    excel(table.set_axis(list(mapping), axis=1), output)


def bind_single(arguments, source, output, bind):
    key = arguments["comparison_column"]
    other = read(bind)[[key, *arguments["bind_columns"]]].drop_duplicates(key)
    excel(read(source).merge(other, on=key, how="left"), output)


def search(arguments, source, output, _bind):
    table = read(source)
    found = pd.Series(True, index=table.index)
    for it in arguments["conditions"]:
        found &= TESTS[it["operator"]](table[it["column"]], it["value"])
    table[found].to_csv(output, index=False)


def convert(_arguments, source, output, _bind):
    excel(read(source), output)


def to_csv(_arguments, source, output, _bind):
    read(source).to_csv(output, index=False)


def normalize(arguments, source, output, _bind):
    table = read(source)
    for it in arguments["normalizations"]:
        column = it["column_name"]
        table[column] = NORMALIZATIONS[it["normalization_type"]](table[column])
    excel(table, output)


def sql(arguments, source, output, _bind):
    table, mapping = read(source), arguments["column_mapping"]
    columns = [table[it].str.replace("'", "''", regex=False) for it in mapping.values()]
    head = f"INSERT INTO {arguments['table_name']} ({', '.join(mapping)}) VALUES ('"
    lines = head + columns[0].str.cat(columns[1:], sep="', '") + "');\n"
    with open(output, "w", encoding="utf-8", newline="") as file:
        file.write("BEGIN;\n")
        file.writelines(lines)
        file.write("COMMIT;\n")


def to_json(arguments, source, output, _bind):
    mapping = arguments["column_mapping"]
    table = read(source)[list(mapping)].rename(columns=mapping)
    table.to_json(output, orient="records", force_ascii=False, indent=2)


OPERATIONS = {
    "excel/extract-columns-to-file": extract,
    "excel/map-columns": map_columns,
    "excel/bind-single-key": bind_single,
    "csv/search": search,
    "csv/convert-to-excel": convert,
    "excel/convert-to-csv": to_csv,
    "normalization/apply": normalize,
    "sql/generate": sql,
    "json/generate": to_json,
}

operation, arguments, source, output, bind = sys.argv[1:]
begin, cpu = time.monotonic(), time.process_time()
OPERATIONS[operation](json.loads(arguments), source, output, bind)
seconds, cpu = time.monotonic() - begin, time.process_time() - cpu
measured = {
    "seconds": seconds,
    "cpu_s": cpu,
    "peak_kib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss,
    "output_bytes": Path(output).stat().st_size,
}
print(json.dumps(measured))
