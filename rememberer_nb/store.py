"""One SQLite file per memory: records, action values, the update log, episodes.

A memory keeps its records in RAM and hands the store what changed, in one transaction at the end
of each episode, so a reader never sees half an episode. `Store(None)` keeps the same tables in
RAM. Nothing is written to a file that is not a memory of a known format, and nothing is written by
reading one: an older format is brought up to date in RAM, in the file when it is first written to.

Any number of readers and one writer: the first write makes a store the writer (`claim`) until it is
closed; another one is told so.
"""

from __future__ import annotations

import json
import os
import sqlite3
import zlib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path

from rememberer_nb.elements import Episode, Record, Update
from rememberer_nb.errors import DataError, MemoryFileError
from rememberer_nb.eviction import Neighbour
from rememberer_nb.locks import WriterLock
from rememberer_nb.store_format import (
    APPLICATION_ID,
    FORMAT_VERSION,
    SCHEMA,
    UPDATE_COLUMNS,
    as_cell,
    insert_uses,
    marks,
    migrate,
    read_episode,
    read_records,
    read_update,
    update_row,
    write_episode,
    write_neighbours,
    write_records,
)

# What files and their contents raise: damaged rows surface as any of the last four.
_FILE_ERRORS = (sqlite3.Error, zlib.error, OSError, DataError, ValueError, TypeError, LookupError)

_SQLITE_HEADER = b"SQLite format 3\x00"
_HEADER_SIZE = 100
# What a commit raises its count in; another count than the one read is another writer's work.
GENERATION_KEY = "memory"


class Store:
    """The tables behind a memory.

    Parameters
    ----------
    path : the file, made if it does not exist; None keeps everything in RAM.
    must_exist : raise instead of making a new file.
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
        self._lock: WriterLock | None = None
        self._generation: bytes | None = None
        with self.naming_the_file("cannot be opened as a memory"):
            if self.path is None:
                self._db = _connect(":memory:")
                self._db.executescript(SCHEMA)
                return
            self._find(must_exist or read_only)
            self._db = self._open()

    def close(self) -> None:
        """Close the file; what was committed stays."""
        self._db.close()
        if self._lock is not None:
            self._lock.release()
            self._lock = None

    def reopen(self) -> None:
        """See what others have committed since; of no effect in RAM or for the writer."""
        if self.path is not None and self._lock is None:
            self._db.close()
            with self.naming_the_file("cannot be opened as a memory"):
                self._find(must_exist=True)
                self._db = self._open()

    # Reading

    @contextmanager
    def reading(self) -> Iterator[None]:
        """Everything read inside belongs to one commit."""
        with self.naming_the_file("is damaged"):
            self._db.execute("BEGIN")
            try:
                row = self._db.execute("SELECT value FROM meta WHERE key = ?", (GENERATION_KEY,))
                self._generation = (row.fetchone() or (None,))[0]
                yield
            finally:
                if self._db.in_transaction:
                    self._db.execute("COMMIT")

    def load_records(self) -> Iterator[Record]:
        """All records in insertion order."""
        with self.naming_the_file("is damaged"):
            yield from read_records(self._db)

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
        with self.naming_the_file("is damaged"):
            for row in self._db.execute(query + " ORDER BY update_id", wanted):
                yield read_update(row)

    def load_episodes(self, after: int = 0, before: int | None = None) -> Iterator[Episode]:
        """The episodes in the order in which they were learnt from; their numbers count from 1.

        `after` and `before` leave out the episodes up to and from those numbers.
        """
        end = 2**62 if before is None else before
        query = "SELECT data FROM episodes WHERE number > ? AND number < ? ORDER BY number"
        with self.naming_the_file("is damaged"):
            for (data,) in self._db.execute(query, (after, end)):
                yield read_episode(data)

    def load_uses(self, record_id: int) -> list[tuple[int, int, int, float, bool]]:
        """Where a record was looked at: (episode number, step, rank, total, whether shown)."""
        query = 'SELECT number, step, "rank", total, is_shown FROM uses WHERE record_id = ?'
        with self.naming_the_file("is damaged"):
            rows = self._db.execute(query + " ORDER BY number, step", (record_id,)).fetchall()
        return [(*row[:4], bool(row[4])) for row in rows]

    def load_neighbours(self) -> dict[int, Neighbour]:
        """What eviction by redundancy knows."""
        with self.naming_the_file("is damaged"):
            rows = self._db.execute("SELECT record_id, similarity, other FROM neighbours")
            return {record_id: (similarity, other) for record_id, similarity, other in rows}

    def count(self, table: str) -> int:
        """Rows in one of the tables "records", "action_values", "updates", "episodes"."""
        with self.naming_the_file("is damaged"):
            return int(self._db.execute(f"SELECT COUNT(*) FROM {table}").fetchone()[0])

    def get_meta(self, key: str) -> bytes | None:
        """A stored value, or None."""
        with self.naming_the_file("is damaged"):
            row = self._db.execute("SELECT value FROM meta WHERE key = ?", (key,)).fetchone()
        return None if row is None else bytes(row[0])

    def damages(self) -> list[str]:
        """What SQLite finds wrong with the file itself."""
        try:
            rows = self._db.execute("PRAGMA integrity_check").fetchall()
        except sqlite3.Error as error:
            return [str(error)]
        return [line for (line,) in rows if line != "ok"]

    def orphans(self) -> list[int]:
        """Record ids that action values refer to in vain."""
        query = "SELECT DISTINCT record_id FROM action_values WHERE record_id NOT IN "
        with self.naming_the_file("is damaged"):
            rows = self._db.execute(query + "(SELECT record_id FROM records)").fetchall()
        return [record_id for (record_id,) in rows]

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
        if self.path is None or self._lock is not None:
            return
        if self.read_only:
            raise self.error("cannot be written: it was opened for reading only")
        if not _is_writable(self.path):
            raise self.error("cannot be written: the file or its folder is read-only")
        with self.naming_the_file("cannot be written"):
            lock = WriterLock(self.path, wait_s)
            try:
                self._prepare_to_write()
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
        self.claim()
        with self.naming_the_file("cannot be written"), self._transaction() as db:
            write_records(db, records, removed)
            db.executemany(
                f"INSERT INTO updates ({UPDATE_COLUMNS}) VALUES ({marks(17)})",
                [update_row(update) for update in updates],
            )
            for episode in episodes:
                row = (as_cell(episode.episode_id), write_episode(episode))
                new = db.execute("INSERT INTO episodes (episode_id, data) VALUES (?, ?)", row)
                assert new.lastrowid is not None
                insert_uses(db, new.lastrowid, episode)
            write_neighbours(db, neighbours or {})
            db.executemany("INSERT OR REPLACE INTO meta (key, value) VALUES (?, ?)", meta.items())
        self._generation = meta.get(GENERATION_KEY, self._generation)

    @contextmanager
    def naming_the_file(self, problem: str) -> Iterator[None]:
        """What goes wrong inside with the file or its contents becomes a `MemoryFileError`."""
        try:
            yield
        except MemoryFileError:
            raise
        except _FILE_ERRORS as error:
            raise self.error(f"{problem}: {error}") from error

    def error(self, problem: str) -> MemoryFileError:
        """The error that names this file."""
        return MemoryFileError(problem, path=self.path or "memory in RAM")

    # Inside

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield self._db
            self._db.execute("COMMIT")
        except BaseException:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            raise

    def _find(self, must_exist: bool) -> None:
        """Make sure that there is a memory of a format that can be read; make it if it may be."""
        assert self.path is not None
        if not self.path.exists():
            if must_exist:
                raise self.error("no such memory file")
            self._create()
        if not self.path.is_file():
            raise self.error("is not a file; expected a memory file")
        size = self.path.stat().st_size
        if size < _HEADER_SIZE:
            is_ours = size and _SQLITE_HEADER.startswith(self.path.read_bytes()[:16])
            if is_ours:
                raise self.error("is damaged: cut off within its first bytes; nothing was changed")
            raise self.error("is not a memory file (not a SQLite database); nothing was changed")
        try:
            with closing(_connect(self.path, "immutable=1")) as db:
                self._check_head(db)
        except sqlite3.DatabaseError as error:
            raise self.error(_what_is_wrong(error)) from error

    def _check_head(self, db: sqlite3.Connection) -> None:
        application, version = _pragma(db, "application_id"), _pragma(db, "user_version")
        if application != APPLICATION_ID:
            raise self.error("is a SQLite database but not a memory; nothing was changed")
        if version > FORMAT_VERSION:
            raise self.error(
                f"has format {version}, newer than {FORMAT_VERSION}, the newest that this version "
                "reads: upgrade rememberer-nb; nothing was changed"
            )
        if version < 1:
            raise self.error("is damaged: it has no format; nothing was changed")

    def _create(self) -> None:
        assert self.path is not None
        if not self.path.parent.is_dir():
            raise self.error(f"the folder {self.path.parent} does not exist")
        if not os.access(self.path.parent, os.W_OK):
            raise self.error(f"cannot be made: the folder {self.path.parent} is read-only")
        lock = WriterLock(self.path, wait_s=1.0)
        beside = self.path.with_name(f".{self.path.name}.new")
        try:
            # Made beside and renamed when whole: a file under its name is always a memory.
            for old in (beside, beside.with_name(beside.name + "-journal")):
                old.unlink(missing_ok=True)
            with closing(_connect(beside)) as db:
                db.executescript(SCHEMA)
                db.execute("PRAGMA journal_mode = WAL")
            if not self.path.exists():
                beside.rename(self.path)
        finally:
            beside.unlink(missing_ok=True)
            lock.release()

    def _open(self) -> sqlite3.Connection:
        assert self.path is not None
        if _is_writable(self.path):
            db = _connect(self.path)
        else:
            # Nobody has written since the last checkpoint, or else SQLite has to look at the log.
            log = self.path.with_name(self.path.name + "-wal")
            has_log = log.exists() and log.stat().st_size > 0
            db = _connect(self.path, "mode=ro" if has_log else "immutable=1")
        try:
            self._check_head(db)
            version = _pragma(db, "user_version")
            if version == FORMAT_VERSION:
                return db
            with closing(db):
                copy = _connect(":memory:")
                db.backup(copy)
            migrate(copy, version)
            return copy
        except BaseException:
            db.close()
            raise

    def _prepare_to_write(self) -> None:
        """With the lock held: the file as it is now, of the present format, in WAL mode."""
        assert self.path is not None
        db = _connect(self.path)
        try:
            self._check_head(db)
            query = "SELECT value FROM meta WHERE key = ?"
            if (db.execute(query, (GENERATION_KEY,)).fetchone() or (None,))[0] != self._generation:
                raise self.error(
                    "cannot be written: another process has changed it since it was opened; "
                    "nothing was written, reload() or open it again"
                )
            version = _pragma(db, "user_version")
            if version < FORMAT_VERSION:
                migrate(db, version)
            db.execute("PRAGMA journal_mode = WAL")
        except BaseException:
            db.close()
            raise
        self._db.close()
        self._db = db


def stored_n_tables(path: str | Path) -> int:
    """How many values per action a memory file keeps: 1 or 2. Raises as `Store` does."""
    with closing(Store(path, read_only=True)) as store:
        meta = store.get_meta(GENERATION_KEY)
        with store.naming_the_file("is damaged"):
            return 1 if meta is None else int(json.loads(meta)["n_tables"])


def is_unused(path: str | Path) -> bool:
    """Whether a file is a memory to which nothing was ever committed."""
    try:
        with closing(Store(path, read_only=True)) as store:
            return store.get_meta(GENERATION_KEY) is None
    except MemoryFileError:
        return False


def _connect(path: str | Path, options: str = "") -> sqlite3.Connection:
    # Transactions are begun and ended here, never by the module on its own account.
    if path == ":memory:":
        return sqlite3.connect(path, isolation_level=None)
    name = Path(path).absolute().as_uri() + (f"?{options}" if options else "")
    return sqlite3.connect(name, uri=True, isolation_level=None)


def _pragma(db: sqlite3.Connection, name: str) -> int:
    return int(db.execute(f"PRAGMA {name}").fetchone()[0])


def _is_writable(path: Path) -> bool:
    return os.access(path, os.W_OK) and os.access(path.resolve().parent, os.W_OK)


def _what_is_wrong(error: sqlite3.DatabaseError) -> str:
    if "not a database" in str(error):
        return "is not a memory file (not a SQLite database); nothing was changed"
    return f"is damaged: {error}; nothing was changed"
