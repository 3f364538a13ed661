"""Rows of term counts under an idf: what they weigh, and which score best for a query.

A row is what a text was encoded to; its slot is where the outside knows it. Rows stay in the order
of their encoding, and a row that was removed is swept out later, with others.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from types import ModuleType

import numpy as np
from numpy.typing import NDArray

from rememberer_nb.retrieval.fast.growing import Growing
from rememberer_nb.retrieval.fast.plain import Floats, Known, Query, Search
from rememberer_nb.retrieval.fast.postings import Postings
from rememberer_nb.retrieval.tasks import Listed

# Rows that were removed are swept out when they are this part of all, and at least so many.
_DEAD_SHARE, _MIN_DEAD = 0.25, 256
# Rows that are measured at a time.
_BATCH = 20_000
# A term is common if at the last refresh it was in more than this part of the texts. Any value is
# right: what is left out of a query's common terms is bounded row by row, the rest for all alike.
_COMMON_SHARE = 0.05
_EPSILON = float(np.finfo(np.float32).eps)


class WeightedRows:
    """Rows in slots; `idf`, ndarray of shape (n_terms,), is what their terms weigh now.

    Parameters
    ----------
    scorer : number of rows -> the module whose functions score them, see `kernels`.
    """

    def __init__(self, scorer: Callable[[int], ModuleType]):
        self.scorer = scorer
        self.idf = Growing(np.float64)
        self._is_common = Growing(np.bool_)
        self._clear()

    def __len__(self) -> int:
        return len(self._postings) - self._n_dead

    @property
    def nbytes(self) -> int:
        """Bytes of the arrays."""
        rows = (self._norms, self._inverse, self._common, self._slots, self._row_of_slot)
        return self._postings.nbytes + sum(part.view.nbytes for part in rows)

    def make_room(self, slots: NDArray[np.int64]) -> None:
        """For rows in these slots, which must be empty."""
        self._row_of_slot.widen(int(slots.max(initial=-1)) + 1, -1)
        taken = slots[self._row_of_slot.view[slots] >= 0]
        if len(taken):
            raise ValueError(f"slot {taken[0]} is taken")

    def widen(self, n_terms: int) -> None:
        """New terms weigh nothing before the next `set_idf`."""
        if n_terms > len(self.idf):
            self.idf.widen(n_terms)
            self._is_common.widen(n_terms)

    def append(self, slot: int, ids: NDArray[np.int32], counts: NDArray[np.int32]) -> None:
        """One row."""
        self._postings.append(ids, counts)
        vector = counts * self.idf.view[ids]
        norm = length(vector) or 1.0
        row = len(self._slots)
        self._slots.append(slot)
        self._row_of_slot.view[slot] = row
        self._is_in_order &= slot == row
        self._norms.append(norm)
        self._inverse.append(1.0 / norm)
        self._common.append(length(vector * self._is_common.view[ids]) / norm)

    def extend(
        self,
        slots: NDArray[np.int64],
        lengths: NDArray[np.int64],
        ids: NDArray[np.int32],
        counts: NDArray[np.int32],
    ) -> None:
        """Many rows, of `lengths` terms each."""
        self._postings.extend(lengths, ids, counts)
        norms, common = self._measure(lengths, ids, counts)
        first = len(self._slots)
        self._slots.extend(slots)
        rows = np.arange(first, len(self._slots))
        self._row_of_slot.view[slots] = rows
        self._is_in_order &= bool((slots == rows).all())
        self._norms.extend(norms)
        self._inverse.extend(1.0 / norms)
        self._common.extend(common)

    def remove(self, slot: int) -> NDArray[np.int32]:
        """Empty a slot; the terms that its row had."""
        row = self._row(slot)
        ids = self._postings.row(row)[0]
        self._slots.view[row] = self._row_of_slot.view[slot] = -1
        self._is_in_order = False
        self._inverse.view[row] = 0.0
        self._n_dead += 1
        if self._n_dead >= max(_MIN_DEAD, _DEAD_SHARE * len(self._postings)):
            self._sweep()
        return ids

    def weights(self, slot: int) -> tuple[NDArray[np.int32], Floats]:
        """The terms of a row, and their weights in its vector of length 1."""
        row = self._row(slot)
        ids, counts = self._postings.row(row)
        return ids, counts * self.idf.view[ids] / self._norms.view[row]

    def set_idf(self, idf: Floats) -> None:
        """Let the terms weigh so much; rebuilds nothing, and costs a constant per row."""
        self.idf = Growing(np.float64, idf)
        self._is_common = Growing(np.bool_, (idf > 0) & (idf < 1 - math.log(_COMMON_SHARE)))
        starts, postings = self._postings.starts, self._postings
        for first in range(0, len(postings), _BATCH):
            bounds = starts[first : first + _BATCH + 1]
            span, some = slice(int(bounds[0]), int(bounds[-1])), slice(first, first + _BATCH)
            norms, common = self._measure(
                np.diff(bounds), postings.ids[span], postings.counts[span]
            )
            self._norms.view[some], self._inverse.view[some] = norms, 1.0 / norms
            self._common.view[some] = common
        self._inverse.view[self._slots.view < 0] = 0.0

    def scores(self, query: Query) -> Floats:
        """The product of each slot's vector with the query's, shape (n_slots,), in [0, 1]."""
        if not len(self):
            return np.zeros(len(self._row_of_slot))
        sums: Floats = self.scorer(len(self._postings)).sum_rows(self._postings.table(), query)
        sums /= self._norms.view
        np.minimum(sums, 1.0, out=sums)
        if self._is_in_order:
            return sums
        scores = np.zeros(len(self._row_of_slot))
        alive = self._slots.view >= 0
        scores[self._slots.view[alive]] = sums[alive]
        return scores

    def shortlist(
        self,
        query: Callable[[], Query],
        frequency: NDArray[np.int64],
        known: tuple[Floats, NDArray[np.int32], float],
        listed: Callable[[], Listed],
        n: int,
    ) -> tuple[NDArray[np.int32], Floats] | None:
        """As `protocols.Shortlisting` says; `known` is its parts, part of slot and weight."""
        scorer = self.scorer(len(self._postings))
        if len(self._postings) < scorer.MIN_SHORTLISTED:
            return None
        parts, part_of_slot, weight = known
        slots, listed_from, most = listed()
        found = Known(
            parts, part_of_slot, self._slots.view, weight, self._row_of_slot.view[slots],
            listed_from, most,
        )  # fmt: skip
        asked = query()
        gain = asked.shares**2 / np.maximum(frequency[asked.ids], 1)
        # Each addition in single precision rounds by half an epsilon at most.
        slack = _EPSILON * (16 + len(asked.ids))
        search = Search(
            self._postings.table(), asked, self._is_common.view[asked.ids], np.argsort(gain),
            found, self._inverse.view, self._common.view, slack,
        )  # fmt: skip
        rows, sums = scorer.shortlist(search, n)
        return self._slots.view[rows], np.minimum(sums / self._norms.view[rows], 1.0)

    def _clear(self) -> None:
        self._postings = Postings()
        self._norms = Growing(np.float64)
        self._inverse, self._common = Growing(np.float32), Growing(np.float32)
        self._slots, self._row_of_slot = Growing(np.int32), Growing(np.int64)
        self._n_dead = 0
        # Whether row i is slot i throughout, as it is until a text is removed.
        self._is_in_order = True

    def _row(self, slot: int) -> int:
        row = int(self._row_of_slot.view[slot]) if 0 <= slot < len(self._row_of_slot) else -1
        if row < 0:
            raise KeyError(slot)
        return row

    def _measure(
        self, n_terms: Iterable[int], ids: NDArray[np.int32], counts: NDArray[np.int32]
    ) -> tuple[Floats, Floats]:
        """The lengths of rows (1 for empty ones), and what their common terms have of length 1."""
        # The same arithmetic for one text as for all, so that a text weighs the same to the last
        # bit whether it was put now, measured at a refresh, or read back from a file.
        n_terms = np.asarray(n_terms)
        squares = counts * self.idf.view[ids]
        squares *= squares
        rows = np.repeat(np.arange(len(n_terms)), n_terms)
        norms = np.sqrt(np.bincount(rows, squares, minlength=len(n_terms)))
        squares *= self._is_common.view[ids]
        common = np.sqrt(np.bincount(rows, squares, minlength=len(n_terms)))
        norms[norms == 0.0] = 1.0
        return norms, common / norms

    def _sweep(self) -> None:
        """Number the rows that are left anew."""
        old, row_of_slot = self._postings, self._row_of_slot
        slots, norms, common = (
            part.view.copy() for part in (self._slots, self._norms, self._common)
        )
        alive = slots >= 0
        self._clear()
        lengths = np.diff(old.starts)
        is_kept = np.repeat(alive, lengths)
        self._postings.extend(lengths[alive], old.ids[is_kept], old.counts[is_kept])
        self._slots.extend(slots[alive])
        self._norms.extend(norms[alive])
        self._inverse.extend(1.0 / norms[alive])
        self._common.extend(common[alive])
        self._row_of_slot = row_of_slot
        row_of_slot.view[slots[alive]] = np.arange(len(self._slots))
        self._is_in_order = False


def length(vector: Floats) -> float:
    """Of a vector, by a running sum, as `bincount` makes it: the same to the last bit."""
    return math.sqrt((vector * vector).cumsum()[-1]) if len(vector) else 0.0
