"""What a memory keeps beyond the process: records, the update log, episodes, in one SQLite file.

A memory keeps its records in RAM and hands the store what changed, in one transaction at the end
of each episode, so a reader never sees half an episode. `Store(None)` keeps the same tables in
RAM. A file is made by the first write, whole; nothing is written to a file that is not a memory of
a known format, and nothing is written by reading one: an older format is brought up to date in RAM,
in the file when it is first written to.

Any number of readers and one writer: the first write makes a store the writer (`claim`) until it is
closed; another one is told so. Each write makes sure first that the file is still the one that was
read: the same file under the same name, and nobody's work but this store's in it.
"""

from __future__ import annotations

import json
import os
import sqlite3
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from rememberer_nb.elements import Episode, Record, Update
from rememberer_nb.errors import DataError, MemoryFileError
from rememberer_nb.eviction import Neighbour
from rememberer_nb.locks import WriterLock
from rememberer_nb.store_file import StoreFile, abandon, connect, pragma, what_is_wrong
from rememberer_nb.store_format import (
    EPISODE_COLUMNS,
    FORMAT_VERSION,
    IDENTITY_KEY,
    SCHEMA,
    TABLES,
    UPDATE_COLUMNS,
    Head,
    StoredRecord,
    as_cell,
    as_text,
    checksum,
    read_episode,
    read_meta,
    read_records,
    read_update,
    write_episode,
    write_meta,
    write_neighbours,
    write_records,
    write_updates,
)
from rememberer_nb.store_migration import migrate

# What a commit raises its count in; another count than the one read is another writer's work.
HEAD_KEY = "memory"
# Where a training run is noted; see `rememberer_nb.runs`.
RUN_KEY = "run"
# What the memory started from; see `rememberer_nb.origin`.
ORIGIN_KEY = "origin"
# What a row that is none of ours raises when it is made a value.
_NOT_OURS = (zlib.error, DataError, ValueError, TypeError, LookupError, AttributeError)


class Store:
    """The tables behind a memory.

    Parameters
    ----------
    path : the file, made by the first write if it does not exist; None keeps everything in RAM.
    must_exist : raise if there is no file.
    read_only : refuse to write.

    Raises
    ------
    MemoryFileError
        When the file is no memory, is damaged, is of a newer format, or cannot be opened.
    """

    def __init__(
        self, path: str | Path | None = None, *, must_exist: bool = False, read_only: bool = False
    ):
        self.path = None if path is None else Path(path)
        self.read_only = read_only
        self._process = os.getpid()
        self._lock: WriterLock | None = None
        self._head: bytes | None = None
        self._file: StoreFile | None = None
        self._connection: sqlite3.Connection | None = None
        # Of a file: whether there is none yet, and whether it is taken for unchanging.
        self._is_new = self._is_fixed = False
        with self._naming("opened"):
            if self.path is None:
                self._connection = _in_ram()
                return
            self._file = StoreFile(self.path)
            self._open(must_exist or read_only)

    def close(self) -> None:
        """Close the file; what was committed stays, and nothing more can be read or written."""
        db, self._connection = self._connection, None
        if db is None:
            return
        if self._process != os.getpid():
            abandon(db)
            return
        db.close()
        if self._lock is not None:
            if self._file is not None and not self._is_new and not self._file.is_same():
                self._file.remove_log()
            self._lock.release()
            self._lock = None

    def reopen(self) -> bool:
        """See what others have committed since; False if that is nothing, as for the writer."""
        self._usable()
        if self._file is None or self._lock is not None:
            return False
        with self._naming("read"):
            is_followed = not self._is_new and not self._is_fixed
            if is_followed and self._file.is_same():
                is_old = pragma(self._db(), "user_version") < FORMAT_VERSION
                if not is_old and read_meta(self._db(), HEAD_KEY) == self._head:
                    return False
            self.close()
            self._open(must_exist=not self._is_new)
        return True

    # Reading

    @contextmanager
    def reading(self) -> Iterator[None]:
        """Everything read inside belongs to one commit."""
        db = self._db()
        with self._naming("read"):
            db.execute("BEGIN")
        try:
            self._head = self.get_meta(HEAD_KEY)
            yield
        finally:
            with self._naming("read"):
                if db.in_transaction:
                    db.execute("COMMIT")
        self._db()

    def load_records(self, *, is_checked: bool = True) -> Iterator[StoredRecord]:
        """All records in insertion order; `is_checked`: a wrong checksum is an error."""
        with self._decoding():
            for stored in read_records(self._db()):
                if is_checked and not stored.is_sound:
                    raise DataError(
                        f"record {stored.record_id} is not what was written (its checksum differs)"
                    )
                yield stored

    def find_record(self, record_id: int) -> StoredRecord | None:
        """One record, or None."""
        with self._decoding():
            return next(read_records(self._db(), record_id), None)

    def load_updates(
        self, record_id: int | None = None, action: str | None = None
    ) -> Iterator[Update]:
        """Logged updates in order: all, those of a record, or those of one of its actions."""
        wanted = {
            "record_id": record_id,
            "action": None if action is None else as_cell(action),
        }
        wanted = {name: value for name, value in wanted.items() if value is not None}
        where = " AND ".join(f"{name} = :{name}" for name in wanted)
        query = f"SELECT {UPDATE_COLUMNS} FROM updates"
        query += f" WHERE {where}" if where else ""
        with self._decoding():
            for row in self._db().execute(query + " ORDER BY update_id", wanted):
                yield read_update(row)

    def load_episodes(self, after: int = 0, before: int | None = None) -> Iterator[Episode]:
        """The episodes in the order in which they were learnt from; their numbers count from 1.

        `after` and `before` leave out the episodes up to and from those numbers.
        """
        end = 2**62 if before is None else before
        query = "SELECT data FROM episodes WHERE number > ? AND number < ? ORDER BY number"
        with self._decoding():
            for (data,) in self._db().execute(query, (after, end)):
                yield read_episode(data)

    def load_uses(self, record_id: int) -> list[tuple[int, int, int, float, bool]]:
        """Where a record was looked at: (episode number, step, rank, total, whether shown)."""
        query = 'SELECT number, step, "rank", total, is_shown FROM uses WHERE record_id = ?'
        rows = self.select(query + " ORDER BY number, step", record_id)
        return [(*row[:4], bool(row[4])) for row in rows]

    def load_neighbours(self) -> dict[int, Neighbour]:
        """What eviction by redundancy knows."""
        rows = self.select("SELECT record_id, similarity, other FROM neighbours")
        return {record_id: (similarity, other) for record_id, similarity, other in rows}

    def count(self, table: str) -> int:
        """Rows in one of the tables "records", "action_values", "updates", "episodes"."""
        return int(next(self.select(f"SELECT COUNT(*) FROM {table}"))[0])

    def load_head(self) -> Head:
        """The counters; of a file without a commit, those of an empty memory."""
        with self._decoding():
            head = Head.parse(read_meta(self._db(), HEAD_KEY))
            if head is not None:
                return head
            n_rows = {table: self.count(table) for table in TABLES}
            if any(n_rows.values()):
                held = ", ".join(f"{n} {table}" for table, n in n_rows.items())
                raise DataError(f"it has no head, but holds {held}")
            return Head()

    def missing(self, head: Head) -> Iterator[str]:
        """What rows there should be, by the head, and are not."""
        for table, n_rows in (("records", head.n_records), ("episodes", head.n_episodes)):
            found = self.count(table)
            if found != n_rows:
                yield f"it should hold {n_rows} {table}, and holds {found}"

    def check_counts(self, head: Head) -> None:
        """Make sure that no row is missing."""
        for problem in self.missing(head):
            raise self.error(f"is damaged: {problem}")

    def load_note(self, key: str) -> dict[str, Any] | None:
        """What is noted under `RUN_KEY` or `ORIGIN_KEY`."""
        with self._decoding():
            note = read_meta(self._db(), key)
            return None if note is None else dict(json.loads(note))

    def read_record(self, stored: StoredRecord) -> Record:
        """A record that was loaded as it lies in the file."""
        with self._decoding():
            return stored.read()

    def get_meta(self, key: str) -> bytes | None:
        """A stored value, or None."""
        with self._decoding():
            return read_meta(self._db(), key)

    def select(self, query: str, *cells: object) -> Iterator[tuple[Any, ...]]:
        """The rows of a query, as they lie in the file."""
        with self._naming("read"):
            yield from self._db().execute(query, cells)

    def damages(self) -> Iterator[str]:
        """What SQLite finds wrong with the file itself."""
        try:
            for (line,) in self._db().execute("PRAGMA integrity_check"):
                if line != "ok":
                    yield line
        except sqlite3.Error as error:
            yield str(error)

    def wrong_rows(self) -> Iterator[str]:
        """What is not as it was written."""
        for stored in self.load_records(is_checked=False):
            if not stored.is_sound:
                yield f"record {stored.record_id}"
        query = f"SELECT checksum, {UPDATE_COLUMNS} FROM updates ORDER BY update_id"
        yield from (f"update {row[0]}" for row in self._differing(query))
        query = f"SELECT checksum, {EPISODE_COLUMNS} FROM episodes ORDER BY number"
        yield from (f"episode {as_text(row[0])!r}" for row in self._differing(query))
        query = "SELECT checksum, key, value FROM meta ORDER BY key"
        yield from (f"the value {row[0]!r}" for row in self._differing(query))

    def orphans(self) -> list[int]:
        """Record ids that action values refer to in vain."""
        query = "SELECT DISTINCT record_id FROM action_values WHERE record_id NOT IN "
        return [row[0] for row in self.select(query + "(SELECT record_id FROM records)")]

    # Writing

    @property
    def is_writer(self) -> bool:
        """Whether nobody else can write meanwhile."""
        return self.path is None or self._lock is not None

    def claim(self, wait_s: float = 0.0) -> None:
        """Become the one writer, until `close`; of no effect in RAM.

        Raises
        ------
        MemoryFileError
            Another one is writing, the file was changed since it was read, or it cannot be
            written.
        """
        self._usable()
        if self._file is None or self._lock is not None:
            return
        if self.read_only:
            raise self.error("cannot be written: it was opened for reading only")
        if not self._is_new and not self._file.is_same():
            raise self.error(_REPLACED)
        if not self._is_new and not self._file.is_writable:
            raise self.error("cannot be written: the file or its folder is read-only")
        with self._naming("written"):
            lock = WriterLock(self._file.real, wait_s)
            try:
                self._prepare_to_write(self._file)
            except BaseException:
                lock.release()
                raise
        self._lock = lock

    def write(
        self,
        *,
        records: Iterable[Record] = (),
        removed: Iterable[int] = (),
        updates: Iterable[Update] = (),
        episodes: Iterable[Episode] = (),
        meta: Mapping[str, bytes] | None = None,
        neighbours: Mapping[int, Neighbour | None] | None = None,
    ) -> None:
        """Write all changes of an episode in one transaction, or none of them."""
        meta = meta or {}

        def fill(db: sqlite3.Connection) -> None:
            write_records(db, records, removed)
            write_updates(db, updates)
            for episode in episodes:
                write_episode(db, episode)
            write_neighbours(db, neighbours or {})
            write_meta(db, meta)

        self.claim()
        with self._naming("written", also=_NOT_OURS):
            if self._is_new and self._file is not None:
                self._make(self._file, fill)
            else:
                self._change(fill)
        self._head = meta.get(HEAD_KEY, self._head)

    def error(self, problem: str) -> MemoryFileError:
        """The error that names this file."""
        return MemoryFileError(problem, path=self.path or "memory in RAM")

    # Inside

    def _db(self) -> sqlite3.Connection:
        """The connection to read from."""
        db = self._usable()
        if self._is_fixed and self._file is not None and not self._file.is_unchanged():
            raise self.error("was changed while it was read; reload() or open it again")
        return db

    def _usable(self) -> sqlite3.Connection:
        if self._connection is None:
            raise self.error("is closed; open it again")
        if self._file is not None and self._process != os.getpid():
            raise self.error(
                f"was opened by process {self._process}, before a fork; open it again in this one"
            )
        return self._connection

    def _open(self, must_exist: bool) -> None:
        assert self._file is not None
        self._is_new = not must_exist and not self._file.exists()
        if self._is_new:
            self._file.check_folder()
            self._connection = _in_ram()
            return
        self._file.recognise()
        db, self._is_fixed = self._file.open_to_read()
        version = pragma(db, "user_version")
        if version < FORMAT_VERSION:
            with closing(db):
                copy = connect(":memory:")
                db.backup(copy)
            with self._decoding():
                migrate(copy, version, HEAD_KEY)
            db, self._is_fixed = copy, False
        self._connection = db

    def _prepare_to_write(self, file: StoreFile) -> None:
        """With the lock held: the file as it was read, of the present format, in WAL mode."""
        if self._is_new:
            if file.exists():
                raise self.error("was made by another process meanwhile; open it again")
            return
        db = file.open_to_write()
        try:
            version = pragma(db, "user_version")
            self._check_head(db, version)
            if version < FORMAT_VERSION:
                with self._decoding("written"):
                    migrate(db, version, HEAD_KEY)
        except BaseException:
            db.close()
            raise
        self._usable().close()
        self._connection, self._is_fixed = db, False

    def _make(self, file: StoreFile, fill: Callable[[sqlite3.Connection], None]) -> None:
        def fill_anew(db: sqlite3.Connection) -> None:
            db.executescript(SCHEMA)
            with _transaction(db):
                write_meta(db, {IDENTITY_KEY: os.urandom(16)})
                fill(db)

        assert self._lock is not None
        self._lock.renew()
        file.make(fill_anew)
        self._usable().close()
        self._connection, self._is_new = file.open_to_write(), False

    def _change(self, fill: Callable[[sqlite3.Connection], None]) -> None:
        if self._lock is not None and self._file is not None:
            self._lock.renew()
            if not self._file.is_same():
                # At once, so that its log is not laid over the file that has the name now.
                self.close()
                raise self.error(_REPLACED)
        with _transaction(self._db()) as db:
            if self._file is not None:
                self._check_head(db, FORMAT_VERSION)
            fill(db)

    def _check_head(self, db: sqlite3.Connection, version: int) -> None:
        """Make sure that nobody has written since this store read or wrote last."""
        query = "SELECT value FROM meta WHERE key = ?"
        head = (db.execute(query, (HEAD_KEY,)).fetchone() or (None,))[0]
        known = self._head
        if version < FORMAT_VERSION:
            # What was read came from a copy that was brought up to date.
            counts = {"n_records": 0, "n_episodes": 0}
            head, known = Head.parse(head, **counts), Head.parse(known, **counts)
        if head != known:
            raise self.error(
                "cannot be written: another process has changed it since it was opened; nothing "
                "was written, reload() or open it again"
            )

    def _differing(self, query: str) -> Iterator[tuple[Any, ...]]:
        for expected, *row in self.select(query):
            if checksum(tuple(row)) != expected:
                yield tuple(row)

    @contextmanager
    def _decoding(self, doing: str = "read") -> Iterator[None]:
        """Rows that cannot be read as what they should be become a `MemoryFileError`."""
        with self._naming(doing):
            try:
                yield
            except MemoryFileError:
                raise
            except _NOT_OURS as error:
                raise self.error(f"is damaged: {error}") from error

    @contextmanager
    def _naming(self, doing: str, also: tuple[type[Exception], ...] = ()) -> Iterator[None]:
        """What goes wrong with the file inside becomes a `MemoryFileError`."""
        try:
            yield
        except MemoryFileError:
            raise
        except sqlite3.Error as error:
            raise self.error(what_is_wrong(error, doing)) from error
        except OSError as error:
            raise self.error(f"cannot be {doing}: {error.strerror or error}") from error
        except also as error:
            raise self.error(f"cannot be {doing}: {error}") from error


_REPLACED = (
    "cannot be written: another file has been put in its place, or it was removed, since it was "
    "opened; nothing was written, copy(PATH) keeps what is in RAM"
)


def _in_ram() -> sqlite3.Connection:
    db = connect(":memory:")
    db.executescript(SCHEMA)
    return db


@contextmanager
def _transaction(db: sqlite3.Connection) -> Iterator[sqlite3.Connection]:
    db.execute("BEGIN IMMEDIATE")
    try:
        yield db
        db.execute("COMMIT")
    except BaseException:
        if db.in_transaction:
            db.execute("ROLLBACK")
        raise
