"""One writer of a file: a lock that ends with its process, however that ends.

The lock is the operating system's, on a file beside the other (`NAME-lock`), which says who holds
it. `filelock` takes it; the holder's name, a lock that is renewed when its file was deleted, and
the file's end are ours. A process that is killed gives it up at once; its lock file stays behind
and does no harm. A child made by `fork` does not hold its parent's lock, and cannot give it up.
"""

from __future__ import annotations

import contextlib
import os
import socket
from functools import partial
from pathlib import Path

from filelock import FileLock, Timeout

from rememberer_nb.errors import MemoryFileError

_POLL_S = 0.05


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
        self._seen: list[os.stat_result] = []
        # Whichever thread closes the memory gives the lock up. Nothing refers back to this object:
        # one that is dropped gives it up at once.
        note = partial(_note_holder, self._seen)
        self._lock = FileLock(
            self._lock_path, thread_local=False, fallback_to_soft=False, on_acquired=note
        )
        if not self._acquire(wait_s):
            raise MemoryFileError(
                f"cannot be written: {self._holder()} is writing it; open it read-only to "
                "look, or give this run a file of its own and merge them later",
                path=path,
            )

    def renew(self) -> None:
        """Make sure that it is held still: its file may have been deleted meanwhile.

        Raises `MemoryFileError` if another one has become the writer since.
        """
        if self._lock.is_locked and self._is_current():
            return
        self.release()
        if not self._acquire(0.0):
            raise MemoryFileError(
                f"cannot be written: its lock file was deleted, and {self._holder()} is writing it "
                "now",
                path=self.path,
            )

    def release(self) -> None:
        """Let others write."""
        if not self._lock.is_locked:
            return
        # Removed while it is held; who waits for the old file sees that it is gone.
        if self._is_current():
            with contextlib.suppress(OSError):
                self._lock_path.unlink()
        self._lock.release()

    def _acquire(self, wait_s: float) -> bool:
        try:
            self._lock.acquire(timeout=wait_s, poll_interval=_POLL_S)
        except (Timeout, RuntimeError):
            # The second: a child made by `fork` asks for its parent's lock.
            return False
        return True

    def _is_current(self) -> bool:
        # The file may have been deleted meanwhile, and made anew by another writer.
        try:
            return os.path.samestat(self._seen[0], self._lock_path.stat())
        except FileNotFoundError:
            return False

    def _holder(self) -> str:
        try:
            return self._lock_path.read_text(encoding="utf-8") or "another process"
        except (OSError, UnicodeDecodeError):
            return "another process"


def _note_holder(seen: list[os.stat_result], file: int) -> None:
    seen[:] = [os.fstat(file)]
    # Who holds it is for people only: a full disk must not stop the lock.
    with contextlib.suppress(OSError):
        os.ftruncate(file, 0)
        os.write(file, f"process {os.getpid()} on {socket.gethostname()}".encode())
