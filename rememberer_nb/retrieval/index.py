"""The λ-weighted exact index over records.

total = λ · f_g(g, g') + (1 − λ) · f_o(o, o'), sorted by total, ties by total visits, then by
insertion order (paper, section 3.3, with exact ties made explicit). Each distinct task is scored
once, however many records share it. An observation similarity that has upper bounds (`Probe`) is
asked only for the scores that can still matter; hits and order are the same.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from rememberer_nb.retrieval.similarity import Probe, Similarity, text_to_compare


@dataclass(frozen=True, slots=True)
class Scored:
    """A record's score for a query."""

    record_id: int
    total: float
    task_similarity: float
    observation_similarity: float


# How many records are scored first where there are upper bounds; four times as many each time
# that they did not suffice.
_FIRST_SCORED = 256


class RecordIndex:
    """Combines two similarities; a record sits in a slot, and freed slots are used again."""

    def __init__(self, task_similarity: Similarity, observation_similarity: Similarity):
        self.task_similarity = task_similarity
        self.observation_similarity = observation_similarity
        self._slot_of: dict[int, int] = {}
        self._free: list[int] = []
        self._record_ids = np.zeros(0, dtype=np.int64)
        self._n_visits = np.zeros(0, dtype=np.int64)
        self._task_slots = np.zeros(0, dtype=np.intp)
        self._tasks: dict[str, int] = {}
        self._task_texts: dict[int, str] = {}
        self._task_users: dict[int, int] = {}
        self._free_tasks: list[int] = []

    def __len__(self) -> int:
        return len(self._slot_of)

    def add(self, record_id: int, task: str, observation: str, n_visits: int = 0) -> None:
        """Encode a record once; it is visible to the next query."""
        slot = self._free.pop() if self._free else len(self._slot_of)
        self._grow(slot + 1)
        self.observation_similarity.put(slot, self.query_text(task, observation))
        self._slot_of[record_id] = slot
        self._record_ids[slot] = record_id
        self._n_visits[slot] = n_visits
        self._task_slots[slot] = self._use_task(self.query_task(task, observation))

    def remove(self, record_id: int) -> None:
        """Forget a record; the next query does not see it."""
        slot = self._slot_of.pop(record_id)
        self.observation_similarity.remove(slot)
        self._record_ids[slot] = -1
        self._free.append(slot)
        task_slot = int(self._task_slots[slot])
        self._task_users[task_slot] -= 1
        if not self._task_users[task_slot]:
            self.task_similarity.remove(task_slot)
            del self._tasks[self._task_texts.pop(task_slot)]
            self._free_tasks.append(task_slot)

    def set_visits(self, record_id: int, n_visits: int) -> None:
        """Tell the index a record's total visits, which break ties."""
        self._n_visits[self._slot_of[record_id]] = n_visits

    def search(
        self, task: str, observation: str, task_weight: float, n_first: int = 2
    ) -> Iterator[Scored]:
        """All records from the best, lazily: only as many are sorted as are asked for.

        The query is scored when this is called; later changes of the memory do not disturb an
        iterator that is under way.
        """
        if not self._slot_of:
            return iter(())
        text = self.query_text(task, observation)
        by_task = self.task_similarity.scores(self.query_task(task, observation))
        probe = getattr(self.observation_similarity, "probe", None)
        if probe is not None:
            return self._search_pruned(probe(text), by_task, task_weight, max(1, n_first))
        by_observation = self.observation_similarity.scores(text)
        n_slots = len(by_observation)
        by_task = by_task[self._task_slots[:n_slots]]
        total = task_weight * by_task + (1 - task_weight) * by_observation
        alive = self._record_ids[:n_slots] >= 0
        columns = (
            self._record_ids[:n_slots][alive],
            self._n_visits[:n_slots][alive],
            total[alive],
            by_task[alive],
            by_observation[alive],
        )
        return _best_first(columns, max(1, n_first))

    def explain_slots(self, record_id: int) -> tuple[int, int]:
        """The slots of a record in the task and the observation similarity."""
        slot = self._slot_of[record_id]
        return int(self._task_slots[slot]), slot

    def query_text(self, task: str, observation: str) -> str:
        """What the observation similarity reads of a query."""
        return text_to_compare(self.observation_similarity.reads, task, observation)

    def query_task(self, task: str, observation: str) -> str:
        """What the task similarity reads of a query: the task, unless it asks for more."""
        reads = self.task_similarity.reads
        if reads not in ("instruction", "pair"):
            return task
        return text_to_compare(reads, task, observation)

    def refresh(self) -> None:
        """Refresh both similarities."""
        self.task_similarity.refresh()
        self.observation_similarity.refresh()

    def _search_pruned(
        self, probe: Probe, by_task: np.ndarray, task_weight: float, n_first: int
    ) -> Iterator[Scored]:
        slots = np.flatnonzero(self._record_ids >= 0)
        by_task = by_task[self._task_slots[slots]]
        ceiling = task_weight * by_task + (1 - task_weight) * probe.bounds[slots]
        columns = (self._record_ids[slots], self._n_visits[slots], ceiling, by_task, slots)
        return _best_first_pruned(columns, probe, task_weight, max(_FIRST_SCORED, 4 * n_first))

    def _use_task(self, task: str) -> int:
        if task not in self._tasks:
            slot = self._free_tasks.pop() if self._free_tasks else len(self._tasks)
            self.task_similarity.put(slot, task)
            self._tasks[task] = slot
            self._task_texts[slot] = task
            self._task_users[slot] = 0
        self._task_users[self._tasks[task]] += 1
        return self._tasks[task]

    def _grow(self, n_slots: int) -> None:
        if n_slots > len(self._record_ids):
            more = max(64, len(self._record_ids))
            self._record_ids = np.concatenate([self._record_ids, np.full(more, -1)])
            self._n_visits = np.concatenate([self._n_visits, np.zeros(more, dtype=np.int64)])
            self._task_slots = np.concatenate([self._task_slots, np.zeros(more, dtype=np.intp)])


def _best_first(columns: tuple[np.ndarray, ...], n_first: int) -> Iterator[Scored]:
    record_ids, n_visits, total, by_task, by_observation = columns
    n_done, n_wanted = 0, n_first
    while n_done < len(total):
        n_wanted = min(n_wanted, len(total))
        # Every record that ties with the last one wanted is sorted too, so the order is exact.
        threshold = np.partition(total, -n_wanted)[-n_wanted]
        rows = np.flatnonzero(total >= threshold)
        order = rows[np.lexsort((record_ids[rows], -n_visits[rows], -total[rows]))]
        for i in order[n_done:].tolist():
            yield Scored(
                int(record_ids[i]), float(total[i]), float(by_task[i]), float(by_observation[i])
            )
        n_done, n_wanted = len(order), 4 * n_wanted


def _best_first_pruned(
    columns: tuple[np.ndarray, ...], probe: Probe, task_weight: float, n_scored: int
) -> Iterator[Scored]:
    """As `_best_first`, from the ceilings of the totals: what cannot win yet is not scored.

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
        total[rows] = task_weight * by_task[rows] + (1 - task_weight) * by_observation[rows]
        waiting = np.concatenate([waiting, rows])
        # What has not been scored stays below the floor, so these come before all of it.
        is_sure = total[waiting] >= floor
        sure, waiting = waiting[is_sure], waiting[~is_sure]
        for i in sure[np.lexsort((record_ids[sure], -n_visits[sure], -total[sure]))].tolist():
            yield Scored(
                int(record_ids[i]), float(total[i]), float(by_task[i]), float(by_observation[i])
            )
        above, n_scored = floor, 4 * n_scored
