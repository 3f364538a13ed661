"""Cosine of dense vectors that a model gives: "embedding:wordllama", "embedding:MODEL".

The first is a small model of this machine (`llms.local.wordllama_embeddings`), any other name one
behind an OpenAI-compatible endpoint (`llms.endpoint.embeddings`). A text is encoded once, together
with whatever else waits, when it is first needed; the vectors are kept in the memory's file, so a
memory that is opened again asks for nothing but its queries.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from contextlib import suppress

import numpy as np

from rememberer_nb.errors import LLMError, LLMOutageError, LLMStopError
from rememberer_nb.retrieval.similarity import Term
from rememberer_nb.retrieval.vectors import Key, Vectors, vector_key

Encode = Callable[[Sequence[str]], np.ndarray]

# Queries whose vectors are kept: what is seen now is often inserted a step later.
N_REMEMBERED = 256
# Threads that ask at the same time note vectors one after the other; never held while an endpoint
# is asked. One for all, since a similarity can be copied and a lock cannot.
_NOTING = threading.Lock()


class EmbeddingSimilarity:
    """max(0, cos) of two texts' vectors.

    Parameters
    ----------
    model : names the similarity, and its vectors: those of one name are shared within a memory.
    encode : texts -> ndarray of shape (n_texts, n_dimensions).
    reads : which text of a record is compared, see `similarity.text_to_compare`.
    version : what tells vectors of the model from those of an earlier one by the same name; kept
        vectors of another version are left alone, and texts encoded anew.

    Where no vectors can be had nothing can be retrieved, so every failure stops the run
    (`LLMStopError`); what was finished is kept.

    Examples
    --------
    >>> similarity = EmbeddingSimilarity("letters", lambda texts: np.array(
    ...     [[text.count("a"), text.count("b")] for text in texts]))
    >>> similarity.put(0, "aab"); similarity.put(1, "b")
    >>> similarity.scores("aa").round(3).tolist()
    [0.894, 0.0]
    """

    def __init__(
        self, model: str, encode: Encode, *, reads: str = "observation", version: str = ""
    ):
        self.name = f"embedding:{model}"
        self.model = f"{model} {version}".rstrip()
        self.reads = reads
        self.vectors = Vectors()
        self._encode = encode
        self._matrix = np.zeros((0, 0), dtype=np.float32)
        self._n_slots = 0
        self._keys: dict[int, Key] = {}
        self._waiting: dict[int, str] = {}
        self._remembered: dict[Key, np.ndarray] = {}

    def put(self, slot: int, text: str) -> None:
        """Note a text for an empty slot; it is encoded when it is needed."""
        self._n_slots = max(self._n_slots, slot + 1)
        self._waiting[slot] = text

    def remove(self, slot: int) -> None:
        """Empty a slot."""
        self._waiting.pop(slot, None)
        key = self._keys.pop(slot, None)
        if key is not None:
            self._matrix[slot] = 0.0
            if key not in self._keys.values():
                self.vectors.forget(key)

    def scores(self, query: str) -> np.ndarray:
        """Similarity to each slot, ndarray of shape (n_slots,), in [0, 1]; 0 for empty slots.

        Raises
        ------
        LLMStopError : there are no vectors to be had.
        """
        if not self._n_slots:
            return np.zeros(0)
        vector = self._settle(query)
        # Not a product of matrices, whose last bits would depend on how many slots there are.
        cosines = np.einsum("ij,j->i", self._matrix[: self._n_slots], vector, dtype=np.float64)
        scores: np.ndarray = np.clip(cosines, 0.0, 1.0)
        return scores

    def explain(self, query: str, slot: int) -> tuple[Term, ...]:
        """One term: the components of a dense vector mean nothing by themselves."""
        score = float(self.scores(query)[slot])
        return (Term("cosine of the embeddings", 1.0, score, score),) if score else ()

    def refresh(self) -> None:
        """There are no corpus statistics."""

    def state(self) -> bytes:
        """Nothing: vectors are kept apart (`vectors`), and there are no corpus statistics.

        What still waits is encoded now if that works, and otherwise when it is next needed.
        """
        # Whoever commits must not lose an episode to this; the next query says what is wrong.
        with suppress(LLMError):
            self._settle(None)
        return b""

    def restore(self, state: bytes) -> None:
        """There is nothing to take over."""

    def _settle(self, query: str | None) -> np.ndarray:
        """Encode what waits, and the query, in one go; returns the query's vector."""
        texts = [*self._waiting.values(), *([] if query is None else [query])]
        wanted = {vector_key(self.model, text): text for text in texts}
        vectors = {key: found for key in wanted if (found := self._known(key)) is not None}
        missing = [key for key in wanted if key not in vectors]
        if missing:
            found = self._ask([wanted[key] for key in missing])
            vectors |= dict(zip(missing, found, strict=True))
        with _NOTING:
            for slot, text in list(self._waiting.items()):
                key = vector_key(self.model, text)
                self._fill(slot, key, vectors[key])
            if query is None:
                return np.zeros(0, dtype=np.float32)
            key = vector_key(self.model, query)
            self._remember(key, vectors[key])
        return vectors[key]

    def _ask(self, texts: Sequence[str]) -> np.ndarray:
        try:
            vectors = np.asarray(self._encode(texts), dtype=np.float32)
        except LLMStopError:
            raise
        except LLMError as error:
            raise LLMOutageError(f"{self.name}: nothing can be retrieved: {error}") from error
        held = self.vectors.widths.setdefault(self.model, vectors.shape[1])
        if vectors.shape[1] != held:
            raise LLMOutageError(
                f"{self.name} gives {vectors.shape[1]} dimensions, the memory holds vectors of "
                f"{held}: it is another model by the same name"
            )
        norms = np.linalg.norm(vectors, axis=1, keepdims=True)
        unit: np.ndarray = np.divide(vectors, norms, out=np.zeros_like(vectors), where=norms > 0)
        return unit

    def _known(self, key: Key) -> np.ndarray | None:
        vector = self.vectors.get(key)
        return self._remembered.get(key) if vector is None else vector

    def _remember(self, key: Key, vector: np.ndarray) -> None:
        self._remembered.pop(key, None)
        self._remembered[key] = vector
        if len(self._remembered) > N_REMEMBERED:
            del self._remembered[next(iter(self._remembered))]

    def _fill(self, slot: int, key: Key, vector: np.ndarray) -> None:
        n_rows, width = self._matrix.shape
        if self._n_slots > n_rows or not width:
            grown = np.zeros((max(2 * n_rows, self._n_slots, 64), len(vector)), dtype=np.float32)
            if width:
                grown[:n_rows] = self._matrix
            self._matrix = grown
        self._matrix[slot] = vector
        self._keys[slot] = key
        self.vectors.put(key, vector)
        self._waiting.pop(slot, None)
