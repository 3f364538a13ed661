"""Eviction policies: which record a full memory gives up to make room for a new one.

All choose among the records that are held *before* the new one comes in, so a full memory goes on
learning: what is new is always taken.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Protocol

from rememberer_nb.elements import Hit, Record
from rememberer_nb.errors import ConfigError


class Evictable(Protocol):
    """What a policy may look at: a memory, read-only."""

    def __iter__(self) -> Iterator[Record]: ...

    def retrieve(self, task: str, observation: str, n_exemplars: int = 2) -> Iterable[Hit]:
        """The most similar records, best first."""
        ...


class Eviction(Protocol):
    """Chooses the record to give up."""

    def choose(self, memory: Evictable) -> int:
        """The record id."""
        ...


class LeastVisited:
    """The record with the fewest updates; of equals the oldest."""

    def choose(self, memory: Evictable) -> int:
        """The record id."""
        return min(memory, key=lambda record: (record.n_visits, record.record_id)).record_id


class Oldest:
    """The record that came in first."""

    def choose(self, memory: Evictable) -> int:
        """The record id."""
        return min(record.record_id for record in memory)


class Redundancy:
    """Of the two most similar records the less visited; of equals the older.

    The paper removes what is nearly said twice (section 3.2). Each record's nearest neighbour is
    remembered; when a neighbour is evicted it is looked up again, and a new record is compared
    with all, so a choice costs a few queries rather than all pairs. Similarities are those at the
    time of comparison: between two refreshes of the corpus statistics they are exact.
    """

    def __init__(self) -> None:
        self._nearest: dict[int, tuple[float, int]] = {}

    def choose(self, memory: Evictable) -> int:
        """The record id."""
        records = {record.record_id: record for record in memory}
        if len(records) == 1:
            return next(iter(records))
        self._forget_gone(records)
        # Listed first: a comparison may give another of them a neighbour, not yet its nearest.
        for record in [r for r in records.values() if r.record_id not in self._nearest]:
            self._compare(memory, record)
        first = min(self._nearest, key=lambda i: (-self._nearest[i][0], i))
        pair = (first, self._nearest[first][1])
        return min(pair, key=lambda i: (records[i].n_visits, i))

    def _forget_gone(self, records: dict[int, Record]) -> None:
        self._nearest = {
            record_id: (similarity, other)
            for record_id, (similarity, other) in self._nearest.items()
            if record_id in records and other in records
        }

    def _compare(self, memory: Evictable, record: Record) -> None:
        hits = memory.retrieve(record.task, record.observation, n_exemplars=2)
        others = (hit for hit in hits if hit.record.record_id != record.record_id)
        nearest = next(iter(others))
        other = nearest.record.record_id
        self._nearest[record.record_id] = (nearest.total, other)
        if self._nearest.get(other, (-1.0, 0))[0] < nearest.total:
            self._nearest[other] = (nearest.total, record.record_id)


_POLICIES: dict[str, Callable[[], Eviction]] = {
    "redundancy": Redundancy,
    "least_visited": LeastVisited,
    "oldest": Oldest,
}


def make_eviction(name: str) -> Eviction:
    """A new policy of that name.

    >>> type(make_eviction("oldest")).__name__
    'Oldest'
    """
    if name not in _POLICIES:
        raise ConfigError(f"no eviction policy is named {name!r}; known: {', '.join(_POLICIES)}")
    return _POLICIES[name]()
