"""The values of the loop: what they refuse, what they compute, and their way through JSON."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rememberer_nb.elements import (
    ActionValue,
    Advice,
    Decision,
    Episode,
    Exemplar,
    Hit,
    LeftOut,
    Prompt,
    Record,
    Reply,
    Step,
    Task,
    Transition,
    Update,
    unique,
)
from rememberer_nb.errors import ConfigError, DataError
from rememberer_nb.system.plain import from_data, to_data

numbers = st.floats(-1e100, 1e100)
counts = st.integers(0, 2**40)
texts = st.text(max_size=6)
tasks = st.builds(Task, texts, texts, counts)
values = st.builds(
    ActionValue,
    action=texts,
    q_value=numbers,
    n_visits=counts,
    reward=numbers,
    rationale=texts,
    is_initial=st.booleans(),
    tables=st.lists(st.tuples(numbers, counts), max_size=2).map(tuple),
    first_update=st.none() | st.integers(0, 9),
    last_update=st.none() | st.integers(9, 2**40),
)


def tuples(of: st.SearchStrategy) -> st.SearchStrategy:
    return st.lists(of, max_size=2).map(tuple)


records = st.builds(
    Record,
    record_id=counts,
    task=texts,
    observation=texts,
    available_actions=tuples(texts),
    action_values=tuples(values),
    source=texts,
)
hits = st.builds(Hit, counts, numbers, numbers, numbers, records, st.tuples(texts, texts))
advice = st.builds(Advice, texts, st.none() | numbers, texts, st.booleans())
exemplars = st.builds(Exemplar, counts, texts, texts, tuples(texts), tuples(advice), tuples(advice))
left_out = st.builds(LeftOut, texts, texts, counts, st.none() | counts)
json_values = st.none() | st.booleans() | numbers | texts | st.lists(texts, max_size=2)
schemas = st.dictionaries(texts, json_values, max_size=2)
prompts = st.builds(
    Prompt,
    messages=tuples(st.tuples(texts, texts)),
    text=texts,
    n_tokens=counts,
    left_out=tuples(left_out),
    reply_schema=st.none() | schemas,
)
replies = st.builds(Reply, texts, counts, counts, numbers, texts)
updates = st.builds(
    Update,
    update_id=counts,
    episode_id=texts,
    step=counts,
    record_id=counts,
    action=texts,
    table=counts,
    rewards=tuples(numbers),
    gamma=numbers,
    bootstrap_value=st.none() | numbers,
    bootstrap_record_id=st.none() | counts,
    is_stand_in=st.booleans(),
    target=numbers,
    learning_rate=numbers,
    q_before=numbers,
    q_after=numbers,
    n_visits=counts,
)
decisions = st.builds(
    Decision,
    action=texts,
    rationale=texts,
    hits=tuples(hits),
    exemplars=tuples(exemplars),
    prompt=st.none() | prompts,
    reply=st.none() | replies,
    error=st.none() | texts,
)
steps = st.builds(
    Step,
    index=counts,
    observation=texts,
    available_actions=tuples(texts),
    page_type=texts,
    decision=decisions,
    reward=numbers,
    terminated=st.booleans(),
    truncated=st.booleans(),
    updates=tuples(updates),
)
episodes = st.builds(
    Episode,
    episode_id=texts,
    env=texts,
    agent=texts,
    task=tasks,
    steps=tuples(steps),
    final_observation=texts,
    is_success=st.booleans(),
    seed=counts,
    epoch=st.integers(-1, 9),
    metadata=schemas,
)


@given(episodes)
def test_an_episode_comes_back_from_json_as_it_was(episode: Episode) -> None:
    assert from_data(Episode, json.loads(json.dumps(to_data(episode)))) == episode


@pytest.mark.parametrize(
    ("cls", "data", "field"),
    [
        (Task, {"text": "a lamp"}, "task_id"),
        (Task, {"task_id": "7", "text": "a lamp", "number": "seven"}, "number"),
        (Task, ["7", "a lamp"], "Task"),
        (Task, "a lamp", "Task"),
        (Task, None, "Task"),
        (ActionValue, {"action": "a", "q_value": None, "n_visits": 1}, "q_value"),
        (ActionValue, {"action": "a", "q_value": 1.0, "n_visits": -1}, "n_visits"),
        (ActionValue, {"action": "a", "q_value": float("nan"), "n_visits": 1}, "q_value"),
        (Prompt, {"messages": [["user"]], "text": "", "n_tokens": 1}, "messages"),
        (Episode, {"episode_id": "e", "env": "", "agent": "", "steps": 3}, "steps"),
    ],
)
def test_what_does_not_fit_is_named(cls: type, data: object, field: str) -> None:
    with pytest.raises(DataError, match=field) as caught:
        from_data(cls, data)
    assert caught.value.field == cls.__name__


def test_a_field_deep_inside_is_named() -> None:
    step = Step(0, "o", (), "", Decision("a"), 1.0)
    data = to_data(Episode("e", "", "", Task("7", "g"), (step,), ""))
    data["steps"][0]["decision"]["reply"] = {"prompt_tokens": 3}
    with pytest.raises(DataError, match=r"steps\[0\]\.decision\.reply.*text"):
        from_data(Episode, data)


@pytest.mark.parametrize("number", [float("nan"), float("inf"), -float("inf"), 10**400, 2e100])
def test_values_are_finite(number: float) -> None:
    with pytest.raises(ConfigError, match=r"Transition\.reward must be finite, got "):
        Transition("o", "a", number, "o2")
    with pytest.raises(ConfigError, match=r"ActionValue\.q_value must be finite"):
        ActionValue("a", number, 1)


def test_contradictions_are_refused() -> None:
    with pytest.raises(ConfigError, match="terminated or truncated, not both"):
        Transition("o", "a", 0.0, "o2", terminated=True, truncated=True)
    with pytest.raises(ConfigError, match="the first update cannot be 3 and the last one 2"):
        ActionValue("a", 0.0, 1, first_update=3, last_update=2)


@pytest.mark.parametrize("count", [-1, 2**53 + 1, 10**400])
def test_counts_are_counts(count: int) -> None:
    with pytest.raises(ConfigError, match=r"n_visits must lie in 0 to 2\*\*53, got "):
        ActionValue("a", 0.0, count)
    with pytest.raises(ConfigError, match="updates must lie in 0"):
        ActionValue("a", 0.0, 1, last_update=count)


def record(*held: tuple[str, float, int]) -> Record:
    return Record(0, "g", "o", (), tuple(ActionValue(*value) for value in held))


def test_best_of_a_record() -> None:
    assert record(("a", 0.1, 9), ("b", 0.5, 1)).best.action == "b"
    # Ties by visits, then by text.
    assert record(("a", 0.5, 1), ("b", 0.5, 2)).best.action == "b"
    assert record(("b", 0.5, 1), ("a", 0.5, 1)).best.action == "a"
    assert record().best is None


def test_maximum_and_visits_of_a_record() -> None:
    assert record(("a", -0.5, 2), ("b", -0.25, 3)).max_q == -0.25
    assert record(("a", -0.5, 2), ("b", -0.25, 3)).n_visits == 5
    assert (record().max_q, record().n_visits) == (0.0, 0)
    assert record(("a", 0.5, 1)).value_of("a").q_value == 0.5
    assert record(("a", 0.5, 1)).value_of("b") is None


def episode(*rewards: float, error: str | None = None, truncated: bool = False) -> Episode:
    last = len(rewards) - 1
    made = tuple(
        Step(
            index=i,
            observation=f"o{i}",
            available_actions=("a", "b"),
            page_type="",
            decision=Decision("a", f"reason {i}", error=error if i == last else None),
            reward=reward,
            terminated=i == last and not truncated,
            truncated=i == last and truncated,
        )
        for i, reward in enumerate(rewards)
    )
    return Episode("e", "env", "agent", Task("7", "g"), made, "the end")


def test_the_score_is_the_sum_of_the_rewards() -> None:
    assert episode(1.0, 2.0, 4.0).total_reward == 7.0
    assert episode().total_reward == 0.0


@pytest.mark.parametrize("truncated", [False, True])
def test_the_end_is_of_one_kind(truncated: bool) -> None:
    made = episode(1.0, 2.0, truncated=truncated)
    assert (made.terminated, made.truncated) == (not truncated, truncated)
    assert [(t.terminated, t.truncated) for t in made.transitions()] == [
        (False, False),
        (not truncated, truncated),
    ]
    assert not episode().terminated
    assert not episode().truncated


def test_transitions_pair_each_action_with_its_own_reward() -> None:
    first, second = episode(1.0, 2.0, error="no action").transitions()
    assert (first.observation, first.reward, first.next_observation) == ("o0", 1.0, "o1")
    assert (second.observation, second.reward, second.next_observation) == ("o1", 2.0, "the end")
    assert first.rationale == "reason 0"
    assert first.available_actions == ("a", "b")


def test_reply_errors_are_counted() -> None:
    assert episode(1.0, 2.0, error="no action").n_reply_errors == 1
    assert episode(1.0, 2.0).n_reply_errors == 0


def test_unique_keeps_the_first() -> None:
    assert unique(["b", "a", "b", "c", "a"]) == ("b", "a", "c")


def test_a_record_has_metadata_of_its_own() -> None:
    one, two = (Record(0, "g", "o", (), ()) for _ in range(2))
    assert one.metadata == {}
    assert one == two
    assert hash(one) == hash(two)
    origin = {"pool": [1, "a"]}
    kept = Record(0, "g", "o", (), (), metadata=origin)
    assert kept != one
    assert from_data(Record, to_data(kept)) == kept
    assert from_data(Record, {k: v for k, v in to_data(one).items() if k != "metadata"}) == one
