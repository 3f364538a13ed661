"""Recordings of calls: one JSON object a line, the first one about the file.

::

    {"format": "rememberer_nb recording", "version": 1, "settings": {...}}
    {"key": ..., "request": {...}, "reply": {...}, "usage": {...}, "latency_s": ..., "error": null}

`key` is a hash of the whole request: the LLM's settings, the messages, the reply's schema and the
call seed. A failed call has an `error` with its name and message. Keys to endpoints and their
addresses are in none of it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rememberer_nb.elements import Prompt, Reply
from rememberer_nb.errors import (
    DataError,
    LLMError,
    LLMRequestError,
    LLMResponseError,
    LLMTimeoutError,
    LLMUnavailableError,
)

FORMAT = "rememberer_nb recording"
VERSION = 1
_ERRORS = {
    cls.name: cls for cls in (LLMError, LLMUnavailableError, LLMTimeoutError, LLMRequestError)
}


def request_of(settings: Mapping[str, Any], prompt: Prompt, seed: int) -> dict[str, Any]:
    """The whole request, as plain JSON values."""
    schema = None if prompt.reply_schema is None else dict(prompt.reply_schema)
    return {
        "settings": dict(settings),
        "messages": [list(message) for message in prompt.messages],
        "reply_schema": schema,
        "seed": seed,
    }


def key_of(request: Mapping[str, Any]) -> str:
    """The hash of a request, 64 hexadecimal digits; the order of names does not matter.

    >>> key_of({"seed": 1, "messages": []}) == key_of({"messages": [], "seed": 1})
    True
    """
    return hashlib.sha256(json.dumps(request, sort_keys=True).encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Call:
    """A stored call: its request, and the reply or the error that it ended in."""

    request: Mapping[str, Any]
    reply: Reply | None
    error: LLMError | None = None

    def outcome(self) -> Reply:
        """The reply; raises the error if there was one."""
        if self.error is not None:
            # A fresh one each time: a raised exception gathers tracebacks.
            raise _error(self.error.name, str(self.error), self.reply)
        if self.reply is None:
            raise LLMError("the recorded call has neither reply nor error")
        return self.reply


@dataclass(slots=True)
class Recording:
    """The calls of a file, by key; `size` is how many bytes of it are whole lines."""

    settings: dict[str, Any]
    calls: dict[str, Call] = field(default_factory=dict)
    size: int = 0


def header_line(settings: Mapping[str, Any]) -> str:
    """The first line of a recording."""
    return _line({"format": FORMAT, "version": VERSION, "settings": dict(settings)})


def call_line(key: str, call: Call) -> str:
    """The line of a call."""
    reply = call.reply
    data: dict[str, Any] = {"key": key, "request": dict(call.request), "reply": None}
    if reply is not None:
        usage = {
            "prompt_tokens": reply.prompt_tokens,
            "completion_tokens": reply.completion_tokens,
        }
        data |= {
            "reply": {"text": reply.text, "model": reply.model},
            "usage": usage,
            "latency_s": reply.latency_s,
        }
    error = call.error
    data["error"] = None if error is None else {"name": error.name, "message": str(error)}
    return _line(data)


def read_recording(path: Path) -> Recording:
    """Read a recording; of calls with the same key the last one counts.

    A last line that is cut off, as after a crash, is passed over.

    Raises
    ------
    DataError : no such file, or it is no recording; names file and line.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise DataError(f"cannot be read: {error.strerror}", path=path) from error
    whole, newline, _ = content.rpartition(b"\n")
    lines = whole.split(b"\n")
    head = _parse(lines[0], path, 1)
    if head.get("format") != FORMAT or not isinstance(head.get("settings"), dict):
        raise DataError(f"is no recording: the first line lacks {FORMAT!r}", path=path)
    if head.get("version") != VERSION:
        raise DataError(f"has version {head.get('version')!r}, not {VERSION}", path=path)
    recording = Recording(head["settings"], size=len(whole) + len(newline))
    for number, line in enumerate(lines[1:], start=2):
        data = _parse(line, path, number)
        try:
            recording.calls[data["key"]] = _call(data)
        except (KeyError, TypeError) as error:
            raise DataError(f"is no call: {error!r}", path=path, field=f"line {number}") from error
    return recording


def _call(data: dict[str, Any]) -> Call:
    reply, error = None, None
    if data["reply"] is not None:
        reply = Reply(
            text=data["reply"]["text"],
            prompt_tokens=data["usage"]["prompt_tokens"],
            completion_tokens=data["usage"]["completion_tokens"],
            latency_s=data["latency_s"],
            model=data["reply"]["model"],
        )
    if data["error"] is not None:
        error = _error(data["error"]["name"], data["error"]["message"], reply)
    return Call(data["request"], reply, error)


def _error(name: str, message: str, reply: Reply | None) -> LLMError:
    if name in _ERRORS:
        return _ERRORS[name](message, reply=reply)
    return LLMResponseError(message, name=name, reply=reply)


def _parse(line: bytes, path: Path, number: int) -> dict[str, Any]:
    try:
        data = json.loads(line)
    except ValueError:
        data = None
    if not isinstance(data, dict):
        raise DataError("is not a JSON object", path=path, field=f"line {number}")
    return data


def _line(data: dict[str, Any]) -> str:
    return json.dumps(data, sort_keys=False) + "\n"
