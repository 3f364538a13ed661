"""What lies in the tables of a memory file, read row by row.

What goes wrong with the file, and rows that cannot be read as what they should be, become a
`MemoryFileError` that names the file.
"""

from __future__ import annotations

import json
import math
import sqlite3
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from rememberer_nb.elements import Episode, Update
from rememberer_nb.errors import DataError, MemoryFileError
from rememberer_nb.memory.eviction import Neighbour
from rememberer_nb.memory.outcome import Outcome
from rememberer_nb.memory.store.episodes import Texts
from rememberer_nb.memory.store.file import what_is_wrong
from rememberer_nb.memory.store.format import (
    EPISODE_COLUMNS,
    TABLES,
    TEXT_COLUMNS,
    UPDATE_COLUMNS,
    VECTOR_COLUMNS,
    StoredRecord,
    as_cell,
    as_text,
    checksum,
    read_meta,
    read_records,
    read_update,
)
from rememberer_nb.memory.store.head import HEAD_KEY, Head
from rememberer_nb.memory.store.vectors import read_vectors
from rememberer_nb.retrieval.vectors import Key
from rememberer_nb.system.plain import Value

# What a row that is none of ours raises when it is made a value.
NOT_OURS = (
    zlib.error, DataError, ValueError, TypeError, LookupError, AttributeError, RecursionError,
    OverflowError,
)  # fmt: skip


class StoredRows:
    """The tables of a memory, to read; `Store` opens them."""

    def __init__(self, path: Path | None):
        self.path = path
        self._connection: sqlite3.Connection | None = None

    def load_records(self, *, is_checked: bool = True) -> Iterator[StoredRecord]:
        """All records in insertion order; `is_checked`: a wrong checksum is an error."""
        with self._decoding():
            for stored in read_records(self._db()):
                if is_checked and not stored.is_sound:
                    raise DataError(
                        f"record {stored.record_id} is not what was written (its checksum differs)"
                    )
                yield stored

    def find_record(self, record_id: int) -> StoredRecord | None:
        """One record, or None."""
        with self._decoding():
            return next(read_records(self._db(), record_id), None)

    def load_updates(
        self, record_id: int | None = None, action: str | None = None
    ) -> Iterator[Update]:
        """Logged updates in order: all, those of a record, or those of one of its actions."""
        wanted = {
            "record_id": record_id,
            "action": None if action is None else as_cell(action),
        }
        wanted = {name: value for name, value in wanted.items() if value is not None}
        where = " AND ".join(f"{name} = :{name}" for name in wanted)
        query = f"SELECT {UPDATE_COLUMNS} FROM updates"
        query += f" WHERE {where}" if where else ""
        with self._decoding():
            for row in self._db().execute(query + " ORDER BY update_id", wanted):
                yield read_update(row)

    def load_episodes(self, after: int = 0, before: int | None = None) -> Iterator[Episode]:
        """The episodes in the order in which they were learnt from; their numbers count from 1.

        `after` and `before` leave out the episodes up to and from those numbers.
        """
        end = 2**62 if before is None else before
        query = "SELECT texts, data FROM episodes WHERE number > ? AND number < ? ORDER BY number"
        with self._decoding():
            texts = Texts(self._db())
            for ids, data in self._db().execute(query, (after, end)):
                yield texts.read_episode(ids, data)

    def load_outcomes(self, after: int, before: int) -> Iterator[Outcome]:
        """Those of the same episodes, at a small part of the cost."""
        query = "SELECT number, outcome FROM episodes WHERE number > ? AND number < ? "
        with self._decoding():
            for number, outcome in self._db().execute(query + "ORDER BY number", (after, before)):
                # A file of an older format, as it is read, has none.
                if outcome:
                    yield Outcome.parse(outcome)
                else:
                    yield from map(Outcome.of, self.load_episodes(number - 1, number + 1))

    def load_uses(self, record_id: int) -> list[tuple[int, int, int, float, bool]]:
        """Where a record was looked at: (episode number, step, rank, total, whether shown)."""
        query = 'SELECT number, step, "rank", total, is_shown FROM uses WHERE record_id = ?'
        rows = self.select(query + " ORDER BY number, step", record_id)
        return [(*row[:4], bool(row[4])) for row in rows]

    def load_neighbours(self) -> dict[int, Neighbour]:
        """What eviction by redundancy knows."""
        rows = self.select("SELECT record_id, similarity, other FROM neighbours")
        return {record_id: (similarity, other) for record_id, similarity, other in rows}

    def load_vectors(self, models: Iterable[str]) -> dict[Key, np.ndarray]:
        """The vectors of texts that the file has of some models."""
        with self._decoding():
            return read_vectors(self._db(), models)

    def count(self, table: str) -> int:
        """Rows in one of the tables "records", "action_values", "updates", "episodes"."""
        return int(next(self.select(f"SELECT COUNT(*) FROM {table}"))[0])

    def load_head(self) -> Head:
        """The counters; of a file without a commit, those of an empty memory."""
        with self._decoding():
            head = Head.parse(read_meta(self._db(), HEAD_KEY))
            if head is not None:
                return head
            n_rows = {table: self.count(table) for table in TABLES}
            if any(n_rows.values()):
                held = ", ".join(f"{n} {table}" for table, n in n_rows.items())
                raise DataError(f"it has no head, but holds {held}")
            return Head()

    def missing(self, head: Head) -> Iterator[str]:
        """What rows there should be, by the head, and are not."""
        for table, n_rows in (("records", head.n_records), ("episodes", head.n_episodes)):
            found = self.count(table)
            if found != n_rows:
                yield f"it should hold {n_rows} {table}, and holds {found}"

    def check_counts(self, head: Head) -> None:
        """Make sure that no row is missing."""
        for problem in self.missing(head):
            raise self.error(f"is damaged: {problem}")

    def load_note(self, key: str) -> dict[str, Any] | None:
        """What is noted under `RUN_KEY` or `ORIGIN_KEY`."""
        with self._decoding():
            note = read_meta(self._db(), key)
            return None if note is None else dict(json.loads(note))

    def read(self, make: Callable[[Any], Value], cells: Any) -> Value:
        """What `make` makes of something that was loaded or selected as it lies in the file."""
        with self._decoding():
            return make(cells)

    def get_meta(self, key: str) -> bytes | None:
        """A stored value, or None."""
        with self._decoding():
            return read_meta(self._db(), key)

    def load_states(self) -> Iterator[tuple[str, str, str]]:
        """(task, observation, source) of each record, in insertion order."""
        query = "SELECT task, observation, source FROM records ORDER BY record_id"
        with self._decoding():
            for task, observation, source in self._db().execute(query):
                yield as_text(task), as_text(observation), as_text(source)

    def load_counts(self) -> Iterator[tuple[float, int, bool]]:
        """(q value, visits, whether it is initial) of each action value, in insertion order."""
        query = "SELECT q_value, n_visits, is_initial FROM action_values"
        with self._decoding():
            for q_value, n_visits, is_initial in self._db().execute(
                query + " ORDER BY record_id, position"
            ):
                if not (isinstance(q_value, float) and isinstance(n_visits, int)):
                    raise DataError(f"expected a value and its visits, found {q_value, n_visits}")
                if not math.isfinite(q_value):
                    raise DataError(f"expected a finite value, found {q_value}")
                yield q_value, n_visits, bool(is_initial)

    def select(self, query: str, *cells: object) -> Iterator[tuple[Any, ...]]:
        """The rows of a query, as they lie in the file."""
        with self._naming("read"):
            yield from self._db().execute(query, cells)

    def damages(self) -> Iterator[str]:
        """What SQLite finds wrong with the file itself."""
        try:
            for (line,) in self._db().execute("PRAGMA integrity_check"):
                if line != "ok":
                    yield line
        except sqlite3.Error as error:
            yield str(error)

    def wrong_rows(self) -> Iterator[str]:
        """What is not as it was written."""
        for stored in self.load_records(is_checked=False):
            if not stored.is_sound:
                yield f"record {stored.record_id}"
        query = f"SELECT checksum, {UPDATE_COLUMNS} FROM updates ORDER BY update_id"
        yield from (f"update {row[0]}" for row in self._differing(query))
        query = f"SELECT checksum, {EPISODE_COLUMNS} FROM episodes ORDER BY number"
        yield from (f"episode {as_text(row[0])!r}" for row in self._differing(query))
        query = f"SELECT checksum, {TEXT_COLUMNS} FROM texts ORDER BY first"
        yield from (f"the row of text {row[0]}" for row in self._differing(query))
        query = f"SELECT checksum, {VECTOR_COLUMNS} FROM vectors ORDER BY rowid"
        yield from (f"a vector of {row[0]!r:.80}" for row in self._differing(query))
        query = "SELECT checksum, key, value FROM meta ORDER BY key"
        yield from (f"the value {row[0]!r}" for row in self._differing(query))

    def orphans(self) -> list[int]:
        """Record ids that action values refer to in vain."""
        query = "SELECT DISTINCT record_id FROM action_values WHERE record_id NOT IN "
        return [row[0] for row in self.select(query + "(SELECT record_id FROM records)")]

    def error(self, problem: str) -> MemoryFileError:
        """The error that names this file."""
        return MemoryFileError(problem, path=self.path or "memory in RAM")

    # Inside

    def _db(self) -> sqlite3.Connection:
        """The connection, if it may be read from."""
        raise NotImplementedError

    def _differing(self, query: str) -> Iterator[tuple[Any, ...]]:
        for expected, *row in self.select(query):
            if checksum(tuple(row)) != expected:
                yield tuple(row)

    @contextmanager
    def _decoding(self, doing: str = "read") -> Iterator[None]:
        """Rows that cannot be read as what they should be become a `MemoryFileError`."""
        with self._naming(doing):
            try:
                yield
            except MemoryFileError:
                raise
            except NOT_OURS as error:
                raise self.error(f"is damaged: {error}") from error

    @contextmanager
    def _naming(self, doing: str, also: tuple[type[Exception], ...] = ()) -> Iterator[None]:
        """What goes wrong with the file inside becomes a `MemoryFileError`."""
        try:
            yield
        except MemoryFileError:
            raise
        except sqlite3.Error as error:
            raise self.error(what_is_wrong(error, doing)) from error
        except OSError as error:
            raise self.error(f"cannot be {doing}: {error.strerror or error}") from error
        except also as error:
            raise self.error(f"cannot be {doing}: {error}") from error
