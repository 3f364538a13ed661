"""A memory file looked into as it lies there: no record in RAM, no index, one row at a time.

What `rememberer-nb memory stats`, `show`, `trace`, `dump` and `check` look through. Names are those
of `ExperienceMemory`, where both have a thing.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from rememberer_nb.elements import Episode, Record, Update
from rememberer_nb.memory import ExperienceMemory
from rememberer_nb.memory.store.file import closed_on_failure
from rememberer_nb.memory.store.format import VALUE_COLUMNS, StoredRecord, as_text, read_value
from rememberer_nb.memory.store.head import ORIGIN_KEY, RUN_KEY, Head
from rememberer_nb.memory.store.store import Store
from rememberer_nb.system.checks import MAX_COUNT

# What `show` sorts by; of action values without an update the last ones.
ORDERS = {
    "q_value": "q_value DESC",
    "n_visits": "n_visits DESC",
    "last_update": "last_update IS NULL, last_update DESC",
}


class History(AbstractContextManager["History"]):
    """A memory file, to look at.

    Parameters
    ----------
    path : the file, which must exist.

    Raises
    ------
    MemoryFileError
        It is no memory of a known format, or is damaged.

    Examples
    --------
    >>> import tempfile
    >>> from rememberer_nb.memory import ExperienceMemory
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     with ExperienceMemory.open(f"{folder}/m.sqlite") as memory:
    ...         _ = memory.insert("a red lamp", "[Search]")
    ...         memory.commit()
    ...     with History(f"{folder}/m.sqlite") as history:
    ...         print(len(history), history.n_updates, [record.task for record in history])
    1 0 ['a red lamp']
    """

    def __init__(self, path: str | Path):
        self.store = Store(path, read_only=True)
        self.path = Path(path)
        with closed_on_failure(self.store), self.store.reading():
            self.head: Head = self.store.load_head()
            self.run = self.store.load_note(RUN_KEY)
            self.origin = self.store.load_note(ORIGIN_KEY)

    def close(self) -> None:
        """Close the file."""
        self.store.close()

    def __exit__(self, *_: object) -> None:
        self.close()

    def __len__(self) -> int:
        return self.head.n_records

    def __iter__(self) -> Iterator[Record]:
        return (self.store.read(StoredRecord.read, stored) for stored in self.stored_records())

    def stored_records(self) -> Iterator[StoredRecord]:
        """All records in insertion order, as they lie in the file."""
        return self.store.load_records()

    @property
    def n_tables(self) -> int:
        """Values kept per action."""
        return self.head.n_tables

    @property
    def n_episodes(self) -> int:
        """Episodes that were committed."""
        return self.head.n_episodes

    @property
    def n_updates(self) -> int:
        """Updates made so far; the id of the next one."""
        return self.head.next_update

    @property
    def next_record(self) -> int:
        """The id of the next new record; all below have been given."""
        return self.head.next_record

    @property
    def log_start(self) -> int:
        """The first id of the log."""
        return self.head.log_start

    @property
    def n_contrasting(self) -> int:
        """Records that hold two actions or more."""
        query = "SELECT record_id FROM action_values GROUP BY record_id HAVING COUNT(*) > 1"
        return int(next(self.store.select(f"SELECT COUNT(*) FROM ({query})"))[0])

    def initial_sources(self) -> set[str]:
        """Where the records come from that hold values of an initial memory."""
        query = (
            "SELECT DISTINCT source FROM records WHERE record_id IN "
            "(SELECT record_id FROM action_values WHERE is_initial)"
        )
        return {self.store.read(as_text, source) for (source,) in self.store.select(query)}

    @property
    def n_action_values(self) -> int:
        """Action values, over all records."""
        return self.store.count("action_values")

    def find(self, record_id: int) -> Record | None:
        """The record with that id; None if it is not (or no longer) held."""
        found = self.store.find_record(record_id)
        return None if found is None else self.store.read(StoredRecord.read, found)

    def updates(self, record_id: int | None = None, action: str | None = None) -> list[Update]:
        """Logged updates of a record, or of one of its actions, in order."""
        return list(self.each_update(record_id, action))

    def each_update(
        self, record_id: int | None = None, action: str | None = None
    ) -> Iterator[Update]:
        """As `updates`, one at a time."""
        found = self.store.load_updates(record_id, action)
        return (update for update in found if update.update_id < self.n_updates)

    def each_episode(self, after: int = 0) -> Iterator[Episode]:
        """The episodes in order, one at a time, without the first `after`."""
        return self.store.load_episodes(after, self.n_episodes + 1)

    def episode(self, number: int) -> Episode:
        """The episode of that number, which counts from 1."""
        return next(iter(self.store.load_episodes(number - 1, number + 1)))

    def uses(self, record_id: int) -> list[tuple[int, int, int, float, bool]]:
        """Decisions that looked at a record; see `ExperienceMemory.uses`."""
        return self.store.load_uses(record_id)

    def top_values(self, order: str = "q_value", n_rows: int = 20) -> list[dict[str, Any]]:
        """The first action values in an order of `ORDERS`: rows as `to_frame` has them."""
        query = (
            f"SELECT v.record_id, r.task, r.observation, r.source, {VALUE_COLUMNS} "
            f"FROM action_values v JOIN records r ON r.record_id = v.record_id "
            f"ORDER BY {ORDERS[order]}, v.record_id, v.position LIMIT ?"
        )
        rows = []
        for record_id, task, observation, source, *cells in self.store.select(
            query, min(n_rows, MAX_COUNT)
        ):
            value = self.store.read(read_value, tuple(cells))
            rows.append(
                {
                    "record_id": record_id,
                    "task": self.store.read(as_text, task),
                    "observation": self.store.read(as_text, observation),
                    "action": value.action,
                    "q_value": value.q_value,
                    "n_visits": value.n_visits,
                    "reward": value.reward,
                    "rationale": value.rationale,
                    "is_initial": value.is_initial,
                    "source": self.store.read(as_text, source),
                    "first_update": value.first_update,
                    "last_update": value.last_update,
                }
            )
        return rows

    def __repr__(self) -> str:
        return f"<ExperienceMemory: {len(self)} records, {self.n_updates} updates in {self.path}>"


def open_to_look(path: str | Path) -> ExperienceMemory:
    """A memory file as a memory that is not written, whichever number of values it keeps."""
    with History(path) as history:
        n_tables = history.n_tables
    return ExperienceMemory.open(path, must_exist=True, read_only=True, n_tables=n_tables)
