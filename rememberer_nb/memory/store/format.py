"""The tables of a memory file, its versions, and how values become rows and rows values.

====== ==========================================================================================
format what is new
====== ==========================================================================================
1      records, action values, the update log, episodes (early files lack `records.metadata`)
2      which records a decision looked at (`uses`), the neighbours that eviction by redundancy
       knows, and several sources of one bootstrap (`updates.sources`)
3      a checksum for each row (one for a record and its action values together), the file's
       identity, and how many records and episodes it holds
4      `outcome`, an episode in numbers; `texts`, so that a text lies in the file once; see
       `rememberer_nb.memory.store.episodes`
5      `vectors`, so that an embedding lies in the file once; see
       `rememberer_nb.memory.store.vectors`
====== ==========================================================================================

Texts are UTF-8; one that is none (it holds half a surrogate pair) is kept as bytes and read back
equal.
"""

from __future__ import annotations

import json
import sqlite3
import zlib
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from rememberer_nb.elements import ActionValue, Record, Update
from rememberer_nb.errors import DataError
from rememberer_nb.memory.eviction import Neighbour

APPLICATION_ID = 0x524D4E42  # "RMNB"
FORMAT_VERSION = 5

Cell = str | bytes | int | float | None
Row = tuple[Cell, ...]

TEXT_TABLES = """
CREATE TABLE texts (
    first INTEGER PRIMARY KEY, n_texts INTEGER NOT NULL, data BLOB NOT NULL,
    checksum INTEGER NOT NULL
);
CREATE TABLE text_index (
    crc INTEGER NOT NULL, text_id INTEGER NOT NULL, PRIMARY KEY (crc, text_id)
) WITHOUT ROWID;
"""

VECTOR_TABLE = """
CREATE TABLE vectors (
    model TEXT NOT NULL, key BLOB NOT NULL, vector BLOB NOT NULL, checksum INTEGER NOT NULL,
    UNIQUE (model, key)
);
"""

# In one transaction, so that a file either has all tables or is not yet a memory.
SCHEMA = f"""
BEGIN;
PRAGMA application_id = {APPLICATION_ID};
PRAGMA user_version = {FORMAT_VERSION};
CREATE TABLE meta (
    key TEXT PRIMARY KEY, value BLOB NOT NULL, checksum INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE records (
    record_id INTEGER PRIMARY KEY, task TEXT NOT NULL, observation TEXT NOT NULL,
    available_actions TEXT NOT NULL, source TEXT NOT NULL, metadata TEXT NOT NULL,
    checksum INTEGER NOT NULL
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
    n_visits INTEGER NOT NULL, sources TEXT NOT NULL, checksum INTEGER NOT NULL
);
CREATE INDEX updates_by_value ON updates (record_id, action);
CREATE TABLE episodes (
    number INTEGER PRIMARY KEY, episode_id TEXT NOT NULL, outcome TEXT NOT NULL,
    texts BLOB NOT NULL, data BLOB NOT NULL, checksum INTEGER NOT NULL
);
{TEXT_TABLES}{VECTOR_TABLE}
CREATE TABLE neighbours (
    record_id INTEGER PRIMARY KEY, similarity REAL NOT NULL, other INTEGER NOT NULL
);
CREATE TABLE uses (
    record_id INTEGER NOT NULL, number INTEGER NOT NULL, step INTEGER NOT NULL,
    "rank" INTEGER NOT NULL, total REAL NOT NULL, is_shown INTEGER NOT NULL,
    PRIMARY KEY (record_id, number, step, "rank")
) WITHOUT ROWID;
COMMIT;
"""

TABLES = ("records", "action_values", "updates", "episodes")

RECORD_COLUMNS = "record_id, task, observation, available_actions, source, metadata"
VALUE_COLUMNS = (
    "action, q_value, n_visits, reward, rationale, is_initial, tables, first_update, last_update"
)
UPDATE_COLUMNS = (
    'update_id, episode_id, step, record_id, action, "table", rewards, gamma, bootstrap_value, '
    "bootstrap_record_id, is_stand_in, target, learning_rate, q_before, q_after, n_visits, sources"
)
EPISODE_COLUMNS = "episode_id, outcome, texts, data"
TEXT_COLUMNS = "first, n_texts, data"
VECTOR_COLUMNS = "model, key, vector"
USE_COLUMNS = 'record_id, number, step, "rank", total, is_shown'


# Cells and rows


def as_cell(text: str) -> str | bytes:
    """A text as SQLite can hold it."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-8", "surrogatepass")
    return text


def as_text(cell: str | bytes) -> str:
    """The inverse of `as_cell`.

    >>> as_text(as_cell("half a smile: \\ud83d")) == "half a smile: \\ud83d"
    True
    """
    if type(cell) is str:
        return cell
    return cell.decode("utf-8", "surrogatepass") if isinstance(cell, bytes) else _text(cell)


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(f"expected a text, found {value!r:.60}")
    return value


def marks(n: int) -> str:
    """Placeholders of n values.

    >>> marks(3)
    '?, ?, ?'
    """
    return ", ".join("?" * n)


def checksum(*rows: Row) -> int:
    """CRC-32 of rows as SQLite gives them back.

    >>> checksum(("a", 1)) == checksum(("a", 1)) != checksum(("a", 2))
    True
    """
    return zlib.crc32(repr(rows).encode("utf-8", "surrogatepass"))


def _real(number: float) -> float:
    # As it is read back: SQLite knows no negative zero, and a whole number becomes a float.
    return float(number) + 0.0


def _maybe(number: int | None) -> int | None:
    return None if number is None else int(number)


def record_row(record: Record) -> Row:
    """In the order of `RECORD_COLUMNS`."""
    return (
        int(record.record_id), as_cell(record.task), as_cell(record.observation),
        json.dumps(record.available_actions), as_cell(record.source), json.dumps(record.metadata),
    )  # fmt: skip


def value_row(value: ActionValue) -> Row:
    """In the order of `VALUE_COLUMNS`."""
    return (
        as_cell(value.action), _real(value.q_value), int(value.n_visits), _real(value.reward),
        as_cell(value.rationale), int(value.is_initial), json.dumps(value.tables),
        _maybe(value.first_update), _maybe(value.last_update),
    )  # fmt: skip


def update_row(update: Update) -> Row:
    """In the order of `UPDATE_COLUMNS`."""
    bootstrap = update.bootstrap_value
    return (
        int(update.update_id), as_cell(update.episode_id), int(update.step), int(update.record_id),
        as_cell(update.action), int(update.table), json.dumps(update.rewards), _real(update.gamma),
        None if bootstrap is None else _real(bootstrap), _maybe(update.bootstrap_record_id),
        int(update.is_stand_in), _real(update.target), _real(update.learning_rate),
        _real(update.q_before), _real(update.q_after), int(update.n_visits),
        json.dumps(update.bootstrap_sources),
    )  # fmt: skip


_TEXT, _COUNT, _REAL, _NONE = (str, bytes), (int,), (float,), (type(None),)
_UPDATE_KINDS = (
    _COUNT, _TEXT, _COUNT, _COUNT, _TEXT, _COUNT, _TEXT, _REAL, _REAL + _NONE, _COUNT + _NONE,
    _COUNT, _REAL, _REAL, _REAL, _REAL, _COUNT, _TEXT,
)  # fmt: skip


def read_update(row: Row) -> Update:
    """From a row of `UPDATE_COLUMNS`."""
    # SQLite takes any kind of value in any column.
    if not all(map(isinstance, row, _UPDATE_KINDS)):
        raise DataError(f"update {row[0]!r:.20} holds something else than expected")
    fields: list[Any] = list(row)
    fields[1], fields[4] = as_text(fields[1]), as_text(fields[4])
    fields[6] = tuple(json.loads(fields[6]))
    if not all(type(reward) in (int, float) for reward in fields[6]):
        raise DataError(f"update {row[0]!r:.20} has rewards that are no numbers")
    fields[10] = bool(fields[10])
    fields[16] = tuple((int(i), float(weight)) for i, weight in json.loads(fields[16]))
    return Update(*fields)


class StoredRecord(NamedTuple):
    """A record as it lies in the file; `read` makes it a `Record`.

    `row` is in the order of `RECORD_COLUMNS`, `values` are its action values in order, each in the
    order of `VALUE_COLUMNS`, and `checksum` is what the file says of them.
    """

    row: tuple[Any, ...]
    values: tuple[tuple[Any, ...], ...]
    checksum: int

    @property
    def is_sound(self) -> bool:
        """Whether they are what was written."""
        return checksum(self.row, *self.values) == self.checksum

    @property
    def record_id(self) -> int:
        """The record's id."""
        return int(self.row[0])

    @property
    def task(self) -> str:
        """Its task's text."""
        return as_text(self.row[1])

    @property
    def observation(self) -> str:
        """Its observation."""
        return as_text(self.row[2])

    @property
    def n_visits(self) -> int:
        """Updates made to it, over all its actions."""
        return sum(row[2] for row in self.values)

    def read(self) -> Record:
        """The record."""
        record_id, task, observation, actions, source, held = self.row
        return Record(
            record_id,
            as_text(task),
            as_text(observation),
            tuple(map(_text, json.loads(actions))),
            tuple(map(read_value, self.values)),
            as_text(source),
            dict(json.loads(held)),
        )


def read_value(row: tuple[Any, ...]) -> ActionValue:
    """From a row of `VALUE_COLUMNS`."""
    action, q_value, n_visits, reward, rationale, is_initial, tables, first, last = row
    pairs = tuple((float(q), int(n)) for q, n in json.loads(tables))
    return ActionValue(
        as_text(action), q_value, n_visits, reward, as_text(rationale), bool(is_initial), pairs,
        first, last,
    )  # fmt: skip


def read_records(db: sqlite3.Connection, record_id: int | None = None) -> Iterator[StoredRecord]:
    """All records in insertion order, or the one with an id."""
    where, cells = ("", ()) if record_id is None else ("WHERE record_id = ?", (record_id,))
    query = f"SELECT record_id, {VALUE_COLUMNS} FROM action_values {where} "
    by_record: dict[int, list[tuple[Any, ...]]] = {}
    for owner, *value in db.execute(query + "ORDER BY record_id, position", cells):
        by_record.setdefault(owner, []).append(tuple(value))
    query = f"SELECT {RECORD_COLUMNS}, checksum FROM records {where} ORDER BY record_id"
    for *row, expected in db.execute(query, cells):
        # Values without a record are left over; `memory check` names them.
        yield StoredRecord(tuple(row), tuple(by_record.get(row[0], ())), expected)


# Writing


def write_records(
    db: sqlite3.Connection, records: Iterable[Record], removed: Iterable[int]
) -> None:
    """Delete what was removed, and write what is new or has changed."""
    gone = [(record_id,) for record_id in removed]
    db.executemany("DELETE FROM action_values WHERE record_id = ?", gone)
    db.executemany("DELETE FROM records WHERE record_id = ?", gone)
    for record in records:
        row, values = record_row(record), [value_row(value) for value in record.action_values]
        db.execute(
            f"INSERT OR REPLACE INTO records ({RECORD_COLUMNS}, checksum) VALUES ({marks(7)})",
            (*row, checksum(row, *values)),
        )
        db.execute("DELETE FROM action_values WHERE record_id = ?", (record.record_id,))
        db.executemany(
            f"INSERT INTO action_values (record_id, position, {VALUE_COLUMNS}) "
            f"VALUES ({marks(11)})",
            [(record.record_id, position, *value) for position, value in enumerate(values)],
        )


def write_updates(db: sqlite3.Connection, updates: Iterable[Update]) -> None:
    """Add to the log."""
    db.executemany(
        f"INSERT INTO updates ({UPDATE_COLUMNS}, checksum) VALUES ({marks(18)})",
        [(*row, checksum(row)) for row in map(update_row, updates)],
    )


def write_neighbours(db: sqlite3.Connection, neighbours: Mapping[int, Neighbour | None]) -> None:
    """Write the neighbours that have changed; None: there is none any more."""
    gone = [(record_id,) for record_id, known in neighbours.items() if known is None]
    kept = [(record_id, *known) for record_id, known in neighbours.items() if known is not None]
    db.executemany("DELETE FROM neighbours WHERE record_id = ?", gone)
    db.executemany(
        "INSERT OR REPLACE INTO neighbours (record_id, similarity, other) VALUES (?, ?, ?)", kept
    )


def write_meta(db: sqlite3.Connection, meta: Mapping[str, bytes]) -> None:
    """Write named values, in the place of older ones."""
    db.executemany(
        "INSERT OR REPLACE INTO meta (key, value, checksum) VALUES (?, ?, ?)",
        [(*row, checksum(row)) for row in meta.items()],
    )


def read_meta(db: sqlite3.Connection, key: str) -> bytes | None:
    """A named value, or None; `DataError` if it is not what was written."""
    row = db.execute("SELECT key, value, checksum FROM meta WHERE key = ?", (key,)).fetchone()
    if row is None:
        return None
    if checksum(row[:2]) != row[2]:
        raise DataError(f"{key!r} is not what was written (its checksum differs)")
    return bytes(row[1])
