"""The experience memory: keys, retrieval, initial records, copies."""

from __future__ import annotations

import copy
import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rememberer_nb.config import CapacityConfig, RetrievalConfig, RlemConfig, replace
from rememberer_nb.elements import ActionValue, Record, Transition
from rememberer_nb.errors import ConfigError
from rememberer_nb.memory import ExperienceMemory
from rememberer_nb.retrieval import JaccardSimilarity
from rememberer_nb.rlem import learn_episode

WORDWISE = RetrievalConfig(task_similarity="jaccard", observation_similarity="jaccard")


def dump(memory: ExperienceMemory) -> list[Record]:
    return sorted(memory, key=lambda record: record.record_id)


def taught(memory: ExperienceMemory, *steps: tuple[str, str, str, float]) -> ExperienceMemory:
    """One episode of one step per (task, observation, action, reward)."""
    for task, observation, action, reward in steps:
        end = Transition(observation, action, reward, "end", terminated=True)
        learn_episode(memory, task, [end])
    return memory


def test_a_record_per_task_and_observation() -> None:
    memory = ExperienceMemory()
    one = memory.insert("g", "o", ["a", "b", "a"])
    assert memory.insert("g", "o", ["b", "c"]) == one
    assert memory.insert("g", "o2") != one
    assert memory.insert("g2", "o") != one
    assert len(memory) == 3
    assert memory.record(one).available_actions == ("a", "b", "c")
    assert ("g", "o") in memory
    assert ("o", "g") not in memory
    assert memory.find("g", "o").record_id == one
    assert memory.find("g", "nowhere") is None


def test_the_action_is_the_key_and_the_rationale_metadata() -> None:
    """In the published code the reason is part of the key, so one click owns many values."""
    memory = ExperienceMemory()
    for reason, reward in (("looks right", 1.0), ("why not", 0.0), ("", 0.5)):
        end = Transition("o", "click[a]", reward, "end", terminated=True, rationale=reason)
        learn_episode(memory, "g", [end])
    (value,) = memory.find("g", "o").action_values
    assert (value.action, value.n_visits, value.rationale) == ("click[a]", 3, "why not")
    assert value.q_value == pytest.approx(0.5)
    assert value.reward == pytest.approx(0.5)


def test_a_demonstrations_reason_is_kept() -> None:
    """What an agent gives for the same action later does not take its place."""
    shown = ActionValue("click[a]", 1.0, 1, rationale="it fits")
    silent = ActionValue("click[b]", 0.5, 1)
    memory = ExperienceMemory()
    memory.add_initial([Record(0, "g", "o", (), (shown, silent))])
    for action in ("click[a]", "click[b]", "click[c]"):
        for reason in ("I feel like it", "so it is"):
            end = Transition("o", action, 1.0, "end", terminated=True, rationale=reason)
            learn_episode(memory, "g", [end])
    values = memory.find("g", "o").action_values
    assert [value.rationale for value in values] == ["it fits", "I feel like it", "so it is"]
    assert [value.n_visits for value in values] == [3, 3, 2]


def test_add_action_starts_at_zero_and_keeps_what_is_known() -> None:
    memory = taught(ExperienceMemory(), ("g", "o", "a", 0.7))
    record_id = memory.find("g", "o").record_id
    memory.add_action(record_id, "a")
    memory.add_action(record_id, "b", "a guess")
    a, b = memory.record(record_id).action_values
    assert (a.q_value, a.n_visits) == (0.7, 1)
    assert (b.q_value, b.n_visits, b.rationale) == (0.0, 0, "a guess")


def test_records_are_snapshots() -> None:
    memory = taught(ExperienceMemory(), ("g", "o", "a", 1.0))
    before = memory.find("g", "o")
    taught(memory, ("g", "o", "a", 0.0))
    assert before.max_q == 1.0
    assert memory.find("g", "o").max_q == 0.5


def test_retrieval_parts_and_rank() -> None:
    memory = ExperienceMemory(WORDWISE)
    memory.insert("red lamp", "page one")
    memory.insert("blue chair", "page one")
    first, second = memory.retrieve("red lamp", "page one", task_weight=0.25)
    assert (first.rank, first.total, first.record.task) == (0, 1.0, "red lamp")
    assert (second.rank, second.total) == (1, 0.75)
    assert (second.task_similarity, second.observation_similarity) == (0.0, 1.0)
    assert first.query == ("red lamp", "page one")


@pytest.mark.parametrize(("task_weight", "best"), [(0.0, "h"), (1.0, "g"), (None, "h")])
def test_task_weight(task_weight: float | None, best: str) -> None:
    memory = ExperienceMemory(replace(WORDWISE, task_weight=0.0))
    memory.insert("g", "o1")
    memory.insert("h", "o2")
    assert next(memory.retrieve("g", "o2", task_weight=task_weight)).record.task == best


@pytest.mark.parametrize("task_weight", [-0.1, 1.1, float("nan")])
def test_task_weight_out_of_range(task_weight: float) -> None:
    with pytest.raises(ConfigError, match="task_weight"):
        ExperienceMemory().retrieve("g", "o", task_weight=task_weight)


def test_an_empty_memory_has_no_hits() -> None:
    assert list(ExperienceMemory().retrieve("g", "o")) == []


def test_visits_break_ties() -> None:
    memory = ExperienceMemory(WORDWISE)
    for task in "gh":
        memory.insert(task, "o")
    assert [hit.record.task for hit in memory.retrieve("x", "o")] == ["g", "h"]
    taught(memory, ("h", "o", "a", 0.0))
    assert [hit.record.task for hit in memory.retrieve("x", "o")] == ["h", "g"]


def test_an_evicted_record_is_passed_over() -> None:
    memory = ExperienceMemory(WORDWISE)
    for observation in ("a b c", "a b", "a"):
        memory.insert("g", observation)
    hits = memory.retrieve("g", "a b c", 1)
    assert next(hits).rank == 0
    memory.remove(memory.find("g", "a b").record_id)
    assert [(hit.rank, hit.record.observation) for hit in hits] == [(1, "a")]


class Watched(JaccardSimilarity):
    n_puts = 0

    def put(self, slot: int, text: str) -> None:
        self.n_puts += 1
        super().put(slot, text)

    def __deepcopy__(self, memo: object) -> Watched:
        assert not self.n_puts, "memory was copied"
        return Watched()


def test_a_query_encodes_and_copies_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """The published code encodes every goal and copies the memory twice per retrieval."""
    f_g, f_o = Watched(), Watched()
    memory = ExperienceMemory(task_similarity=f_g, observation_similarity=f_o)
    for i in range(30):
        memory.insert(f"task {i % 3}", f"page {i}")
    records = {record.record_id: record for record in memory}

    def refuse(*_: object) -> None:
        raise AssertionError("memory was copied")

    monkeypatch.setattr(copy, "deepcopy", refuse)
    for _ in range(10):
        for hit in memory.retrieve("task 2", "page 7", 4):
            assert hit.record is records[hit.record.record_id]
    assert (f_g.n_puts, f_o.n_puts) == (3, 30)


words = st.lists(st.sampled_from("abcd"), min_size=1, max_size=3).map(" ".join)


@given(
    st.lists(st.tuples(words, words, st.integers(0, 3)), max_size=25),
    st.sets(st.integers(0, 24)),
    words,
    words,
    st.floats(0, 1),
    st.integers(0, 6),
)
def test_order_against_the_definition(
    keys: list[tuple[str, str, int]],
    removed: set[int],
    task: str,
    observation: str,
    task_weight: float,
    n_exemplars: int,
) -> None:
    def overlap(one: str, two: str) -> float:
        a, b = set(one.split()), set(two.split())
        return len(a & b) / len(a | b)

    memory = ExperienceMemory(WORDWISE)
    for number, (g, o, n_visits) in enumerate(keys):
        memory.insert(g, o)
        taught(memory, *[(g, o, f"action {number}", 1.0)] * n_visits)
        if number in removed and memory.find(g, o):
            memory.remove(memory.find(g, o).record_id)

    def place(record: Record) -> tuple[float, int, int]:
        by_task, by_page = overlap(task, record.task), overlap(observation, record.observation)
        total = task_weight * by_task + (1 - task_weight) * by_page
        return -total, -record.n_visits, record.record_id

    hits = list(memory.retrieve(task, observation, n_exemplars, task_weight))
    assert [hit.record for hit in hits] == sorted(memory, key=place)
    assert [hit.rank for hit in hits] == list(range(len(hits)))
    for hit in hits:
        assert hit.total == -place(hit.record)[0]


def test_explain() -> None:
    memory = ExperienceMemory()
    for task, observation in (("red lamp", "page one"), ("red chair", "page two of two")):
        memory.insert(task, observation)
    memory.refresh()
    for hit in memory.retrieve("a red lamp or chair", "page two"):
        why = memory.explain(hit)
        assert why.task_similarity == pytest.approx(hit.task_similarity, abs=1e-12)
        assert why.observation_similarity == pytest.approx(hit.observation_similarity, abs=1e-12)
        assert why.hit is hit


def test_explain_reads_both_where_the_similarity_does() -> None:
    memory = ExperienceMemory(observation_similarity=JaccardSimilarity(reads="both"))
    memory.insert("red", "page")
    why = memory.explain(next(memory.retrieve("red", "site")))
    assert [term.term for term in why.observation_terms] == ["red"]
    assert why.observation_similarity == pytest.approx(1 / 3)


def test_log_by_record_and_action() -> None:
    memory = taught(ExperienceMemory(), ("g", "o", "a", 1.0), ("g", "o", "b", 0.0))
    memory.commit()
    taught(memory, ("g", "o", "a", 0.0), ("h", "o", "a", 1.0))
    assert [u.update_id for u in memory.updates()] == [0, 1, 2, 3]
    record_id = memory.find("g", "o").record_id
    assert [u.update_id for u in memory.updates(record_id)] == [0, 1, 2]
    assert [u.update_id for u in memory.updates(record_id, "a")] == [0, 2]
    assert [u.update_id for u in memory.updates(action="a")] == [0, 2, 3]
    value = memory.find("g", "o").value_of("a")
    assert (value.first_update, value.last_update) == (0, 2)
    assert memory.n_updates == 4


def test_an_update_that_does_not_follow_is_refused() -> None:
    memory = taught(ExperienceMemory(), ("g", "o", "a", 1.0))
    (update,) = memory.updates()
    with pytest.raises(ValueError, match="update 0 does not follow"):
        memory.keep(memory.record(0), update)
    for record_id in (1, 7):
        later = dataclasses.replace(update, update_id=1, record_id=record_id)
        with pytest.raises(ValueError, match="update 1 does not follow"):
            memory.keep(memory.record(0), later)


INITIAL = Record(
    record_id=77,
    task="g",
    observation="o",
    available_actions=("a", "b"),
    action_values=(
        ActionValue("a", 0.8, 2, reward=0.1, rationale="shown"),
        ActionValue("b", -0.2, 1),
    ),
    source="E0",
)


@pytest.mark.parametrize("n_tables", [1, 2])
def test_initial_records(n_tables: int) -> None:
    memory = ExperienceMemory(n_tables=n_tables)
    (record_id,) = memory.add_initial([INITIAL])
    record = memory.record(record_id)
    a, b = record.action_values
    assert (a.q_value, a.n_visits, a.tables) == (0.8, 2 * n_tables, ((0.8, 2),) * n_tables)
    assert (b.q_value, b.tables) == (-0.2, ((-0.2, 1),) * n_tables)
    assert a.is_initial
    assert (a.rationale, a.reward, record.source) == ("shown", 0.1, "E0")


def test_learning_goes_on_from_initial_values() -> None:
    memory = ExperienceMemory()
    memory.add_initial([INITIAL])
    taught(memory, ("g", "o", "a", 0.5))
    value = memory.find("g", "o").value_of("a")
    assert value.q_value == pytest.approx((0.8 * 2 + 0.5) / 3)
    assert (value.n_visits, value.is_initial) == (3, True)


def test_initial_records_do_not_undo_what_was_learnt() -> None:
    memory = ExperienceMemory()
    memory.add_initial([INITIAL])
    taught(memory, ("g", "o", "a", 0.5))
    before = dump(memory)
    memory.add_initial([INITIAL])
    assert dump(memory) == before


def test_copies_are_apart() -> None:
    memory = taught(ExperienceMemory(), ("g", "o", "a", 1.0), ("h", "o", "a", 0.0))
    twin = memory.copy()
    values = [(r.task, r.observation, r.action_values) for r in memory]
    assert [(r.task, r.observation, r.action_values) for r in twin] == values
    assert (twin.updates(), twin.episodes(), twin.path) == ([], [], None)
    taught(twin, ("g", "o", "a", 0.0), ("new", "o", "a", 0.0))
    assert [(r.task, r.observation, r.action_values) for r in memory] == values
    assert len(twin) == 3


def test_shuffled_deals_the_same_values_out_anew() -> None:
    steps = [("g", f"o{i}", f"a{i % 3}", i / 20) for i in range(20)]
    memory = taught(ExperienceMemory(), *steps)
    before = dump(memory)
    twin = memory.shuffled(np.random.default_rng(0))
    assert dump(memory) == before

    def q_values(held: ExperienceMemory) -> list[float]:
        return [value.q_value for record in dump(held) for value in record.action_values]

    assert q_values(twin) != q_values(memory)
    assert sorted(q_values(twin)) == sorted(q_values(memory))
    assert q_values(twin) == q_values(memory.shuffled(np.random.default_rng(0)))
    # Learning in the control starts from the values that it shows.
    for record in twin:
        for value in record.action_values:
            assert value.tables == ((value.q_value, value.n_visits),)


def test_capacity_of_actions_prunes_by_q() -> None:
    """The published code prunes by reward: the action that leads on to everything would go."""
    memory = ExperienceMemory(capacity=CapacityConfig(max_actions=2))
    config = RlemConfig(n_step=None)
    steps = [
        Transition("o", "leads on", 0.0, "o2"),
        Transition("o2", "buy", 1.0, "end", terminated=True),
    ]
    learn_episode(memory, "g", steps, config=config)
    taught(memory, ("g", "o", "pays a little", 0.1), ("g", "o", "third", 0.5))
    actions = {v.action: v.q_value for v in memory.find("g", "o").action_values}
    assert actions == {"leads on": 1.0, "third": 0.5}


def test_n_tables_is_one_or_two() -> None:
    with pytest.raises(ConfigError, match="n_tables must be 1 or 2, got 3"):
        ExperienceMemory(n_tables=3)


def test_repr_counts() -> None:
    memory = taught(ExperienceMemory(), ("g", "o", "a", 1.0))
    assert repr(memory) == "<ExperienceMemory: 1 records, 1 updates>"
    assert "1 records of 1 tasks" in memory._repr_html_()


class Failing(JaccardSimilarity):
    """Fails to encode the texts that say so."""

    def put(self, slot: int, text: str) -> None:
        if "fail" in text:
            raise TypeError("cannot encode this")
        super().put(slot, text)


@pytest.mark.parametrize(("task", "observation"), [("g", "fail"), ("fail", "o")])
def test_a_text_that_cannot_be_encoded_leaves_nothing_behind(task: str, observation: str) -> None:
    memory = ExperienceMemory(task_similarity=Failing(), observation_similarity=Failing())
    first = memory.insert("g", "one")
    for _ in range(2):
        with pytest.raises(TypeError, match="cannot encode this"):
            memory.insert(task, observation)
    assert (len(memory), memory.find(task, observation)) == (1, None)
    second, third = memory.insert("g", "two"), memory.insert("h", "three")
    assert [record.record_id for record in memory] == [first, second, third] == [0, 1, 2]
    for record in memory:
        hit = next(memory.retrieve(record.task, record.observation))
        assert (hit.record, hit.total) == (record, 1.0)
    memory.remove(second)
    with pytest.raises(TypeError, match="cannot encode this"):
        memory.insert(task, observation)
    memory.insert("i", "four")
    assert next(memory.retrieve("i", "four")).record.observation == "four"
