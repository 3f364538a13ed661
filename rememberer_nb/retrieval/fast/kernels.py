"""Which kernels score: the compiled ones of the extra `fast` where they pay, else NumPy's."""

from __future__ import annotations

import functools
import importlib.util
import os
from types import ModuleType

from rememberer_nb.retrieval.fast import plain

SWITCH = "REMEMBERER_NB_FAST"
# So few rows are not worth the second or two that loading compiled code takes once.
MIN_ROWS = 256


@functools.cache
def has_compiled() -> bool:
    """Whether the extra `fast` is installed and `$REMEMBERER_NB_FAST` is not 0.

    >>> isinstance(has_compiled(), bool)
    True
    """
    return os.environ.get(SWITCH) != "0" and importlib.util.find_spec("numba") is not None


def kernels(n_rows: int) -> ModuleType:
    """The module whose functions score that many rows; the results are the same.

    >>> kernels(10).__name__
    'rememberer_nb.retrieval.fast.plain'
    """
    return plain if n_rows < MIN_ROWS or not has_compiled() else _compiled()


@functools.cache
def _compiled() -> ModuleType:
    from rememberer_nb.retrieval.fast import compiled

    return compiled
