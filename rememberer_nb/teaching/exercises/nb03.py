"""Checks for notebook 03."""

from __future__ import annotations

from typing import Any

import numpy as np

from rememberer_nb.analysis.similarities import auc
from rememberer_nb.teaching.exercises import is_close

# (f_g, f_o) of one record and of another, and the λ at which their totals are equal, if any.
_CROSSINGS = (
    (((1.0, 0.0), (0.0, 1.0)), 0.5),
    (((0.9, 0.1), (0.3, 0.3)), 0.25),
    (((0.6, 0.4), (0.2, 0.5)), 0.2),
    (((0.9, 0.9), (0.3, 0.3)), None),
    (((0.5, 0.2), (0.4, 0.1)), None),
    (((0.9, 0.8), (0.7, 0.7)), None),
)


def _crossing(answer: Any) -> str | None:
    if not callable(answer):
        return "a function of two pairs (f_g, f_o) that returns λ or None"
    for (one, other), wanted in _CROSSINGS:
        found = answer(one, other)
        if wanted is None and found is not None:
            return "one record can be ahead at every λ in [0, 1]: then the answer is None"
        if wanted is not None and (found is None or not is_close(found, wanted, 1e-9)):
            return "write both totals as straight lines in λ and set them equal"
    return None


def _auc(answer: Any) -> str | None:
    if not callable(answer):
        return "a function of two lists of scores that returns a number in [0, 1]"
    if not is_close(answer([2.0], [1.0]), 1.0):
        return "auc([2], [1]) is 1: the similar pair always scores higher"
    if not is_close(answer([1.0], [1.0]), 0.5):
        return "a tie counts half"
    rng = np.random.default_rng(0)
    for _ in range(5):
        high = (rng.integers(0, 6, size=9) / 5).tolist()
        low = (rng.integers(0, 6, size=7) / 5).tolist()
        if not is_close(answer(high, low), auc(high, low)):
            return "compare every similar score with every dissimilar one, and take the mean"
    return None


def _unknown_word(answer: Any) -> str | None:
    letter = str(answer).strip().lower()
    if letter == "b":
        return None
    if letter in ("a", "c"):
        return "try it: ask the memory for both queries and compare f_g"
    return "one of the letters a, b, c"


CHECKS = {"03.1": _crossing, "03.2": _auc, "03.3": _unknown_word}
