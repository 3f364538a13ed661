"""The experience memory: what was tried at which observation of which task, and what it was worth.

`RecordTable` holds the records in RAM and retrieves them, `KeptTable` gives them a file; here is
their past, and what people ask of them. RLEM (`rememberer_nb.rlem`) decides the values, this module
keeps them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from rememberer_nb.config import CapacityConfig
from rememberer_nb.elements import Episode, Record, Update
from rememberer_nb.errors import MemoryFileError
from rememberer_nb.memory.kept import KeptTable
from rememberer_nb.memory.outcome import Outcome

if TYPE_CHECKING:
    import pandas as pd


class ExperienceMemory(KeptTable):
    """Records of experience, retrieved by similarity.

    Parameters
    ----------
    retrieval : similarities, λ and m.
    capacity : limits and the eviction policy.
    store : where changes go at `commit`; in RAM by default. See `ExperienceMemory.open`.
    n_tables : values kept per action: 1, or 2 for double Q-learning.
    task_similarity, observation_similarity : take the place of the ones that `retrieval` names.

    Examples
    --------
    >>> memory = ExperienceMemory()
    >>> record_id = memory.insert("a red lamp", "[Search]", ["search[<keywords>]"])
    >>> memory.add_action(record_id, "search[red lamp]")
    >>> hit = next(memory.retrieve("a blue lamp", "[Search]"))
    >>> hit.rank, round(hit.observation_similarity, 6), hit.record.task
    (0, 1.0, 'a red lamp')
    """

    # The past

    def updates(self, record_id: int | None = None, action: str | None = None) -> list[Update]:
        """The update log in order: all of it, of a record, or of one of its actions.

        Of a memory that another process writes, as much as this one has loaded.
        """
        return list(self.each_update(record_id, action))

    def each_update(
        self, record_id: int | None = None, action: str | None = None
    ) -> Iterator[Update]:
        """As `updates`, one at a time."""
        # SQLite finds nothing for the integers of numpy, which a frame's columns hold.
        record_id = None if record_id is None else int(record_id)
        n_stored = self._next_update - len(self._log)
        for update in self._store.load_updates(record_id, action):
            if update.update_id < n_stored:
                yield update
        for update in tuple(self._log):
            if record_id in (None, update.record_id) and action in (None, update.action):
                yield update

    def episodes(self, after: int = 0) -> list[Episode]:
        """The episodes that were committed, in order, without the first `after`."""
        return list(self.each_episode(after))

    def each_episode(self, after: int = 0) -> Iterator[Episode]:
        """As `episodes`, one at a time."""
        return self._store.load_episodes(after, self._n_episodes + 1)

    def outcomes(self, after: int = 0) -> Iterator[Outcome]:
        """The same episodes in numbers, at a small part of the cost."""
        return self._store.load_outcomes(after, self._n_episodes + 1)

    def episode(self, number: int) -> Episode:
        """The episode of that number, which counts from 1; `LookupError` if there is none."""
        found = list(self._store.load_episodes(number - 1, min(number, self._n_episodes) + 1))
        if not found:
            raise LookupError(f"no episode {number}; the memory holds {self._n_episodes}")
        return found[0]

    def uses(self, record_id: int) -> list[tuple[int, int, int, float, bool]]:
        """Decisions that looked at a record: (episode number, step, rank, total, whether shown).

        Episodes count from 1, as in `episodes`; what was shown became an exemplar of the prompt.
        """
        found = self._store.load_uses(int(record_id))
        return [use for use in found if use[0] <= self._n_episodes]

    def begin(self, records: Iterable[Record], origin: Mapping[str, Any]) -> None:
        """Start from initial records; the next commit notes, with them, which they were.

        `origin` is what `origin.origin_of` says of them.
        """
        self.add_initial(records)
        self._origin, self._is_dirty = dict(origin), True

    # Others like it

    def empty(
        self, path: str | Path | None = None, *, capacity: CapacityConfig | None = None
    ) -> ExperienceMemory:
        """A new memory with the same settings and no records; `path` must not exist.

        `capacity` takes the place of this memory's own.
        """
        if path is not None and Path(path).exists():
            raise MemoryFileError("exists already; nothing was changed", path=path)
        f_g, f_o = (make() for make in self._make_similarities)
        return ExperienceMemory.open(
            path,
            retrieval=self.retrieval,
            capacity=self.capacity if capacity is None else capacity,
            n_tables=self.n_tables,
            task_similarity=f_g,
            observation_similarity=f_o,
        )

    def copy(self, path: str | Path | None = None) -> ExperienceMemory:
        """The same records and values without log and episodes; see `memory_ops.copy`."""
        from rememberer_nb.memory import operations as memory_ops

        return memory_ops.copy(self, path)

    def shuffled(self, rng: np.random.Generator) -> ExperienceMemory:
        """A copy with its values dealt out anew: a control; see `memory_ops.shuffled`."""
        from rememberer_nb.memory import operations as memory_ops

        return memory_ops.shuffled(self, rng)

    # Views

    def to_frame(self) -> pd.DataFrame:
        """A row per (task, observation, action); see `rememberer_nb.memory.views.to_frame`."""
        from rememberer_nb.memory.views import to_frame

        return to_frame(self)

    def stats(self) -> dict[str, Any]:
        """Counts and ranges; see `rememberer_nb.memory.views.stats`."""
        from rememberer_nb.memory.views import stats

        return stats(self)

    def __repr__(self) -> str:
        where = f" in {self.path}" if self.path else ""
        return f"<ExperienceMemory: {len(self)} records, {self.n_updates} updates{where}>"

    def _repr_html_(self) -> str:
        from rememberer_nb.memory.views import to_html

        return to_html(self)
