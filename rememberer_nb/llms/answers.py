"""From the body of a 200 answer to a `Reply`, or a `LLMResponseError` that says what is wrong.

Read without the `openai` package's models: servers differ, and an answer with "choices": null is
to become a named error rather than an AttributeError.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from rememberer_nb.elements import Prompt, Reply
from rememberer_nb.errors import LLMResponseError
from rememberer_nb.prompts import estimate_tokens

_TYPES: dict[str, type | tuple[type, ...]] = {
    "string": str,
    "number": (int, float),
    "integer": int,
    "boolean": bool,
}


def read_answer(body: str, prompt: Prompt, *, model: str, latency_s: float = 0.0) -> Reply:
    """The reply in a chat completion.

    Parameters
    ----------
    body : of the answer, as text.
    prompt : what was asked; its estimate counts where the server sends no token counts.
    model : what was asked for; the name that the server gives goes before it.

    Raises
    ------
    LLMResponseError
        "not_json", "empty_choices", "null_content", "truncated" or "content_filter". Its `reply`
        holds the tokens that were spent, and the text as far as there is one.

    Examples
    --------
    >>> prompt = Prompt((("user", "hello"),), "hello", 2)
    >>> read_answer('{"choices": [{"message": {"content": "hi"}}]}', prompt, model="m").text
    'hi'
    >>> read_answer('{"choices": []}', prompt, model="m")
    Traceback (most recent call last):
    ...
    rememberer_nb.errors.LLMResponseError: the answer has no choices: '{"choices": []}'
    """
    try:
        data = json.loads(body)
    except (ValueError, RecursionError):
        raise LLMResponseError(f"the answer is not JSON: {_start(body)}", name="not_json") from None
    choice = _first(data)
    if choice is None:
        problem = f"the answer has no choices: {_start(body)}"
        raise LLMResponseError(problem, name="empty_choices")
    message = choice.get("message")
    content = _content(message.get("content")) if isinstance(message, dict) else None
    prompt_tokens, completion_tokens = _usage(data, prompt, content or "")
    name = data.get("model")
    reply = Reply(
        content or "",
        prompt_tokens,
        completion_tokens,
        latency_s,
        name if isinstance(name, str) and name else model,
    )
    _check(choice, message, content, reply)
    return reply


def _check(choice: dict[str, Any], message: Any, content: str | None, reply: Reply) -> None:
    reason = choice.get("finish_reason")
    refusal = message.get("refusal") if isinstance(message, dict) else None
    if reason == "content_filter" or refusal:
        problem = f"the server withheld the reply: {_start(refusal or 'content filter')}"
        raise LLMResponseError(problem, name="content_filter", reply=reply)
    if reason == "length":
        problem = (
            f"the reply was cut off after {reply.completion_tokens} tokens: raise max_tokens; "
            f"it ends in {reply.text[-30:]!r}"
        )
        raise LLMResponseError(problem, name="truncated", reply=reply)
    if content is None:
        problem = f"the answer has no text (finish_reason {reason!r})"
        raise LLMResponseError(problem, name="null_content", reply=reply)


def check_schema(reply: Reply, schema: Mapping[str, Any]) -> None:
    """Raise "wrong_schema" unless the reply is a JSON object with the required properties.

    Only the top level is looked at: required names, and the types of plain values.
    """
    try:
        found = json.loads(reply.text)
    except (ValueError, RecursionError):
        found = None
    problem = ""
    if not isinstance(found, dict):
        problem = "no JSON object"
    elif missing := [name for name in schema.get("required", ()) if name not in found]:
        problem = f"lacks {', '.join(missing)}"
    elif wrong := [name for name, value in found.items() if not _fits(value, name, schema)]:
        problem = f"wrong type of {', '.join(wrong)}"
    if problem:
        message = f"the reply does not fit the schema, {problem}: {_start(reply.text)}"
        raise LLMResponseError(message, name="wrong_schema", reply=reply)


def is_json_object(text: str) -> bool:
    """Whether a text is a JSON object and nothing else."""
    try:
        return isinstance(json.loads(text), dict)
    except (ValueError, RecursionError):
        return False


def _fits(value: Any, name: str, schema: Mapping[str, Any]) -> bool:
    wanted = _TYPES.get(schema.get("properties", {}).get(name, {}).get("type"))
    if wanted is None:
        return True
    return isinstance(value, wanted) and not (isinstance(value, bool) and wanted is not bool)


def _first(data: Any) -> dict[str, Any] | None:
    choices = data.get("choices") if isinstance(data, dict) else None
    first = choices[0] if isinstance(choices, list) and choices else None
    return first if isinstance(first, dict) else None


def _content(content: Any) -> str | None:
    if isinstance(content, list):
        # Some servers send a text in parts.
        parts = [part.get("text") for part in content if isinstance(part, dict)]
        return "".join(part for part in parts if isinstance(part, str)) if parts else None
    return content if isinstance(content, str) else None


def _usage(data: dict[str, Any], prompt: Prompt, text: str) -> tuple[int, int]:
    usage = data.get("usage")
    usage = usage if isinstance(usage, dict) else {}
    sent, received = usage.get("prompt_tokens"), usage.get("completion_tokens")
    return (
        sent if isinstance(sent, int) else prompt.n_tokens,
        received if isinstance(received, int) else estimate_tokens(text),
    )


def _start(text: str) -> str:
    flat = " ".join(text.split())
    return repr(flat if len(flat) <= 80 else flat[:77] + "...")
