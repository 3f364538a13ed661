"""RLEM: targets by hand, double Q-learning, and the update log as proof of every value."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rememberer_nb.config import CapacityConfig, RetrievalConfig, RlemConfig
from rememberer_nb.elements import Transition, Update
from rememberer_nb.errors import ConfigError, DataError
from rememberer_nb.memory import ExperienceMemory
from rememberer_nb.rlem import (
    EpisodeLearner,
    PlannedTarget,
    learn_episode,
    n_step_return,
    plan_targets,
)

WORDWISE = RetrievalConfig(task_similarity="jaccard", observation_similarity="jaccard")
HALF = {"gamma": 0.5}


def episode(
    rewards: Sequence[float], pages: str = "pqrstuvwxyz", *, ending: str = "terminated"
) -> list[Transition]:
    """Pages p, q, ..., action "a" on each; page and action may be given one letter a step."""
    n = len(rewards)
    return [
        Transition(
            observation=pages[i],
            action="a",
            reward=reward,
            next_observation=pages[i + 1],
            terminated=ending == "terminated" and i == n - 1,
            truncated=ending == "truncated" and i == n - 1,
        )
        for i, reward in enumerate(rewards)
    ]


def q_values(memory: ExperienceMemory) -> dict[str, float]:
    return {r.observation: v.q_value for r in memory for v in r.action_values}


# Pure functions


def test_n_step_return_by_hand() -> None:
    assert n_step_return([1.0, 2.0, 4.0], gamma=0.5) == 3.0
    assert n_step_return([1.0, 2.0, 4.0], gamma=0.0) == 1.0
    assert n_step_return([], gamma=0.5) == 0.0


@pytest.mark.parametrize(
    ("n_step", "bootstrap_last", "expected"),
    [
        (1, False, [(0, 1, True), (1, 2, True), (2, 3, False)]),
        (1, True, [(0, 1, True), (1, 2, True), (2, 3, True)]),
        (2, False, [(0, 2, True), (1, 3, False), (2, 3, False)]),
        (2, True, [(0, 2, True), (1, 3, True), (2, 3, True)]),
        (9, False, [(0, 3, False), (1, 3, False), (2, 3, False)]),
        (None, False, [(0, 3, False), (1, 3, False), (2, 3, False)]),
        (None, True, [(0, 3, True), (1, 3, True), (2, 3, True)]),
    ],
)
def test_plan_by_hand(
    n_step: int | None, bootstrap_last: bool, expected: list[tuple[int, int, bool]]
) -> None:
    plan = plan_targets(3, n_step, bootstrap_last=bootstrap_last)
    assert plan == tuple(PlannedTarget(*target) for target in expected)


@given(st.integers(0, 12), st.one_of(st.none(), st.integers(1, 15)), st.booleans())
def test_plan_against_the_definition(n_steps: int, n_step: int | None, last: bool) -> None:
    plan = plan_targets(n_steps, n_step, bootstrap_last=last)
    assert [target.step for target in plan] == list(range(n_steps))
    for target in plan:
        summed = list(range(target.step, target.stop))
        remaining = list(range(target.step, n_steps))
        assert summed == (remaining if n_step is None else remaining[:n_step])
        assert target.is_bootstrapped == (target.stop < n_steps or last)


# Numbers by hand


@pytest.mark.parametrize(
    ("n_step", "rewards", "bootstraps", "targets"),
    [
        # An unknown page is stood in for by the record just made, which is still worth 0 (p), then
        # by the better of the two there are (q: p is worth 1).
        (1, [(1.0,), (2.0,), (4.0,)], [0.0, 1.0, None], [1.0, 2 + 0.5 * 1, 4.0]),
        (2, [(1.0, 2.0), (2.0, 4.0), (4.0,)], [0.0, None, None], [1 + 0.5 * 2, 2 + 0.5 * 4, 4.0]),
        (7, [(1.0, 2.0, 4.0), (2.0, 4.0), (4.0,)], [None] * 3, [3.0, 4.0, 4.0]),
        (None, [(1.0, 2.0, 4.0), (2.0, 4.0), (4.0,)], [None] * 3, [3.0, 4.0, 4.0]),
    ],
)
def test_first_episode_by_hand(
    n_step: int | None,
    rewards: list[tuple[float, ...]],
    bootstraps: list[float | None],
    targets: list[float],
) -> None:
    memory = ExperienceMemory(WORDWISE)
    config = RlemConfig(n_step=n_step, **HALF)
    updates = learn_episode(memory, "g", episode([1.0, 2.0, 4.0]), config=config)
    assert [update.rewards for update in updates] == rewards
    assert [update.bootstrap_value for update in updates] == bootstraps
    assert [update.target for update in updates] == targets
    assert list(q_values(memory).values()) == targets


def test_one_step_second_episode_by_hand() -> None:
    memory = ExperienceMemory(WORDWISE)
    config = RlemConfig(n_step=1, **HALF)
    steps = episode([0.0, 1.0], "pqr")
    first = learn_episode(memory, "g", steps, config=config)
    # q was not in memory when p was learnt: p itself stood in, worth 0.
    assert [(u.bootstrap_value, u.is_stand_in, u.target) for u in first] == [
        (0.0, True, 0.0),
        (None, False, 1.0),
    ]
    second = learn_episode(memory, "g", steps, config=config)
    # Now Q(q) = 1, so p's target is 0 + 0.5 · 1, and the mean of 0 and 0.5 is 0.25.
    assert (second[0].bootstrap_value, second[0].is_stand_in) == (1.0, False)
    assert second[0].bootstrap_record_id == memory.find("g", "q").record_id
    assert second[0].target == 0.5
    assert q_values(memory) == {"p": 0.25, "q": 1.0}


def test_two_steps_update_as_soon_as_the_page_is_seen() -> None:
    learner = EpisodeLearner(ExperienceMemory(WORDWISE), "g", "e", RlemConfig(n_step=2, **HALF))
    made = [[u.step for u in learner.observe(t)] for t in episode([1.0, 2.0, 4.0, 8.0])]
    assert made == [[], [0], [1], [2, 3]]


def test_full_return_waits_for_the_end() -> None:
    learner = EpisodeLearner(ExperienceMemory(WORDWISE), "g", "e", RlemConfig(n_step=None))
    made = [[u.step for u in learner.observe(t)] for t in episode([1.0, 2.0, 4.0])]
    assert made == [[], [], [0, 1, 2]]


def test_terminated_is_not_truncated() -> None:
    """A step limit is no end: the last page is bootstrapped from, with γ to the steps summed."""

    def learnt(ending: str, **changes: object) -> list[tuple[float, float | None]]:
        memory = ExperienceMemory(WORDWISE)
        end = Transition("s", "b", 16.0, "end", terminated=True)
        learn_episode(memory, "g", [end])
        config = RlemConfig(n_step=2, **HALF, **changes)
        steps = episode([1.0, 2.0, 4.0], "pqrs", ending=ending)
        return [
            (u.target, u.bootstrap_value)
            for u in learn_episode(memory, "g", steps, config=config)
            if u.step > 0
        ]

    plain = [(4.0, None), (4.0, None)]
    assert learnt("terminated") == plain
    # q: 2 + 0.5 · 4 + 0.25 · 16; r: 4 + 0.5 · 16
    assert learnt("truncated") == [(8.0, 16.0), (12.0, 16.0)]
    assert learnt("truncated", bootstrap_truncated=False) == plain


def test_full_return_of_a_truncated_episode() -> None:
    memory = ExperienceMemory(WORDWISE)
    learn_episode(memory, "g", [Transition("r", "b", 16.0, "end", terminated=True)])
    config = RlemConfig(n_step=None, **HALF)
    updates = learn_episode(
        memory, "g", episode([1.0, 2.0], "pqr", ending="truncated"), config=config
    )
    assert [u.target for u in updates] == [1 + 0.5 * 2 + 0.25 * 16, 2 + 0.5 * 16]


def test_reward_belongs_to_its_action() -> None:
    """The published code stores the previous step's reward with the last action."""
    memory = ExperienceMemory(WORDWISE)
    steps = [
        Transition("p", "first", 0.25, "q"),
        Transition("q", "second", 0.5, "r"),
        Transition("r", "third", 1.0, "end", terminated=True),
    ]
    learn_episode(memory, "g", steps, config=RlemConfig(n_step=None))
    stored = {v.action: (v.reward, v.q_value) for r in memory for v in r.action_values}
    assert stored == {"first": (0.25, 1.75), "second": (0.5, 1.5), "third": (1.0, 1.0)}


def test_reward_is_the_mean_of_the_immediate_rewards() -> None:
    memory = ExperienceMemory(WORDWISE)
    for reward in (1.0, 0.0, 0.5):
        learn_episode(memory, "g", episode([reward, 10.0], "pqr"))
    assert memory.find("g", "p").value_of("a").reward == pytest.approx(0.5)


@pytest.mark.parametrize("n_visits_of_far", [0, 3])
def test_the_most_similar_record_stands_in(n_visits_of_far: int) -> None:
    memory = ExperienceMemory(WORDWISE)
    for page, reward in (("lamp red big", 0.75), ("chair", 0.5)):
        learn_episode(memory, "g", [Transition(page, "b", reward, "end", terminated=True)])
    for _ in range(n_visits_of_far):
        learn_episode(memory, "g", [Transition("chair", "b", 0.5, "end", terminated=True)])
    steps = [
        Transition("start", "a", 0.0, "lamp red small"),
        Transition("lamp red small", "a", 0.0, "end", terminated=True),
    ]
    update = learn_episode(memory, "g", steps, config=RlemConfig(n_step=1))[0]
    assert (update.is_stand_in, update.bootstrap_value, update.target) == (True, 0.75, 0.75)
    assert update.bootstrap_record_id == memory.find("g", "lamp red big").record_id


def test_stand_ins_tie_by_visits() -> None:
    memory = ExperienceMemory(WORDWISE)
    for page, n_visits in (("x one", 1), ("x two", 3), ("x three", 2)):
        for _ in range(n_visits):
            end = Transition(page, "b", n_visits / 4, "end", terminated=True)
            learn_episode(memory, "g", [end])
    steps = [
        Transition("start", "a", 0.0, "x four"),
        Transition("x four", "a", 0.0, "end", terminated=True),
    ]
    update = learn_episode(memory, "g", steps, config=RlemConfig(n_step=1))[0]
    assert update.bootstrap_value == 0.75


def test_another_task_is_a_stand_in_not_the_record() -> None:
    memory = ExperienceMemory(WORDWISE)
    learn_episode(memory, "other", [Transition("q", "b", 1.0, "end", terminated=True)])
    update = learn_episode(memory, "g", episode([0.0, 0.0], "pqr"), config=RlemConfig(n_step=1))[0]
    assert update.is_stand_in
    # p itself (same task, other page) and the other task's q tie at 0.5 with a visit each, the one
    # to p being the one that is learnt; q came first.
    assert update.bootstrap_value == 1.0


def test_the_visit_being_learnt_counts_where_stand_ins_tie() -> None:
    def learn(page: str, reward: float = 0.0, after: str = "end", *, ends: bool = True) -> Update:
        step = Transition(page, "a", reward, after, terminated=ends)
        steps = [step] if ends else [step, Transition(after, "a", 0.0, "end", terminated=True)]
        return learn_episode(memory, "g", steps, config=RlemConfig(n_step=1))[0]

    memory = ExperienceMemory(WORDWISE)
    for page, reward in (("x one", 1.0), ("x one", 0.5), ("x two", 0.0), ("x two", 0.5)):
        learn(page, reward)
    # Both have two visits, and "x one" came first. But the visit to "x two" that is being learnt is
    # its third, so it stands in for "x new" itself, with 0.25 and not with 0.75.
    update = learn("x two", after="x new", ends=False)
    assert update.bootstrap_record_id == memory.find("g", "x two").record_id
    assert (update.target, update.q_after) == (0.25, 0.25)
    # So counted "x one" draws level, and came first.
    update = learn("x one", after="x newer", ends=False)
    assert update.bootstrap_record_id == memory.find("g", "x one").record_id


def test_a_visit_that_is_learnt_is_counted_once() -> None:
    memory = ExperienceMemory(WORDWISE)
    learn_episode(memory, "g", episode([0.0, 0.0], "xyz"), config=RlemConfig(n_step=1))
    assert {record.observation: record.n_visits for record in memory} == {"x": 1, "y": 1}
    # Where "x" is visited once more, its visit counts, and stays uncounted afterwards.
    for visited, nearest in ((0, 0), (1, 1)):
        (hit,) = memory.proxies(memory.record(visited), "nothing", 1)
        assert hit.record.record_id == nearest
    assert [hit.record.record_id for hit in memory.retrieve("g", "nothing")] == [0, 1]


def test_a_page_that_leads_to_itself_bootstraps_from_at_least_zero() -> None:
    memory = ExperienceMemory(WORDWISE)
    steps = [
        Transition("p", "stay", -1.0, "p"),
        Transition("p", "wait", -1.0, "p"),
        Transition("p", "stay", -1.0, "q"),
        Transition("q", "a", 0.0, "end", terminated=True),
    ]
    updates = learn_episode(memory, "g", steps, config=RlemConfig(n_step=1))
    # "stay" is new and 0; then "wait" is new and 0 beside stay's -1; then q is unknown.
    assert [u.bootstrap_value for u in updates[:2]] == [0.0, 0.0]
    assert [u.target for u in updates[:2]] == [-1.0, -1.0]
    assert updates[2].bootstrap_value == -1.0


def test_running_mean_and_constant_rate() -> None:
    rewards = [1.0, 0.0, 0.5, 0.25]
    mean, constant = ExperienceMemory(WORDWISE), ExperienceMemory(WORDWISE)
    for reward in rewards:
        end = [Transition("p", "a", reward, "end", terminated=True)]
        (one,) = learn_episode(mean, "g", end)
        (two,) = learn_episode(constant, "g", end, config=RlemConfig(learning_rate=0.5))
        assert one.learning_rate == 1 / one.n_visits
        assert two.learning_rate == 0.5
    assert mean.find("g", "p").max_q == pytest.approx(sum(rewards) / 4)
    # 0.5 -> 0.25 -> 0.375 -> 0.3125, starting from 0
    assert constant.find("g", "p").max_q == 0.3125


# Double Q-learning


def test_double_by_turns_by_hand() -> None:
    """Tables with unequal values; the published merge reads the first table twice."""
    memory = ExperienceMemory(WORDWISE, n_tables=2)
    config = RlemConfig(n_step=1, double=True)
    tables, means = [], []
    for reward in (1.0, 0.0, 0.5):
        end = [Transition("p", "a", reward, "end", terminated=True)]
        (update,) = learn_episode(memory, "g", end, config=config)
        value = memory.find("g", "p").value_of("a")
        tables.append((update.table, value.tables))
        means.append((value.q_value, value.n_visits))
    assert tables == [
        (0, ((1.0, 1), (0.0, 0))),
        (1, ((1.0, 1), (0.0, 1))),
        (0, ((0.75, 2), (0.0, 1))),
    ]
    # The mean of the tables that visited it: only the first, then both.
    assert means == [(1.0, 1), (0.5, 2), (0.375, 3)]


def test_double_evaluates_with_the_other_table() -> None:
    memory = ExperienceMemory(WORDWISE, n_tables=2)
    config = RlemConfig(n_step=1, double=True)
    # At q: action b has tables (0.9, 0.1), action c has (0.5, 0.7).
    for action, rewards in (("b", (0.9, 0.1)), ("c", (0.5, 0.7))):
        for reward in rewards:
            end = [Transition("q", action, reward, "end", terminated=True)]
            learn_episode(memory, "g", end, config=config)
    targets = []
    for _ in range(2):
        steps = [
            Transition("p", "a", 0.0, "q"),
            Transition("q", "d", 0.0, "end", terminated=True),
        ]
        update = learn_episode(memory, "g", steps, config=config)[0]
        targets.append((update.table, update.target))
    # Table 0 is updated: its best at q is b (0.9), which table 1 values at 0.1.
    # Table 1 is updated: its best at q is c (0.7), which table 0 values at 0.5.
    assert targets == [(0, 0.1), (1, 0.5)]
    value = memory.find("g", "p").value_of("a")
    assert value.tables == ((0.1, 1), (0.5, 1))
    assert value.q_value == pytest.approx(0.3)


def test_double_at_random_is_seeded() -> None:
    config = RlemConfig(n_step=1, double=True, table_choice="random")

    def tables(seed: int) -> list[int]:
        memory = ExperienceMemory(WORDWISE, n_tables=2)
        rng = np.random.default_rng(seed)
        end = [Transition("p", "a", 1.0, "end", terminated=True)]
        made = [learn_episode(memory, "g", end, config=config, rng=rng) for _ in range(30)]
        value = memory.find("g", "p").value_of("a")
        assert value.n_visits == 30 == sum(n for _, n in value.tables)
        return [update.table for (update,) in made]

    assert tables(1) == tables(1) != tables(2)
    assert 5 < sum(tables(1)) < 25


@pytest.mark.parametrize(("double", "n_tables"), [(True, 1), (False, 2)])
def test_tables_and_config_must_agree(double: bool, n_tables: int) -> None:
    with pytest.raises(ConfigError, match=f"keeps {n_tables} value"):
        EpisodeLearner(ExperienceMemory(n_tables=n_tables), "g", "e", RlemConfig(double=double))


# Corners


def test_an_episode_that_is_over_takes_no_more() -> None:
    learner = EpisodeLearner(ExperienceMemory(), "g", "e7")
    learner.observe(Transition("p", "a", 0.0, "q", terminated=True))
    with pytest.raises(ValueError, match="episode e7 is over"):
        learner.observe(Transition("q", "a", 0.0, "r"))


@pytest.mark.parametrize("n_step", [1, 2, None])
@pytest.mark.parametrize(
    ("steps", "complaint"),
    [
        (episode([1.0, 0.5, 0.25], ending="none"), "transition 2 of 0 to 2 is .* neither"),
        (episode([1.0], ending="none"), "transition 0 of 0 to 0 is .* neither"),
        (episode([1.0, 0.5]) + episode([0.25], "xy"), "transition 1 of 0 to 2 ends the episode"),
        (episode([1.0], ending="truncated") * 2, "transition 0 of 0 to 1 ends the episode"),
    ],
)
def test_a_log_that_is_no_whole_episode_leaves_nothing(
    steps: list[Transition], complaint: str, n_step: int | None
) -> None:
    memory = ExperienceMemory(WORDWISE)
    with pytest.raises(DataError, match=f"episode 'e7': .*({complaint})"):
        learn_episode(memory, "g", iter(steps), episode_id="e7", config=RlemConfig(n_step=n_step))
    assert (len(memory), memory.n_updates) == (0, 0)


def test_nothing_to_learn_from() -> None:
    memory = ExperienceMemory(WORDWISE)
    assert learn_episode(memory, "g", []) == ()
    assert len(memory) == 0


def test_off_policy_equals_online() -> None:
    steps = episode([1.0, 0.0, 0.5, 0.25], ending="truncated")
    online, later = ExperienceMemory(WORDWISE), ExperienceMemory(WORDWISE)
    learner = EpisodeLearner(online, "g", "e", RlemConfig(n_step=2))
    made = [update for transition in steps for update in learner.observe(transition)]
    assert tuple(made) == learn_episode(
        later, "g", steps, episode_id="e", config=RlemConfig(n_step=2)
    )
    assert list(online) == list(later)


def test_bootstrapping_in_a_memory_of_one_record() -> None:
    memory = ExperienceMemory(WORDWISE, CapacityConfig(max_records=1))
    updates = learn_episode(memory, "g", episode([0.0, 0.5, 1.0]), config=RlemConfig(n_step=1))
    assert [u.step for u in updates] == [0, 1, 2]
    assert [r.observation for r in memory] == ["r"]


# Properties


transition = st.tuples(
    st.sampled_from(["p", "q", "p q", "r s", "s"]),
    st.sampled_from(["a", "b", "c"]),
    st.floats(-1, 1, width=16),
)
episodes = st.lists(
    st.tuples(
        st.sampled_from(["g", "h", "g h"]),
        st.lists(transition, min_size=1, max_size=7),
        st.booleans(),
    ),
    min_size=1,
    max_size=5,
)
configs = st.builds(
    RlemConfig,
    gamma=st.sampled_from([0.0, 0.5, 0.9, 1.0]),
    n_step=st.one_of(st.none(), st.integers(1, 5)),
    learning_rate=st.sampled_from([None, 0.1, 1.0]),
    bootstrap_truncated=st.booleans(),
    double=st.booleans(),
    table_choice=st.sampled_from(["turn", "random"]),
)


def replay(log: list[Update], n_tables: int) -> dict[tuple[int, str], list[tuple[float, int]]]:
    """Every q value, worked out again from zero by the log alone."""
    known: dict[tuple[int, str], list[tuple[float, int]]] = {}
    for number, update in enumerate(log):
        assert update.update_id == number
        tables = known.setdefault((update.record_id, update.action), [(0.0, 0)] * n_tables)
        target = sum(update.gamma**k * reward for k, reward in enumerate(update.rewards))
        if update.bootstrap_value is None:
            assert update.bootstrap_record_id is None
        else:
            # What it bootstrapped from is itself in the log.
            others = [t for (i, _), t in known.items() if i == update.bootstrap_record_id]
            held = [q for tables_ in others for q, _ in tables_]
            held += [np.mean([q for q, n in t if n] or [0.0]) for t in others]
            assert any(math.isclose(update.bootstrap_value, q, abs_tol=1e-9) for q in held)
            target += update.gamma ** len(update.rewards) * update.bootstrap_value
        q, n_visits = tables[update.table]
        assert (update.q_before, update.n_visits) == (q, n_visits + 1)
        q += update.learning_rate * (target - q)
        assert math.isclose(update.target, target, abs_tol=1e-12)
        assert math.isclose(update.q_after, q, abs_tol=1e-12)
        tables[update.table] = (update.q_after, n_visits + 1)
    return known


@given(episodes, configs, st.integers(0, 3))
def test_the_log_holds_all_that_was_learnt(
    attempts: list[tuple[str, list[tuple[str, str, float]], bool]], config: RlemConfig, seed: int
) -> None:
    memory = ExperienceMemory(WORDWISE, n_tables=2 if config.double else 1)
    rng = np.random.default_rng(seed)
    for number, (task, steps, is_truncated) in enumerate(attempts):
        pages = [page for page, _, _ in steps[1:]] + ["last page"]
        transitions = [
            Transition(
                observation=page,
                action=action,
                reward=reward,
                next_observation=after,
                terminated=i == len(steps) - 1 and not is_truncated,
                truncated=i == len(steps) - 1 and is_truncated,
            )
            for i, ((page, action, reward), after) in enumerate(zip(steps, pages, strict=True))
        ]
        updates = learn_episode(
            memory, task, transitions, episode_id=str(number), config=config, rng=rng
        )
        assert sorted(update.step for update in updates) == list(range(len(steps)))
    known = replay(memory.updates(), memory.n_tables)
    held = {(r.record_id, v.action): v for r in memory for v in r.action_values}
    assert held.keys() == known.keys()
    for key, value in held.items():
        assert list(value.tables) == known[key]
        visited = [q for q, n in value.tables if n]
        assert value.q_value == pytest.approx(sum(visited) / len(visited))
        assert value.n_visits == sum(n for _, n in value.tables)
        log = memory.updates(*key)
        assert (value.first_update, value.last_update) == (log[0].update_id, log[-1].update_id)
        assert value.reward == pytest.approx(np.mean([u.rewards[0] for u in log]), abs=1e-9)
