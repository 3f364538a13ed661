"""What a number from outside must be before anything is reckoned with it."""

from __future__ import annotations

from rememberer_nb.errors import ConfigError, shown

# Counts and ids go up to what a float counts by ones; values up to what can be squared and added.
MAX_COUNT = 2**53
MAX_VALUE = 1e100


def is_number(value: object) -> bool:
    """Whether a value is a number that can be worked with: finite, and of at most 1e100.

    >>> is_number(1), is_number(2.5), is_number(10**400), is_number(True)
    (True, True, False, False)
    """
    return _is_plain(value, int, float) and -MAX_VALUE <= value <= MAX_VALUE  # type: ignore[operator]


def is_count(value: object) -> bool:
    """Whether a value is a whole number from 0 to 2**53.

    >>> is_count(0), is_count(-1), is_count(1.0)
    (True, False, False)
    """
    return _is_plain(value, int) and 0 <= value <= MAX_COUNT  # type: ignore[operator]


def _is_plain(value: object, *types: type) -> bool:
    # True is an int to Python, but no number here.
    return isinstance(value, types) and not isinstance(value, bool)


def check_finite(owner: object, **numbers: float) -> None:
    """Raise `ConfigError` for a number, by the name of its field, that cannot be worked with."""
    for name, number in numbers.items():
        if not -MAX_VALUE <= number <= MAX_VALUE:
            where = f"{type(owner).__name__}.{name}"
            raise ConfigError(f"{where} must be finite, got {shown(number)}; at most {MAX_VALUE:g}")
