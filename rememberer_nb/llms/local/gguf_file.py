"""GGUF files: fields and tensors by name.

Such a file is, one after the other and little-endian::

    "GGUF", version, number of tensors, number of fields
    fields: name, kind, value               general.architecture: "llama", ...
    tensors: name, shape, kind, offset      token_embd.weight: 49152 x 576, Q8_0, 0
    the tensors' own bytes                  nearly all of the file
"""

from __future__ import annotations

import math
import mmap
import struct
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from rememberer_nb.errors import DataError, MissingExtraError
from rememberer_nb.llms.local.scores import check_gguf

_VERSIONS = (2, 3)
# Kinds of values in fields, as `struct` names them.
_NUMBERS = dict(enumerate("BbHhIif?")) | {10: "Q", 11: "q", 12: "d"}
_TEXT, _LIST = 8, 9


class TensorPlace(NamedTuple):
    """Where a tensor lies, its shape as NumPy has it, and how it is quantised."""

    shape: tuple[int, ...]
    kind: Any
    start: int
    n_bytes: int


class GGUFFile:
    """Fields and tensors by name; nothing of the file stays open.

    Raises
    ------
    ConfigError : no such file.
    DataError : it is no GGUF file, cut off, damaged, or quantised in a way that `gguf` does not
        know.
    MissingExtraError : `gguf` is not installed.
    """

    def __init__(self, path: Path):
        check_gguf(path)
        self.path = path
        with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            try:
                self._read(_Reader(data))
            except (struct.error, UnicodeDecodeError) as error:
                raise DataError(f"is cut off or damaged: {error}", path=path) from error

    def _read(self, reader: _Reader) -> None:
        (version,), (n_tensors, n_fields) = reader.numbers("I"), reader.numbers("Q", 2)
        if version not in _VERSIONS:
            problem = f"is a GGUF file of version {version}; 2 and 3 can be read"
            raise DataError(problem, path=self.path)
        self.fields = dict(self._field(reader) for _ in range(n_fields))
        found = [self._tensor(reader) for _ in range(n_tensors)]
        alignment = self.count("general.alignment", 32)
        start = -(-reader.at // alignment) * alignment
        self.tensors = {name: place._replace(start=start + place.start) for name, place in found}
        for name, place in self.tensors.items():
            if (end := place.start + place.n_bytes) > len(reader.data):
                problem = f"is cut off: {name} ends at byte {end:,} of {len(reader.data):,}"
                raise DataError(problem, path=self.path)

    def _field(self, reader: _Reader) -> tuple[str, Any]:
        name, (kind,) = reader.text(), reader.numbers("I")
        (of, n) = (reader.numbers("I")[0], reader.numbers("Q")[0]) if kind == _LIST else (kind, 1)
        if of == _TEXT:
            values = [reader.text() for _ in range(n)]
        elif of in _NUMBERS:
            values = list(reader.numbers(_NUMBERS[of], n))
        else:
            raise DataError(f"has a value of kind {of}", path=self.path, field=name[:80])
        return name, values if kind == _LIST else values[0]

    def _tensor(self, reader: _Reader) -> tuple[str, TensorPlace]:
        from gguf.constants import GGML_QUANT_SIZES, GGMLQuantizationType

        name, (n_axes,) = reader.text(), reader.numbers("I")
        # The file counts axes from the fastest on.
        shape = reader.numbers("Q", n_axes)[::-1]
        (kind,), (start,) = reader.numbers("I"), reader.numbers("Q")
        try:
            known = GGMLQuantizationType(kind)
            block, size = GGML_QUANT_SIZES[known]
        except (ValueError, KeyError) as error:
            problem = f"tensor {name:.80}: is quantised in an unknown way ({kind})"
            raise DataError(problem, path=self.path) from error
        return name, TensorPlace(shape, known, start, math.prod(shape) // block * size)

    def get(self, name: str, default: Any = ...) -> Any:
        """A field's value.

        Raises
        ------
        DataError : there is no such field, and no default.
        """
        if name not in self.fields and default is ...:
            raise DataError(f"lacks {name}", path=self.path)
        return self.fields.get(name, default)

    def count(self, name: str, default: Any = ...) -> int:
        """A field that is a whole number above 0; `DataError` if it is not."""
        return int(self._positive(int, name, default))

    def number(self, name: str, default: Any = ...) -> float:
        """A field that is a number above 0; `DataError` if it is not."""
        return float(self._positive(float, name, default))

    def texts(self, name: str) -> list[str]:
        """A field that is a list of texts; `DataError` if it is not."""
        values = self.get(name)
        if not isinstance(values, list) or not all(isinstance(each, str) for each in values):
            raise DataError("expected a list of texts", path=self.path, field=name)
        return values

    def _positive(self, kind: type, name: str, default: Any) -> Any:
        value: Any = self.get(name, default)
        is_right = type(value) is kind  # and no bool
        if not is_right or not 0 < value < math.inf:
            problem = f"expected {kind.__name__} above 0, got {value!r:.80}"
            raise DataError(problem, path=self.path, field=name)
        return value

    def tensor(self, name: str, *shape: int) -> np.ndarray:
        """A tensor as float32, the last axis the one that it is multiplied along.

        Raises
        ------
        DataError : there is none of that name and shape, or it cannot be read.
        """
        from gguf.quants import dequantize

        if name not in self.tensors:
            raise DataError(f"lacks the tensor {name}", path=self.path)
        place = self.tensors[name]
        if place.shape != shape:
            problem = f"tensor {name}: expected the shape {shape}, got {place.shape}"
            raise DataError(problem, path=self.path)
        try:
            data = np.fromfile(self.path, np.uint8, place.n_bytes, offset=place.start)
            values = dequantize(data.reshape(*shape[:-1], -1), place.kind).reshape(shape)
        except (OSError, NotImplementedError, ValueError) as error:
            raise DataError(f"tensor {name}: {error}", path=self.path) from error
        return np.ascontiguousarray(values, dtype=np.float32)


class _Reader:
    """Reads value after value; `struct.error` where the file ends too early."""

    def __init__(self, data: mmap.mmap):
        self.data, self.at = data, 4

    def numbers(self, kind: str, n: int = 1) -> tuple[Any, ...]:
        form = f"<{n}{kind}"
        found = struct.unpack_from(form, self.data, self.at)
        self.at += struct.calcsize(form)
        return found

    def text(self) -> str:
        (n,) = self.numbers("Q")
        return self.numbers("s", n)[0].decode()  # type: ignore[no-any-return]


def open_gguf(path: Path) -> GGUFFile:
    """A file whose fields and tensors can be asked for; errors as those of `GGUFFile`."""
    try:
        import gguf  # noqa: F401
    except ImportError as error:
        raise MissingExtraError("gguf", extra="llama") from error
    return GGUFFile(path)
