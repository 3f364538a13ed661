"""Exercises of notebook 12: right answers pass, wrong ones get their hint."""

from __future__ import annotations

import pytest

from rememberer_nb.teaching.exercises.nb12 import ACTIONS, CHECKS, preferred


def test_which_action_each_normalisation_prefers():
    assert ACTIONS["go back"] == (-6.0, 2, 8, -7.0)
    assert ACTIONS["Check the reference list"] == (-8.0, 4, 25, -16.0)
    # sum -6 > -8; token -3 < -2; character -0.75 < -0.32; empty -6 + 7 = 1 < -8 + 16 = 8.
    long = "Check the reference list"
    assert preferred() == {"sum": "go back", "token": long, "character": long, "empty": long}


@pytest.mark.parametrize(
    "answer", [{"token", "character", "empty"}, ["empty", "token", "character"]]
)
def test_the_normalisations_that_prefer_the_long_action(answer):
    assert CHECKS["12.1"](answer) is None


@pytest.mark.parametrize(
    ("answer", "hint"),
    [
        ("token", "a set of names"),
        (3, "a set of names"),
        ({"mean"}, "mean: the names are"),
        ({"sum", "token"}, "every further token costs"),
        ({"token", "empty"}, "'character'"),
        (set(), "'token'"),
    ],
)
def test_other_sets_get_a_hint(answer, hint):
    assert hint in CHECKS["12.1"](answer)


@pytest.mark.parametrize("answer", [2 / 3, 0.667, 0.67])
def test_the_right_share(answer):
    assert CHECKS["12b.1"](answer) is None


@pytest.mark.parametrize(
    ("answer", "hint"),
    [(0.5, "equal shares"), (0.8, "√4"), (0.3, "sum of both"), ("2/3", "a number")],
)
def test_a_wrong_share_gets_a_hint(answer, hint):
    assert hint in CHECKS["12b.1"](answer)


@pytest.mark.parametrize(("exercise", "letter"), [("12.2", "c"), ("12.2", " C "), ("12.3", "b")])
def test_the_right_letter(exercise, letter):
    assert CHECKS[exercise](letter) is None


@pytest.mark.parametrize(
    ("exercise", "answer", "hint"),
    [
        ("12.2", "a", "holds 0"),
        ("12.2", "b", "a loss"),
        ("12.3", "a", "found by"),
        ("12.3", "c", "another seed"),
        ("12.3", 15, "letters a, b, c"),
    ],
)
def test_a_wrong_letter_gets_a_hint(exercise, answer, hint):
    assert hint in CHECKS[exercise](answer)
