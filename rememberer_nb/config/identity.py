"""What a result depends on, as plain values, so that it can be kept beside it and compared.

Agents `describe()` themselves and LLMs have `settings`; recordings, training runs and comparisons
keep these, and refuse to go on with others. What is long (exemplars, a prompt's template) is kept
as its fingerprint.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from rememberer_nb.elements import to_data
from rememberer_nb.errors import ConfigError


def plain(value: Any) -> Any:
    """A value as JSON gives it back: tuples become lists, dataclasses mappings.

    Raises
    ------
    ConfigError : it holds something that JSON has no form for.

    Examples
    --------
    >>> plain({"stop": ("END",), 3: None})
    {'stop': ['END'], '3': None}
    """
    try:
        return json.loads(json.dumps(to_data(value)))
    except (TypeError, ValueError) as error:
        raise ConfigError(f"expected plain values, as JSON has them: {error}") from error


def fingerprint(value: Any) -> str:
    """16 hexadecimal digits for a value; the order of names in a mapping does not matter.

    >>> fingerprint({"a": 1, "b": (2,)}) == fingerprint({"b": [2], "a": 1})
    True
    """
    text = json.dumps(plain(value), sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def differences(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """What differs between two descriptions, by name; names within names are joined by dots.

    >>> differences({"rlem": {"gamma": 1.0}, "seed": 0}, {"rlem": {"gamma": 0.9}, "seed": 0})
    ['rlem.gamma: 1.0, now 0.9']
    """
    one, two = _flat(before), _flat(now)
    return [
        f"{name}: {one.get(name)!r:.60}, now {two.get(name)!r:.60}"
        for name in sorted(one.keys() | two.keys())
        if one.get(name) != two.get(name)
    ]


def _flat(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, value in values.items():
        if isinstance(value, Mapping):
            flat |= _flat(value, f"{prefix}{name}.")
        else:
            flat[prefix + name] = value
    return flat
