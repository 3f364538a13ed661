"""What one setting is: its default, what it may be, its unit, its source, its option.

A `Rule` says what a value may be, as a check and in words, and how it is read. Rules compose:

>>> or_none(whole(1)).check("n_step", 0)
Traceback (most recent call last):
...
rememberer_nb.errors.ConfigError: n_step must be a whole number of at least 1 or None, got 0
"""

from __future__ import annotations

import math
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import attrs

from rememberer_nb.errors import ConfigError, shown

# TOML and the command line have no None.
NONE = "none"
# A slip of the finger is refused rather than tried.
MAX_SEEDS = 100_000


@attrs.frozen
class Rule:
    """What a value may be; an attrs validator, too.

    Parameters
    ----------
    allowed : in words, after "must be".
    is_fine : the check; a value that it cannot look at is not allowed either.
    read : makes a value of a text; `ValueError` if that cannot be.
    metavar : stands for a value in the help.
    none : the words for None, where that is allowed.
    """

    allowed: str
    is_fine: Callable[[Any], bool]
    read: Callable[[str], Any] = str
    metavar: str = "NAME"
    none: tuple[str, ...] = ()

    def __call__(self, config: Any, attribute: Any, value: Any) -> None:
        """Check a setting of a config; `ConfigError` names both."""
        self.check(f"{type(config).__name__}.{attribute.name}", value)

    def check(self, where: str, value: Any) -> None:
        """Raise `ConfigError` if a value is not allowed; `where` names the setting."""
        with suppress(TypeError, ValueError, OverflowError):
            if self.is_fine(value):
                return
        raise ConfigError(f"{where} must be {self.allowed}, got {shown(value)}")

    def from_text(self, text: str) -> Any:
        """The value that a text means; what cannot be read stays a text, for `check` to refuse.

        >>> share.from_text("1"), or_none(share).from_text("none"), share.from_text("x")
        (1.0, None, 'x')
        """
        if text in self.none:
            return None
        with suppress(ValueError, OverflowError):
            return self.read(text)
        return text

    def from_toml(self, value: Any) -> Any:
        """The value that a TOML value means: whole numbers do for real ones, arrays for texts.

        >>> share.from_toml(1), or_none(share).from_toml("none"), texts.from_toml(["a"])
        (1.0, None, ('a',))
        """
        if isinstance(value, str) and value in self.none:
            return None
        if self.read is float and type(value) is int:
            with suppress(OverflowError):
                return float(value)
        return tuple(value) if isinstance(value, list) else value


def whole(least: int, most: int | None = None) -> Rule:
    """A whole number."""
    end = f"of at least {least}" if most is None else f"from {least} to {most}"
    top = math.inf if most is None else most
    return Rule(
        f"a whole number {end}",
        lambda value: type(value) is int and least <= value <= top,
        int,
        "N",
    )


def number(allowed: str, is_fine: Callable[[Any], bool] = lambda _: True) -> Rule:
    """A finite real number; `True` is none."""

    def is_right(value: Any) -> bool:
        return not isinstance(value, bool) and math.isfinite(value) and is_fine(value)

    return Rule(allowed, is_right, float, "N")


def one_of(*choices: str) -> Rule:
    """One of some names."""
    allowed = " or ".join(map(repr, choices))
    return Rule(allowed, lambda value: value in choices, metavar="{" + ",".join(choices) + "}")


def or_none(rule: Rule, *words: str) -> Rule:
    """As another rule, or None; `words` mean None besides "none"."""
    return attrs.evolve(
        rule,
        allowed=f"{rule.allowed} or None",
        is_fine=lambda value: value is None or rule.is_fine(value),
        none=(NONE, *words),
    )


def _flag(text: str) -> bool:
    if text not in ("true", "false"):
        raise ValueError(text)
    return text == "true"


share = number("in [0, 1]", lambda value: 0 <= value <= 1)
positive = number("above 0", lambda value: value > 0)
not_negative = number("at least 0", lambda value: value >= 0)
flag = Rule("true or false", lambda value: isinstance(value, bool), _flag, "{true,false}")
text = Rule("a text", lambda value: isinstance(value, str))
texts = Rule(
    "a tuple of texts",
    lambda value: isinstance(value, tuple) and all(isinstance(each, str) for each in value),
    lambda text: (text,),
    "TEXT",
)
reply_seed = Rule(
    "'call', a whole number or None",
    lambda value: value in ("call", None) or type(value) is int,
    lambda text: text if text == "call" else int(text),
    "N",
    (NONE,),
)


def seed_range(text: str) -> range:
    """The seeds that "3" or "0:12" (half-open) names; `ValueError` if it names none.

    >>> list(seed_range("3")), len(seed_range("0:12"))
    ([3], 12)
    """
    low, colon, high = text.partition(":")
    seeds = range(int(low), int(high) if colon else int(low) + 1)
    if seeds.start < 0 or not 0 < seeds.stop - seeds.start <= MAX_SEEDS:
        raise ValueError(text)
    return seeds


seeds_text = Rule(
    f"'N' or 'A:B' (half-open), at most {MAX_SEEDS} seeds",
    lambda value: isinstance(value, str) and bool(seed_range(value)),
    metavar="N",
)


def setting(
    default: Any,
    rule: Rule,
    unit: str,
    source: str,
    meaning: str,
    option: str | None = None,
    *,
    needs: tuple[str, Any] | None = None,
) -> Any:
    """A setting of a config class.

    Parameters
    ----------
    source : "paper", "published code" or "ours".
    option : its own on the command line, if it has one; any can be given by ``--set``.
    needs : another setting of the class, and the value that it must have for this one to count
        (...: any but None).
    """
    metadata = {"unit": unit, "source": source, "meaning": meaning}
    more = {"rule": rule, "option": option, "needs": needs}
    return attrs.field(default=default, validator=rule, metadata=metadata | more)


def checked_count(name: str, value: Any, least: int, most: int) -> int:
    """The value, if it is a whole number in [least, most]; else a `ConfigError`.

    >>> checked_count("--jobs", 2, 1, 1024)
    2
    """
    whole(least, most).check(name, value)
    return int(value)
