"""Jaccard overlap of whitespace tokens."""

from __future__ import annotations

from collections.abc import Collection

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

    def put(self, slot: int, text: str) -> None:
        """Encode a text into an empty slot."""
        tokens = dict.fromkeys(self._tokens(text))
        vocabulary = self._vocabulary
        ids = [vocabulary.setdefault(token, len(vocabulary)) for token in tokens]
        self._rows.put(slot, np.array(ids, dtype=np.int32), np.ones(len(ids)))
        if slot >= len(self._sizes):
            self._sizes = np.concatenate([self._sizes, np.zeros(slot + 1 - len(self._sizes))])
        self._sizes[slot] = len(ids)

    def remove(self, slot: int) -> None:
        """Empty a slot."""
        self._rows.remove(slot)
        self._sizes[slot] = 0

    def scores(self, query: str) -> np.ndarray:
        """Overlap with each slot, ndarray of shape (n_slots,), in [0, 1]."""
        tokens = set(self._tokens(query))
        ids = [i for token in tokens if (i := self._vocabulary.get(token)) is not None]
        vector = np.zeros(len(self._vocabulary))
        vector[ids] = 1.0
        shared = self._rows.dot(vector)
        return self._ratio(shared, self._sizes[: len(shared)], len(tokens))

    def explain(self, query: str, slot: int) -> tuple[Term, ...]:
        """Each shared token counts one equal part."""
        tokens = set(self._tokens(query))
        held = set(self._rows.row(slot)[0].tolist())
        shared = sorted(t for t in tokens if self._vocabulary.get(t) in held)
        n_shared, n_held = np.array([float(len(shared))]), np.array([float(len(held))])
        part = float(self._ratio(n_shared, n_held, len(tokens))[0]) / max(len(shared), 1)
        return tuple(Term(token, 1.0, part, part) for token in shared)

    def refresh(self) -> None:
        """There are no corpus statistics."""

    def state(self) -> bytes:
        """There are no corpus statistics."""
        return b""

    def restore(self, state: bytes) -> None:
        """There are no corpus statistics."""

    def _tokens(self, text: str) -> Collection[str]:
        return text.split()

    def _ratio(self, shared: np.ndarray, sizes: np.ndarray, n_tokens: int) -> np.ndarray:
        union = sizes + n_tokens - shared
        return np.divide(shared, union, out=np.zeros_like(shared), where=union > 0)
