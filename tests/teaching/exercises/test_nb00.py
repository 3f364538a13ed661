"""Exercises of notebook 00: right answers pass, wrong ones get their hint."""

from __future__ import annotations

import pytest

from rememberer_nb.teaching.exercises.nb00 import CHECKS

ORDER = ["observe", "retrieve", "advise", "prompt", "reply", "act", "learn"]


def test_the_loop_in_order():
    assert CHECKS["00.1"](ORDER) is None
    assert CHECKS["00.1"](tuple(ORDER)) is None


@pytest.mark.parametrize(
    ("answer", "hint"),
    [
        ("observe", "a list"),
        (ORDER[:-1], "each of these once"),
        ([*ORDER, "act"], "each of these once"),
        (["retrieve", "observe", *ORDER[2:]], "has to see something"),
        ([*ORDER[:5], "learn", "act"], "update"),
        (["observe", "advise", "retrieve", *ORDER[3:]], "arrows"),
    ],
)
def test_a_wrong_order_gets_a_hint(answer, hint):
    assert hint in CHECKS["00.1"](answer)


@pytest.mark.parametrize("answer", [{"b", "c"}, ["c", "b"], {"B", "C"}])
def test_what_training_changes(answer):
    assert CHECKS["00.2"](answer) is None


@pytest.mark.parametrize(
    ("answer", "hint"),
    [
        ("b", "a set"),
        ({"x"}, "from a to d"),
        ({"a", "b", "c"}, "weights"),
        ({"b", "c", "d"}, "frozen"),
        ({"b"}, "compare"),
        (set(), "compare"),
    ],
)
def test_what_training_does_not_change_gets_a_hint(answer, hint):
    assert hint in CHECKS["00.2"](answer)
