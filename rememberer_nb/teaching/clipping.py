"""What the cells of a notebook show, joined in linear time and clipped to what people can read."""

from __future__ import annotations

from typing import Any

from rememberer_nb.teaching.recorded import METRICS_MIME

# Characters kept of a cell's standard output, of its standard error, and of any one text.
MAX_TEXT = 100_000
# Characters of HTML, pictures and the like that a cell may show in all.
MAX_SHOWN = 10_000_000


class Stream:
    """One of a cell's streams: pieces come, and a text of bounded length stands.

    A carriage return takes its line back, as on a terminal, so that a progress bar is its last
    state only.

    >>> stream = Stream()
    >>> for piece in ("step 1", "\\rstep", " 2\\ndone"): stream.add(piece)
    >>> stream.text
    'step 2\\ndone'
    """

    def __init__(self) -> None:
        self._head, self._tail = "", ""
        self._n_left_out = 0

    def add(self, piece: str) -> None:
        """Take one piece more."""
        if "\r" in piece or "\r" in self._tail[-1:]:
            start = self._tail.rfind("\n") + 1
            self._tail = self._tail[:start] + _without_overwritten(self._tail[start:] + piece)
        else:
            self._tail += piece
        half = MAX_TEXT // 2
        if not self._head and len(self._tail) > MAX_TEXT:
            self._head, self._tail = self._tail[:half], self._tail[half:]
        if self._head and len(self._tail) > half:
            self._n_left_out += len(self._tail) - half
            self._tail = self._tail[-half:]

    @property
    def text(self) -> str:
        """All of it, or both ends and how much is left out between them."""
        return f"{self._head}{_gap(self._n_left_out)}{self._tail}" if self._head else self._tail


def _without_overwritten(text: str) -> str:
    return "\n".join(line[line.rfind("\r", 0, len(line) - 1) + 1 :] for line in text.split("\n"))


def _gap(n_left_out: int) -> str:
    return f"\n[... {n_left_out:,} characters left out ...]\n"


def clip_outputs(text: str) -> str:
    """Both ends of a text that is too long, and how much is left out."""
    n_left_out = len(text) - MAX_TEXT
    if n_left_out <= 0:
        return text
    half = MAX_TEXT // 2
    return f"{text[:half]}{_gap(n_left_out)}{text[-half:]}"


def clip_error(content: dict[str, Any]) -> None:
    """Clip the message of an error in place."""
    content["evalue"] = clip_outputs(content["evalue"])
    content["traceback"] = [clip_outputs(line) for line in content["traceback"]]


def clip_display(content: dict[str, Any], n_shown: int) -> int:
    """Clip the message of a result or a display in place; returns the characters that it shows.

    A display that exceeds `MAX_SHOWN` is left out, but for its metrics.

    Parameters
    ----------
    n_shown : characters that the cell has shown so far.
    """
    data = content["data"]
    if "text/plain" in data:
        data["text/plain"] = clip_outputs(data["text/plain"])
    n = sum(len(value) for value in data.values() if isinstance(value, str))
    if n_shown + n <= MAX_SHOWN:
        return n
    note = f"[an output of {n:,} characters left out: the cell shows too much]"
    kept = {METRICS_MIME: data[METRICS_MIME]} if METRICS_MIME in data else {}
    content["data"] = {"text/plain": note, **kept}
    return len(note)
