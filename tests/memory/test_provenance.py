"""From a value back to its rewards, from a decision to its records, and the other way."""

from __future__ import annotations

from pathlib import Path

import pytest

from rememberer_nb.agents.rememberer import rememberer
from rememberer_nb.config import CapacityConfig, ExemplarConfig, RetrievalConfig, RlemConfig
from rememberer_nb.display.plots import q_history
from rememberer_nb.elements import Transition
from rememberer_nb.loop.training import train
from rememberer_nb.memory import ExperienceMemory
from rememberer_nb.memory.provenance import decision_records, record_uses, value_history
from rememberer_nb.rlem import learn_episode
from tests.toy import TOY, ScriptedLLM, ToyEnv, opens_the_right_door

WORDWISE = RetrievalConfig(task_similarity="jaccard", observation_similarity="jaccard")


def test_a_history_by_hand() -> None:
    memory = ExperienceMemory(WORDWISE)
    config = RlemConfig(n_step=1, gamma=0.5)
    for episode_id, last in (("e0", 1.0), ("e1", 0.0)):
        steps = [
            Transition("p", "a", 0.25, "q"),
            Transition("q", "b", last, "end", terminated=True),
        ]
        learn_episode(memory, "g", steps, episode_id=episode_id, config=config)
    frame = value_history(memory, memory.find("g", "p").record_id, "a")
    shown = ["episode_id", "rewards", "bootstrap_value", "is_stand_in", "target", "q_after"]
    # First nothing but p itself is known (a = 0), then q is worth 1.
    assert frame[shown].values.tolist() == [
        ["e0", (0.25,), 0.0, True, 0.25, 0.25],
        ["e1", (0.25,), 1.0, False, 0.75, 0.5],
    ]
    assert frame["learning_rate"].tolist() == [1.0, 0.5]
    assert frame["bootstrap_record_id"].tolist() == [0, 1]
    assert frame["q_before"].tolist() == [0.0, 0.25]
    # Every row can be worked out again from its own cells.
    for row in frame.itertuples():
        target = sum(row.rewards) + row.gamma * row.bootstrap_value
        assert row.q_after == row.q_before + row.learning_rate * (target - row.q_before)
    assert len(value_history(memory, 1)) == 2
    assert value_history(memory, 0, "never").empty
    ax = q_history(memory.updates(0, "a"))
    assert ax.lines[0].get_ydata().tolist() == [0.0, 0.25, 0.5]


@pytest.fixture
def memory(tmp_path: Path) -> ExperienceMemory:
    held = ExperienceMemory.open(tmp_path / "m.sqlite")
    agent = rememberer(
        ScriptedLLM(opens_the_right_door),
        TOY,
        held,
        retrieval=RetrievalConfig(n_exemplars=1),
        exemplar=ExemplarConfig(use_synthetic=False),
    )
    train(ToyEnv(), agent, [0, 1])
    yield held
    held.close()


def test_the_records_of_a_decision(memory: ExperienceMemory) -> None:
    # Three epochs of two tasks; the second time round the very pages are known.
    episode = memory.episode(3)
    assert (episode.task.number, episode.epoch) == (0, 1)
    frame = decision_records(episode)
    assert sorted(set(frame["step"])) == [0, 1]
    first = decision_records(episode, 0)
    assert first["step"].tolist() == [0]
    row = first.iloc[0]
    record = memory.record(int(row["record_id"]))
    assert (record.task, record.observation) == (episode.task.text, episode.steps[0].observation)
    assert (row["rank"], row["is_shown"], row["why_not"]) == (0, True, "")
    assert row["total"] == pytest.approx(1.0)
    assert (row["encouraged"], row["action"], row["is_followed"]) == (("go[on]",), "go[on]", True)


def test_the_decisions_of_a_record(memory: ExperienceMemory) -> None:
    record = memory.find("open the red door", "You stand before the red door.")
    frame = record_uses(memory, record.record_id)
    episodes = memory.episodes()
    expected = [
        (number, step.index, hit.rank)
        for number, episode in enumerate(episodes)
        for step in episode.steps
        for hit in step.decision.hits
        if hit.record.record_id == record.record_id
    ]
    assert list(zip(frame["episode"], frame["step"], frame["rank"], strict=True)) == expected
    assert len(expected) >= 2
    for row in frame.itertuples():
        episode = episodes[row.episode]
        assert (row.episode_id, row.task) == (episode.episode_id, episode.task.text)
        assert (row.total_reward, row.is_success) == (episode.total_reward, episode.is_success)
        assert row.reward == episode.steps[row.step].reward
        assert row.is_followed == (row.action in row.encouraged)
    assert frame["is_success"].all()


def test_what_was_left_out_says_why(tmp_path: Path) -> None:
    with ExperienceMemory.open(tmp_path / "m.sqlite") as memory:
        exemplar = ExemplarConfig(use_synthetic=False, max_tokens=1)
        agent = rememberer(ScriptedLLM(opens_the_right_door), TOY, memory, exemplar=exemplar)
        train(ToyEnv(), agent, [0])
        frame = record_uses(memory, 0)
        assert not frame["is_shown"].any()
        assert frame["why_not"].str.contains("budget 1").all()


def test_a_record_that_is_forgotten_keeps_its_past(tmp_path: Path) -> None:
    limits = CapacityConfig(max_records=2, eviction="oldest")
    with ExperienceMemory.open(tmp_path / "m.sqlite", capacity=limits) as memory:
        agent = rememberer(ScriptedLLM(opens_the_right_door), TOY, memory)
        train(ToyEnv(), agent, [0, 1, 2])
        assert 0 not in {record.record_id for record in memory}
        assert not value_history(memory, 0).empty
        assert not record_uses(memory, 0).empty


def test_a_record_that_nobody_looked_at() -> None:
    memory = ExperienceMemory()
    memory.insert("g", "o")
    assert record_uses(memory, 0).empty
    assert "is_success" in record_uses(memory, 0).columns
