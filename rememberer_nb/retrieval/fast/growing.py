"""An array that grows at its end, in amortised constant time per element."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

_FIRST_SIZE = 64
# Larger steps would copy less often, smaller ones waste less memory: at most a quarter is spare.
_GROWTH = 1.25


class Growing:
    """A one-dimensional array with spare room behind it.

    >>> numbers = Growing(np.int32)
    >>> numbers.extend([1, 2, 3]); numbers.truncate(2); numbers.append(7)
    >>> numbers.view.tolist(), len(numbers)
    ([1, 2, 7], 3)
    """

    def __init__(self, dtype: DTypeLike, values: ArrayLike = ()):
        self._data = np.array(values, dtype=dtype)
        self._n = len(self._data)

    def __len__(self) -> int:
        return self._n

    @property
    def view(self) -> NDArray:
        """The elements, ndarray of shape (n,); good until the next growth or truncation."""
        return self._data[: self._n]

    def append(self, value: float) -> None:
        """Add one element."""
        self._reserve(self._n + 1)
        self._data[self._n] = value
        self._n += 1

    def extend(self, values: ArrayLike) -> None:
        """Add some elements."""
        values = np.asarray(values, dtype=self._data.dtype)
        self._reserve(self._n + len(values))
        self._data[self._n : self._n + len(values)] = values
        self._n += len(values)

    def widen(self, n: int, value: float = 0) -> None:
        """Fill up with one value until there are n elements; more are left as they are."""
        if n > self._n:
            self._reserve(n)
            self._data[self._n : n] = value
            self._n = n

    def truncate(self, n: int) -> None:
        """Keep the first n elements."""
        self._n = min(n, self._n)

    def _reserve(self, n: int) -> None:
        if n > len(self._data):
            size = max(n, _FIRST_SIZE, int(len(self._data) * _GROWTH))
            data = np.empty(size, dtype=self._data.dtype)
            data[: self._n] = self._data[: self._n]
            self._data = data
