"""The experience memory: what was tried at which observation of which task, and what it was worth.

`RecordTable` holds the records in RAM and retrieves them; here they get a file, a log and a past.
RLEM (`rememberer_nb.rlem`) decides the values, this module keeps them.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

import numpy as np

from rememberer_nb.config import CapacityConfig, RetrievalConfig
from rememberer_nb.elements import Episode, Record, Update
from rememberer_nb.errors import ConfigError, MemoryFileError, RemembererError
from rememberer_nb.memory.held import no_collecting
from rememberer_nb.memory.outcome import Outcome
from rememberer_nb.memory.savepoint import Savepoint
from rememberer_nb.memory.store.format import StoredRecord
from rememberer_nb.memory.store.head import HEAD_KEY, ORIGIN_KEY, RUN_KEY, Head
from rememberer_nb.memory.store.store import Store
from rememberer_nb.memory.table import RecordTable
from rememberer_nb.retrieval import Similarity

if TYPE_CHECKING:
    import pandas as pd


class ExperienceMemory(RecordTable):
    """Records of experience, retrieved by similarity.

    Parameters
    ----------
    retrieval : similarities, λ and m.
    capacity : limits and the eviction policy.
    store : where changes go at `commit`; in RAM by default. See `ExperienceMemory.open`.
    n_tables : values kept per action: 1, or 2 for double Q-learning.
    task_similarity, observation_similarity : take the place of the ones that `retrieval` names.

    Examples
    --------
    >>> memory = ExperienceMemory()
    >>> record_id = memory.insert("a red lamp", "[Search]", ["search[<keywords>]"])
    >>> memory.add_action(record_id, "search[red lamp]")
    >>> hit = next(memory.retrieve("a blue lamp", "[Search]"))
    >>> hit.rank, round(hit.observation_similarity, 6), hit.record.task
    (0, 1.0, 'a red lamp')
    """

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
    ) -> ExperienceMemory:
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

    def __enter__(self) -> ExperienceMemory:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    # The past

    def updates(self, record_id: int | None = None, action: str | None = None) -> list[Update]:
        """The update log in order: all of it, of a record, or of one of its actions.

        Of a memory that another process writes, as much as this one has loaded.
        """
        return list(self.each_update(record_id, action))

    def each_update(
        self, record_id: int | None = None, action: str | None = None
    ) -> Iterator[Update]:
        """As `updates`, one at a time."""
        # SQLite finds nothing for the integers of numpy, which a frame's columns hold.
        record_id = None if record_id is None else int(record_id)
        n_stored = self._next_update - len(self._log)
        for update in self._store.load_updates(record_id, action):
            if update.update_id < n_stored:
                yield update
        for update in tuple(self._log):
            if record_id in (None, update.record_id) and action in (None, update.action):
                yield update

    def episodes(self, after: int = 0) -> list[Episode]:
        """The episodes that were committed, in order, without the first `after`."""
        return list(self.each_episode(after))

    def each_episode(self, after: int = 0) -> Iterator[Episode]:
        """As `episodes`, one at a time."""
        return self._store.load_episodes(after, self._n_episodes + 1)

    def outcomes(self, after: int = 0) -> Iterator[Outcome]:
        """The same episodes in numbers, at a small part of the cost."""
        return self._store.load_outcomes(after, self._n_episodes + 1)

    def episode(self, number: int) -> Episode:
        """The episode of that number, which counts from 1; `LookupError` if there is none."""
        found = list(self._store.load_episodes(number - 1, min(number, self._n_episodes) + 1))
        if not found:
            raise LookupError(f"no episode {number}; the memory holds {self._n_episodes}")
        return found[0]

    def uses(self, record_id: int) -> list[tuple[int, int, int, float, bool]]:
        """Decisions that looked at a record: (episode number, step, rank, total, whether shown).

        Episodes count from 1, as in `episodes`; what was shown became an exemplar of the prompt.
        """
        found = self._store.load_uses(int(record_id))
        return [use for use in found if use[0] <= self._n_episodes]

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

    # Keeping

    def begin(self, records: Iterable[Record], origin: Mapping[str, Any]) -> None:
        """Start from initial records; the next commit notes, with them, which they were.

        `origin` is what `origin.origin_of` says of them.
        """
        self.add_initial(records)
        self._origin, self._is_dirty = dict(origin), True

    def commit(self, *episodes: Episode, run: Mapping[str, Any] | None = None) -> None:
        """Write everything since the last commit, and the episodes, in one transaction.

        `run` is noted with it (see `rememberer_nb.loop.runs`). Raises `MemoryFileError` if the file
        cannot be written; it is as before then, and nothing is forgotten that waits to be written.
        """
        if not self._is_whole:
            raise self._store.error("cannot be written: reading it was interrupted; reload() it")
        self._store.write(
            records=[self._records[record_id] for record_id in self._changed],
            removed=self._removed,
            updates=self._log,
            episodes=episodes,
            meta=self._meta(run, len(episodes)),
            neighbours=None if self._eviction is None else self._eviction.changes,
        )
        self._changed, self._removed, self._log = {}, [], []
        if self._eviction is not None:
            self._eviction.changes = {}
        self._n_commits += 1
        self._n_episodes += len(episodes)
        self._run = self._run if run is None else dict(run)
        self._is_dirty = False

    # Others like it

    def empty(
        self, path: str | Path | None = None, *, capacity: CapacityConfig | None = None
    ) -> ExperienceMemory:
        """A new memory with the same settings and no records; `path` must not exist.

        `capacity` takes the place of this memory's own.
        """
        if path is not None and Path(path).exists():
            raise MemoryFileError("exists already; nothing was changed", path=path)
        f_g, f_o = (make() for make in self._make_similarities)
        return ExperienceMemory.open(
            path,
            retrieval=self.retrieval,
            capacity=self.capacity if capacity is None else capacity,
            n_tables=self.n_tables,
            task_similarity=f_g,
            observation_similarity=f_o,
        )

    def copy(self, path: str | Path | None = None) -> ExperienceMemory:
        """The same records and values without log and episodes; see `memory_ops.copy`."""
        from rememberer_nb.memory import operations as memory_ops

        return memory_ops.copy(self, path)

    def shuffled(self, rng: np.random.Generator) -> ExperienceMemory:
        """A copy with its values dealt out anew: a control; see `memory_ops.shuffled`."""
        from rememberer_nb.memory import operations as memory_ops

        return memory_ops.shuffled(self, rng)

    # Views

    def to_frame(self) -> pd.DataFrame:
        """A row per (task, observation, action); see `rememberer_nb.memory.views.to_frame`."""
        from rememberer_nb.memory.views import to_frame

        return to_frame(self)

    def stats(self) -> dict[str, Any]:
        """Counts and ranges; see `rememberer_nb.memory.views.stats`."""
        from rememberer_nb.memory.views import stats

        return stats(self)

    def __repr__(self) -> str:
        where = f" in {self.path}" if self.path else ""
        return f"<ExperienceMemory: {len(self)} records, {self.n_updates} updates{where}>"

    def _repr_html_(self) -> str:
        from rememberer_nb.memory.views import to_html

        return to_html(self)

    # Inside

    def _load(self, f_g: Similarity | None = None, f_o: Similarity | None = None) -> None:
        """Read the last commit, into the given similarities if this is the first time."""
        self._is_whole = False
        self._clear(f_g, f_o)
        self._n_commits = self._n_episodes = 0
        self._run: dict[str, Any] | None = None
        self._origin: dict[str, Any] | None = None
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
