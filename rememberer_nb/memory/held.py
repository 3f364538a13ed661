"""Records by id; those that were read from a file become values when they are first asked for."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Protocol

from rememberer_nb.elements import Record


class Unread(Protocol):
    """A record as it lies in a file: what an index needs of it is quick to get."""

    @property
    def record_id(self) -> int:
        """The record's id."""
        ...

    @property
    def task(self) -> str:
        """Its task's text."""
        ...

    @property
    def observation(self) -> str:
        """Its observation."""
        ...

    @property
    def n_visits(self) -> int:
        """Updates made to it, over all its actions."""
        ...


class HeldRecords:
    """A mapping of record ids to records, in order of insertion.

    Parameters
    ----------
    read : makes an unread record a `Record`; asked once for each.

    Examples
    --------
    >>> held = HeldRecords(lambda unread: unread)
    >>> held.put(Record(3, "g", "o", (), ()))
    >>> held[3].task, len(held), 4 in held
    ('g', 1, False)
    """

    def __init__(self, read: Callable[[Any], Record]):
        self._read = read
        self._held: dict[int, Record | Unread] = {}

    def __len__(self) -> int:
        return len(self._held)

    def __contains__(self, record_id: object) -> bool:
        return record_id in self._held

    def __iter__(self) -> Iterator[Record]:
        return iter([self[record_id] for record_id in self._held])

    def __getitem__(self, record_id: int) -> Record:
        found = self._held[record_id]
        if not isinstance(found, Record):
            found = self._held[record_id] = self._read(found)
        return found

    def put(self, record: Record | Unread) -> None:
        """Hold a record, in the place of the one with its id."""
        self._held[record.record_id] = record

    def snapshot(self) -> tuple[Record | Unread, ...]:
        """What is held now, read or not, in order."""
        return tuple(self._held.values())

    def pop(self, record_id: int) -> Record:
        """Give a record up."""
        record = self[record_id]
        del self._held[record_id]
        return record


@contextmanager
def no_collecting() -> Iterator[None]:
    """Inside, many records are made, and Python's collector does not look through all of them.

    It would do so again and again, and find nothing.
    """
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()
