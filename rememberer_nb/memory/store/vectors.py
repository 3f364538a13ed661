"""Texts' vectors in a memory file: a row per text and model, added once and never rewritten."""

from __future__ import annotations

import base64
import json
import sqlite3
from collections.abc import Iterable, Iterator, Mapping

import numpy as np

from rememberer_nb.errors import DataError
from rememberer_nb.memory.store.format import VECTOR_COLUMNS, checksum
from rememberer_nb.retrieval.vectors import Key

_FLOATS = np.dtype("<f4")
_OLD_KEY_BYTES = 16


def write_vectors(db: sqlite3.Connection, vectors: Mapping[Key, np.ndarray]) -> None:
    """Add those of texts that have none."""
    rows = [(*key, vector.astype(_FLOATS).tobytes()) for key, vector in vectors.items()]
    db.executemany(
        f"INSERT OR IGNORE INTO vectors ({VECTOR_COLUMNS}, checksum) VALUES (?, ?, ?, ?)",
        [(*row, checksum(row)) for row in rows],
    )


def read_vectors(db: sqlite3.Connection, models: Iterable[str]) -> dict[Key, np.ndarray]:
    """All that the file has of some models.

    Raises
    ------
    DataError : a row is not what was written, or a model's vectors are not of one length.
    """
    found: dict[Key, np.ndarray] = {}
    for model in sorted(models):
        query = f"SELECT {VECTOR_COLUMNS}, checksum FROM vectors WHERE model = ? ORDER BY rowid"
        for *row, expected in db.execute(query, (model,)):
            if checksum(tuple(row)) != expected:
                raise DataError(f"a vector of {model!r:.80} is not what was written")
            found[model, row[1]] = np.frombuffer(row[2], dtype=_FLOATS)
        widths = {len(vector) for (owner, _), vector in found.items() if owner == model}
        if len(widths) > 1:
            raise DataError(f"vectors of {model!r:.80} have {sorted(widths)} dimensions")
    return found


def vectors_of_state(name: str, state: bytes) -> Iterator[tuple[Key, np.ndarray]]:
    """What formats before 5 keep as the state of a similarity of that name, or of a mixture."""
    parts = name.split("+")
    if len(parts) > 1:
        for part, held in zip(parts, json.loads(state), strict=True):
            bare = part.rpartition("*")[2].strip()
            yield from vectors_of_state(bare, base64.b64decode(held))
        return
    family, _, model = name.partition(":")
    if family != "embedding" or not state:
        return
    line, _, rest = state.partition(b"\n")
    head = json.loads(line)
    n, width = head["n"], head["n_dimensions"]
    rows = np.frombuffer(rest[n * _OLD_KEY_BYTES :], dtype=_FLOATS).reshape(n, width)
    for i, row in enumerate(rows):
        yield (model, rest[i * _OLD_KEY_BYTES : (i + 1) * _OLD_KEY_BYTES]), row
