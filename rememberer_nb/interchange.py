"""Memories as tables: CSV and JSON Lines out and in, equal to the last bit.

A row per (task, observation, action), as `ExperienceMemory.to_frame` has it, with the columns that
a memory needs besides (available actions, metadata, the values of each table). A record without
actions is a row without an action. The update log and the episodes stay behind.

In CSV, lists and mappings are JSON, and what is missing is an empty cell. Half a surrogate pair,
which UTF-8 cannot hold, is kept by Python's "surrogatepass".
"""

from __future__ import annotations

import csv
import json
import math
import os
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from rememberer_nb.elements import ActionValue, Record
from rememberer_nb.errors import ConfigError, DataError
from rememberer_nb.memory import ExperienceMemory

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
    beside = path.with_name(f".{path.name}.part")
    try:
        with beside.open("w", encoding="utf-8", errors="surrogatepass", newline="") as file:
            n_rows = write(file, frame_rows(memory))
        os.replace(beside, path)
    except OSError as error:
        beside.unlink(missing_ok=True)
        raise DataError(f"cannot be written: {error}", path=path) from error
    return n_rows


def read_frame(path: str | Path) -> tuple[Record, ...]:
    """The records of a file that `write_frame` wrote; for `ExperienceMemory.adopt`.

    Raises
    ------
    DataError
        The file cannot be read as one; names line and column.
    """
    path = Path(path)
    read = {".csv": _read_csv, ".jsonl": _read_jsonl}[_format(path)]
    records: dict[int, Record] = {}
    values: dict[int, dict[str, ActionValue]] = {}
    try:
        with path.open(encoding="utf-8", errors="surrogatepass", newline="") as file:
            for line, row in read(file, path):
                record, value = _parse(row, path, line)
                known = records.setdefault(record.record_id, record)
                if known != record:
                    raise _problem(path, line, "the record differs from an earlier row's")
                held = values.setdefault(record.record_id, {})
                if value is not None and value.action in held:
                    raise _problem(path, line, "the record has this action already")
                if value is not None:
                    held[value.action] = value
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"cannot be read: {error}", path=path) from error
    return tuple(
        Record(
            record_id, r.task, r.observation, r.available_actions,
            tuple(values[record_id].values()), r.source, r.metadata,
        )
        for record_id, r in records.items()
    )  # fmt: skip


def import_frame(path: str | Path, out: str | Path | None = None) -> ExperienceMemory:
    """A new memory of a file's values; its log goes on after the updates that they tell of."""
    records = read_frame(path)
    values = [value for record in records for value in record.action_values]
    n_tables = max((len(value.tables) for value in values), default=1)
    if any(len(value.tables) != n_tables for value in values):
        raise DataError("has values with one and with two tables", path=path)
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
    return value if value.strip('"') else value + '""'


def _read_jsonl(file: IO[str], path: Path) -> Iterator[tuple[int, Row]]:
    for number, line in enumerate(file, start=1):
        try:
            row = json.loads(line)
        except json.JSONDecodeError as error:
            raise _problem(path, number, f"is not JSON: {error}") from error
        if not isinstance(row, dict):
            raise _problem(path, number, f"expected an object, found {row!r:.60}")
        yield number, row


def _read_csv(file: IO[str], path: Path) -> Iterator[tuple[int, Row]]:
    with _long_cells():
        reader = csv.reader(file)
        names = next(reader, None)
        if names is None or set(names) != set(COLUMNS):
            raise _problem(path, 1, f"expected the columns {', '.join(COLUMNS)}")
        for cells in reader:
            if len(cells) != len(names):
                raise _problem(path, reader.line_num, f"has {len(cells)} cells, not {len(names)}")
            row = dict(zip(names, cells, strict=True))
            yield reader.line_num, {name: _value(name, row[name]) for name in names}


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
        return json.loads(cell)
    except json.JSONDecodeError:
        return cell


def _parse(row: Row, path: Path, line: int) -> tuple[Record, ActionValue | None]:
    try:
        record = Record(
            record_id=_is(row, "record_id", int),
            task=_is(row, "task", str),
            observation=_is(row, "observation", str),
            available_actions=tuple(_is(row, "available_actions", list)),
            action_values=(),
            source=_is(row, "source", str),
            metadata=_is(row, "metadata", dict),
        )
        if row["action"] is None:
            return record, None
        return record, ActionValue(
            action=_is(row, "action", str),
            q_value=_number(row, "q_value"),
            n_visits=_is(row, "n_visits", int),
            reward=_number(row, "reward"),
            rationale=_is(row, "rationale", str),
            is_initial=_is(row, "is_initial", bool),
            tables=tuple((float(q), int(n)) for q, n in _is(row, "tables", list)),
            first_update=row["first_update"],
            last_update=row["last_update"],
        )
    except KeyError as error:
        raise _problem(path, line, f"lacks the column {error}") from error
    except (TypeError, ValueError) as error:
        raise _problem(path, line, str(error)) from error


def _is(row: Row, name: str, kind: type) -> Any:
    value = row[name]
    if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
        raise TypeError(f"{name} must be of type {kind.__name__}, found {value!r:.60}")
    return value


def _number(row: Row, name: str) -> float:
    value = row[name]
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise TypeError(f"{name} must be a finite number, found {value!r:.60}")
    return float(value)


def _problem(path: Path, line: int, what: str) -> DataError:
    return DataError(what, path=path, field=f"line {line}")
