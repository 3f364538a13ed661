"""JSON files too large for memory, one element at a time (plain or gzipped).

The standard library's decoder reads single values out of a growing buffer, so no other parser is
needed and a value means here exactly what it means to `json.loads`.
"""

from __future__ import annotations

import codecs
import json
import re
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Any

from rememberer_nb.errors import CatalogueError
from rememberer_nb.system.files import open_regular, unpacked

CHUNK_BYTES = 1 << 22
MAX_VALUE_CHARS = 1 << 26
_DECODER = json.JSONDecoder()
_SPACE = re.compile(r"[ \t\n\r]*")
# What is left of a number or a word when a file ends in the middle of it.
_FRAGMENT = re.compile(r"[-+.\w]*\s*")

OnRead = Callable[[int], object]


def _nothing(_: int) -> None:
    """No one is told of progress."""


class _Reader:
    """The text of a file behind a moving position.

    `n_read` elements have been handed out; `label` names the next one, where it has a name.
    """

    def __init__(self, path: Path, on_read: OnRead):
        self._path, self._on_read, self._reported = path, on_read, 0
        self._buffer, self._position, self._is_whole = "", 0, False
        self._damage: UnicodeDecodeError | None = None
        self.n_read, self.label = 0, ""
        self._file = open_regular(path, CatalogueError)
        try:
            self._source = self._guard(lambda: unpacked(self._file))
            self._head: bytes = self._guard(lambda: self._source.read(4))
        except CatalogueError:
            self._file.close()
            raise
        encoding = json.detect_encoding(self._head)
        self._decode = codecs.getincrementaldecoder(encoding)("surrogatepass")

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
        named = name or f"product {self.label or self.n_read}"
        return CatalogueError(problem, path=self._path, field=named)

    def _guard(self, read: Callable[[], Any]) -> Any:
        try:
            return read()
        except (OSError, EOFError, zlib.error) as error:
            raise CatalogueError(f"cannot be read: {error}", path=self._path) from error

    def _read_more(self) -> bool:
        """Append a chunk to what is left of the buffer; False at the end of the file."""
        if self._is_whole:
            return False
        if self._damage is not None:
            problem = (
                "is cut off" if self._damage.reason.startswith("unexpected end") else "is not JSON"
            )
            raise self.error(f"{problem}: {self._damage}") from self._damage
        data = self._head + self._guard(lambda: self._source.read(CHUNK_BYTES))
        self._head = b""
        self._is_whole = not data
        self._buffer = self._buffer[self._position :] + self._text(data)
        self._position = 0
        now = self._file.tell()
        self._on_read(now - self._reported)
        self._reported = now
        return True

    def _text(self, data: bytes) -> str:
        """A chunk as text; up to the damage if there is any, so that the right element is named."""
        try:
            return self._decode.decode(data, final=self._is_whole)
        except UnicodeDecodeError as error:
            self._damage, self._is_whole = error, False
            return error.object[: error.start].decode(error.encoding, "surrogatepass")

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
                # A number may go on in the next chunk, after a sign that is none by itself: "1e+".
                if end + 2 < len(self._buffer) or not self._read_more():
                    self._position = end
                    return value

    def _grow(self, error: json.JSONDecodeError) -> None:
        """Read on, since the value may be whole with more text; complain if it cannot be."""
        is_too_long = len(self._buffer) - self._position > MAX_VALUE_CHARS
        if is_too_long or not self._read_more():
            is_broken = error.msg.startswith("Unterminated") or _FRAGMENT.fullmatch(
                self._buffer, error.pos
            )
            is_cut_off = self._is_whole and is_broken
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
                reader.label = key
                reader.take(":")
                value = reader.value()
                reader.n_read, reader.label = reader.n_read + 1, ""
                yield key, value
                sign = reader.take(",", "}")
        reader.finish()
