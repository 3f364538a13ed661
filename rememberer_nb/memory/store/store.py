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

import os
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path

import numpy as np

from rememberer_nb.elements import Episode, Record, Update
from rememberer_nb.memory.eviction import Neighbour
from rememberer_nb.memory.store.episodes import write_episode
from rememberer_nb.memory.store.file import (
    StoreFile,
    abandon,
    closed_on_failure,
    open_sqlite,
    pragma,
    transaction,
)
from rememberer_nb.memory.store.format import (
    FORMAT_VERSION,
    SCHEMA,
    write_meta,
    write_neighbours,
    write_records,
    write_updates,
)
from rememberer_nb.memory.store.head import HEAD_KEY, IDENTITY_KEY, Head
from rememberer_nb.memory.store.migration import migrate
from rememberer_nb.memory.store.rows import NOT_OURS, StoredRows
from rememberer_nb.memory.store.vectors import write_vectors
from rememberer_nb.retrieval.vectors import Key
from rememberer_nb.system.locks import WriterLock


class Store(StoredRows):
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
        super().__init__(None if path is None else Path(path))
        self.read_only = read_only
        self._process = os.getpid()
        self._lock: WriterLock | None = None
        self._head: bytes | None = None
        self._file: StoreFile | None = None
        # Of a file: whether there is none yet, and whether it is taken for unchanging.
        self._is_new = self._is_fixed = False
        # Of a file that is being made: what it will be known by.
        self._making: bytes | None = None
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
                if not is_old and self.get_meta(HEAD_KEY) == self._head:
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
        vectors: Mapping[Key, np.ndarray] | None = None,
    ) -> None:
        """Write all changes of an episode in one transaction, or none of them."""
        meta = meta or {}

        def fill(db: sqlite3.Connection) -> None:
            write_records(db, records, removed)
            write_updates(db, updates)
            for episode in episodes:
                write_episode(db, episode)
            write_neighbours(db, neighbours or {})
            write_vectors(db, vectors or {})
            write_meta(db, meta)

        self.claim()
        with self._naming("written", also=NOT_OURS):
            if self._is_new and self._file is not None:
                self._make(self._file, fill)
            else:
                self._change(fill)
        self._head = meta.get(HEAD_KEY, self._head)

    # Inside

    def _db(self) -> sqlite3.Connection:
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
        if self._making is not None and self._file is not None and self._file.exists():
            self._take_up(self._file)
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
                copy = open_sqlite(":memory:")
                db.backup(copy)
            with self._decoding():
                migrate(copy, version, is_kept=False)
            db, self._is_fixed = copy, False
        self._connection = db

    def _prepare_to_write(self, file: StoreFile) -> None:
        """With the lock held: the file as it was read, of the present format, in WAL mode."""
        if self._is_new:
            if file.exists():
                raise self.error("was made by another process meanwhile; open it again")
            return
        db = file.open_to_write()
        with closed_on_failure(db):
            version = pragma(db, "user_version")
            self._check_head(db, version)
            if version < FORMAT_VERSION:
                with self._decoding("written"):
                    migrate(db, version, is_kept=True)
        self._usable().close()
        self._connection, self._is_fixed = db, False

    def _make(self, file: StoreFile, fill: Callable[[sqlite3.Connection], None]) -> None:
        identity = os.urandom(16)

        def fill_anew(db: sqlite3.Connection) -> None:
            db.executescript(SCHEMA)
            with transaction(db):
                write_meta(db, {IDENTITY_KEY: identity})
                fill(db)

        assert self._lock is not None
        self._lock.renew()
        self._making = identity
        file.make(fill_anew)
        self._go_on_with(file)

    def _take_up(self, file: StoreFile) -> None:
        """Ctrl-C can come just after the file was made: it is this store's all the same."""
        if self._lock is not None and file.identity() == self._making:
            self._go_on_with(file)
            self._head = self.get_meta(HEAD_KEY)

    def _go_on_with(self, file: StoreFile) -> None:
        """Leave the tables in RAM for the file that this store has made."""
        in_ram, self._connection = self._connection, file.open_to_write()
        self._is_new, self._making = False, None
        if in_ram is not None:
            in_ram.close()

    def _change(self, fill: Callable[[sqlite3.Connection], None]) -> None:
        if self._lock is not None and self._file is not None:
            self._lock.renew()
            if not self._file.is_same():
                # At once, so that its log is not laid over the file that has the name now.
                self.close()
                raise self.error(_REPLACED)
        with transaction(self._db()) as db:
            if self._file is not None:
                self._check_head(db, FORMAT_VERSION)
            fill(db)

    def _check_head(self, db: sqlite3.Connection, version: int) -> None:
        """Make sure that nobody has written since this store read or wrote last."""
        query = "SELECT value FROM meta WHERE key = ?"
        head = (db.execute(query, (HEAD_KEY,)).fetchone() or (None,))[0]
        is_same = head == self._head
        if version < FORMAT_VERSION:
            # What was read came from a copy that was brought up to date.
            counts = {"n_records": 0, "n_episodes": 0}
            is_same = Head.parse(head, **counts) == Head.parse(self._head, **counts)
        if not is_same:
            raise self.error(
                "cannot be written: another process has changed it since it was opened; nothing "
                "was written, reload() or open it again"
            )


_REPLACED = (
    "cannot be written: another file has been put in its place, or it was removed, since it was "
    "opened; nothing was written, copy(PATH) keeps what is in RAM"
)


def _in_ram() -> sqlite3.Connection:
    db = open_sqlite(":memory:")
    db.executescript(SCHEMA)
    return db
