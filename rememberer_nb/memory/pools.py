"""Published memory pools: the paper's initial and annotated memories, in and out.

A pool is a YAML mapping. Its keys are tuples (observation, task, available actions) of the shop or
(observation, task, instruction) of the how-to site; its values hold, per (action, reason), how
often it was tried (``number``), its value (``qvalue``) and reward, and under ``other_info`` how the
state was reached. Source: github.com/OpenDFM/Rememberer, history-pools.

In a `Record`, the action alone is the key. Where a pool knows an action for several reasons, their
visits add up, q value and reward are the means weighted by visits, and the rationale is that of the
most visited one (of equals the first). The pool's own content is kept in the record's metadata
under "pool:FILE", so that `write_pool` gives it back unchanged.

A shop's task loses its heading "Instruction:", and its labels become actions. A how-to screen gets
the instruction in force as its last line; where a pool has none, that is the task's first one.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rememberer_nb.elements import ActionValue, Record, unique
from rememberer_nb.envs.screens import (
    INSTRUCTION_HEADING,
    read_screen,
    screen_actions,
    with_instruction,
)
from rememberer_nb.envs.webshop.logs.shop_pages import SEARCH
from rememberer_nb.errors import ConfigError, DataError, shown
from rememberer_nb.memory.pool_yaml import dump_yaml, load_yaml
from rememberer_nb.system.checks import is_count, is_number
from rememberer_nb.system.files import replacing

ORIGIN = "pool:"
_TASK_HEADING = "Instruction:"
_NUMBERS = ("number", "qvalue", "reward")

PoolKey = tuple[str, str, str]


@dataclass(frozen=True, slots=True)
class _Entry:
    """One record of a pool, checked; `third` is its available actions or its instruction."""

    observation: str
    task: str
    third: str
    content: dict[str, Any]

    @property
    def is_screen(self) -> bool:
        return bool(read_screen(self.observation))

    @property
    def key(self) -> tuple[str, str]:
        """(g, o) of the record that it becomes."""
        if not self.is_screen:
            return self.task.removeprefix(_TASK_HEADING).strip(), self.observation
        instruction = self.third or self.task.strip().split("\n")[0]
        return self.task, with_instruction(self.observation, instruction)

    @property
    def available_actions(self) -> tuple[str, ...]:
        if self.is_screen:
            return screen_actions(read_screen(self.observation))
        labels = [label.strip() for label in self.third.split("\n") if label.strip()]
        first = [SEARCH] if "search" in labels else []
        return (*first, *(f"click[{label}]" for label in labels))


def read_pool(path: str | Path) -> tuple[Record, ...]:
    """The records of one published pool, in its order; their source is the file's name.

    Nothing in the file is executed: tags other than a tuple's are refused.

    Raises
    ------
    DataError
        The file is missing, malformed, too large once its aliases are written out, or no pool;
        the message names file and line.
    """
    path = Path(path)
    content, lines = load_yaml(path)
    if not isinstance(content, dict):
        raise DataError("is no memory pool: expected a mapping of records", path=path)
    by_key: dict[tuple[str, str], list[_Entry]] = {}
    for (key, value), line in zip(content.items(), lines, strict=True):
        entry = _entry(key, value, path, line)
        by_key.setdefault(entry.key, []).append(entry)
    try:
        return tuple(_record(i, entries, path.name) for i, entries in enumerate(by_key.values()))
    except ConfigError as error:
        raise DataError(f"the visits of one action are too many: {error}", path=path) from error


def n_entries(record: Record) -> int:
    """How many records of pools went into one: usually 1."""
    return sum(len(held) for name, held in record.metadata.items() if name.startswith(ORIGIN))


def write_pool(
    path: str | Path, records: Iterable[Record], *, source: str | None = None
) -> dict[str, Any]:
    """Write records as a pool; the counterpart of `read_pool`.

    What was imported and not learnt from since is written as it was. An action that has been
    updated is written once, with its present value and rationale. Records that stem from no pool
    get an empty history. Ids are the pool's own, unless several sources meet: then they are
    numbered anew.

    Parameters
    ----------
    path : the YAML file; it is replaced when it is complete.
    records : what to write.
    source : a pool's file name: write only what stems from it (default: everything).

    Returns
    -------
    dict
        "records": how many the file holds.

    Raises
    ------
    DataError
        The file cannot be written, nothing stems from `source`, or two records would share a key.
    """
    path = Path(path)
    pool = _collect(records, source, path)
    if source is not None and not pool:
        raise DataError(f"nothing to write: no record was imported from {source!r}", path=path)
    text = dump_yaml(pool)
    with replacing(path) as file:
        file.write(text)
    return {"records": len(pool)}


def _collect(
    records: Iterable[Record], source: str | None, path: Path
) -> dict[PoolKey, dict[str, Any]]:
    pool: dict[PoolKey, dict[str, Any]] = {}
    origins: set[str] = set()
    for record in records:
        origin = _origin(record, source)
        if source is not None and not origin:
            continue
        origins.add(origin)
        entries = _entries(record, origin)
        if any(key in pool for key, _ in entries):
            raise DataError(f"two records share a key; one is {record.record_id}", path=path)
        pool.update(entries)
    if len(origins) > 1 or "" in origins:
        for number, value in enumerate(pool.values()):
            value["id"] = number
    return pool


def _entry(key: Any, value: Any, path: Path, line: int) -> _Entry:
    where = f"line {line}"
    is_key = isinstance(key, tuple) and len(key) == 3 and all(isinstance(k, str) for k in key)
    if not is_key:
        raise DataError("a record's key must be a tuple of three texts", path=path, field=where)
    actions = value.get("action_dict") if isinstance(value, dict) else None
    if not isinstance(actions, dict):
        raise DataError("a record must hold an action_dict", path=path, field=where)
    for action, numbers in actions.items():
        if problem := _problem(action, numbers):
            raise DataError(f"{problem}; found {shown(action)}", path=path, field=where)
    try:
        observation, task, third = key
        return _Entry(observation, task, third, _plain(value))
    except TypeError as error:
        raise DataError(str(error), path=path, field=where) from None


def _problem(action: Any, numbers: Any) -> str:
    is_pair = isinstance(action, tuple) and len(action) == 2
    if not is_pair or not all(isinstance(part, str) for part in action):
        return "an action must be a tuple of two texts"
    for name in _NUMBERS:
        number = numbers.get(name) if isinstance(numbers, dict) else None
        if not is_number(number):
            return f"an action needs a {name}, which is a number"
    number = numbers["number"]
    return "" if number == int(number) and is_count(int(number)) else "number must be a count"


def _record(number: int, entries: Sequence[_Entry], name: str) -> Record:
    task, observation = entries[0].key
    by_action: dict[str, list[tuple[str, dict[str, Any]]]] = {}
    for entry in entries:
        for (action, reason), numbers in _rich(entry.content)["action_dict"].items():
            by_action.setdefault(action, []).append((reason, numbers))
    return Record(
        record_id=number,
        task=task,
        observation=observation,
        available_actions=unique(a for entry in entries for a in entry.available_actions),
        action_values=tuple(_merge(action, known) for action, known in by_action.items()),
        source=name,
        metadata={
            ORIGIN + name: [
                {
                    "observation": len(entry.observation),
                    "task": entry.task,
                    "third": entry.third,
                    "content": entry.content,
                }
                for entry in entries
            ]
        },
    )


def _merge(action: str, known: Sequence[tuple[str, dict[str, Any]]]) -> ActionValue:
    visits = [int(numbers["number"]) for _, numbers in known]
    weights = visits if sum(visits) else [1] * len(known)
    total = sum(weights)
    means = {
        name: sum(w * numbers[name] for w, (_, numbers) in zip(weights, known, strict=True)) / total
        for name in ("qvalue", "reward")
    }
    return ActionValue(
        action=action,
        q_value=float(means["qvalue"]),
        n_visits=sum(visits),
        reward=float(means["reward"]),
        rationale=known[visits.index(max(visits))][0],
        is_initial=True,
    )


def check_origins(record: Record) -> None:
    """Make sure that what imports of pools have left with a record can be written out again.

    Raises
    ------
    DataError : its metadata is not what an import leaves.
    """
    for name in record.metadata:
        if name.startswith(ORIGIN):
            _entries(record, name)


def _origin(record: Record, source: str | None) -> str:
    names = [name for name in record.metadata if name.startswith(ORIGIN)]
    if source is not None:
        names = [name for name in names if name == ORIGIN + source]
    return names[0] if names else ""


def _entries(record: Record, origin: str) -> list[tuple[PoolKey, dict[str, Any]]]:
    if not origin:
        values = {(v.action, v.rationale): _numbers(v) for v in record.action_values}
        return [(_new_key(record), {"action_dict": values, **_new_info(record)})]
    held = record.metadata[origin]
    try:
        contents = [_rich(entry["content"]) for entry in held]
        keys = [
            (record.observation[: entry["observation"]], entry["task"], entry["third"])
            for entry in held
        ]
        _bring_up_to_date(record, contents)
    except (LookupError, TypeError, ValueError, AttributeError) as error:
        # Metadata may come from a table that someone has edited.
        problem = f"{origin!r} is not what an import leaves"
        raise DataError(problem, field=f"metadata of record {record.record_id}") from error
    return list(zip(keys, contents, strict=True))


def _bring_up_to_date(record: Record, contents: Sequence[dict[str, Any]]) -> None:
    """Replace what has been learnt since; an action goes where it was known first."""
    untouched = {v.action for v in record.action_values if v.is_initial and v.last_update is None}
    home: dict[str, int] = {}
    for i, content in enumerate(contents):
        for action, _ in content["action_dict"]:
            home.setdefault(action, i)
        content["action_dict"] = {
            key: numbers for key, numbers in content["action_dict"].items() if key[0] in untouched
        }
    for value in record.action_values:
        if value.action not in untouched or value.action not in home:
            actions = contents[home.get(value.action, 0)]["action_dict"]
            actions[value.action, value.rationale] = _numbers(value)


def _numbers(value: ActionValue) -> dict[str, float]:
    return {"number": value.n_visits, "qvalue": value.q_value, "reward": value.reward}


def _new_info(record: Record) -> dict[str, Any]:
    info = {
        "action_history": [],
        "last_reward": 0.0,
        "number": record.n_visits,
        "total_reward": 0.0,
    }
    return {"other_info": info, "id": record.record_id}


def _new_key(record: Record) -> PoolKey:
    if read_screen(record.observation):
        screen, _, instruction = record.observation.rpartition("\n" + INSTRUCTION_HEADING)
        return (
            (screen, record.task, instruction) if screen else (record.observation, record.task, "")
        )
    clicks = (a for a in record.available_actions if a.startswith("click["))
    labels = "\n".join(action[len("click[") : -1] for action in clicks)
    return record.observation, _TASK_HEADING + record.task, labels


def _plain(value: Any) -> Any:
    """As JSON can hold it: a tuple is {"tuple": [...]}, a mapping {"map": [[key, value], ...]}."""
    if value is None or isinstance(value, str | int | float):
        return value
    if isinstance(value, list):
        return [_plain(item) for item in value]
    if isinstance(value, tuple):
        return {"tuple": [_plain(item) for item in value]}
    if isinstance(value, dict):
        return {"map": [[_plain(key), _plain(item)] for key, item in value.items()]}
    raise TypeError(f"holds a {type(value).__name__}, which memory pools do not: {shown(value)}")


def _rich(value: Any) -> Any:
    """The inverse of `_plain`."""
    if isinstance(value, list):
        return [_rich(item) for item in value]
    if isinstance(value, dict) and "tuple" in value:
        return tuple(_rich(item) for item in value["tuple"])
    if isinstance(value, dict):
        return {_rich(key): _rich(item) for key, item in value["map"]}
    return value
