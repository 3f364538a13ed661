"""The distinct tasks of an index, and which slots share each."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from rememberer_nb.retrieval.fast.growing import Growing

_NONE = -1
# The tasks most like the query's, whose records are scored first, and at most so many of these.
_N_LISTED_TASKS, _N_LISTED_SLOTS = 16, 64
_LIKE = 0.5


class Listed(NamedTuple):
    """The slots of the best tasks: exactly those whose task scores at least `score_from`.

    All other tasks score at most `most`.
    """

    slots: NDArray[np.int64]
    score_from: float
    most: float


class TaskTable:
    """Tasks by text, each with a linked list of the slots that use it.

    >>> tasks = TaskTable()
    >>> tasks.use("red lamp", 0), tasks.use("chair", 1), tasks.use("red lamp", 2)
    (0, 1, 0)
    >>> tasks.list_best(np.array([0.9, 0.2])).slots.tolist()
    [2, 0]
    >>> tasks.release(0), tasks.release(1)
    (None, 1)
    """

    def __init__(self) -> None:
        self._number_of: dict[str, int] = {}
        self._texts: list[str] = []
        self._free: list[int] = []
        self._n_users, self._first = Growing(np.int32), Growing(np.int32)
        self._of_slot, self._next = Growing(np.int32), Growing(np.int32)
        self._previous = Growing(np.int32)

    def __contains__(self, text: str) -> bool:
        return text in self._number_of

    @property
    def of_slot(self) -> NDArray[np.int32]:
        """The task of each slot, shape (n_slots,)."""
        return self._of_slot.view

    @property
    def nbytes(self) -> int:
        """Bytes of the arrays."""
        parts = (self._n_users, self._first, self._of_slot, self._next, self._previous)
        return sum(part.view.nbytes for part in parts)

    def use(self, text: str, slot: int) -> int:
        """Let a slot use a task; returns the task's number, a freed one where there is one."""
        number = self._number_of.get(text, _NONE)
        if number == _NONE:
            number = self._number_of[text] = self._new_number(text)
        if slot >= len(self._of_slot):
            for links in (self._of_slot, self._next, self._previous):
                links.widen(slot + 1, _NONE)
        head = self._first.view.item(number)
        if head != _NONE:
            self._previous.view[head] = slot
        self._next.view[slot], self._previous.view[slot] = head, _NONE
        self._first.view[number] = slot
        self._of_slot.view[slot] = number
        self._n_users.view[number] += 1
        return number

    def release(self, slot: int) -> int | None:
        """End a slot's use; returns the task's number if nothing uses it any more."""
        number = self._of_slot.view.item(slot)
        after, before = self._next.view.item(slot), self._previous.view.item(slot)
        if before == _NONE:
            self._first.view[number] = after
        else:
            self._next.view[before] = after
        if after != _NONE:
            self._previous.view[after] = before
        self._n_users.view[number] -= 1
        if self._n_users.view[number]:
            return None
        del self._number_of[self._texts[number]]
        self._texts[number] = ""
        self._free.append(number)
        return number

    def slots(self, number: int) -> list[int]:
        """The slots that use a task, the last one first."""
        slots, links = [], self._next.view
        slot = self._first.view.item(number)
        while slot != _NONE:
            slots.append(slot)
            slot = links.item(slot)
        return slots

    def list_best(self, scores: NDArray[np.float64]) -> Listed:
        """The slots of the best tasks, given each task's score, if they are not too many."""
        best = float(scores.max())
        likely = np.flatnonzero(scores >= _LIKE * best)
        if len(likely) > _N_LISTED_TASKS:
            least = np.partition(scores[likely], -_N_LISTED_TASKS)[-_N_LISTED_TASKS]
            likely = likely[scores[likely] >= least]
        likely = likely[np.argsort(-scores[likely])]
        ordered = scores[likely]
        n_slots = np.cumsum(self._n_users.view[likely])
        n = int(np.searchsorted(n_slots, _N_LISTED_SLOTS, side="right"))
        # Tasks with the same score are listed together or not at all.
        while 0 < n < len(ordered) and ordered[n] == ordered[n - 1]:
            n -= 1
        if not n:
            return Listed(np.zeros(0, dtype=np.int64), np.inf, best)
        slots = [slot for number in likely[:n].tolist() for slot in self.slots(number)]
        most = ordered[n] if n < len(ordered) else ordered[n - 1]
        return Listed(np.array(slots, dtype=np.int64), float(ordered[n - 1]), float(most))

    def _new_number(self, text: str) -> int:
        if self._free:
            number = self._free.pop()
            self._texts[number] = text
            return number
        self._texts.append(text)
        self._n_users.append(0)
        self._first.append(_NONE)
        return len(self._texts) - 1
