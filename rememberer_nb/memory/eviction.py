"""Eviction policies: which record a full memory gives up to make room for a new one.

All choose among the records that are held *before* the new one comes in, so a full memory goes on
learning: what is new is always taken. A choice costs O(log n), and `Redundancy` a query or two
besides, whatever the size of the memory.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Protocol

from rememberer_nb.elements import Hit, Record
from rememberer_nb.errors import ConfigError
from rememberer_nb.memory.held import Unread

# Of a record: its similarity to the nearest other one, and that one's id.
Neighbour = tuple[float, int]


class Evictable(Protocol):
    """What a policy may look at: a memory, read-only."""

    def record(self, record_id: int) -> Record:
        """The record with that id."""
        ...

    def retrieve(self, task: str, observation: str, n_exemplars: int = 2) -> Iterable[Hit]:
        """The most similar records, best first."""
        ...


class Eviction(Protocol):
    """Chooses the record to give up. It is told of every record that comes, changes and goes."""

    changes: dict[int, Neighbour | None]

    def put(self, record: Unread) -> None:
        """A record is new or has changed."""
        ...

    def forget(self, record_id: int) -> None:
        """A record is gone."""
        ...

    def settle(self, memory: Evictable) -> None:
        """Do the work that is due, so that it does not pile up until the memory is full."""
        ...

    def choose(self, memory: Evictable) -> int:
        """The record id."""
        ...

    def neighbours(self) -> dict[int, Neighbour]:
        """All that `changes` has told so far, for `restore`."""
        ...

    def restore(self, neighbours: Mapping[int, Neighbour]) -> None:
        """Take over what `changes` told the store, after all records were put."""
        ...


class _Queue:
    """Ids by key, least first. A changed or discarded id leaves an entry that is passed over."""

    def __init__(self) -> None:
        self._keys: dict[int, Any] = {}
        self._heap: list[tuple[Any, int]] = []

    def put(self, record_id: int, key: Any) -> None:
        if self._keys.get(record_id) == key:
            return
        self._keys[record_id] = key
        heapq.heappush(self._heap, (key, record_id))
        if len(self._heap) > 2 * len(self._keys) + 64:
            self._heap = [(key, record_id) for record_id, key in self._keys.items()]
            heapq.heapify(self._heap)

    def discard(self, record_id: int) -> None:
        self._keys.pop(record_id, None)

    def first(self) -> int:
        while True:
            key, record_id = self._heap[0]
            if self._keys.get(record_id) == key:
                return record_id
            heapq.heappop(self._heap)


class _ByKey:
    """A policy that needs no more than a key of each record."""

    def __init__(self) -> None:
        self.changes: dict[int, Neighbour | None] = {}
        self._queue = _Queue()

    def put(self, record: Unread) -> None:
        """A record is new or has changed."""
        self._queue.put(record.record_id, self._key(record))

    def forget(self, record_id: int) -> None:
        """A record is gone."""
        self._queue.discard(record_id)

    def settle(self, memory: Evictable) -> None:
        """Nothing is ever due."""

    def choose(self, memory: Evictable) -> int:
        """The record id."""
        return self._queue.first()

    def neighbours(self) -> dict[int, Neighbour]:
        """The records themselves are all there is to know."""
        return {}

    def restore(self, neighbours: Mapping[int, Neighbour]) -> None:
        """Nothing is told."""

    def _key(self, record: Unread) -> Any:
        raise NotImplementedError


class LeastVisited(_ByKey):
    """The record with the fewest updates; of equals the oldest."""

    def _key(self, record: Unread) -> Any:
        return record.n_visits


class Oldest(_ByKey):
    """The record that came in first."""

    def _key(self, record: Unread) -> Any:
        return record.record_id


class Redundancy:
    """Of the two most similar records the less visited; of equals the older.

    The paper removes what is nearly said twice (section 3.2). A new record is compared with all,
    and its nearest neighbour is remembered, so the most similar pair is known to its younger half.
    Once a neighbour is evicted, the similarity to it is an upper bound of what is left: it is
    looked up again only if it comes out on top. A choice so costs a query or two rather than all
    pairs. Similarities are those at the time of comparison: between two refreshes of the corpus
    statistics they are exact. Neighbours are stored with the memory, so that a run that is resumed
    chooses as one that was not stopped.
    """

    def __init__(self) -> None:
        self.changes: dict[int, Neighbour | None] = {}
        self._n_visits: dict[int, int] = {}
        self._nearest: dict[int, Neighbour] = {}
        self._waiting: set[int] = set()
        self._queue = _Queue()

    def put(self, record: Unread) -> None:
        """A record is new or has changed."""
        if record.record_id not in self._n_visits:
            self._waiting.add(record.record_id)
        self._n_visits[record.record_id] = record.n_visits

    def forget(self, record_id: int) -> None:
        """A record is gone."""
        del self._n_visits[record_id]
        self._waiting.discard(record_id)
        self._queue.discard(record_id)
        if self._nearest.pop(record_id, None) is not None:
            self.changes[record_id] = None

    def settle(self, memory: Evictable) -> None:
        """Compare the records that have not been compared yet."""
        # In order of their ids, so that it does not matter how they came to wait.
        for record_id in sorted(self._waiting):
            self._compare(memory, record_id)

    def choose(self, memory: Evictable) -> int:
        """The record id."""
        if len(self._n_visits) == 1:
            return next(iter(self._n_visits))
        self.settle(memory)
        while (pair := self._top_pair())[1] not in self._n_visits:
            self._compare(memory, pair[0])
        return min(pair, key=lambda record_id: (self._n_visits[record_id], record_id))

    def neighbours(self) -> dict[int, Neighbour]:
        """The nearest neighbour of each record that has been compared."""
        return dict(self._nearest)

    def restore(self, neighbours: Mapping[int, Neighbour]) -> None:
        """Take over the neighbours of the records that are still held."""
        for record_id, (similarity, other) in neighbours.items():
            if record_id in self._n_visits:
                self._set(record_id, similarity, other)
        self.changes = {}

    def _top_pair(self) -> tuple[int, int]:
        first = self._queue.first()
        return first, self._nearest[first][1]

    def _compare(self, memory: Evictable, record_id: int) -> None:
        record = memory.record(record_id)
        hits = memory.retrieve(record.task, record.observation, n_exemplars=2)
        nearest = next((hit for hit in hits if hit.record.record_id != record_id), None)
        if nearest is None:
            return
        other = nearest.record.record_id
        self._set(record_id, nearest.total, other)
        if other in self._nearest and self._nearest[other][0] < nearest.total:
            self._set(other, nearest.total, record_id)

    def _set(self, record_id: int, similarity: float, other: int) -> None:
        self._waiting.discard(record_id)
        self._nearest[record_id] = self.changes[record_id] = (similarity, other)
        self._queue.put(record_id, -similarity)


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
