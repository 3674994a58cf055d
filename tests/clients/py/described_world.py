"""What the paths of workflows name, for schemathesis: it makes up names, and of nothing that is there.

Loaded by it as SCHEMATHESIS_HOOKS; QUADRILLE is where the gateway is, TOKEN the token, if one is needed.
"""

import functools
import itertools
import os

import requests
import schemathesis
from schemathesis.core.parameters import ParameterLocation

API = os.environ["QUADRILLE"] + "/api/v1/chat"
CHATS = API + "/workflows"
FILE = {"file": ("people.csv", "city,name\nOslo,Ann\n")}
WITHIN = requests.Session()
if token := os.environ.get("TOKEN"):
    WITHIN.headers["Authorization"] = f"Bearer {token}"

CALLS = itertools.count()


def ask(path, **body):
    answer = WITHIN.post(path, **body)
    answer.raise_for_status()
    return answer.json()["data"]


def chat():
    made = ask(CHATS)["chat_id"]
    ask(f"{CHATS}/{made}/upload", files=FILE)
    return made


def run(inside, operation="nobody/does-this"):
    steps = [{"operation": operation, "kind": "external"}]
    return ask(f"{CHATS}/{inside}/runs", json={"steps": steps})["job_id"]


def cancelled(inside):
    made = run(inside)
    ask(f"{CHATS}/{inside}/runs/{made}/cancel")
    return made


def step():
    run(chat(), "held/by-the-test")
    held = {"operation": "held/by-the-test", "lease_seconds": 3600, "wait": 10}
    return ask(f"{API}/work/claim", json=held)


@functools.cache
def the_chat():
    return chat()


@functools.cache
def the_run():
    return run(the_chat())


@functools.cache
def the_archive():
    return ask(f"{CHATS}/{the_chat()}/dump")["dump_file"]


def archive():
    """Of a chat that is gone."""
    gone = chat()
    made = ask(f"{CHATS}/{gone}/dump")["download_url"]
    answer = WITHIN.get(made)
    WITHIN.delete(f"{CHATS}/{gone}").raise_for_status()
    return answer.content


@functools.cache
def the_step():
    return step()


@functools.cache
def the_table():
    made = ask(API.replace("/chat", "/csv/convert-to-excel"), files=FILE)
    return made["download_url"].rsplit("/", 1)[1]


# What changes what it names gets a new one each time.
CHANGES = {"delete_chat", "delete_conversation", "execute", "create_run", "confirm"}


def names(operation, path):
    """What `path` is to name, and the claim of the step if it is one."""
    if "{step}" in path:
        held = step() if operation in {"step_result", "step_error"} else the_step()
        return {"step": held["step_id"]}, held["claim"]
    if path.endswith("/downloads/{file}"):
        return {"file": the_archive()}, None
    if path.endswith("/downloads/{name}"):
        return {"name": the_table()}, None
    inside = chat() if operation in CHANGES else the_chat()
    named = {"chat": inside, "name": "people.csv"}
    if "{run}" in path or "{job}" in path:
        fresh = {"cancel_run": run, "retry_run": cancelled}.get(operation)
        named["run"] = named["job"] = fresh(inside) if fresh else the_run()
    return named, None


def is_good(case, location):
    """Whether this part of the request was meant to be as described."""
    part = case.meta.components.get(location) if case.meta else None
    return part is None or part.mode.is_positive


@schemathesis.hook
def before_call(context, case, kwargs):
    operation = case.operation.definition.raw.get("operationId")
    path = case.operation.path
    body = case.body if isinstance(case.body, dict) else {}
    if operation == "claim_step" and isinstance(body.get("wait"), int | float):
        # Nobody else gives it a step.
        body["wait"] = min(body["wait"], 0)
    if operation == "execute":
        # Nobody else does one of its steps.
        steps = body.get("steps")
        for asked in steps if isinstance(steps, list) else []:
            if isinstance(asked, dict) and asked.get("kind") == "external":
                del asked["kind"]
    if operation == "restore_chat" and body and is_good(case, ParameterLocation.BODY):
        body["dump_file"] = archive() if next(CALLS) % 2 else body["dump_file"]
    ours = any(part in path for part in ("{chat}", "{step}", "/downloads/"))
    if ours and is_good(case, ParameterLocation.PATH) and next(CALLS) % 4:
        named, claim = names(operation, path)
        for name in case.path_parameters:
            case.path_parameters[name] = named[name]
        if claim and "X-Claim" in case.headers and is_good(case, ParameterLocation.HEADER):
            case.headers["X-Claim"] = claim


@schemathesis.hook
def filter_failure(context, failure, case, response):
    """A run that failed is told with 500, as clients of the original know it; its body says 422."""
    failed = response.status_code == 500 and response.json().get("status_code") == 422
    return not (failed and type(failure).__name__ == "ServerError")
