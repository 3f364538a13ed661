"""Initial memories: annotated demonstrations that a memory may start from (paper, section 4.1).

A JSON file, one memory each (``data/webshop/E0.json``); `read_initial` turns it into records for
`ExperienceMemory.add_initial`.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from rememberer_nb.elements import ActionValue, Record
from rememberer_nb.errors import ConfigError, DataError
from rememberer_nb.resources import data_path

FORMAT = "rememberer_nb/initial-memory"
VERSION = 1
NAMES = ("E0", "E1", "E2")


def read_initial(source: str | Path, env: str = "webshop") -> tuple[Record, ...]:
    """The records of a bundled initial memory ("E0", "E1", "E2"), of a file, or none ("empty").

    A file that ends in .yaml or .yml is a published memory pool (`importers.pools`). Raises
    `DataError` naming file and field when a file is neither.

    >>> read_initial("empty")
    ()
    >>> read_initial("E0")[0].source
    'E0'
    """
    if source == "empty":
        return ()
    path = data_path(env, f"{source}.json") if source in NAMES else Path(source)
    if source not in NAMES and not path.exists():
        raise ConfigError(
            f"no initial memory {str(source)!r}: expected {', '.join(NAMES)}, 'empty' or a file"
        )
    if path.suffix in (".yaml", ".yml"):
        # Imported late: the importers stand further down the loop.
        from rememberer_nb.importers.pools import read_pool

        return read_pool(path)
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise DataError(f"cannot be read as JSON: {error}", path=path) from error
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise DataError(f"is no initial memory: expected format {FORMAT!r}", path=path)
    if content.get("version") != VERSION:
        found = content.get("version")
        raise DataError(f"has version {found!r}, expected {VERSION}", path=path, field="version")
    name = str(content.get("name", path.stem))
    rows = content.get("records")
    if not isinstance(rows, list):
        raise DataError("expected a list of records", path=path, field="records")
    return tuple(_record(i, row, name, path) for i, row in enumerate(rows))


def _record(number: int, row: Any, name: str, path: Path) -> Record:
    where = f"records[{number}]"
    try:
        values = tuple(
            ActionValue(
                action=_string(value["action"]),
                q_value=float(value["q_value"]),
                n_visits=int(value.get("n_visits", 1)),
                reward=float(value.get("reward", 0.0)),
                rationale=_string(value.get("rationale", "")),
                is_initial=True,
            )
            for value in row["actions"]
        )
        available = tuple(map(_string, row.get("available_actions", ())))
        task, observation = _string(row["task"]), _string(row["observation"])
        return Record(number, task, observation, available, values, name)
    except KeyError as error:
        raise DataError(f"lacks the field {error}", path=path, field=where) from error
    except (TypeError, ValueError, AttributeError) as error:
        raise DataError(f"does not fit: {error}", path=path, field=where) from error


def _string(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(f"expected a text, found {value!r}")
    return value
