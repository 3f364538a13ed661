"""From the body of a 200 answer to a `Reply`, or a `LLMResponseError` that says what is wrong.

Read without the `openai` package's models: servers differ, and an answer with "choices": null is
to become a named error rather than an AttributeError.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from rememberer_nb.elements import Prompt, Reply
from rememberer_nb.errors import LLMResponseError
from rememberer_nb.llms.endpoint.secret import NO_KEY, Endpoint
from rememberer_nb.prompting.prompts import estimate_tokens

# Of a call: more than any model takes, and few enough to be added up.
MAX_TOKENS = 10**8
# In Python each takes twenty times the two bytes that it takes in a body.
_MAX_CONTAINERS = 100_000
_MAX_SHOWN = 16_384
_MAX_NAME = 200
_REASONING = ("reasoning_content", "reasoning")
_NOWHERE = Endpoint("http://localhost", NO_KEY)
_TYPES: dict[str, type | tuple[type, ...]] = {
    "string": str,
    "number": (int, float),
    "integer": int,
    "boolean": bool,
    "array": list,
}


def parse_body(body: bytes | str, endpoint: Endpoint) -> Any:
    """The JSON values of a body, without the endpoint's secrets in any text.

    They are hidden in the decoded texts: written with escapes, as JSON allows for any character, a
    key is not found in the body itself.

    Raises
    ------
    LLMResponseError : "not_json", or "too_large" for more lists and objects than any answer has.
    """
    text = body if isinstance(body, str) else body.decode("utf-8", "replace")
    if text.count("[") + text.count("{") > _MAX_CONTAINERS:
        raise LLMResponseError("the answer holds too many values", name="too_large")
    try:
        return endpoint.hide_all(json.loads(text))
    except ValueError:
        problem = "is not JSON"
    except RecursionError:
        problem = "is nested too deep"
    start = _start(endpoint.hide(text[:_MAX_SHOWN]))
    raise LLMResponseError(f"the answer {problem}: {start}", name="not_json")


def read_answer(
    body: bytes | str,
    prompt: Prompt,
    *,
    model: str,
    latency_s: float = 0.0,
    endpoint: Endpoint = _NOWHERE,
) -> Reply:
    """The reply in a completion, of a chat or of a text.

    Parameters
    ----------
    body : of the answer.
    prompt : what was asked; its estimate counts where the server sends no token counts.
    model : what was asked for; the name that the server gives goes before it.
    endpoint : whose secrets are hidden.

    Raises
    ------
    LLMResponseError
        By `name`; see there. Its `reply` holds the tokens that were spent, and the text as far as
        there is one.

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
    data = parse_body(body, endpoint)
    choice = _first(data)
    if choice is None:
        problem = f"the answer has no choices: {_start(json.dumps(data)[:_MAX_SHOWN])}"
        raise LLMResponseError(problem, name="empty_choices")
    is_text = prompt.channel == "completion"
    message = {"content": choice.get("text")} if is_text else choice.get("message")
    message = message if isinstance(message, dict) else {}
    # Joined from parts, a text may hold what none of its parts does.
    content = _content(message.get("content"))
    content = None if content is None else endpoint.hide(content)
    name = data.get("model")
    name = name[:_MAX_NAME] if isinstance(name, str) and name else model
    usage = _usage(data, prompt, content or "")
    reply = Reply(content or "", *usage.tokens, latency_s, name)
    _check(choice, message, content, reply)
    if usage.problem:
        raise LLMResponseError(usage.problem, name="wrong_usage", reply=reply)
    return reply


def _check(
    choice: dict[str, Any], message: dict[str, Any], content: str | None, reply: Reply
) -> None:
    reason = choice.get("finish_reason")
    refusal = message.get("refusal")
    if reason == "content_filter" or refusal:
        problem = f"the server withheld the reply: {_start(_text(refusal or 'content filter'))}"
        raise LLMResponseError(problem, name="content_filter", reply=reply)
    # A text that is continued may go on and on: what was wanted of it stands at its beginning.
    if reason == "length" and not choice.get("text"):
        problem = (
            f"the reply was cut off after {reply.completion_tokens} tokens: raise max_tokens; "
            f"it ends in {reply.text[-30:]!r}"
        )
        raise LLMResponseError(problem, name="truncated", reply=reply)
    if not content and any(message.get(field) for field in _REASONING):
        problem = "the answer has reasoning and no reply: raise max_tokens, or turn reasoning off"
        raise LLMResponseError(problem, name="only_reasoning", reply=reply)
    if content is None:
        problem = f"the answer has no text (finish_reason {_start(_text(reason))})"
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


@dataclass(frozen=True, slots=True)
class _Usage:
    """Tokens of prompt and reply, and what is wrong with the server's counts, if anything."""

    tokens: tuple[int, int]
    problem: str = ""


def _usage(data: dict[str, Any], prompt: Prompt, text: str) -> _Usage:
    usage = data.get("usage")
    usage = usage if isinstance(usage, dict) else {}
    counts = [usage.get(name) for name in ("prompt_tokens", "completion_tokens")]
    # A bool is a number to Python, and says as little as no count at all.
    counts = [n if isinstance(n, int) and not isinstance(n, bool) else None for n in counts]
    wrong = [n for n in counts if n is not None and not 0 <= n <= MAX_TOKENS]
    sent, received = (None if n in wrong else n for n in counts)
    tokens = (
        prompt.n_tokens if sent is None else sent,
        estimate_tokens(text) if received is None else received,
    )
    if not wrong:
        return _Usage(tokens)
    shown = ", ".join(f"{n:,}" if abs(n) < 10**15 else f"about 2^{n.bit_length()}" for n in wrong)
    return _Usage(tokens, f"the server counts {shown} tokens: expected 0 to {MAX_TOKENS:,}")


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _start(text: str) -> str:
    flat = " ".join(text.split())
    return repr(flat if len(flat) <= 80 else flat[:77] + "...")
