"""Is a memory file sound? What `rememberer-nb memory check` finds wrong with one.

Every check is a generator of problems, a line each for people; `check` runs them all.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rememberer_nb.elements import ActionValue, Episode, Record, Update
from rememberer_nb.errors import MemoryFileError
from rememberer_nb.memory import ExperienceMemory
from rememberer_nb.rlem import n_step_return
from rememberer_nb.store import Store, stored_n_tables

_MAX_PER_CHECK = 20


@dataclass(frozen=True, slots=True)
class _Contents:
    """All that a file holds, read once."""

    memory: ExperienceMemory
    records: tuple[Record, ...]
    updates: Sequence[Update]
    episodes: Sequence[Episode]


def check(path: str | Path, *, n_tables: int | None = None) -> dict[str, Any]:
    """Look for damage; nothing is changed.

    Checked: SQLite's own structures; that rows can be read; that ids are without gaps and refer to
    what exists; that each update follows from its rewards, and each value from its updates; that
    the episodes tell the same updates as the log.

    Returns
    -------
    dict
        "file", "n_records", "n_updates", "n_episodes", "n_unlogged" (values that stem from another
        log: copied, merged or initial), and "problems", a list of lines that is empty for a sound
        file.

    A file that is no memory at all, or of a newer format, has that as its one problem. Raises
    `MemoryFileError` if there is no such file.
    """
    path = Path(path)
    if not path.exists():
        raise MemoryFileError("no such memory file", path=path)
    counts: dict[str, Any] = {}
    try:
        with closing(Store(path, read_only=True)) as store:
            problems = [f"SQLite: {line}" for line in store.damages()]
            if not problems:
                problems = [
                    f"an action value refers to record {i}, which is not there"
                    for i in store.orphans()
                ]
                contents = _read(path, n_tables)
                counts = _counts(contents)
                problems += _problems(contents)
                contents.memory.close()
    except MemoryFileError as error:
        problems = [str(error).removeprefix(f"{path}: ")]
    return {"file": str(path), **counts, "problems": problems}


def _read(path: str | Path, n_tables: int | None) -> _Contents:
    tables = n_tables or stored_n_tables(path)
    memory = ExperienceMemory.open(path, must_exist=True, read_only=True, n_tables=tables)
    try:
        return _Contents(memory, tuple(memory), memory.updates(), memory.episodes())
    except BaseException:
        memory.close()
        raise


def _counts(contents: _Contents) -> dict[str, int]:
    values = [value for record in contents.records for value in record.action_values]
    start = contents.memory.log_start
    return {
        "n_records": len(contents.records),
        "n_action_values": len(values),
        "n_updates": len(contents.updates),
        "n_episodes": len(contents.episodes),
        "n_unlogged": sum(v.last_update is None or v.last_update < start for v in values),
    }


def _problems(contents: _Contents) -> list[str]:
    found: list[str] = []
    for each in (_ids, _arithmetic, _values_follow, _episodes_agree, _run_agrees):
        lines = list(each(contents))
        found += lines[:_MAX_PER_CHECK]
        if len(lines) > _MAX_PER_CHECK:
            found.append(f"... and {len(lines) - _MAX_PER_CHECK} more like this")
    return found


def _ids(contents: _Contents) -> Iterator[str]:
    memory = contents.memory
    wanted = range(memory.log_start, memory.n_updates)
    if [update.update_id for update in contents.updates] != list(wanted):
        yield f"the update log has gaps: expected updates {wanted.start} to {wanted.stop - 1}"
    for record in contents.records:
        if record.record_id >= memory.next_record:
            yield f"record {record.record_id} has an id that was not given yet"
    for update in contents.updates:
        sources = [update.bootstrap_record_id, *(i for i, _ in update.bootstrap_sources)]
        for record_id in (update.record_id, *(i for i in sources if i is not None)):
            if not 0 <= record_id < memory.next_record:
                yield f"update {update.update_id} refers to record {record_id}, which never was"


def _arithmetic(contents: _Contents) -> Iterator[str]:
    for update in contents.updates:
        target = n_step_return(update.rewards, update.gamma)
        if update.bootstrap_value is not None:
            target += update.gamma ** len(update.rewards) * update.bootstrap_value
        if not _equal(target, update.target):
            yield (
                f"update {update.update_id}: its rewards and bootstrap give {target:g}, "
                f"its target is {update.target:g}"
            )
        after = update.q_before + update.learning_rate * (update.target - update.q_before)
        if not _equal(after, update.q_after):
            yield f"update {update.update_id}: works out to {after:g}, holds {update.q_after:g}"


def _values_follow(contents: _Contents) -> Iterator[str]:
    """Replays the log: each value must be where its last update left it."""
    by_value: dict[tuple[int, str], list[Update]] = {}
    for update in contents.updates:
        by_value.setdefault((update.record_id, update.action), []).append(update)
    for record in contents.records:
        for value in record.action_values:
            yield from _follows(record, value, by_value.get((record.record_id, value.action), []))


def _follows(record: Record, value: ActionValue, updates: Iterable[Update]) -> Iterator[str]:
    where = f"record {record.record_id}, {value.action!r:.60}"
    first = value.first_update if value.first_update is not None else math.inf
    # Before its first update the action was another life of it, which has been forgotten since.
    life = [update for update in updates if update.update_id >= first]
    if value.last_update is not None and life and life[-1].update_id != value.last_update:
        yield f"{where}: last changed by update {value.last_update}, the log says otherwise"
    for table, (q_value, n_visits) in enumerate(value.tables):
        made = [update for update in life if update.table == table]
        for one, two in itertools.pairwise(made):
            if (one.q_after, one.n_visits + 1) != (two.q_before, two.n_visits):
                yield f"{where}: update {two.update_id} does not follow update {one.update_id}"
        if made and (made[-1].q_after, made[-1].n_visits) != (q_value, n_visits):
            yield (
                f"{where}: holds {q_value:g} after {n_visits} visits, the log leads to "
                f"{made[-1].q_after:g} after {made[-1].n_visits}"
            )
    if value.n_visits != sum(n for _, n in value.tables):
        yield f"{where}: {value.n_visits} visits, its tables count otherwise"


def _episodes_agree(contents: _Contents) -> Iterator[str]:
    log = {update.update_id: update for update in contents.updates}
    for number, episode in enumerate(contents.episodes, start=1):
        for step in episode.steps:
            for update in step.updates:
                if log.get(update.update_id) != update:
                    yield f"episode {number}: update {update.update_id} differs from the log's"


def _run_agrees(contents: _Contents) -> Iterator[str]:
    run = contents.memory.run
    if run is not None and run["first_episode"] + run["n_done"] > len(contents.episodes):
        yield f"the training run tells of {run['n_done']} episodes, there are fewer"


def _equal(one: float, two: float) -> bool:
    return math.isclose(one, two, rel_tol=1e-9, abs_tol=1e-12)
