"""Memories from memories: copy, shuffle, merge, split, filter; what differs between two.

What comes out is a memory of its own: its update log begins where it was made (`log_start`), and
its episodes are none. The memories that it was made of keep theirs.
"""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from rememberer_nb.config import CapacityConfig
from rememberer_nb.elements import ActionValue, Record, unique
from rememberer_nb.errors import ConfigError
from rememberer_nb.memory import ExperienceMemory
from rememberer_nb.system.plain import to_data

if TYPE_CHECKING:
    import pandas as pd

    from rememberer_nb.memory.history import History

Key = tuple[str, str]


def copy(memory: ExperienceMemory, path: str | Path | None = None) -> ExperienceMemory:
    """The same records and values, without log and episodes; in RAM by default.

    Record ids are given anew, in the same order. Corpus statistics are those of the records held.
    What the memory started from is what its copy has started from. A file that exists is refused
    (`MemoryFileError`).
    """
    return _made(memory, memory, path, memory.origin)


def shuffled(memory: ExperienceMemory, rng: np.random.Generator) -> ExperienceMemory:
    """A copy whose values are dealt out anew over all (record, action) pairs: a control."""
    values = [value.q_value for record in memory for value in record.action_values]
    dealt = iter(rng.permutation(len(values)).tolist())

    def deal(record: Record) -> Record:
        fresh = tuple(_with_q(value, values[next(dealt)]) for value in record.action_values)
        return dataclasses.replace(record, action_values=fresh)

    return _made(memory, map(deal, memory), None)


def merge(
    memories: Sequence[ExperienceMemory],
    path: str | Path | None = None,
    *,
    base: ExperienceMemory | None = None,
    capacity: CapacityConfig | None = None,
) -> ExperienceMemory:
    """One memory of several, such as the workers of a cluster have learnt.

    Per action and table visits add up; q values and rewards are means weighted by visits, which is
    exact for running means (α = 1/N). The rationale is that of the most visited (of equals the
    last). Available actions are united; source and metadata are the first memory's that has them.
    If all have started from the same, so has the new one; otherwise that is not known.

    Parameters
    ----------
    memories : one or more with the same number of tables; settings are the first one's.
    base : the memory that all of them started from. What it knew counts once, not once for each:
        with N_0, Q_0 there and N_k, Q_k in memory k, N = N_0 + Σ (N_k − N_0) and
        N·Q = N_0·Q_0 + Σ (N_k·Q_k − N_0·Q_0). A value that a memory has forgotten, and learnt anew
        with fewer visits, counts as new.
    capacity : of the new memory; by default it holds everything.

    Examples
    --------
    >>> from rememberer_nb.rlem import learn_episode, Transition
    >>> one, two = ExperienceMemory(), ExperienceMemory()
    >>> for memory, rewards in ((one, [1.0]), (two, [0.0, 0.5, 0.5])):
    ...     for reward in rewards:
    ...         end = Transition("o", "a", reward, "end", terminated=True)
    ...         _ = learn_episode(memory, "g", [end])
    >>> value = merge([one, two]).find("g", "o").value_of("a")
    >>> value.q_value, value.n_visits
    (0.5, 4)
    """
    if not memories:
        raise ConfigError("there must be a memory at least to merge")
    everyone = [*memories, *([] if base is None else [base])]
    if len({memory.n_tables for memory in everyone}) > 1:
        raise ConfigError("memories with one and with two tables per action cannot be merged")
    keys = unique_keys(memories)
    merged = (
        _merged_record(
            [memory.find(*key) for memory in memories], None if base is None else base.find(*key)
        )
        for key in keys
    )
    limits = CapacityConfig() if capacity is None else capacity
    twin = memories[0].empty(path, capacity=limits)
    first, *others = (memory.origin for memory in memories)
    if first is not None and all(other == first for other in others):
        twin.begin((), first)
    twin.adopt(merged)
    twin.refresh()
    twin.commit()
    return twin


def split(memory: ExperienceMemory) -> dict[str, ExperienceMemory]:
    """A memory in RAM per task, in order of the tasks' first records.

    >>> memory = ExperienceMemory()
    >>> for task in ("g", "h"): _ = memory.insert(task, "o")
    >>> {task: len(part) for task, part in split(memory).items()}
    {'g': 1, 'h': 1}
    """
    parts: dict[str, list[Record]] = {}
    for record in memory:
        parts.setdefault(record.task, []).append(record)
    return {task: _made(memory, records, None) for task, records in parts.items()}


def filter_records(
    memory: ExperienceMemory,
    path: str | Path | None = None,
    *,
    task: str | None = None,
    updates: tuple[int, int] | None = None,
    episodes: tuple[int, int] | None = None,
    keep: Callable[[Record], bool] | None = None,
) -> ExperienceMemory:
    """A copy of a part; what is given must all hold.

    Parameters
    ----------
    task : a regular expression that occurs in the task's text, upper and lower case alike.
    updates : action values last changed by an update in [first, last); a record is kept if any of
        its values is.
    episodes : the same for the updates of the stored episodes [first, last), counted from 0.
    keep : says of a record whether it is kept.
    """
    if task is not None:
        keep = _both(keep, _task_test(task))
    records: Iterable[Record] = memory if keep is None else filter(keep, memory)
    for ids in (_range(updates), _updates_of(memory, episodes)):
        if ids is not None:
            records = _changed_by(records, ids)
    return _made(memory, records, path)


def diff(before: ExperienceMemory, after: ExperienceMemory) -> pd.DataFrame:
    """What differs in the values of two memories: a row per (task, observation, action).

    Columns: task, observation, action, change ("added", "removed" or "changed"), q_before, q_after,
    visits_before, visits_after (missing on the side that lacks the action). Records are matched by
    (task, observation), ids do not matter.
    """
    import pandas as pd

    rows = []
    for key in unique_keys([before, after]):
        old, new = _values(before.find(*key)), _values(after.find(*key))
        for action in unique([*old, *new]):
            one, two = old.get(action), new.get(action)
            if one is None or two is None or (one.q_value, one.tables) != (two.q_value, two.tables):
                change = "added" if one is None else "removed" if two is None else "changed"
                rows.append((*key, action, change, *_numbers(one, two)))
    columns = [
        "task", "observation", "action", "change", "q_before", "q_after", "visits_before",
        "visits_after",
    ]  # fmt: skip
    frame = pd.DataFrame(rows, columns=columns)
    return frame.astype({"visits_before": "Int64", "visits_after": "Int64"})


def dump(memory: ExperienceMemory | History) -> Iterator[str]:
    """Everything that a memory holds, a line of JSON each: equal for equal memories.

    Counters, records, updates, episodes and the training run, in this order, as of now; how long
    an LLM took is left out. One row is in RAM at a time.

    >>> memory = ExperienceMemory()
    >>> _ = memory.insert("g", "o")
    >>> for line in dump(memory): print(line[:68])
    {"memory": {"log_start": 0, "n_episodes": 0, "n_records": 1, "n_tabl...
    {"record": {"action_values": [], "available_actions": [], "metadata"...
    """
    head = {
        "n_records": len(memory),
        "n_updates": memory.n_updates,
        "n_episodes": memory.n_episodes,
        "n_tables": memory.n_tables,
        "log_start": memory.log_start,
        "run": memory.run,
    }
    yield _line("memory", head)
    for record in memory:
        yield _line("record", to_data(record))
    for update in memory.each_update():
        yield _line("update", to_data(update))
    for episode in memory.each_episode():
        data = to_data(episode)
        for step in data["steps"]:
            if step["decision"]["reply"]:
                step["decision"]["reply"].pop("latency_s")
        yield _line("episode", data)


def unique_keys(memories: Iterable[ExperienceMemory]) -> list[Key]:
    """The keys (g, o) of all, in order, each once."""
    return list(dict.fromkeys((r.task, r.observation) for memory in memories for r in memory))


# Inside


def _made(
    memory: ExperienceMemory,
    records: Iterable[Record],
    path: str | Path | None,
    origin: Mapping[str, Any] | None = None,
) -> ExperienceMemory:
    twin = memory.empty(path)
    if origin is not None:
        twin.begin((), origin)
    twin.adopt(records, log_start=memory.n_updates)
    twin.refresh()
    twin.commit()
    return twin


def _with_q(value: ActionValue, q_value: float) -> ActionValue:
    tables = tuple((q_value, n_visits) for _, n_visits in value.tables)
    return dataclasses.replace(value, q_value=q_value, tables=tables)


def _line(kind: str, data: Any) -> str:
    return json.dumps({kind: data}, sort_keys=True)


def _merged_record(found: Sequence[Record | None], base: Record | None) -> Record:
    records = [record for record in found if record is not None]
    metadata: dict[str, Any] = {}
    for record in reversed(records):
        metadata |= record.metadata
    known = [*records, *([] if base is None else [base])]
    values = []
    for action in unique(value.action for record in records for value in record.action_values):
        held = [value for record in records if (value := record.value_of(action))]
        values.append(merge_values(held, None if base is None else base.value_of(action)))
    return dataclasses.replace(
        records[0],
        available_actions=unique(a for record in known for a in record.available_actions),
        action_values=tuple(values),
        metadata=metadata,
    )


def merge_values(values: Sequence[ActionValue], base: ActionValue | None = None) -> ActionValue:
    """One value of several for the same action; see `merge`.

    >>> one = ActionValue("a", 1.0, 1, tables=((1.0, 1),))
    >>> two = ActionValue("a", 0.0, 3, tables=((0.0, 3),))
    >>> merge_values([one, two]).tables
    ((0.25, 4),)
    """
    n_tables = len(values[0].tables)
    tables = []
    for table in range(n_tables):
        held = [value.tables[table] for value in values]
        tables.append(_pooled(held, None if base is None else base.tables[table]))
    reward, _ = _pooled(
        [(value.reward, value.n_visits) for value in values],
        None if base is None else (base.reward, base.n_visits),
    )
    visited = [q for q, n in tables if n]
    # Of equals the last: it is the later memory's word.
    most = max(reversed(values), key=lambda value: (bool(value.rationale), value.n_visits))
    return ActionValue(
        action=values[0].action,
        q_value=sum(visited) / len(visited) if visited else max(v.q_value for v in values),
        n_visits=sum(n for _, n in tables),
        reward=reward,
        rationale=most.rationale,
        is_initial=all(value.is_initial and value.last_update is None for value in values),
        tables=tuple(tables),
    )


def _pooled(held: Sequence[tuple[float, int]], base: tuple[float, int] | None) -> tuple[float, int]:
    """(mean, visits) of several (mean, visits), what they share in `base` counted once."""
    mean_0, n_0 = (0.0, 0) if base is None else base
    going_on = [(mean, n) for mean, n in held if n >= n_0]
    anew = [(mean, n) for mean, n in held if n < n_0]
    parts = [*going_on, *anew]
    n_total = n_0 + sum(n - n_0 for _, n in going_on) + sum(n for _, n in anew)
    if len({mean for mean, n in [*parts, (mean_0, n_0)] if n}) == 1:
        # Nothing to weigh: the very number, without a rounding error.
        return next(mean for mean, n in [*parts, (mean_0, n_0)] if n), n_total
    if not n_total:
        return max((mean for mean, _ in held), default=0.0), 0
    total = mean_0 * n_0 + sum(mean * n - mean_0 * n_0 for mean, n in going_on)
    return (total + sum(mean * n for mean, n in anew)) / n_total, n_total


def _task_test(pattern: str) -> Callable[[Record], bool]:
    try:
        wanted = re.compile(pattern, re.IGNORECASE)
    except re.error as error:
        raise ConfigError(f"{pattern!r} is no regular expression: {error}") from error
    return lambda record: wanted.search(record.task) is not None


def _both(
    one: Callable[[Record], bool] | None, two: Callable[[Record], bool]
) -> Callable[[Record], bool]:
    return two if one is None else lambda record: one(record) and two(record)


def _range(bounds: tuple[int, int] | None) -> range | None:
    return None if bounds is None else range(*bounds)


def _updates_of(memory: ExperienceMemory, bounds: tuple[int, int] | None) -> set[int] | None:
    if bounds is None:
        return None
    first, last = bounds
    chosen = memory.episodes(after=first)[: max(0, last - first)]
    return {u.update_id for episode in chosen for step in episode.steps for u in step.updates}


def _changed_by(records: Iterable[Record], ids: range | set[int]) -> Iterator[Record]:
    for record in records:
        values = tuple(value for value in record.action_values if value.last_update in ids)
        if values:
            yield dataclasses.replace(record, action_values=values)


def _values(record: Record | None) -> dict[str, ActionValue]:
    return {} if record is None else {value.action: value for value in record.action_values}


def _numbers(one: ActionValue | None, two: ActionValue | None) -> tuple[Any, ...]:
    q_values = [None if value is None else value.q_value for value in (one, two)]
    return (*q_values, *(None if value is None else value.n_visits for value in (one, two)))
