"""Parts built from names work together."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from rememberer_nb.agents import FixedExemplars, PromptingAgent
from rememberer_nb.assemble import OFFLINE_AGENTS, Settings, build_agent, build_env, build_memory
from rememberer_nb.config import RlemConfig, RolloutConfig
from rememberer_nb.errors import ConfigError
from rememberer_nb.rollout import run_episode


@pytest.fixture(scope="module")
def env():
    return build_env(Settings(rollout=RolloutConfig(max_steps=4)))


@pytest.mark.parametrize("name", OFFLINE_AGENTS)
def test_every_agent_runs(env, name: str) -> None:
    agent = build_agent(name, env)
    episode = run_episode(env, agent, 120)
    assert (episode.agent, episode.env) == (name, "webshop")
    assert 1 <= len(episode.steps) <= 4
    assert episode.terminated != episode.truncated


def test_step_limit_comes_from_the_settings(env) -> None:
    episode = run_episode(env, build_agent("random", env), 121)
    assert len(episode.steps) == 4
    assert episode.truncated


def test_a_new_memory_starts_from_the_initial_one_and_an_old_one_does_not(tmp_path: Path) -> None:
    path = tmp_path / "m.sqlite"
    with build_memory(Settings(), path) as memory:
        n_records = len(memory)
        assert n_records == 5
        assert {record.source for record in memory} == {"E0"}
        memory.remove(next(iter(memory)).record_id)
        memory.commit()
    with build_memory(Settings(), path) as memory:
        assert len(memory) == n_records - 1


def test_an_empty_memory_stays_empty() -> None:
    assert len(build_memory(dataclasses.replace(Settings(), initial="empty"))) == 0


def test_double_q_learning_gets_two_tables() -> None:
    memory = build_memory(Settings(rlem=RlemConfig(double=True)))
    assert memory.n_tables == 2
    assert all(len(v.tables) == 2 for record in memory for v in record.action_values)


def test_fixed_exemplars_are_a_seeded_draw(env) -> None:
    def exemplars(seed: int):
        agent = build_agent("fixed_exemplars", env, seed=seed)
        assert isinstance(agent, PromptingAgent)
        assert isinstance(agent.source, FixedExemplars)
        return agent.source.exemplars

    assert len(exemplars(0)) == 2
    assert exemplars(0) == exemplars(0)
    assert len({exemplars(seed) for seed in range(8)}) > 1


@pytest.mark.parametrize(
    ("settings", "agent", "match"),
    [
        (Settings(), "oracle", "no agent is named 'oracle'; known: random"),
        (Settings(llm="oracle"), "llm_only", "no LLM is named 'oracle'"),
        (Settings(initial="E9"), "fixed_exemplars", "no initial memory 'E9'"),
    ],
)
def test_unknown_names(env, settings: Settings, agent: str, match: str) -> None:
    with pytest.raises(ConfigError, match=match):
        build_agent(agent, env, settings)
