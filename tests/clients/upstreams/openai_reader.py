"""Reads recorded answers with the official client of OpenAI, as its documents say.

python openai_reader.py BASE_URL NAME...: prints a line of JSON for each answer.
"""
import json
import sys

import openai

# The reasons that the reference has for a reply that is over.
ENDS = ("stop", "length", "tool_calls", "function_call", "content_filter")


def well_formed(text):
    """Halves of one character that came in two pieces are that character; one alone is U+FFFD."""
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def read(base, name):
    client = openai.OpenAI(base_url=f"{base}/{name}", api_key="none", max_retries=0, timeout=20)
    text, reason, tools, why = "", None, {}, None
    try:
        messages = [{"role": "user", "content": "Hi"}]
        for chunk in client.chat.completions.create(model="m", messages=messages, stream=True):
            for choice in getattr(chunk, "choices", None) or []:
                if choice.index not in (0, None):
                    continue
                reason = choice.finish_reason or reason
                delta = choice.delta
                if delta is None:
                    continue
                for piece in (delta.content, getattr(delta, "refusal", None)):
                    if isinstance(piece, str):
                        text += piece
                for call in delta.tool_calls or []:
                    tool = tools.setdefault(call.index, ["", ""])
                    tool[0] += call.function.name or ""
                    tool[1] += call.function.arguments or ""
    except Exception as error:
        why = type(error).__name__
    if why is None and reason not in ENDS:
        why = f"finish_reason {reason!r}"
    return {
        "name": name,
        "outcome": "failed" if why else "complete",
        "why": why,
        "text": well_formed(text),
        "tools": [[well_formed(str(part)) for part in tool] for tool in tools.values()],
    }


if __name__ == "__main__":
    for name in sys.argv[2:]:
        print(json.dumps(read(sys.argv[1], name)))
