"""The λ-weighted exact index over records.

total = λ · f_g(g, g') + (1 − λ) · f_o(o, o'), sorted by total, ties by total visits, then by
insertion order (paper, section 3.3, with exact ties made explicit). Each distinct task is scored
once, however many records share it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from rememberer_nb.retrieval.similarity import Similarity


@dataclass(frozen=True, slots=True)
class Scored:
    """A record's score for a query."""

    record_id: int
    total: float
    task_similarity: float
    observation_similarity: float


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
        self._task_users: dict[int, int] = {}
        self._free_tasks: list[int] = []

    def __len__(self) -> int:
        return len(self._slot_of)

    def add(self, record_id: int, task: str, observation: str, n_visits: int = 0) -> None:
        """Encode a record once; it is visible to the next query."""
        slot = self._free.pop() if self._free else len(self._slot_of)
        self._grow(slot + 1)
        self.observation_similarity.put(slot, self._text(task, observation))
        self._slot_of[record_id] = slot
        self._record_ids[slot] = record_id
        self._n_visits[slot] = n_visits
        self._task_slots[slot] = self._use_task(task)

    def remove(self, record_id: int, task: str) -> None:
        """Forget a record; the next query does not see it."""
        slot = self._slot_of.pop(record_id)
        self.observation_similarity.remove(slot)
        self._record_ids[slot] = -1
        self._free.append(slot)
        task_slot = self._tasks[task]
        self._task_users[task_slot] -= 1
        if not self._task_users[task_slot]:
            self.task_similarity.remove(task_slot)
            del self._tasks[task]
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
        by_observation = self.observation_similarity.scores(self._text(task, observation))
        n_slots = len(by_observation)
        by_task = self.task_similarity.scores(task)[self._task_slots[:n_slots]]
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

    def explain_slots(self, record_id: int, task: str) -> tuple[int, int]:
        """The slots of a record in the task and the observation similarity."""
        return self._tasks[task], self._slot_of[record_id]

    def query_text(self, task: str, observation: str) -> str:
        """What the observation similarity reads of a query."""
        return self._text(task, observation)

    def refresh(self) -> None:
        """Refresh both similarities."""
        self.task_similarity.refresh()
        self.observation_similarity.refresh()

    def _text(self, task: str, observation: str) -> str:
        if self.observation_similarity.reads == "both":
            return f"{task} {observation}"
        return observation

    def _use_task(self, task: str) -> int:
        if task not in self._tasks:
            slot = self._free_tasks.pop() if self._free_tasks else len(self._tasks)
            self.task_similarity.put(slot, task)
            self._tasks[task] = slot
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
