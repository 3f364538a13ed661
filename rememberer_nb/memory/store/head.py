"""What a memory file notes of itself, by name, in its table `meta`."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass

from rememberer_nb.errors import DataError

# The counters. Another count of commits than the one that was read is another writer's work.
HEAD_KEY = "memory"
# What tells a file from every other.
IDENTITY_KEY = "identity"
# The training run; see `rememberer_nb.loop.runs`.
RUN_KEY = "run"
# What the memory started from; see `rememberer_nb.memory.origin`.
ORIGIN_KEY = "origin"


@dataclass(frozen=True, slots=True)
class Head:
    """A memory's counters, written with each commit.

    Parameters
    ----------
    n_tables : values kept per action.
    next_record, next_update : the ids that are given next; all below have been given.
    log_start : the first id of the log.
    n_commits : commits so far.
    n_records, n_episodes : rows held.

    >>> Head.parse(Head(next_record=3, n_records=2).to_bytes()).next_record
    3
    """

    n_tables: int = 1
    next_record: int = 0
    next_update: int = 0
    log_start: int = 0
    n_commits: int = 0
    n_records: int = 0
    n_episodes: int = 0

    def to_bytes(self) -> bytes:
        """As it is stored."""
        return json.dumps(dataclasses.asdict(self)).encode()

    @classmethod
    def parse(cls, stored: bytes | None, **fixed: int) -> Head | None:
        """The inverse; `fixed` takes the place of what is stored."""
        if stored is None:
            return None
        held = {**json.loads(stored), **fixed}
        needed = {"n_tables", "next_record", "next_update"}
        if not needed <= held.keys() <= {field.name for field in dataclasses.fields(cls)}:
            raise DataError(f"its head holds other fields than expected: {sorted(held)}")
        if not all(type(number) is int and number >= 0 for number in held.values()):
            raise DataError(f"its head holds something else than counts: {held}")
        if held["n_tables"] not in (1, 2):
            raise DataError(f"its head tells of {held['n_tables']} tables, expected 1 or 2")
        return cls(**held)
