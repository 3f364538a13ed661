"""One SQLite file per memory: records, action values, the update log, episodes.

A memory keeps its records in RAM and hands the store what changed, in one transaction at the end
of each episode, so a reader never sees half an episode. `Store(None)` keeps the same tables in
RAM. Nothing is written to a file that is not a memory of a known format.
"""

from __future__ import annotations

import json
import sqlite3
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rememberer_nb.elements import ActionValue, Episode, Record, Update, from_data, to_data
from rememberer_nb.errors import DataError, MemoryFileError

APPLICATION_ID = 0x524D4E42  # "RMNB"
FORMAT_VERSION = 1

# What files and their contents raise: damaged rows surface as any of the last four.
_FILE_ERRORS = (sqlite3.Error, zlib.error, OSError, DataError, ValueError, TypeError, LookupError)

_SQLITE_HEADER = b"SQLite format 3\x00"
_HEADER_SIZE = 100
# Offsets in the header of a SQLite file (its file format, section 1.3).
_VERSION_AT, _APPLICATION_AT = 60, 68

# In one transaction, so that a file either has all tables or is not yet a memory.
_SCHEMA = f"""
BEGIN;
PRAGMA application_id = {APPLICATION_ID};
PRAGMA user_version = {FORMAT_VERSION};
CREATE TABLE meta (key TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE records (
    record_id INTEGER PRIMARY KEY, task TEXT NOT NULL, observation TEXT NOT NULL,
    available_actions TEXT NOT NULL, source TEXT NOT NULL, metadata TEXT NOT NULL DEFAULT '{{}}'
);
CREATE TABLE action_values (
    record_id INTEGER NOT NULL, position INTEGER NOT NULL, action TEXT NOT NULL,
    q_value REAL NOT NULL, n_visits INTEGER NOT NULL, reward REAL NOT NULL,
    rationale TEXT NOT NULL, is_initial INTEGER NOT NULL, tables TEXT NOT NULL,
    first_update INTEGER, last_update INTEGER, PRIMARY KEY (record_id, action)
) WITHOUT ROWID;
CREATE TABLE updates (
    update_id INTEGER PRIMARY KEY, episode_id TEXT NOT NULL, step INTEGER NOT NULL,
    record_id INTEGER NOT NULL, action TEXT NOT NULL, "table" INTEGER NOT NULL,
    rewards TEXT NOT NULL, gamma REAL NOT NULL, bootstrap_value REAL,
    bootstrap_record_id INTEGER, is_stand_in INTEGER NOT NULL, target REAL NOT NULL,
    learning_rate REAL NOT NULL, q_before REAL NOT NULL, q_after REAL NOT NULL,
    n_visits INTEGER NOT NULL
);
CREATE INDEX updates_by_value ON updates (record_id, action);
CREATE TABLE episodes (
    number INTEGER PRIMARY KEY, episode_id TEXT NOT NULL, data BLOB NOT NULL
);
COMMIT;
"""

_VALUE_COLUMNS = (
    "action, q_value, n_visits, reward, rationale, is_initial, tables, first_update, last_update"
)
_RECORD_COLUMNS = "record_id, task, observation, available_actions, source, metadata"
_UPDATE_COLUMNS = (
    'update_id, episode_id, step, record_id, action, "table", rewards, gamma, bootstrap_value, '
    "bootstrap_record_id, is_stand_in, target, learning_rate, q_before, q_after, n_visits"
)


class Store:
    """The tables behind a memory.

    Parameters
    ----------
    path : the file, made if it does not exist; None keeps everything in RAM.
    must_exist : raise instead of making a new file.

    Raises
    ------
    MemoryFileError
        When the file is no memory, is damaged, is of a newer format, or cannot be opened.
    """

    def __init__(self, path: str | Path | None = None, *, must_exist: bool = False):
        self.path = None if path is None else Path(path)
        with self.naming_the_file("cannot be opened as a memory"):
            is_new = self._check_file(must_exist)
            self._db = sqlite3.connect(":memory:" if self.path is None else self.path)
            if is_new:
                self._create()

    def close(self) -> None:
        """Close the file; what was committed stays."""
        self._db.close()

    def load_records(self) -> Iterator[Record]:
        """All records in insertion order."""
        with self.naming_the_file("is damaged"):
            yield from self._load_records()

    def load_updates(
        self, record_id: int | None = None, action: str | None = None
    ) -> Iterator[Update]:
        """Logged updates in order: all, those of a record, or those of one of its actions."""
        wanted = {"record_id": record_id, "action": action}
        wanted = {name: value for name, value in wanted.items() if value is not None}
        where = " AND ".join(f"{name} = :{name}" for name in wanted)
        query = f"SELECT {_UPDATE_COLUMNS} FROM updates"
        query += f" WHERE {where}" if where else ""
        with self.naming_the_file("is damaged"):
            for row in self._db.execute(query + " ORDER BY update_id", wanted):
                fields = list(row)
                fields[6] = tuple(json.loads(fields[6]))
                fields[10] = bool(fields[10])
                yield Update(*fields)

    def load_episodes(self) -> Iterator[Episode]:
        """The episodes in the order in which they were learnt from."""
        with self.naming_the_file("is damaged"):
            for (data,) in self._db.execute("SELECT data FROM episodes ORDER BY number"):
                yield from_data(Episode, json.loads(zlib.decompress(data)))

    def count(self, table: str) -> int:
        """Rows in one of the tables "records", "action_values", "updates", "episodes"."""
        return int(self._db.execute(f"SELECT COUNT(*) FROM {table}").fetchone()[0])

    def get_meta(self, key: str) -> bytes | None:
        """A stored value, or None."""
        with self.naming_the_file("is damaged"):
            row = self._db.execute("SELECT value FROM meta WHERE key = ?", (key,)).fetchone()
        return None if row is None else bytes(row[0])

    def write(
        self,
        *,
        records: Iterable[Record] = (),
        removed: Iterable[int] = (),
        updates: Iterable[Update] = (),
        episode: Episode | None = None,
        meta: dict[str, bytes] | None = None,
    ) -> None:
        """Write all changes of an episode in one transaction, or none of them."""
        with self.naming_the_file("cannot be written"), self._db:
            self._write_records(records, removed)
            self._db.executemany(
                f"INSERT INTO updates ({_UPDATE_COLUMNS}) VALUES ({_marks(16)})",
                [_update_row(update) for update in updates],
            )
            if episode is not None:
                data = zlib.compress(json.dumps(to_data(episode)).encode())
                self._db.execute(
                    "INSERT INTO episodes (episode_id, data) VALUES (?, ?)",
                    (episode.episode_id, data),
                )
            self._db.executemany(
                "INSERT OR REPLACE INTO meta (key, value) VALUES (?, ?)", (meta or {}).items()
            )

    @contextmanager
    def naming_the_file(self, problem: str) -> Iterator[None]:
        """What goes wrong inside with the file or its contents becomes a `MemoryFileError`."""
        try:
            yield
        except MemoryFileError:
            raise
        except _FILE_ERRORS as error:
            raise self._error(f"{problem}: {error}") from error

    def _write_records(self, records: Iterable[Record], removed: Iterable[int]) -> None:
        if not self._has_metadata():
            self._db.execute("ALTER TABLE records ADD COLUMN metadata TEXT NOT NULL DEFAULT '{}'")
        gone = [(record_id,) for record_id in removed]
        self._db.executemany("DELETE FROM action_values WHERE record_id = ?", gone)
        self._db.executemany("DELETE FROM records WHERE record_id = ?", gone)
        for record in records:
            self._db.execute(
                f"INSERT OR REPLACE INTO records ({_RECORD_COLUMNS}) VALUES ({_marks(6)})",
                (record.record_id, record.task, record.observation,
                 json.dumps(record.available_actions), record.source,
                 json.dumps(record.metadata)),
            )  # fmt: skip
            self._db.execute("DELETE FROM action_values WHERE record_id = ?", (record.record_id,))
            self._db.executemany(
                f"INSERT INTO action_values (record_id, position, {_VALUE_COLUMNS}) "
                f"VALUES ({_marks(11)})",
                [
                    (record.record_id, position, *_value_row(value))
                    for position, value in enumerate(record.action_values)
                ],
            )

    def _load_records(self) -> Iterator[Record]:
        values: dict[int, list[ActionValue]] = {}
        query = (
            f"SELECT record_id, {_VALUE_COLUMNS} FROM action_values ORDER BY record_id, position"
        )
        for record_id, *row in self._db.execute(query):
            row[5] = bool(row[5])
            row[6] = tuple((float(q), int(n)) for q, n in json.loads(row[6]))
            values.setdefault(record_id, []).append(ActionValue(*row))
        metadata = "metadata" if self._has_metadata() else "'{}'"
        query = f"SELECT record_id, task, observation, available_actions, source, {metadata}"
        for record_id, task, observation, actions, source, held in self._db.execute(
            f"{query} FROM records ORDER BY record_id"
        ):
            known = tuple(values.get(record_id, ()))
            available = tuple(json.loads(actions))
            yield Record(
                record_id, task, observation, available, known, source, dict(json.loads(held))
            )

    def _has_metadata(self) -> bool:
        # Files of the very first version of this format have no such column; it is added when
        # they are first written to, so that reading changes nothing.
        names = self._db.execute("SELECT name FROM pragma_table_info('records')")
        return ("metadata",) in names.fetchall()

    def _check_file(self, must_exist: bool) -> bool:
        """Whether the store is new; reads the file's first bytes before SQLite touches it."""
        if self.path is None:
            return True
        if not self.path.exists():
            if must_exist:
                raise self._error("no such memory file")
            if not self.path.parent.is_dir():
                raise self._error(f"the folder {self.path.parent} does not exist")
            return True
        if not self.path.is_file():
            raise self._error("is not a file; expected a memory file")
        with self.path.open("rb") as file:
            self._check_header(file.read(_HEADER_SIZE))
        return False

    def _check_header(self, header: bytes) -> None:
        if not header.startswith(_SQLITE_HEADER):
            raise self._error("is not a memory file (not a SQLite database); nothing was changed")
        if len(header) < _HEADER_SIZE:
            raise self._error("is damaged: cut off within its first bytes; nothing was changed")
        application = int.from_bytes(header[_APPLICATION_AT : _APPLICATION_AT + 4], "big")
        version = int.from_bytes(header[_VERSION_AT : _VERSION_AT + 4], "big")
        if application != APPLICATION_ID:
            raise self._error("is a SQLite database but not a memory; nothing was changed")
        if version > FORMAT_VERSION:
            raise self._error(
                f"has format {version}, newer than {FORMAT_VERSION}, the newest that this version "
                "reads: upgrade rememberer-nb; nothing was changed"
            )

    def _create(self) -> None:
        self._db.executescript(_SCHEMA)
        if self.path is not None:
            # Only now: the first bytes of the file itself must say what it is.
            self._db.execute("PRAGMA journal_mode = WAL")

    def _error(self, problem: str) -> MemoryFileError:
        return MemoryFileError(problem, path=self.path or "memory in RAM")


def _marks(n: int) -> str:
    return ", ".join("?" * n)


def _value_row(value: ActionValue) -> tuple[Any, ...]:
    return (
        value.action, value.q_value, value.n_visits, value.reward, value.rationale,
        int(value.is_initial), json.dumps(value.tables), value.first_update, value.last_update,
    )  # fmt: skip


def _update_row(update: Update) -> tuple[Any, ...]:
    return (
        update.update_id, update.episode_id, update.step, update.record_id, update.action,
        update.table, json.dumps(update.rewards), update.gamma, update.bootstrap_value,
        update.bootstrap_record_id, int(update.is_stand_in), update.target,
        update.learning_rate, update.q_before, update.q_after, update.n_visits,
    )  # fmt: skip
