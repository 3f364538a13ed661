"""Memory files of format 2: those of format 1, and what came with it."""

from __future__ import annotations

import json
import sqlite3
import zlib
from contextlib import closing
from pathlib import Path

from rememberer_nb.memory import ExperienceMemory
from rememberer_nb.system.plain import to_data
from tests.memory.store.format1 import write_format_1

NEW = """
ALTER TABLE updates ADD COLUMN sources TEXT NOT NULL DEFAULT '[]';
CREATE TABLE neighbours (
    record_id INTEGER PRIMARY KEY, similarity REAL NOT NULL, other INTEGER NOT NULL
);
CREATE TABLE uses (
    record_id INTEGER NOT NULL, number INTEGER NOT NULL, step INTEGER NOT NULL,
    "rank" INTEGER NOT NULL, total REAL NOT NULL, is_shown INTEGER NOT NULL,
    PRIMARY KEY (record_id, number, step, "rank")
) WITHOUT ROWID;
PRAGMA user_version = 2;
"""


def write_format_2(path: Path, memory: ExperienceMemory) -> None:
    """What the second version would have written of a memory."""
    write_format_1(path, memory)
    with closing(sqlite3.connect(path)) as db, db:
        db.executescript(NEW)
        for update in memory.updates():
            row = (json.dumps(update.bootstrap_sources), update.update_id)
            db.execute("UPDATE updates SET sources = ? WHERE update_id = ?", row)
        for number, episode in enumerate(memory.episodes(), start=1):
            data = zlib.compress(json.dumps(to_data(episode)).encode())
            db.execute("UPDATE episodes SET data = ? WHERE number = ?", (data, number))
        for record_id in range(memory.next_record):
            for number, step, rank, total, is_shown in memory.uses(record_id):
                row = (record_id, number, step, rank, total, int(is_shown))
                db.execute("INSERT INTO uses VALUES (?, ?, ?, ?, ?, ?)", row)
