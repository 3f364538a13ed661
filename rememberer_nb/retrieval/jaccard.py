"""Jaccard overlap of whitespace tokens."""

from __future__ import annotations

import numpy as np

from rememberer_nb.retrieval.similarity import Term
from rememberer_nb.retrieval.sparse import SparseRows


class JaccardSimilarity:
    """|A ∩ B| / |A ∪ B| over the sets of whitespace-separated tokens; two empty texts give 0.

    >>> similarity = JaccardSimilarity()
    >>> similarity.put(0, "red lamp"); similarity.put(1, "red chair")
    >>> similarity.scores("red lamp").round(3).tolist()
    [1.0, 0.333]
    """

    name = "jaccard"

    def __init__(self, *, reads: str = "observation"):
        self.reads = reads
        self._vocabulary: dict[str, int] = {}
        self._sizes = np.zeros(0)
        self._rows = SparseRows()
        self._query = np.zeros(0)

    def put(self, slot: int, text: str) -> None:
        """Encode a text into an empty slot."""
        tokens = dict.fromkeys(text.split())
        vocabulary = self._vocabulary
        ids = [vocabulary.setdefault(token, len(vocabulary)) for token in tokens]
        self._rows.put(slot, np.array(ids, dtype=np.int32), np.ones(len(ids)))
        if slot >= len(self._sizes):
            self._sizes = np.concatenate([self._sizes, np.zeros(slot + 1 - len(self._sizes))])
        self._sizes[slot] = len(ids)
        if len(vocabulary) > len(self._query):
            self._query = np.zeros(2 * len(vocabulary))

    def remove(self, slot: int) -> None:
        """Empty a slot."""
        self._rows.remove(slot)
        self._sizes[slot] = 0

    def scores(self, query: str) -> np.ndarray:
        """Overlap with each slot, ndarray of shape (n_slots,), in [0, 1]."""
        tokens = set(query.split())
        ids = [i for token in tokens if (i := self._vocabulary.get(token)) is not None]
        self._query[ids] = 1.0
        shared = self._rows.dot(self._query)
        self._query[ids] = 0.0
        union = self._sizes[: len(shared)] + len(tokens) - shared
        return np.divide(shared, union, out=np.zeros_like(shared), where=union > 0)

    def explain(self, query: str, slot: int) -> tuple[Term, ...]:
        """Each shared token counts one part of the union."""
        tokens = set(query.split())
        held = set(self._rows.row(slot)[0].tolist())
        shared = sorted(t for t in tokens if self._vocabulary.get(t) in held)
        union = len(tokens) + len(held) - len(shared)
        return tuple(Term(token, 1.0, 1.0 / union, 1.0 / union) for token in shared)

    def refresh(self) -> None:
        """There are no corpus statistics."""

    def state(self) -> bytes:
        """There are no corpus statistics."""
        return b""

    def restore(self, state: bytes) -> None:
        """There are no corpus statistics."""
