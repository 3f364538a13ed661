"""Memory files of format 1, as the first version wrote them."""

from __future__ import annotations

import json
import sqlite3
import zlib
from pathlib import Path

from rememberer_nb.memory import ExperienceMemory
from rememberer_nb.system.plain import to_data

SCHEMA = """
BEGIN;
PRAGMA application_id = 0x524D4E42;
PRAGMA user_version = 1;
CREATE TABLE meta (key TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE records (
    record_id INTEGER PRIMARY KEY, task TEXT NOT NULL, observation TEXT NOT NULL,
    available_actions TEXT NOT NULL, source TEXT NOT NULL{metadata}
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
CREATE TABLE episodes (number INTEGER PRIMARY KEY, episode_id TEXT NOT NULL, data BLOB NOT NULL);
COMMIT;
"""
_METADATA = ", metadata TEXT NOT NULL DEFAULT '{}'"


def write_format_1(path: Path, memory: ExperienceMemory, *, has_metadata: bool = True) -> None:
    """What the first version would have written of a memory (`has_metadata`: its later days)."""
    db = sqlite3.connect(path)
    db.executescript(SCHEMA.replace("{metadata}", _METADATA if has_metadata else ""))
    db.execute("PRAGMA journal_mode = WAL")
    with db:
        for record in memory:
            _write_record(db, record, has_metadata)
        for update in memory.updates():
            data = to_data(update)
            del data["bootstrap_sources"]
            row = [json.dumps(v) if isinstance(v, list | tuple) else v for v in data.values()]
            db.execute(f"INSERT INTO updates VALUES ({', '.join('?' * 16)})", row)
        for episode in memory.episodes():
            data = to_data(episode)
            for step in data["steps"]:
                for update in step["updates"]:
                    del update["bootstrap_sources"]
            row = (episode.episode_id, zlib.compress(json.dumps(data).encode()))
            db.execute("INSERT INTO episodes (episode_id, data) VALUES (?, ?)", row)
        counters = {
            "n_tables": memory.n_tables,
            "next_record": max(r.record_id for r in memory) + 1,
            "next_update": memory.n_updates,
        }
        db.execute("INSERT INTO meta VALUES ('memory', ?)", (json.dumps(counters).encode(),))
    db.close()


def _write_record(db: sqlite3.Connection, record, has_metadata: bool) -> None:
    row = [record.record_id, record.task, record.observation]
    row += [json.dumps(record.available_actions), record.source]
    row += [json.dumps(record.metadata)] if has_metadata else []
    db.execute(f"INSERT INTO records VALUES ({', '.join('?' * len(row))})", row)
    for position, value in enumerate(record.action_values):
        values = [json.dumps(v) if isinstance(v, tuple) else v for v in to_data(value).values()]
        cells = [record.record_id, position, *values]
        cells[8] = json.dumps(value.tables)
        db.execute(f"INSERT INTO action_values VALUES ({', '.join('?' * 11)})", cells)
