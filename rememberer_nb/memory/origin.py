"""What a memory started from: a note that it keeps, so that nothing else is taken for it later."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from rememberer_nb.elements import Record
from rememberer_nb.errors import ConfigError
from rememberer_nb.memory import ExperienceMemory
from rememberer_nb.memory.history import History


def origin_of(source: str | Path, records: Iterable[Record]) -> dict[str, str]:
    """The note that a memory keeps of what it started from: a name, and the records' SHA-256.

    The digest is that of their tasks, observations, actions and values; it does not depend on what
    the file is called.

    >>> origin_of("empty", ())["sha256"][:8]
    '4f53cda1'
    """
    rows = [
        (
            r.task, r.observation, r.available_actions,
            [(v.action, v.q_value, v.n_visits, v.reward, v.rationale) for v in r.action_values],
        )
        for r in records
    ]  # fmt: skip
    digest = hashlib.sha256(json.dumps(rows).encode()).hexdigest()
    return {"name": Path(source).name, "sha256": digest}


def origin_in(memory: ExperienceMemory | History) -> dict[str, Any] | None:
    """What a memory started from: as noted, or else as the sources of its records tell.

    Memories of earlier versions have no note. None: it cannot be known.
    """
    if memory.origin is not None:
        return memory.origin
    if isinstance(memory, History):
        names = memory.initial_sources()
    else:
        names = {r.source for r in memory if any(v.is_initial for v in r.action_values)}
    return {"name": names.pop(), "sha256": None} if len(names) == 1 else None


def check_origin(memory: ExperienceMemory, source: str | Path, records: Iterable[Record]) -> None:
    """Raise `ConfigError` if a memory is known to have started from something else."""
    records = tuple(records)
    found, asked = origin_in(memory), origin_of(source, records)
    if found is None:
        return
    if found["sha256"] is None:
        is_same = {found["name"]} == {record.source for record in records}
    else:
        is_same = found["sha256"] == asked["sha256"]
    if not is_same:
        other = f"not from {asked['name']}"
        if found["name"] == asked["name"]:
            other = "which had other contents then"
        raise ConfigError(
            f"{memory.path or 'the memory'} started from {found['name']}, {other}: leave the "
            "initial memory out to go on with it, or take a new file"
        )
