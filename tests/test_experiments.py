"""The comparison: paired, resumable, the same in parallel."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest

from rememberer_nb.assemble import Settings
from rememberer_nb.config import RolloutConfig
from rememberer_nb.errors import DataError
from rememberer_nb.experiments import CONDITIONS, PAIRS, Comparison, compare, run_seed
from rememberer_nb.report import comparison_numbers, comparison_text
from rememberer_nb.resources import data_path

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

    monkeypatch.setattr("rememberer_nb.experiments.run_seed", spy)
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
