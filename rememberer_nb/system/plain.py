"""Values as plain data: to JSON and back, compared, and fingerprinted.

What a result depends on is kept beside it as plain values: agents `describe()` themselves and LLMs
have `settings`; recordings, training runs and comparisons keep these, and refuse to go on with
others. What is long (exemplars, a prompt's template) is kept as its fingerprint.
"""

from __future__ import annotations

import functools
import hashlib
import json
from collections.abc import Mapping
from typing import Any, TypeVar

from rememberer_nb.errors import ConfigError, DataError, shown

Value = TypeVar("Value")


@functools.cache
def _converter() -> Any:
    # cattrs takes 0.1 s to import and only reading or writing files needs it.
    from cattrs.preconf.json import make_converter

    return make_converter()


def to_data(value: Any) -> Any:
    """Plain lists, dicts, strings and numbers that `json.dumps` takes.

    >>> from rememberer_nb.elements import Task
    >>> to_data(Task("7", "a lamp", number=7))
    {'task_id': '7', 'text': 'a lamp', 'number': 7}
    """
    return _converter().unstructure(value)


def from_data(cls: type[Value], data: Any) -> Value:
    """The inverse of `to_data`; a `DataError` names the field that does not fit.

    >>> from rememberer_nb.elements import Task
    >>> from_data(Task, {"task_id": "7", "text": "a lamp", "number": 7})
    Task(task_id='7', text='a lamp', number=7)
    """
    from cattrs import BaseValidationError, transform_error

    try:
        value: Value = _converter().structure(data, cls)
        return value
    except BaseValidationError as error:
        problems = transform_error(error, format_exception=_problem)
        more = f"; and {len(problems) - 3} more" if len(problems) > 3 else ""
        raise DataError("; ".join(problems[:3]) + more, field=cls.__name__) from error
    except TypeError as error:
        raise DataError(f"cannot be made from {shown(data)}", field=cls.__name__) from error


def _problem(error: BaseException, cls: type | None) -> str:
    from cattrs.v import format_exception

    return str(error) if isinstance(error, ConfigError) else format_exception(error, cls)


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
