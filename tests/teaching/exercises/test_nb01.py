"""Exercises of notebook 01: right answers pass, wrong ones get their hint."""

from __future__ import annotations

import re

import pytest

from rememberer_nb.teaching.exercises.nb01 import CHECKS


def reward(attributes, options, is_affordable, n_attributes, n_options, r_type):
    return (attributes + options + is_affordable) / (n_attributes + n_options + 1) * r_type


def named(task, labels):
    return [x for x in labels if re.search(rf"\b{re.escape(x)}\b", task.lower())]


def test_the_right_formula_passes():
    assert CHECKS["01.1"](reward) is None


@pytest.mark.parametrize(
    "wrong",
    [
        lambda a, o, p, na, no, t: (a + o) / (na + no) * t,
        lambda a, o, p, na, no, t: (a + o + p) / (na + no + 1),
        lambda a, o, p, na, no, t: a / na * o / max(no, 1) * p * t,
        lambda *numbers: "one",
    ],
)
def test_a_wrong_formula_gets_a_hint(wrong):
    assert "r_type multiplies everything" in CHECKS["01.1"](wrong)
    assert "function" in CHECKS["01.1"](0.5)


def test_whole_words_of_the_task_pass():
    assert CHECKS["01.2"](named) is None


@pytest.mark.parametrize(
    ("wrong", "hint"),
    [
        (lambda task, labels: [x for x in labels if x in task.lower()], "part of a longer word"),
        (lambda task, labels: [x for x in labels if x in task], "capital letters"),
        (lambda task, labels: [], "is missing"),
        (lambda task, labels: ["click[red]"], "only labels"),
        (lambda task, labels: None, "a list of labels"),
        (["red"], "a function"),
    ],
)
def test_wrong_labels_get_a_hint(wrong, hint):
    assert hint in CHECKS["01.2"](wrong)


def ceiling_of(rewards, n):
    return sum(max(row[:n], default=0.0) for row in rewards) / len(rewards)


def test_the_best_of_the_first_hits_passes():
    assert CHECKS["01.3"](ceiling_of) is None


@pytest.mark.parametrize(
    ("wrong", "hint"),
    [
        (lambda rewards, n: sum(max(r) for r in rewards if r) / len(rewards), "n = 1"),
        (lambda rewards, n: sum(r[0] for r in rewards if r) / len(rewards), "n = 2"),
        (lambda rewards, n: sum(max(r[:n]) for r in rewards if r) / 2, "finds nothing"),
        (lambda rewards, n: None, "n = 1"),
        (0.5, "a function"),
    ],
)
def test_a_wrong_ceiling_gets_a_hint(wrong, hint):
    assert hint in CHECKS["01.3"](wrong)
