"""The vectors of texts, each encoded once: what the similarities of one memory share.

Whoever keeps a memory beyond the process stores what is `new`, and hands it back to `recall`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from typing import Protocol

import numpy as np

# The model, and a hash of the text.
Key = tuple[str, bytes]
_KEY_BYTES = 16


class Vectors:
    """Vectors by model and text; those of one model have one length.

    Examples
    --------
    >>> vectors = Vectors()
    >>> vectors.put(vector_key("letters", "aab"), np.array([2.0, 1.0]))
    >>> vectors.get(vector_key("letters", "aab")).tolist(), vectors.get(vector_key("words", "aab"))
    ([2.0, 1.0], None)
    >>> len(vectors.new), vectors.widths
    (1, {'letters': 2})
    """

    def __init__(self) -> None:
        self._held: dict[Key, np.ndarray] = {}
        self._new: dict[Key, None] = {}
        # Dimensions by model.
        self.widths: dict[str, int] = {}
        # Of the similarities that share them.
        self.models: set[str] = set()

    def share_with(self, *similarities: object) -> None:
        """Let similarities, and the parts of mixtures, hold their texts' vectors here."""
        for similarity in similarities:
            for part in _dense_parts(similarity):
                part.vectors = self
                self.models.add(part.model)

    def get(self, key: Key) -> np.ndarray | None:
        """A text's vector, ndarray of shape (n_dimensions,), or None."""
        return self._held.get(key)

    def put(self, key: Key, vector: np.ndarray) -> None:
        """Hold the vector of a text that has none; it is new."""
        if key not in self._held:
            # A copy: a row of many would keep all of them.
            self._held[key] = vector.copy()
            self._new[key] = None
            self.widths.setdefault(key[0], len(vector))

    def forget(self, key: Key) -> None:
        """Give up the vector of a text that nobody holds any more."""
        self._held.pop(key, None)
        self._new.pop(key, None)

    @property
    def new(self) -> dict[Key, np.ndarray]:
        """Those that have not been stored yet."""
        return {key: self._held[key] for key in self._new}

    def recall(self, stored: Mapping[Key, np.ndarray]) -> None:
        """Hold vectors that lie in a file, too; they are not new."""
        for key, vector in stored.items():
            self._held[key] = vector
            self._new.pop(key, None)
            self.widths.setdefault(key[0], len(vector))

    def snapshot(self) -> dict[Key, np.ndarray]:
        """What is held now."""
        return dict(self._held)


class Dense(Protocol):
    """A similarity that compares vectors."""

    model: str
    vectors: Vectors


def vector_key(model: str, text: str) -> Key:
    """What a text's vector is kept under.

    >>> vector_key("letters", "a") == vector_key("letters", "a") != vector_key("words", "a")
    True
    """
    content = text.encode(errors="surrogatepass")
    return model, hashlib.blake2b(content, digest_size=_KEY_BYTES).digest()


def _dense_parts(similarity: object) -> Iterator[Dense]:
    for part in getattr(similarity, "parts", ()):
        yield from _dense_parts(part)
    if hasattr(similarity, "vectors"):
        yield similarity  # type: ignore[misc]
