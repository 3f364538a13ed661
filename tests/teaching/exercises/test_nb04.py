"""The exercises of notebook 04: right answers pass, wrong ones get the hint that fits."""

import pytest

from rememberer_nb.teaching.exercises import check
from rememberer_nb.teaching.exercises.nb04 import CHECKS


def right_choice(values, margin):
    if not values:
        return None, None
    best = max(values, key=values.get)
    encouraged = best if values[best] > 0 else None
    others = [action for action in values if action != encouraged]
    worst = min(others, key=values.get, default=None)
    if worst is None or (encouraged and values[best] - values[worst] < margin):
        return encouraged, None
    return encouraged, worst


def no_margin(values, margin):
    return right_choice(values, 0.0)


def fixed_margin(values, margin):
    return right_choice(values, 0.05)


def first_and_last(values, margin):
    names = list(values)
    return (names[0], names[-1]) if names else (None, None)


def always_encourages(values, margin):
    best = max(values, key=values.get, default=None)
    return best, right_choice(values, margin)[1]


class TestChoose:
    def test_right(self, capsys):
        assert check("04.1", right_choice)
        assert capsys.readouterr().out == "04.1: right\n"

    @pytest.mark.parametrize(
        ("wrong", "hint"),
        [
            (no_margin, "closer than the margin"),
            (fixed_margin, "another margin"),
            (first_and_last, "order"),
            (always_encourages, "at most 0"),
            (lambda values, margin: "a", "return a pair"),
            (("a", "b"), "the function itself"),
        ],
    )
    def test_wrong(self, wrong, hint, capsys):
        assert not check("04.1", wrong)
        assert hint in capsys.readouterr().out

    def test_the_record_is_not_shared_with_the_answer(self):
        def greedy(values, margin):
            result = right_choice(values, margin)
            values.clear()
            return result

        assert CHECKS["04.1"](greedy) is None


class TestBelief:
    @pytest.mark.parametrize("right", [0.5 + 0.09 / 0.7, 0.629, 0.6286])
    def test_right(self, right):
        assert check("04.2", right)

    @pytest.mark.parametrize(
        ("wrong", "hint"),
        [
            (0.68, "prior counts too"),
            (0.5 + 0.12 / 0.7, "of the advised action"),
            (0.5, "do not count alike"),
            (0.09 / 0.7, "from where"),
            (0.59, "sum of all three weights"),
            ("0.63", "number"),
            (True, "number"),
        ],
    )
    def test_wrong(self, wrong, hint, capsys):
        assert not check("04.2", wrong)
        assert hint in capsys.readouterr().out


class TestReply:
    @pytest.mark.parametrize(
        "right",
        [
            "\n- click[b01] -> 0.2\n- click[b02] -> 0.8 fits",
            "Discouraged:\n- click[b01] -> 0.1\nEncouraged:\n- click[b02] -> 0.8",
            'not click[b01], so {"action": "click[b02]", "value": 0.8, "rationale": ""}',
        ],
    )
    def test_right(self, right):
        assert check("04.3", right)

    @pytest.mark.parametrize(
        ("wrong", "hint"),
        [
            ("not click[b01] but click[b02]", "read as click[b01]"),
            ("click[b02] and then click[b01]", "after it"),
            ("click[b02]", "should name click[b01]"),
            ("avoid click[b01] click[b02]", "no action is read"),
            (3, "a text"),
        ],
    )
    def test_wrong(self, wrong, hint, capsys):
        assert not check("04.3", wrong)
        assert hint in capsys.readouterr().out


def test_numbers():
    assert list(CHECKS) == ["04.1", "04.2", "04.3"]
