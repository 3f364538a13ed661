"""Notebooks for more than one environment: cells of one of them alone are passed over elsewhere.

A cell whose first line is a comment like this one runs only where the notebook's environment is the
one that it names; otherwise the words after the colon are printed, once for the section::

    # webshop only: what a purchase is worth
"""

from __future__ import annotations

import re
from collections.abc import Sequence

_MARK = re.compile(r"#\s*(?P<env>\w+) only(?::\s*(?P<section>.*\S))?\s*$")


def only_in(env: str, lines: Sequence[str]) -> list[str]:
    """The lines of a cell to be run: its own, or those that say that it is passed over.

    >>> only_in("webshop", ["# webshop only: prices\\n", "buy()\\n"])
    ['# webshop only: prices\\n', 'buy()\\n']
    >>> only_in("wikihow", ["# webshop only: prices\\n", "buy()\\n"])
    ["print('passed over, about webshop only: prices')\\n"]
    >>> only_in("wikihow", ["# webshop only\\n", "buy()\\n"])
    []
    """
    found = _MARK.match(lines[0]) if lines else None
    if found is None or found["env"] == env:
        return list(lines)
    if found["section"] is None:
        return []
    text = f"passed over, about {found['env']} only: {found['section']}"
    return [f"print({text!r})\n"]


class _Transformer:
    """What IPython calls with the lines of each cell."""

    def __init__(self, env: str):
        self.env = env

    def __call__(self, lines: list[str]) -> list[str]:
        return only_in(self.env, lines)


def choose_cells(env: str) -> None:
    """From the next cell on, pass over the cells that name another environment than `env`.

    Call it again to change the environment. Outside of IPython it does nothing.

    >>> choose_cells("webshop")
    """
    from IPython import get_ipython

    shell = get_ipython()
    if shell is None:
        return
    steps = shell.input_transformers_cleanup
    steps[:] = [*(step for step in steps if not isinstance(step, _Transformer)), _Transformer(env)]
