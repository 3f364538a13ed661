"""The λ-weighted exact index over records.

total = λ · f_g(g, g') + (1 − λ) · f_o(o, o'), sorted by total, ties by total visits, then by
insertion order (paper, section 3.3, with exact ties made explicit). Each distinct task is scored
once, however many records share it. An observation similarity that has upper bounds (`Probe`) or
finds the best by itself (`Shortlisting`) is asked only for the scores that can still matter; hits
and order are the same.

Any number of threads may search at the same time; changes must not run beside anything else.
"""

from __future__ import annotations

import weakref
from collections.abc import Iterator, Sequence

import numpy as np

from rememberer_nb.retrieval.fast.best_first import (
    Columns,
    Scored,
    Shortlist,
    best_first,
    best_first_pruned,
    weighted_similarity,
)
from rememberer_nb.retrieval.fast.growing import Growing
from rememberer_nb.retrieval.fast.protocols import Probe
from rememberer_nb.retrieval.similarity import Similarity, text_to_compare
from rememberer_nb.retrieval.tasks import TaskTable
from rememberer_nb.retrieval.vectors import Vectors

# How many records are scored first where there are upper bounds; four times as many each time
# that they did not suffice.
_FIRST_SCORED = 256
# Beyond so many hits all records are scored and sorted.
_MAX_SHORTLISTED = 64

Key = tuple[int, str, str, int]


class RecordIndex:
    """Combines two similarities; a record sits in a slot, and freed slots are used again."""

    def __init__(
        self,
        task_similarity: Similarity,
        observation_similarity: Similarity,
        vectors: Vectors | None = None,
    ):
        if vectors is not None:
            vectors.share_with(task_similarity, observation_similarity)
        self.task_similarity = task_similarity
        self.observation_similarity = observation_similarity
        self._slot_of: dict[int, int] = {}
        self._free: list[int] = []
        self._record_ids, self._n_visits = Growing(np.int64), Growing(np.int64)
        self._tasks = TaskTable()
        self._last_task: tuple[str, np.ndarray] | None = None
        self._under_way: weakref.WeakSet[Shortlist] = weakref.WeakSet()

    def __len__(self) -> int:
        return len(self._slot_of)

    @property
    def nbytes(self) -> int:
        """Bytes of the arrays; of the similarities those that say so (`nbytes`)."""
        parts = (self._record_ids.view, self._n_visits.view, self._tasks)
        similarities = (self.task_similarity, self.observation_similarity)
        return sum(p.nbytes for p in parts) + sum(getattr(s, "nbytes", 0) for s in similarities)

    def add(self, record_id: int, task: str, observation: str, n_visits: int = 0) -> None:
        """Encode a record once; it is visible to the next query.

        A similarity that fails leaves nothing behind: the record is registered last.
        """
        self._finish_searches()
        slot = self._free[-1] if self._free else len(self._slot_of)
        self.observation_similarity.put(slot, self.query_text(task, observation))
        task_text = self.query_task(task, observation)
        is_new = task_text not in self._tasks
        number = self._tasks.use(task_text, slot)
        if is_new:
            self._last_task = None
            try:
                self.task_similarity.put(number, task_text)
            except BaseException:
                self._tasks.release(slot)
                self.observation_similarity.remove(slot)
                raise
        self._new_slot(record_id, n_visits)

    def add_many(self, records: Sequence[Key]) -> None:
        """Encode (record id, task, observation, visits) of each; faster than one by one."""
        self._finish_searches()
        slots, texts, tasks = [], [], {}
        for record_id, task, observation, n_visits in records:
            slot = self._new_slot(record_id, n_visits)
            slots.append(slot)
            texts.append(self.query_text(task, observation))
            task_text = self.query_task(task, observation)
            is_new = task_text not in self._tasks
            number = self._tasks.use(task_text, slot)
            if is_new:
                tasks[number] = task_text
        self._last_task = None
        _put_many(self.observation_similarity, slots, texts)
        _put_many(self.task_similarity, list(tasks), list(tasks.values()))

    def remove(self, record_id: int) -> None:
        """Forget a record; the next query does not see it."""
        self._finish_searches()
        slot = self._slot_of.pop(record_id)
        self.observation_similarity.remove(slot)
        self._record_ids.view[slot] = -1
        self._free.append(slot)
        unused = self._tasks.release(slot)
        if unused is not None:
            self._last_task = None
            self.task_similarity.remove(unused)

    def set_visits(self, record_id: int, n_visits: int) -> None:
        """Tell the index a record's total visits, which break ties."""
        slot = self._slot_of[record_id]
        if self._n_visits.view[slot] != n_visits:
            self._finish_searches()
            self._n_visits.view[slot] = n_visits

    def search(
        self, task: str, observation: str, task_weight: float, n_first: int = 2
    ) -> Iterator[Scored]:
        """All records from the best, lazily: only as many are sorted as are asked for.

        Later changes of the memory do not disturb an iterator that is under way.
        """
        if not self._slot_of:
            return iter(())
        text = self.query_text(task, observation)
        by_task = self._score_tasks(self.query_task(task, observation))
        n_first = max(1, n_first)
        probe = getattr(self.observation_similarity, "probe", None)
        if probe is not None:
            return self._search_pruned(probe(text), by_task, task_weight, n_first)
        columns = self._shortlist(text, by_task, task_weight, n_first)
        if columns is None:
            return best_first(self._columns(text, by_task, task_weight), n_first)
        found = Shortlist(
            lambda: self._columns(text, by_task, task_weight),
            lambda n: self._shortlist(text, by_task, task_weight, n),
            columns,
            n_first,
        )
        self._under_way.add(found)
        return found

    def explain_slots(self, record_id: int) -> tuple[int, int]:
        """The slots of a record in the task and the observation similarity."""
        slot = self._slot_of[record_id]
        return int(self._tasks.of_slot[slot]), slot

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
        self._finish_searches()
        self._last_task = None
        self.task_similarity.refresh()
        self.observation_similarity.refresh()

    def _score_tasks(self, text: str) -> np.ndarray:
        # The steps of an episode ask for one task. Read once: other threads may ask in between.
        last = self._last_task
        if last is None or last[0] != text:
            last = self._last_task = (text, self.task_similarity.scores(text))
        return last[1]

    def _columns(self, text: str, by_task: np.ndarray, task_weight: float) -> Columns:
        """Every record, scored."""
        scores = self.observation_similarity.scores(text)
        if not self._free:
            columns = self._combine(slice(None), scores, by_task, task_weight)
            return (columns[0].copy(), columns[1].copy(), *columns[2:])
        slots = np.flatnonzero(self._record_ids.view >= 0)
        return self._combine(slots, scores[slots], by_task, task_weight)

    def _shortlist(
        self, text: str, by_task: np.ndarray, task_weight: float, n: int
    ) -> Columns | None:
        """The records that can be among the n best; None where all should be scored."""
        shortlist = getattr(self.observation_similarity, "shortlist", None)
        if shortlist is None or n > _MAX_SHORTLISTED:
            return None
        found = shortlist(
            text,
            by_task,
            self._tasks.of_slot,
            task_weight,
            lambda: self._tasks.list_best(by_task),
            n,
        )
        if found is None:
            return None
        slots, scores = found
        return self._combine(slots, scores, by_task, task_weight)

    def _combine(
        self, slots: np.ndarray | slice, scores: np.ndarray, by_task: np.ndarray, task_weight: float
    ) -> Columns:
        by_task = by_task[self._tasks.of_slot[slots]]
        total = weighted_similarity(task_weight, by_task, scores)
        return self._record_ids.view[slots], self._n_visits.view[slots], total, by_task, scores

    def _search_pruned(
        self, probe: Probe, by_task: np.ndarray, task_weight: float, n_first: int
    ) -> Iterator[Scored]:
        slots = np.flatnonzero(self._record_ids.view >= 0)
        by_task = by_task[self._tasks.of_slot[slots]]
        ceiling = weighted_similarity(task_weight, by_task, probe.bounds[slots])
        record_ids, n_visits = self._record_ids.view[slots], self._n_visits.view[slots]
        columns = (record_ids, n_visits, ceiling, by_task, slots)
        return best_first_pruned(columns, probe, task_weight, max(_FIRST_SCORED, 4 * n_first))

    def _new_slot(self, record_id: int, n_visits: int) -> int:
        slot = self._free.pop() if self._free else len(self._slot_of)
        self._record_ids.widen(slot + 1, -1)
        self._n_visits.widen(slot + 1)
        self._slot_of[record_id] = slot
        self._record_ids.view[slot], self._n_visits.view[slot] = record_id, n_visits
        return slot

    def _finish_searches(self) -> None:
        if self._under_way:
            for found in list(self._under_way):
                found.finish()
            self._under_way.clear()


def _put_many(similarity: Similarity, slots: list[int], texts: list[str]) -> None:
    put_many = getattr(similarity, "put_many", None)
    if put_many is not None:
        put_many(slots, texts)
        return
    for slot, text in zip(slots, texts, strict=True):
        similarity.put(slot, text)
