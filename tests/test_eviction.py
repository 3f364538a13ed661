"""Capacity: each policy by hand, redundancy against all pairs, and learning when full."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rememberer_nb.config import CapacityConfig, RetrievalConfig
from rememberer_nb.elements import Record, Transition
from rememberer_nb.errors import ConfigError
from rememberer_nb.eviction import LeastVisited, Oldest, Redundancy, make_eviction
from rememberer_nb.memory import ExperienceMemory
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


class CountsQueries:
    """A memory of n unlike records that counts the queries a policy makes."""

    def __init__(self, n_records: int):
        self.memory = ExperienceMemory(WORDWISE)
        for i in range(n_records):
            self.memory.insert("g", f"p{i} q{i} r{i // 2}")
        self.n_queries = 0

    def __iter__(self):
        return iter(self.memory)

    def retrieve(self, task: str, observation: str, n_exemplars: int = 2):
        self.n_queries += 1
        return self.memory.retrieve(task, observation, n_exemplars)


def test_redundancy_asks_once_per_new_record() -> None:
    counting, policy = CountsQueries(40), Redundancy()
    counting.memory.remove(policy.choose(counting))
    counting.n_queries = 0
    counting.memory.insert("g", "another")
    policy.choose(counting)
    # The new record, and the one that lost its neighbour.
    assert counting.n_queries <= 2


def test_names() -> None:
    kinds = {"redundancy": Redundancy, "least_visited": LeastVisited, "oldest": Oldest}
    for name, kind in kinds.items():
        assert isinstance(make_eviction(name), kind)
    with pytest.raises(ConfigError, match="'newest'; known: redundancy, least_visited, oldest"):
        make_eviction("newest")
