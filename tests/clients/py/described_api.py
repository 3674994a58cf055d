"""Checks the description of the API, and the doors against it.

    described_api.py URL EXAMPLES [TOKEN]

Prints `valid`, then what schemathesis prints, and ends with 0 if every door does as described.
"""

import json
import os
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import urlopen

from openapi_spec_validator import validate

CHECKS = [
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
    "unsupported_method",
    "allow_header_conformance",
]

# Only with a token, or where none is needed: who is not let in is not told what else is wrong.
INSIDE = ["negative_data_rejection", "positive_data_acceptance", "missing_required_header"]


def main(websocket, examples, token=None):
    gateway = f"http://{urlsplit(websocket).netloc}"
    description = f"{gateway}/openapi.json"
    with urlopen(description) as answer:
        validate(json.load(answer))
    print("valid", flush=True)
    inside = token != "none"
    here = Path(__file__).parent
    command = [
        str(Path(sys.executable).with_name("st")),
        f"--config-file={here / 'schemathesis.toml'}",
        "run",
        description,
        # A stream does not end, and so is no answer to this tool.
        "--exclude-path=/events",
        # No door has a link to another, so there are no states to go through.
        "--phases=examples,coverage,fuzzing",
        f"--max-examples={examples}",
        "--seed=1",
        "--generation-database=none",
        "--request-timeout=20",
        # Hardly anything that is sent is no text.
        "--suppress-health-check=filter_too_much",
        "--no-color",
        f"--checks={','.join(CHECKS + INSIDE * inside)}",
    ]
    if inside and token:
        command.append(f"--header=Authorization: Bearer {token}")
    world = {"QUADRILLE": gateway, "PYTHONPATH": str(here)}
    if inside:
        world |= {"SCHEMATHESIS_HOOKS": "described_world", "TOKEN": token or ""}
    return subprocess.run(command, env=os.environ | world).returncode


sys.exit(main(*sys.argv[1:]))
