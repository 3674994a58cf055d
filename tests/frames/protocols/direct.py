"""Operations on a file that comes with the request, and what they make."""

import io
import json
import zipfile

from gateway import JWT, Gateway, token
from transcript import readable

API = "/api/v1"
PEOPLE = ("file", "a b.csv", "id,name\n1,Ann\n2,\n1,Ann\n")
SOURCE = ("source_file", "s.csv", "id,x\n1,a\n9,b\n")
BIND = ("bind_file", "s.csv", "id,x2,mail\n1,a,m@x\n")
TARGET = ("target_file", "t.csv", "a,b\n1,2\n3,4\n")


def field(name, value):
    return (name, None, value if isinstance(value, str) else json.dumps(value))


FOUND = field("conditions", [{"column": "name", "operator": "equals", "value": "Ann"}])

# Address and parts of each request that succeeds.
GOOD = [
    ("/excel/info", [PEOPLE]), ("/csv/info", [PEOPLE]), ("/excel/search/suggest-operators",
        [PEOPLE]), ("/csv/search/suggest-operators", [PEOPLE]),
    ("/excel/extract-columns", [PEOPLE, field("columns", ["name", "zz"]),
        field("remove_duplicates", "TRUE")]),
    ("/excel/extract-columns", [PEOPLE, field("columns", ["id"]),
        field("include_statistics", "true")]),
    ("/excel/extract-columns-to-file", [PEOPLE, field("columns", ["name", "id"]),
        field("remove_duplicates", "true")]),
    ("/excel/map-columns", [PEOPLE, field("mapping", {"B": "name", "A": {"default": 7}})]),
    ("/excel/bind-single-key", [SOURCE, BIND, field("comparison_column", "id"),
        field("bind_columns", ["mail"]), field("output_filename", "../my report")]),
    ("/excel/bind-multi-key", [SOURCE, BIND, field("comparison_columns", ["id"]),
        field("bind_columns", ["mail"]), field("output_filename", "../my report")]),
    ("/excel/search", [PEOPLE, FOUND]), ("/csv/search", [PEOPLE, FOUND]), ("/csv/search",
        [PEOPLE, FOUND, field("output_format", "JSON")]),
    ("/csv/search", [PEOPLE, FOUND, field("output_format", "excel"), field("logic", "OR")]),
    ("/csv/convert-to-excel", [PEOPLE, field("sheet_name", "People")]),
    ("/normalization/apply", [PEOPLE, field("normalizations", [{"column_name": "name",
        "normalization_type": "uppercase", "backup_original": False}])]),
    ("/normalization/apply", [PEOPLE, field("normalizations", [{"column": "name",
        "type": "integer_convert"}]), field("return_report", "true")]),
    ("/files/bind", [("source_file", "s.csv", "x\nnew\n"), TARGET,
        field("column_mapping", {"b": "x"})]),
    ("/files/bind/preview", [("source_file", "s.csv", "x\nnew\n"), TARGET,
        field("column_mapping", {"b": "x", "Q": "Z"})]),
    ("/sql/generate", [PEOPLE, field("table_name", "t"), field("column_mapping", {"who": "name"})]),
    ("/sql/generate", [PEOPLE, field("table_name", "t"), field("return_file", "true"),
        field("database_type", "MySQL"), field("batch_size", "1")]),
    ("/sql/generate", [PEOPLE, field("table_name", "t"), field("auto_increment", "true"),
        field("include_transaction", "false")]),
    ("/sql/generate-to-text", [PEOPLE, field("table_name", "t"), field("remove_duplicates", "true"),
        field("database_type", "sqlite")]),
    ("/sql/generate-custom-to-text", [PEOPLE, field("template",
        "UPDATE t SET n = {who|nobody} WHERE id = {id:int};"),
                                      field("column_mapping", {"who": "name", "id": "id"})]),
    ("/json/generate", [PEOPLE, field("column_mapping", {"name": "who"}),
        field("pretty_print", "false")]),
    ("/json/generate", [PEOPLE, field("columns", ["id"]), field("null_handling", "exclude"),
        field("array_wrapper", "false")]),
    ("/json/generate-with-template", [PEOPLE, field("template",
        '{"id":"{i:int}","name":"{n|none}"}'), field("column_mapping", {"n": "name", "i": "id"}),
                                      field("aggregation_mode", "nested")]),
]


def record(transcript, binary):
    made(transcript, binary)
    refused(transcript, binary)
    signed_in(transcript, binary)


def table(body):
    """A file that was made; of a workbook, the parts of its archive."""
    if not body.startswith(b"PK"):
        return readable(body)
    with zipfile.ZipFile(io.BytesIO(body)) as archive:
        return "\n".join(f"{name}\n{readable(archive.read(name))}" for name in archive.namelist())


def downloaded(gateway, answer, *headers):
    """Fetch what an answer tells the address of."""
    data = answer.json().get("data")
    url = data.get("download_url") if isinstance(data, dict) else None
    if not url:
        return None
    path = "/" + url.split("/", 3)[3]
    gateway.get(path, *headers, shown=table)
    return path


def made(transcript, binary):
    with Gateway(transcript, binary, "what is made") as gateway:
        transcript.pattern(r'("file_size":)\d+', r"\1{size}")
        for path in ("/health", "/health/", "/health/ready", "/normalization/types",
                "/sql/databases"):
            gateway.get(API + path)
        for path, parts in GOOD:
            last = downloaded(gateway, gateway.form(API + path, parts))
        workbook = gateway.form(f"{API}/csv/convert-to-excel", [PEOPLE,
            field("sheet_name", "People")]).json()["data"]["download_url"]
        body = gateway.get("/" + workbook.split("/", 3)[3], record=False).body
        book = ("file", "book.xlsx", body)
        for path, parts in (("/excel/info", [book]), ("/excel/info",
                [book, field("sheet_name", "Info")]), ("/excel/info",
                [book, field("sheet_name", "No")]),
                ("/csv/info", [book]), ("/csv/search", [book, FOUND]), ("/sql/generate",
                [book, field("table_name", "t")])):
            gateway.form(API + path, parts, sent="a form with the workbook")
        transcript.pattern(r"Created.*?\d{4}[^<]*", "{created}")
        gateway.get(last, ("Range", "bytes=0-3"))
        for path in ("/files/downloads/nothing.csv", "/files/downloads/..%2fx",
                "/files/downloads/%ff", "/files/downloads/", "/files/downloads"):
            gateway.get(API + path)
        gateway.metrics()


def refused(transcript, binary):
    with Gateway(transcript, binary, "what is refused", {
            "files.max_upload_size": "1000"}) as gateway:
        for path in sorted({path for path, _ in GOOD}):
            gateway.form(API + path, [])
            gateway.form(API + path, [PEOPLE])
            gateway.form(API + path, [("file", "big.csv", "x" * 1001)])
            gateway.get(API + path)
        for field_name, path, values in (
            ("columns", "/excel/extract-columns", ["nonsense", "{}", "[7]", "[]", '["nope"]']),
            ("mapping", "/excel/map-columns", ["nonsense", "[]", '{"a":"nope"}', '{"a":7}']),
            ("conditions", "/csv/search", ["nonsense", "{}", "[]", "[7]", "[{}]",
                '[{"column":"nope","operator":"equals","value":"x"}]',
                                           '[{"column":"name","operator":"nope","value":"x"}]',
                                               '[{"column":"name","operator":"regex","value":"("}]',
                                           '[{"column":"id","operator":"between","value":"x"}]',
                                               '[{"column":"id","operator":"greater_than","value":"x"}]']),
            ("normalizations", "/normalization/apply", ["nonsense", "[]",
                '[{"column":"nope","type":"uppercase"}]', '[{"column":"name","type":"nope"}]',
                                                       '[{"column":"name"}]']),
            ("template", "/sql/generate-custom-to-text", ["", "{", "{nope}", "plain"]),
            ("template", "/json/generate-with-template", ["", "{", '"{nope}"', "7"]),
            ("database_type", "/sql/generate", ["oracle", ""]), ("batch_size", "/sql/generate",
                ["x", "0", "-1"]),
            ("null_handling", "/json/generate", ["nope"]), ("column_mapping", "/json/generate",
                ["nonsense", "[]", '{"nope":"x"}']),
            ("output_format", "/csv/search", ["pdf"]), ("sheet_name", "/csv/convert-to-excel",
                ["a/b", "x" * 40, ""]),
        ):
            for value in values:
                more = {"/csv/search": [FOUND], "/sql/generate": [field("table_name", "t")]}.get(
                    path, []) if field_name not in ("conditions",) else []
                gateway.form(API + path, [PEOPLE, (field_name, None, value), *more])
        for name, content in (("a.csv", ""), ("a.csv", "\n"), ("a.csv", "id\n1,2,3\n"), ("a.csv",
                b"id\n\x00\n"), ("a.xlsx", "PK nonsense"), ("a.xls", b"\xd0\xcf\x11\xe0"),
                ("a.csv", 'id\n"open\n'), ("", "id\n1\n"), ("a.pdf", "%PDF-1.4"),
                ("a.csv", b"id\n\xe9\n"), ("a.csv", "a;b\n1;2\n")):
            gateway.form(f"{API}/csv/info", [("file", name, content)])
        gateway.form(f"{API}/csv/info", [("file", None, "no file name")])
        gateway.form(f"{API}/csv/info", [PEOPLE, ("file", "second.csv", "x\n1\n")])
        gateway.post(f"{API}/csv/info", "{}")
        gateway.request("POST", f"{API}/csv/info")
        gateway.request("POST", f"{API}/csv/info", [("Content-Type",
            "multipart/form-data; boundary=b")], "nonsense")
        gateway.metrics()


def signed_in(transcript, binary):
    with Gateway(transcript, binary, "signed in", JWT) as gateway:
        ann, bob = ("Authorization", f"Bearer {token(sub='7')}"), ("Authorization",
            f"Bearer {token(sub='8')}")
        program = ("Authorization", f"Bearer {token(topics=['*'])}")
        parts = [PEOPLE, field("columns", ["id"])]
        made_by_ann = None
        for who in ([], [ann], [program]):
            answer = gateway.form(f"{API}/excel/extract-columns-to-file", parts, *who)
            made_by_ann = downloaded(gateway, answer, *who) or made_by_ann
            for path in ("/health", "/health/ready", "/normalization/types", "/sql/databases"):
                gateway.get(API + path, *who)
        for who in ([], [bob], [program]):
            gateway.get(made_by_ann, *who)
