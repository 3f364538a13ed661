"""`train` and `evaluate` on memory files: what they start from, and what they leave alone."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from rememberer_nb.cli import main
from rememberer_nb.loop.build import Settings, build_memory
from rememberer_nb.memory import ExperienceMemory
from rememberer_nb.memory.operations import dump

SHORT = ("--tasks", "500:502", "--max-steps", "4")
TRAIN = ("train", *SHORT, "--epochs", "1")


def result_of(capsys: pytest.CaptureFixture[str], *arguments: object) -> dict:
    assert main([*map(str, arguments), "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    del result["timing"]
    return result


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_a_memory_that_began_empty(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """Nothing puts E0 into it later, and its runs say what it is."""
    path = tmp_path / "empty.sqlite"
    build_memory(Settings(initial="empty"), path).close()
    before = digest(path)
    result_of(capsys, "evaluate", *SHORT, "--memory", path)
    result_of(capsys, *TRAIN, "--estimate", "--memory", path)
    assert digest(path) == before
    trained = result_of(capsys, *TRAIN, "--memory", path)
    with ExperienceMemory.open(path) as memory:
        assert {record.source for record in memory} == {"experience"}
        assert (memory.run["parameters"]["initial"], len(memory)) == ("empty", trained["n_records"])
    assert result_of(capsys, "memory", "stats", path)["origin"]["name"] == "empty"
    # It is what it would have been at once.
    other = tmp_path / "other.sqlite"
    assert result_of(capsys, *TRAIN, "--initial", "empty", "--memory", other) == trained


def test_another_initial_memory_is_refused(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    path = tmp_path / "m.sqlite"
    result_of(capsys, *TRAIN, "--memory", path)
    before = digest(path)
    for command in (TRAIN, (*TRAIN, "--estimate"), (*TRAIN, "--resume"), ("evaluate", *SHORT)):
        call = [*command, "--initial", "empty", "--memory", str(path)]
        assert main(call) == 2
        (line,) = capsys.readouterr().err.splitlines()
        assert f"{path} started from E0, not from empty" in line
    assert digest(path) == before
    result_of(capsys, "evaluate", *SHORT, "--initial", "E0", "--memory", path)
    result_of(capsys, *TRAIN, "--initial", "E0", "--resume", "--memory", path)


def test_an_estimate_makes_no_file(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    path = tmp_path / "m.sqlite"
    absent = result_of(capsys, *TRAIN, "--estimate", "--memory", path)
    assert absent == result_of(capsys, *TRAIN, "--estimate")
    assert main(["evaluate", *SHORT, "--estimate", "--memory", str(path)]) == 1
    assert "m.sqlite: no such memory file" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_evaluation_beside_a_training(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    path = tmp_path / "m.sqlite"
    result_of(capsys, *TRAIN, "--memory", path)
    with ExperienceMemory.open(path) as writer:
        writer.lock()
        one = result_of(capsys, "evaluate", *SHORT, "--memory", path)
        result_of(capsys, *TRAIN, "--estimate", "--memory", path)
        writer.commit()
    assert result_of(capsys, "evaluate", *SHORT, "--memory", path) == one


def test_two_trainings_of_one_file(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """The same call again is another run: its episodes are its own, its report is alike."""
    path, out = tmp_path / "m.sqlite", tmp_path / "out"
    ids = []
    for number in range(2):
        folder = out / str(number)
        result_of(capsys, *TRAIN, "--memory", path, "--out", folder)
        lines = (folder / "episodes.jsonl").read_text().splitlines()
        ids.append([json.loads(line)["episode_id"] for line in lines])
    assert ids[0] == ["rememberer/0/0/0/500", "rememberer/0/0/1/501"]
    with ExperienceMemory.open(path) as memory:
        first = memory.run["first_update"]
        assert ids[1] == [f"{name}@{first}" for name in ids[0]]
        assert [episode.episode_id for episode in memory.episodes()] == [*ids[0], *ids[1]]
        n_first = sum(update.episode_id in ids[0] for update in memory.updates())
        assert n_first == first > 0


def test_a_training_on_what_was_imported(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """Made longer by two resumes, it is as if it had been so long from the start."""
    source, table = tmp_path / "source.sqlite", tmp_path / "source.jsonl"
    result_of(capsys, *TRAIN, "--memory", source)
    result_of(capsys, "export", "frame", source, "--out", table)
    lines = []
    for epochs in ((1, 2, 3), (3,)):
        path = tmp_path / f"{len(epochs)}.sqlite"
        result_of(capsys, "import", "frame", table, "--memory", path)
        for n in epochs:
            call = ("train", *SHORT, "--epochs", n, "--resume", "--memory", path)
            result = result_of(capsys, *call)
        with ExperienceMemory.open(path) as memory:
            lines.append([result, *dump(memory)])
    assert lines[0] == lines[1]
    assert len(lines[0]) > 10
