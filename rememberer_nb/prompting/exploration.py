"""Advice that is drawn rather than known: synthetic sides, and a bonus for what was tried less.

With `ExemplarConfig.exploration` c > 0 the encouraged action is the one with the highest
Q + c · bonus (`visit_bonus`); an action not tried at all may win, and is shown as such, unless
synthetic advice is off. Source of the bonus: UCB1 (Auer, Cesa-Bianchi and Fischer 2002, Machine
Learning 47).
"""

from __future__ import annotations

import math

import numpy as np

from rememberer_nb.config import ExemplarConfig
from rememberer_nb.elements import Advice, Record


def draw(
    actions: list[str], rng: np.random.Generator, config: ExemplarConfig
) -> tuple[Advice, ...]:
    """One of the actions as synthetic advice; none of none."""
    if not actions:
        return ()
    action = actions[int(rng.integers(len(actions)))]
    value = {"none": None, "zero": 0.0}.get(config.synthetic_value, 0.0)
    if config.synthetic_value == "random":
        value = float(rng.random())
    return (Advice(action, value, is_synthetic=True),)


def visit_bonus(n_visits: int, n_total: int) -> float:
    """sqrt(2 ln(1 + n_total) / (1 + n_visits)): UCB1's, counted so that 0 visits are finite.

    Parameters
    ----------
    n_visits : of the action.
    n_total : of all actions of the record.

    >>> round(visit_bonus(0, 4), 3), round(visit_bonus(4, 4), 3)
    (1.794, 0.802)
    """
    return math.sqrt(2 * math.log1p(n_total) / (1 + n_visits))


def explored(
    record: Record, untried: list[str], rng: np.random.Generator, config: ExemplarConfig
) -> tuple[Advice, ...]:
    """The action with the highest Q + c · bonus, if above 0; one never tried has Q = 0."""
    c, n_total = config.exploration, record.n_visits
    best = min(
        record.action_values,
        default=None,
        key=lambda v: (-v.q_value - c * visit_bonus(v.n_visits, n_total), -v.n_visits, v.action),
    )
    fresh = c * visit_bonus(0, n_total) if untried else 0.0
    known = 0.0 if best is None else best.q_value + c * visit_bonus(best.n_visits, n_total)
    if fresh > known:
        return draw(untried, rng, config)
    if best is None or known <= 0:
        return ()
    return (Advice(best.action, best.q_value, best.rationale),)
