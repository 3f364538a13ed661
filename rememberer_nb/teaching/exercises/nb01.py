"""Checks for notebook 01."""

from __future__ import annotations

from typing import Any

from rememberer_nb.teaching.exercises import is_close

# Matched attributes, matched options, whether the price fits, wanted attributes, wanted options,
# r_type; and the reward, worked out by hand.
_PURCHASES = (
    ((2, 1, True, 2, 1, 1.0), 1.0),
    ((1, 0, True, 2, 1, 1.0), 0.5),
    ((2, 2, False, 2, 2, 1.0), 0.8),
    ((1, 0, True, 1, 0, 0.5), 0.5),
    ((3, 2, True, 3, 2, 0.0), 0.0),
    ((1, 1, True, 3, 1, 0.1), 0.06),
)
# A task, the labels on an item page, and those that the task names.
_PAGES = (
    ("a red mug", ("red", "blue"), {"red"}),
    ("A RED mug, 12 ounce", ("12 ounce", "red", "24 ounce"), {"12 ounce", "red"}),
    ("anything nice", ("red", "blue"), set()),
    ("leggings in size small", ("small", "x-large", "large"), {"small"}),
    ("a cable of 15 feet", ("5 feet", "15 feet"), {"15 feet"}),
    ("a covered dish", ("red", "covered"), {"covered"}),
)


def _reward(answer: Any) -> str | None:
    if not callable(answer):
        return "a function of the six numbers, in the order of the exercise"
    for arguments, wanted in _PURCHASES:
        if not is_close(answer(*arguments), wanted, 1e-9):
            n_attributes, n_options, _, w_attributes, w_options, r_type = arguments
            return (
                f"not yet for {n_attributes} of {w_attributes} attributes, {n_options} of "
                f"{w_options} options and r_type {r_type}: the price counts like one attribute, "
                "and r_type multiplies everything"
            )
    return None


def _named_options(answer: Any) -> str | None:
    if not callable(answer):
        return "a function of a task and labels that returns labels"
    for task, labels, wanted in _PAGES:
        found = answer(task, labels)
        if not isinstance(found, list | tuple | set):
            return f"a list of labels is expected, not {found!r}"
        if set(found) - set(labels):
            return "only labels that the page offers"
        if set(found) != wanted:
            return _named_hint(task, set(found), wanted)
    return None


def _named_hint(task: str, found: set[str], wanted: set[str]) -> str:
    if wanted - found:
        return f"a label that {task!r} names is missing (capital letters should not matter)"
    return (
        f"for {task!r} a label is too much: it is part of a longer word; "
        r"`re.search` with \b on both sides looks for whole words"
    )


# Rewards of the hits of three searches (the last finds nothing), n, and the mean of the best.
_HITS = [[0.2, 0.8, 1.0], [0.5, 0.25], []]
_CEILINGS = ((1, 0.7 / 3), (2, 1.3 / 3), (3, 0.5), (50, 0.5))


def _ceiling(answer: Any) -> str | None:
    if not callable(answer):
        return "a function of a list of lists and a number of hits"
    for n, wanted in _CEILINGS:
        found = answer([list(rewards) for rewards in _HITS], n)
        if is_close(found, sum(max(r[:n]) for r in _HITS if r) / 2, 1e-9):
            return "a task whose search finds nothing counts, too: it earns 0"
        if not is_close(found, wanted, 1e-9):
            return f"not yet for n = {n}: the largest of the first n in each list, then the mean"
    return None


CHECKS = {"01.1": _reward, "01.2": _named_options, "01.3": _ceiling}
