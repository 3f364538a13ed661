"""Exercises of notebook 02: right answers pass, wrong ones get their hint."""

from __future__ import annotations

import pytest

from rememberer_nb.teaching.exercises.nb02 import CHECKS

EVICTED = {
    "oldest": "a red lamp",
    "least_visited": "walking boots",
    "redundancy": "a red lamp, please",
}


def running_mean(targets):
    q = 0.0
    for n, target in enumerate(targets, start=1):
        q += (target - q) / n
    return q, len(targets)


def n_contrasting(frame):
    q = frame.groupby("record_id")["q_value"]
    return int((q.max() - q.min() >= 0.05).sum())


def test_the_running_mean_passes():
    assert CHECKS["02.1"](running_mean) is None
    assert CHECKS["02.1"](lambda targets: (sum(targets) / len(targets), len(targets))) is None


@pytest.mark.parametrize(
    ("wrong", "hint"),
    [
        (0.5, "a function"),
        (lambda targets: 0.5, "two numbers"),
        (lambda targets: (0.5, 7), "one visit"),
        (lambda targets: (sum(targets) / (len(targets) + 1), len(targets)), "counts fully"),
        (lambda targets: (targets[-1], len(targets)), "counts fully"),
    ],
)
def test_a_wrong_mean_gets_a_hint(wrong, hint):
    assert hint in CHECKS["02.1"](wrong)


def test_records_with_contrast_are_counted():
    assert CHECKS["02.2"](n_contrasting) is None


@pytest.mark.parametrize(
    ("wrong", "hint"),
    [
        (lambda frame: frame["record_id"].nunique(), "group by record"),
        (lambda frame: (frame.groupby("record_id").size() > 1).sum(), "must differ"),
        (lambda frame: (frame.groupby("record_id")["q_value"].nunique() > 1).sum(), "margin"),
        (lambda frame: len(frame), "best and worst"),
        (lambda frame: frame, "a number"),
        (2, "a function"),
    ],
)
def test_a_wrong_count_gets_a_hint(wrong, hint):
    assert hint in CHECKS["02.2"](wrong)


def test_the_three_policies():
    assert CHECKS["02.3"](EVICTED) is None


@pytest.mark.parametrize("policy", EVICTED)
def test_a_wrong_eviction_names_the_policy_and_not_the_answer(policy):
    hint = CHECKS["02.3"](EVICTED | {policy: "green tea"})
    assert hint.startswith(policy)
    assert EVICTED[policy] not in hint


def test_an_incomplete_answer_gets_the_keys():
    assert "keys" in CHECKS["02.3"]({"oldest": "a red lamp"})
    assert "keys" in CHECKS["02.3"]("a red lamp")
