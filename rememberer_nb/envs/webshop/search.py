"""The shop's search engine: BM25 over an inverted index, with Lucene's arithmetic.

score(d) = Σ_t  w − w / (1 + tf / (k1 · (1 − b + b · dl / avgdl)))
with     w = qtf · ln(1 + (N − df + 0.5) / (df + 0.5))

for each term t of the query: tf and qtf are its counts in the document and the query, df the
number of documents that hold it, dl the number of terms of d in Lucene's one-byte code. Each term
of the sum is a float32; so is the order of the results reproducible (ties: by asin).
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from rememberer_nb.envs.webshop.terms import index_terms

MAX_HITS = 50
_K1 = np.float32(0.9)
_B = np.float32(0.4)
_EXACT_BELOW = 24
_KEPT_BITS = 4


def coded_length(n_terms: int) -> int:
    """A document length as Lucene's one-byte code keeps it.

    Lengths below 24 stay; of what exceeds 24 the four highest bits are kept.

    >>> [coded_length(n) for n in (23, 24, 39, 40, 41, 57, 100)]
    [23, 24, 39, 40, 40, 56, 96]
    """
    if n_terms < _EXACT_BELOW:
        return n_terms
    rest = n_terms - _EXACT_BELOW
    shift = max(rest.bit_length() - _KEPT_BITS, 0)
    return _EXACT_BELOW + (rest >> shift << shift)


def length_norms(n_terms: NDArray[np.int32]) -> NDArray[np.float32]:
    """1 / (k1 · (1 − b + b · dl / avgdl)) of each document, from its number of terms.

    avgdl is the exact mean length of the documents that hold any term.

    >>> [round(norm, 4) for norm in length_norms(np.array([10, 10, 0], np.int32)).tolist()]
    [1.1111, 1.1111, 1.8519]
    """
    one = np.float32(1)
    average = np.float32(int(n_terms.sum()) / max(int(np.count_nonzero(n_terms)), 1) or 1)
    lengths, places = np.unique(n_terms, return_inverse=True)
    coded = np.array([coded_length(n) for n in lengths.tolist()], np.float32)
    return (one / (_K1 * ((one - _B) + _B * coded / average)))[places]


def saturation(counts: NDArray[np.int32], norms: NDArray[np.float32]) -> NDArray[np.float32]:
    """1 + tf · norm for each posting: by how much the weight of its term is divided."""
    return np.float32(1) + counts.astype(np.float32) * norms


def inverse_frequency(n_documents: int, n_holding: int) -> np.float32:
    """The idf of a term that `n_holding` of the documents hold.

    >>> float(inverse_frequency(3, 1)) == float(np.float32(math.log(1 + 2.5 / 1.5)))
    True
    """
    return np.float32(math.log(1 + (n_documents - n_holding + 0.5) / (n_holding + 0.5)))


class SearchIndex:
    """An inverted index over the catalogue; immutable after construction.

    Parameters
    ----------
    documents : (asin, text) pairs; texts are lower-case.

    Examples
    --------
    >>> index = SearchIndex([("B2", "red lamp"), ("B1", "blue lamp"), ("B3", "red shoe")])
    >>> index.search("red lamps"), index.search("the lamp"), index.search("moon")
    (('B2', 'B1', 'B3'), ('B1', 'B2'), ())
    """

    def __init__(self, documents: Iterable[tuple[str, str]]):
        ordered = sorted(documents)
        self._asins = tuple(asin for asin, _ in ordered)
        counts: dict[str, list[tuple[int, int]]] = {}
        lengths = []
        for number, (_, text) in enumerate(ordered):
            terms = index_terms(text)
            lengths.append(len(terms))
            for term, count in Counter(terms).items():
                counts.setdefault(term, []).append((number, count))
        self._fill(counts, lengths)

    def _fill(self, counts: dict[str, list[tuple[int, int]]], lengths: list[int]) -> None:
        postings = np.array([p for found in counts.values() for p in found], np.int32)
        postings = postings.reshape(-1, 2)
        self._documents = np.ascontiguousarray(postings[:, 0])
        norms = length_norms(np.array(lengths, np.int32))
        self._saturation = saturation(postings[:, 1], norms[self._documents])
        ends = np.cumsum([len(found) for found in counts.values()], dtype=np.int64).tolist()
        n = len(self._asins)
        self._terms = {
            term: (slice(end - len(found), end), inverse_frequency(n, len(found)))
            for (term, found), end in zip(counts.items(), ends, strict=True)
        }

    def search(self, query: str, limit: int = MAX_HITS) -> tuple[str, ...]:
        """The asins that match a lower-case query, best first, at most `limit`."""
        scores = np.zeros(len(self._asins))
        is_hit = False
        for term, count in Counter(index_terms(query)).items():
            found = self._terms.get(term)
            if found is not None:
                where, idf = found
                weight = np.float32(count) * idf
                scores[self._documents[where]] += weight - weight / self._saturation[where]
                is_hit = True
        return self._best(scores.astype(np.float32), limit) if is_hit else ()

    def _best(self, scores: NDArray[np.float32], limit: int) -> tuple[str, ...]:
        hits = np.flatnonzero(scores)
        if len(hits) > limit:
            found = scores[hits]
            hits = hits[found >= np.partition(found, len(found) - limit)[-limit]]
        order = np.argsort(-scores[hits], kind="stable")[:limit]
        return tuple(self._asins[i] for i in hits[order].tolist())
