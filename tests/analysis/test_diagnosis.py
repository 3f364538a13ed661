"""Near-duplicates, contradictions and held-out predictions, with numbers worked by hand."""

from __future__ import annotations

import numpy as np
import pytest

from rememberer_nb.analysis.diagnosis import (
    contradictions,
    crossed_predictions,
    holdout_predictions,
    learn_memory,
    near_duplicates,
    nearest_others,
    split_episodes,
)
from rememberer_nb.config import RlemConfig
from rememberer_nb.elements import Decision, Episode, Step, Task
from rememberer_nb.errors import ConfigError
from rememberer_nb.memory import ExperienceMemory


def episode(name, task, *steps, reward=1.0):
    """An episode from (page, action) pairs; the last step gets the reward."""
    made = tuple(
        Step(
            i, page, (), page.split()[0], Decision(action),
            reward if i == len(steps) - 1 else 0.0, terminated=i == len(steps) - 1,
        )
        for i, (page, action) in enumerate(steps)
    )  # fmt: skip
    return Episode(name, "env", "agent", Task(name, task), made, "", is_success=reward == 1.0)


RED = episode("e0", "red lamp", ("results red", "open"), ("item red", "buy"), reward=1.0)
RED_AGAIN = episode("e1", "red lamp", ("results red", "open"), ("item red", "buy"), reward=0.0)
BLUE = episode("e2", "blue shoe", ("results blue", "open"), ("item blue", "buy"), reward=0.5)


def full(episodes):
    return learn_memory(episodes, rlem=RlemConfig(n_step=None))


def test_a_memory_holds_the_scores():
    memory = full([RED, BLUE])
    assert [record.max_q for record in memory] == [1.0, 1.0, 0.5, 0.5]
    assert [u.episode_id for u in memory.updates()] == ["e0", "e0", "e2", "e2"]


class TestNearDuplicates:
    @pytest.fixture
    def memory(self):
        memory = ExperienceMemory()
        for task, page in (("g", "alpha beta"), ("g", "alpha beta beta"), ("h", "alpha beta")):
            memory.insert(task, page)
        memory.insert("other words", "gamma delta")
        memory.refresh()
        return memory

    def test_pairs_come_once_the_nearest_first(self, memory):
        pairs = near_duplicates(memory, 0.3)
        assert pairs[["first", "second"]].values.tolist() == [[0, 2], [0, 1], [1, 2]]
        assert pairs["is_same_task"].tolist() == [False, True, False]
        # Pages 0 and 2 are equal; one-letter tasks have no words, so f_g is 0.
        assert pairs["total"].iloc[0] == pytest.approx(0.5)
        total = 0.5 * pairs["task_similarity"] + 0.5 * pairs["observation_similarity"]
        assert pairs["total"].to_numpy() == pytest.approx(total.to_numpy())

    def test_the_threshold_is_included_and_lambda_counts(self, memory):
        assert len(near_duplicates(memory, 0.5)) == 1
        assert near_duplicates(memory, 1.0, task_weight=0.0)[
            ["first", "second"]
        ].values.tolist() == [[0, 2]]
        assert near_duplicates(memory, 0.51).empty

    def test_an_empty_memory_has_none(self):
        assert near_duplicates(ExperienceMemory()).empty
        assert list(near_duplicates(ExperienceMemory()).columns)[:3] == ["first", "second", "total"]

    def test_nearest_others(self, memory):
        frame = nearest_others(memory).set_index("record_id")
        assert frame.loc[0, "any"] == frame.loc[0, "other_task"] == pytest.approx(0.5)
        assert frame.loc[1, "any"] > 0.4 and frame.loc[3, "any"] == 0

    def test_a_single_record_has_no_neighbour(self):
        memory = ExperienceMemory()
        memory.insert("g", "page")
        assert nearest_others(memory)[["any", "other_task"]].isna().all().all()


class TestContradictions:
    def test_one_value_with_different_targets(self):
        found = contradictions(full([RED, RED_AGAIN, BLUE]))
        assert found["kind"].tolist() == ["repeated", "repeated"]
        assert found["action"].tolist() == ["open", "buy"]
        assert found[["low", "high", "gap"]].values.tolist() == [[0.0, 1.0, 1.0]] * 2
        assert (found["first"] == found["second"]).all()

    def test_two_near_duplicates(self):
        # Same words in another order: similar to 1, but another record.
        other = episode("e3", "lamp red", ("red item", "buy"), reward=0.25)
        memory = full([RED, other])
        (row,) = contradictions(memory, 0.99, 0.5).itertuples()
        assert (row.kind, row.action, row.low, row.high) == ("neighbours", "buy", 0.25, 1.0)
        assert (row.first, row.second, row.is_same_task) == (1, 2, False)
        assert row.total == pytest.approx(1.0)

    @pytest.mark.parametrize(("gap", "n_found"), [(0.75, 1), (0.76, 0)])
    def test_the_gap_is_included(self, gap, n_found):
        other = episode("e3", "lamp red", ("red item", "buy"), reward=0.25)
        assert len(contradictions(full([RED, other]), 0.99, gap)) == n_found

    def test_other_actions_do_not_contradict(self):
        other = episode("e3", "lamp red", ("red item", "leave"), reward=0.0)
        assert contradictions(full([RED, other]), 0.99, 0.5).empty


class TestSplit:
    def test_attempts_at_one_task_stay_together(self):
        logged = [episode(f"e{i}", f"task {i % 7}", ("item", "buy")) for i in range(20)]
        parts = split_episodes(logged, 3, np.random.default_rng(5))
        assert sorted(e.episode_id for part in parts for e in part) == sorted(
            e.episode_id for e in logged
        )
        tasks = [{e.task.text for e in part} for part in parts]
        assert sum(len(held) for held in tasks) == 7 and max(map(len, tasks)) == 3
        assert split_episodes(logged, 3, np.random.default_rng(5)) == parts
        assert split_episodes(logged, 3, np.random.default_rng(6)) != parts

    @pytest.mark.parametrize("n_parts", [1, 0, 3])
    def test_impossible_parts(self, n_parts):
        with pytest.raises(ConfigError, match="n_parts"):
            split_episodes([RED, RED_AGAIN, BLUE], n_parts, np.random.default_rng(0))


class TestPredictions:
    def test_each_predictor_by_hand(self):
        asked = episode("new", "red lamp shade", ("results red", "open"), ("item red", "leave"))
        frame = holdout_predictions([RED, BLUE], [asked], memory=full([RED, BLUE]))
        assert frame["record"].tolist() == [1.0, 1.0]
        assert frame["is_action_known"].tolist() == [True, False]
        assert frame["neighbour"].tolist() == [1.0, 1.0]
        assert frame["page_rate"].tolist() == [0.75, 0.75]
        assert frame["base_rate"].tolist() == [0.75, 0.75]
        assert frame["score"].tolist() == [1.0, 1.0] and frame["is_success"].all()

    def test_the_action_taken_counts_where_it_is_known(self):
        bad = episode("e9", "red lamp", ("item red", "leave"), reward=0.0)
        asked = episode("new", "red lamp", ("item red", "leave"))
        frame = holdout_predictions([RED, bad], [asked], memory=full([RED, bad]))
        assert frame["record"].tolist() == [0.0]
        unknown = episode("new", "red lamp", ("item red", "wait"))
        frame = holdout_predictions([RED, bad], [unknown], memory=full([RED, bad]))
        assert frame["record"].tolist() == [1.0]

    def test_an_unknown_kind_of_page_gets_the_base_rate(self):
        asked = episode("new", "red lamp", ("cellar", "leave"))
        assert holdout_predictions([RED, BLUE], [asked])["page_rate"].tolist() == [0.75]

    def test_the_neighbour_is_the_return_from_its_step_on(self):
        paid = Step(0, "item red", (), "item", Decision("look"), 0.5)
        last = Step(1, "end red", (), "end", Decision("buy"), 0.25, terminated=True)
        logged = Episode("e", "env", "a", Task("e", "red lamp"), (paid, last), "")
        asked = episode("new", "red lamp", ("end red", "buy"))
        assert holdout_predictions([logged], [asked])["neighbour"].tolist() == [0.25]

    def test_nothing_to_learn_from(self):
        with pytest.raises(ConfigError, match="no training steps"):
            holdout_predictions([], [RED])

    def test_crossing_holds_out_each_part_once(self):
        frame = crossed_predictions([(RED, RED_AGAIN), (BLUE,)], rlem=RlemConfig(n_step=None))
        assert frame["episode_id"].tolist() == ["e0", "e0", "e1", "e1", "e2", "e2"]
        assert frame["part"].tolist() == [0, 0, 0, 0, 1, 1]
        assert frame["base_rate"].tolist() == [0.5] * 6
        assert frame["record"].tolist() == [0.5] * 6  # the other part's values, 1 and 0 averaged
