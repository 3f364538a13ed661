"""The sweep over the stand-in's own settings: development tasks only, paired, told in full."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from rememberer_nb.cli import main
from rememberer_nb.config import OfflineConfig
from rememberer_nb.envs import development_tasks, task_sets
from rememberer_nb.errors import ConfigError
from rememberer_nb.experiments import stand_in
from rememberer_nb.experiments.stand_in import (
    AS_BUILT,
    BASELINES,
    VARIANTS,
    Sweep,
    run_sweep,
    run_variant,
    sweep_table,
    sweep_text,
)

SMALL = Sweep(n_seeds=2, n_train=2, n_eval=3)


@pytest.fixture(scope="module")
def rows() -> list[dict[str, Any]]:
    return run_sweep(SMALL)


def test_every_variant_is_there_for_every_seed(rows) -> None:
    found = [(row["variant"], row["seed"], row["agent"]) for row in rows]
    expected = []
    for variant in VARIANTS:
        alone = ["llm_only"] if variant == AS_BUILT else []
        agents = ["rememberer", "frozen_memory", "shuffled_values", *alone]
        expected += [(variant, seed, agent) for seed in (0, 1) for agent in agents]
    assert found == expected
    assert {row["n_episodes"] for row in rows} == {3}


def test_parallel_gives_the_same(rows) -> None:
    assert run_sweep(SMALL, n_jobs=2) == rows


def test_the_variants_change_what_their_names_say() -> None:
    built = OfflineConfig()
    assert VARIANTS[AS_BUILT] == built
    for name, config in VARIANTS.items():
        assert ("value-blind" in name) == (not config.reads_values)
        for setting in ("prior_weight", "label_weight"):
            value = getattr(config, setting)
            assert (f"{setting} {value:g}" in name) == (value != getattr(built, setting))
        assert (config.strength, config.temperature) == ("novice", built.temperature)
    assert len(set(VARIANTS.values())) == len(VARIANTS)


@pytest.mark.parametrize("env", ["webshop", "wikihow"])
def test_no_test_task_is_touched(monkeypatch: pytest.MonkeyPatch, env: str) -> None:
    touched: dict[str, set[int]] = {"train": set(), "evaluate": set()}
    for name in touched:
        real = getattr(stand_in, name)

        def spy(world, agent, tasks, *, name=name, real=real, **more):
            touched[name] |= set(tasks)
            return real(world, agent, tasks, **more)

        monkeypatch.setattr(stand_in, name, spy)
    run_variant(Sweep(env, n_train=2, n_eval=3), AS_BUILT, 0)
    first = development_tasks(env)[0]
    assert touched == {"train": {first, first + 1}, "evaluate": {first + 2, first + 3, first + 4}}
    assert not any(
        set(tasks) & (touched["train"] | touched["evaluate"]) for tasks in task_sets(env).values()
    )


def test_the_llm_alone_serves_for_all_variants(monkeypatch: pytest.MonkeyPatch, rows) -> None:
    """It sees no advice, so how advice is weighed changes nothing."""
    monkeypatch.setattr(stand_in, "VARIANTS", {AS_BUILT: VARIANTS["value-blind, label_weight 0.2"]})
    blind = run_variant(SMALL, AS_BUILT, 1)[-1]
    assert blind in rows
    assert blind["agent"] == "llm_only"


def _row(variant: str, agent: str, seed: int, reward: float) -> dict[str, Any]:
    metrics = {"success_rate": reward / 2, "mean_reward": reward}
    return {"variant": variant, "agent": agent, "seed": seed, **metrics}


def test_the_table_by_hand() -> None:
    made = []
    for seed in (0, 1):
        made += [_row(AS_BUILT, "llm_only", seed, 0.1 + seed)]
        made += [_row(AS_BUILT, "rememberer", seed, 0.4 + seed)]
        made += [_row("blind", "rememberer", seed, 0.2 + seed)]
        for variant in (AS_BUILT, "blind"):
            made += [_row(variant, "frozen_memory", seed, 0.3)]
            made += [_row(variant, "shuffled_values", seed, seed)]
    table = sweep_table(made)
    means = {
        (row.variant, row.baseline): row.mean
        for row in table[table.metric == "mean_reward"].itertuples()
    }
    # Seeds 0 and 1: as built 0.4 and 1.4, blind 0.2 and 1.2, the LLM alone 0.1 and 1.1.
    assert means == pytest.approx(
        {
            (AS_BUILT, "llm_only"): 0.3,
            (AS_BUILT, "frozen_memory"): 0.6,
            (AS_BUILT, "shuffled_values"): 0.4,
            ("blind", "llm_only"): 0.1,
            ("blind", "frozen_memory"): 0.4,
            ("blind", "shuffled_values"): 0.2,
            ("blind", AS_BUILT): -0.2,
        }
    )
    same = table[(table.variant == "blind") & (table.baseline == AS_BUILT)]
    assert list(same.is_clear) == [True, True]


def test_the_text_holds_every_difference(rows) -> None:
    table = sweep_table(rows).to_dict("records")
    lines = sweep_text(table, SMALL).split("\n")
    assert lines[0].startswith("webshop: 3 development tasks, trained on 2 others, seeds 0 to 1")
    assert [line[10:] for line in lines if line.startswith("stand-in: ")] == list(VARIANTS)
    n_rows = len(VARIANTS) * (len(BASELINES) + 1) - 1
    assert sum(line.startswith("  ") for line in lines) == n_rows == len(table) / 2


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"n_seeds": 0}, "--n-seeds must be a whole number"),
        ({"n_train": 0}, "got 0 and 30"),
        ({"n_eval": 400}, "there are 400 development tasks of 'webshop'.*got 10 and 400"),
        ({"env": "moon"}, "no environment is named 'moon'"),
    ],
)
def test_sweeps_are_checked(changes: dict[str, Any], problem: str) -> None:
    with pytest.raises(ConfigError, match=problem):
        Sweep(**changes)


def test_command(capsys, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    few = {name: VARIANTS[name] for name in (AS_BUILT, "value-blind")}
    monkeypatch.setattr(stand_in, "VARIANTS", few)
    call = ["compare", "--stand-in-sweep", "--n-seeds", "1", "--jobs", "1"]
    assert main([*call, "--json", "--out", str(tmp_path)]) == 0
    result = json.loads(capsys.readouterr().out)
    assert (result["env"], result["n_seeds"]) == ("webshop", 1)
    assert {row["variant"] for row in result["differences"]} == set(few)
    assert {row["low"] for row in result["differences"]} == {None}
    assert main(call) == 0
    assert capsys.readouterr().out == (tmp_path / "stand_in.txt").read_text()
    assert main([*call, "--env", "moon"]) == 2


@pytest.mark.parametrize(
    ("given", "complaint"),
    [
        (["--set", "rlem.gamma=0.9"], "the sweep varies the stand-in's settings alone"),
        (["--set", "run.llm=offline:able"], "the sweep varies the stand-in's settings alone"),
        (["--set", "run.seeds=3:5"], "the sweep begins with seed 0, not 3"),
    ],
)
def test_what_a_sweep_would_pass_over_is_refused(capsys, given: list[str], complaint: str) -> None:
    assert main(["compare", "--stand-in-sweep", *given]) == 2
    assert complaint in capsys.readouterr().err
