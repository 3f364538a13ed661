"""Capacity: each policy by hand, redundancy against all pairs, and learning when full."""

from __future__ import annotations

import itertools
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rememberer_nb.config import CapacityConfig, RetrievalConfig
from rememberer_nb.elements import Record, Transition
from rememberer_nb.errors import ConfigError
from rememberer_nb.memory import ExperienceMemory
from rememberer_nb.memory.eviction import LeastVisited, Oldest, Redundancy, make_eviction
from rememberer_nb.rlem import learn_episode

WORDWISE = RetrievalConfig(task_similarity="jaccard", observation_similarity="jaccard")


def visit(memory: ExperienceMemory, observation: str, n_visits: int = 1, task: str = "g") -> None:
    for _ in range(n_visits):
        end = Transition(observation, "a", 1.0, "end", terminated=True)
        learn_episode(memory, task, [end])


def limited(eviction: str, max_records: int = 3) -> ExperienceMemory:
    return ExperienceMemory(WORDWISE, CapacityConfig(max_records, eviction=eviction))


def observations(memory: ExperienceMemory) -> list[str]:
    return [record.observation for record in memory]


def test_oldest_by_hand() -> None:
    memory = limited("oldest")
    for observation in ("one", "two", "three", "four", "five"):
        visit(memory, observation, 2 if observation == "one" else 1)
    assert observations(memory) == ["three", "four", "five"]


def test_least_visited_by_hand() -> None:
    memory = limited("least_visited")
    visit(memory, "one", 3)
    visit(memory, "two", 1)
    visit(memory, "three", 2)
    visit(memory, "four", 1)
    assert observations(memory) == ["one", "three", "four"]


def test_least_visited_of_equals_the_oldest() -> None:
    memory = limited("least_visited")
    for observation in ("one", "two", "three", "four"):
        visit(memory, observation)
    assert observations(memory) == ["two", "three", "four"]


def test_redundancy_by_hand() -> None:
    """The pair "a b c", "a b d" is the most alike (1/2); its less visited record goes."""
    memory = limited("redundancy")
    visit(memory, "a b c", 1)
    visit(memory, "x y z", 1)
    visit(memory, "a b d", 2)
    visit(memory, "new")
    assert observations(memory) == ["x y z", "a b d", "new"]


def test_redundancy_of_equals_the_older() -> None:
    memory = limited("redundancy")
    for observation in ("x", "a b", "a b c", "new"):
        visit(memory, observation)
    assert observations(memory) == ["x", "a b c", "new"]


def test_redundancy_looks_at_tasks_too() -> None:
    memory = limited("redundancy")
    visit(memory, "a b", 2, task="red lamp")
    visit(memory, "a b", 2, task="blue chair")  # total 0.5 with the first
    visit(memory, "a c", 1, task="red lamp")  # total 0.5 + 1/6 with the first
    visit(memory, "new")
    assert [r.observation for r in memory] == ["a b", "a b", "new"]


@pytest.mark.parametrize("eviction", ["redundancy", "least_visited", "oldest"])
@pytest.mark.parametrize("max_records", [1, 2, 5])
def test_a_full_memory_goes_on_learning(eviction: str, max_records: int) -> None:
    """The published memory, once full, never takes a new record."""
    memory = limited(eviction, max_records)
    for i in range(30):
        visit(memory, f"page {i} word{i % 4}", task=f"task {i % 3}")
        assert len(memory) == min(i + 1, max_records)
        newest = memory.find(f"task {i % 3}", f"page {i} word{i % 4}")
        assert newest is not None
        assert newest.value_of("a").q_value == 1.0
        # What was evicted is not retrieved any more, what is new is.
        hits = list(memory.retrieve(newest.task, newest.observation))
        assert len(hits) == len(memory)
        assert newest in [hit.record for hit in hits]
    assert memory.n_updates == 30


@pytest.mark.parametrize("eviction", ["redundancy", "least_visited", "oldest"])
def test_an_evicted_record_starts_afresh(eviction: str) -> None:
    memory = limited(eviction, 1)
    visit(memory, "one", 5)
    first = memory.find("g", "one").record_id
    visit(memory, "two")
    assert memory.find("g", "one") is None
    visit(memory, "one")
    again = memory.find("g", "one")
    assert again.record_id > first
    assert again.n_visits == 1
    # The log still tells of the first life.
    assert len(memory.updates(first)) == 5


def test_a_long_episode_in_a_small_memory() -> None:
    memory = limited("redundancy", 2)
    steps = [Transition(f"o{i}", "a", 0.0, f"o{i + 1}") for i in range(9)]
    steps.append(Transition("o9", "a", 1.0, "end", terminated=True))
    updates = learn_episode(memory, "g", steps)
    assert len(updates) == 10
    assert len(memory) == 2


def overlap(one: str, two: str) -> float:
    a, b = set(one.split()), set(two.split())
    return len(a & b) / len(a | b) if a | b else 0.0


def likeness(one: Record, two: Record) -> float:
    return 0.5 * overlap(one.task, two.task) + 0.5 * overlap(one.observation, two.observation)


words = st.lists(st.sampled_from("abcde"), min_size=1, max_size=4).map(" ".join)
visits = st.tuples(st.sampled_from(["g", "h", "g h"]), words, st.integers(1, 3))


@given(st.lists(visits, min_size=6, max_size=30), st.integers(1, 6))
def test_redundancy_against_all_pairs(keys: list[tuple[str, str, int]], max_records: int) -> None:
    memory = limited("redundancy", max_records)
    for task, observation, n_visits in keys:
        before = list(memory)
        is_known = (task, observation) in memory
        memory.insert(task, observation)
        gone = [
            record for record in before if record.record_id not in {r.record_id for r in memory}
        ]
        assert len(gone) == (not is_known and len(before) == max_records)
        if gone and max_records > 1:
            pairs = list(itertools.combinations(before, 2))
            most = max(likeness(*pair) for pair in pairs)
            may_go = [
                min(pair, key=lambda r: (r.n_visits, r.record_id))
                for pair in pairs
                if likeness(*pair) == pytest.approx(most)
            ]
            assert gone[0] in may_go
        visit(memory, observation, n_visits, task)


class CountsQueries(ExperienceMemory):
    n_queries = 0

    def retrieve(self, *query, **settings):
        self.n_queries += 1
        return super().retrieve(*query, **settings)


def test_redundancy_asks_once_per_new_record() -> None:
    memory = CountsQueries(WORDWISE, CapacityConfig(40, eviction="redundancy"))
    for i in range(60):
        memory.n_queries = 0
        memory.insert("g", f"p{i} q{i} r{i // 2}")
        # The last new record, and the one on top if it has lost its neighbour.
        assert memory.n_queries <= 2, i


@given(
    st.lists(visits, min_size=4, max_size=16),
    st.sets(st.integers(0, 15), max_size=3),
    st.integers(1, 5),
    st.sampled_from(["redundancy", "redundancy", "least_visited", "oldest"]),
)
@settings(max_examples=40)
def test_reopened_it_evicts_as_if_it_had_stayed_open(
    keys: list[tuple[str, str, int]], reopened: set[int], max_records: int, eviction: str
) -> None:
    """Which neighbour is whose depends on the order of events, so it is stored with the memory."""
    limits = CapacityConfig(max_records, max_actions=2, eviction=eviction)
    straight = ExperienceMemory(WORDWISE, limits)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "memory.sqlite")
        memory = ExperienceMemory.open(path, retrieval=WORDWISE, capacity=limits)
        for number, (task, observation, n_visits) in enumerate(keys):
            for held in (straight, memory):
                visit(held, observation, n_visits, task)
            if number in reopened:
                memory.commit()
                memory.close()
                memory = ExperienceMemory.open(path, retrieval=WORDWISE, capacity=limits)
            assert list(memory) == list(straight)
        memory.close()


steps = st.tuples(
    st.sampled_from(["g", "h", "g h"]), words, st.sampled_from("xyz"), st.integers(0, 4)
)


@given(
    st.lists(steps, max_size=40),
    st.integers(1, 6),
    st.integers(1, 2),
    st.sampled_from(["redundancy", "least_visited", "oldest"]),
)
def test_a_full_memory_keeps_learning_whatever_comes(
    attempts: list[tuple[str, str, str, int]], max_records: int, max_actions: int, eviction: str
) -> None:
    memory = ExperienceMemory(WORDWISE, CapacityConfig(max_records, max_actions, eviction))
    for number, (task, observation, action, quarters) in enumerate(attempts):
        before = memory.find(task, observation)
        value = None if before is None else before.value_of(action)
        end = Transition(observation, action, quarters / 4, "end", terminated=True)
        learn_episode(memory, task, [end])
        # What was just tried is known, counted right, and found first.
        known = memory.find(task, observation).value_of(action)
        q_value, n_visits = (0.0, 0) if value is None else (value.q_value, value.n_visits)
        expected = (q_value * n_visits + quarters / 4) / (n_visits + 1)
        assert (known.q_value, known.n_visits) == (pytest.approx(expected), n_visits + 1)
        hits = list(memory.retrieve(task, observation))
        assert (task, observation) in {
            (hit.record.task, hit.record.observation) for hit in hits if hit.total == hits[0].total
        }
        assert len(hits) == len(memory) <= max_records
        assert all(len(record.action_values) <= max_actions for record in memory)
        assert memory.n_updates == number + 1


def test_pruned_actions_make_a_record_less_visited_again() -> None:
    limits = CapacityConfig(max_records=2, max_actions=1, eviction="least_visited")
    memory = ExperienceMemory(WORDWISE, limits)
    visit(memory, "one", 3)
    visit(memory, "two", 2)
    # The new action replaces the one with three visits.
    learn_episode(memory, "g", [Transition("one", "b", 1.0, "end", terminated=True)])
    visit(memory, "three")
    assert observations(memory) == ["two", "three"]


def test_a_choice_is_quick_in_a_large_memory() -> None:
    """A policy that looked at all records, or all pairs, would do 2,000 times as much work."""
    memory = CountsQueries(WORDWISE, CapacityConfig(2000, eviction="redundancy"))
    for i in range(2000):
        memory.insert(f"task {i % 20}", f"page {i}")
    n_looked_at = 0
    record = memory.record

    def counted(record_id: int) -> Record:
        nonlocal n_looked_at
        n_looked_at += 1
        return record(record_id)

    memory.record = counted
    memory.n_queries = 0
    for i in range(2000, 2050):
        memory.insert(f"task {i % 20}", f"page {i}")
    assert len(memory) == 2000
    # Every page of a task is as near to the first as to all others: its neighbours are many.
    assert max(n_looked_at, memory.n_queries) <= 50 * 3


def test_names() -> None:
    kinds = {"redundancy": Redundancy, "least_visited": LeastVisited, "oldest": Oldest}
    for name, kind in kinds.items():
        assert isinstance(make_eviction(name), kind)
    with pytest.raises(ConfigError, match="'newest'; known: redundancy, least_visited, oldest"):
        make_eviction("newest")
