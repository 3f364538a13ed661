"""Where a command writes: made and tried before the work, one process's alone, written whole.

What is wrong with a place is found out while nothing is lost by it. What is written goes beside its
name first and takes the name when it is complete, so a full disk leaves no half of a file.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from rememberer_nb.errors import ConfigError, DataError, MemoryFileError
from rememberer_nb.system.files import reason, replacing
from rememberer_nb.system.locks import WriterLock

LOCK_NAME = ".in-use-lock"


@contextmanager
def claimed_folder(path: str | Path) -> Iterator[Path]:
    """A folder to write to: made, tried, and refused to any other process until the end.

    A folder that was made and is empty at the end is taken away again.

    Raises
    ------
    ConfigError : a file is in the way.
    DataError : it cannot be written, or another process writes there.

    Examples
    --------
    >>> with tempfile.TemporaryDirectory() as above:
    ...     with claimed_folder(Path(above, "run")) as folder:
    ...         write_text(folder / "a.txt", "done")
    ...     sorted(path.name for path in folder.iterdir())
    ['a.txt']
    """
    folder = Path(path)
    with _made(folder), _held(folder):
        yield folder


@contextmanager
def tried_file(path: str | Path) -> Iterator[Path]:
    """A file to write, later: its folder is made and tried; a folder made in vain goes again.

    Raises
    ------
    ConfigError : a folder has this name, or a file is in the way of its folder.
    DataError : its folder cannot be written.
    """
    file = Path(path)
    if file.is_dir():
        raise ConfigError(f"{file}: is a folder; expected the name of a file")
    with _made(file.parent):
        yield file


@contextmanager
def new_run_folder(above: str | Path = "runs") -> Iterator[Path]:
    """A folder of its own below `above`, named by date and time; two in one second differ."""
    stamp = time.strftime("%Y%m%d-%H%M%S")
    with _made(Path(above)):
        for number in range(1, 1000):
            folder = Path(above, stamp if number == 1 else f"{stamp}-{number}")
            with suppress(FileExistsError):
                folder.mkdir()
                break
        else:
            raise DataError("holds a thousand runs of this second", path=above)
        try:
            with claimed_folder(folder):
                yield folder
        finally:
            with suppress(OSError):
                folder.rmdir()


@contextmanager
def whole_file(path: str | Path) -> Iterator[IO[str]]:
    """A text file to write to that takes its name at the end, and only if all went well.

    Half a surrogate pair, which UTF-8 cannot hold, is written as an escape. Raises `DataError` if
    it cannot be written.
    """
    with replacing(path, half="backslashreplace") as file:
        yield file


def write_text(path: str | Path, text: str) -> None:
    """Write a whole text file; as `whole_file`."""
    with whole_file(path) as file:
        file.write(text)


@contextmanager
def _made(folder: Path) -> Iterator[None]:
    """The folder and all above it, tried; of what had to be made, what stays empty goes again."""
    missing = [each for each in (folder, *folder.parents) if not each.exists()]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except (FileExistsError, NotADirectoryError):
        _clear(missing)
        raise ConfigError(f"{folder}: a file is in the way; expected a folder") from None
    except OSError as error:
        _clear(missing)
        raise DataError(f"cannot be written: {reason(error)}", path=folder) from error
    try:
        yield
    finally:
        _clear(missing)


def _clear(folders: list[Path]) -> None:
    for folder in folders:
        with suppress(OSError):
            folder.rmdir()


@contextmanager
def _held(folder: Path) -> Iterator[None]:
    """Locked by this process: the operating system unlocks it, however the process ends."""
    try:
        lock = WriterLock(folder / ".in-use")
    except MemoryFileError:
        raise DataError(
            "another process is writing there; give each a folder", path=folder
        ) from None
    try:
        yield
    finally:
        lock.release()
