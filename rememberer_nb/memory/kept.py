"""A record table with a file: what was committed is there again, whatever stopped the process.

Durability is all that is here; what a memory is, and what it can be asked, stands in `table` and
`experience`.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from rememberer_nb.config import CapacityConfig, RetrievalConfig
from rememberer_nb.elements import Episode, Record
from rememberer_nb.errors import ConfigError, RemembererError
from rememberer_nb.memory.held import Unread, no_collecting
from rememberer_nb.memory.savepoint import Savepoint
from rememberer_nb.memory.store.format import StoredRecord
from rememberer_nb.memory.store.head import HEAD_KEY, ORIGIN_KEY, RUN_KEY, Head
from rememberer_nb.memory.store.store import Store
from rememberer_nb.memory.table import RecordTable
from rememberer_nb.retrieval import Similarity


class KeptTable(RecordTable):
    """A record table whose changes go to a store at each `commit`; see `ExperienceMemory`."""

    _run: dict[str, Any] | None
    _origin: dict[str, Any] | None

    def __init__(
        self,
        retrieval: RetrievalConfig | None = None,
        capacity: CapacityConfig | None = None,
        *,
        store: Store | None = None,
        n_tables: int = 1,
        task_similarity: Similarity | None = None,
        observation_similarity: Similarity | None = None,
    ):
        super().__init__(
            retrieval,
            capacity,
            n_tables=n_tables,
            task_similarity=task_similarity,
            observation_similarity=observation_similarity,
        )
        self._store = store or Store()
        self._is_whole = False
        try:
            self._load(task_similarity, observation_similarity)
        except RemembererError:
            self._store.close()
            raise

    # Opening and closing

    @classmethod
    def open(
        cls,
        path: str | Path | None,
        *,
        must_exist: bool = False,
        read_only: bool = False,
        **settings: Any,
    ) -> Self:
        """The memory in a file, made if the file does not exist; None keeps it in RAM.

        Opening changes nothing and waits for nobody: it shows the last commit. The first `commit`
        (or `lock`) makes this the one writer of the file until it is closed; `read_only` rules that
        out. `settings` are those of `ExperienceMemory`. Raises `MemoryFileError` if the file is not
        a memory of a known format, and changes nothing then.
        """
        store = Store(path, must_exist=must_exist, read_only=read_only)
        return cls(store=store, **settings)

    def lock(self, wait_s: float = 0.0) -> None:
        """Become the file's one writer now, rather than at the first commit.

        Raises `MemoryFileError` if another one still is after `wait_s`, or has written since this
        was opened (`reload` then).
        """
        self._store.claim(wait_s)
        self._catch_up()

    def reload(self) -> bool:
        """Follow a file that another process writes: the last commit, read anew.

        Changes that were not committed are lost. Returns whether there was anything new. In RAM,
        where nobody else writes, it is a `rollback`.
        """
        if self.path is None:
            self.rollback()
            return False
        before = (self._n_commits, self._next_update, self._next_record)
        if self._store.reopen() or self._is_dirty or not self._is_whole:
            self._load()
        return before != (self._n_commits, self._next_update, self._next_record)

    def rollback(self) -> None:
        """Go back to the last commit, as after a crash, corpus statistics included."""
        if self._is_dirty or not self._is_whole:
            self._load()

    @contextmanager
    def all_or_nothing(self) -> Iterator[None]:
        """What is cut short inside (an error, Ctrl-C) leaves the memory as it was before.

        Exactly so, with whatever waits to be committed, in RAM and in a file. If something was
        committed inside, that stays: the memory goes back to the last commit. Interrupted while it
        goes back, it asks for a `reload`.
        """
        before, n_commits = Savepoint.of(self), self._n_commits
        try:
            yield
        except BaseException:
            self._catch_up()
            if self._n_commits != n_commits:
                self.rollback()
            elif self._is_dirty or not self._is_whole:
                self._is_whole = False
                before.restore(self)
                self._is_whole = True
            raise

    @property
    def path(self) -> Path | None:
        """The file, or None for a memory in RAM."""
        return self._store.path

    def close(self) -> None:
        """Close the file. Changes since the last `commit` are lost, as after a crash."""
        self._store.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    # What is kept

    @property
    def n_episodes(self) -> int:
        """Episodes that were committed."""
        return self._n_episodes

    @property
    def next_record(self) -> int:
        """The id of the next new record; all below have been given."""
        return self._next_record

    @property
    def log_start(self) -> int:
        """The first id of the log: above 0 for a copy, whose values stem from another's log."""
        return self._log_start

    @property
    def run(self) -> dict[str, Any] | None:
        """The training run last noted with a commit; see `rememberer_nb.loop.runs`."""
        return self._run

    @property
    def is_new(self) -> bool:
        """Whether nothing was ever committed, as in a file that was just made."""
        return self._store.get_meta(HEAD_KEY) is None

    @property
    def has_changes(self) -> bool:
        """Whether anything waits to be committed."""
        return self._is_dirty

    @property
    def origin(self) -> dict[str, Any] | None:
        """What it started from, if that was noted: see `begin`."""
        return self._origin

    def commit(self, *episodes: Episode, run: Mapping[str, Any] | None = None) -> None:
        """Write everything since the last commit, and the episodes, in one transaction.

        `run` is noted with it (see `rememberer_nb.loop.runs`). Raises `MemoryFileError` if the file
        cannot be written; it is as before then, and nothing is forgotten that waits to be written.
        """
        if not self._is_whole:
            raise self._store.error("cannot be written: reading it was interrupted; reload() it")
        meta = self._meta(run, len(episodes))
        # After the similarities gave their states: what waited to be encoded is, then.
        vectors = self._vectors.new
        self._store.write(
            records=[self._records[record_id] for record_id in self._changed],
            removed=self._removed,
            updates=self._log,
            episodes=episodes,
            meta=meta,
            neighbours=None if self._eviction is None else self._eviction.changes,
            vectors=vectors,
        )
        self._vectors.recall(vectors)
        self._changed, self._removed, self._log = {}, [], []
        if self._eviction is not None:
            self._eviction.changes = {}
        self._n_commits += 1
        self._n_episodes += len(episodes)
        self._run = self._run if run is None else dict(run)
        self._is_dirty = False

    # Others' records

    def adopt(self, records: Iterable[Record], *, log_start: int = 0) -> list[int]:
        """Take records over as they are, values and visits included, under ids of their own.

        `log_start` is where the log goes on, so that it follows the updates that the values tell
        of. Raises `ConfigError` if a record is known or keeps another number of tables.
        """
        record_ids = []
        for record in records:
            if (record.task, record.observation) in self:
                raise ConfigError(f"the memory holds record {record.record_id} already")
            if any(len(value.tables) != self.n_tables for value in record.action_values):
                raise ConfigError(f"record {record.record_id} must hold {self.n_tables} table(s)")
            record_id = self.insert(record.task, record.observation, source=record.source)
            self._put(dataclasses.replace(record, record_id=record_id))
            record_ids.append(record_id)
        self._next_update = self._log_start = max(self.n_updates, log_start)
        return record_ids

    # Inside

    def _take(self, records: Iterable[Record | Unread], states: Mapping[str, bytes]) -> None:
        """Hold records all at once, in a table without any, and their similarities' states.

        They are encoded, together, when the index is first used.
        """
        rows = []
        for record in records:
            rows.append((record.record_id, record.task, record.observation, record.n_visits))
            self._ids[(record.task, record.observation)] = record.record_id
            self._records.put(record)
            self._changed[record.record_id] = None
            if self._eviction is not None:
                self._eviction.put(record)
        self._is_dirty = True
        self._late.take(rows, states)
        if not self._is_late:
            self._late.get()

    def _load(self, f_g: Similarity | None = None, f_o: Similarity | None = None) -> None:
        """Read the last commit, into the given similarities if this is the first time."""
        self._is_whole = False
        self._clear(f_g, f_o)
        self._n_commits = self._n_episodes = 0
        self._run = self._origin = None
        with self._store.reading():
            head = self._store.load_head()
            self._store.check_counts(head)
            if head.n_commits or head.next_record:
                self._check_tables(head.n_tables)
            self._load_all(head)
        self._changed, self._is_dirty, self._is_whole = {}, False, True

    def _check_tables(self, n_tables: int) -> None:
        if n_tables != self.n_tables:
            raise ConfigError(
                f"{self.path} keeps {n_tables} values per action, not {self.n_tables}: "
                "open it with the same n_tables"
            )

    def _catch_up(self) -> None:
        """A commit may have been interrupted just after it was written."""
        if self._store.is_writer and self._store.load_head().n_commits != self._n_commits:
            self._load()

    def _load_all(self, head: Head) -> None:
        self._next_record, self._next_update = head.next_record, head.next_update
        self._log_start, self._n_commits = head.log_start, head.n_commits
        states = {key: self._store.get_meta(key) or b"" for key in self._late.keys}
        self._vectors.recall(self._store.load_vectors(self._vectors.models))
        with no_collecting():
            self._take(self._store.load_records(), states)
        if self._eviction is not None:
            self._eviction.restore(self._store.load_neighbours())
        self._n_episodes = head.n_episodes
        self._run = self._store.load_note(RUN_KEY)
        self._origin = self._store.load_note(ORIGIN_KEY)

    def _read(self, stored: StoredRecord) -> Record:
        return self._store.read(StoredRecord.read, stored)

    def _meta(self, run: Mapping[str, Any] | None, n_new: int) -> dict[str, bytes]:
        head = Head(
            n_tables=self.n_tables,
            next_record=self._next_record,
            next_update=self._next_update,
            log_start=self._log_start,
            n_commits=self._n_commits + 1,
            n_records=len(self),
            n_episodes=self._n_episodes + n_new,
        )
        meta = {HEAD_KEY: head.to_bytes()}
        if run is not None:
            meta[RUN_KEY] = json.dumps(run).encode()
        if self._origin is not None:
            meta[ORIGIN_KEY] = json.dumps(self._origin).encode()
        return meta | {key: s.state() for key, s in self._similarities().items()}
