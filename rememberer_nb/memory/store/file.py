"""The file of a memory on disk: found, recognised, opened, made; what it holds is not looked at.

A reader sees the last commit also while a writer works, and after one was killed: what is committed
may still lie in the log beside the file (`NAME-wal`), and the file alone be half written. So it is
looked at together with the log wherever there is one.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Protocol

from rememberer_nb.errors import MemoryFileError
from rememberer_nb.memory.store.format import APPLICATION_ID, FORMAT_VERSION
from rememberer_nb.memory.store.head import IDENTITY_KEY

_SQLITE_HEADER = b"SQLite format 3\x00"
_HEADER_SIZE = 100
# What the system or another process is the cause of; anything else is wrong with the file itself.
_PASSING = {
    sqlite3.SQLITE_BUSY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_FULL, sqlite3.SQLITE_INTERRUPT,
    sqlite3.SQLITE_IOERR, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_NOMEM, sqlite3.SQLITE_PERM,
    sqlite3.SQLITE_PROTOCOL, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_TOOBIG,
}  # fmt: skip


class Closable(Protocol):
    """Something to close: a connection, a store, a memory."""

    def close(self) -> object:
        """Let go of it."""
        ...


class StoreFile:
    """One memory file, under its name.

    Parameters
    ----------
    path : the name; a symbolic link is followed, also one to a file that is not there yet.
    """

    def __init__(self, path: str | Path):
        self.path = Path(path)
        try:
            self.real = self.path.resolve()
        except (OSError, RuntimeError) as error:
            raise self.error("is a symbolic link that leads nowhere") from error
        self._stat: os.stat_result | None = None

    @property
    def log(self) -> Path:
        """Where commits wait until they are written to the file itself."""
        return self.real.with_name(self.real.name + "-wal")

    @property
    def has_log(self) -> bool:
        """Whether something waits there."""
        with contextlib.suppress(FileNotFoundError):
            return self.log.stat().st_size > 0
        return False

    @property
    def is_writable(self) -> bool:
        """Whether file and folder may be written."""
        return os.access(self.real, os.W_OK) and os.access(self.real.parent, os.W_OK)

    def identity(self) -> bytes | None:
        """What the file is known by, None if it says nothing of it."""
        with closing(open_sqlite(self.real, "mode=ro")) as db:
            return _identity_or_none(db)

    def exists(self) -> bool:
        """Whether there is something under the name."""
        return os.path.lexists(self.real)

    def is_same(self) -> bool:
        """Whether the name still stands for the file that was opened last."""
        try:
            return self._stat is not None and os.path.samestat(self._stat, self.real.stat())
        except OSError:
            return False

    def is_unchanged(self) -> bool:
        """Whether the file itself is as it was when it was opened last."""
        then = self._stat
        if then is None or not self.is_same():
            return False
        now = self.real.stat()
        return (now.st_mtime_ns, now.st_size) == (then.st_mtime_ns, then.st_size)

    def error(self, problem: str) -> MemoryFileError:
        """The error that names this file."""
        return MemoryFileError(problem, path=self.path)

    # Opening

    def recognise(self) -> None:
        """Make sure that it is a memory of a format that can be read; nothing is changed."""
        if not self.exists():
            raise self.error("no such memory file")
        if not self.real.is_file():
            raise self.error("is not a file; expected a memory file")
        size = self.real.stat().st_size
        if size < _HEADER_SIZE:
            if size and _SQLITE_HEADER.startswith(self.real.read_bytes()[:16]):
                raise self.error("is damaged: cut off within its first bytes; nothing was changed")
            raise self.error("is not a memory file (not a SQLite database); nothing was changed")
        try:
            with closing(self._look()) as db:
                self.check_head(db)
        except sqlite3.Error as error:
            raise self.error(what_is_wrong(error) + "; nothing was changed") from error

    def open_to_read(self) -> tuple[sqlite3.Connection, bool]:
        """A connection, and whether it takes the file for unchanging.

        It does where the file or its folder is read-only and no log is there: SQLite could not
        make its own files beside it.
        """
        self._check_log()
        self._stat = self.real.stat()
        is_fixed = not self.is_writable and not self.has_log
        if self.is_writable:
            db = open_sqlite(self.real)
        else:
            db = open_sqlite(self.real, "immutable=1" if is_fixed else "mode=ro")
        with closed_on_failure(db):
            self.check_head(db)
        return db, is_fixed

    def open_to_write(self) -> sqlite3.Connection:
        """A connection in WAL mode, to the file that is there now."""
        self._check_log()
        self._stat = self.real.stat()
        db = open_sqlite(self.real)
        with closed_on_failure(db):
            self.check_head(db)
            db.execute("PRAGMA journal_mode = WAL")
        return db

    def make(self, fill: Callable[[sqlite3.Connection], None]) -> None:
        """A new file of what `fill` writes: under its name it is whole, or it is not there."""
        beside = self.real.with_name(f".{self.real.name}.new")
        try:
            _remove(beside)
            with closing(open_sqlite(beside)) as db:
                fill(db)
            if self.exists():
                raise self.error("was made by another process meanwhile; nothing was written")
            beside.rename(self.real)
            _sync_folder(self.real.parent)
        finally:
            _remove(beside)

    def remove_log(self) -> None:
        """For the writer of a file that has lost its name to another one: its log goes with it."""
        for ending in ("-wal", "-shm"):
            self.real.with_name(self.real.name + ending).unlink(missing_ok=True)

    def check_folder(self) -> None:
        """Make sure that a file can be made."""
        folder = self.real.parent
        if not folder.is_dir():
            raise self.error(f"the folder {folder} does not exist")
        if not os.access(folder, os.W_OK):
            raise self.error(f"cannot be made: the folder {folder} is read-only")
        longest = os.pathconf(folder, "PC_NAME_MAX") if hasattr(os, "pathconf") else 255
        if len(os.fsencode(self.real.name)) > longest:
            raise self.error(f"cannot be made: its name is longer than {longest} bytes")

    def check_head(self, db: sqlite3.Connection) -> None:
        """Make sure that a connection leads to a memory of a format that can be read."""
        application, version = pragma(db, "application_id"), pragma(db, "user_version")
        if application != APPLICATION_ID:
            raise self.error("is a SQLite database but not a memory; nothing was changed")
        if version > FORMAT_VERSION:
            raise self.error(
                f"has format {version}, newer than {FORMAT_VERSION}, the newest that this version "
                "reads: upgrade rememberer-nb; nothing was changed"
            )
        if version < 1:
            raise self.error("is damaged: it has no format; nothing was changed")

    def _look(self) -> sqlite3.Connection:
        """A connection that leaves file and folder as they are, if that can be had."""
        while not self.has_log:
            before = self.real.stat()
            db = open_sqlite(self.real, "immutable=1")
            try:
                pragma(db, "user_version")
                return db
            except sqlite3.DatabaseError:
                db.close()
                after = self.real.stat()
                if before.st_mtime_ns == after.st_mtime_ns and not self.has_log:
                    raise
                # A writer has begun to move its log into the file, or has just done so.
        return open_sqlite(self.real, "mode=ro")

    def _check_log(self) -> None:
        """Refuse a log that was left by another file of the same name.

        SQLite would lay its pages over this file's, and write them there when a connection that may
        write is closed. Reading the file without the log can fail while a writer moves the one into
        the other; then the log is this file's.
        """
        if not self.has_log:
            return
        with closing(open_sqlite(self.real, "mode=ro")) as db:
            with_log = _identity_or_none(db)
        with closing(open_sqlite(self.real, "immutable=1")) as db:
            without = _identity_or_none(db)
        if without not in (None, with_log):
            raise self.error(
                f"the log beside it, {self.log.name}, belongs to another memory: this file was put "
                "in the place of one that was being written. End that process, or remove the log "
                "if there is none, and open it again; nothing was changed"
            )


def open_sqlite(path: str | Path, options: str = "") -> sqlite3.Connection:
    """To a file, or to a database in RAM (":memory:").

    Transactions are begun and ended by the caller, never by the module on its own account.
    """
    if path == ":memory:":
        return sqlite3.connect(path, isolation_level=None)
    name = Path(path).absolute().as_uri() + (f"?{options}" if options else "")
    return sqlite3.connect(name, uri=True, isolation_level=None)


@contextmanager
def transaction(db: sqlite3.Connection) -> Iterator[sqlite3.Connection]:
    """All that is written inside, or nothing of it."""
    db.execute("BEGIN IMMEDIATE")
    try:
        yield db
        db.execute("COMMIT")
    except BaseException:
        if db.in_transaction:
            db.execute("ROLLBACK")
        raise


@contextmanager
def closed_on_failure(opened: Closable) -> Iterator[None]:
    """What fails inside (Ctrl-C, too) leaves nothing open."""
    try:
        yield
    except BaseException:
        opened.close()
        raise


def abandon(db: sqlite3.Connection) -> None:
    """Never close a connection that a fork has copied, not even at the end of the process.

    SQLite would take this process for the last user of the file.
    """
    ctypes.pythonapi.Py_IncRef(ctypes.py_object(db))


def pragma(db: sqlite3.Connection, name: str) -> int:
    """The value of a pragma that is a number."""
    return int(db.execute(f"PRAGMA {name}").fetchone()[0])


def read_identity(db: sqlite3.Connection) -> bytes | None:
    """What tells this memory's file from every other; None in files of the first formats."""
    row = db.execute("SELECT value FROM meta WHERE key = ?", (IDENTITY_KEY,)).fetchone()
    return None if row is None else bytes(row[0])


def _identity_or_none(db: sqlite3.Connection) -> bytes | None:
    try:
        return read_identity(db)
    except sqlite3.DatabaseError as error:
        if _is_passing(error):
            raise
        return None


def what_is_wrong(error: sqlite3.Error, doing: str = "read") -> str:
    """What an error of SQLite says of the file, for people."""
    if getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_NOTADB:
        return "is not a memory file (not a SQLite database)"
    return f"cannot be {doing}: {error}" if _is_passing(error) else f"is damaged: {error}"


def _is_passing(error: sqlite3.Error) -> bool:
    # The lowest byte of a code is its kind.
    return getattr(error, "sqlite_errorcode", 0) & 0xFF in _PASSING


def _remove(path: Path) -> None:
    """A file under way, and what SQLite has put beside it."""
    for ending in ("", "-journal", "-wal", "-shm"):
        path.with_name(path.name + ending).unlink(missing_ok=True)


def _sync_folder(folder: Path) -> None:
    # So that the name is there after a power cut, too; not every system can.
    with contextlib.suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
