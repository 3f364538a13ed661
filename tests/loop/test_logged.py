"""Logs learnt twice, learnt in part, and learnt by a process that is killed."""

from __future__ import annotations

import dataclasses
import json
import random
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest

from rememberer_nb.cli import main
from rememberer_nb.elements import Decision, Episode, Record, Step, Task, Update
from rememberer_nb.errors import DataError
from rememberer_nb.loop.logged import learn_logged
from rememberer_nb.memory import ExperienceMemory
from rememberer_nb.memory.check import check_memory
from rememberer_nb.memory.operations import dump
from rememberer_nb.system.resources import data_path

ROOT = Path(__file__).resolve().parent.parent.parent
STEP = Step(0, "page 0", ("a", "b"), "page", Decision("a"), 0.0)


def logged(number: int, reward: float = 1.0) -> Episode:
    steps = (
        dataclasses.replace(STEP, observation=f"page {number % 3}"),
        dataclasses.replace(STEP, index=1, decision=Decision("b"), reward=reward, terminated=True),
    )
    task = Task(str(number), f"task {number % 2}", number)
    return Episode(f"log_{number}", "shop", "human", task, steps, "end", True)


LOG = tuple(logged(number) for number in range(6))


def lines(memory: ExperienceMemory) -> list[str]:
    return list(dump(memory))


@pytest.fixture
def straight() -> list[str]:
    memory = ExperienceMemory()
    assert learn_logged(memory, LOG) == 0
    assert (memory.n_updates, memory.n_episodes) == (12, 6)
    return lines(memory)


def test_twice_is_once(straight: list[str]) -> None:
    memory = ExperienceMemory()
    assert [learn_logged(memory, LOG) for _ in range(3)] == [0, 6, 6]
    assert lines(memory) == straight
    # A log may hold an episode twice, and metadata does not make another one of it.
    elsewhere = dataclasses.replace(logged(9), metadata={"source": "elsewhere"})
    assert learn_logged(memory, [logged(9), *LOG, logged(9), elsewhere]) == 8
    assert memory.n_episodes == 7


@pytest.mark.parametrize("n", range(6))
def test_what_was_stopped_is_continued(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, straight: list[str], n: int
) -> None:
    """In the middle of an episode, whose first half is then not there."""
    path, keep = tmp_path / "m.sqlite", ExperienceMemory.keep

    def stop(self: ExperienceMemory, record: Record, update: Update) -> None:
        if update.update_id == 2 * n + 1:
            raise KeyboardInterrupt
        keep(self, record, update)

    with ExperienceMemory.open(path) as memory:
        with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
            patch.setattr(ExperienceMemory, "keep", stop)
            learn_logged(memory, LOG)
        assert (memory.n_episodes, memory.n_updates) == (n, 2 * n)
    with ExperienceMemory.open(path) as memory:
        assert learn_logged(memory, LOG) == n
        assert lines(memory) == straight


@pytest.mark.parametrize("log", [(*LOG[4:], logged(1, 0.5)), (logged(8), logged(8, 0.5))])
def test_other_contents_are_refused_before_anything_is_learnt(log: tuple[Episode, ...]) -> None:
    memory = ExperienceMemory()
    learn_logged(memory, LOG[:3])
    before = lines(memory)
    with pytest.raises(DataError, match=r"episode 'log_[18]' of the log is known with other"):
        learn_logged(memory, log)
    assert lines(memory) == before


# As commands


BUNDLED = data_path("webshop", "logs", "bundled_shop.txt.gz")


def lines_in(path: Path) -> list[str]:
    with ExperienceMemory.open(path, read_only=True) as memory:
        return lines(memory)


def n_learnt(path: Path) -> int:
    if not path.exists():
        return -1
    with closing(sqlite3.connect(path)) as db:
        return db.execute("SELECT COUNT(*) FROM episodes").fetchone()[0]


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_an_import_that_is_killed_goes_on(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    straight = tmp_path / "straight.sqlite"
    call = ["import", "react", str(BUNDLED), "--json", "--memory"]
    assert main([*call, str(straight)]) == 0
    report = json.loads(capsys.readouterr().out)
    expected, rng = lines_in(straight), random.Random(7)
    assert report["episodes"] == 150
    path, found = tmp_path / "m.sqlite", []
    for n in sorted(rng.sample(range(-1, 140), 5)):
        command = [sys.executable, "-m", "rememberer_nb", *call, str(path)]
        process = subprocess.Popen(
            command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        # Killed once it has got so far, some moment later.
        while n_learnt(path) < n and process.poll() is None:
            time.sleep(0.01)
        time.sleep(rng.uniform(0, 0.05))
        process.kill()
        process.wait()
        found.append(n_learnt(path))
        if found[-1] >= 0:
            assert check_memory(path)["problems"] == []
    assert len(set(found)) > 3
    assert main([*call, str(path)]) == 0
    again = json.loads(capsys.readouterr().out)
    assert (again["skipped"], again["records"]) == (found[-1], report["records"])
    assert lines_in(path) == expected


def test_a_bad_line_leaves_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """All of a log is read before any of it is learnt."""
    folder, path = tmp_path / "logs", tmp_path / "m.sqlite"
    folder.mkdir()
    goal = {"asin": "B1", "instruction_text": "a lamp"}
    page = {"page": "index", "url": "http://shop/s1", "goal": goal}
    (folder / "a.jsonl").write_text(json.dumps(page) + "\n")
    (folder / "b.jsonl").write_text("nonsense\n")
    assert main(["import", "sessions", str(folder), "--memory", str(path)]) == 1
    assert "b.jsonl: line 1" in capsys.readouterr().err
    assert not path.exists()
