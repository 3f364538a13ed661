"""Older formats of the memory file, brought up to date; `store.format` lists them."""

from __future__ import annotations

import os
import sqlite3
from contextlib import suppress

from rememberer_nb.memory.store.episodes import episode_row, read_whole, write_uses
from rememberer_nb.memory.store.file import transaction
from rememberer_nb.memory.store.format import (
    EPISODE_COLUMNS,
    FORMAT_VERSION,
    TEXT_TABLES,
    UPDATE_COLUMNS,
    VECTOR_TABLE,
    checksum,
    marks,
    read_meta,
    read_records,
    write_meta,
)
from rememberer_nb.memory.store.head import HEAD_KEY, IDENTITY_KEY, Head
from rememberer_nb.memory.store.rows import NOT_OURS
from rememberer_nb.memory.store.vectors import vectors_of_state, write_vectors

_NEW_IN_2 = (
    "ALTER TABLE updates ADD COLUMN sources TEXT NOT NULL DEFAULT '[]'",
    """CREATE TABLE neighbours (
        record_id INTEGER PRIMARY KEY, similarity REAL NOT NULL, other INTEGER NOT NULL
    )""",
    """CREATE TABLE uses (
        record_id INTEGER NOT NULL, number INTEGER NOT NULL, step INTEGER NOT NULL,
        "rank" INTEGER NOT NULL, total REAL NOT NULL, is_shown INTEGER NOT NULL,
        PRIMARY KEY (record_id, number, step, "rank")
    ) WITHOUT ROWID""",
)
_NEW_IN_4 = (
    "ALTER TABLE episodes ADD COLUMN outcome TEXT NOT NULL DEFAULT ''",
    "ALTER TABLE episodes ADD COLUMN texts BLOB NOT NULL DEFAULT x''",
)


def migrate(db: sqlite3.Connection, version: int, *, is_kept: bool) -> None:
    """Bring a database of an older format up to date, in one transaction or not at all.

    Its episodes, which are most of the work, are made small only where that is kept.
    """
    with transaction(db):
        if version < 2:
            _from_1_to_2(db)
        if version < 3:
            _from_2_to_3(db)
        if version < 4:
            _from_3_to_4(db, is_kept=is_kept)
        if version < 5:
            _from_4_to_5(db)
        db.execute(f"PRAGMA user_version = {FORMAT_VERSION}")


def _from_1_to_2(db: sqlite3.Connection) -> None:
    names = [name for (name,) in db.execute("SELECT name FROM pragma_table_info('records')")]
    if "metadata" not in names:
        db.execute("ALTER TABLE records ADD COLUMN metadata TEXT NOT NULL DEFAULT '{}'")
    for statement in _NEW_IN_2:
        db.execute(statement)
    for number, data in db.execute("SELECT number, data FROM episodes").fetchall():
        write_uses(db, read_whole(data), number)


def _from_2_to_3(db: sqlite3.Connection) -> None:
    for table in ("meta", "records", "updates", "episodes"):
        db.execute(f"ALTER TABLE {table} ADD COLUMN checksum INTEGER NOT NULL DEFAULT 0")
    sums = [(checksum(stored.row, *stored.values), stored.record_id) for stored in read_records(db)]
    db.executemany("UPDATE records SET checksum = ? WHERE record_id = ?", sums)
    _sum_up(db, "updates", UPDATE_COLUMNS, "update_id")
    n_episodes = _sum_up(db, "episodes", "episode_id, data", "number")
    _sum_up(db, "meta", "key, value", "key")
    head = Head.parse(read_meta(db, HEAD_KEY), n_records=len(sums), n_episodes=n_episodes)
    if head is not None:
        write_meta(db, {HEAD_KEY: head.to_bytes()})
    write_meta(db, {IDENTITY_KEY: os.urandom(16)})


def _from_3_to_4(db: sqlite3.Connection, *, is_kept: bool) -> None:
    rows = db.execute("SELECT number, checksum, episode_id, data FROM episodes")
    sound = [number for number, expected, *row in rows if checksum(tuple(row)) == expected]
    for statement in (*TEXT_TABLES.split(";")[:-1], *_NEW_IN_4):
        db.execute(statement)
    # The others are damaged, and stay so: whoever reads one is told.
    for number in sound:
        query = f"SELECT {EPISODE_COLUMNS} FROM episodes WHERE number = ?"
        row = tuple(db.execute(query, (number,)).fetchone())
        if is_kept:
            # What was damaged before there were checksums stays as it is, too.
            with suppress(*NOT_OURS):
                row = episode_row(db, read_whole(row[-1]))
        columns = f"({EPISODE_COLUMNS}, checksum) = ({marks(5)})"
        query = f"UPDATE episodes SET {columns} WHERE number = ?"
        db.execute(query, (*row, checksum(row), number))


def _from_4_to_5(db: sqlite3.Connection) -> None:
    db.execute(VECTOR_TABLE)
    for key, value, expected in db.execute("SELECT key, value, checksum FROM meta").fetchall():
        # What is damaged is left alone: its texts are encoded anew.
        if checksum((key, value)) == expected and "embedding:" in key:
            with suppress(*NOT_OURS):
                write_vectors(db, dict(vectors_of_state(key.partition(":")[2], value)))
                if "+" not in key:
                    db.execute("DELETE FROM meta WHERE key = ?", (key,))


def _sum_up(db: sqlite3.Connection, table: str, columns: str, key: str) -> int:
    """Write the checksum of each row; returns how many there are."""
    rows = db.execute(f"SELECT {key}, {columns} FROM {table}")
    sums = [(checksum(tuple(row)), name) for name, *row in rows]
    db.executemany(f"UPDATE {table} SET checksum = ? WHERE {key} = ?", sums)
    return len(sums)
