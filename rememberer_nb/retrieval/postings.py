"""Rows of term counts, and for most of them a posting list per term.

Rows are numbered as they come. A row is kept twice: as it is (its terms in the order of the text),
and turned round in a *segment* of rows that follow each other (per term, the rows that hold it). A
segment never changes; a removed row merely dies. New rows wait in a short tail, which has no
postings yet and is scored row by row; when it is full it becomes a segment, and segments are
merged so that each is at least twice as long as the next: every row is packed a few times at most.
Weights are not in here, so a change of weights rebuilds nothing.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from rememberer_nb.retrieval.growing import Growing

# Rows of a segment are numbered with 16 bits, and their sums fit into a core's cache.
MAX_SEGMENT = 1 << 16
MAX_TAIL = 32
# So few rows are always in one segment: each one costs a query more than packing them again.
_ONE_SEGMENT = 1024
# Counts have 8 bits in the postings; a row with a larger one is never packed.
_MAX_COUNT = 255


class Table(NamedTuple):
    """All rows as plain arrays, for the kernels; a view, good until the next change.

    Row r has the terms `ids[starts[r]:starts[r + 1]]` and their `counts`; segment s holds the rows
    from `segment_rows[s]` up to `segment_rows[s + 1]` and the entries from `segment_terms[s]` of
    `terms` (ascending within a segment), whose postings lie from `term_starts` on in `locals`
    (row minus first row) and `local_counts`. The rows `wide` are left out there; `loose` are these
    and the ones behind the last segment.
    """

    starts: NDArray[np.int64]
    ids: NDArray[np.int32]
    counts: NDArray[np.int32]
    segment_rows: NDArray[np.int64]
    segment_terms: NDArray[np.int64]
    terms: NDArray[np.int32]
    term_starts: NDArray[np.int64]
    locals: NDArray[np.uint16]
    local_counts: NDArray[np.uint8]
    wide: NDArray[np.int64]
    loose: NDArray[np.int64]


class Postings:
    """Rows (ids, counts), appended and never changed.

    >>> postings = Postings()
    >>> postings.append(np.array([4, 2]), np.array([1, 3]))
    0
    >>> [part.tolist() for part in postings.row(0)]
    [[4, 2], [1, 3]]
    """

    def __init__(self) -> None:
        self._starts = Growing(np.int64, [0])
        self._ids = Growing(np.int32)
        self._counts = Growing(np.int32)
        self._segment_rows = Growing(np.int64, [0])
        self._segment_terms = Growing(np.int64, [0])
        self._terms = Growing(np.int32)
        self._term_starts = Growing(np.int64, [0])
        self._locals = Growing(np.uint16)
        self._local_counts = Growing(np.uint8)
        self._wide: list[int] = []
        self._table: Table | None = None

    def __len__(self) -> int:
        return len(self._starts) - 1

    @property
    def nbytes(self) -> int:
        """Bytes of all arrays."""
        return sum(part.nbytes for part in self.table())

    @property
    def starts(self) -> NDArray[np.int64]:
        """Where each row begins in `ids` and `counts`, shape (n_rows + 1,)."""
        return self._starts.view

    @property
    def ids(self) -> NDArray[np.int32]:
        """The terms of all rows, one after the other."""
        return self._ids.view

    @property
    def counts(self) -> NDArray[np.int32]:
        """How often each of `ids` occurs."""
        return self._counts.view

    def row(self, row: int) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
        """The ids and counts of a row, both of shape (n_terms,)."""
        first, stop = self._starts.view[row : row + 2]
        return self.ids[first:stop], self.counts[first:stop]

    def append(self, ids: NDArray, counts: NDArray) -> int:
        """Add a row; returns its number."""
        self._ids.extend(ids)
        self._counts.extend(counts)
        self._starts.append(len(self._ids))
        if len(counts) and counts.max() > _MAX_COUNT:
            self._wide.append(len(self) - 1)
        self._table = None
        if len(self) - self._n_packed >= MAX_TAIL:
            self._pack_tail()
        return len(self) - 1

    def extend(self, lengths: NDArray, ids: NDArray, counts: NDArray) -> None:
        """Add many rows at once: `lengths` of shape (n_rows,), the others one row after another."""
        first = len(self)
        self._starts.extend(len(self._ids) + np.cumsum(lengths, dtype=np.int64))
        self._ids.extend(ids)
        self._counts.extend(counts)
        large = np.flatnonzero(np.asarray(counts) > _MAX_COUNT)
        rows = first + np.searchsorted(np.cumsum(lengths), large, side="right")
        self._wide.extend(np.unique(rows).tolist())
        self._table = None
        self._pack_tail()

    def table(self) -> Table:
        """The arrays as they are now."""
        # Two readers may both build it: they build the same.
        table = self._table
        if table is None:
            loose = np.arange(self._n_packed, len(self))
            wide = loose[:0]
            if self._wide and self._wide[0] < self._n_packed:
                wide = np.array([row for row in self._wide if row < self._n_packed])
                loose = np.concatenate([wide, loose])
            table = self._table = Table(
                self.starts, self.ids, self.counts, self._segment_rows.view,
                self._segment_terms.view, self._terms.view, self._term_starts.view,
                self._locals.view, self._local_counts.view, wide, loose,
            )  # fmt: skip
        return table

    @property
    def _n_packed(self) -> int:
        return int(self._segment_rows.view[-1])

    def _pack_tail(self) -> None:
        while len(self) - self._n_packed >= MAX_TAIL:
            first, block = self._n_packed, self._n_packed // MAX_SEGMENT * MAX_SEGMENT
            stop = min(len(self), block + MAX_SEGMENT)
            is_full = stop == block + MAX_SEGMENT
            # Segments merge within blocks of the largest size only; a full block becomes one.
            while first > block:
                before = int(self._segment_rows.view[-2])
                if not is_full and stop > _ONE_SEGMENT and first - before >= 2 * (stop - first):
                    break
                self._drop_segment()
                first = before
            self._pack(first, stop)

    def _drop_segment(self) -> None:
        self._segment_rows.truncate(len(self._segment_rows) - 1)
        self._segment_terms.truncate(len(self._segment_terms) - 1)
        n_terms = int(self._segment_terms.view[-1])
        self._terms.truncate(n_terms)
        self._term_starts.truncate(n_terms + 1)
        n_postings = int(self._term_starts.view[-1])
        self._locals.truncate(n_postings)
        self._local_counts.truncate(n_postings)

    def _pack(self, first: int, stop: int) -> None:
        """Turn the rows from first up to stop into a segment behind the last one."""
        starts = self.starts[first : stop + 1]
        ids = self.ids[starts[0] : starts[-1]]
        counts = self.counts[starts[0] : starts[-1]]
        lengths = np.diff(starts)
        wide = [row - first for row in self._wide if first <= row < stop]
        if wide:
            is_kept = ~np.repeat(np.isin(np.arange(len(lengths)), wide), lengths)
            ids, counts = ids[is_kept], counts[is_kept]
            lengths[wide] = 0
        terms, columns = _compact(ids)
        offsets = np.concatenate([[0], np.cumsum(lengths)])
        shape = (len(lengths), len(terms))
        turned = sparse.csr_array((counts.astype(np.uint8), columns, offsets), shape=shape).tocsc()
        self._locals.extend(turned.indices)
        self._local_counts.extend(turned.data)
        self._term_starts.extend(self._term_starts.view[-1] + turned.indptr[1:].astype(np.int64))
        self._terms.extend(terms)
        self._segment_terms.append(len(self._terms))
        self._segment_rows.append(stop)
        self._table = None


def _compact(ids: NDArray[np.int32]) -> tuple[NDArray, NDArray]:
    """The different ids in order, and the place of each id among them."""
    if not len(ids):
        return np.zeros(0, dtype=np.int32), np.zeros(0, dtype=np.int32)
    if ids.max() > 4 * len(ids):
        terms, columns = np.unique(ids, return_inverse=True)
        return terms, columns.astype(np.int32)
    # Counting is faster than sorting where the vocabulary is not much longer than the rows.
    is_used = np.zeros(int(ids.max()) + 1, dtype=bool)
    is_used[ids] = True
    return np.flatnonzero(is_used).astype(np.int32), (np.cumsum(is_used, dtype=np.int32) - 1)[ids]
