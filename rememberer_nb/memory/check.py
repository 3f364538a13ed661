"""Is a memory file sound? What `rememberer-nb memory check` finds wrong with one.

Every check is a generator of problems, a line each for people; `check_memory` runs them all.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from rememberer_nb.elements import ActionValue, Record, Update
from rememberer_nb.errors import MemoryFileError
from rememberer_nb.memory.history import History
from rememberer_nb.memory.outcome import Outcome
from rememberer_nb.memory.store.format import StoredRecord
from rememberer_nb.rlem import n_step_return

_MAX_PER_CHECK = 20


def check_memory(path: str | Path) -> dict[str, Any]:
    """Look for damage; nothing is changed.

    Checked: SQLite's own structures; that each row is what was written, by its checksum; that rows
    can be read, and none is missing; that ids are without gaps and refer to what exists; that each
    update follows from its rewards, and each value from its tables and its updates; that the
    episodes tell the same updates as the log, and each the same as its numbers.

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
    problems: list[str] = []
    try:
        with History(path) as history:
            problems += [f"SQLite: {line}" for line in history.store.damages()]
            if not problems:
                problems += _first(_rows(history))
                contents = _Contents(history)
                counts = _counts(contents)
                for each in (_ids, _arithmetic, _values_follow, _episodes_agree, _run_agrees):
                    problems += _first(each(contents))
    except MemoryFileError as error:
        problems.append(str(error).removeprefix(f"{path}: "))
    return {"file": str(path), **counts, "problems": problems}


class _Contents:
    """What a file holds, but for its episodes, which are read one at a time."""

    def __init__(self, history: History):
        self.history = history
        self.records: list[Record] = []
        self.unreadable: list[str] = []
        for stored in history.store.load_records(is_checked=False):
            try:
                self.records.append(history.store.read(StoredRecord.read, stored))
            except MemoryFileError as error:
                self.unreadable.append(f"record {stored.record_id}: {error.problem}")
        self.updates = list(history.each_update())


def _counts(contents: _Contents) -> dict[str, int]:
    values = [value for record in contents.records for value in record.action_values]
    start = contents.history.log_start
    return {
        "n_records": len(contents.records),
        "n_action_values": len(values),
        "n_updates": len(contents.updates),
        "n_episodes": contents.history.n_episodes,
        "n_unlogged": sum(v.last_update is None or v.last_update < start for v in values),
    }


def _first(problems: Iterable[str]) -> list[str]:
    """The first of a kind, and how many more there are."""
    shown = list(itertools.islice(it := iter(problems), _MAX_PER_CHECK))
    n_more = sum(1 for _ in it)
    return [*shown, *([f"... and {n_more} more like this"] if n_more else [])]


def _rows(history: History) -> Iterator[str]:
    """Rows that are not what was written, or that are missing."""
    for row in history.store.wrong_rows():
        yield f"{row} is not what was written (its checksum differs)"
    yield from history.store.missing(history.head)
    for record_id in history.store.orphans():
        yield f"an action value refers to record {record_id}, which is not there"


def _ids(contents: _Contents) -> Iterator[str]:
    yield from contents.unreadable
    memory = contents.history
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
            updates = by_value.get((record.record_id, value.action), [])
            yield from _follows(record, value, updates, contents.history.log_start)


def _follows(
    record: Record, value: ActionValue, updates: Iterable[Update], start: int
) -> Iterator[str]:
    where = f"record {record.record_id}, {value.action!r:.60}"
    first = value.first_update if value.first_update is not None else math.inf
    # Before its first update the action was another life of it, which has been forgotten since.
    life = [update for update in updates if update.update_id >= first]
    if value.last_update is not None and life and life[-1].update_id != value.last_update:
        yield f"{where}: last changed by update {value.last_update}, the log says otherwise"
    is_logged = value.first_update is not None and value.first_update >= start
    if life and is_logged and life[0].update_id != value.first_update:
        yield f"{where}: first changed by update {value.first_update}, which the log lacks"
    if life and len(life) == value.n_visits:
        # Each update begins with the reward for the action itself.
        reward = sum(update.rewards[0] for update in life) / len(life)
        if not math.isclose(reward, value.reward, rel_tol=1e-6, abs_tol=1e-9):
            yield f"{where}: mean reward {value.reward:g}, the log says {reward:g}"
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
    yield from _fits_its_tables(where, value)


def _fits_its_tables(where: str, value: ActionValue) -> Iterator[str]:
    if value.n_visits != sum(n for _, n in value.tables):
        yield f"{where}: {value.n_visits} visits, its tables count otherwise"
    visited = [q for q, n in value.tables if n]
    if visited and not _equal(value.q_value, sum(visited) / len(visited)):
        mean = sum(visited) / len(visited)
        yield f"{where}: holds {value.q_value:g}, its tables' mean is {mean:g}"


def _episodes_agree(contents: _Contents) -> Iterator[str]:
    log = {update.update_id: update for update in contents.updates}
    n_uses, history = 0, contents.history
    outcomes = history.store.load_outcomes(0, history.n_episodes + 1)
    for number, episode in enumerate(history.each_episode(), start=1):
        if next(outcomes).to_text() != Outcome.of(episode).to_text():
            yield f"episode {number}: its outcome is not that of its steps"
        for step in episode.steps:
            n_uses += len(step.decision.hits)
            for update in step.updates:
                if log.get(update.update_id) != update:
                    yield f"episode {number}: update {update.update_id} differs from the log's"
    n_noted = history.store.count("uses")
    if n_noted != n_uses:
        yield f"the episodes tell of {n_uses} uses of records, {n_noted} are noted"


def _run_agrees(contents: _Contents) -> Iterator[str]:
    run, n_episodes = contents.history.run, contents.history.store.count("episodes")
    if run is not None and run["first_episode"] + run["n_done"] > n_episodes:
        yield f"the training run tells of {run['n_done']} episodes, there are fewer"


def _equal(one: float, two: float) -> bool:
    return math.isclose(one, two, rel_tol=1e-9, abs_tol=1e-12)
