"""Exercise of notebook 12: the right answer passes, wrong ones get their hint."""

from __future__ import annotations

import pytest

from rememberer_nb.teaching.exercises.nb12 import CHECKS


@pytest.mark.parametrize("answer", ["b", " B "])
def test_the_right_letter(answer):
    assert CHECKS["12.1"](answer) is None


@pytest.mark.parametrize(
    ("answer", "hint"), [("a", "found by"), ("c", "another seed"), (15, "letters")]
)
def test_a_wrong_answer_gets_a_hint(answer, hint):
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
