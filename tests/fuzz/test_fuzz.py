"""The fuzzer: a case or two of each kind, a short run, and that it would notice."""

from __future__ import annotations

import json
import random
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import cast

import pytest

from rememberer_nb.errors import ConfigError, DataError
from tests.fuzz import case as judged
from tests.fuzz import worker
from tests.fuzz.case import Case, Finding
from tests.fuzz.mutate import Mutator
from tests.fuzz.samples import Samples
from tests.fuzz.targets import TARGETS

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def case(tmp_path: Path) -> Case:
    """One that needs no samples."""
    return Case(random.Random(0), tmp_path, cast(Samples, None))


def run(keep: Path, n_cases: int, seed: int) -> None:
    """In processes of their own, for the limits on memory and time."""
    command = [sys.executable, "-m", "tests.fuzz", f"--cases={n_cases}", f"--seed={seed}"]
    done = subprocess.run(
        [*command, f"--keep={keep}"], capture_output=True, text=True, cwd=ROOT, timeout=580
    )
    summary = json.loads(done.stdout)
    assert summary["findings"] == [], done.stderr[-5000:]
    assert (done.returncode, summary["cases"]) == (0, n_cases)
    assert set(summary["cases_by_target"]) == set(TARGETS)


@pytest.mark.timeout(600)
def test_a_case_of_each_kind(tmp_path: Path) -> None:
    run(tmp_path, len(TARGETS), seed=0)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_short_run(tmp_path: Path) -> None:
    run(tmp_path, 400, seed=2)


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_an_unknown_target_is_refused() -> None:
    command = [sys.executable, "-m", "tests.fuzz", "--only", "moon"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, timeout=280)
    assert done.returncode == 2
    assert "no target moon; there are frame_jsonl, " in done.stderr


# That it would notice


def test_equal_seeds_make_equal_changes() -> None:
    value = {"a": [1, 2.5, "text\nof lines"], "b": {"c": None}}

    def changed(seed: int) -> tuple[str, str, bytes, str]:
        made = Mutator(random.Random(seed))
        return made.json(value), made.text("a\nb 12"), made.bytes(b"abc"), made.json_lines([1, 2])

    assert changed(1) == changed(1)
    assert len({changed(seed) for seed in range(20)}) == 20
    assert value == {"a": [1, 2.5, "text\nof lines"], "b": {"c": None}}


def prints(error: str = "", out: str = "", status: int = 0) -> Callable[[list[str]], int]:
    def main(_: list[str]) -> int:
        print(error, end="", file=sys.stderr)
        print(out, end="")
        return status

    return main


@pytest.mark.parametrize(
    ("error", "out", "status", "problem"),
    [
        ("", "done", 3, "status 3"),
        ("", "", 1, "fails without a word"),
        ("Traceback (most recent call last):\n", "", 0, "Traceback"),
        ("x.py:1: RuntimeWarning: overflow\n", "", 0, "Warning"),
        ("rememberer-nb: a\nrememberer-nb: b\n", "", 1, "several messages"),
        ("rememberer-nb: a\x1b[31m\n", "", 1, "steer the terminal"),
        ("rememberer-nb: a\nb\n", "", 1, "not all of it"),
        ("rememberer-nb: " + "a" * 9999, "", 1, "very long"),
    ],
)
def test_what_a_command_must_not_do(
    case: Case, monkeypatch: pytest.MonkeyPatch, error: str, out: str, status: int, problem: str
) -> None:
    monkeypatch.setattr(judged, "main", prints(error, out, status))
    with pytest.raises(Finding, match=problem):
        case.command("x")


def test_what_a_command_may_do(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    for error, status in (("", 0), ("bar\r   \rrememberer-nb: no\n", 1), ("rememberer-nb: x", 2)):
        monkeypatch.setattr(judged, "main", prints(error, status=status))
        assert case.command("x") == status
    with pytest.raises(Finding, match="cannot be used"):
        case.command("x", must=True)


def test_calls_are_judged(case: Case) -> None:
    def fail(error: Exception) -> None:
        raise error

    assert case.call(fail, DataError("no")) is None
    with pytest.raises(Finding, match="several lines"):
        case.call(fail, ConfigError("a\nb"))
    with pytest.raises(KeyError):
        case.call(fail, KeyError("a"))


def test_each_finding_keeps_its_inputs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(case: Case) -> None:
        case.put("x.txt", "hello")
        raise KeyError("planted")

    monkeypatch.setitem(TARGETS, "fails", fails)
    monkeypatch.setattr(worker.signal, "setitimer", lambda *_: None)
    folder = tmp_path / "case"
    folder.mkdir()
    outcome = worker._run("fails", 7, 0, 10.0, folder, tmp_path / "keep", None)
    assert (outcome.name, outcome.number) == ("fails", 7)
    assert "KeyError: 'planted'" in outcome.problem
    assert (Path(outcome.kept) / "x.txt").read_text() == "hello"
    assert "KeyError: 'planted'" in (Path(outcome.kept) / "problem.txt").read_text()


PLANTED = """
import multiprocessing, sys, time
from pathlib import Path
from tests.fuzz import run, targets
def loops(case):
    while True: pass
def waits(case):
    time.sleep(1000)
def grows(case):
    bytearray(3 << 30)
def dies(case):
    import os; os._exit(9)
targets.TARGETS.update(loops=loops, waits=waits, grows=grows, dies=dies)
if __name__ == "__main__":
    names = [f"--only={name}" for name in ("loops", "waits", "grows", "dies")]
    sys.exit(run.main([*names, "--cases=4", "--limit=0.5", f"--keep={sys.argv[1]}"]))
"""


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_loops_waits_gigabytes_and_deaths_are_found(tmp_path: Path) -> None:
    script = tmp_path / "planted.py"
    script.write_text(PLANTED)
    start = time.perf_counter()
    done = subprocess.run(
        [sys.executable, str(script), str(tmp_path / "keep")],
        capture_output=True, text=True, cwd=ROOT, timeout=280, env={"PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert done.returncode == 1, done.stderr[-3000:]
    found = {f["case"]: f["what"] for f in json.loads(done.stdout)["findings"]}
    assert found.keys() == {"loops-0", "waits-0", "grows-0", "dies-0"}
    assert "took more than 0.5 s" in found["loops-0"] and "waits" in found["waits-0"]
    assert "MemoryError" in found["grows-0"] and "the process died" in found["dies-0"]
    assert time.perf_counter() - start < 200
