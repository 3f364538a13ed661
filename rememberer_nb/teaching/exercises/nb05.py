"""Checks for the exercises of notebook 05, RLEM training."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from rememberer_nb.rlem import n_step_return, plan_targets
from rememberer_nb.teaching.exercises import is_close, is_real_number


class _Case(NamedTuple):
    """An episode: rewards r_0 .. r_{T-1}, values max_a Q at o_0 .. o_T, and how it is learnt."""

    rewards: tuple[float, ...]
    values: tuple[float, ...]
    gamma: float
    n_step: int | None
    is_terminated: bool
    hint: str


_CASES = (
    _Case((0.0, 0.0, 1.0), (0.1, 0.2, 0.3, 9.0), 0.5, 1, True, "n = 1: one reward, then a value"),
    _Case((0.0, 0.0, 1.0), (0.1, 0.2, 0.3, 9.0), 0.5, 2, True, "what is worth o_T at a true end?"),
    _Case((0.0, 0.0, 1.0), (0.1, 0.2, 0.3, 0.6), 0.5, 2, False, "a step limit is not a true end"),
    _Case((1.0, 2.0, 4.0), (9.0, 9.0, 9.0, 9.0), 0.5, None, True, "None: all remaining rewards"),
    _Case((1.0, 2.0), (9.0, 9.0, 0.8), 0.5, 5, False, "n may be longer than what is left"),
)


def first_target(answer: Any) -> str | None:
    """05.1: rewards 0, 0.2, 0, 0, 1, γ = 0.5, n = 3, max Q(o_3) = 0.8: the first target."""
    if not is_real_number(answer):
        return "a number is asked for"
    if is_close(answer, 0.1):
        return "that is the n-step return; o_3 has a value, too"
    if is_close(answer, 0.1 + 0.5**2 * 0.8) or is_close(answer, 0.9):
        return "how many steps away is o_3, and how often is its value discounted?"
    if is_close(answer, 0.1 + 0.5**4):
        return "only the first three rewards are summed; the value of o_3 stands for the rest"
    wanted = n_step_return([0.0, 0.2, 0.0], 0.5) + 0.5**3 * 0.8
    return None if is_close(answer, wanted) else "three rewards, each discounted, then the value"


def _wanted(case: _Case) -> list[float]:
    plan = plan_targets(len(case.rewards), case.n_step, bootstrap_last=not case.is_terminated)
    return [
        n_step_return(case.rewards[p.step : p.stop], case.gamma)
        + (case.gamma ** (p.stop - p.step) * case.values[p.stop] if p.is_bootstrapped else 0.0)
        for p in plan
    ]


def _agree(given: Any, wanted: Sequence[float]) -> bool:
    return all(is_close(number, w) for number, w in zip(given, wanted, strict=True))


def targets(answer: Any) -> str | None:
    """05.2: a function (rewards, values, gamma, n_step, is_terminated) -> list of targets."""
    if not callable(answer):
        return "give the function itself: check('05.2', targets), without calling it"
    for case in _CASES:
        given = answer(
            list(case.rewards), list(case.values), case.gamma, case.n_step, case.is_terminated
        )
        if not isinstance(given, list | tuple) or len(given) != len(case.rewards):
            return f"one target per transition is asked for, in a list; got {given!r}"
        if not _agree(given, _wanted(case)):
            return (
                f"not for rewards {case.rewards}, values {case.values}, γ = {case.gamma}, "
                f"n = {case.n_step}, terminated: {case.is_terminated}. Think: {case.hint}"
            )
    return None


def two_rates(answer: Any) -> str | None:
    """05.3: Q after targets 1, 0, 0.5 from 0, with α = 1/N and with α = 0.5."""
    if not isinstance(answer, list | tuple) or len(answer) != 2:
        return "two numbers are asked for: the running mean's, then the constant rate's"
    mean, constant = answer
    if not is_close(mean, 0.5):
        return "with α = 1/N the value is the plain mean of its targets"
    if is_close(constant, 0.5):
        return "a constant rate is no plain mean: later targets count more; go step by step from 0"
    return None if is_close(constant, 0.375) else "Q + α (target − Q), three times, from 0"


CHECKS = {"05.1": first_target, "05.2": targets, "05.3": two_rates}
