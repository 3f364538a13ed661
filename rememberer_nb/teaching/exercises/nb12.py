"""Checks for notebooks 12 and 12b."""

from __future__ import annotations

from typing import Any

from rememberer_nb.teaching.exercises import is_close, is_real_number


def _more_steps(answer: Any) -> str | None:
    letter = str(answer).strip().lower()
    if letter == "b":
        return None
    if letter == "a":
        return "a reply to another request answers nothing here; what is a recorded call found by?"
    if letter == "c":
        return "a replay knows neither server nor key; look at what another seed did above"
    return "one of the letters a, b, c"


def _shares(answer: Any) -> str | None:
    if not is_real_number(answer):
        return "a number"
    if is_close(answer, 2 / 3, 0.005):
        return None
    if is_close(answer, 0.5, 0.005):
        return "equal shares would need equal scores; by how much do these differ, after the root?"
    if is_close(answer, 4 / 5, 0.005):
        return "the products are divided by √e before they become shares; what is √4?"
    return "exp(score) of one, divided by the sum of both; what are the scores?"


CHECKS = {"12.1": _more_steps, "12b.1": _shares}
