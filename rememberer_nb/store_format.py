"""The tables of a memory file, its versions, and how rows become values.

====== ==========================================================================================
format what is new
====== ==========================================================================================
1      records, action values, the update log, episodes (early files lack `records.metadata`)
2      which records a decision looked at (`uses`), the neighbours that eviction by redundancy
       knows, and several sources of one bootstrap (`updates.sources`)
====== ==========================================================================================

Texts are UTF-8; one that is none (it holds half a surrogate pair) is kept as bytes and read back
equal.
"""

from __future__ import annotations

import json
import sqlite3
import zlib
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from rememberer_nb.elements import ActionValue, Episode, Record, Update, from_data, to_data
from rememberer_nb.eviction import Neighbour

APPLICATION_ID = 0x524D4E42  # "RMNB"
FORMAT_VERSION = 2

_NEW_IN_2 = """
CREATE TABLE neighbours (
    record_id INTEGER PRIMARY KEY, similarity REAL NOT NULL, other INTEGER NOT NULL
);
CREATE TABLE uses (
    record_id INTEGER NOT NULL, number INTEGER NOT NULL, step INTEGER NOT NULL,
    "rank" INTEGER NOT NULL, total REAL NOT NULL, is_shown INTEGER NOT NULL,
    PRIMARY KEY (record_id, number, step, "rank")
) WITHOUT ROWID;
"""

# In one transaction, so that a file either has all tables or is not yet a memory.
SCHEMA = f"""
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
    n_visits INTEGER NOT NULL, sources TEXT NOT NULL DEFAULT '[]'
);
CREATE INDEX updates_by_value ON updates (record_id, action);
CREATE TABLE episodes (
    number INTEGER PRIMARY KEY, episode_id TEXT NOT NULL, data BLOB NOT NULL
);
{_NEW_IN_2}
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
USE_COLUMNS = 'record_id, number, step, "rank", total, is_shown'


def migrate(db: sqlite3.Connection, version: int) -> None:
    """Bring a database of an older format up to date, in one transaction or not at all."""
    db.execute("BEGIN IMMEDIATE")
    try:
        if version < 2:
            _from_1_to_2(db)
        db.execute(f"PRAGMA user_version = {FORMAT_VERSION}")
        db.execute("COMMIT")
    except BaseException:
        db.execute("ROLLBACK")
        raise


def _from_1_to_2(db: sqlite3.Connection) -> None:
    names = [name for (name,) in db.execute("SELECT name FROM pragma_table_info('records')")]
    if "metadata" not in names:
        db.execute("ALTER TABLE records ADD COLUMN metadata TEXT NOT NULL DEFAULT '{}'")
    db.execute("ALTER TABLE updates ADD COLUMN sources TEXT NOT NULL DEFAULT '[]'")
    for statement in _NEW_IN_2.split(";")[:-1]:
        db.execute(statement)
    for number, data in db.execute("SELECT number, data FROM episodes").fetchall():
        insert_uses(db, number, read_episode(data))


def insert_uses(db: sqlite3.Connection, number: int, episode: Episode) -> None:
    """Note which records the decisions of an episode looked at, and which they were shown."""
    for step in episode.steps:
        shown = {exemplar.record_id for exemplar in step.decision.exemplars}
        db.executemany(
            f"INSERT INTO uses ({USE_COLUMNS}) VALUES ({marks(6)})",
            [
                (
                    hit.record.record_id, number, step.index, hit.rank, hit.total,
                    hit.record.record_id in shown,
                )
                for hit in step.decision.hits
            ],
        )  # fmt: skip


def marks(n: int) -> str:
    """Placeholders of n values.

    >>> marks(3)
    '?, ?, ?'
    """
    return ", ".join("?" * n)


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
    return cell.decode("utf-8", "surrogatepass") if isinstance(cell, bytes) else cell


def record_row(record: Record) -> tuple[Any, ...]:
    """In the order of `RECORD_COLUMNS`."""
    return (
        record.record_id, as_cell(record.task), as_cell(record.observation),
        json.dumps(record.available_actions), as_cell(record.source), json.dumps(record.metadata),
    )  # fmt: skip


def value_row(value: ActionValue) -> tuple[Any, ...]:
    """In the order of `VALUE_COLUMNS`."""
    return (
        as_cell(value.action), value.q_value, value.n_visits, value.reward,
        as_cell(value.rationale), int(value.is_initial), json.dumps(value.tables),
        value.first_update, value.last_update,
    )  # fmt: skip


def update_row(update: Update) -> tuple[Any, ...]:
    """In the order of `UPDATE_COLUMNS`."""
    return (
        update.update_id, as_cell(update.episode_id), update.step, update.record_id,
        as_cell(update.action), update.table, json.dumps(update.rewards), update.gamma,
        update.bootstrap_value, update.bootstrap_record_id, int(update.is_stand_in), update.target,
        update.learning_rate, update.q_before, update.q_after, update.n_visits,
        json.dumps(update.bootstrap_sources),
    )  # fmt: skip


def read_update(row: tuple[Any, ...]) -> Update:
    """From a row of `UPDATE_COLUMNS`."""
    fields = list(row)
    fields[1], fields[4] = as_text(fields[1]), as_text(fields[4])
    fields[6] = tuple(json.loads(fields[6]))
    fields[10] = bool(fields[10])
    fields[16] = tuple((int(i), float(weight)) for i, weight in json.loads(fields[16]))
    return Update(*fields)


def read_records(db: sqlite3.Connection) -> Iterator[Record]:
    """All records in insertion order."""
    values: dict[int, list[ActionValue]] = {}
    query = f"SELECT record_id, {VALUE_COLUMNS} FROM action_values ORDER BY record_id, position"
    for record_id, *row in db.execute(query):
        row[0], row[4] = as_text(row[0]), as_text(row[4])
        row[5] = bool(row[5])
        row[6] = tuple((float(q), int(n)) for q, n in json.loads(row[6]))
        values.setdefault(record_id, []).append(ActionValue(*row))
    query = f"SELECT {RECORD_COLUMNS} FROM records ORDER BY record_id"
    for record_id, task, observation, actions, source, held in db.execute(query):
        yield Record(
            record_id,
            as_text(task),
            as_text(observation),
            tuple(json.loads(actions)),
            tuple(values.get(record_id, ())),
            as_text(source),
            dict(json.loads(held)),
        )


def write_episode(episode: Episode) -> bytes:
    """As it is stored: compressed JSON."""
    return zlib.compress(json.dumps(to_data(episode)).encode())


def read_episode(data: bytes) -> Episode:
    """The inverse of `write_episode`."""
    return from_data(Episode, json.loads(zlib.decompress(data)))


def write_records(
    db: sqlite3.Connection, records: Iterable[Record], removed: Iterable[int]
) -> None:
    """Delete what was removed, and write what is new or has changed."""
    gone = [(record_id,) for record_id in removed]
    db.executemany("DELETE FROM action_values WHERE record_id = ?", gone)
    db.executemany("DELETE FROM records WHERE record_id = ?", gone)
    for record in records:
        db.execute(
            f"INSERT OR REPLACE INTO records ({RECORD_COLUMNS}) VALUES ({marks(6)})",
            record_row(record),
        )
        db.execute("DELETE FROM action_values WHERE record_id = ?", (record.record_id,))
        db.executemany(
            f"INSERT INTO action_values (record_id, position, {VALUE_COLUMNS}) "
            f"VALUES ({marks(11)})",
            [
                (record.record_id, position, *value_row(value))
                for position, value in enumerate(record.action_values)
            ],
        )


def write_neighbours(db: sqlite3.Connection, neighbours: Mapping[int, Neighbour | None]) -> None:
    """Write the neighbours that have changed; None: there is none any more."""
    gone = [(record_id,) for record_id, known in neighbours.items() if known is None]
    kept = [(record_id, *known) for record_id, known in neighbours.items() if known is not None]
    db.executemany("DELETE FROM neighbours WHERE record_id = ?", gone)
    db.executemany(
        "INSERT OR REPLACE INTO neighbours (record_id, similarity, other) VALUES (?, ?, ?)", kept
    )
