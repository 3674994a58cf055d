"""What the paths of workflows and rooms name, for schemathesis: it makes up names, and of nothing that is there.

Loaded by it as SCHEMATHESIS_HOOKS; QUADRILLE is where the gateway is, TOKEN the token, if one is needed.
"""

import functools
import itertools
import os

import requests
import schemathesis
from schemathesis.core.parameters import ParameterLocation
from schemathesis.transport.serialization import Binary

ROOT = os.environ["QUADRILLE"]
API = ROOT + "/api/v1/chat"
CHATS = API + "/workflows"
FILE = {"file": ("people.csv", "city,name\nOslo,Ann\n")}
WITHIN = requests.Session()
if token := os.environ.get("TOKEN"):
    WITHIN.headers["Authorization"] = f"Bearer {token}"
# Where nobody signs in; elsewhere the token says so.
USER = {"user_id": "7"}

CALLS = itertools.count()

# Requests that were meant to be as described.
GOOD = set()


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


def conversation():
    made = WITHIN.post(f"{ROOT}/conversations", params=USER, json={})
    return made.json()["conversation_id"]


@functools.cache
def the_conversation():
    return conversation()


@functools.cache
def the_file():
    form = {"conversation_id": the_conversation()}
    files = {"files": ("notes.txt", "0123456789")}
    made = WITHIN.post(f"{ROOT}/api/upload_file", params=USER, data=form, files=files)
    return made.json()["files"][0].removeprefix("/files/")


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


def enter_a_room(operation, case):
    """Somebody who is in a conversation asks, for what is in it."""
    if is_good(case, ParameterLocation.QUERY):
        case.query["user_id"] = "7"
    if case.path_parameters and is_good(case, ParameterLocation.PATH):
        inside = conversation() if operation == "remove_conversation" else the_conversation()
        named = {"id": inside, "key": the_file()}
        for name in case.path_parameters:
            case.path_parameters[name] = named[name]
    body = case.body if isinstance(case.body, dict) else {}
    if "conversation_id" in body and is_good(case, ParameterLocation.BODY):
        body["conversation_id"] = str(the_conversation())


@schemathesis.hook
def before_call(context, case, kwargs):
    if case.meta and case.meta.generation.mode.is_positive:
        GOOD.add(case.id)
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
    if operation == "restore_chat" and body and case.meta.generation.mode.is_positive:
        body["dump_file"] = Binary(archive()) if next(CALLS) % 2 else body["dump_file"]
    if "rooms" in case.operation.definition.raw["tags"] and next(CALLS) % 4:
        enter_a_room(operation, case)
    ours = any(part in path for part in ("{chat}", "{step}", "/downloads/"))
    if ours and is_good(case, ParameterLocation.PATH) and next(CALLS) % 4:
        named, claim = names(operation, path)
        for name in case.path_parameters:
            case.path_parameters[name] = named[name]
        if claim and "X-Claim" in case.headers and is_good(case, ParameterLocation.HEADER):
            case.headers["X-Claim"] = claim


@schemathesis.hook
def filter_failure(context, failure, asked, response):
    match type(failure).__name__:
        case "ServerError" if response.status_code == 500:
            # A run that failed, as clients of the original know it; the body says 422.
            return response.json().get("status_code") != 422
        case "AcceptedNegativeData":
            # A body with a file passes for a bad one as soon as something in it was replaced; and
            # whatever is called `files` in a form is one.
            is_file = asked.media_type == "multipart/form-data" and "files" in asked.body
            return asked.id not in GOOD and not is_file
    return True
