"""TF-IDF cosine similarity, equal to scikit-learn's `TfidfVectorizer()` and a dot product.

tf is the raw count, idf(t) = ln((1 + n) / (1 + df(t))) + 1, and vectors have length 1. Texts are
encoded once, on insertion. The idf of the last refresh stays in force for new texts and queries;
terms unseen at that time are ignored, as `TfidfVectorizer.transform` ignores them. A refresh
follows when a tenth of the texts have changed, so its cost stays a constant per text: it sets the
idf of each term and the length of each row, and rebuilds nothing.
"""

from __future__ import annotations

import json
import logging
import zlib
from collections import Counter
from collections.abc import Callable, Iterable
from itertools import chain
from types import ModuleType

import numpy as np
from numpy.typing import NDArray

from rememberer_nb.retrieval.fast.growing import Growing
from rememberer_nb.retrieval.fast.kernels import kernels
from rememberer_nb.retrieval.fast.plain import Floats, Query
from rememberer_nb.retrieval.fast.rows import WeightedRows, length
from rememberer_nb.retrieval.similarity import Term
from rememberer_nb.retrieval.tasks import Listed
from rememberer_nb.retrieval.tokens import split_words, tokenize

_LOG = logging.getLogger(__name__)

REFRESH_SHARE = 0.1
# Texts that `put_many` encodes at a time.
_BATCH = 20_000
_COUNTERS = {
    "n_at_refresh": "_n_at_refresh",
    "n_changed": "_n_changed",
    "n_refreshes": "n_refreshes",
}


class TfidfSimilarity:
    """Cosine of TF-IDF vectors.

    Parameters
    ----------
    reads : which text of a record is compared, see `similarity.text_to_compare`.
    scorer : number of rows -> the module whose functions score them, see `kernels`.

    Examples
    --------
    >>> similarity = TfidfSimilarity()
    >>> similarity.put(0, "red lamp"); similarity.put(1, "blue chair")
    >>> similarity.scores("red lamp").round(3).tolist()
    [1.0, 0.0]
    """

    name = "tfidf"

    def __init__(
        self, *, reads: str = "observation", scorer: Callable[[int], ModuleType] = kernels
    ):
        self.reads = reads
        self.n_refreshes = 0
        self._vocabulary = _Vocabulary()
        self.rows = WeightedRows(scorer)
        self._frequency = Growing(np.int64)
        self._packed_idf: bytes | None = None
        self._n_at_refresh = 0
        self._n_changed = 0

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def nbytes(self) -> int:
        """Bytes that the encoded texts take, the vocabulary aside."""
        return self.rows.nbytes

    def put(self, slot: int, text: str) -> None:
        """Encode a text into an empty slot."""
        self.rows.make_room(np.array([slot]))
        counts = Counter(split_words(text))
        ids = self._number(counts, len(counts))
        self.rows.append(slot, ids, np.fromiter(counts.values(), np.int32, len(counts)))
        self._frequency.view[ids] += 1
        self._change(1)

    def put_many(self, slots: Iterable[int], texts: Iterable[str]) -> None:
        """Encode texts into empty slots; statistics are brought up to date once, at the end."""
        slots, texts = np.fromiter(slots, np.int64), list(texts)
        self.rows.make_room(slots)
        for first in range(0, len(texts), _BATCH):
            counted = [Counter(tokenize(text)) for text in texts[first : first + _BATCH]]
            lengths = np.fromiter(map(len, counted), np.int64, len(counted))
            n = int(lengths.sum())
            ids = self._number(chain.from_iterable(counted), n)
            numbers = np.fromiter(chain.from_iterable(c.values() for c in counted), np.int32, n)
            self.rows.extend(slots[first : first + _BATCH], lengths, ids, numbers)
            self._frequency.view[:] += np.bincount(ids, minlength=len(self._frequency))
        self._change(len(texts))

    def remove(self, slot: int) -> None:
        """Empty a slot."""
        self._frequency.view[self.rows.remove(slot)] -= 1
        self._change(1)

    def scores(self, query: str) -> np.ndarray:
        """Cosine with each slot, ndarray of shape (n_slots,), in [0, 1]."""
        return self.rows.scores(self._encode(query))

    def shortlist(
        self,
        text: str,
        parts: Floats,
        part_of_slot: NDArray[np.int32],
        weight: float,
        listed: Callable[[], Listed],
        n: int,
    ) -> tuple[NDArray[np.int32], Floats] | None:
        """As `protocols.Shortlisting` says."""
        known = (parts, part_of_slot, float(weight))
        return self.rows.shortlist(
            lambda: self._encode(text), self._frequency.view, known, listed, n
        )

    def explain(self, query: str, slot: int) -> tuple[Term, ...]:
        """The product of each shared term, largest first; they add up to the cosine."""
        encoded = self._encode(query)
        shares = dict(zip(encoded.ids.tolist(), encoded.shares.tolist(), strict=True))
        terms = [
            Term(self._vocabulary.words[i], shares[i], weight, shares[i] * weight)
            for i, weight in zip(*(part.tolist() for part in self.rows.weights(slot)), strict=True)
            if weight and i in shares
        ]
        return tuple(sorted(terms, key=lambda term: (-term.product, term.term)))

    def refresh(self) -> None:
        """Recompute idf and lengths from the texts now held."""
        frequency, n_texts = self._frequency.view, len(self)
        idf = np.log((1 + n_texts) / (1 + frequency)) + 1
        self._set_idf(np.where(frequency > 0, idf, 0.0))
        self._n_at_refresh, self._n_changed = n_texts, 0
        self.n_refreshes += 1
        _LOG.debug("tf-idf refresh %d: %d texts", self.n_refreshes, n_texts)

    def state(self) -> bytes:
        """The counters as a line of JSON, then the idf in force by term as compressed JSON."""
        if self._packed_idf is None:
            idf, words = self.rows.idf.view, self._vocabulary.words
            by_term = {words[i]: float(idf[i]) for i in np.flatnonzero(idf).tolist()}
            self._packed_idf = zlib.compress(json.dumps(by_term).encode())
        counters = {name: getattr(self, attribute) for name, attribute in _COUNTERS.items()}
        return json.dumps(counters).encode() + b"\n" + self._packed_idf

    def restore(self, state: bytes) -> None:
        """Put the idf of `state` in force again."""
        if state.startswith(b"{"):
            head, _, packed = state.partition(b"\n")
            counters, by_term = json.loads(head), json.loads(zlib.decompress(packed))
        else:
            # Files of the first version hold one compressed object.
            counters = json.loads(zlib.decompress(state))
            by_term = counters["idf"]
        ids = self._number(by_term, len(by_term))
        idf = np.zeros(len(self._vocabulary))
        idf[ids] = list(by_term.values())
        self._set_idf(idf)
        for name, attribute in _COUNTERS.items():
            setattr(self, attribute, counters[name])

    def _number(self, words: Iterable[str], n: int) -> NDArray[np.int32]:
        """The ids of n words; new words are added to the vocabulary."""
        ids = np.fromiter(map(self._vocabulary.__getitem__, words), np.int32, n)
        if len(self._vocabulary) > len(self._frequency):
            self._frequency.widen(len(self._vocabulary))
            self.rows.widen(len(self._vocabulary))
        return ids

    def _set_idf(self, idf: Floats) -> None:
        self.rows.set_idf(idf)
        self._packed_idf = None

    def _change(self, n: int) -> None:
        self._n_changed += n
        if self._n_changed >= max(1.0, REFRESH_SHARE * self._n_at_refresh):
            self.refresh()

    def _encode(self, text: str) -> Query:
        counts = Counter(map(self._vocabulary.get, split_words(text)))
        counts.pop(None, None)
        ids = np.fromiter(counts, np.int32, len(counts))
        idf = self.rows.idf.view[ids]
        shares = np.fromiter(counts.values(), np.float64, len(counts))
        shares *= idf
        shares /= length(shares) or 1.0
        return Query(ids, shares * idf, shares)


class _Vocabulary(dict[str, int]):
    """Words and their ids; a new word that is asked for by `[]` gets the next one."""

    def __init__(self) -> None:
        super().__init__()
        self.words: list[str] = []

    def __missing__(self, word: str) -> int:
        number = self[word] = len(self.words)
        self.words.append(word)
        return number
