"""In which order retrieved records become exemplars: the paper's by similarity, or by value.

Named by `RetrievalConfig.ranking`; a ranking only reorders hits, so whatever builds exemplars of
hits takes any of them.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Callable, Iterable, Iterator
from typing import Protocol

from rememberer_nb.config import RetrievalConfig
from rememberer_nb.elements import Hit


class Ranking(Protocol):
    """Reorders hits, lazily past what it needs to look at."""

    n_candidates: int

    def rank(self, hits: Iterable[Hit]) -> Iterator[Hit]:
        """The same hits, in the order in which they are to be shown."""
        ...


class BySimilarity:
    """As they come (paper, section 3.3)."""

    n_candidates = 0

    def rank(self, hits: Iterable[Hit]) -> Iterator[Hit]:
        """The hits as they come."""
        return iter(hits)


class TwoPhase:
    """First the k most similar, then those by value: max_a Q, of equals the more similar.

    Similar but useless records thus make room for useful ones. Source: MemRL (Zhang et al. 2026,
    arXiv 2601.03192), two-phase retrieval; there, similarity and value may be mixed in the second
    phase, here the value alone decides.

    Examples
    --------
    >>> from rememberer_nb.elements import ActionValue, Record
    >>> records = [Record(i, "g", "o", (), (ActionValue("a", q, 1),)) for i, q in enumerate((0, 1))]
    >>> hits = [Hit(i, 1 - i / 10, 1, 1, record) for i, record in enumerate(records)]
    >>> [(hit.rank, hit.record.record_id) for hit in TwoPhase(2).rank(hits)]
    [(0, 1), (1, 0)]
    """

    def __init__(self, n_candidates: int):
        self.n_candidates = n_candidates

    def rank(self, hits: Iterable[Hit]) -> Iterator[Hit]:
        """The hits with new ranks; past the candidates, in the order in which they come."""
        hits = iter(hits)
        candidates = list(itertools.islice(hits, self.n_candidates))
        candidates.sort(key=lambda hit: (-hit.record.max_q, hit.rank))
        ranked = itertools.chain(candidates, hits)
        return (dataclasses.replace(hit, rank=rank) for rank, hit in enumerate(ranked))


_RANKINGS: dict[str, Callable[[RetrievalConfig], Ranking]] = {
    "similarity": lambda config: BySimilarity(),
    "two_phase": lambda config: TwoPhase(config.n_candidates),
}


def make_ranking(config: RetrievalConfig) -> Ranking:
    """The ranking that the settings name.

    >>> type(make_ranking(RetrievalConfig())).__name__
    'BySimilarity'
    """
    return _RANKINGS[config.ranking](config)
