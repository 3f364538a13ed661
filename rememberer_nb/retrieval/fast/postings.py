"""Rows of term counts, and for most of them a posting list per term.

Rows are numbered as they come. A row is kept twice: as it is (its terms in the order of the text),
and turned round: per term, the rows that hold it. The newest rows, the *tail*, are turned round as
a matrix, which a new row changes in place; when it is full, its rows become a *segment* of posting
lists. A segment never changes; a removed row merely dies. Segments are merged so that each is at
least twice as long as the next: every row is packed a few times at most. Weights are not in here,
so a change of weights rebuilds nothing.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from rememberer_nb.retrieval.fast.growing import Growing

# Rows of a segment are numbered with 16 bits, and their sums fit into a core's cache.
MAX_SEGMENT = 1 << 16
# The tail becomes a segment when it has so many rows, or its matrix so many bytes. Small memories
# are all tail; beside segments a short one is quicker.
FIRST_TAIL, MAX_TAIL, MAX_TAIL_BYTES = 1024, 128, 1 << 21
# Counts have 8 bits but in the rows themselves; a row with a larger one is never turned round.
_MAX_COUNT = 255


class Table(NamedTuple):
    """All rows as plain arrays, for the kernels; a view, good until the next change.

    Row r has the terms `ids[starts[r]:starts[r + 1]]` and their `counts`; segment s holds the rows
    from `segment_rows[s]` up to `segment_rows[s + 1]` and the entries from `segment_terms[s]` of
    `terms` (ascending within a segment), whose postings lie from `term_starts` on in `locals`
    (row minus first row) and `local_counts`. The rows behind the last segment are the columns of
    `tail`: how often they hold term i is its line `line_of[i]`, or, as terms that none of them
    holds have no line and may lie beyond the end, line 0, which is empty; so is that of the last
    element. The rows `wide` are left out of the segments and of the tail.
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
    line_of: NDArray[np.int32]
    tail: NDArray[np.uint8]
    wide: NDArray[np.int64]


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
        self._tail = _Tail()
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
        row = len(self) - 1
        self._add_to_tail(row, ids, counts)
        return row

    def extend(self, lengths: NDArray, ids: NDArray, counts: NDArray) -> None:
        """Add many rows at once: `lengths` of shape (n_rows,), the others one row after another."""
        first = len(self)
        self._starts.extend(len(self._ids) + np.cumsum(lengths, dtype=np.int64))
        self._ids.extend(ids)
        self._counts.extend(counts)
        if len(self) - self._n_packed < self._max_tail:
            for row in range(first, len(self)):
                self._add_to_tail(row, *self.row(row))
            return
        large = np.flatnonzero(np.asarray(counts) > _MAX_COUNT)
        rows = first + np.searchsorted(np.cumsum(lengths), large, side="right")
        self._wide.extend(np.unique(rows).tolist())
        self._pack_tail(len(self))

    def table(self) -> Table:
        """The arrays as they are now."""
        # Two readers may both build it: they build the same.
        table = self._table
        if table is None:
            table = self._table = Table(
                self.starts, self.ids, self.counts, self._segment_rows.view,
                self._segment_terms.view, self._terms.view, self._term_starts.view,
                self._locals.view, self._local_counts.view, self._tail.line_of.view,
                self._tail.counts, np.array(self._wide, dtype=np.int64),
            )  # fmt: skip
        return table

    @property
    def _n_packed(self) -> int:
        return int(self._segment_rows.view[-1])

    @property
    def _max_tail(self) -> int:
        return MAX_TAIL if len(self._segment_rows) > 1 else FIRST_TAIL

    def _add_to_tail(self, row: int, ids: NDArray, counts: NDArray) -> None:
        if counts.max(initial=0) > _MAX_COUNT:
            self._wide.append(row)
            ids, counts = ids[:0], counts[:0]
        self._tail.append(ids, counts)
        self._table = None
        n_late = row + 1 - self._n_packed
        if n_late >= self._max_tail or self._tail.counts.nbytes > MAX_TAIL_BYTES:
            self._pack_tail(row + 1)

    def _pack_tail(self, n_rows: int) -> None:
        """Turn all rows up to a number into segments."""
        self._tail.clear(MAX_TAIL)
        while n_rows > self._n_packed:
            first, block = self._n_packed, self._n_packed // MAX_SEGMENT * MAX_SEGMENT
            stop = min(n_rows, block + MAX_SEGMENT)
            is_full = stop == block + MAX_SEGMENT
            # Segments merge within blocks of the largest size only; a full block becomes one.
            while first > block:
                before = int(self._segment_rows.view[-2])
                if not is_full and first - before >= 2 * (stop - first):
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


class _Tail:
    """Some rows as a matrix of counts: a column for each, a line for each term that they hold."""

    def __init__(self) -> None:
        self.line_of = Growing(np.int32, [0])
        # Wider than one column: what is added up along the lines is added in their order then.
        self.counts = np.zeros((64, 32), dtype=np.uint8)
        self._n_lines, self._n = 1, 0

    def append(self, ids: NDArray, counts: NDArray) -> None:
        """Add a row."""
        self.line_of.widen(int(ids.max(initial=-1)) + 2)
        line_of = self.line_of.view
        lines = line_of[ids]
        new = ids[lines == 0]
        if len(new):
            line_of[new] = np.arange(self._n_lines, self._n_lines + len(new))
            self._n_lines += len(new)
            lines = line_of[ids]
        n_lines, n_columns = self.counts.shape
        if self._n_lines > n_lines:
            self._grow(max(self._n_lines, n_lines + n_lines // 2), n_columns)
        if self._n == n_columns:
            self._grow(len(self.counts), n_columns + n_columns // 2)
        self.counts[lines, self._n] = counts
        self._n += 1

    def clear(self, n_columns: int) -> None:
        """Forget all rows, and make room for some."""
        self.line_of.view[:] = 0
        self.counts = np.zeros((64, n_columns), dtype=np.uint8)
        self._n_lines, self._n = 1, 0

    def _grow(self, n_lines: int, n_columns: int) -> None:
        old = self.counts
        self.counts = np.zeros((n_lines, n_columns), dtype=np.uint8)
        self.counts[: old.shape[0], : old.shape[1]] = old


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
