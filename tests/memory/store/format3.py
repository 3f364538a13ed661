"""Memory files of format 3: those of format 2, with checksums, counts and an identity."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from rememberer_nb.memory import ExperienceMemory
from rememberer_nb.memory.store.format import UPDATE_COLUMNS, checksum, read_records
from tests.memory.store.format2 import write_format_2


def write_format_3(path: Path, memory: ExperienceMemory) -> None:
    """What the third version would have written of a memory."""
    write_format_2(path, memory)
    with closing(sqlite3.connect(path)) as db, db:
        for table in ("meta", "records", "updates", "episodes"):
            db.execute(f"ALTER TABLE {table} ADD COLUMN checksum INTEGER NOT NULL DEFAULT 0")
        for stored in list(read_records(db)):
            found = checksum(stored.row, *stored.values)
            query = "UPDATE records SET checksum = ? WHERE record_id = ?"
            db.execute(query, (found, stored.record_id))
        db.execute("DELETE FROM meta")
        for key, value in memory._store.select("SELECT key, value FROM meta"):
            db.execute("INSERT INTO meta (key, value) VALUES (?, ?)", (key, value))
        for table, columns, key in (
            ("updates", UPDATE_COLUMNS, "update_id"),
            ("episodes", "episode_id, data", "number"),
            ("meta", "key, value", "key"),
        ):
            for name, *row in db.execute(f"SELECT {key}, {columns} FROM {table}").fetchall():
                query = f"UPDATE {table} SET checksum = ? WHERE {key} = ?"
                db.execute(query, (checksum(tuple(row)), name))
        db.execute("PRAGMA user_version = 3")
