"""What the checks of all parts share: how a check is named, run, and fails."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import TracebackType
from typing import Any

from rememberer_nb.errors import CheckError

# Texts that are easily forgotten: none, blank, a control character, half a surrogate pair, a long
# one.
ODD_TEXTS = ("", " ", "\n\n", "\x00", "\ud800", "é ß 灯 🔦", "[[[", "word " * 20_000)


def expect(is_met: object, expected: str, found: object) -> None:
    """Fail the check under way unless a promise is kept."""
    if not is_met:
        raise CheckError("", expected, found)


def run_checks(
    part: str, checks: Sequence[Callable[..., None]], *arguments: Any
) -> tuple[str, ...]:
    """Run checks, each a function named after what it checks; returns the names.

    Raises
    ------
    CheckError
        A promise is broken; anything that the part itself raises counts as broken, too.
    """
    names = []
    for check in checks:
        with _Named(f"{part}: {check.__name__}"):
            check(*arguments)
        names.append(check.__name__)
    return tuple(names)


class _Named:
    """Gives what is raised within it the check's name."""

    def __init__(self, name: str):
        self.name = name

    def __enter__(self) -> None:
        """Nothing is to be done."""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        """An error of the part, whatever it is, is what the check has found; Ctrl-C is none."""
        if isinstance(error, CheckError):
            raise CheckError(self.name, error.expected, error.found) from None
        if isinstance(error, Exception):
            raise CheckError(self.name, "no error", error) from error


def is_one_line(text: object) -> bool:
    """Whether it is a text on one line, and not empty."""
    return isinstance(text, str) and len(text.splitlines()) == 1


def changed(before: Mapping[str, Any], after: Mapping[str, Any]) -> str:
    """The names of the values that differ, "" if none does.

    >>> changed({"a": 1, "b": 2}, {"a": 1, "b": 3})
    'b'
    """
    names = before.keys() | after.keys()
    return ", ".join(sorted(name for name in names if before.get(name) != after.get(name)))
