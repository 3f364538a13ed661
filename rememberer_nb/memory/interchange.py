"""Memories as tables: CSV and JSON Lines out and in, equal to the last bit.

A row per (task, observation, action), as `ExperienceMemory.to_frame` has it, with the columns that
a memory needs besides (available actions, metadata, the values of each table). A record without
actions is a row without an action. The update log and the episodes stay behind.

In CSV, lists and mappings are JSON, and what is missing is an empty cell. Half a surrogate pair,
which UTF-8 cannot hold, is kept by Python's "surrogatepass".
"""

from __future__ import annotations

import csv
import dataclasses
import json
import math
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from rememberer_nb.elements import ActionValue, Record
from rememberer_nb.errors import ConfigError, DataError, shown
from rememberer_nb.memory import ExperienceMemory
from rememberer_nb.memory.pools import check_origins
from rememberer_nb.system.checks import is_count, is_number
from rememberer_nb.system.files import parse_json, read_json_lines, read_lines, replacing

Row = dict[str, Any]

COLUMNS = (
    "record_id", "task", "observation", "action", "q_value", "n_visits", "reward", "rationale",
    "is_initial", "source", "first_update", "last_update", "tables", "available_actions",
    "metadata",
)  # fmt: skip
_TEXTS = ("task", "observation", "action", "rationale", "source")
_FORMATS = (".csv", ".jsonl")


def frame_rows(records: Iterable[Record]) -> Iterator[Row]:
    """The rows of records: plain values that JSON holds, by the names in `COLUMNS`."""
    for record in records:
        for value in record.action_values or (None,):
            yield {
                "record_id": record.record_id,
                "task": record.task,
                "observation": record.observation,
                "action": None if value is None else value.action,
                "q_value": None if value is None else value.q_value,
                "n_visits": None if value is None else value.n_visits,
                "reward": None if value is None else value.reward,
                "rationale": None if value is None else value.rationale,
                "is_initial": None if value is None else value.is_initial,
                "source": record.source,
                "first_update": None if value is None else value.first_update,
                "last_update": None if value is None else value.last_update,
                "tables": None if value is None else [list(pair) for pair in value.tables],
                "available_actions": list(record.available_actions),
                "metadata": dict(record.metadata),
            }


def write_frame(path: str | Path, memory: ExperienceMemory) -> int:
    """Write a memory's values as ``.csv`` or ``.jsonl``; returns the number of rows.

    The file is replaced when it is complete. Raises `ConfigError` for another ending, `DataError`
    if it cannot be written.
    """
    path = Path(path)
    write = {".csv": _write_csv, ".jsonl": _write_jsonl}[_format(path)]
    with replacing(path) as file:
        return write(file, frame_rows(memory))


def read_frame(path: str | Path) -> tuple[Record, ...]:
    """The records of a file that `write_frame` wrote; for `ExperienceMemory.adopt`.

    Raises
    ------
    DataError
        The file cannot be read as one; names line and column.
    """
    path = Path(path)
    read = {".csv": _read_csv, ".jsonl": read_json_lines}[_format(path)]
    records: dict[int, Record] = {}
    values: dict[int, dict[str, ActionValue]] = {}
    ids: dict[tuple[str, str], int] = {}
    for line, row in read(path):
        try:
            record, value = _parse(row)
            if records.setdefault(record.record_id, record) != record:
                raise ValueError("the record differs from an earlier row's")
            known = ids.setdefault((record.task, record.observation), record.record_id)
            if known != record.record_id:
                raise ValueError(f"the record is the same as record {known}")
            held = values.setdefault(record.record_id, {})
            if value is not None and held.setdefault(value.action, value) is not value:
                raise ValueError("the record has this action already")
        except KeyError as error:
            raise _problem(path, line, f"lacks the column {error}") from error
        except (TypeError, ValueError) as error:
            raise _problem(path, line, str(error)) from error
    return tuple(
        dataclasses.replace(record, action_values=tuple(values[record_id].values()))
        for record_id, record in records.items()
    )


def import_frame(path: str | Path, out: str | Path | None = None) -> ExperienceMemory:
    """A new memory of a file's values; its log goes on after the updates that they tell of."""
    records = read_frame(path)
    for record in records:
        try:
            check_origins(record)
        except DataError as error:
            raise DataError(error.problem, path=path, field=error.field) from error
    values = [value for record in records for value in record.action_values]
    found = {len(value.tables) for value in values} or {1}
    if found not in ({1}, {2}):
        numbers = " and ".join(map(str, sorted(found)))
        raise DataError(f"each value must have one table, or each two; found {numbers}", path=path)
    n_tables = found.pop()
    last = max((v.last_update for v in values if v.last_update is not None), default=-1)
    memory = ExperienceMemory(n_tables=n_tables).empty(out)
    memory.adopt(records, log_start=last + 1)
    memory.refresh()
    memory.commit()
    return memory


# Inside


def _format(path: Path) -> str:
    if path.suffix not in _FORMATS:
        raise ConfigError(f"{path} must end in {' or '.join(_FORMATS)}")
    return path.suffix


def _write_jsonl(file: IO[str], rows: Iterable[Row]) -> int:
    n_rows = 0
    for row in rows:
        file.write(json.dumps(row) + "\n")
        n_rows += 1
    return n_rows


def _write_csv(file: IO[str], rows: Iterable[Row]) -> int:
    writer = csv.writer(file, quoting=csv.QUOTE_ALL)
    writer.writerow(COLUMNS)
    n_rows = 0
    for row in rows:
        writer.writerow([_cell(name, row[name]) for name in COLUMNS])
        n_rows += 1
    return n_rows


def _cell(name: str, value: Any) -> str:
    if value is None:
        return ""
    if name not in _TEXTS:
        return json.dumps(value)
    # An empty text is two quotes, to tell it from what is missing; so one of quotes gets two more.
    text: str = value
    return text if text.strip('"') else text + '""'


def _read_csv(path: Path) -> Iterator[tuple[int, Row]]:
    with _long_cells():
        reader = csv.reader(text for _, text in read_lines(path))
        try:
            names = next(reader, None)
            if names is None or sorted(names) != sorted(COLUMNS):
                raise ValueError(f"expected the columns {', '.join(COLUMNS)}")
            for cells in reader:
                if len(cells) != len(names):
                    raise ValueError(f"has {len(cells)} cells, not {len(names)}")
                row = dict(zip(names, cells, strict=True))
                yield reader.line_num, {name: _value(name, row[name]) for name in names}
        except (csv.Error, ValueError) as error:
            raise _problem(path, max(1, reader.line_num), str(error)) from error


@contextmanager
def _long_cells() -> Iterator[None]:
    # The limit is the module's own, and a page may be longer.
    before = csv.field_size_limit(sys.maxsize)
    try:
        yield
    finally:
        csv.field_size_limit(before)


def _value(name: str, cell: str) -> Any:
    if not cell:
        return None
    if name in _TEXTS:
        return cell if cell.strip('"') else cell[2:]
    try:
        return parse_json(cell)
    except ValueError as error:
        raise ValueError(f"{name} is not JSON: {error}") from error


def _parse(row: Any) -> tuple[Record, ActionValue | None]:
    if not isinstance(row, dict):
        raise TypeError(f"expected an object, found {shown(row)}")
    record = Record(
        record_id=_count(row["record_id"], "record_id"),
        task=_is(row, "task", str),
        observation=_is(row, "observation", str),
        available_actions=_texts(row, "available_actions"),
        action_values=(),
        source=_is(row, "source", str),
        metadata=_is(row, "metadata", dict),
    )
    if row["action"] is None:
        return record, None
    value = ActionValue(
        action=_is(row, "action", str),
        q_value=_number(row["q_value"], "q_value"),
        n_visits=_count(row["n_visits"], "n_visits"),
        reward=_number(row["reward"], "reward"),
        rationale=_is(row, "rationale", str),
        is_initial=_is(row, "is_initial", bool),
        tables=tuple(map(_table, _is(row, "tables", list))),
        first_update=_update(row, "first_update"),
        last_update=_update(row, "last_update"),
    )
    _check_tables(value)
    return record, value


def _table(pair: Any) -> tuple[float, int]:
    if not isinstance(pair, list) or len(pair) != 2:
        raise TypeError(f"tables must hold pairs [value, visits], found {shown(pair)}")
    return _number(pair[0], "a value in tables"), _count(pair[1], "visits in tables")


def _check_tables(value: ActionValue) -> None:
    """What is known of an action is what its tables say: all visits, the mean of the visited."""
    n_visits = sum(n for _, n in value.tables)
    if n_visits != value.n_visits:
        raise ValueError(f"n_visits is {value.n_visits}, but its tables count {n_visits}")
    visited = [q for q, n in value.tables if n]
    mean = sum(visited) / len(visited) if visited else value.q_value
    if not math.isclose(mean, value.q_value, rel_tol=1e-9, abs_tol=1e-12):
        raise ValueError(f"q_value is {value.q_value}, but its tables give {mean}")


def _is(row: Row, name: str, kind: type) -> Any:
    value = row[name]
    if not isinstance(value, kind):
        raise TypeError(f"{name} must be of type {kind.__name__}, found {shown(value)}")
    return value


def _texts(row: Row, name: str) -> tuple[str, ...]:
    texts = _is(row, name, list)
    if not all(isinstance(text, str) for text in texts):
        raise TypeError(f"{name} must hold texts, found {shown(texts)}")
    return tuple(texts)


def _number(value: Any, name: str) -> float:
    if not is_number(value):
        raise TypeError(f"{name} must be a finite number, found {shown(value)}")
    return float(value)


def _count(value: Any, name: str) -> int:
    if not is_count(value):
        raise TypeError(f"{name} must be a whole number from 0 to 2**53, found {shown(value)}")
    return int(value)


def _update(row: Row, name: str) -> int | None:
    return None if row[name] is None else _count(row[name], name)


def _problem(path: Path, line: int, what: str) -> DataError:
    return DataError(what, path=path, field=f"line {line}")
