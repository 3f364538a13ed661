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
    │   ├── LLMUnavailableError   no answer after all tries: refused, cut off, 429, 5xx
    │   ├── LLMTimeoutError       no answer in time
    │   ├── LLMRequestError       the server refuses this one request (400, 413, 422)
    │   ├── LLMResponseError      an answer that holds no whole reply; `name` says in what way
    │   └── LLMStopError          asking again cannot help: the run stops
    │       ├── LLMAuthError      no key, or the server refuses it (401, 403)
    │       ├── LLMEndpointError  no such model or address (404)
    │       ├── LLMQuotaError     the account has nothing left
    │       ├── LLMOutageError    too many calls in a row failed
    │       ├── BudgetError       the run's own budget is used up
    │       └── ReplayError       the recording lacks this request
    ├── NotebookError         a notebook failed, or its kernel died
    ├── WorkerError           a worker process was killed, by a lack of memory perhaps
    ├── CheckError            a part breaks a promise of its protocol              (AssertionError)
    └── MissingExtraError     an optional dependency is missing; names the extra       (ImportError)

The command line prints the message of a `RemembererError` on one line and exits with status 1
(status 2 for `ConfigError` and `TaskError`: the call was wrong).
"""

from __future__ import annotations

import functools
import re
import reprlib
from pathlib import Path
from typing import Any

# C0 (but newline and tab), DEL and C1; marks of direction, embeddings, overrides and isolates;
# separators of lines and paragraphs; deprecated and interlinear controls; surrogates; no characters
_UNFIT = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u206f\ufff9-\ufffb"
    "\ufffe\uffff\ud800-\udfff]"
)


def printable(text: str) -> str:
    """The text with everything that acts or cannot be written as an escape, as in JSON.

    Newlines and tabs stay; a carriage return before a newline goes. In a JSON text nothing changes
    but how it is written.

    >>> printable("red \\x1b[31m and \\u202e right to left")
    'red \\\\u001b[31m and \\\\u202e right to left'
    """
    return _UNFIT.sub(lambda found: f"\\u{ord(found[0]):04x}", text.replace("\r\n", "\n"))


class RemembererError(Exception):
    """The root of the tree: catch this to catch everything above."""


def shown(value: object) -> str:
    """A value in a message: at most 80 characters, however large or deep it is.

    >>> shown({"a": [1, 2.5]}), len(shown("x" * 1000))
    ("{'a': [1, 2.5]}", 80)
    """
    text = _SHORT.repr(value)
    return text if len(text) <= 80 else text[:77] + "..."


_SHORT = reprlib.Repr()
_SHORT.maxstring = _SHORT.maxlong = _SHORT.maxother = 80


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
        self.problem = problem
        self.path = None if path is None else Path(path)
        self.field = field
        where = ": ".join(str(part) for part in (path, field) if part is not None)
        # What stood in a file may steer a terminal, or look like a line of another program.
        text = printable(f"{where}: {problem}" if where else problem)
        super().__init__(text.replace("\n", "\\n").replace("\t", "\\t"))


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
    """An LLM could not be asked, or gave no answer.

    `name` is what the error is counted under; `reply` what was received and paid for all the same,
    if anything (a `Reply`).
    """

    name = "llm"

    def __init__(self, problem: str, *, reply: Any = None):
        self.reply = reply
        super().__init__(problem)

    def __reduce__(self) -> tuple[Any, ...]:
        return functools.partial(type(self), reply=self.reply), (str(self),)


class LLMUnavailableError(LLMError):
    """No answer after all tries: connections refused or cut off, 429, 5xx."""

    name = "unavailable"


class LLMTimeoutError(LLMError):
    """No answer in time."""

    name = "timeout"


class LLMRequestError(LLMError):
    """The server refuses this one request, which may be too long, say; others may do."""

    name = "refused_request"


class LLMResponseError(LLMError):
    """An answer that holds no whole reply.

    Parameters
    ----------
    problem : one line for people.
    name : "not_json", "empty_choices", "null_content", "only_reasoning", "truncated",
        "content_filter", "wrong_schema", "wrong_usage", "wrong_embeddings", "wrong_encoding" or
        "too_large".

    >>> LLMResponseError("the reply ends in mid-sentence", name="truncated").name
    'truncated'
    """

    def __init__(self, problem: str, *, name: str, reply: Any = None):
        super().__init__(problem, reply=reply)
        self.name = name

    def __reduce__(self) -> tuple[Any, ...]:
        rebuild = functools.partial(LLMResponseError, name=self.name, reply=self.reply)
        return rebuild, (str(self),)


class LLMStopError(LLMError):
    """Asking again cannot help: no fallback is taken, the run stops, what is finished is kept."""

    name = "stop"


class LLMAuthError(LLMStopError):
    """There is no key, or the server refuses it."""

    name = "auth"


class LLMEndpointError(LLMStopError):
    """The server knows no such model or address."""

    name = "endpoint"


class LLMQuotaError(LLMStopError):
    """The account has nothing left to spend."""

    name = "quota"


class LLMOutageError(LLMStopError):
    """Too many calls in a row failed: whatever was measured now would not be the LLM."""

    name = "outage"


class BudgetError(LLMStopError):
    """The run's own budget of calls, tokens or money is used up."""

    name = "budget"


class ReplayError(LLMStopError):
    """The recording lacks a request."""

    name = "replay"


class NotebookError(RemembererError):
    """A notebook failed to run.

    Parameters
    ----------
    problem : one line for people.
    cell : the number in brackets of the cell that failed, if one did.
    cause : the error's last line: "KeyError: 'lost'".
    has_died : whether its kernel ended.
    """

    def __init__(
        self, problem: str, *, cell: int | None = None, cause: str = "", has_died: bool = False
    ):
        self.cell, self.cause, self.has_died = cell, cause or problem, has_died
        super().__init__(problem)


class WorkerError(RemembererError):
    """A worker process ended before its work did."""


class CheckError(RemembererError, AssertionError):
    """A part breaks a promise of its protocol; found by `rememberer_nb.testing`.

    >>> raise CheckError("check_llm: name", "a text", 7)
    Traceback (most recent call last):
    ...
    rememberer_nb.errors.CheckError: check_llm: name: expected a text, found 7
    """

    def __init__(self, check: str, expected: str, found: object):
        self.check, self.expected, self.found = check, expected, found
        super().__init__(check, expected, found)

    def __str__(self) -> str:
        return printable(f"{self.check}: expected {self.expected}, found {shown(self.found)}")


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
