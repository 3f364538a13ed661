"""Cosine of dense vectors that an embedding model gives, "embedding:MODEL".

Any OpenAI-compatible endpoint will do, see `llms.endpoint.embeddings`. A text is encoded once,
together with whatever else waits, when it is first needed; the vectors are kept in the memory's
file, so a memory that is opened again asks for nothing but its queries.
"""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress

import numpy as np

from rememberer_nb.errors import LLMError, LLMOutageError, LLMStopError
from rememberer_nb.retrieval.similarity import Term

Encode = Callable[[Sequence[str]], np.ndarray]

# Queries whose vectors are kept: what is seen now is often inserted a step later.
N_REMEMBERED = 256
_KEY_BYTES = 16
# Threads that ask at the same time note vectors one after the other; never held while an endpoint
# is asked. One for all, since a similarity can be copied and a lock cannot.
_NOTING = threading.Lock()


class EmbeddingSimilarity:
    """max(0, cos) of two texts' vectors.

    Parameters
    ----------
    model : names the similarity, and the vectors in the memory's file.
    encode : texts -> ndarray of shape (n_texts, n_dimensions).
    reads : which text of a record is compared, see `similarity.text_to_compare`.

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

    def __init__(self, model: str, encode: Encode, *, reads: str = "observation"):
        self.name = f"embedding:{model}"
        self.reads = reads
        self._encode = encode
        self._vectors = np.zeros((0, 0), dtype=np.float32)
        self._n_slots = 0
        self._keys: dict[int, bytes] = {}
        self._waiting: dict[int, str] = {}
        self._slot_of: dict[bytes, int] = {}
        self._remembered: dict[bytes, np.ndarray] = {}

    def put(self, slot: int, text: str) -> None:
        """Note a text for an empty slot; it is encoded when it is needed."""
        self._n_slots = max(self._n_slots, slot + 1)
        self._waiting[slot] = text

    def remove(self, slot: int) -> None:
        """Empty a slot."""
        self._waiting.pop(slot, None)
        key = self._keys.pop(slot, None)
        if key is not None:
            self._vectors[slot] = 0.0
            if self._slot_of.get(key) == slot:
                del self._slot_of[key]
                other = next((other for other, held in self._keys.items() if held == key), None)
                if other is not None:
                    self._slot_of[key] = other

    def scores(self, query: str) -> np.ndarray:
        """Similarity to each slot, ndarray of shape (n_slots,), in [0, 1]; 0 for empty slots.

        Raises
        ------
        LLMStopError : the endpoint gives no vectors.
        """
        if not self._n_slots:
            return np.zeros(0)
        vector = self._settle(query)
        # Not a product of matrices, whose last bits would depend on how many slots there are.
        cosines = np.einsum("ij,j->i", self._vectors[: self._n_slots], vector, dtype=np.float64)
        return np.clip(cosines, 0.0, 1.0)

    def explain(self, query: str, slot: int) -> tuple[Term, ...]:
        """One term: the components of a dense vector mean nothing by themselves."""
        score = float(self.scores(query)[slot])
        return (Term("cosine of the embeddings", 1.0, score, score),) if score else ()

    def refresh(self) -> None:
        """There are no corpus statistics."""

    def state(self) -> bytes:
        """The slots' vectors, each text once, for `restore`.

        What still waits is encoded first if that works, and otherwise when it is next needed.
        """
        # Whoever commits must not lose an episode to this; the next query says what is wrong.
        with suppress(LLMError):
            self._settle(None)
        slots = sorted(self._slot_of.values())
        head = {"n": len(slots), "n_dimensions": self._vectors.shape[1]}
        keys = b"".join(self._keys[slot] for slot in slots)
        return json.dumps(head).encode() + b"\n" + keys + self._vectors[slots].tobytes()

    def restore(self, state: bytes) -> None:
        """Take over the vectors of texts that wait; of others nothing is kept."""
        line, _, rest = state.partition(b"\n")
        head = json.loads(line)
        n, width = head["n"], head["n_dimensions"]
        keys = [rest[i * _KEY_BYTES : (i + 1) * _KEY_BYTES] for i in range(n)]
        vectors = np.frombuffer(rest[n * _KEY_BYTES :], dtype=np.float32).reshape(n, width)
        known = dict(zip(keys, vectors, strict=True))
        for slot, text in list(self._waiting.items()):
            vector = known.get(_key(text))
            if vector is not None:
                self._fill(slot, _key(text), vector)

    def _settle(self, query: str | None) -> np.ndarray:
        """Encode what waits, and the query, in one go; returns the query's vector."""
        texts = [*self._waiting.values(), *([] if query is None else [query])]
        wanted = {_key(text): text for text in texts}
        vectors = {key: found for key in wanted if (found := self._known(key)) is not None}
        missing = [key for key in wanted if key not in vectors]
        if missing:
            found = self._ask([wanted[key] for key in missing])
            vectors |= dict(zip(missing, found, strict=True))
        with _NOTING:
            for slot, text in list(self._waiting.items()):
                self._fill(slot, _key(text), vectors[_key(text)])
            if query is None:
                return np.zeros(0, dtype=np.float32)
            self._remember(_key(query), vectors[_key(query)])
        return vectors[_key(query)]

    def _ask(self, texts: Sequence[str]) -> np.ndarray:
        try:
            vectors = np.asarray(self._encode(texts), dtype=np.float32)
        except LLMStopError:
            raise
        except LLMError as error:
            raise LLMOutageError(f"{self.name}: nothing can be retrieved: {error}") from error
        held = self._vectors.shape[1]
        if held and vectors.shape[1] != held:
            raise LLMOutageError(
                f"{self.name}: the endpoint gives {vectors.shape[1]} dimensions, the memory holds "
                f"vectors of {held}: it is another model by the same name"
            )
        norms = np.linalg.norm(vectors, axis=1, keepdims=True)
        return np.divide(vectors, norms, out=np.zeros_like(vectors), where=norms > 0)

    def _known(self, key: bytes) -> np.ndarray | None:
        slot = self._slot_of.get(key)
        return self._remembered.get(key) if slot is None else self._vectors[slot].copy()

    def _remember(self, key: bytes, vector: np.ndarray) -> None:
        self._remembered.pop(key, None)
        self._remembered[key] = vector
        if len(self._remembered) > N_REMEMBERED:
            del self._remembered[next(iter(self._remembered))]

    def _fill(self, slot: int, key: bytes, vector: np.ndarray) -> None:
        n_rows, width = self._vectors.shape
        if self._n_slots > n_rows or not width:
            grown = np.zeros((max(2 * n_rows, self._n_slots, 64), len(vector)), dtype=np.float32)
            if width:
                grown[:n_rows] = self._vectors
            self._vectors = grown
        self._vectors[slot] = vector
        self._keys[slot] = key
        self._slot_of[key] = slot
        self._waiting.pop(slot, None)


def _key(text: str) -> bytes:
    return hashlib.blake2b(text.encode(errors="surrogatepass"), digest_size=_KEY_BYTES).digest()
