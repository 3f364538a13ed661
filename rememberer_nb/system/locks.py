"""One writer of a file: a lock that ends with its process, however that ends.

The lock is the operating system's, on a file beside the other (`NAME-lock`), which says who holds
it. A process that is killed gives it up at once; its lock file stays behind and does no harm. A
child made by `fork` does not hold its parent's lock, and cannot give it up.
"""

from __future__ import annotations

import contextlib
import os
import socket
import sys
import time
import weakref
from pathlib import Path

from rememberer_nb.errors import MemoryFileError

_POLL_S = 0.05

if sys.platform == "win32":  # pragma: no cover
    import msvcrt

    def _try_lock(file: int) -> None:
        msvcrt.locking(file, msvcrt.LK_NBLCK, 1)

else:
    import fcntl

    def _try_lock(file: int) -> None:
        # Not the kind of lock that SQLite takes: that one goes when any handle is closed.
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


_held: weakref.WeakSet[WriterLock] = weakref.WeakSet()


class WriterLock:
    """The right to write a memory file, held until `release`.

    Parameters
    ----------
    path : the file, a memory most of the time; two names of one file are one lock.
    wait_s : how long to wait for another writer to finish.

    Raises
    ------
    MemoryFileError
        Another writer holds it, or the lock file cannot be made.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     lock = WriterLock(Path(folder, "memory.sqlite"))
    ...     lock.release()
    """

    def __init__(self, path: Path, wait_s: float = 0.0):
        self.path = path
        try:
            target = path.resolve()
        except (OSError, RuntimeError) as error:
            raise MemoryFileError("is a symbolic link that leads nowhere", path=path) from error
        self._lock_path = target.with_name(target.name + "-lock")
        self._file: int | None = None
        deadline = time.monotonic() + wait_s
        while not self._acquire():
            if time.monotonic() >= deadline:
                raise MemoryFileError(
                    f"cannot be written: {self._holder()} is writing it; open it read-only to "
                    "look, or give this run a file of its own and merge them later",
                    path=path,
                )
            time.sleep(_POLL_S)
        self._name_holder()
        _held.add(self)

    def renew(self) -> None:
        """Make sure that it is held still: its file may have been deleted meanwhile.

        Raises `MemoryFileError` if another one has become the writer since.
        """
        if self._file is not None and self._is_current(self._file):
            return
        self.release()
        if not self._acquire():
            raise MemoryFileError(
                f"cannot be written: its lock file was deleted, and {self._holder()} is writing it "
                "now",
                path=self.path,
            )
        self._name_holder()

    def release(self) -> None:
        """Let others write."""
        if self._file is None:
            return
        file, self._file = self._file, None
        # Removed while it is held; who waits for the old file sees that it is gone.
        if self._is_current(file):
            with contextlib.suppress(OSError):
                self._lock_path.unlink()
        os.close(file)

    def leave_to_parent(self) -> None:
        """In a forked child: the parent holds the lock, and nobody once the parent is gone."""
        if self._file is not None:
            os.close(self._file)
            self._file = None

    def __del__(self) -> None:
        if getattr(self, "_file", None) is not None:
            self.release()

    def _acquire(self) -> bool:
        while True:
            file = os.open(self._lock_path, os.O_RDWR | os.O_CREAT, 0o644)
            try:
                _try_lock(file)
            except OSError:
                os.close(file)
                return False
            if self._is_current(file):
                self._file = file
                return True
            os.close(file)

    def _is_current(self, file: int) -> bool:
        # The last holder may have removed the file between our opening and our locking it.
        try:
            return os.path.samestat(os.fstat(file), self._lock_path.stat())
        except FileNotFoundError:
            return False

    def _name_holder(self) -> None:
        assert self._file is not None
        # Who holds it is for people only: a full disk must not stop the lock.
        with contextlib.suppress(OSError):
            os.ftruncate(self._file, 0)
            os.write(self._file, f"process {os.getpid()} on {socket.gethostname()}".encode())

    def _holder(self) -> str:
        try:
            return self._lock_path.read_text(encoding="utf-8") or "another process"
        except (OSError, UnicodeDecodeError):
            return "another process"


def _leave_all_to_parent() -> None:
    for lock in list(_held):
        lock.leave_to_parent()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_leave_all_to_parent)
