"""The recorded Q tables of the published implementation case by case."""

from __future__ import annotations

import itertools
import json
from pathlib import Path

import pytest

from rememberer_nb.config import RetrievalConfig, RlemConfig
from rememberer_nb.elements import Transition
from rememberer_nb.memory import ExperienceMemory
from rememberer_nb.retrieval import JaccardSimilarity
from rememberer_nb.rlem import learn_episode


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """One test per recorded case in the folder, or one that skips."""
    if "case_path" in metafunc.fixturenames:
        folder = metafunc.config.getoption("--conformance-dir") / "rlem_conformance"
        paths = sorted(folder.glob("case_*.json"))
        skip = pytest.mark.skip(reason=f"no recorded cases in {folder}: give --conformance-dir")
        cases = [pytest.param(path, id=path.stem) for path in paths]
        metafunc.parametrize("case_path", cases or [pytest.param(None, marks=skip)])


def transitions(steps: list[dict], truncated: bool = False) -> list[Transition]:
    """A recorded step holds the action that led to its observation, and that action's reward."""
    pairs = list(itertools.pairwise(steps))
    return [
        Transition(
            observation=before["observation"],
            action=after["action"],
            reward=after["reward"],
            next_observation=after["observation"],
            terminated=i == len(pairs) - 1 and not truncated,
            truncated=i == len(pairs) - 1 and truncated,
        )
        for i, (before, after) in enumerate(pairs)
    ]


def test_rlem_case(case_path: Path) -> None:
    case = json.loads(case_path.read_text())
    given = case["config"]
    rate = None if given["update"] == "mean" else given["learning_rate"]
    config = RlemConfig(gamma=given["gamma"], n_step=given["n_step"], learning_rate=rate)
    memory = ExperienceMemory(
        RetrievalConfig(task_weight=0.0),
        observation_similarity=JaccardSimilarity(reads="both"),
    )
    for number, episode in enumerate(case["episodes"]):
        steps = transitions(episode["steps"])
        learn_episode(memory, episode["task"], steps, episode_id=str(number), config=config)
    learnt = {
        (record.task, record.observation, value.action): (value.q_value, value.n_visits)
        for record in memory
        for value in record.action_values
    }
    recorded = {
        (row["task"], row["observation"], row["action"]): (row["q"], row["visits"])
        for row in case["table"]
    }
    assert recorded
    assert learnt.keys() == recorded.keys()
    for key, (q_value, n_visits) in recorded.items():
        assert learnt[key][1] == n_visits, key
        assert learnt[key][0] == pytest.approx(q_value, abs=1e-5), key
