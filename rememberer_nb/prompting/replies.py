"""An LLM's text to an action that can be taken, or a `ReplyError`.

`parse_advice_reply` reads two lists, encouraged and discouraged, as exemplars have them (the reply
form "advice"); `parse_reply` one line, or the first of several (the form "action"). Each makes do
with what the other expects. Read leniently: JSON (anywhere in the text), numbering, bullets,
quotes, a missing value or reason, a reply that stops half way. Strict in one thing: the action must
be available.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from rememberer_nb.elements import Advice
from rememberer_nb.envs.profile import Profile
from rememberer_nb.errors import ReplyError
from rememberer_nb.prompting.prompts import EXAMPLE_HEADING, NOT_TRIED, NOW_HEADING

_ENCOURAGED, _DISCOURAGED = "encouraged", "discouraged"
_HEADING = re.compile(r"^[\s#*>-]*(encouraged|discouraged|avoid)\b[^\w\[<]*", re.IGNORECASE)
# Where a reply that runs on invents the next example.
_NEXT = re.compile(rf"(?:{EXAMPLE_HEADING}|{NOW_HEADING}|Task:|Instruction:)")
_BULLET = re.compile(r"^[\s>*•#`\"'_-]*(?:\d{1,3}[.)]\s)?[\s*`\"'_]*")
_VALUE = re.compile(
    r"^\W*?(-?(?:\d+(?:\.\d+)?|\.\d+)(?:[eE][-+]?\d{1,3})?)(?!\w|\.\d)(.*)$", re.DOTALL
)
_ARROW = re.compile(r"\W{0,4}(?:->|→)")
_MAX_JSON_STARTS = 50
# No reply that names its action is longer; a megabyte of mentions would take seconds to look up.
_MAX_READ = 20_000
_HALF = re.compile("[\ud800-\udfff]")
_WRAPPING = " \t\"'`*_.;,"


@dataclass(frozen=True, slots=True)
class ParsedReply:
    """What was read: an available action, the expected value (None: none given), the reason.

    `encouraged` and `discouraged` are all that was advised of the available actions, if the reply
    was read as advice.
    """

    action: str
    value: float | None = None
    rationale: str = ""
    encouraged: tuple[Advice, ...] = ()
    discouraged: tuple[Advice, ...] = ()


def parse_reply(text: str, available_actions: Sequence[str], profile: Profile) -> ParsedReply:
    """Read the chosen action from a reply: the first one that is not discouraged.

    Raises
    ------
    ReplyError
        When no available action can be read; its `reason` says whether there was any action.

    Examples
    --------
    >>> from rememberer_nb.envs.webshop.profile import WEBSHOP
    >>> parse_reply("1. `click[Buy Now]` -> 0.9 it all fits", ["click[buy now]"], WEBSHOP).value
    0.9
    >>> parse_reply("I would wait.", ["click[buy now]"], WEBSHOP)
    Traceback (most recent call last):
    ...
    rememberer_nb.errors.ReplyError: no action in the reply: 'I would wait.'
    """
    unavailable = ""
    for side, found in _everything(text, _Reader(available_actions, profile, {})):
        if side == _DISCOURAGED:
            continue
        if found.advice is not None:
            return ParsedReply(found.advice.action, found.advice.value, found.advice.rationale)
        unavailable = unavailable or found.written
    raise _no_action(text, unavailable)


def parse_advice_reply(
    text: str,
    available_actions: Sequence[str],
    profile: Profile,
    words: Mapping[str, str] | None = None,
) -> ParsedReply:
    """Read encouraged and discouraged actions, and choose as the paper does.

    Chosen is the encouraged available action with the highest value: those without one come last,
    of equals the first counts. What comes before any heading is encouraged, since the prompt ends
    in "Encouraged:"; it is passed over if the heading comes later.

    Parameters
    ----------
    words : what else an action may be called (`Template.words`): words -> available action.

    Raises
    ------
    ReplyError : as `parse_reply`, and where actions are discouraged only.

    Examples
    --------
    >>> from rememberer_nb.envs.webshop.profile import WEBSHOP
    >>> text = "\\n- click[a] -> 0.2\\n- click[b] -> 0.7 it fits\\nDiscouraged:\\n- click[c] -> 0.1"
    >>> read = parse_advice_reply(text, ["click[a]", "click[b]", "click[c]"], WEBSHOP)
    >>> read.action, read.rationale, [advice.value for advice in read.discouraged]
    ('click[b]', 'it fits', [0.1])
    """
    said: dict[str, list[_Found]] = {_ENCOURAGED: [], "": [], _DISCOURAGED: []}
    for side, found in _everything(text, _Reader(available_actions, profile, words or {})):
        said[side].append(found)
    encouraged = _advice(said[_ENCOURAGED]) or _advice(said[""])
    discouraged = _advice(said[_DISCOURAGED])
    if not encouraged:
        wanted = [found.written for found in said[_ENCOURAGED] + said[""] if found.written]
        problem = "the reply encourages no action" if discouraged else "no action in the reply"
        raise _no_action(text, wanted[0] if wanted else "", problem)
    best = max(encouraged, key=lambda each: (each.value is not None, each.value or 0.0))
    return ParsedReply(best.action, best.value, best.rationale, encouraged, discouraged)


def _no_action(text: str, unavailable: str, problem: str = "no action in the reply") -> ReplyError:
    return ReplyError(f"{unavailable} is not available" if unavailable else problem, text=text)


class _Found(NamedTuple):
    """An available action, or else what was written; `is_listed`: its line begins with it."""

    advice: Advice | None
    written: str = ""
    is_listed: bool = True


def _advice(said: Sequence[_Found]) -> tuple[Advice, ...]:
    """Each action once; mentions within a line count only where no line begins with an action."""
    read = [(found.advice, found.is_listed) for found in said if found.advice is not None]
    listed = [advice for advice, is_listed in read if is_listed] or [advice for advice, _ in read]
    once: dict[str, Advice] = {}
    for advice in listed:
        once.setdefault(advice.action, advice)
    return tuple(once.values())


def _everything(text: str, reader: _Reader) -> Iterator[tuple[str, _Found]]:
    """All that is found, with the heading that it stands under, "" before any."""
    text = text[:_MAX_READ]
    has_json = False
    for found, start in _json_objects(text):
        for side, item in _json_items(found, text[:start]):
            has_json = True
            yield side, reader.item(item) if isinstance(item, dict) else reader.line(item)
    if not has_json:
        # Other actions that JSON mentions (in the reason, say) were not chosen.
        yield from _from_lines(_whole(text), reader)


def _from_lines(text: str, reader: _Reader) -> Iterator[tuple[str, _Found]]:
    side, has_begun = "", False
    for line in text.splitlines():
        if has_begun and _NEXT.match(line):
            return
        if heading := _HEADING.match(line):
            side = _ENCOURAGED if heading[1].lower() == _ENCOURAGED else _DISCOURAGED
            line = line[heading.end() :]
        found = reader.line(line)
        if found.advice or found.written:
            has_begun |= found.is_listed
            yield side, found


class _Reader:
    """Finds the available actions of a page in what a reply says."""

    def __init__(
        self, available_actions: Sequence[str], profile: Profile, words: Mapping[str, str]
    ):
        self.available = available_actions
        self.profile = profile
        self.is_exact = profile.is_case_sensitive and not words
        plain = {action: action for action in available_actions if not profile.is_template(action)}
        named = {said: action for said, action in words.items() if said != action}
        self.filled = {s: a for s, a in named.items() if profile.is_template(a)}
        called = {s: a for s, a in named.items() if s not in self.filled} | plain
        self.called = dict(sorted(called.items(), key=lambda each: -len(each[0])))
        self.starts = tuple(self._fold(said) for said in self.called)

    def item(self, found: dict[str, Any]) -> _Found:
        """An object with an action, a value and a rationale."""
        written = _text(found.get("action"))
        worded = self._worded(written) or (None,)
        action = self.profile.match(written, self.available) or worded[0]
        if action is None:
            return _Found(None, written)
        return _Found(Advice(action, _number(found.get("value")), _text(found.get("rationale"))))

    def line(self, line: str) -> _Found:
        """What a line begins with, or else the first available action that it mentions."""
        bare = line.strip()
        for begun in (bare, bare.removeprefix("- "), _BULLET.sub("", bare)):
            if worded := self._worded(begun):
                return _Found(_with_tail(*worded))
        unavailable = ""
        for written in self.profile.action_pattern.finditer(begun):
            match = self.profile.match(written.group(), self.available)
            tail, is_listed = begun[written.end() :], written.start() == 0
            if match is not None:
                return _Found(_with_tail(match, tail), is_listed=is_listed)
            if is_listed and _ARROW.match(tail):
                return _Found(None, written.group())
            unavailable = unavailable or written.group()
        for said, action in self.called.items():
            if (wanted := self._fold(said)) in (folded := self._fold(begun)) and said == action:
                tail = begun[folded.index(wanted) + len(wanted) :]
                return _Found(_with_tail(action, tail), is_listed=False)
        return _Found(None, unavailable, is_listed=False)

    def _worded(self, line: str) -> tuple[str, str] | None:
        """The action whose words a line begins with, the longest ones, and the rest of the line."""
        if self._fold(line).startswith(self.starts):
            for said, action in self.called.items():
                begins = self._fold(line[: len(said)]) == self._fold(said)
                if begins and not (said[-1:].isalnum() and line[len(said) :][:1].isalnum()):
                    return action, line[len(said) :]
        for said, action in self.filled.items():
            for placeholder in self.profile.placeholders:
                before, found, after = said.partition(placeholder)
                if found and before and self._fold(line).startswith(self._fold(before)):
                    text, _, tail = line[len(before) :].partition(after or "->")
                    filled = action.replace(placeholder, text.strip())
                    if match := self.profile.match(filled, self.available):
                        return match, tail
        return None

    def _fold(self, text: str) -> str:
        return text if self.is_exact else text.lower()


def _with_tail(action: str, tail: str) -> Advice:
    # The dot of ".9" is part of the number.
    before = _WRAPPING.replace(".", "")
    rest = tail.lstrip(before).removeprefix("->").removeprefix("→").lstrip(before)
    rest = rest.rstrip(_WRAPPING)
    value = None if rest.startswith(NOT_TRIED) else _VALUE.match(rest)
    if value is None:
        return Advice(action, None, rest.removeprefix(NOT_TRIED).strip(_WRAPPING + "-:→>").strip())
    reason = value.group(2).lstrip(")]").strip(_WRAPPING + "-:→>")
    return Advice(action, _number(value.group(1)), reason)


def _json_items(found: dict[str, Any], before: str) -> Iterator[tuple[str, Any]]:
    """The objects and lines of a JSON object that name actions, each with its side."""
    if _text(found.get("action")):
        # Of JSON that was cut off, each object is found by itself; its list's name stands before.
        places = {side: before.rfind(f'"{side}"') for side in (_ENCOURAGED, _DISCOURAGED)}
        last = max(places, key=lambda side: places[side])
        yield last if places[last] >= 0 else "", found
    for side in (_ENCOURAGED, _DISCOURAGED):
        items = found.get(side)
        for item in items if isinstance(items, list) else [items]:
            if isinstance(item, dict) and _text(item.get("action")):
                yield side, item
            elif isinstance(item, str) and item.strip():
                yield side, _text(item)


def _json_objects(text: str) -> Iterator[tuple[dict[str, Any], int]]:
    """The objects in a text, not those within others, and where each begins."""
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
                yield found, start
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
