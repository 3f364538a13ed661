"""The exercises of notebook 05: right answers pass, wrong ones get the hint that fits."""

import pytest

from rememberer_nb.teaching.exercises import check
from rememberer_nb.teaching.exercises.nb05 import CHECKS


def right_targets(rewards, values, gamma, n_step, is_terminated):
    n_steps = len(rewards)
    result = []
    for i in range(n_steps):
        stop = n_steps if n_step is None else min(i + n_step, n_steps)
        target = sum(gamma**k * r for k, r in enumerate(rewards[i:stop]))
        is_end = stop == n_steps and is_terminated
        result.append(target if is_end else target + gamma ** (stop - i) * values[stop])
    return result


def never_bootstraps_at_the_end(rewards, values, gamma, n_step, is_terminated):
    return right_targets(rewards, values, gamma, n_step, True)


def always_bootstraps(rewards, values, gamma, n_step, is_terminated):
    return right_targets(rewards, values, gamma, n_step, False)


def one_step(rewards, values, gamma, n_step, is_terminated):
    return right_targets(rewards, values, gamma, 1, is_terminated)


def does_not_discount_the_value(rewards, values, gamma, n_step, is_terminated):
    return [r + v for r, v in zip(rewards, [*values[1:-1], 0.0], strict=True)]


class TestFirstTarget:
    @pytest.mark.parametrize("right", [0.2, 0.1 + 0.125 * 0.8])
    def test_right(self, right, capsys):
        assert check("05.1", right)
        assert capsys.readouterr().out == "05.1: right\n"

    @pytest.mark.parametrize(
        ("wrong", "hint"),
        [
            (0.1, "o_3 has a value"),
            (0.3, "how many steps away"),
            (0.9, "how many steps away"),
            (0.1625, "first three rewards"),
            (1.0, "three rewards"),
            (None, "a number"),
        ],
    )
    def test_wrong(self, wrong, hint, capsys):
        assert not check("05.1", wrong)
        assert hint in capsys.readouterr().out


class TestTargets:
    def test_right(self):
        assert check("05.2", right_targets)

    @pytest.mark.parametrize(
        ("wrong", "hint"),
        [
            (never_bootstraps_at_the_end, "a step limit is not a true end"),
            (always_bootstraps, "n = 1"),
            (one_step, "what is worth o_T"),
            (does_not_discount_the_value, "n = 1"),
            (lambda *_: [0.0], "one target per transition"),
            ([0.0], "the function itself"),
        ],
    )
    def test_wrong(self, wrong, hint, capsys):
        assert not check("05.2", wrong)
        assert hint in capsys.readouterr().out


class TestTwoRates:
    @pytest.mark.parametrize("right", [(0.5, 0.375), [0.5, 0.375]])
    def test_right(self, right):
        assert check("05.3", right)

    @pytest.mark.parametrize(
        ("wrong", "hint"),
        [
            ((0.375, 0.5), "plain mean of its targets"),
            ((0.5, 0.5), "later targets count more"),
            ((0.5, 0.25), "three times"),
            (0.5, "two numbers"),
        ],
    )
    def test_wrong(self, wrong, hint, capsys):
        assert not check("05.3", wrong)
        assert hint in capsys.readouterr().out


def test_numbers():
    assert list(CHECKS) == ["05.1", "05.2", "05.3"]
