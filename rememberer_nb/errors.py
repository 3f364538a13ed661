"""Every error that this package raises on purpose.

::

    RemembererError
    ├── ConfigError           a setting is out of range, or a name is not registered   (ValueError)
    ├── DataError             a file cannot be read as what it should be; names file and field
    │   ├── CatalogueError    a shop catalogue file
    │   ├── MemoryFileError   a memory file: not a memory, damaged, or of a newer format
    │   └── TranscriptError   a logged transcript
    ├── TaskError             no such task in this environment                         (LookupError)
    ├── ReplyError            no available action can be read from an LLM's reply
    ├── LLMError              an LLM could not be asked or gave no answer
    ├── NotebookError         a notebook failed, or was given an unknown parameter
    └── MissingExtraError     an optional dependency is missing; names the extra       (ImportError)

The command line prints the message of a `RemembererError` on one line and exits with status 1
(status 2 for `ConfigError` and `TaskError`: the call was wrong).
"""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any


class RemembererError(Exception):
    """The root of the tree: catch this to catch everything above."""


class ConfigError(RemembererError, ValueError):
    """A setting is out of range or a name is not registered."""


class DataError(RemembererError):
    """A file cannot be read as what it should be.

    Parameters
    ----------
    problem : what is wrong and what was expected.
    path : the file, if there is one.
    field : where in the file: a line, a key, a product.
    """

    def __init__(self, problem: str, *, path: str | Path | None = None, field: str | None = None):
        self.path = None if path is None else Path(path)
        self.field = field
        where = ": ".join(str(part) for part in (path, field) if part is not None)
        super().__init__(f"{where}: {problem}" if where else problem)


class CatalogueError(DataError):
    """A shop catalogue file is missing, truncated, not JSON, or lacks a field."""


class MemoryFileError(DataError):
    """A memory file is no memory, is damaged, or was written by a newer version."""


class TranscriptError(DataError):
    """A log holds no transcripts, or one that cannot be followed."""


class TaskError(RemembererError, LookupError):
    """The environment has no such task."""


class ReplyError(RemembererError):
    """No available action can be read from an LLM's reply.

    >>> raise ReplyError("no action found", text="I would rather not.")
    Traceback (most recent call last):
    ...
    rememberer_nb.errors.ReplyError: no action found: 'I would rather not.'
    """

    def __init__(self, reason: str, *, text: str):
        self.reason = reason
        self.text = text
        shown = text if len(text) <= 80 else text[:77] + "..."
        super().__init__(f"{reason}: {shown!r}")

    def __reduce__(self) -> tuple[Any, ...]:
        # Worker processes hand their errors over pickled, which by default loses keywords.
        return functools.partial(ReplyError, text=self.text), (self.reason,)


class LLMError(RemembererError):
    """An LLM could not be asked, or gave no answer."""


class NotebookError(RemembererError):
    """A notebook failed to run, or was given a parameter it does not have."""


class MissingExtraError(RemembererError, ImportError):
    """An optional dependency is missing.

    >>> raise MissingExtraError("xllamacpp", extra="llama")
    Traceback (most recent call last):
    ...
    rememberer_nb.errors.MissingExtraError: xllamacpp is missing: pip install 'rememberer-nb[llama]'
    """

    def __init__(self, package: str, *, extra: str):
        self.package, self.extra = package, extra
        super().__init__(f"{package} is missing: pip install 'rememberer-nb[{extra}]'")

    def __reduce__(self) -> tuple[Any, ...]:
        return functools.partial(MissingExtraError, extra=self.extra), (self.package,)
