"""The best of many scored records first, sorted only as far as somebody asks.

The order is total: by score, ties by visits, then by insertion order.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np

from rememberer_nb.retrieval.fast.protocols import Probe

# Record ids, visits, totals, task and observation similarities: one ndarray each, a row per record.
Columns = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]


class Scored(NamedTuple):
    """A record's score for a query."""

    record_id: int
    total: float
    task_similarity: float
    observation_similarity: float


def weighted_similarity(
    task_weight: float, by_task: np.ndarray, by_observation: np.ndarray
) -> np.ndarray:
    """total = λ · f_g + (1 − λ) · f_o (paper, section 3.3)."""
    total: np.ndarray = task_weight * by_task + (1 - task_weight) * by_observation
    return total


class Shortlist(Iterator[Scored]):
    """Best first, from shortlists that grow fourfold; in the end from all records.

    `finish` takes what is left before the records change. The order of records is total, so what
    was handed out is a beginning of every later and longer ranking.
    """

    def __init__(
        self,
        all_columns: Callable[[], Columns],
        longer: Callable[[int], Columns | None],
        columns: Columns,
        n: int,
    ):
        self._all_columns, self._longer, self._n = all_columns, longer, n
        self._ready: deque[Scored] = deque()
        self._n_ready = 0
        self._rest: Iterator[Scored] | None = None
        self._add_hits(columns)

    def __next__(self) -> Scored:
        if not self._ready and self._rest is None:
            self._add_hits(self._longer(self._n))
        if self._ready:
            return self._ready.popleft()
        assert self._rest is not None
        return next(self._rest)

    def finish(self) -> None:
        """Score all records now."""
        if self._rest is None:
            self._rest = best_first(self._all_columns(), self._n_ready + self._n, self._n_ready)

    def _add_hits(self, columns: Columns | None) -> None:
        hits = [] if columns is None else list(_first_hits(columns, self._n))
        if len(hits) < self._n:
            self.finish()
            return
        self._ready.extend(hits[self._n_ready :])
        self._n_ready, self._n = len(hits), 4 * len(hits)


def _first_hits(columns: Columns, n: int) -> Iterator[Scored]:
    """The n best records and those that tie with the last of them, the best first."""
    total = columns[2]
    rows = np.arange(len(total))
    if n < len(total):
        # Every record that ties with the last one wanted is sorted too, so the order is exact.
        ordered = total.copy()
        ordered.partition(-n)
        rows = (total >= ordered[-n]).nonzero()[0]
    # Mostly very few, which the arrays' own sort takes longer for.
    found = zip(*(column[rows].tolist() for column in columns), strict=True)
    for record_id, _, score, by_task, by_observation in sorted(found, key=_by_rank):
        yield Scored(record_id, score, by_task, by_observation)


def _by_rank(row: tuple[int, int, float, float, float]) -> tuple[float, int, int]:
    record_id, n_visits, total, *_ = row
    return -total, -n_visits, record_id


def best_first(columns: Columns, n_wanted: int, n_done: int = 0) -> Iterator[Scored]:
    """All records but the first `n_done`, sorted only as far as they are asked for."""
    n_all = len(columns[0])
    while n_done < n_all:
        n_wanted = min(n_wanted, n_all)
        hits = list(_first_hits(columns, n_wanted))
        yield from hits[n_done:]
        n_done, n_wanted = len(hits), 4 * n_wanted


def best_first_pruned(
    columns: tuple[np.ndarray, ...], probe: Probe, task_weight: float, n_scored: int
) -> Iterator[Scored]:
    """As `best_first`, from the ceilings of the totals: what cannot win yet is not scored.

    The totals are worked out as everywhere else, and a rounded sum of larger terms is never the
    smaller one, so a ceiling holds to the last bit.
    """
    record_ids, n_visits, ceiling, by_task, slots = columns
    above, waiting = np.inf, np.zeros(0, dtype=np.intp)
    by_observation, total = np.zeros(len(slots)), np.zeros(len(slots))
    while len(slots) and above > -np.inf:
        n_scored = min(n_scored, len(slots))
        floor = np.partition(ceiling, -n_scored)[-n_scored] if n_scored < len(slots) else -np.inf
        rows = np.flatnonzero((ceiling >= floor) & (ceiling < above))
        by_observation[rows] = probe.scores(slots[rows])
        total[rows] = weighted_similarity(task_weight, by_task[rows], by_observation[rows])
        waiting = np.concatenate([waiting, rows])
        # What has not been scored stays below the floor, so these come before all of it.
        is_sure = total[waiting] >= floor
        sure, waiting = waiting[is_sure], waiting[~is_sure]
        for i in sure[np.lexsort((record_ids[sure], -n_visits[sure], -total[sure]))].tolist():
            yield Scored(
                int(record_ids[i]), float(total[i]), float(by_task[i]), float(by_observation[i])
            )
        above, n_scored = floor, 4 * n_scored
