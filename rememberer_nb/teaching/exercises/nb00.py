"""Checks for notebook 00."""

from __future__ import annotations

from typing import Any

_ORDER = ("observe", "retrieve", "advise", "prompt", "reply", "act", "learn")


def _loop_order(answer: Any) -> str | None:
    if not isinstance(answer, list | tuple) or sorted(map(str, answer)) != sorted(_ORDER):
        return f"a list with each of these once: {', '.join(sorted(_ORDER))}"
    if tuple(answer) == _ORDER:
        return None
    if answer[0] != _ORDER[0]:
        return "before anything can be looked up, the agent has to see something"
    if answer[-1] != _ORDER[-1]:
        return "what is an update made of? It needs something that only the environment gives"
    return "records are retrieved first and written as advice then; follow the arrows of the figure"


def _what_changes(answer: Any) -> str | None:
    if not isinstance(answer, set | frozenset | list | tuple):
        return "a set of letters, {'a', 'b'} for instance"
    given = {str(letter).lower() for letter in answer}
    if not given <= set("abcd"):
        return "letters from a to d only"
    if "a" in given:
        return "the LLM's weights: look at the first sentence of the notebook again"
    if "d" in given:
        return "evaluation runs with the memory frozen"
    return None if given == {"b", "c"} else "compare the two memories: what is new, what differs?"


CHECKS = {"00.1": _loop_order, "00.2": _what_changes}
