"""One case: a folder of its own, its generator, and what may come out of it."""

from __future__ import annotations

import contextlib
import io
import random
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from rememberer_nb.cli import main
from rememberer_nb.errors import RemembererError
from tests.fuzz.mutate import Mutator
from tests.fuzz.samples import Samples

_LONGEST_MESSAGE = 5000


class Finding(AssertionError):
    """Something came out that should not."""


class Case:
    """Inputs go to files in `folder`; every command and call is judged at once."""

    def __init__(self, rng: random.Random, folder: Path, samples: Samples):
        self.rng, self.folder, self.samples = rng, folder, samples
        self.mutator = Mutator(rng)
        self.notes: list[str] = []

    def put(self, name: str, content: str | bytes) -> Path:
        """A file with the content; half a surrogate pair is written as Python does."""
        path = self.folder / name
        data = content if isinstance(content, bytes) else content.encode("utf-8", "surrogatepass")
        path.write_bytes(data)
        return path

    def maybe_damaged(self, text: str) -> bytes:
        """As bytes: most of the time as it is, else with bytes changed."""
        data = text.encode("utf-8", "surrogatepass")
        return self.mutator.bytes(data) if self.rng.random() < 0.15 else data

    def command(self, *arguments: object, must: bool = False) -> int:
        """Run the command line; its status. `must`: only 0 will do.

        Judged: a status of 0, 1 or 2; for another than 0 exactly one message, on one line that can
        be printed; no traceback and no warning on standard error.
        """
        line = [str(argument) for argument in arguments]
        self.notes.append("rememberer-nb " + " ".join(f"{part!r:.300}" for part in line))
        out, err = _stream("strict"), _stream("backslashreplace")
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            try:
                status: Any = main(line)
            except SystemExit as stop:
                status = 0 if stop.code is None else stop.code
        shown = _text(err)
        problem = _judge(status, shown, _text(out))
        if must and status != 0 and not problem:
            problem = f"what was taken in cannot be used: status {status}"
        if problem:
            raise Finding(f"{problem}\n{self.notes[-1]}\nstandard error: {shown[-3000:]}")
        return int(status)

    def call(self, function: Callable[..., Any], *arguments: Any, **options: Any) -> Any:
        """Call a public function; a `RemembererError` with a message of one line is fine (None)."""
        self.notes.append(f"{function.__module__}.{function.__qualname__}")
        try:
            return function(*arguments, **options)
        except RemembererError as error:
            if "\n" in str(error) or not str(error):
                raise Finding(f"a message of several lines, or none: {error!r:.500}") from error
            return None


def _stream(errors: str) -> io.TextIOWrapper:
    return io.TextIOWrapper(io.BytesIO(), encoding="utf-8", errors=errors, write_through=True)


def _text(stream: io.TextIOWrapper) -> str:
    data: bytes = stream.buffer.getvalue()  # type: ignore[attr-defined]
    return data.decode("utf-8", "backslashreplace")


def _judge(status: Any, shown: str, printed: str) -> str:
    if status not in (0, 1, 2):
        return f"status {status!r}"
    for word in ("Traceback (most recent", "Warning: ", "Exception ignored"):
        if word in shown:
            return f"standard error holds {word!r}"
    # Progress bars go back to the start of their line, where the message begins.
    lines = re.split(r"[\r\n]", shown)
    messages = [line for line in lines if line.startswith("rememberer-nb")]
    if status == 0:
        return ""
    if not messages:
        # `memory check` prints what it finds.
        return "" if printed.strip() and status == 1 else "fails without a word"
    if len(messages) > 1:
        return "several messages"
    # What the parser says of the line quotes the line, which is the user's own.
    if not messages[0].isprintable() and ": error: " not in messages[0]:
        return "the message would steer the terminal"
    if not shown.rstrip("\n").endswith(messages[0]):
        return "the message is not all of it"
    return "the message is very long" if len(messages[0]) > _LONGEST_MESSAGE else ""


Target = Callable[[Case], None]
TARGETS: dict[str, Target] = {}


def target(function: Target) -> Target:
    """Make a target known by its name."""
    TARGETS[function.__name__] = function
    return function
