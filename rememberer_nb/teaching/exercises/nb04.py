"""Checks for the exercises of notebook 04, prompt assembly."""

from __future__ import annotations

from typing import Any

import numpy as np

from rememberer_nb.config import ExemplarConfig
from rememberer_nb.elements import ActionValue, Advice, Record
from rememberer_nb.envs import get_profile
from rememberer_nb.errors import ReplyError
from rememberer_nb.prompting.exemplars import build_exemplar
from rememberer_nb.prompting.replies import parse_advice_reply
from rememberer_nb.teaching.exercises import is_close, is_real_number

# One case per branch of the rule; each with the hint for an answer that fails it.
_CASES: tuple[tuple[dict[str, float], str], ...] = (
    ({"a": 0.9, "b": 0.1}, "with values far apart, both sides are known"),
    ({"a": 0.2, "b": 0.9, "c": 0.6}, "the order in which the actions stand means nothing"),
    ({"a": 0.9, "b": 0.87}, "two values closer than the margin hardly differ"),
    ({"a": 0.4}, "one action cannot be on both sides"),
    ({"a": 0.0, "b": -0.2}, "which value is worth imitating: one that is at most 0?"),
    ({}, "a record may know no action at all"),
)


def _wanted(values: dict[str, float], margin: float) -> tuple[str | None, str | None]:
    """What `build_exemplar` chooses, synthetic advice aside."""
    record = Record(0, "g", "o", (), tuple(ActionValue(a, q, 1) for a, q in values.items()))
    config = ExemplarConfig(margin=margin, use_synthetic=False)
    exemplar = build_exemplar(record, get_profile("webshop"), np.random.default_rng(0), config)

    def first(advice: tuple[Advice, ...]) -> str | None:
        return advice[0].action if advice else None

    return first(exemplar.encouraged), first(exemplar.discouraged)


def choose(answer: Any) -> str | None:
    """04.1: a function (values, margin) -> (encouraged or None, discouraged or None)."""
    if not callable(answer):
        return "give the function itself: check('04.1', choose), without calling it"
    for values, hint in _CASES:
        given = answer(dict(values), 0.05)
        if not isinstance(given, tuple) or len(given) != 2:
            return f"return a pair, with None for a missing side; got {given!r}"
        if given != _wanted(values, 0.05):
            return f"not for {values} with margin 0.05: {hint}"
    wide = {"a": 0.9, "b": 0.6}
    if answer(dict(wide), 0.5) != _wanted(wide, 0.5):
        return "the margin is an argument: another margin, another choice"
    return None


def belief(answer: Any) -> str | None:
    """04.2: prior 0.5, c = 0.2; surprises 0.9 - 0.6 (counts 0.4) and 0.1 - 0.4 (counts 0.1)."""
    if not is_real_number(answer):
        return "a number is asked for"
    if is_close(answer, 0.5 + (0.4 * 0.3 - 0.1 * 0.3) / 0.5, 1e-3):
        return "the prior counts too, like a fifth of an observation"
    if is_close(answer, 0.5 + (0.4 * 0.4 - 0.1 * 0.4) / 0.7, 1e-3):
        return "the surprise is measured against the prior of the advised action, not of this one"
    if is_close(answer, 0.5, 1e-3):
        return "the surprises are opposite, but the two lines do not count alike"
    if is_close(answer, (0.4 * 0.3 - 0.1 * 0.3) / 0.7, 1e-3):
        return "that is how far the belief moves; from where?"
    wanted = 0.5 + (0.4 * 0.3 - 0.1 * 0.3) / (0.2 + 0.4 + 0.1)
    return None if is_close(answer, wanted, 1e-3) else "divide by the sum of all three weights"


def second_named(answer: Any) -> str | None:
    """04.3: a reply that names click[b01] first and is read as click[b02]."""
    if not isinstance(answer, str):
        return "a reply is a text"
    first, second = (answer.lower().find(f"click[b0{i}]") for i in (1, 2))
    if first < 0 or second < first:
        return "the reply should name click[b01], and click[b02] after it"
    available = ("click[b01]", "click[b02]", "click[next >]")
    try:
        parsed = parse_advice_reply(answer, available, get_profile("webshop"))
    except ReplyError as error:
        return f"no action is read from it: {error.reason}"
    if parsed.action != "click[b02]":
        return f"it is read as {parsed.action}: which of several encouraged actions is taken?"
    return None


CHECKS = {"04.1": choose, "04.2": belief, "04.3": second_named}
