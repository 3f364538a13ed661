"""Recordings of calls: one JSON object a line, the first one about the file.

::

    {"format": "rememberer_nb recording", "version": 1, "settings": {...}}
    {"key": ..., "request": {...}, "reply": {...}, "usage": {...}, "latency_s": ..., "error": null}

`key` is a hash of the whole request: the LLM's settings, the messages, the reply's schema, the
call seed, and the channel if that is not "chat". A failed call has an `error` with its name and
message. Keys to endpoints and their addresses are in none of it. Scores are kept in lines of their
own kind (`scored`). A recording that is only read may be compressed with bzip2, which
takes a third less than gzip for so many keys and numbers.
"""

from __future__ import annotations

import bz2
import hashlib
import json
import math
import os
import stat
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rememberer_nb.elements import Prompt, Reply, TextScore
from rememberer_nb.errors import (
    DataError,
    LLMError,
    LLMRequestError,
    LLMResponseError,
    LLMTimeoutError,
    LLMUnavailableError,
)
from rememberer_nb.llms.endpoint.answers import MAX_TOKENS
from rememberer_nb.llms.replay.scored import Scored, scored_data

FORMAT = "rememberer_nb recording"
VERSION = 1
BZIP2 = b"BZh"
# Not on every system, and not needed on those without it.
_AT_ONCE = getattr(os, "O_NONBLOCK", 0)
_TOKENS = f"a whole number from 0 to {MAX_TOKENS:,}"
_ERRORS = {
    cls.name: cls for cls in (LLMError, LLMUnavailableError, LLMTimeoutError, LLMRequestError)
}


def request_of(settings: Mapping[str, Any], prompt: Prompt, seed: int) -> dict[str, Any]:
    """The whole request, as plain JSON values."""
    schema = None if prompt.reply_schema is None else dict(prompt.reply_schema)
    # Recordings of chats keep the keys that they had before there were other channels.
    channel = {} if prompt.channel == "chat" else {"channel": prompt.channel}
    return {
        "settings": dict(settings),
        "messages": [list(message) for message in prompt.messages],
        "reply_schema": schema,
        "seed": seed,
        **channel,
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
    """The calls and scores of a file, by key.

    `size` is how many bytes are whole lines; `registered` the hash of the settings that were
    written down before the recording was made, "" if there are none.
    """

    settings: dict[str, Any]
    calls: dict[str, Call] = field(default_factory=dict)
    scored: dict[str, Scored] = field(default_factory=dict)
    size: int = 0
    registered: str = ""


def header_line(settings: Mapping[str, Any], registered: str = "") -> str:
    """The first line of a recording."""
    head = {"format": FORMAT, "version": VERSION, "settings": dict(settings)}
    return _line(head | ({"registered": registered} if registered else {}))


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


def scored_line(key: str, value: Scored) -> str:
    """The line of a call that scored or wrote."""
    return _line({"key": key, **scored_data(value)})


def read_recording(path: Path) -> Recording:
    """Read a recording; of calls with the same key the last one counts.

    A last line that is cut off, as after a crash, is passed over.

    Raises
    ------
    DataError : no such file, or it is no recording; names file and line.
    """
    content = read_recorded_bytes(path)
    if content.startswith(BZIP2):
        content = _unpacked(content, path)
    whole, newline, _ = content.rpartition(b"\n")
    lines = whole.split(b"\n")
    head = _parse(lines[0], path, 1)
    if head.get("format") != FORMAT or not isinstance(head.get("settings"), dict):
        raise DataError(f"is no recording: the first line lacks {FORMAT!r}", path=path)
    if head.get("version") != VERSION:
        raise DataError(f"has version {head.get('version')!r}, not {VERSION}", path=path)
    recording = Recording(
        head["settings"],
        size=len(whole) + len(newline),
        registered=str(head.get("registered", "")),
    )
    for number, line in enumerate(lines[1:], start=2):
        entry = _Entry(_parse(line, path, number), path, number)
        key = entry.get("key", "a text", _is_text)
        if "request" in entry.data:
            recording.calls[key] = _call(entry)
        else:
            recording.scored[key] = _scored(entry)
    return recording


def same_llm(path: Path, settings: Mapping[str, Any]) -> Recording:
    """A recording that was made with these settings; `DataError` if it is another's."""
    recording = read_recording(path)
    check_settings(recording.settings, settings, path)
    return recording


def check_settings(recorded: Mapping[str, Any], settings: Mapping[str, Any], path: Path) -> None:
    """Raise `DataError` unless the file was recorded with these settings."""
    if recorded != settings:
        names = settings.keys() | recorded.keys()
        differing = sorted(n for n in names if settings.get(n) != recorded.get(n))
        raise DataError(
            f"was recorded with other settings ({', '.join(differing)}): take another file",
            path=path,
        )


def read_recorded_bytes(path: Path) -> bytes:
    """The content of a recording's file.

    Raises
    ------
    DataError : it cannot be read, or is something else than a file: a pipe would never end.
    """
    try:
        # A pipe that nobody writes to would keep us waiting here.
        with open(path, "rb", opener=lambda name, flags: os.open(name, flags | _AT_ONCE)) as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                raise DataError("cannot be read: expected a file, not a pipe", path=path)
            content = file.read()
    except OSError as error:
        raise DataError(f"cannot be read: {error.strerror}", path=path) from None
    except ValueError as error:
        raise DataError(f"cannot be read: {error}", path=path) from None
    return content


def _unpacked(content: bytes, path: Path) -> bytes:
    try:
        return bz2.decompress(content)
    except (OSError, ValueError) as error:
        raise DataError(f"is no whole bzip2 file: {error}", path=path) from None


@dataclass(frozen=True, slots=True)
class _Entry:
    """A line of a file, whose values are looked at before they are used."""

    data: dict[str, Any]
    path: Path
    number: int

    def get(self, place: str, expected: str, is_fine: Callable[[Any], bool]) -> Any:
        """The value at a place such as "usage.prompt_tokens"."""
        value: Any = self.data
        for name in place.split("."):
            if not isinstance(value, dict) or name not in value:
                raise self._wrong(place, f"lacks {place}: expected {expected}")
            value = value[name]
        if not is_fine(value):
            shown = repr(value)
            shown = shown if len(shown) <= 40 else shown[:37] + "..."
            raise self._wrong(place, f"expected {expected}, got {shown}")
        return value

    def _wrong(self, place: str, problem: str) -> DataError:
        return DataError(problem, path=self.path, field=f"line {self.number}: {place}")


def _call(entry: _Entry) -> Call:
    request = entry.get("request", "an object", _is_object)
    entry.get("request.messages", "a list of [role, text]", _is_messages)
    entry.get("request.seed", "a whole number", _is_whole)
    reply, error = None, None
    if entry.get("reply", "an object or null", _is_object_or_null) is not None:
        reply = Reply(
            text=entry.get("reply.text", "a text", _is_text),
            prompt_tokens=entry.get("usage.prompt_tokens", _TOKENS, _is_count),
            completion_tokens=entry.get("usage.completion_tokens", _TOKENS, _is_count),
            latency_s=entry.get("latency_s", "seconds, at least 0", _is_duration),
            model=entry.get("reply.model", "a text", _is_text),
        )
    if entry.get("error", "an object or null", _is_object_or_null) is not None:
        name = entry.get("error.name", "a text", _is_text)
        error = _error(name, entry.get("error.message", "a text", _is_text), reply)
    elif reply is None:
        entry.get("reply", "a reply, or an error", _is_object)
    return Call(request, reply, error)


def _scored(entry: _Entry) -> Scored:
    if "text" in entry.data:
        text = entry.get("text", "a text", _is_text)
        return Reply(text, completion_tokens=entry.get("tokens", _TOKENS, _is_count))
    scores = entry.get("scores", "a list of numbers", _is_numbers)
    tokens = entry.get("tokens", "as many whole numbers as scores", lambda v: _is_counts(v, scores))
    return tuple(TextScore(float(s), n) for s, n in zip(scores, tokens, strict=True))


def _is_numbers(value: Any) -> bool:
    return isinstance(value, list) and all(
        type(each) in (int, float) and math.isfinite(each) for each in value
    )


def _is_counts(value: Any, scores: list[Any]) -> bool:
    return isinstance(value, list) and len(value) == len(scores) and all(map(_is_count, value))


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _is_object(value: Any) -> bool:
    return isinstance(value, dict)


def _is_object_or_null(value: Any) -> bool:
    return value is None or isinstance(value, dict)


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_count(value: Any) -> bool:
    return _is_whole(value) and 0 <= value <= MAX_TOKENS


def _is_duration(value: Any) -> bool:
    return (_is_whole(value) or isinstance(value, float)) and 0 <= value < math.inf


def _is_messages(value: Any) -> bool:
    return isinstance(value, list) and all(
        isinstance(message, list) and len(message) == 2 and all(map(_is_text, message))
        for message in value
    )


def _error(name: str, message: str, reply: Reply | None) -> LLMError:
    if name in _ERRORS:
        return _ERRORS[name](message, reply=reply)
    return LLMResponseError(message, name=name, reply=reply)


def _parse(line: bytes, path: Path, number: int) -> dict[str, Any]:
    where = f"line {number}"
    try:
        data = json.loads(line.decode("utf-8"))
    except UnicodeDecodeError:
        raise DataError("is not UTF-8", path=path, field=where) from None
    except RecursionError:
        raise DataError("is nested too deep", path=path, field=where) from None
    except ValueError:
        data = None
    if not isinstance(data, dict):
        raise DataError("is not a JSON object", path=path, field=where)
    return data


def _line(data: dict[str, Any]) -> str:
    return json.dumps(data, sort_keys=False) + "\n"
