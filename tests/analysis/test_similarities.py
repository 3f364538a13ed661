"""Labelled pairs and their scores, against values worked out by hand."""

from __future__ import annotations

import dataclasses

import pytest

from rememberer_nb.analysis.similarities import (
    GROUPS,
    State,
    auc,
    auc_table,
    env_states,
    nearest_states,
    pair_group,
    scored_pairs,
    similarity_table,
)
from rememberer_nb.elements import Task
from rememberer_nb.envs import EnvSpec, get_profile, make_env
from rememberer_nb.envs.registry import _SPECS
from rememberer_nb.errors import ConfigError


def state(task: str, page: str, words: str, kind: str = "lamps", department: str = "garden"):
    return State(Task(task, f"task {task} {words}"), f"{page} {words}", page, kind, department)


LAMPS = [state("1", "item", "red lamp"), state("2", "item", "blue lamp")]
SHOES = [state("3", "item", "red shoe", "shoes", "fashion")]
HATS = [state("4", "results", "straw hat", "hats", "garden")]


@pytest.mark.parametrize(
    ("one", "other", "group"),
    [
        (LAMPS[0], LAMPS[1], "same page, same kind of task"),
        (LAMPS[0], SHOES[0], "same page, other department"),
        (SHOES[0], HATS[0], "other page, other department"),
        (LAMPS[0], HATS[0], None),
        (LAMPS[0], LAMPS[0], None),
    ],
)
def test_rules_of_the_labels(one, other, group):
    assert pair_group(one, other) == group
    assert pair_group(other, one) == group


def test_near_kinds_of_one_department_are_a_group_of_their_own():
    assert pair_group(state("5", "results", "lamp"), HATS[0]) == "same page, same department"
    assert pair_group(state("5", "item", "x", "hats"), HATS[0]) == "other page, same kind of task"


def test_scores_are_the_jaccard_overlaps():
    pairs = scored_pairs([*LAMPS, *SHOES], "jaccard", task_weight=0.25)
    assert pairs["group"].tolist() == [GROUPS[0], GROUPS[2], GROUPS[2]]
    # Tasks: {task, 1, red, lamp} and {task, 2, blue, lamp} share 2 of 6 words;
    # pages: {item, red, lamp} and {item, blue, lamp} 2 of 4. Lamp 1 and the shoe as well.
    first = pairs.iloc[0]
    assert first["task_similarity"] == pytest.approx(2 / 6)
    assert first["observation_similarity"] == pytest.approx(2 / 4)
    assert first["total"] == pytest.approx(0.25 * 2 / 6 + 0.75 * 2 / 4)


def test_every_pair_counts_once():
    pairs = scored_pairs([*LAMPS, *SHOES])
    assert pairs[["first", "second"]].to_numpy().tolist() == [[0, 1], [0, 2], [1, 2]]


def test_the_nearest_state_is_of_another_task():
    nearest = nearest_states([*LAMPS, *SHOES, *HATS], "jaccard")
    assert nearest["is_same_page"].tolist()[:3] == [True, True, True]
    # The red lamp is as near to the blue lamp as to the red shoe; the earlier record wins.
    assert nearest["is_same_kind"].tolist() == [True, True, False, False]
    assert len(nearest) == 4


def test_one_task_alone_has_no_neighbours():
    with pytest.raises(ConfigError, match="two tasks"):
        nearest_states(LAMPS[:1])


@pytest.mark.parametrize(
    ("high", "low", "wanted"),
    [
        ([1.0], [0.0], 1.0),
        ([0.0], [1.0], 0.0),
        ([0.5], [0.5], 0.5),
        ([3, 1], [2, 0], 0.75),
        ([1, 1], [1, 0], 0.75),
    ],
)
def test_auc_by_hand(high, low, wanted):
    assert auc(high, low) == wanted


def test_auc_of_nothing_is_an_error():
    with pytest.raises(ConfigError, match="at least one"):
        auc([], [1.0])


def test_auc_agrees_with_scikit_learn():
    import numpy as np
    from sklearn.metrics import roc_auc_score

    rng = np.random.default_rng(0)
    scores = rng.integers(0, 9, size=60) / 8
    labels = rng.random(60) < 0.4
    assert auc(scores[labels], scores[~labels]) == pytest.approx(roc_auc_score(labels, scores))


def test_states_of_the_shop_and_their_table():
    states = env_states(make_env("webshop"), range(100, 140))
    assert [s.page_type for s in states[:3]] == ["search", "results", "item"]
    assert len(states) == 120
    table = auc_table(scored_pairs(states))
    assert set(table) == {*GROUPS[1:], "all others"}
    assert all(0 <= value <= 1 for value in table.values())
    # f_g alone cannot see the page: the same task pairs stand on both sides.
    by_task = auc_table(scored_pairs(states), "task_similarity")
    assert by_task["other page, same kind of task"] == 0.5


def test_states_of_the_how_to_site_are_labelled_by_the_instruction_in_force():
    env = make_env("wikihow")
    states = env_states(env, [94, 99])
    assert [(s.page_type, s.kind) for s in states[:3]] == [
        ("start", "search"),
        ("results", "article"),
        ("article", "author"),
    ]
    # Task 99 searches and opens an article, then another, which takes two steps.
    assert [s.kind for s in states[3:]] == [
        "search", "article", "article", "article", "category", "article", "article"
    ]  # fmt: skip
    assert states[3].department == "Home and Cleaning"


def test_the_papers_similarities_rank_screens_of_the_site():
    states = env_states(make_env("wikihow"), range(90, 120))
    pairs = scored_pairs(states, ("instruction_pattern", "lcs"))
    groups = pairs.groupby("group", observed=True)["total"].mean()
    assert groups.idxmax() == "same page, same kind of task"
    first = pairs.iloc[0]
    total = first["task_similarity"] / 2 + first["observation_similarity"] / 2
    assert first["total"] == pytest.approx(total)


def test_environments_without_labels_are_refused(monkeypatch):
    class Other:
        profile = dataclasses.replace(get_profile("webshop"), name="moon")

    with pytest.raises(ConfigError, match="no environment is named 'moon'"):
        env_states(Other(), [1])
    monkeypatch.setitem(_SPECS, "moon", EnvSpec("moon", make=Other, profile=Other.profile))
    with pytest.raises(ConfigError, match="labels the states of 'moon': it has no scout"):
        env_states(Other(), [1])


def test_a_similarity_table_by_hand():
    table = similarity_table(["<p>a</p>\n<p>b</p>", "<p>c</p>", "<div></div>"], "lcs")
    assert table.tolist() == [[1.0, 0.5, 0.0], [0.5, 1.0, 0.0], [0.0, 0.0, 1.0]]
    assert similarity_table([], "jaccard").shape == (0, 0)
