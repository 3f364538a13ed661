"""Initial memories: annotated demonstrations that a memory may start from (paper, section 4.1).

A JSON file, one memory each (``data/webshop/E0.json``); `read_initial` turns it into records for
`ExperienceMemory.add_initial`.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from rememberer_nb.elements import ActionValue, Record
from rememberer_nb.envs.registry import DEFAULT_ENV, EMPTY, find_env
from rememberer_nb.errors import ConfigError, DataError, shown
from rememberer_nb.system.checks import is_count, is_number
from rememberer_nb.system.files import read_json

FORMAT = "rememberer_nb/initial-memory"
VERSION = 1


def read_initial(source: str | Path, env: str = DEFAULT_ENV) -> tuple[Record, ...]:
    """The records of an initial memory of the environment ("E0"), of a file, or none ("empty").

    A file that ends in .yaml or .yml is a published memory pool (`importers.pools`). Raises
    `DataError` naming file and field when a file is neither.

    >>> read_initial("empty")
    ()
    >>> read_initial("E0")[0].source
    'E0'
    """
    if source == EMPTY:
        return ()
    named = find_env(env).initial
    given = named.get(source, source) if isinstance(source, str) else source
    found = given() if callable(given) else given
    if not isinstance(found, str | Path):
        return tuple(found)
    path = Path(found)
    if source not in named and not os.path.lexists(path):
        expected = ", ".join([*named, f"{EMPTY!r} or a file"])
        raise ConfigError(f"no initial memory {str(source)!r}: expected {expected}")
    if path.suffix in (".yaml", ".yml"):
        # Imported late: the importers stand further down the loop.
        from rememberer_nb.memory.pools import read_pool

        return read_pool(path)
    content = read_json(path)
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise DataError(f"is no initial memory: expected format {FORMAT!r}", path=path)
    if content.get("version") != VERSION:
        version = content.get("version")
        raise DataError(
            f"has version {shown(version)}, expected {VERSION}", path=path, field="version"
        )
    name = str(content.get("name", path.stem))
    rows = content.get("records")
    if not isinstance(rows, list):
        raise DataError("expected a list of records", path=path, field="records")
    return tuple(_record(i, row, name, path) for i, row in enumerate(rows))


def _record(number: int, row: Any, name: str, path: Path) -> Record:
    where = f"records[{number}]"
    try:
        actions = _items(row, "actions")
        values = tuple(map(_action_value, actions))
        if len({value.action for value in values}) < len(values):
            raise ValueError("an action stands there twice")
        available = tuple(map(_text, _items(row, "available_actions", ())))
        return Record(
            number, _text(row["task"]), _text(row["observation"]), available, values, name
        )
    except KeyError as error:
        raise DataError(f"lacks the field {error}", path=path, field=where) from error
    except (TypeError, ValueError) as error:
        raise DataError(f"does not fit: {error}", path=path, field=where) from error


def _action_value(value: Any) -> ActionValue:
    if not isinstance(value, dict):
        raise TypeError(f"expected an object, found {shown(value)}")
    n_visits = value.get("n_visits", 1)
    if not is_count(n_visits):
        raise TypeError(f"n_visits must be a whole number from 0 to 2**53, found {shown(n_visits)}")
    return ActionValue(
        action=_text(value["action"]),
        q_value=_number(value["q_value"]),
        n_visits=n_visits,
        reward=_number(value.get("reward", 0.0)),
        rationale=_text(value.get("rationale", "")),
        is_initial=True,
    )


def _items(row: Any, name: str, default: Any = None) -> Any:
    if not isinstance(row, dict):
        raise TypeError(f"expected an object, found {shown(row)}")
    items = row[name] if default is None else row.get(name, default)
    if not isinstance(items, list | tuple):
        raise TypeError(f"{name} must be a list, found {shown(items)}")
    return items


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(f"expected a text, found {shown(value)}")
    return value


def _number(value: Any) -> float:
    if not is_number(value):
        raise TypeError(f"expected a finite number, found {shown(value)}")
    return float(value)
