"""The comparison: paired, resumable, the same in parallel."""

from __future__ import annotations

import dataclasses
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from rememberer_nb.config import RolloutConfig
from rememberer_nb.errors import ConfigError, DataError, WorkerError
from rememberer_nb.experiments.comparison import CONDITIONS, PAIRS, Comparison, compare, run_seed
from rememberer_nb.loop.build import Settings
from rememberer_nb.system.resources import data_path
from rememberer_nb.teaching.report import comparison_numbers, comparison_text

SMALL = Comparison(
    settings=Settings(rollout=RolloutConfig(n_epochs=2)),
    train_tasks=(500, 501),
    test_tasks=(100, 101, 102),
    seeds=(0, 1),
)


@pytest.fixture(scope="module")
def results():
    return compare(SMALL, is_shown=False)


def test_every_condition_has_a_row_per_seed(results) -> None:
    for result in results:
        assert [row["agent"] for row in result["test"]] == list(CONDITIONS)
        assert {row["n_episodes"] for row in result["test"]} == {3}
        assert [(row["agent"], row["epoch"]) for row in result["training"]] == [
            (agent, epoch) for agent in ("rememberer", "rememberer_from_empty") for epoch in (0, 1)
        ]
        assert result["n_records"]["rememberer"] > 5


def test_parallel_gives_the_same(results) -> None:
    assert compare(SMALL, n_jobs=2, is_shown=False) == results


def test_a_seed_alone_gives_the_same(results) -> None:
    assert run_seed(SMALL, 1) == results[1]


def test_finished_seeds_are_not_run_again(tmp_path: Path, results, monkeypatch) -> None:
    path = tmp_path / "c.jsonl"
    first = dataclasses.replace(SMALL, seeds=(0,))
    assert compare(first, path=path, is_shown=False) == results[:1]
    run: list[int] = []

    def spy(comparison: Comparison, seed: int):
        run.append(seed)
        return run_seed(comparison, seed)

    monkeypatch.setattr("rememberer_nb.experiments.comparison.run_seed", spy)
    assert compare(SMALL, path=path, is_shown=False) == results
    assert run == [1]


def test_a_line_cut_off_half_way_is_run_again(tmp_path: Path, results) -> None:
    path = tmp_path / "c.jsonl"
    compare(SMALL, path=path, is_shown=False)
    whole = path.read_bytes()
    path.write_bytes(whole[:-20])
    assert compare(SMALL, path=path, is_shown=False) == results
    assert path.read_bytes() == whole


@pytest.mark.parametrize("content", ["hello", '{"a": 1}\n', '[1]\n{"seed": 0}\n', ""])
def test_another_file_is_refused_and_kept(tmp_path: Path, content: str) -> None:
    path = tmp_path / "c.jsonl"
    path.write_text(content)
    with pytest.raises(DataError, match=r"c\.jsonl"):
        compare(SMALL, path=path, is_shown=False)
    assert path.read_text() == content


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        (b'{"seed": "\xff"}', "expected JSON in UTF-8"),
        (b"[" * 100_000, "expected JSON in UTF-8"),
        (b"[1, 2", "expected JSON in UTF-8"),
        (b'{"seed": 1}', "expected a finished seed"),
        (b"[" * 300 + b"]" * 300, "expected a finished seed"),
        (b'{"seed": [1], "test": [], "training": [], "n_records": {}}', "expected a finished seed"),
    ],
)
def test_a_line_that_is_no_finished_seed_is_named(
    tmp_path: Path, results, line: bytes, problem: str
) -> None:
    path = tmp_path / "c.jsonl"
    compare(dataclasses.replace(SMALL, seeds=(0,)), path=path, is_shown=False)
    content = path.read_bytes() + line + b"\n"
    path.write_bytes(content)
    with pytest.raises(DataError, match=rf"c\.jsonl: line 3: {problem}"):
        compare(SMALL, path=path, is_shown=False)
    assert path.read_bytes() == content


@pytest.mark.parametrize(
    "change",
    [
        {"seed": True},
        {"seed": -1},
        {"n_records": {"rememberer": "7"}},
        {"training": []},
        {"test": [{"agent": "random", "seed": 0, "success_rate": 0.5, "mean_reward": 0.5}]},
    ],
)
def test_values_of_wrong_types_are_refused(tmp_path: Path, results, change: dict) -> None:
    path = tmp_path / "c.jsonl"
    first = dataclasses.replace(SMALL, seeds=(0,))
    compare(first, path=path, is_shown=False)
    head, _ = path.read_text().splitlines()
    path.write_text(f"{head}\n{json.dumps({**results[0], **change})}\n")
    with pytest.raises(DataError, match="line 2: expected a finished seed"):
        compare(first, path=path, is_shown=False)
    row = {**results[0]["test"][0], "success_rate": float("nan")}
    path.write_text(f"{head}\n{json.dumps({**results[0], 'test': [row]})}\n")
    with pytest.raises(DataError, match="line 2: expected a finished seed"):
        compare(first, path=path, is_shown=False)


@pytest.mark.parametrize("n_jobs", [0, -1, 10**9, 1.5])
def test_silly_numbers_of_processes_are_refused(n_jobs: float) -> None:
    with pytest.raises(ConfigError, match="--jobs must be a whole number from 1 to 1024"):
        compare(SMALL, n_jobs=n_jobs, is_shown=False)


def _die(*_: object) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


@pytest.mark.slow
def test_a_worker_that_is_killed_is_one_error(monkeypatch) -> None:
    monkeypatch.setattr("rememberer_nb.experiments.comparison._in_worker", _die)
    with pytest.raises(WorkerError, match="a worker process was killed"):
        compare(SMALL, n_jobs=2, is_shown=False)


def children(pid: int) -> list[int]:
    """All processes below one."""
    found = [pid]
    for above in found:
        for path in Path(f"/proc/{above}/task").glob("*/children"):
            found += map(int, path.read_text().split())
    return found[1:]


def is_running(pid: int) -> bool:
    """Whether there is such a process, and no zombie."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False
    return stat.rpartition(")")[2].split()[0] != "Z"


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="looks for children in /proc")
@pytest.mark.parametrize(
    ("sent", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGKILL, -9)]
)
def test_no_worker_outlives_the_command(tmp_path: Path, sent: int, status: int) -> None:
    kept = tmp_path / "c" / "comparison.jsonl"
    call = [sys.executable, "-m", "rememberer_nb", "compare", "--n-seeds", "20", "--json"]
    with (tmp_path / "out").open("w") as out, (tmp_path / "err").open("w") as err:
        process = subprocess.Popen([*call, "--out", str(tmp_path / "c")], stdout=out, stderr=err)
    try:
        deadline = time.monotonic() + 90
        while not kept.exists() or kept.read_text().count("\n") < 2:
            assert process.poll() is None and time.monotonic() < deadline
            time.sleep(0.1)
        below = children(process.pid)
        assert len(below) >= 2
        process.send_signal(sent)
        assert process.wait(10) == status
        time.sleep(2)
        assert [pid for pid in below if is_running(pid)] == []
    finally:
        process.kill()
        process.wait()
    assert (tmp_path / "out").read_text() == ""
    assert "Traceback" not in (tmp_path / "err").read_text()
    assert kept.read_text().count("\n") >= 2


def test_another_comparison_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "c.jsonl"
    compare(dataclasses.replace(SMALL, seeds=(0,)), path=path, is_shown=False)
    other = dataclasses.replace(SMALL, test_tasks=(103,))
    with pytest.raises(DataError, match=r"other settings or tasks: comparison\.test_tasks: \["):
        compare(other, path=path, is_shown=False)


def test_finished_seeds_belong_to_what_is_behind_the_names(tmp_path: Path, monkeypatch) -> None:
    """The stand-in, a file of demonstrations or the shop may be another under the same name."""
    path, initial = tmp_path / "c.jsonl", tmp_path / "mine.json"
    content = json.loads(data_path("webshop", "E0.json").read_text(encoding="utf-8"))
    initial.write_text(json.dumps(content), encoding="utf-8")
    nothing = dataclasses.replace(
        SMALL, settings=dataclasses.replace(SMALL.settings, initial=str(initial)), seeds=()
    )
    assert compare(nothing, path=path, is_shown=False) == []
    assert compare(nothing, path=path, is_shown=False) == []
    with monkeypatch.context() as patch:
        patch.setattr("rememberer_nb.llms.offline.llm.VERSION", 0)
        with pytest.raises(DataError, match=r"identity\.agent\.llm\.version: \d+, now 0$"):
            compare(nothing, path=path, is_shown=False)
    content["records"][0]["actions"][0]["q_value"] = 0.5
    initial.write_text(json.dumps(content), encoding="utf-8")
    with pytest.raises(DataError, match=r"identity\.initial: '\w+', now '\w+'$"):
        compare(nothing, path=path, is_shown=False)


def test_the_table_shows_every_condition_and_difference(results) -> None:
    numbers = comparison_numbers(results)
    json.dumps(numbers, allow_nan=False)
    text = comparison_text(numbers, SMALL)
    for condition in CONDITIONS:
        assert f"\n{condition} " in text
    for agent, baseline in PAIRS:
        assert f"{agent} - {baseline}" in text
    assert "3 test tasks, 2 seeds" in text
