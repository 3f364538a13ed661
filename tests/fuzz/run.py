"""Fuzzing of everything that people, files and servers hand in: ``python -m tests.fuzz``.

Valid inputs of every kind are damaged by a seeded generator and given to the real commands and
readers. Each case must end in success or in one clear `RemembererError`: no other exception, no
warning, no hang, no gigabyte. A case is named by its target and number, and depends on these and on
the seed alone; the inputs of each finding are kept.

    python -m tests.fuzz --cases 10000              # by hand; about half an hour
    python -m tests.fuzz --only pool --first 17 --cases 1    # one case again
"""

from __future__ import annotations

import argparse
import collections
import contextlib
import json
import multiprocessing
import os
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any

from tqdm import tqdm

from tests.fuzz.worker import PATIENCE, Outcome, work

# Seconds to start a worker, and for one to notice by itself that its case hangs.
_STARTING_S, _GRACE_S = 300, 30


@dataclass
class _Worker:
    """A process and the case it is at; `since` is when it got it."""

    process: Any
    pipe: Connection
    since: float = field(default_factory=time.monotonic)
    case: tuple[str, int] | None = None


class _Pool:
    """Workers that are given cases, watched, and replaced when they hang or die."""

    def __init__(self, args: argparse.Namespace, cases: Iterator[tuple[str, int]], scratch: str):
        self._args, self._cases, self._scratch = args, cases, scratch
        self._workers: list[_Worker] = []

    def outcomes(self) -> Iterator[Outcome]:
        """Of all cases, as they come."""
        try:
            self._workers = [self._start() for _ in range(self._args.jobs)]
            while self._workers:
                ready = set(wait([worker.pipe for worker in self._workers], timeout=0.5))
                for worker in list(self._workers):
                    outcome = self._look_after(worker, worker.pipe in ready)
                    if outcome is not None:
                        yield outcome
        finally:
            for worker in self._workers:
                worker.process.kill()
                worker.process.join()

    def _start(self) -> _Worker:
        mine, theirs = multiprocessing.Pipe()
        context = multiprocessing.get_context("spawn")
        folder = Path(tempfile.mkdtemp(dir=self._scratch))
        given = (theirs, folder, self._args.seed, self._args.limit, self._args.keep)
        process = context.Process(target=work, args=given, daemon=True)
        process.start()
        theirs.close()
        return _Worker(process, mine)

    def _look_after(self, worker: _Worker, is_ready: bool) -> Outcome | None:
        waited = time.monotonic() - worker.since
        if is_ready:
            try:
                outcome: Outcome | None = worker.pipe.recv()
            except EOFError:
                return self._replace(worker, "the process died", waited)
            self._hand_out(worker)
            return outcome
        most = _STARTING_S if worker.case is None else PATIENCE * self._args.limit + _GRACE_S
        return self._replace(worker, "hangs", waited) if waited > most else None

    def _hand_out(self, worker: _Worker) -> None:
        worker.case, worker.since = next(self._cases, None), time.monotonic()
        worker.pipe.send(worker.case)
        if worker.case is None:
            self._workers.remove(worker)
            worker.process.join()

    def _replace(self, worker: _Worker, problem: str, waited: float) -> Outcome:
        self._workers.remove(worker)
        worker.process.kill()
        worker.process.join()
        if worker.case is None:
            raise RuntimeError(f"a worker {problem} before its first case")
        self._workers.append(self._start())
        return Outcome(*worker.case, waited, f"{problem} (status {worker.process.exitcode})")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the cases; 0 if nothing was found, else 1."""
    args = _parse(arguments)
    # Before numpy is loaded: idle threads only blur the limit on memory.
    os.environ.update(OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1", MALLOC_ARENA_MAX="2")
    start = time.perf_counter()
    done = list(_run_cases(args))
    found = [outcome for outcome in done if outcome.problem]
    slowest = max(done, key=lambda outcome: outcome.seconds, default=Outcome("", 0, 0.0))
    n_cases = collections.Counter(outcome.name for outcome in done)
    summary = {
        "seed": args.seed,
        "cases": sum(n_cases.values()),
        "cases_by_target": dict(n_cases),
        "findings": [
            {"case": f"{o.name}-{o.number}", "what": _last_line(o.problem), "kept": o.kept}
            for o in found
        ],
        "slowest": {"case": f"{slowest.name}-{slowest.number}", "s": round(slowest.seconds, 2)},
        "seconds": round(time.perf_counter() - start, 1),
    }
    print(json.dumps(summary, indent=1))
    return 1 if found or summary["cases"] < args.cases else 0


def _run_cases(args: argparse.Namespace) -> Iterator[Outcome]:
    """The outcomes, told as they come; what there is of them where it is interrupted."""
    names = args.only or _target_names()
    cases = ((names[i % len(names)], args.first + i // len(names)) for i in range(args.cases))
    with (
        tempfile.TemporaryDirectory(prefix="fuzz-") as scratch,
        contextlib.suppress(KeyboardInterrupt),
    ):
        outcomes = _Pool(args, cases, scratch).outcomes()
        for outcome in tqdm(outcomes, total=args.cases, desc="fuzz", unit="case", mininterval=0.5):
            if outcome.problem:
                tqdm.write(_describe(outcome, args.seed), file=sys.stderr)
            yield outcome


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m tests.fuzz",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--cases", type=int, default=1000, help="how many, over all targets (1000)")
    parser.add_argument("--seed", type=int, default=0, help="of all changes (0)")
    parser.add_argument("--only", action="append", metavar="NAME", help="a target; may be repeated")
    parser.add_argument("--first", type=int, default=0, help="number of the first case (0)")
    parser.add_argument("--jobs", type=int, default=2, help="processes (2)")
    parser.add_argument(
        "--limit", type=float, default=10.0, help="seconds of processor time for a case (10)"
    )
    parser.add_argument(
        "--keep", type=Path, default=Path("build/fuzz"), help="folder for inputs (build/fuzz)"
    )
    args = parser.parse_args(arguments)
    if unknown := sorted(set(args.only or ()) - set(_target_names())):
        parser.error(f"no target {', '.join(unknown)}; there are {', '.join(_target_names())}")
    return args


def _target_names() -> list[str]:
    from tests.fuzz.targets import TARGETS

    return list(TARGETS)


def _describe(outcome: Outcome, seed: int) -> str:
    again = f"--seed {seed} --only {outcome.name} --first {outcome.number} --cases 1"
    return (
        f"\n{outcome.name}-{outcome.number} ({again}), inputs in {outcome.kept}\n{outcome.problem}"
    )


def _last_line(problem: str) -> str:
    lines = [line for line in problem.splitlines() if line.strip()]
    return lines[-1][:300] if lines else ""
