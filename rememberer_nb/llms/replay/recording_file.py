"""The file that calls are recorded in: one writer, whole lines, kept once they are written.

A line that could not be written whole, in this run or in an earlier one, is cut off again. Another
process that would record to the file is refused (`locks`); recorders of one process share it.
"""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rememberer_nb.errors import DataError, MemoryFileError
from rememberer_nb.llms.replay.recording import (
    BZIP2,
    Call,
    Recording,
    call_line,
    check_settings,
    header_line,
    read_recorded_bytes,
    read_recording,
    scored_line,
)
from rememberer_nb.llms.replay.scored import Scored
from rememberer_nb.system.locks import WriterLock


class RecordingFile:
    """A recording that is being written; `open_recording` makes it.

    Parameters
    ----------
    path : the file; made if there is none.
    settings : of the LLM; they must be those of the file.

    Raises
    ------
    DataError : it is no recording, or one with other settings, cannot be written, or another
        process is recording to it.
    """

    def __init__(self, path: Path, settings: Mapping[str, Any]):
        self.path = path
        # Also when the process goes to another folder.
        self.real = _real(path)
        self.n_users = 0
        self._lock = threading.Lock()
        self._writer = self._locked()
        try:
            self._recording, self._stamp = self._begin(settings)
        except DataError:
            self._writer.release()
            raise

    def find(self, key: str) -> Call | None:
        """The call of a request, if it was kept."""
        return self._recording.calls.get(key)

    def keep(self, key: str, call: Call) -> Call:
        """Write a call, and then count it as kept; returns the call that is kept.

        Of two that ask the same at the same time both get the first reply, as in a replay.
        """
        with self._lock:
            known = self.find(key)
            if known is not None and known.error is None:
                return known
            self._stamp = self._append(call_line(key, call), self._stamp)
            self._recording.calls[key] = call
        return call

    def find_scored(self, key: str) -> Scored | None:
        """What was scored or written, if it was kept."""
        return self._recording.scored.get(key)

    def keep_scored(self, key: str, value: Scored) -> Scored:
        """As `keep`, for what was scored or written."""
        with self._lock:
            known = self.find_scored(key)
            if known is not None:
                return known
            self._stamp = self._append(scored_line(key, value), self._stamp)
            self._recording.scored[key] = value
        return value

    def check(self, settings: Mapping[str, Any]) -> None:
        """Raise `DataError` unless the file was recorded with these settings."""
        check_settings(self._recording.settings, settings, self.path)

    def is_current(self) -> bool:
        """Whether the file is as it was left."""
        with contextlib.suppress(OSError):
            return _stamp(self.real) == self._stamp
        return False

    def release(self) -> None:
        """Let others write; nothing more can be kept."""
        with self._lock:
            self._stamp = ()
            self._writer.release()

    def _locked(self) -> WriterLock:
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with contextlib.suppress(FileNotFoundError):
                # A link that leads to itself has no real path to lock.
                self.path.stat()
            return WriterLock(self.real)
        except MemoryFileError:
            problem = "cannot be written: another process is recording to it; take another file"
            raise DataError(problem, path=self.path) from None
        except OSError as error:
            raise self._unwritable(error) from None

    def _begin(self, settings: Mapping[str, Any]) -> tuple[Recording, tuple[int, ...]]:
        header = header_line(settings)
        try:
            if not self.path.exists():
                self.path.touch()
            content = read_recorded_bytes(self.path)
            if content.startswith(BZIP2):
                problem = "is compressed: it can be replayed, but not added to; unpack it first"
                raise DataError(problem, path=self.path)
            if len(content) < len(header) and header.encode().startswith(content):
                # New, or its writer came to its end within the first line.
                os.truncate(self.real, 0)
                stamp = self._append(header, _stamp(self.real))
                return Recording(dict(settings)), stamp
            self._recording = read_recording(self.path)
            self.check(settings)
            if self._recording.size < len(content):
                os.truncate(self.real, self._recording.size)
            return self._recording, _stamp(self.real)
        except OSError as error:
            raise self._unwritable(error) from None

    def _append(self, line: str, stamp: tuple[int, ...]) -> tuple[int, ...]:
        """Add a line to the file as it was left, all of it or nothing; returns its new stamp."""
        data, n_written = line.encode("ascii"), 0
        try:
            if _stamp(self.real) != stamp:
                problem = "cannot be written: it was changed since, or has another writer by now"
                raise DataError(problem, path=self.path)
            try:
                with self.real.open("ab", buffering=0) as file:
                    while n_written < len(data):
                        n_written += file.write(data[n_written:]) or 0
            finally:
                if n_written < len(data):
                    os.truncate(self.real, stamp[-1])
            return _stamp(self.real)
        except OSError as error:
            raise self._unwritable(error) from None

    def _unwritable(self, error: OSError) -> DataError:
        return DataError(f"cannot be written: {error.strerror}", path=self.path)


# Those of this process; a forked process begins anew.
_open: dict[tuple[int, Path], RecordingFile] = {}
# The garbage collector may close one while another is being opened in the same thread.
_opening = threading.RLock()


def open_recording(path: Path, settings: Mapping[str, Any]) -> RecordingFile:
    """The file to record to; `close_recording` it when done.

    In a process there is one for each file, as long as nobody else changes it.
    """
    with _opening:
        key = os.getpid(), _real(path)
        file = _open.get(key)
        if file is None or not file.is_current():
            if file is not None:
                file.release()
            file = _open[key] = RecordingFile(path, settings)
        file.check(settings)
        file.n_users += 1
        return file


def close_recording(file: RecordingFile) -> None:
    """The last one who closes it lets other processes write."""
    with _opening:
        file.n_users -= 1
        if file.n_users == 0:
            file.release()
            if _open.get(key := (os.getpid(), file.real)) is file:
                del _open[key]


def _real(path: Path) -> Path:
    try:
        return Path(os.path.realpath(path))
    except ValueError as error:
        raise DataError(f"cannot be written: {error}", path=path) from None


def _stamp(path: Path) -> tuple[int, ...]:
    """Which file it is, and its size in bytes."""
    found = path.stat()
    return found.st_dev, found.st_ino, found.st_size
