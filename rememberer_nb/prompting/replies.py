"""An LLM's text to an action that can be taken, or a `ReplyError`.

Read leniently: JSON (anywhere in the text), one or several lines, numbering, bullets, quotes, a
missing value or reason. Lines below a heading that says "discouraged" are not taken as the choice.
Strict in one thing: the action must be available.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from rememberer_nb.envs.profile import Profile
from rememberer_nb.errors import ReplyError

_HEADING = re.compile(r"^[\s#*>-]*(encouraged|discouraged|avoid)\b[^\w\[]*", re.IGNORECASE)
_VALUE = re.compile(
    r"^\W*?(-?(?:\d+(?:\.\d+)?|\.\d+)(?:[eE][-+]?\d{1,3})?)(?!\w|\.\d)(.*)$", re.DOTALL
)
_MAX_JSON_STARTS = 50
# No reply that names its action is longer; a megabyte of mentions would take seconds to look up.
_MAX_READ = 20_000
_HALF = re.compile("[\ud800-\udfff]")
_WRAPPING = " \t\"'`*_.;,"


@dataclass(frozen=True, slots=True)
class ParsedReply:
    """What was read: an available action, the expected value (None: none given), the reason."""

    action: str
    value: float | None = None
    rationale: str = ""


def parse_reply(text: str, available_actions: Sequence[str], profile: Profile) -> ParsedReply:
    """Read the chosen action from a reply.

    Raises
    ------
    ReplyError
        When no available action can be read; its `reason` says whether there was no action at all
        or only unavailable ones.

    Examples
    --------
    >>> from rememberer_nb.envs.webshop.profile import WEBSHOP
    >>> parse_reply("1. `click[Buy Now]` -> 0.9 it all fits", ["click[buy now]"], WEBSHOP)
    ParsedReply(action='click[buy now]', value=0.9, rationale='it all fits')
    >>> parse_reply("I would wait.", ["click[buy now]"], WEBSHOP)
    Traceback (most recent call last):
    ...
    rememberer_nb.errors.ReplyError: no action in the reply: 'I would wait.'
    """
    unavailable: str | None = None
    whole, text = text, text[:_MAX_READ]
    for found in _json_objects(text):
        action = _text(found.get("action"))
        if match := profile.match(action, available_actions):
            return ParsedReply(match, _number(found.get("value")), _text(found.get("rationale")))
        unavailable = unavailable or action
    if unavailable:
        # Other actions that the text mentions (in the reason, say) were not chosen.
        raise ReplyError(f"{unavailable} is not available", text=whole)
    for line in _choice_lines(_whole(text)):
        for written in profile.action_pattern.finditer(line):
            match = profile.match(written.group(), available_actions)
            if match is not None:
                return _with_tail(match, line[written.end() :])
            unavailable = unavailable or written.group()
        match, end = _verbatim(line, available_actions, profile)
        if match is not None:
            return _with_tail(match, line[end:])
    if unavailable is not None:
        raise ReplyError(f"{unavailable} is not available", text=whole)
    raise ReplyError("no action in the reply", text=whole)


def _choice_lines(text: str) -> Iterator[str]:
    is_discouraged = False
    for line in text.splitlines():
        heading = _HEADING.match(line)
        if heading:
            is_discouraged = heading.group(1).lower() != "encouraged"
            line = line[heading.end() :]
        if line.strip() and not is_discouraged:
            yield line


def _verbatim(
    line: str, available_actions: Sequence[str], profile: Profile
) -> tuple[str | None, int]:
    """An available action written out in full, for labels that hold brackets themselves."""
    folded = line if profile.is_case_sensitive else line.lower()
    for action in sorted(available_actions, key=len, reverse=True):
        wanted = action if profile.is_case_sensitive else action.lower()
        if wanted in folded and not profile.is_template(action):
            return action, folded.index(wanted) + len(wanted)
    return None, 0


def _with_tail(action: str, tail: str) -> ParsedReply:
    # The dot of ".9" is part of the number.
    before = _WRAPPING.replace(".", "")
    rest = tail.lstrip(before).removeprefix("->").removeprefix("→").lstrip(before)
    rest = rest.rstrip(_WRAPPING)
    value = _VALUE.match(rest)
    if value is None:
        return ParsedReply(action, None, rest.strip(_WRAPPING + "-:→>").strip())
    reason = value.group(2).lstrip(")]").strip(_WRAPPING + "-:→>")
    return ParsedReply(action, _number(value.group(1)), reason)


def _json_objects(text: str) -> Iterator[dict[str, Any]]:
    decoder = json.JSONDecoder()
    start = text.find("{")
    for _ in range(_MAX_JSON_STARTS):
        if start < 0:
            return
        try:
            found, end = decoder.raw_decode(text, start)
        except (ValueError, RecursionError):
            end = start + 1
        else:
            if isinstance(found, dict):
                yield found
        start = text.find("{", end)


def _number(value: Any) -> float | None:
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None


def _text(value: Any) -> str:
    return " ".join(_whole(value).split()) if isinstance(value, str) else ""


def _whole(text: str) -> str:
    """JSON can escape half a character, which no file takes: it becomes a question mark."""
    return _HALF.sub("?", text)
