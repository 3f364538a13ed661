"""The agents run on the site as they run in the shop: the profile is all that differs."""

from __future__ import annotations

import dataclasses

import pytest

from rememberer_nb.config import RolloutConfig
from rememberer_nb.envs.tasks import task_numbers
from rememberer_nb.loop.build import OFFLINE_AGENTS, Settings, build_agent, build_env, build_memory
from rememberer_nb.loop.episode import run_episode
from rememberer_nb.loop.training import evaluate, train

SETTINGS = Settings(env="wikihow")
DEVELOPMENT = range(90, 96)


@pytest.fixture(scope="module")
def env():
    return build_env(SETTINGS)


@pytest.mark.parametrize("llm", ["offline", "offline:able"])
@pytest.mark.parametrize("name", OFFLINE_AGENTS)
def test_every_agent_runs(env, name: str, llm: str) -> None:
    agent = build_agent(name, env, dataclasses.replace(SETTINGS, llm=llm))
    episodes = evaluate(env, agent, DEVELOPMENT)
    for episode in episodes:
        assert (episode.agent, episode.env) == (name, "wikihow")
        assert episode.terminated != episode.truncated
        assert episode.is_success == episode.terminated
    prompting = [step.decision for e in episodes for step in e.steps if step.decision.prompt]
    for decision in prompting:
        assert "\n| Instruction: " in decision.prompt.text
        # Invalid replies are the stand-in's own slips, not the grammar's.
        assert (
            decision.error is None
            or "->" not in decision.reply.text
            or "100000" in str(decision.error)
        )


def test_fixed_exemplars_and_retrieved_ones_are_the_site_s_own(env) -> None:
    for name in ("fixed_exemplars", "rememberer"):
        episode = run_episode(env, build_agent(name, env, SETTINGS), 93)
        exemplars = episode.steps[0].decision.exemplars
        assert len(exemplars) == 2
        assert all('id="0"' in exemplar.observation for exemplar in exemplars)


def test_the_memory_learns_on_the_training_set(env) -> None:
    tasks = task_numbers("S0", len(env.tasks), "wikihow")
    memory = build_memory(SETTINGS)
    n_initial = len(memory)
    agent = build_agent("rememberer", env, SETTINGS, memory=memory)
    episodes = train(env, agent, tasks[:3], config=RolloutConfig(n_epochs=1))
    assert len(episodes) == 3
    assert len(memory) > n_initial
    learnt = [record for record in memory if record.source != "E0"]
    assert all(record.observation.split("\n")[-1].startswith("Instruction") for record in learnt)
    assert {record.task for record in learnt} <= {env.tasks[number].text for number in tasks}


def test_the_same_seed_gives_the_same_episode(env) -> None:
    one, two = (run_episode(env, build_agent("rememberer", env, SETTINGS), 97) for _ in range(2))
    assert one == two
