"""Files from outside and files for others: read with one clear error, written whole or not at all.

Every reader of a file that people hand in opens, unpacks, decodes and parses it here. `error` is
the class of what is raised, `DataError` or one below it; it names the file, and the line if lines
are read one by one.

- Only regular files are opened, and opening never waits: a pipe or a device is refused at once.
- What gzip unpacks to is limited, so that a small file cannot fill the memory.
- Text is UTF-8, with or without a byte order mark. Half a surrogate pair, which UTF-8 cannot hold,
  passes as Python's "surrogatepass" writes it, just as JSON's escapes let it pass.
"""

from __future__ import annotations

import gzip
import io
import json
import math
import os
import stat
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any, BinaryIO, NoReturn

from rememberer_nb.errors import ConfigError, DataError

# A gzip file may unpack to so much, or to so many times its own size if that is more. Texts that
# repeat themselves as pages do shrink to a seventh; a bomb of zeros to a thousandth.
LIMIT_VARIABLE = "REMEMBERER_NB_MAX_UNPACKED_MIB"
MAX_UNPACKED_MIB = 512
MAX_RATIO = 50
# Lists and mappings inside each other. No file of ours needs ten; Python fails below a thousand.
MAX_DEPTH = 100

_GZIP = b"\x1f\x8b"
_ERRORS = (OSError, EOFError, zlib.error)


def open_regular(path: str | Path, error: type[DataError] = DataError) -> BinaryIO:
    """A regular file, open for reading as it is."""
    try:
        # Without waiting: a pipe that nobody writes to would hold up the opening itself.
        flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
        descriptor = os.open(path, flags)
    except (OSError, ValueError) as problem:
        raise error(f"cannot be read: {reason(problem)}", path=path) from problem
    mode = os.fstat(descriptor).st_mode
    if stat.S_ISREG(mode):
        return os.fdopen(descriptor, "rb")
    os.close(descriptor)
    kind = "a folder" if stat.S_ISDIR(mode) else "a pipe or a device"
    raise error(f"cannot be read: it is {kind}, not a file", path=path)


def unpacked(file: BinaryIO) -> BinaryIO:
    """What a file holds: itself, or what it unpacks to, up to the limit, if it is gzipped."""
    is_gzip = file.read(2) == _GZIP
    file.seek(0)
    if not is_gzip:
        return file
    most = max(_max_unpacked(), MAX_RATIO * os.fstat(file.fileno()).st_size)
    return io.BufferedReader(_Unpacking(file, most))


@contextmanager
def open_input(path: str | Path, error: type[DataError] = DataError) -> Iterator[BinaryIO]:
    """A regular file, unpacked if it is gzipped; what goes wrong inside becomes an `error`."""
    with open_regular(path, error) as file:
        try:
            yield unpacked(file)
        except _ERRORS as problem:
            raise error(f"cannot be read: {reason(problem)}", path=path) from problem


def read_bytes(path: str | Path, error: type[DataError] = DataError) -> bytes:
    """All of a file."""
    with open_input(path, error) as file:
        return file.read()


def read_text(path: str | Path, error: type[DataError] = DataError) -> str:
    """All of a file, as text."""
    data = read_bytes(path, error)
    try:
        return data.decode("utf-8-sig", "surrogatepass")
    except UnicodeDecodeError as problem:
        line = data.count(b"\n", 0, problem.start) + 1
        raise error(f"cannot be read as UTF-8: line {line}, {problem}", path=path) from problem


def read_lines(path: str | Path, error: type[DataError] = DataError) -> Iterator[tuple[int, str]]:
    """The lines of a file with their numbers, from 1, one by one; only a newline ends a line."""
    with open_input(path, error) as file:
        for number, data in enumerate(file, start=1):
            try:
                text = data.decode("utf-8-sig" if number == 1 else "utf-8", "surrogatepass")
            except UnicodeDecodeError as problem:
                what = f"cannot be read as UTF-8: {problem}"
                raise error(what, path=path, field=f"line {number}") from problem
            yield number, text


def read_json(
    path: str | Path, error: type[DataError] = DataError, *, is_strict: bool = True
) -> Any:
    """The value in a JSON file (UTF-8, UTF-16 or UTF-32); see `parse_json`."""
    data = read_bytes(path, error)
    try:
        text = data.decode(json.detect_encoding(data), "surrogatepass").removeprefix("\ufeff")
        return parse_json(text) if is_strict else _parse(text)
    except ValueError as problem:
        raise error(f"is not JSON: {problem}", path=path) from problem


def read_json_lines(
    path: str | Path, error: type[DataError] = DataError
) -> Iterator[tuple[int, Any]]:
    """The values of a JSON Lines file with the numbers of their lines; empty lines are skipped."""
    for number, line in read_lines(path, error):
        if line.strip():
            try:
                value = parse_json(line)
            except ValueError as problem:
                raise error(f"is not JSON: {problem}", path=path, field=f"line {number}") from None
            yield number, value


def parse_json(text: str) -> Any:
    """The value of a JSON text whose every part will be used.

    Python reads more than JSON has, and more than can be worked with. Refused are NaN, Infinity
    and numbers that no float holds, a name that stands twice in one object, and what is nested
    more than `MAX_DEPTH` deep.

    Raises
    ------
    ValueError
        The text is no such value.

    Examples
    --------
    >>> parse_json('{"a": [1, 2.5]}')
    {'a': [1, 2.5]}
    >>> parse_json("[1e999]")
    Traceback (most recent call last):
    ...
    ValueError: 1e999 is no finite number
    """
    value = _parse(
        text,
        parse_constant=_no_number,
        parse_float=_finite_float,
        parse_int=_finite_int,
        object_pairs_hook=_distinct,
    )
    if text.count("[") + text.count("{") > MAX_DEPTH:
        check_depth(value)
    return value


def check_depth(value: Any) -> None:
    """Raise `ValueError` if lists and mappings are nested more than `MAX_DEPTH` deep."""
    level = [value]
    for _ in range(MAX_DEPTH + 1):
        inner = [item for item in level if isinstance(item, list | dict)]
        if not inner:
            return
        level = [v for item in inner for v in (item.values() if isinstance(item, dict) else item)]
    raise ValueError("it is nested too deeply")


@contextmanager
def replacing(
    path: str | Path, error: type[DataError] = DataError, *, half: str = "surrogatepass"
) -> Iterator[IO[str]]:
    """A new text file that takes the path's place when the body is done; else nothing has changed.

    A link stays, and what it leads to is replaced. Anything there but a regular file is refused.
    `half` says how half a surrogate pair is written: to be read back ("surrogatepass"), or to be
    looked at ("backslashreplace").
    """
    target = Path(os.path.realpath(path))
    beside = target.with_name(f".{target.name}.{os.getpid()}.part")
    try:
        mode = _mode(target)
        with beside.open("w", encoding="utf-8", errors=half, newline="") as file:
            if mode is not None:
                os.chmod(beside, mode)
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(beside, target)
    except OSError as problem:
        raise error(f"cannot be written: {reason(problem)}", path=path) from problem
    finally:
        with suppress(OSError):
            beside.unlink(missing_ok=True)


def reason(problem: BaseException) -> str:
    """What the system says, in words: "no space left on device".

    >>> import errno
    >>> reason(OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)))
    'no space left on device'
    """
    if isinstance(problem, FileNotFoundError):
        return "no such file"
    text = getattr(problem, "strerror", None) or str(problem) or type(problem).__name__
    return str(text[:1].lower() + text[1:])


# Inside


class _Unpacking(io.RawIOBase):
    """What a gzip file unpacks to; an `OSError` past the limit."""

    def __init__(self, file: BinaryIO, most: int):
        self._source, self._most, self._n_read = gzip.GzipFile(fileobj=file), most, 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        n = self._source.readinto(buffer)
        self._n_read += n
        if self._n_read > self._most:
            raise OSError(
                f"it unpacks to more than {self._most >> 20} MiB; unpack it yourself, or set "
                f"{LIMIT_VARIABLE}, if that is meant"
            )
        return n


def _max_unpacked() -> int:
    text = os.environ.get(LIMIT_VARIABLE) or str(MAX_UNPACKED_MIB)
    if not (text.isascii() and text.isdecimal() and len(text) < 10):
        raise ConfigError(f"{LIMIT_VARIABLE} must be a number of MiB, got {text!r}")
    return int(text) << 20


def _mode(target: Path) -> int | None:
    """The permissions of the file that is replaced; None if there is none."""
    try:
        found = os.lstat(target).st_mode
    except FileNotFoundError:
        return None
    if stat.S_ISLNK(found):
        raise OSError("it is a link that leads round in a circle")
    if not stat.S_ISREG(found):
        raise OSError("it is there, and no regular file")
    return stat.S_IMODE(found)


def _parse(text: str, **hooks: Any) -> Any:
    try:
        return json.loads(text, **hooks)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


def _no_number(text: str) -> NoReturn:
    raise ValueError(f"{text if len(text) < 20 else text[:17] + '...'} is no finite number")


def _finite_float(text: str) -> float:
    number = float(text)
    return number if math.isfinite(number) else _no_number(text)


def _finite_int(text: str) -> int:
    # The largest float has 309 digits.
    return int(text) if len(text) < 309 else _no_number(text)


def _distinct(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) < len(pairs):
        raise ValueError("an object names something twice")
    return made
