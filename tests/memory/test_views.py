"""Frames, statistics and HTML of a memory, and why a record was retrieved."""

from __future__ import annotations

import json

import pytest

from rememberer_nb.elements import ActionValue, Record, Transition
from rememberer_nb.memory import ExperienceMemory
from rememberer_nb.memory.views import html_table, stats, to_html
from rememberer_nb.rlem import learn_episode
from tests.toy import TOY


@pytest.fixture
def memory() -> ExperienceMemory:
    held = ExperienceMemory()
    shown = (ActionValue("go[on]", 0.5, 2, reward=0.1, rationale="as shown"),)
    held.add_initial([Record(0, "g", "You are at the start", ("go[on]",), shown, "E0")])
    for action, reward in (("open[door]", 1.0), ("open[door]", 0.0), ("go[back]", -0.5)):
        page = "You stand before the <red> door."
        learn_episode(held, "h", [Transition(page, action, reward, "end", terminated=True)])
    held.insert("h", "You went through")
    return held


def test_frame(memory: ExperienceMemory) -> None:
    frame = memory.to_frame()
    assert list(frame.columns) == [
        "record_id", "task", "observation", "action", "q_value", "n_visits", "reward",
        "rationale", "is_initial", "source", "first_update", "last_update",
    ]  # fmt: skip
    assert frame.action.tolist() == ["go[on]", "open[door]", "go[back]"]
    assert frame.q_value.tolist() == [0.5, 0.5, -0.5]
    assert frame.n_visits.tolist() == [2, 2, 1]
    assert frame.source.tolist() == ["E0", "experience", "experience"]
    assert frame.is_initial.tolist() == [True, False, False]
    assert frame.first_update.isna().tolist() == [True, False, False]
    assert frame.last_update.tolist()[1:] == [1, 2]


def test_frame_of_an_empty_memory() -> None:
    frame = ExperienceMemory().to_frame()
    assert len(frame) == 0
    assert "q_value" in frame


def test_stats(memory: ExperienceMemory) -> None:
    counts = stats(memory, TOY)
    assert json.loads(json.dumps(counts)) == counts
    assert counts == {
        "n_records": 3,
        "n_tasks": 2,
        "n_observations": 3,
        "n_action_values": 3,
        "n_contrasting": 1,
        "n_visits": 5,
        "n_updates": 3,
        "n_initial": 1,
        "n_positive": 2,
        "q_min": -0.5,
        "q_mean": pytest.approx(0.5 / 3),
        "q_max": 0.5,
        "sources": {"E0": 1, "experience": 2},
        "page_types": {"door": 1, "end": 1, "hall": 1},
    }
    assert memory.stats()["n_records"] == 3


def test_stats_of_an_empty_memory() -> None:
    counts = stats(ExperienceMemory())
    assert (counts["n_records"], counts["q_mean"], counts["sources"]) == (0, None, {})


def test_html_escapes_and_limits(memory: ExperienceMemory) -> None:
    page = to_html(memory)
    assert "&lt;red&gt;" in page
    assert "<red>" not in page
    assert "3 records of 2 tasks, 3 action values, 3 updates" in page
    for i in range(20):
        end = Transition(f"page {i} " + "x" * 99, "a", 0.0, "end", terminated=True)
        learn_episode(memory, "g", [end])
    page = memory._repr_html_()
    assert page.count("<tr>") == 13
    assert "11 more values" in page
    assert "x" * 99 not in page


def test_numbers_stand_right() -> None:
    table = html_table(("a",), [("-0.50",), ("text & 1",)])
    assert "<td class='n'>-0.50</td>" in table
    assert "<td>text &amp; 1</td>" in table


def test_explanation() -> None:
    memory = ExperienceMemory()
    memory.insert("a red lamp & shade", "page one of many")
    memory.insert("a blue chair", "page two")
    why = memory.explain(next(memory.retrieve("red lamp & shade", "page one")))
    frame = why.to_frame()
    sums = frame.groupby("similarity")["product"].sum()
    assert sums["task"] == pytest.approx(why.task_similarity)
    assert sums["observation"] == pytest.approx(why.observation_similarity)
    assert frame["product"].tolist() == pytest.approx(
        (frame.query_weight * frame.record_weight).tolist()
    )
    for similarity in ("Task", "Observation"):
        assert f"<b>{similarity} similarity" in why._repr_html_()


def test_a_long_explanation_is_summed_up() -> None:
    memory = ExperienceMemory()
    text = " ".join(f"word{i}" for i in range(40))
    memory.insert(text, text)
    why = memory.explain(next(memory.retrieve(text, text)))
    assert why._repr_html_().count("28 more") == 2
