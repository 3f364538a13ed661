"""Checks for notebook 11."""

from __future__ import annotations

from typing import Any


def _base_rate(answer: Any) -> str | None:
    letter = str(answer).strip().lower()
    if letter == "b":
        return None
    if letter == "a":
        return "it is the mean score of other tasks: no word of the held-out ones goes into it"
    if letter == "c":
        return "draw the parts anew with other seeds and look on which side of one half it falls"
    return "one of the letters a, b, c"


CHECKS = {"11.1": _base_rate}
