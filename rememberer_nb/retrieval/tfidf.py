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
import math
import zlib
from collections import Counter
from collections.abc import Callable, Iterable
from itertools import chain
from types import ModuleType

import numpy as np
from numpy.typing import NDArray

from rememberer_nb.retrieval.fast.growing import Growing
from rememberer_nb.retrieval.fast.kernels import kernels
from rememberer_nb.retrieval.fast.plain import Floats, Known, Query, Search
from rememberer_nb.retrieval.fast.postings import Postings
from rememberer_nb.retrieval.similarity import Term
from rememberer_nb.retrieval.tasks import Listed
from rememberer_nb.retrieval.tokens import split_words, tokenize

_LOG = logging.getLogger(__name__)

REFRESH_SHARE = 0.1
# Rows that were removed are swept out when they are this part of all, and at least so many.
_DEAD_SHARE, _MIN_DEAD = 0.25, 256
# Texts that `put_many` encodes at a time.
_BATCH = 20_000
# A term is common if at the last refresh it was in more than this part of the texts. Any value is
# right: what is left out of a query's common terms is bounded row by row, the rest for all alike.
_COMMON_SHARE = 0.05
_COUNTERS = {
    "n_at_refresh": "_n_at_refresh",
    "n_changed": "_n_changed",
    "n_refreshes": "n_refreshes",
}
_EPSILON = float(np.finfo(np.float32).eps)


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
        self.reads, self.scorer = reads, scorer
        self.n_refreshes = 0
        self._vocabulary = _Vocabulary()
        self._idf = Growing(np.float64)
        self._frequency = Growing(np.int64)
        self._is_common = Growing(np.bool_)
        self._packed_idf: bytes | None = None
        self._n_at_refresh = 0
        self._n_changed = 0
        self._clear_rows()

    def __len__(self) -> int:
        return len(self._postings) - self._n_dead

    @property
    def nbytes(self) -> int:
        """Bytes that the encoded texts take, the vocabulary aside."""
        rows = (self._norms, self._inverse, self._common, self._slots, self._row_of_slot)
        return self._postings.nbytes + sum(part.view.nbytes for part in rows)

    def put(self, slot: int, text: str) -> None:
        """Encode a text into an empty slot."""
        self._row_of_slot.widen(slot + 1, -1)
        if self._row_of_slot.view[slot] >= 0:
            raise ValueError(f"slot {slot} is taken")
        counts = Counter(split_words(text))
        ids = self._number(counts, len(counts))
        numbers = np.fromiter(counts.values(), np.int32, len(counts))
        self._postings.append(ids, numbers)
        vector = numbers * self._idf.view[ids]
        norm = _length(vector) or 1.0
        common = _length(vector * self._is_common.view[ids]) / norm
        self._add_row(slot, ids, norm, common)
        self._change(1)

    def put_many(self, slots: Iterable[int], texts: Iterable[str]) -> None:
        """Encode texts into empty slots; statistics are brought up to date once, at the end."""
        slots, texts = np.fromiter(slots, np.int64), list(texts)
        self._row_of_slot.widen(int(slots.max(initial=-1)) + 1, -1)
        taken = slots[self._row_of_slot.view[slots] >= 0]
        if len(taken):
            raise ValueError(f"slot {taken[0]} is taken")
        for first in range(0, len(texts), _BATCH):
            counted = [Counter(tokenize(text)) for text in texts[first : first + _BATCH]]
            lengths = np.fromiter(map(len, counted), np.int64, len(counted))
            n = int(lengths.sum())
            ids = self._number(chain.from_iterable(counted), n)
            numbers = np.fromiter(chain.from_iterable(c.values() for c in counted), np.int32, n)
            self._postings.extend(lengths, ids, numbers)
            measured = self._measure(lengths, ids, numbers)
            self._add_rows(slots[first : first + _BATCH], ids, *measured)
        self._change(len(texts))

    def remove(self, slot: int) -> None:
        """Empty a slot."""
        row = self._row(slot)
        self._frequency.view[self._postings.row(row)[0]] -= 1
        self._slots.view[row] = self._row_of_slot.view[slot] = -1
        self._is_in_order = False
        self._inverse.view[row] = 0.0
        self._n_dead += 1
        if self._n_dead >= max(_MIN_DEAD, _DEAD_SHARE * len(self._postings)):
            self._sweep()
        self._change(1)

    def scores(self, query: str) -> np.ndarray:
        """Cosine with each slot, ndarray of shape (n_slots,), in [0, 1]."""
        if not len(self):
            return np.zeros(len(self._row_of_slot))
        sums: Floats = self.scorer(len(self._postings)).sum_rows(
            self._postings.table(), self._encode(query)
        )
        sums /= self._norms.view
        np.minimum(sums, 1.0, out=sums)
        if self._is_in_order:
            return sums
        scores = np.zeros(len(self._row_of_slot))
        alive = self._slots.view >= 0
        scores[self._slots.view[alive]] = sums[alive]
        return scores

    def shortlist(
        self,
        text: str,
        parts: Floats,
        part_of_slot: NDArray[np.int32],
        weight: float,
        listed: Callable[[], Listed],
        n: int,
    ) -> tuple[NDArray[np.int32], Floats] | None:
        """As `similarity.Shortlisting` says."""
        scorer = self.scorer(len(self._postings))
        if len(self._postings) < scorer.MIN_SHORTLISTED:
            return None
        slots, listed_from, most = listed()
        known = Known(
            parts, part_of_slot, self._slots.view, float(weight), self._row_of_slot.view[slots],
            listed_from, most,
        )  # fmt: skip
        query = self._encode(text)
        gain = query.shares**2 / np.maximum(self._frequency.view[query.ids], 1)
        # Each addition in single precision rounds by half an epsilon at most.
        slack = _EPSILON * (16 + len(query.ids))
        search = Search(
            self._postings.table(), query, self._is_common.view[query.ids], np.argsort(gain),
            known, self._inverse.view, self._common.view, slack,
        )  # fmt: skip
        found, sums = scorer.shortlist(search, n)
        return self._slots.view[found], np.minimum(sums / self._norms.view[found], 1.0)

    def explain(self, query: str, slot: int) -> tuple[Term, ...]:
        """The product of each shared term, largest first; they add up to the cosine."""
        encoded, row = self._encode(query), self._row(slot)
        shares = dict(zip(encoded.ids.tolist(), encoded.shares.tolist(), strict=True))
        ids, counts = self._postings.row(row)
        weights = counts * self._idf.view[ids] / self._norms.view[row]
        terms = [
            Term(self._vocabulary.words[i], shares[i], weight, shares[i] * weight)
            for i, weight in zip(ids.tolist(), weights.tolist(), strict=True)
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
            idf = self._idf.view
            words = self._vocabulary.words
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

    def _clear_rows(self) -> None:
        self._postings = Postings()
        self._norms = Growing(np.float64)
        self._inverse, self._common = Growing(np.float32), Growing(np.float32)
        self._slots, self._row_of_slot = Growing(np.int32), Growing(np.int64)
        self._n_dead = 0
        # Whether row i is slot i throughout, as it is until a text is removed.
        self._is_in_order = True

    def _row(self, slot: int) -> int:
        row = int(self._row_of_slot.view[slot]) if 0 <= slot < len(self._row_of_slot) else -1
        if row < 0:
            raise KeyError(slot)
        return row

    def _number(self, words: Iterable[str], n: int) -> NDArray[np.int32]:
        """The ids of n words; new words are added to the vocabulary."""
        ids = np.fromiter(map(self._vocabulary.__getitem__, words), np.int32, n)
        if len(self._vocabulary) > len(self._idf):
            for array in (self._idf, self._frequency, self._is_common):
                array.widen(len(self._vocabulary))
        return ids

    def _add_rows(
        self, slots: NDArray[np.int64], ids: NDArray[np.int32], norms: Floats, common: Floats
    ) -> None:
        """Note many rows that have just gone into the postings."""
        first = len(self._slots)
        self._slots.extend(slots)
        rows = np.arange(first, len(self._slots))
        self._row_of_slot.view[self._slots.view[first:]] = rows
        self._is_in_order &= bool((self._slots.view[first:] == rows).all())
        self._frequency.view[:] += np.bincount(ids, minlength=len(self._frequency))
        self._norms.extend(norms)
        self._inverse.extend(1.0 / norms)
        self._common.extend(common)

    def _add_row(self, slot: int, ids: NDArray[np.int32], norm: float, common: float) -> None:
        row = len(self._slots)
        self._slots.append(slot)
        self._row_of_slot.view[slot] = row
        self._is_in_order &= slot == row
        self._frequency.view[ids] += 1
        self._norms.append(norm)
        self._inverse.append(1.0 / norm)
        self._common.append(common)

    def _measure(
        self, n_terms: Iterable[int], ids: NDArray[np.int32], counts: NDArray[np.int32]
    ) -> tuple[Floats, Floats]:
        """The lengths of rows (1 for empty ones), and what their common terms have of length 1."""
        # The same arithmetic for one text as for all, so that a text weighs the same to the last
        # bit whether it was put now, measured at a refresh, or read back from a file.
        n_terms = np.asarray(n_terms)
        squares = counts * self._idf.view[ids]
        squares *= squares
        rows = np.repeat(np.arange(len(n_terms)), n_terms)
        norms = np.sqrt(np.bincount(rows, squares, minlength=len(n_terms)))
        squares *= self._is_common.view[ids]
        common = np.sqrt(np.bincount(rows, squares, minlength=len(n_terms)))
        norms[norms == 0.0] = 1.0
        return norms, common / norms

    def _set_idf(self, idf: Floats) -> None:
        self._idf = Growing(np.float64, idf)
        self._packed_idf = None
        self._is_common = Growing(np.bool_, (idf > 0) & (idf < 1 - math.log(_COMMON_SHARE)))
        starts, postings = self._postings.starts, self._postings
        for first in range(0, len(postings), _BATCH):
            bounds = starts[first : first + _BATCH + 1]
            span, some = slice(int(bounds[0]), int(bounds[-1])), slice(first, first + _BATCH)
            norms, common = self._measure(
                np.diff(bounds), postings.ids[span], postings.counts[span]
            )
            self._norms.view[some], self._inverse.view[some] = norms, 1.0 / norms
            self._common.view[some] = common
        self._inverse.view[self._slots.view < 0] = 0.0

    def _sweep(self) -> None:
        """Number the rows that are left anew."""
        old, row_of_slot = self._postings, self._row_of_slot
        slots, norms, common = (
            part.view.copy() for part in (self._slots, self._norms, self._common)
        )
        alive = slots >= 0
        self._clear_rows()
        lengths = np.diff(old.starts)
        is_kept = np.repeat(alive, lengths)
        self._postings.extend(lengths[alive], old.ids[is_kept], old.counts[is_kept])
        self._slots.extend(slots[alive])
        self._norms.extend(norms[alive])
        self._inverse.extend(1.0 / norms[alive])
        self._common.extend(common[alive])
        self._row_of_slot = row_of_slot
        row_of_slot.view[slots[alive]] = np.arange(len(self._slots))
        self._is_in_order = False

    def _change(self, n: int) -> None:
        self._n_changed += n
        if self._n_changed >= max(1.0, REFRESH_SHARE * self._n_at_refresh):
            self.refresh()

    def _encode(self, text: str) -> Query:
        counts = Counter(map(self._vocabulary.get, split_words(text)))
        counts.pop(None, None)
        ids = np.fromiter(counts, np.int32, len(counts))
        idf = self._idf.view[ids]
        shares = np.fromiter(counts.values(), np.float64, len(counts))
        shares *= idf
        shares /= _length(shares) or 1.0
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


def _length(vector: Floats) -> float:
    # A running sum, as `bincount` makes it: the same to the last bit.
    return math.sqrt((vector * vector).cumsum()[-1]) if len(vector) else 0.0
