"""JSON files too large for memory, one element at a time (plain or gzipped).

The standard library's decoder reads single values out of a growing buffer, so no other parser is
needed and a value means here exactly what it means to `json.loads`.
"""

from __future__ import annotations

import codecs
import gzip
import json
import re
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Any

from rememberer_nb.errors import CatalogueError

CHUNK_BYTES = 1 << 22
MAX_VALUE_CHARS = 1 << 26
_DECODER = json.JSONDecoder()
_SPACE = re.compile(r"[ \t\n\r]*")

OnRead = Callable[[int], object]


def _nothing(_: int) -> None:
    """No one is told of progress."""


class _Reader:
    """The text of a file behind a moving position; `n_read` elements have been handed out."""

    def __init__(self, path: Path, on_read: OnRead):
        self._path, self._on_read = path, on_read
        self._buffer, self._position, self._is_whole, self.n_read = "", 0, False, 0
        self._file = self._guard(lambda: path.open("rb"))
        self._source: Any = self._file
        if self._guard(lambda: self._file.read(2)) == b"\x1f\x8b":
            self._source = gzip.GzipFile(fileobj=self._file)
        self._file.seek(0)
        head = self._guard(lambda: self._source.read(4))
        self._source.seek(0)
        self._reported = 0
        self._decode = codecs.getincrementaldecoder(json.detect_encoding(head))("surrogatepass")

    def __enter__(self) -> _Reader:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._file.close()

    def error(self, problem: str, name: str = "") -> CatalogueError:
        """A complaint that names the file and the element."""
        return CatalogueError(problem, path=self._path, field=name or f"product {self.n_read}")

    def _guard(self, read: Callable[[], Any]) -> Any:
        try:
            return read()
        except (OSError, EOFError, zlib.error) as error:
            raise CatalogueError(f"cannot be read: {error}", path=self._path) from error

    def _read_more(self) -> bool:
        """Append a chunk to what is left of the buffer; False at the end of the file."""
        if self._is_whole:
            return False
        data = self._guard(lambda: self._source.read(CHUNK_BYTES))
        self._is_whole = not data
        try:
            text = self._decode.decode(data, final=self._is_whole)
        except UnicodeDecodeError as error:
            raise self.error(f"is not JSON: {error}") from error
        self._buffer = self._buffer[self._position :] + text
        self._position = 0
        now = self._file.tell()
        self._on_read(now - self._reported)
        self._reported = now
        return True

    def next_sign(self) -> str:
        """The next character that is no white space, left where it is; "" at the end."""
        while True:
            found = _SPACE.match(self._buffer, self._position)
            assert found is not None
            self._position = found.end()
            if self._position < len(self._buffer):
                return self._buffer[self._position]
            if not self._read_more():
                return ""

    def take(self, *signs: str) -> str:
        """The next sign, which must be one of `signs`."""
        sign = self.next_sign()
        if sign not in signs or not sign:
            expected = " or ".join(repr(s) for s in signs)
            raise self.error(f"is cut off: expected {expected}" if not sign else self._odd(sign))
        self._position += 1
        return sign

    def _odd(self, sign: str) -> str:
        return f"is not JSON: {sign!r} is out of place"

    def value(self) -> Any:
        """The next JSON value."""
        self.next_sign()
        while True:
            try:
                value, end = _DECODER.raw_decode(self._buffer, self._position)
            except json.JSONDecodeError as error:
                self._grow(error)
            except (RecursionError, ValueError) as error:
                raise self.error(f"is not JSON: {error}") from error
            else:
                # A number may go on in the next chunk; nothing else ends at the buffer's end.
                if end < len(self._buffer) or not self._read_more():
                    self._position = end
                    return value

    def _grow(self, error: json.JSONDecodeError) -> None:
        """Read on, since the value may be whole with more text; complain if it cannot be."""
        is_too_long = len(self._buffer) - self._position > MAX_VALUE_CHARS
        if is_too_long or not self._read_more():
            is_cut_off = self._is_whole and error.pos >= len(self._buffer.rstrip())
            is_cut_off |= self._is_whole and error.msg.startswith("Unterminated")
            problem = "is cut off" if is_cut_off else f"is not JSON: {error.msg}"
            raise self.error(problem) from error

    def finish(self) -> None:
        """Nothing may follow."""
        if sign := self.next_sign():
            raise self.error(self._odd(sign), "after the end")


def stream_array(path: str | Path, on_read: OnRead = _nothing) -> Iterator[Any]:
    """The elements of the list that a JSON file holds, in order.

    Parameters
    ----------
    on_read : told how many bytes of the file were read, each time some were.

    Raises
    ------
    CatalogueError
        The file is missing, damaged, cut off, no JSON, or holds no list; names the element.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder, "rows.json")
    ...     _ = path.write_text('[{"a": 1}, 2]')
    ...     list(stream_array(path))
    [{'a': 1}, 2]
    """
    path = Path(path)
    with _Reader(path, on_read) as reader:
        if reader.next_sign() != "[":
            raise CatalogueError("should be a list of products", path=path)
        reader.take("[")
        if reader.next_sign() == "]":
            reader.take("]")
        else:
            sign = ","
            while sign == ",":
                value = reader.value()
                reader.n_read += 1
                yield value
                sign = reader.take(",", "]")
        reader.finish()


def stream_object(path: str | Path, on_read: OnRead = _nothing) -> Iterator[tuple[str, Any]]:
    """The (key, value) pairs of the object that a JSON file holds, in order; see `stream_array`.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder, "rows.json")
    ...     _ = path.write_text('{"a": [1], "b": null}')
    ...     dict(stream_object(path))
    {'a': [1], 'b': None}
    """
    path = Path(path)
    with _Reader(path, on_read) as reader:
        if reader.next_sign() != "{":
            raise CatalogueError("should be an object by asin", path=path)
        reader.take("{")
        if reader.next_sign() == "}":
            reader.take("}")
        else:
            sign = ","
            while sign == ",":
                if reader.next_sign() not in ('"', ""):
                    raise reader.error("is not JSON: a key should be in double quotes")
                key = reader.value()
                reader.take(":")
                value = reader.value()
                reader.n_read += 1
                yield key, value
                sign = reader.take(",", "}")
        reader.finish()
