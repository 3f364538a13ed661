"""The similarity protocol, and the registry of similarities by name.

A similarity holds texts in numbered slots, encodes each once when it is put there, and scores a
query against all slots at once. Two of them make an index (see `index`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from rememberer_nb.errors import ConfigError


@dataclass(frozen=True, slots=True)
class Term:
    """One summand of a score: `product` = `query_weight` · `record_weight`."""

    term: str
    query_weight: float
    record_weight: float
    product: float


class Similarity(Protocol):
    """Scores a query text against texts in slots.

    `reads` says which text of a record is compared when the similarity serves as f_o:
    "observation", or "both" for the task and the observation joined by a space. f_g always reads
    the task.
    """

    name: str
    reads: str

    def put(self, slot: int, text: str) -> None:
        """Encode a text into a slot, which must be empty."""
        ...

    def remove(self, slot: int) -> None:
        """Empty a slot."""
        ...

    def scores(self, query: str) -> np.ndarray:
        """Similarity of the query to each slot, ndarray of shape (n_slots,), in [0, 1]."""
        ...

    def explain(self, query: str, slot: int) -> tuple[Term, ...]:
        """The summands of one score, largest first; they add up to it."""
        ...

    def refresh(self) -> None:
        """Bring corpus statistics up to date, where there are any."""
        ...

    def state(self) -> bytes:
        """Corpus statistics as they stand, for `restore` after the same texts were put back."""
        ...

    def restore(self, state: bytes) -> None:
        """Take corpus statistics over from `state`."""
        ...


_FACTORIES: dict[str, Callable[[], Similarity]] = {}


def register_similarity(name: str, factory: Callable[[], Similarity]) -> None:
    """Make a similarity known by name, for configs and the command line."""
    _FACTORIES[name] = factory


def make_similarity(name: str) -> Similarity:
    """A new, empty similarity of that name.

    >>> import rememberer_nb.retrieval
    >>> make_similarity("jaccard").name
    'jaccard'
    >>> make_similarity("magic")
    Traceback (most recent call last):
    ...
    rememberer_nb.errors.ConfigError: no similarity is named 'magic'; known: jaccard, tfidf
    """
    if name not in _FACTORIES:
        known = ", ".join(sorted(_FACTORIES))
        raise ConfigError(f"no similarity is named {name!r}; known: {known}")
    return _FACTORIES[name]()
