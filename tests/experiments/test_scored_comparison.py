"""The comparison with an LLM that scores: recorded, resumed, replayed, over tasks."""

from __future__ import annotations

import dataclasses
import importlib.util
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from rememberer_nb.analysis.metrics import by_task, paired_differences, plain_rows
from rememberer_nb.config import ChoiceConfig, PromptConfig, RolloutConfig
from rememberer_nb.elements import Prompt, Reply, TextScore
from rememberer_nb.errors import DataError, ReplayError
from rememberer_nb.experiments.comparison import CONDITIONS, Comparison, compare
from rememberer_nb.llms import protocol, register_llm
from rememberer_nb.loop.build import Settings
from rememberer_nb.system.resources import data_path
from rememberer_nb.teaching.report import comparison_numbers, comparison_text


class EchoScorer:
    """Likes what the prompt says already: each known word is worth a nat."""

    name = "echo"
    n_calls = 0

    @property
    def settings(self) -> dict[str, Any]:
        return {"llm": "echo", "version": 1}

    def complete(self, prompt: Prompt, *, seed: int = 0) -> Reply:
        raise AssertionError("no replies are asked for")

    def score(self, prompt: Prompt, candidates: Sequence[str]) -> tuple[TextScore, ...]:
        EchoScorer.n_calls += 1
        known = set(prompt.text.lower().split())
        found = []
        for text in candidates:
            words = text.lower().split()
            found.append(TextScore(-sum(1.0 - 0.9 * (w in known) for w in words), len(words)))
        return tuple(found)

    def write(self, prompt: Prompt, *, stop: Sequence[str], max_tokens: int = 24) -> Reply:
        EchoScorer.n_calls += 1
        return Reply(" ".join(prompt.text.split()[-4:-3]) or "how", prompt.n_tokens, 1)


SMALL = Comparison(
    settings=Settings(
        env="wikihow",
        llm="echo",
        rollout=RolloutConfig(n_epochs=1, max_steps=4),
        prompt=PromptConfig(template="brief", channel="completion"),
        choice=ChoiceConfig(choose="likelihood", repeats=False, training_temperature=0.5),
    ),
    train_tasks=(70, 71),
    test_tasks=(90, 91, 92),
    seeds=(0, 1),
)


@pytest.fixture(autouse=True)
def echo(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(protocol, "_FACTORIES", dict(protocol._FACTORIES))
    register_llm("echo", lambda detail, profile: EchoScorer())
    EchoScorer.n_calls = 0
    yield


def packed(folder: Path) -> bytes:
    spec = importlib.util.spec_from_file_location("pack", data_path("recordings", "pack.py"))
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.pack(sorted(folder.glob("*.jsonl")))


def replayed(path: Path) -> Comparison:
    return dataclasses.replace(
        SMALL, settings=dataclasses.replace(SMALL.settings, llm=f"replay:{path}")
    )


def test_a_recorded_comparison_is_replayed_to_the_same_table(tmp_path: Path) -> None:
    folder = tmp_path / "recordings"
    live = compare(SMALL, recordings=folder, is_shown=False)
    n_live = EchoScorer.n_calls
    assert n_live > 50
    # What was recorded is not asked for again: a stopped run goes on from there.
    assert compare(SMALL, recordings=folder, is_shown=False) == live
    assert EchoScorer.n_calls == n_live
    path = tmp_path / "both.jsonl.bz2"
    path.write_bytes(packed(folder))
    assert packed(folder) == path.read_bytes()
    assert compare(replayed(path), is_shown=False) == live
    assert EchoScorer.n_calls == n_live
    # The second seed took over from the first what both ask (the LLM alone, for one).
    assert compare(SMALL, is_shown=False) == live
    assert EchoScorer.n_calls > 2 * n_live


def test_a_replay_with_another_form_is_refused(tmp_path: Path) -> None:
    first = dataclasses.replace(SMALL, seeds=(0,))
    compare(first, recordings=tmp_path / "r", is_shown=False)
    other = replayed(tmp_path / "r" / "seed-0.jsonl")
    settings = dataclasses.replace(other.settings, prompt=PromptConfig(template="brief"))
    with pytest.raises(ReplayError, match="recorded with other tasks"):
        compare(dataclasses.replace(other, settings=settings, seeds=(0,)), is_shown=False)


def test_recordings_that_contradict_each_other_are_not_packed(tmp_path: Path) -> None:
    compare(dataclasses.replace(SMALL, seeds=(0,)), recordings=tmp_path, is_shown=False)
    path = tmp_path / "seed-0.jsonl"
    head, *lines = path.read_text().splitlines()
    scored = next(found for line in lines if "scores" in (found := json.loads(line)))
    scored["scores"][0] -= 1
    (tmp_path / "seed-9.jsonl").write_text(f"{head}\n{json.dumps(scored)}\n")
    with pytest.raises(DataError, match=r"answers .* otherwise than another file"):
        packed(tmp_path)


def test_intervals_are_over_tasks(tmp_path: Path) -> None:
    results = compare(SMALL, is_shown=False)
    assert SMALL.unit == "task"
    numbers = comparison_numbers(results, SMALL.unit)
    summary = {(row["agent"], row["metric"]): row for row in numbers["summary"]}
    for condition in CONDITIONS:
        row = summary[condition, "mean_reward"]
        assert row["n"] == len(SMALL.test_tasks)
        of_seeds = [
            each["mean_reward"]
            for result in results
            for each in result["test"]
            if each["agent"] == condition
        ]
        assert row["mean"] == pytest.approx(sum(of_seeds) / 2)
    text = comparison_text(numbers, SMALL)
    assert text.startswith(
        "3 test tasks, 2 seeds; bundled how-to site, LLM: echo; mean and 95 % bootstrap interval "
        "over tasks, each the mean over seeds"
    )
    assert "no_discouraged" in text


def test_by_task_by_hand() -> None:
    def row(agent: str, seed: int, successes: list[int], rewards: list[float]) -> dict[str, Any]:
        return {"agent": agent, "seed": seed, "successes": successes, "rewards": rewards}

    rows = [row("a", 0, [1, 0], [2.0, 0.0]), row("a", 1, [1, 1], [4.0, 1.0])]
    rows += [row("b", 0, [0, 0], [1.0, 0.5]), row("b", 1, [1, 0], [1.0, 0.5])]
    found = paired_differences(by_task(rows), [("a", "b")], "task")
    success, reward = plain_rows(found)
    # Tasks: a 1, 0.5; b 0.5, 0: differences 0.5 and 0.5. Rewards: a 3, 0.5; b 1, 0.5: 2 and 0.
    assert (success["mean"], success["low"], success["high"], success["n"]) == (0.5, 0.5, 0.5, 2)
    assert (reward["mean"], reward["low"], reward["high"]) == (1.0, 0.0, 2.0)
