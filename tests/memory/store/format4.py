"""Memory files of format 4: vectors lay in the states of their similarities, all in one value."""

from __future__ import annotations

import base64
import json
import sqlite3
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path

from rememberer_nb.memory import ExperienceMemory
from rememberer_nb.memory.store.format import checksum
from rememberer_nb.retrieval import EmbeddingSimilarity, MixedSimilarity, Similarity


def write_format_4(path: Path, memory: ExperienceMemory) -> None:
    """What the fourth version would have written of a memory that was committed."""
    similarities: Mapping[str, Similarity] = memory._similarities()
    with closing(sqlite3.connect(path)) as db:
        memory._store._db().backup(db)
        with db:
            db.execute("DROP TABLE vectors")
            for name, similarity in similarities.items():
                row = (name, state_4(similarity))
                db.execute("REPLACE INTO meta VALUES (?, ?, ?)", (*row, checksum(row)))
            db.execute("PRAGMA user_version = 4")


def state_4(similarity: Similarity) -> bytes:
    """A head, the texts' hashes, and their vectors; of a mixture those of its parts."""
    if isinstance(similarity, MixedSimilarity):
        parts = [base64.b64encode(state_4(part)).decode() for part in similarity.parts]
        return json.dumps(parts).encode()
    if not isinstance(similarity, EmbeddingSimilarity):
        return similarity.state()
    similarity.state()  # What waited is encoded then, as it was.
    slots = {key: slot for slot, key in similarity._keys.items()}
    head = {"n": len(slots), "n_dimensions": similarity._matrix.shape[1]}
    keys = b"".join(key for _, key in slots)
    vectors = similarity._matrix[list(slots.values())].tobytes()
    return json.dumps(head).encode() + b"\n" + keys + vectors
