"""An index of many records at once, which are encoded when it is first asked for.

Whoever opens a large memory to look at it does not wait for an index that is not used.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence

from rememberer_nb.retrieval.index import RecordIndex
from rememberer_nb.retrieval.similarity import Similarity

# Record id, task, observation, visits.
Row = tuple[int, str, str, int]


class LateIndex:
    """A `RecordIndex`, filled when `get` is first called after `take`.

    Parameters
    ----------
    make : an empty index. What fails while one is filled leaves it, and the next `get` fills
        another one.

    Examples
    --------
    >>> from rememberer_nb.retrieval.jaccard import JaccardSimilarity
    >>> late = LateIndex(lambda: RecordIndex(JaccardSimilarity(), JaccardSimilarity()))
    >>> late.take([(7, "a red lamp", "[Search]", 0)], {})
    >>> len(late.get())
    1
    """

    def __init__(self, make: Callable[[], RecordIndex]):
        self._make = make
        self._index = make()
        self._rows: Sequence[Row] = ()
        self._states: Mapping[str, bytes] = {}
        self._is_due = False
        self._lock = threading.Lock()

    @property
    def keys(self) -> tuple[str, str]:
        """What the states of its two similarities are kept under."""
        f_g, f_o = self._index.task_similarity, self._index.observation_similarity
        return f"task:{f_g.name}", f"observation:{f_o.name}"

    def take(self, rows: Sequence[Row], states: Mapping[str, bytes]) -> None:
        """Records for the index, which must be empty, and the states of its similarities."""
        self._rows, self._states, self._is_due = rows, states, True

    def get(self) -> RecordIndex:
        """The index, up to date."""
        if self._is_due:
            # Of several threads that ask at the same time one encodes, and the others wait.
            with self._lock:
                if self._is_due:
                    self._index = self._filled()
                    self._rows, self._states, self._is_due = (), {}, False
        return self._index

    def similarities(self) -> dict[str, Similarity]:
        """Both, up to date, by their keys."""
        index = self.get()
        both = (index.task_similarity, index.observation_similarity)
        return dict(zip(self.keys, both, strict=True))

    def _filled(self) -> RecordIndex:
        index = self._make()
        index.add_many(self._rows)
        both = (index.task_similarity, index.observation_similarity)
        for key, similarity in zip(self.keys, both, strict=True):
            if self._states.get(key):
                similarity.restore(self._states[key])
        return index
