"""Sparse rows in slots, and their dot products with a query.

Rows are packed into one CSR matrix; those put since wait in a small tail, so that an insertion
does not rebuild the matrix and a query is two matrix-vector products at most.
"""

from __future__ import annotations

import numpy as np
from scipy import sparse

_MIN_TAIL = 64
_MAX_TAIL_SHARE = 0.05

Row = tuple[np.ndarray, np.ndarray]


class SparseRows:
    """Rows (ids, values) by slot.

    >>> rows = SparseRows()
    >>> rows.put(0, np.array([0, 2]), np.array([1.0, 2.0]))
    >>> rows.put(1, np.array([1]), np.array([5.0]))
    >>> rows.dot(np.array([1.0, 1.0, 1.0])).tolist()
    [3.0, 5.0]
    """

    def __init__(self) -> None:
        self._rows: dict[int, Row] = {}
        self._n_slots = 0
        self._packed: tuple[np.ndarray, sparse.csr_array] | None = None
        self._gone: set[int] = set()
        self._tail: dict[int, Row] = {}
        self._tail_matrix: tuple[np.ndarray, sparse.csr_array] | None = None

    def __len__(self) -> int:
        return len(self._rows)

    def __contains__(self, slot: int) -> bool:
        return slot in self._rows

    @property
    def slots(self) -> list[int]:
        """The slots in use, in the order in which they were put."""
        return list(self._rows)

    def row(self, slot: int) -> Row:
        """The ids, ndarray of int, and values, ndarray of float, both of shape (n_terms,)."""
        return self._rows[slot]

    def put(self, slot: int, ids: np.ndarray, values: np.ndarray) -> None:
        """Store a row in an empty slot."""
        if slot in self._rows:
            raise ValueError(f"slot {slot} is taken")
        self._rows[slot] = self._tail[slot] = (ids, values)
        self._n_slots = max(self._n_slots, slot + 1)
        self._tail_matrix = None
        if len(self._tail) > max(_MIN_TAIL, _MAX_TAIL_SHARE * len(self._rows)):
            self._pack()

    def remove(self, slot: int) -> None:
        """Empty a slot."""
        del self._rows[slot]
        if self._tail.pop(slot, None) is None:
            self._gone.add(slot)
        self._tail_matrix = None

    def dot(self, query: np.ndarray) -> np.ndarray:
        """Row · query for each slot, ndarray of shape (n_slots,); empty slots give 0.

        `query` is dense, ndarray of shape (at least the largest id + 1,).
        """
        products = np.zeros(self._n_slots)
        if self._packed is not None:
            slots, matrix = self._packed
            products[slots] = matrix @ query[: matrix.shape[1]]
            if self._gone:
                products[list(self._gone)] = 0.0
        if self._tail:
            if self._tail_matrix is None:
                self._tail_matrix = _matrix(self._tail)
            slots, matrix = self._tail_matrix
            products[slots] = matrix @ query[: matrix.shape[1]]
        return products

    def _pack(self) -> None:
        self._packed = _matrix(self._rows) if self._rows else None
        self._gone = set()
        self._tail = {}
        self._tail_matrix = None


def _matrix(rows: dict[int, Row]) -> tuple[np.ndarray, sparse.csr_array]:
    slots = np.fromiter(rows, dtype=np.intp, count=len(rows))
    ids = np.concatenate([row[0] for row in rows.values()])
    values = np.concatenate([row[1] for row in rows.values()])
    lengths = [len(row[0]) for row in rows.values()]
    starts = np.concatenate([[0], np.cumsum(lengths)])
    width = int(ids.max()) + 1 if len(ids) else 0
    return slots, sparse.csr_array((values, ids, starts), shape=(len(rows), width))
