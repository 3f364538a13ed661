"""The process that runs cases: limits on it, and what it says of each."""

from __future__ import annotations

import importlib
import random
import resource
import shutil
import signal
import sys
import time
import traceback
import warnings
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from types import FrameType
from typing import Any

MAX_BYTES = 1 << 30
# How many times its processor time a case may take by the clock.
PATIENCE = 6


class OutOfTimeError(BaseException):
    """A case has used up its processor time; no `Exception`, so that nobody handles it."""


@dataclass(frozen=True)
class Outcome:
    """A case that is done: what was found (nothing: ""), and where its inputs were kept."""

    name: str
    number: int
    seconds: float
    problem: str = ""
    kept: str = ""


def work(pipe: Connection, scratch: Path, seed: int, cpu_s: float, keep: Path) -> None:
    """Run the cases (name, number) that come through the pipe, in an empty folder; None ends it."""
    # Loaded here: the process that watches needs none of it.
    from tests.fuzz.samples import make_samples

    home, folder = scratch / "samples", scratch / "case"
    home.mkdir()
    samples = make_samples(home)
    # Loads papermill and much else, which would count for the case that needs it first.
    importlib.import_module("rememberer_nb.teaching.suite")
    for number in (signal.SIGVTALRM, signal.SIGALRM):
        signal.signal(number, _stop)
    warnings.simplefilter("error", RuntimeWarning)
    warnings.simplefilter("error", SyntaxWarning)
    _limit_memory()
    pipe.send(None)
    while (case := pipe.recv()) is not None:
        folder.mkdir()
        pipe.send(_run(*case, seed, cpu_s, folder, keep, samples))
        shutil.rmtree(folder)


def _run(
    name: str, number: int, seed: int, cpu_s: float, folder: Path, keep: Path, samples: Any
) -> Outcome:
    from tests.fuzz.case import Case
    from tests.fuzz.targets import TARGETS

    case = Case(random.Random(f"{seed}:{name}:{number}"), folder, samples)
    start, problem = time.perf_counter(), ""
    try:
        # The processor's time ends a loop, whatever else the machine does; the clock a wait.
        signal.setitimer(signal.ITIMER_VIRTUAL, cpu_s)
        signal.setitimer(signal.ITIMER_REAL, PATIENCE * cpu_s)
        TARGETS[name](case)
    except OutOfTimeError:
        problem = f"{traceback.format_exc()}took more than {cpu_s:g} s, or waits for ever"
    except Exception:
        # Whatever it is: that it came out here is the finding.
        problem = traceback.format_exc()
    finally:
        for timer in (signal.ITIMER_VIRTUAL, signal.ITIMER_REAL):
            signal.setitimer(timer, 0)
    seconds = time.perf_counter() - start
    if not problem:
        return Outcome(name, number, seconds)
    notes = "\n".join(case.notes)
    return Outcome(
        name, number, seconds, problem, _keep(keep, name, number, folder, notes, problem)
    )


def _keep(keep: Path, name: str, number: int, folder: Path, notes: str, problem: str) -> str:
    to = keep / f"{name}-{number}"
    shutil.rmtree(to, ignore_errors=True)
    to.mkdir(parents=True)
    text = f"{notes}\n\n{problem}"
    (to / "problem.txt").write_text(text, encoding="utf-8", errors="backslashreplace")
    for path in folder.rglob("*"):
        if path.is_file() and not path.is_symlink():
            beside = to / path.relative_to(folder)
            beside.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(path, beside)
    return str(to)


def _stop(signal_number: int, frame: FrameType | None) -> None:
    raise OutOfTimeError


def _limit_memory() -> None:
    """A gigabyte more than what the process has now: beyond, Python raises `MemoryError`."""
    if sys.platform == "linux":
        pages = int(Path("/proc/self/statm").read_text().split()[0])
        most = pages * resource.getpagesize() + MAX_BYTES
        resource.setrlimit(resource.RLIMIT_AS, (most, resource.getrlimit(resource.RLIMIT_AS)[1]))
