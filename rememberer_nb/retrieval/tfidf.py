"""TF-IDF cosine similarity, equal to scikit-learn's `TfidfVectorizer()` and a dot product.

tf is the raw count, idf(t) = ln((1 + n) / (1 + df(t))) + 1, and vectors have length 1. Texts are
encoded once, on insertion. The idf of the last refresh stays in force for new texts and queries;
terms unseen at that time are ignored, as `TfidfVectorizer.transform` ignores them. A refresh
follows when a tenth of the texts have changed, so its cost stays a constant per text.
"""

from __future__ import annotations

import json
import logging
import re
import zlib
from collections import Counter

import numpy as np

from rememberer_nb.retrieval.similarity import Term
from rememberer_nb.retrieval.sparse import SparseRows

_TOKEN = re.compile(r"\b\w\w+\b")
_LOG = logging.getLogger(__name__)

REFRESH_SHARE = 0.1


def tokenize(text: str) -> list[str]:
    """Words of two or more characters, lower-cased: scikit-learn's default analyser.

    >>> tokenize("A red-hot LAMP, 12 in")
    ['red', 'hot', 'lamp', '12', 'in']
    """
    return _TOKEN.findall(text.lower())


class TfidfSimilarity:
    """Cosine of TF-IDF vectors.

    >>> similarity = TfidfSimilarity()
    >>> similarity.put(0, "red lamp"); similarity.put(1, "blue chair")
    >>> similarity.scores("red lamp").round(3).tolist()
    [1.0, 0.0]
    """

    name = "tfidf"

    def __init__(self, *, reads: str = "observation"):
        self.reads = reads
        self.n_refreshes = 0
        self._vocabulary: dict[str, int] = {}
        self._counts: dict[int, np.ndarray] = {}
        self._rows = SparseRows()
        self._idf = np.zeros(0)
        self._n_at_refresh = 0
        self._n_changed = 0

    def put(self, slot: int, text: str) -> None:
        """Encode a text into an empty slot."""
        counts = Counter(tokenize(text))
        vocabulary = self._vocabulary
        ids = np.array([vocabulary.setdefault(t, len(vocabulary)) for t in counts], dtype=np.int32)
        numbers = np.fromiter(counts.values(), dtype=float, count=len(counts))
        self._rows.put(slot, ids, self._weigh([ids], [numbers])[0])
        self._counts[slot] = numbers
        self._change()

    def remove(self, slot: int) -> None:
        """Empty a slot."""
        self._rows.remove(slot)
        del self._counts[slot]
        self._change()

    def scores(self, query: str) -> np.ndarray:
        """Cosine with each slot, ndarray of shape (n_slots,), in [0, 1]."""
        ids, weights = self._encode(query)
        vector = np.zeros(len(self._idf))
        vector[ids] = weights
        return np.minimum(self._rows.dot(vector), 1.0)

    def explain(self, query: str, slot: int) -> tuple[Term, ...]:
        """The product of each shared term, largest first; they add up to the cosine."""
        ids, weights = self._encode(query)
        query_weight = dict(zip(ids.tolist(), weights.tolist(), strict=True))
        names = list(self._vocabulary)
        row_ids, row_weights = self._rows.row(slot)
        terms = [
            Term(names[i], query_weight[i], w, query_weight[i] * w)
            for i, w in zip(row_ids.tolist(), row_weights.tolist(), strict=True)
            if i in query_weight and w
        ]
        return tuple(sorted(terms, key=lambda term: (-term.product, term.term)))

    def refresh(self) -> None:
        """Recompute document frequencies, idf and all weights from the texts now held."""
        frequency = np.zeros(len(self._vocabulary))
        slots = self._rows.slots
        for slot in slots:
            frequency[self._rows.row(slot)[0]] += 1
        self._set_frequencies(frequency, len(slots))
        self._n_changed = 0
        self.n_refreshes += 1
        _LOG.debug("tf-idf refresh %d: %d texts", self.n_refreshes, len(slots))

    def state(self) -> bytes:
        """The vocabulary and idf in force, compressed JSON."""
        seen = np.flatnonzero(self._idf)
        names = list(self._vocabulary)
        state = {
            "idf": {names[i]: self._idf[i] for i in seen.tolist()},
            "n_at_refresh": self._n_at_refresh,
            "n_changed": self._n_changed,
            "n_refreshes": self.n_refreshes,
        }
        return zlib.compress(json.dumps(state).encode())

    def restore(self, state: bytes) -> None:
        """Put the idf of `state` in force again."""
        held = json.loads(zlib.decompress(state))
        for term in held["idf"]:
            self._vocabulary.setdefault(term, len(self._vocabulary))
        self._idf = np.zeros(len(self._vocabulary))
        for term, idf in held["idf"].items():
            self._idf[self._vocabulary[term]] = idf
        self._reweigh()
        self._n_at_refresh = held["n_at_refresh"]
        self._n_changed = held["n_changed"]
        self.n_refreshes = held["n_refreshes"]

    def _change(self) -> None:
        self._n_changed += 1
        if self._n_changed >= max(1.0, REFRESH_SHARE * self._n_at_refresh):
            self.refresh()
        self._widen()

    def _set_frequencies(self, frequency: np.ndarray, n_texts: int) -> None:
        with np.errstate(divide="ignore"):
            idf = np.log((1 + n_texts) / (1 + frequency)) + 1
        self._idf = np.where(frequency > 0, idf, 0.0)
        self._n_at_refresh = n_texts
        self._reweigh()

    def _reweigh(self) -> None:
        slots = self._rows.slots
        ids = [self._rows.row(slot)[0] for slot in slots]
        weights = self._weigh(ids, [self._counts[slot] for slot in slots])
        self._rows.replace_values(dict(zip(slots, weights, strict=True)))

    def _widen(self) -> None:
        missing = len(self._vocabulary) - len(self._idf)
        if missing:
            self._idf = np.concatenate([self._idf, np.zeros(missing)])

    def _weigh(self, ids: list[np.ndarray], counts: list[np.ndarray]) -> list[np.ndarray]:
        # The same arithmetic for one text as for all, so that a text weighs the same to the last
        # bit whether it was put now, reweighed at a refresh, or read back from a file.
        self._widen()
        lengths = [len(i) for i in ids]
        if not sum(lengths):
            return [np.zeros(0) for _ in ids]
        weights = np.concatenate(counts) * self._idf[np.concatenate(ids)]
        rows = np.repeat(np.arange(len(ids)), lengths)
        norms = np.sqrt(np.bincount(rows, weights * weights, minlength=len(ids)))
        weights /= np.where(norms > 0, norms, 1.0)[rows]
        return np.split(weights, np.cumsum(lengths)[:-1])

    def _encode(self, text: str) -> tuple[np.ndarray, np.ndarray]:
        counts = Counter(tokenize(text))
        known = [(i, n) for t, n in counts.items() if (i := self._vocabulary.get(t)) is not None]
        ids = np.array([i for i, _ in known], dtype=np.int32)
        weights = self._weigh([ids], [np.array([float(n) for _, n in known])])[0]
        return ids, weights
