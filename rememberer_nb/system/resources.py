"""Where the shipped files are: `data/` and `notebooks/`.

A checkout keeps both folders at its top. A wheel carries copies inside the package, below
`_share/`, so that an installed package finds them from any working directory.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, TypeVar

from rememberer_nb.errors import DataError

Loaded = TypeVar("Loaded")

_PACKAGE = Path(__file__).resolve().parent.parent
_SHARE = "_share"


def is_checkout() -> bool:
    """Whether the package runs from a checkout (here it does) and not from an installed wheel.

    >>> is_checkout()
    True
    """
    return not (_PACKAGE / _SHARE).is_dir()


def data_path(*parts: str) -> Path:
    """The path of a shipped data file, or of the folder `data/` itself.

    Parameters
    ----------
    parts : the names that lead to it from `data/`.

    Raises
    ------
    DataError
        There is no such file; the message names it, and what its folder holds.

    Examples
    --------
    >>> data_path().name
    'data'
    >>> data_path("moon", "map.json")
    Traceback (most recent call last):
    ...
    rememberer_nb.errors.DataError: ...data/moon/map.json: not among the shipped files; ...
    """
    return _find("data", parts)


def notebooks_path(*parts: str) -> Path:
    """The path of a shipped notebook, or of the folder `notebooks/` itself; as `data_path`.

    >>> notebooks_path().name
    'notebooks'
    """
    return _find("notebooks", parts)


def file_stamp(path: Path) -> tuple[Any, ...]:
    """What tells a file from what it was before: size, time of the last change, inode.

    Of a folder, the stamps of its files by name; () of what is not there.
    """
    try:
        if path.is_dir():
            return tuple((child.name, file_stamp(child)) for child in sorted(path.iterdir()))
        status = path.stat()
    except OSError:
        return ()
    return status.st_size, status.st_mtime_ns, status.st_ino


def cached_by_files(
    maxsize: int, files: Callable[..., Iterable[Path]]
) -> Callable[[Callable[..., Loaded]], Callable[..., Loaded]]:
    """As `functools.lru_cache`, for what is read from files: a changed one is read anew.

    `files(*arguments)` are those that a call reads. They are looked at first and read afterwards,
    so what changes meanwhile is at worst read once more.
    """

    def decorate(load: Callable[..., Loaded]) -> Callable[..., Loaded]:
        @functools.lru_cache(maxsize)
        def kept(stamps: tuple[Any, ...], *arguments: Any) -> Loaded:
            return load(*arguments)

        @functools.wraps(load)
        def found(*arguments: Any) -> Loaded:
            return kept(tuple(file_stamp(path) for path in files(*arguments)), *arguments)

        found.cache_clear = kept.cache_clear  # type: ignore[attr-defined]
        return found

    return decorate


def _find(folder: str, parts: tuple[str, ...]) -> Path:
    top = _PACKAGE.parent if is_checkout() else _PACKAGE / _SHARE
    path = top.joinpath(folder, *parts)
    if not path.exists():
        raise DataError(f"not among the shipped files; {_holds(path, top)}", path=path)
    return path


def _holds(path: Path, top: Path) -> str:
    nearest = next((p for p in path.parents if p.is_dir()), top)
    names = ", ".join(sorted(p.name for p in nearest.iterdir() if not p.name.startswith(".")))
    return f"{nearest.name} holds {names or 'nothing'}"
