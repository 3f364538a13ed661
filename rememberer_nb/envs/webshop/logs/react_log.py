"""Printed WebShop transcripts of ReAct, read as they stand: raw actions, raw answers.

An episode is printed like this, the dashes included (17 above, 13 below)::

    -----------------
    <number>
    Action: reset
    Observation: <first page>

    Action: <what the LLM wrote>
    Observation: <what came back>

    <episodes so far> <mean score> <success rate> <failure rate>
    -------------

Source: github.com/ysymyth/ReAct, the notebook WebShop.ipynb; its stream outputs hold the print.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rememberer_nb.errors import TranscriptError
from rememberer_nb.system.files import read_json, read_text

# Actions of one episode. Published logs stop after 15; each keeps its whole page.
MAX_STEPS = 1000
_NUMBER = r"-?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?"
_START = re.compile(r"^-{17}\n(?P<number>\d{1,9})\n", re.ASCII | re.MULTILINE)
_END = re.compile(
    rf"^\d+ (?P<mean>{_NUMBER}) (?P<success>{_NUMBER})(?: {_NUMBER})*[ ]*\n-{{13}}[ ]*$",
    re.ASCII | re.MULTILINE,
)
# An action starts after an empty line: "Action:" inside a product's text does not.
_ACTION = re.compile(r"(?:\A|\n[ \t]*\n)Action: ?(.*)\nObservation:[ ]?")
_STRAY = re.compile(r"^Action: .*\nObservation:|^-{17}\n(\d+)$", re.ASCII | re.MULTILINE)
_HEADING = re.compile(r"^-{17}\n\d+\nAction: reset\nObservation:", re.ASCII | re.MULTILINE)
_INSTRUCTION = re.compile(r"Instruction:[^\S\n]*\n")


@dataclass(frozen=True, slots=True)
class LoggedStep:
    """One printed action, thoughts included, and the observation printed before and after it."""

    before: str
    action: str
    after: str


@dataclass(frozen=True, slots=True)
class LoggedEpisode:
    """One printed episode.

    Parameters
    ----------
    number : the number printed above the episode.
    instruction : the task, from the first page, each run of white space as one space.
    first_page : what the reset printed.
    steps : everything after the reset.
    mean_score, success_rate : the running results printed below the episode, over it and all
        episodes before it.
    where : the part of the file, for messages ("cell 3: episode 17").
    """

    number: int
    instruction: str
    first_page: str
    steps: tuple[LoggedStep, ...]
    mean_score: float
    success_rate: float
    where: str


def read_log(path: str | Path) -> tuple[LoggedEpisode, ...]:
    """Read every printed episode of a notebook (.ipynb, .json) or of a text file (anything else).

    Either may be gzipped (.ipynb.gz, .txt.gz).

    Raises
    ------
    TranscriptError
        If the file is missing, is no notebook, holds no transcript, or holds one that breaks off.
    """
    path = Path(path)
    is_notebook = Path(path.name.removesuffix(".gz")).suffix in (".ipynb", ".json")
    printed = _stream_outputs(path) if is_notebook else _plain_text(path)
    episodes = tuple(e for where, part in printed for e in _read_episodes(part, path, where))
    if not episodes:
        raise TranscriptError("holds no printed ReAct transcript", path=path)
    return episodes


def _stream_outputs(path: Path) -> list[tuple[str, str]]:
    """(where, printed text) of every cell; chunks of one cell belong together."""
    notebook = read_json(path, TranscriptError, is_strict=False)
    cells = notebook.get("cells") if isinstance(notebook, dict) else None
    if not isinstance(cells, list) or "nbformat" not in notebook:
        raise TranscriptError("is not a Jupyter notebook (format 4)", path=path)
    return [(f"cell {i}: ", _cell_output(cell, path, f"cell {i}")) for i, cell in enumerate(cells)]


def _cell_output(cell: Any, path: Path, where: str) -> str:
    outputs = cell.get("outputs", []) if isinstance(cell, dict) else None
    if not isinstance(outputs, list) or not all(isinstance(output, dict) for output in outputs):
        raise TranscriptError("is not a notebook cell", path=path, field=where)
    parts: list[str] = []
    for output in outputs:
        if output.get("output_type") == "stream" and output.get("name") == "stdout":
            text = output.get("text", "")
            lines = [text] if isinstance(text, str) else text
            if not isinstance(lines, list) or not all(isinstance(line, str) for line in lines):
                raise TranscriptError("has an output that is not text", path=path, field=where)
            parts += lines
    return "".join(parts).replace("\r\n", "\n")


def _plain_text(path: Path) -> list[tuple[str, str]]:
    text = read_text(path, TranscriptError)
    return [("", text.replace("\r\n", "\n").replace("\r", "\n"))]


def _read_episodes(text: str, path: Path, cell: str) -> Iterator[LoggedEpisode]:
    done, after = 0, "the start"
    # One search after the other from where the last one ended: each line is looked at once, however
    # many headings lack their end.
    while (start := _START.search(text, done)) and (end := _END.search(text, start.end())):
        where = f"{cell}episode {start['number']}"
        _refuse_strays(text[done : start.start()], path, f"{cell}after {after}")
        yield _read_block(start, text[start.end() : end.start()], end, path, where)
        done, after = end.end(), f"episode {start['number']}"
    _refuse_strays(text[done:], path, f"{cell}after {after}")


def _refuse_strays(text: str, path: Path, where: str) -> None:
    if found := _STRAY.search(text):
        what = f"episode {found[1]} breaks off" if found[1] else "steps outside of any episode"
        raise TranscriptError(what, path=path, field=where)


def _read_block(
    start: re.Match[str], body: str, end: re.Match[str], path: Path, where: str
) -> LoggedEpisode:
    found = list(_ACTION.finditer(body))
    if not found or found[0].start() or found[0][1].strip() != "reset":
        raise TranscriptError("does not begin with a reset", path=path, field=where)
    if _HEADING.search(body):
        raise TranscriptError("breaks off: another one begins", path=path, field=where)
    if len(found) > MAX_STEPS:
        raise TranscriptError(f"takes more than {MAX_STEPS} actions", path=path, field=where)
    scores = [float(end[name]) for name in ("mean", "success")]
    if not all(map(math.isfinite, scores)):
        raise TranscriptError("a printed result is not finite", path=path, field=where)
    stops = [match.start() for match in found[1:]] + [len(body)]
    answers = [body[match.end() : stop] for match, stop in zip(found, stops, strict=True)]
    # The print closes every answer with two newlines; one of them is left at the very end.
    answers[-1] = answers[-1].removesuffix("\n\n")
    instruction = _instruction(answers[0])
    if not instruction:
        raise TranscriptError("its first page holds no instruction", path=path, field=where)
    steps = (
        LoggedStep(before, match[1], after)
        for before, match, after in zip(answers, found[1:], answers[1:], strict=False)
    )
    return LoggedEpisode(
        number=int(start["number"]),
        instruction=instruction,
        first_page=answers[0],
        steps=tuple(steps),
        mean_score=scores[0],
        success_rate=scores[1],
        where=where,
    )


def _instruction(page: str) -> str:
    """What stands between "Instruction:" and the search button; "" if nothing does."""
    above = page[: max(0, page.rfind("\n[Search]"))]
    heading = _INSTRUCTION.search(above)
    return "" if heading is None else " ".join(above[heading.end() :].split())
