"""Checks for the notebooks' exercises: a right answer is confirmed, a wrong one gets a hint.

The checks of notebook NN are in the module ``nbNN``, which is loaded when one of them is asked
for. Each such module has a table ``CHECKS``: exercise number -> a function that takes the answer
and returns None if it is right, else a hint that does not give the answer away.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from typing import Any

from rememberer_nb.errors import ConfigError

Check = Callable[[Any], "str | None"]


def check(name: str, answer: Any) -> bool:
    """Print "right", or a hint; returns whether the answer is right.

    Parameters
    ----------
    name : the exercise, "03.1" for the first of notebook 03.
    answer : what the exercise asks for; `...` counts as not answered yet.

    Raises
    ------
    ConfigError
        There is no such exercise.

    Examples
    --------
    >>> check("03.1", ...)
    03.1: no answer yet: put yours in place of the dots
    False
    """
    checker = _find(name)
    hint = "no answer yet: put yours in place of the dots" if answer is ... else checker(answer)
    print(f"{name}: {hint or 'right'}")
    return hint is None


def _find(name: str) -> Check:
    module = f"{__name__}.nb{name[:2]}"
    try:
        checks: dict[str, Check] = importlib.import_module(module).CHECKS
    except ModuleNotFoundError as error:
        if error.name != module:
            raise
        raise ConfigError(f"no exercises for notebook {name[:2]!r}") from None
    if name not in checks:
        raise ConfigError(f"no exercise {name!r}; notebook {name[:2]} has {', '.join(checks)}")
    return checks[name]


def one_letter(right: str, hints: Mapping[str, str]) -> Check:
    """A check that takes one letter; each wrong one has its hint.

    >>> one_letter("b", {"a": "look again"})("a")
    'look again'
    """

    def look_at(answer: Any) -> str | None:
        letter = str(answer).strip().lower()
        if letter == right:
            return None
        return hints.get(letter, f"one of the letters {', '.join(sorted([right, *hints]))}")

    return look_at


def is_real_number(answer: Any) -> bool:
    """Whether an answer is a number that can be compared (a numpy one too, a flag not).

    >>> is_real_number(0.5), is_real_number("0.5"), is_real_number(True)
    (True, False, False)
    """
    return hasattr(answer, "__float__") and not isinstance(answer, bool)


def is_close(answer: Any, wanted: float, tolerance: float = 1e-6) -> bool:
    """Whether an answer is a number within `tolerance` of the wanted one.

    >>> is_close(0.3333333, 1 / 3), is_close("a third", 1 / 3)
    (True, False)
    """
    return is_real_number(answer) and abs(float(answer) - wanted) <= tolerance
