"""The files of a shop index: arrays, sorted strings, and a manifest that vouches for them.

The manifest is written last. It holds the version of the format, the length of every file, and a
checksum of every file small enough to be read at each opening; so an index that is cut off, mixed
up or of another version is refused instead of answering wrongly.
"""

from __future__ import annotations

import json
import os
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, overload

import numpy as np
from numpy.typing import NDArray

from rememberer_nb.errors import CatalogueError
from rememberer_nb.system.files import read_json

FORMAT = "rememberer_nb webshop index"
VERSION = 1
MANIFEST = "index.json"
# Files up to this size are read into memory and checked byte by byte when an index is opened.
SMALL_BYTES = 1 << 20


def encode(text: str) -> bytes:
    """UTF-8, lone surrogates included; bytes sort as the texts do."""
    return text.encode("utf-8", "surrogatepass")


def decode(data: bytes) -> str:
    """The inverse of `encode`."""
    return data.decode("utf-8", "surrogatepass")


def is_index(folder: Path) -> bool:
    """Whether a folder is meant to be an index: it has a manifest."""
    return (folder / MANIFEST).is_file()


def is_replaceable(folder: Path) -> bool:
    """Whether nothing but an index, of whatever version, would be lost with a folder."""
    if not any(folder.iterdir()):
        return True
    try:
        return bool(_read_manifest(folder / MANIFEST))
    except CatalogueError:
        return False


def write_manifest(folder: Path, counts: dict[str, int]) -> None:
    """Vouch for all files in the folder; `counts` is kept beside (n_products and the like)."""
    files = {path.name: _entry(path) for path in sorted(folder.iterdir())}
    content = {"format": FORMAT, "version": VERSION, "counts": counts, "files": files}
    text = json.dumps({**content, "crc32": _checksum(content)}, indent=1)
    (folder / MANIFEST).write_text(text, encoding="utf-8")


def _entry(path: Path) -> dict[str, int]:
    size = path.stat().st_size
    small = {"crc32": zlib.crc32(path.read_bytes())} if size <= SMALL_BYTES else {}
    return {"bytes": size, **small}


def _checksum(content: dict[str, Any]) -> int:
    return zlib.crc32(json.dumps(content, sort_keys=True).encode("utf-8"))


def check_manifest(folder: Path) -> dict[str, int]:
    """The counts of a whole index of this version.

    Raises
    ------
    CatalogueError
        The folder is no index, or one of another version, or a file is missing, of another length
        or damaged; names the file.
    """
    path = folder / MANIFEST
    content = _read_manifest(path)
    if content.get("version") != VERSION:
        raise CatalogueError(
            f"the index has version {content.get('version')!r}, this program reads {VERSION}: "
            "make it anew with `rememberer-nb webshop index`",
            path=path,
        )
    if _checksum({k: v for k, v in content.items() if k != "crc32"}) != content.get("crc32"):
        raise CatalogueError("is damaged: the checksum differs", path=path)
    for name, entry in content["files"].items():
        _check_file(folder / name, entry)
    return dict(content["counts"])


def _read_manifest(path: Path) -> dict[str, Any]:
    if not os.path.lexists(path):
        raise CatalogueError(f"is no shop index: it lacks {MANIFEST}", path=path.parent)
    content = read_json(path, CatalogueError)
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise CatalogueError("is not the manifest of a shop index", path=path)
    return content


def _check_file(path: Path, entry: dict[str, int]) -> None:
    try:
        size = path.stat().st_size
        if size != entry["bytes"] or not path.is_file():
            problem = f"is cut off or changed: {size} bytes instead of {entry['bytes']}"
            raise CatalogueError(problem, path=path)
        if "crc32" in entry and zlib.crc32(path.read_bytes()) != entry["crc32"]:
            raise CatalogueError("is damaged: the checksum differs", path=path)
    except OSError as error:
        raise CatalogueError(f"the index lacks a file: {error}", path=path) from error


def save_array(folder: Path, name: str, array: NDArray[Any]) -> None:
    """Write `array` as NAME.npy."""
    np.save(folder / f"{name}.npy", array, allow_pickle=False)


def load_array(folder: Path, name: str) -> NDArray[Any]:
    """The array NAME.npy: memory-mapped, or read if it is small."""
    path = folder / f"{name}.npy"
    try:
        mode = "r" if path.stat().st_size > SMALL_BYTES else None
        # A plain view of the map: numpy's memmap class makes every slice slower.
        return np.asarray(np.load(path, mmap_mode=mode, allow_pickle=False))
    except (OSError, ValueError, EOFError) as error:
        raise CatalogueError(f"cannot be read: {error}", path=path) from error


def save_strings(folder: Path, name: str, encoded: Sequence[bytes]) -> None:
    """Write strings, given in UTF-8, as NAME.npy and NAME_starts.npy."""
    starts = np.zeros(len(encoded) + 1, np.int64)
    np.cumsum([len(data) for data in encoded], out=starts[1:])
    save_array(folder, f"{name}_starts", starts)
    save_array(folder, name, np.frombuffer(b"".join(encoded), np.uint8))


class StringTable(Sequence[str]):
    """Sorted, distinct strings on disk, found by bisection.

    Parameters
    ----------
    folder, name : as given to `save_strings`.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save_strings(Path(folder), "terms", [b"lamp", b"red"])
    ...     table = StringTable(Path(folder), "terms")
    >>> table.find("red"), table.find("blue"), table[0], len(table)
    (1, -1, 'lamp', 2)
    """

    def __init__(self, folder: Path, name: str):
        self._data = memoryview(load_array(folder, name))
        self._starts = memoryview(load_array(folder, f"{name}_starts"))

    def __len__(self) -> int:
        return len(self._starts) - 1

    @overload
    def __getitem__(self, number: int) -> str: ...

    @overload
    def __getitem__(self, number: slice) -> tuple[str, ...]: ...

    def __getitem__(self, number: int | slice) -> str | tuple[str, ...]:
        if isinstance(number, slice):
            return tuple(self[i] for i in range(*number.indices(len(self))))
        return decode(self._bytes(range(len(self))[number]))

    def _bytes(self, number: int) -> bytes:
        return bytes(self._data[self._starts[number] : self._starts[number + 1]])

    def find(self, text: str) -> int:
        """The number of a string, -1 if it is not there."""
        wanted, low, high = encode(text), 0, len(self)
        while low < high:
            middle = (low + high) // 2
            found = self._bytes(middle)
            if found == wanted:
                return middle
            if found < wanted:
                low = middle + 1
            else:
                high = middle
        return -1
