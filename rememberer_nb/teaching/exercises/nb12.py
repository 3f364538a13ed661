"""Checks for notebooks 12, a real LLM, and 12b, one by hand."""

from __future__ import annotations

from typing import Any

from rememberer_nb.teaching.exercises import is_close, is_real_number, one_letter

NORMALISATIONS = ("sum", "token", "character", "empty")
# ln P after the prompt, tokens, characters, ln P after the empty prompt.
ACTIONS = {"go back": (-6.0, 2, 8, -7.0), "Check the reference list": (-8.0, 4, 25, -16.0)}


def preferred() -> dict[str, str]:
    """Normalisation -> the action of the higher score.

    >>> preferred()["sum"]
    'go back'
    """
    scores = {
        words: (total, total / n_tokens, total / n_characters, total - after_nothing)
        for words, (total, n_tokens, n_characters, after_nothing) in ACTIONS.items()
    }
    return {
        name: max(scores, key=lambda words, i=i: scores[words][i])
        for i, name in enumerate(NORMALISATIONS)
    }


def long_words(answer: Any) -> str | None:
    """12.1: the normalisations under which the long action is preferred."""
    if isinstance(answer, str) or not hasattr(answer, "__iter__"):
        return f"a set of names is asked for, out of {', '.join(NORMALISATIONS)}"
    given, wanted = set(answer), {n for n, words in preferred().items() if words != "go back"}
    if unknown := given - set(NORMALISATIONS):
        return f"{', '.join(map(str, unknown))}: the names are {', '.join(NORMALISATIONS)}"
    if "sum" in given:
        return "with the plain sum every further token costs: compare -6 and -8"
    if missing := [name for name in NORMALISATIONS if name in wanted - given]:
        return f"work out both scores for {missing[0]!r}: the higher one is the less negative one"
    return None


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


CHECKS = {
    "12.1": long_words,
    "12.2": one_letter(
        "c",
        {
            "a": "the interval holds 0, and it holds gains that would matter, too",
            "b": "the mean is one number out of the interval; a loss lies in it as well",
        },
    ),
    "12.3": one_letter(
        "b",
        {
            "a": "a reply to another request answers nothing here; what is a call found by?",
            "c": "a replay knows neither server nor key; look at what another seed did above",
        },
    ),
    "12b.1": _shares,
}
