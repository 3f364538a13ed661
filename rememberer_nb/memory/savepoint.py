"""A record table as it was at some moment, to go back to: for an episode that is cut short.

Records are frozen, so keeping them takes references and no text. Going back encodes all of them
anew, as opening a file does: it leans on nothing that an interrupted change may have left half
done, and gives what is given when a file is read back, the same scores to the last bit.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from rememberer_nb.elements import Record, Update
from rememberer_nb.memory.eviction import Neighbour
from rememberer_nb.memory.held import Unread
from rememberer_nb.retrieval.vectors import Key

if TYPE_CHECKING:
    from rememberer_nb.memory.kept import KeptTable


@dataclass(frozen=True, slots=True)
class Savepoint:
    """Records, ids, log and statistics; and what of them waits to be committed.

    Examples
    --------
    >>> from rememberer_nb.memory import ExperienceMemory
    >>> table = ExperienceMemory()
    >>> before = Savepoint.of(table)
    >>> _ = table.insert("g", "o")
    >>> before.restore(table)
    >>> len(table), table.insert("g", "another")
    (0, 0)
    """

    records: tuple[Record | Unread, ...]
    next_record: int
    next_update: int
    log_start: int
    states: Mapping[str, bytes]
    vectors: Mapping[Key, np.ndarray]
    neighbours: Mapping[int, Neighbour]
    changed: tuple[int, ...]
    removed: tuple[int, ...]
    log: tuple[Update, ...]
    changed_neighbours: Mapping[int, Neighbour | None]
    is_dirty: bool

    @classmethod
    def of(cls, table: KeptTable) -> Savepoint:
        """The table as it is now."""
        eviction = table._eviction
        return cls(
            records=table._records.snapshot(),
            next_record=table._next_record,
            next_update=table._next_update,
            log_start=table._log_start,
            states={key: s.state() for key, s in table._similarities().items()},
            vectors=table._vectors.snapshot(),
            neighbours={} if eviction is None else eviction.neighbours(),
            changed=tuple(table._changed),
            removed=tuple(table._removed),
            log=tuple(table._log),
            changed_neighbours={} if eviction is None else dict(eviction.changes),
            is_dirty=table._is_dirty,
        )

    def restore(self, table: KeptTable) -> None:
        """Make the table what it was."""
        table._clear()
        table._next_record, table._next_update = self.next_record, self.next_update
        table._log_start = self.log_start
        # What was encoded since stays, too: a vector depends on its text alone.
        for key, vector in self.vectors.items():
            table._vectors.put(key, vector)
        table._take(self.records, self.states)
        if table._eviction is not None:
            table._eviction.restore(self.neighbours)
            table._eviction.changes = dict(self.changed_neighbours)
        table._changed = dict.fromkeys(self.changed)
        table._removed, table._log = list(self.removed), list(self.log)
        table._is_dirty = self.is_dirty
