"""Exercise of notebook 11: the right answer passes, wrong ones get their hint."""

from __future__ import annotations

import pytest

from rememberer_nb.teaching.exercises.nb11 import CHECKS


@pytest.mark.parametrize("answer", ["b", " B "])
def test_the_right_letter(answer):
    assert CHECKS["11.1"](answer) is None


@pytest.mark.parametrize(
    ("answer", "hint"), [("a", "other tasks"), ("c", "other seeds"), (0.5, "letters")]
)
def test_a_wrong_answer_gets_a_hint(answer, hint):
    assert hint in CHECKS["11.1"](answer)
