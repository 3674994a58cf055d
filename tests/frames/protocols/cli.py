"""The command line: help, configuration, tokens, exit codes and what is wrong."""

import base64
import json
import re

from gateway import SECRET, Run

ANYWHERE = {"server.listen": '["0.0.0.0:0"]'}

# A title, arguments, files and keys of each run.
RUNS = [
    ("help", ["--help"]),
    ("short help", ["-h"]),
    ("version", ["--version"]),
    ("help of serve", ["serve", "--help"]),
    ("help of check-config", ["check-config", "--help"]),
    ("help of print-config", ["print-config", "--help"]),
    ("help of migrate", ["migrate", "--help"]),
    ("help of token", ["token", "--help"]),
    ("an unknown command", ["frobnicate"]),
    ("an unknown option", ["serve", "--frobnicate"]),
    ("an option without its value", ["--config"]),
    ("print-config --default", ["print-config", "--default"]),
    ("print-config", ["print-config"]),
    ("print-config of a file", ["print-config", "--config", "a.toml"],
     [("a.toml", '[limits]\ntopics = 7\n[agents.gpt]\nkind = "openai"\nurl = "http://127.0.0.1:9"\nmodel = "m"\n'
                 'token = "sk-secret"\n')]),
    ("print-config of YAML", ["print-config", "--config", "a.yml"],
     [("a.yml", "server:\n  grace: 5s\nlog:\n  level: debug\n")]),
    ("print-config of an application.yml", ["print-config", "--config", "application.yml"],
     [("application.yml",
         "app:\n  host: 127.0.0.1\n  port: 5050\nchat_workflows:\n  enabled: true\n"
                          "  max_connections: 3\nlogging:\n  level: INFO\nother: 1\n")]),
    ("print-config with a secret", ["print-config"], (), {"auth.jwt.secret": SECRET,
        "auth.mode": "jwt"}),
    ("check-config", ["check-config"]),
    ("check-config of jwt", ["check-config"], (), {"auth.mode": "jwt", "auth.jwt.secret": SECRET}),
    ("check-config of public jwt", ["check-config"], (),
     ANYWHERE | {"auth.mode": "jwt", "auth.jwt.secret": SECRET,
         "server.listen": '["0.0.0.0:8081"]'}),
    ("check-config of a short secret that is allowed", ["check-config"], (),
     {"auth.mode": "jwt", "auth.jwt.secret": "short", "auth.jwt.allow_short_secret": "true"}),
    ("check-config of a file that is missing", ["check-config", "--config", "nowhere.toml"]),
    ("migrate", ["migrate"]),
    ("migrate with a bad address", ["migrate"], (), {"store.url": "mysql://x"}),
    ("token without a secret", ["token", "--user", "7"]),
    ("token without a user", ["token"], (), {"auth.jwt.secret": SECRET}),
    ("token with a bad time", ["token", "--user", "7", "--ttl", "soon"], (),
        {"auth.jwt.secret": SECRET}),
    ("a port that is taken by a bad address", ["serve"], (),
        {"server.listen": '["203.0.113.1:1"]'}),
]

# Configurations that are refused: a line of TOML each, below its section.
BAD = [
    "this is no toml",
    "[nowhere]\nkey = 1",
    "[server]\nlisten = 7",
    '[server]\nlisten = []',
    '[server]\nlisten = ["nonsense"]',
    '[server]\nlisten = ["0.0.0.0:80"]',
    '[server]\nlisten = ["https://127.0.0.1:8443"]',
    '[server]\nlisten = ["unix:relative"]',
    '[server]\nlistne = ["127.0.0.1:1"]',
    '[server]\norigins = ["chat.example.com"]',
    '[server]\ntrusted_proxies = ["everybody"]',
    '[server]\npublic_url = "example.com"',
    '[server]\nbase_path = "assistant"',
    '[server]\ngrace = "soon"',
    '[auth]\nmode = "closed"',
    '[auth]\nmode = "jwt"',
    '[auth]\nmode = "jwt"\n[auth.jwt]\nsecret = "short"',
    '[auth]\nmode = "jwt"\n[auth.jwt]\nkeys = [{ file = "none.pem", algorithm = "RS256" }]',
    '[auth]\nmode = "jwt"\n[auth.jwt]\nkeys = [{ file = "none.pem", algorithm = "HS256" }]',
    '[auth]\nmode = "jwt"\n[auth.jwt]\njwks = "ftp://example.com"',
    '[auth.jwt]\nexpired_connections = "maybe"',
    "[limits]\nconnections = 0",
    "[limits]\nuser_share = 1.5",
    "[limits]\ninput_bytes = 1",
    "[limits]\nlog_bytes = -1",
    "[topics.chan]\nevents = 0",
    '[topics.chan]\non_slow = "wait"',
    '[topics.other]\nevents = 1',
    '[agents]\ndefault = "nobody"',
    "[agents]\nmax_running = 0",
    '[agents]\norphans = "keep"',
    '[agents.x]\nkind = "oracle"',
    '[agents.x]\nkind = "openai"',
    '[agents.x]\nkind = "openai"\nurl = "http://127.0.0.1:1"',
    '[agents.x]\nkind = "openai"\nurl = "ftp://127.0.0.1:1"\nmodel = "m"',
    '[agents.x]\nkind = "echo"\nurl = "http://127.0.0.1:1"',
    '[agents.x]\nkind = "openai"\nurl = "http://127.0.0.1:1"\nmodel = "m"\nwindow = 101',
    '[agents.x]\nkind = "openai"\nurl = "http://127.0.0.1:1"\nmodel = "m"\nbody = { messages = [] }',
    '[agents.x]\nkind = "agui"\nurl = "http://127.0.0.1:1"\ncontent = "tiles"',
    '[agents.x]\nkind = "cheshire-cat"\nurl = "ws://127.0.0.1:1/ws"',
    '[agents.x]\nkind = "http"',
    "[relay]\nmax_body_size = 0",
    '[rooms]\nguests = "some"',
    '[rooms]\nrecovery = "1h"',
    "[rooms]\nmax_rooms = 0",
    '[rooms]\nping_interval = "0s"',
    "[workflows]\nmax_steps = 0",
    '[workflows]\nlease = "1ms"',
    '[workflows]\nagent = "nobody"',
    '[broker]\npath = "ws"',
    '[broker]\npath = "/send"',
    "[broker]\nmax_channel_length = 300",
    "[broker]\nmax_channels = 0",
    '[store]\nurl = "mysql://x"',
    '[store]\nurl = "postgres://u:p@h/d"',
    "[store]\nmax_connections = 0",
    '[files]\nurl = "http://x"',
    '[files]\nurl = "s3://bucket"',
    '[files]\nlink_ttl = "1s"',
    '[log]\nlevel = "loud"',
    '[log]\nformat = "xml"',
    '[otel]\nendpoint = "http://127.0.0.1:4318"',
]

VARIABLES = [
    {"server.lisen": '["127.0.0.1:1"]'},
    {"nothing.like.this": "1"},
    {"limits.topics": "many"},
    {"limits.topics": "-1"},
    {"broker.ping_interval": "never"},
    {"server.listen": "127.0.0.1:1"},
]

# The memory of the machine and the number of its cores are in these.
MEMORY = re.compile(r"memory at the worst: .*")


def machine_independent(text):
    return MEMORY.sub("memory at the worst: {memory}", text)


def claims(text):
    """The claims of a token in place of it, without the times."""
    parts = text.strip().split(".")
    if len(parts) != 3 or not text.startswith("eyJ"):
        return text
    head, body = (json.loads(base64.urlsafe_b64decode(part + "==")) for part in parts[:2])
    if "iat" in body:
        body["lives"] = body["exp"] - body.pop("iat")
    body.pop("exp")
    return json.dumps([head, body])


def record(transcript, binary):
    for title, args, *rest in RUNS:
        transcript.section(title, {})
        Run(transcript, binary, args, *rest, shown=machine_independent)
    for number, text in enumerate(BAD, 1):
        transcript.section(f"bad configuration {number}", {})
        Run(transcript, binary, ["check-config", "--config", "a.toml"], [("a.toml", text)],
            shown=machine_independent)
    for number, settings in enumerate(VARIABLES, 1):
        transcript.section(f"bad variable {number}", {})
        Run(transcript, binary, ["check-config"], (), settings, shown=machine_independent)
    for args in (
        "--user 7",
        "--user 7 --channels news-* --channels b --rooms 42 --topics chat:* --ttl 90m --scope topics",
    ):
        transcript.section(f"token {args}", {})
        Run(transcript, binary, ["token", *args.split()], (), {"auth.jwt.secret": SECRET},
            shown=claims)
