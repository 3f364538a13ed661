"""The shop's search engine on disk: the scores of `search.SearchIndex`, but for few documents.

Postings lie in memory-mapped arrays, the documents of a term in ascending order. A query first
adds up its most telling terms for every document that holds them (H. Turtle and J. Flood, "Query
evaluation: strategies and optimizations", 1995: MaxScore). Once the terms that remain could not
lift any other document among the best, only the candidates found so far are looked up in them.
Sums are float32 on the way, so every comparison leaves a margin; the few documents that survive
are then scored exactly, term by term in the order of the query.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rememberer_nb.envs.webshop.search import MAX_HITS, inverse_frequency
from rememberer_nb.envs.webshop.storage import StringTable, load_array
from rememberer_nb.envs.webshop.terms import index_terms

Documents = NDArray[np.int32]
Scores = NDArray[np.float32]

# How many documents are scored in full, for each hit wanted, to raise the score to beat.
_N_PROBED = 2
# Above this many candidates for each posting, adding a whole term up beats looking them up.
_LOOK_UP_SHARE = 0.25


@dataclass(frozen=True, slots=True)
class _Term:
    """One term of a query: its postings, its weight (qtf · idf), and its highest score."""

    documents: Documents
    saturation: Scores
    weight: np.float32
    bound: float

    def scores(self, where: slice | NDArray[np.intp] = slice(None)) -> Scores:
        """The float32 terms of the score sum, at some of the postings."""
        return self.weight - self.weight / self.saturation[where]

    def look_up(self, documents: Documents) -> Scores:
        """The term's part of the scores of ascending documents, 0 where they lack it."""
        places = np.searchsorted(self.documents, documents)
        places[places == len(self.documents)] = 0
        return np.where(self.documents[places] == documents, self.scores(places), np.float32(0))


class RankedIndex:
    """The inverted index of a shop on disk; documents are numbered by ascending asin.

    Parameters
    ----------
    folder : of a whole index.
    n_documents : how many documents there are.
    """

    def __init__(self, folder: Path, n_documents: int):
        self._n_documents = n_documents
        self._terms = StringTable(folder, "terms")
        self._numbers = load_array(folder, "term_numbers")
        self._starts = load_array(folder, "posting_starts")
        self._peaks = load_array(folder, "peaks")
        self._documents = load_array(folder, "documents")
        self._saturation = load_array(folder, "saturation")

    def search(self, query: str, limit: int = MAX_HITS) -> Documents:
        """The documents that match a lower-case query, best first, at most `limit`."""
        counts = Counter(index_terms(query))
        terms = [t for text, count in counts.items() if (t := self._term(text, count))]
        if not terms:
            return np.zeros(0, np.int32)
        found = _Search(terms, self._n_documents, limit).candidates()
        scores = np.zeros(len(found))
        for term in terms:
            scores += term.look_up(found)
        order = np.argsort(-scores.astype(np.float32), kind="stable")
        return found[order[:limit]]

    def _term(self, text: str, count: int) -> _Term | None:
        place = self._terms.find(text)
        if place < 0:
            return None
        number = self._numbers[place]
        where = slice(int(self._starts[number]), int(self._starts[number + 1]))
        idf = inverse_frequency(self._n_documents, where.stop - where.start)
        weight = np.float32(count) * idf
        bound = float(weight - weight / self._peaks[number])
        return _Term(self._documents[where], self._saturation[where], weight, bound)


class _Search:
    """One query on its way: sums so far, bounds of what is to come, the score to beat."""

    def __init__(self, terms: list[_Term], n_documents: int, limit: int):
        self._terms = sorted(terms, key=lambda term: term.bound, reverse=True)
        self._limit = limit
        bounds = [term.bound for term in self._terms]
        # What terms i, i + 1, ... can add together.
        self._remaining = [*np.cumsum(bounds[::-1])[::-1].tolist(), 0.0]
        # Each of the additions, and the final rounding, errs by half a float32's last digit.
        epsilon = float(np.finfo(np.float32).eps)
        self._margin = epsilon * (len(terms) + 2) * self._remaining[0]
        self._sums = np.zeros(n_documents, np.float32)
        self._floor, self._to_beat = 0.0, 0.0

    def candidates(self) -> Documents:
        """Ascending documents among which the best `limit` surely are."""
        n_summed = n_postings = next_probe = 0
        for n_summed, term in enumerate(self._terms, start=1):
            self._add(term)
            n_postings += len(term.documents)
            if n_postings >= next_probe:
                self._probe(term, n_summed)
                next_probe = 2 * n_postings
            if self._remaining[n_summed] < self._to_beat - self._margin:
                break
        needed = self._to_beat - self._margin - self._remaining[n_summed]
        found = np.flatnonzero(self._sums >= max(needed, np.finfo(np.float32).tiny))
        return self._finish(found.astype(np.int32), n_summed)

    def _add(self, term: _Term) -> None:
        np.add.at(self._sums, term.documents.astype(np.intp), term.scores())

    def _probe(self, term: _Term, n_summed: int) -> None:
        """Raise the score to beat: score the best documents of this term in full."""
        sums = self._sums[term.documents]
        places = np.flatnonzero(sums > self._floor)
        if len(places) < self._limit:
            return
        n_probed = min(len(places), _N_PROBED * self._limit)
        best = np.argpartition(sums[places], len(places) - n_probed)[-n_probed:]
        documents = np.sort(term.documents[places[best]])
        scores = self._sums[documents]
        self._floor = max(self._floor, _nth_best(scores, self._limit))
        for other in self._terms[n_summed:]:
            scores = scores + other.look_up(documents)
        self._to_beat = max(self._to_beat, _nth_best(scores, self._limit))

    def _finish(self, found: Documents, n_summed: int) -> Documents:
        """Add the other terms for the candidates alone, dropping those that fall behind."""
        sums = self._sums[found]
        for i in range(n_summed, len(self._terms) + 1):
            if len(found) > self._limit:
                self._to_beat = max(self._to_beat, _nth_best(sums, self._limit))
                is_kept = sums >= self._to_beat - self._margin - self._remaining[i]
                found, sums = found[is_kept], sums[is_kept]
            if i < len(self._terms):
                sums = self._complete(self._terms[i], found, sums)
        return found

    def _complete(self, term: _Term, found: Documents, sums: Scores) -> Scores:
        if len(found) < _LOOK_UP_SHARE * len(term.documents):
            return sums + term.look_up(found)
        dense = np.zeros_like(self._sums)
        dense[term.documents] = term.scores()
        return sums + dense[found]


def _nth_best(scores: Scores, n: int) -> float:
    return float(np.partition(scores, len(scores) - n)[-n])
