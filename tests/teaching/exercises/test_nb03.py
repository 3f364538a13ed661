"""Exercises of notebook 03: right answers pass, wrong ones get their hint."""

from __future__ import annotations

import pytest

from rememberer_nb.teaching.exercises.nb03 import CHECKS


def crossing(one, other):
    slope = (one[0] - one[1]) - (other[0] - other[1])
    if abs(slope) < 1e-12:
        return None
    weight = (other[1] - one[1]) / slope
    return weight if 0 <= weight <= 1 else None


def auc(high, low):
    wins = [(h > x) + (h == x) / 2 for h in high for x in low]
    return sum(wins) / len(wins)


def test_the_crossing_of_two_lines():
    assert CHECKS["03.1"](crossing) is None


@pytest.mark.parametrize(
    ("wrong", "hint"),
    [
        (0.5, "a function"),
        (lambda one, other: 0.5, "straight lines"),
        (lambda one, other: None, "straight lines"),
        (lambda one, other: crossing(other, one[::-1]), "straight lines"),
        (lambda one, other: crossing(one, other) or 0.0, "ahead at every"),
    ],
)
def test_a_wrong_crossing_gets_a_hint(wrong, hint):
    assert hint in CHECKS["03.1"](wrong)


def test_the_area_under_the_curve():
    assert CHECKS["03.2"](auc) is None


@pytest.mark.parametrize(
    ("wrong", "hint"),
    [
        (0.5, "a function"),
        (lambda high, low: auc(low, high), "auc([2], [1])"),
        (lambda high, low: sum(h > x for h in high for x in low) / len(high) / len(low), "tie"),
        (lambda high, low: (sum(high) >= sum(low)) - (sum(high) == sum(low)) / 2, "every similar"),
    ],
)
def test_a_wrong_area_gets_a_hint(wrong, hint):
    assert hint in CHECKS["03.2"](wrong)


def test_an_unknown_word_changes_nothing():
    assert CHECKS["03.3"]("b") is None
    assert CHECKS["03.3"](" B ") is None


@pytest.mark.parametrize(("answer", "hint"), [("a", "try it"), ("c", "try it"), (3, "letters")])
def test_a_wrong_letter_gets_a_hint(answer, hint):
    assert hint in CHECKS["03.3"](answer)
