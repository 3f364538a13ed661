"""Settings by their dotted names: read from texts and TOML files, and written as such a file.

A file has a table per stage (`STAGES`), with any of its settings::

    [rlem]
    gamma = 0.9
    learning_rate = "none"    # neither TOML nor the command line has None

Keys and addresses of servers are no settings: they come from the environment alone.
"""

from __future__ import annotations

import difflib
import json
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import attrs

from rememberer_nb.config.fields import NONE
from rememberer_nb.config.settings import STAGES, describe
from rememberer_nb.errors import ConfigError
from rememberer_nb.system.files import read_text

# "rlem.gamma" -> what is known of it.
SETTINGS: dict[str, Mapping[str, Any]] = {
    f"{stage}.{field.name}": field.metadata
    for stage, cls in STAGES.items()
    for field in attrs.fields(cls)
}
_SECRET = re.compile("api|key|secret|password|auth|url|address|endpoint", re.IGNORECASE)


def known_setting(name: str) -> Mapping[str, Any]:
    """A setting's metadata (`rule`, `unit`, ...) by its dotted name.

    Raises
    ------
    ConfigError : there is none of this name; no value is ever quoted.

    Examples
    --------
    >>> known_setting("rlem.gama")
    Traceback (most recent call last):
    ...
    rememberer_nb.errors.ConfigError: there is no setting rlem.gama; did you mean rlem.gamma?
    """
    if name in SETTINGS:
        return SETTINGS[name]
    if _SECRET.search(name):
        raise ConfigError(
            f"{name:.60} is no setting: keys and addresses come from the environment alone "
            "(OPENAI_API_KEY, OPENAI_BASE_URL)"
        )
    if name in STAGES:
        raise ConfigError(f"{name} must be a table of settings, [{name}]")
    near = difflib.get_close_matches(name[:60], [*SETTINGS, *STAGES], n=1)
    hint = f"; did you mean {near[0]}?" if near else f"; the tables are {', '.join(STAGES)}"
    raise ConfigError(f"there is no setting {name:.60}{hint}")


def read_setting(name: str, text: str) -> Any:
    """The value that a text gives a setting.

    >>> read_setting("rlem.gamma", "0.9"), read_setting("rlem.n_step", "none")
    (0.9, None)
    """
    rule = known_setting(name)["rule"]
    value = rule.from_text(text)
    rule.check(name, value)
    return value


def read_config(path: str | Path) -> dict[str, Any]:
    """All settings in a TOML file: dotted name -> value.

    Raises
    ------
    ConfigError : names the file, and what in it is unknown or not what it must be.
    DataError : the file cannot be read.
    """
    text = read_text(path)
    try:
        tables = tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"{path}: is not TOML: {error}") from None
    found: dict[str, Any] = {}
    try:
        for stage, table in tables.items():
            if stage not in STAGES or not isinstance(table, dict):
                # One that is not known is refused below by the name of its first entry.
                first = [*table][:1] if isinstance(table, dict) else []
                table = dict.fromkeys(first or [""])
            for name, value in table.items():
                found |= _entry(f"{stage}.{name}".rstrip("."), value)
    except ConfigError as error:
        raise ConfigError(f"{path}: {error}") from None
    return found


def _entry(name: str, value: Any) -> dict[str, Any]:
    rule = known_setting(name)["rule"]
    if isinstance(value, dict):
        raise ConfigError(f"{name} must be {rule.allowed}, got a table")
    value = rule.from_toml(value)
    rule.check(name, value)
    return {name: value}


def make_configs(values: Mapping[str, Any]) -> dict[str, Any]:
    """The configs of all stages, by stage, with these values (dotted name -> value).

    >>> make_configs({"rlem.gamma": 0.9})["rlem"].gamma
    0.9
    """
    given: dict[str, dict[str, Any]] = {stage: {} for stage in STAGES}
    for name, value in values.items():
        stage, _, field = name.partition(".")
        given[stage][field] = value
    return {stage: cls(**given[stage]) for stage, cls in STAGES.items()}


def to_toml(configs: Mapping[str, Any]) -> str:
    """A file of these configs: every setting with its unit, source and meaning.

    >>> print(to_toml({"run": STAGES["run"](tasks="500")}))
    [run]  # What is run, and on what.
    ...
    tasks = "500"  # numbers; ours; S0, S1, test, A:B (half-open) or ...
    """
    lines = []
    for stage, config in configs.items():
        about = (type(config).__doc__ or "").partition("\n")[0]
        lines += [f"[{stage}]  # {about}"]
        for row in describe(config):
            note = f"{row['unit']}; {row['source']}; {row['meaning']}"
            lines.append(f"{row['name']} = {_toml(row['value'])}  # {note}")
        lines.append("")
    return "\n".join(lines)


def _toml(value: Any) -> str:
    if value is None:
        value = NONE
    if isinstance(value, str):
        # As JSON, but for one control character that JSON leaves as it is.
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    if isinstance(value, tuple):
        return "[" + ", ".join(map(_toml, value)) + "]"
    if isinstance(value, bool | int):
        return str(value).lower()
    return repr(float(value))
