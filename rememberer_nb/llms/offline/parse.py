"""From the plain text of a prompt back to its parts; what cannot be parsed is ignored.

The template is that of `prompting.prompts`. Lines of a page start with a prefix of their own, so
nothing that a page says can pass for a heading.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from rememberer_nb.prompting.prompts import EXAMPLE_HEADING, NOT_TRIED, NOW_HEADING, PAGE_PREFIX

_BAR = PAGE_PREFIX.rstrip()
_VALUE = re.compile(rf" -> ({re.escape(NOT_TRIED)}|[-+]?\d+(?:\.\d+)?)(?=\s|$)")
_EXAMPLE = re.compile(rf"^{re.escape(EXAMPLE_HEADING)}[^\n]*\n", re.MULTILINE)
_ADVICE = re.compile(r"^(?:En|Dis)couraged:$", re.MULTILINE)
_NOW = re.compile(rf"^{re.escape(NOW_HEADING)}[^\n]*\n", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class AdviceLine:
    """One advised action; `value` is in the unit of the rewards, None if it was not tried."""

    action: str
    value: float | None
    is_encouraged: bool


@dataclass(frozen=True, slots=True)
class Section:
    """An exemplar, or the present situation."""

    task: str
    page: tuple[str, ...]
    advice: tuple[AdviceLine, ...] = ()
    last_actions: tuple[str, ...] = ()
    available_actions: tuple[str, ...] = ()


def split_prompt(text: str) -> tuple[tuple[str, ...], str]:
    """The texts of the exemplars, in the prompt's order, and that of the present situation.

    >>> split_prompt("Hello.\\n\\n## Example 1\\nTask: a\\n\\n## Now\\nTask: b\\n")
    (('Task: a',), 'Task: b\\n')
    """
    nows = list(_NOW.finditer(text))
    before, now = (text[: nows[-1].start()], text[nows[-1].end() :]) if nows else (text, "")
    return tuple(block.strip("\n") for block in _EXAMPLE.split(before)[1:]), now


def split_advice(block: str) -> tuple[str, str]:
    """Task and page of an exemplar, and its advice.

    >>> split_advice("Task: a\\nPage:\\n| b\\nEncouraged:\\n- c[d] -> 0.50")
    ('Task: a\\nPage:\\n| b\\n', 'Encouraged:\\n- c[d] -> 0.50')
    """
    # No line of a page begins without its bar.
    found = _ADVICE.search(block)
    return (block, "") if found is None else (block[: found.start()], block[found.start() :])


def parse_section(text: str) -> Section:
    """One section of the template.

    >>> parse_section("Task: a lamp\\nPage:\\n| [Search]\\nEncouraged:\\n- search[lamp] -> 0.50")
    ... # doctest: +NORMALIZE_WHITESPACE
    Section(task='a lamp', page=('[Search]',),
            advice=(AdviceLine(action='search[lamp]', value=0.5, is_encouraged=True),),
            last_actions=(), available_actions=())
    """
    lists: dict[str, list[str]] = {"Page": []}
    task, current = "", ""
    for line in text.split("\n"):
        if line.startswith(_BAR):
            if current == "Page":
                lists["Page"].append(line[len(_BAR) :].strip())
        elif line.startswith("- "):
            lists.setdefault(current, []).append(line[2:])
        elif line.startswith("Task:"):
            task = line[5:].strip()
        elif line.endswith(":"):
            current = line[:-1]
    return Section(
        task=task,
        page=tuple(lists["Page"]),
        advice=(*_advice(lists, "Encouraged"), *_advice(lists, "Discouraged")),
        last_actions=_actions(lists.get("Last actions", ())),
        available_actions=_actions(lists.get("Available actions", ())),
    )


def _actions(lines: Iterable[str]) -> tuple[str, ...]:
    # The template writes an empty list as one line that says "none".
    return tuple(line.strip() for line in lines if line.strip() not in ("", "none"))


def _advice(lists: dict[str, list[str]], title: str) -> list[AdviceLine]:
    lines = (parse_advice(line, title == "Encouraged") for line in lists.get(title, ()))
    return [line for line in lines if line is not None]


def parse_advice(line: str, is_encouraged: bool) -> AdviceLine | None:
    """A line "action -> value reason" or "action -> (not tried)"; None if it is neither.

    >>> parse_advice("click[buy now] -> 0.75 everything -> fits", True)
    AdviceLine(action='click[buy now]', value=0.75, is_encouraged=True)
    >>> parse_advice("click[buy now]", True) is None
    True
    """
    for found in _VALUE.finditer(line):
        action = line[: found.start()].strip()
        if action.endswith(("]", ")")) or action.isalpha():
            value = None if found[1] == NOT_TRIED else float(found[1])
            return AdviceLine(action, value, is_encouraged)
    return None
