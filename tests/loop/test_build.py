"""Parts built from names work together."""

from __future__ import annotations

import dataclasses
import json
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from rememberer_nb.agents.baselines import FixedExemplars
from rememberer_nb.agents.prompting_agent import PromptingAgent
from rememberer_nb.agents.rememberer import rememberer
from rememberer_nb.agents.telling import describe_agent
from rememberer_nb.config import ExemplarConfig, PromptConfig, RlemConfig, RolloutConfig
from rememberer_nb.elements import ActionValue, Record, Situation, StepRandom, Task
from rememberer_nb.errors import ConfigError, MemoryFileError
from rememberer_nb.llms import OfflineLLM
from rememberer_nb.loop.build import (
    AGENTS,
    OFFLINE_AGENTS,
    Settings,
    build_agent,
    build_env,
    build_memory,
)
from rememberer_nb.loop.episode import run_episode
from rememberer_nb.memory import ExperienceMemory
from rememberer_nb.memory.initial import read_initial
from rememberer_nb.memory.operations import filter_records, merge
from rememberer_nb.memory.origin import origin_in, origin_of
from rememberer_nb.prompting.prompts import format_exemplar
from rememberer_nb.system.resources import data_path
from tests.envs.toy.corridor import Walker


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


EMPTY = Settings(initial="empty")
E0_SHA256 = origin_of("E0", read_initial("E0"))["sha256"]


def test_an_empty_memory_stays_empty(tmp_path: Path) -> None:
    assert len(build_memory(EMPTY)) == 0
    path = tmp_path / "m.sqlite"
    for settings in (EMPTY, Settings(), EMPTY):
        with build_memory(settings, path) as memory:
            assert (len(memory), memory.origin["name"]) == (0, "empty")


def test_what_a_memory_started_from_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "m.sqlite"
    note = {"name": "E0", "sha256": E0_SHA256}
    with build_memory(Settings(), path) as memory:
        assert memory.origin == note
        for record in memory:
            memory.remove(record.record_id)
        memory.commit()
    # Everything was forgotten; even so it is none that started from nothing.
    for settings in (Settings(), Settings(initial="E0")):
        with build_memory(settings, path) as memory:
            assert (len(memory), memory.origin) == (0, note)
    with pytest.raises(ConfigError, match=r"m\.sqlite started from E0, not from empty: leave"):
        build_memory(EMPTY, path)
    # It was closed again.
    with ExperienceMemory.open(path) as memory:
        memory.lock()


def test_the_digest_is_of_what_counts() -> None:
    record = Record(0, "g", "o", ("a",), (ActionValue("a", 1.0, 1),), "mine")
    one = origin_of("a/b.json", [record])
    assert one["name"] == "b.json"
    same = dataclasses.replace(record, record_id=7, source="other", metadata={"pool:x": []})
    assert origin_of("c.json", [same])["sha256"] == one["sha256"]
    worth = dataclasses.replace(record, action_values=(ActionValue("a", 0.5, 1),))
    for other in ([], [record, record], [worth], [dataclasses.replace(record, task="h")]):
        assert origin_of("b.json", other)["sha256"] != one["sha256"]


def test_an_initial_memory_of_ones_own(tmp_path: Path) -> None:
    mine, path = tmp_path / "mine.json", tmp_path / "m.sqlite"
    content = json.loads(data_path("webshop", "E1.json").read_text())
    mine.write_text(json.dumps(content))
    with build_memory(Settings(initial=str(mine)), path) as memory:
        assert memory.origin == {**origin_of("E1", read_initial("E1")), "name": "mine.json"}
    mine = mine.rename(tmp_path / "renamed.json")
    build_memory(Settings(initial=str(mine)), path).close()
    build_memory(Settings(initial="E1"), path).close()
    content["records"].pop()
    (tmp_path / "mine.json").write_text(json.dumps(content))
    with pytest.raises(ConfigError, match=r"from mine\.json, which had other contents then"):
        build_memory(Settings(initial=str(tmp_path / "mine.json")), path)


@pytest.mark.parametrize(
    ("initial", "others"), [(None, ["empty", "E1"]), ("E1", ["empty", "E0"]), ("empty", [])]
)
def test_a_file_without_a_note(tmp_path: Path, initial: str | None, others: list[str]) -> None:
    """Earlier versions wrote none: its records' sources tell, or it may be anything."""
    path = tmp_path / "m.sqlite"
    build_memory(Settings(initial=initial), path).close()
    with closing(sqlite3.connect(path)) as db, db:
        db.execute("DELETE FROM meta WHERE key = 'origin'")
    for settings in (Settings(), Settings(initial=initial)):
        with build_memory(settings, path) as memory:
            known = None if initial == "empty" else {"name": initial or "E0", "sha256": None}
            assert (memory.origin, origin_in(memory)) == (None, known)
    for other in others:
        with pytest.raises(ConfigError, match="started from"):
            build_memory(Settings(initial=other), path)


def test_no_file_is_made_for_an_unknown_initial_memory(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no initial memory 'E9'"):
        build_memory(Settings(initial="E9"), tmp_path / "m.sqlite")
    assert list(tmp_path.iterdir()) == []


def test_to_look_at_a_memory_writes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "m.sqlite"
    with pytest.raises(MemoryFileError, match="no such memory file"):
        build_memory(Settings(), path, read_only=True)
    assert list(tmp_path.iterdir()) == []
    with build_memory(EMPTY, path) as writer:
        with build_memory(Settings(), path, read_only=True) as reader:
            assert (len(reader), reader.origin["name"]) == (0, "empty")
        writer.commit()


KILLED = """
import os, signal, sys
sys.path.insert(0, {root!r})
from rememberer_nb.loop.build import Settings, build_memory
from rememberer_nb.memory.store.store import Store

def die(*_, **__):
    os.kill(os.getpid(), signal.SIGKILL)

Store.write = die
build_memory(Settings(initial={initial!r}), {path!r})
"""


@pytest.mark.slow
@pytest.mark.parametrize("initial", ["E0", "empty"])
def test_killed_between_making_the_file_and_filling_it(tmp_path: Path, initial: str) -> None:
    path, root = tmp_path / "m.sqlite", str(Path(__file__).parent.parent.parent)
    script = KILLED.format(root=root, initial=initial, path=str(path))
    assert subprocess.run([sys.executable, "-c", script], timeout=60).returncode == -9
    # Whatever it was to become, it is new.
    with build_memory(Settings(initial="E1"), path) as memory:
        assert (memory.origin["name"], {r.source for r in memory}) == ("E1", {"E1"})


def test_copies_and_merged_memories_started_from_the_same(tmp_path: Path) -> None:
    one, two, other = build_memory(Settings()), build_memory(Settings()), build_memory(EMPTY)
    path = tmp_path / "m.sqlite"
    one.copy(path).close()
    with build_memory(Settings(initial="E0"), path) as copied:
        assert copied.origin == one.origin == merge([one, two]).origin
    assert merge([one, other]).origin is None
    assert filter_records(one).origin is None
    assert one.shuffled(np.random.default_rng(0)).origin is None


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


def letters(text: str) -> int:
    """A token counter of somebody's own."""
    return len(text)


@pytest.mark.parametrize("name", sorted({*AGENTS} - {"random"}))
def test_every_agent_counts_with_the_counter_given(env, name: str) -> None:
    agent = build_agent(name, env, llm=Walker(), count_tokens=letters)
    prompt = agent.sample_prompt()
    assert prompt.n_tokens == len(prompt.text)
    # Another counter keeps other prompts within a budget: a run is not gone on with under it.
    assert describe_agent(agent)["sample_tokens"] == len(prompt.text)
    plainly = build_agent(name, env, llm=Walker())
    assert describe_agent(plainly).keys() == describe_agent(agent).keys() - {"sample_tokens"}
    assert plainly.sample_prompt().text == prompt.text


def test_both_budgets_of_the_factory_are_counted_with_it(env) -> None:
    """An exemplar is left out exactly when the counter says one token more than its budget."""
    situation = run_episode(env, build_agent("random", env), 100).steps[0]
    asked = Situation(Task("100", "a lamp", 100), situation.observation, ("search[<keywords>]",))
    random = StepRandom(0, np.random.default_rng(0))

    def decided(counter, **budgets):
        with build_memory(Settings()) as memory:
            agent = rememberer(OfflineLLM(), env.profile, memory, count_tokens=counter, **budgets)
            return agent.decide(asked, random)

    wide = ExemplarConfig(max_tokens=10**6), PromptConfig(max_tokens=10**6)
    whole = decided(letters, exemplar=wide[0], prompt=wide[1])
    sizes = [len(format_exemplar(exemplar, 1)) for exemplar in whole.exemplars]
    assert len(sizes) == 2 and whole.prompt.n_tokens == len(whole.prompt.text)
    fits = decided(letters, exemplar=ExemplarConfig(max_tokens=max(sizes)), prompt=wide[1])
    assert fits.exemplars == whole.exemplars
    less = decided(letters, exemplar=ExemplarConfig(max_tokens=max(sizes) - 1), prompt=wide[1])
    assert less.exemplars != whole.exemplars
    assert less.prompt.left_out[0].n_tokens == max(sizes)
    budget = PromptConfig(max_tokens=whole.prompt.n_tokens - 1)
    cut = decided(letters, exemplar=wide[0], prompt=budget).prompt
    assert len(cut.text) <= budget.max_tokens < len(whole.prompt.text)
    assert cut.left_out[-1].what == "exemplar"
