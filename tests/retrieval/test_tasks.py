"""Distinct tasks, their slots, and which are listed first."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from rememberer_nb.retrieval import tasks
from rememberer_nb.retrieval.tasks import TaskTable


@given(st.lists(st.tuples(st.integers(0, 12), st.sampled_from("abcd")), max_size=60))
def test_against_a_dict(steps: list[tuple[int, str]]) -> None:
    table, held = TaskTable(), {}
    for slot, text in steps:
        if slot in held:
            number = table.of_slot[slot]
            is_last = list(held.values()).count(held.pop(slot)) == 1
            assert table.release(slot) == (number if is_last else None)
        else:
            held[slot] = text
            number = table.use(text, slot)
        for name in "abcd":
            slots = {slot for slot, text in held.items() if text == name}
            assert (name in table) == bool(slots)
            if slots:
                assert set(table.slots(table.of_slot[min(slots)])) == slots
    numbers = {table.of_slot[slot]: text for slot, text in held.items()}
    assert len(numbers) == len(set(held.values()))


def filled(n_slots: list[int]) -> TaskTable:
    table, slot = TaskTable(), 0
    for number, n in enumerate(n_slots):
        for _ in range(n):
            table.use(f"task {number}", slot)
            slot += 1
    return table


def test_the_best_tasks_are_listed_while_they_are_few() -> None:
    most = tasks._N_LISTED_SLOTS
    table = filled([2, most - 1, 1, most])
    listed = table.list_best(np.array([0.5, 0.9, 0.6, 0.4]))
    # The second task and the third fill the list; the first one's part is the most of the rest.
    assert sorted(listed.slots.tolist()) == list(range(2, most + 2))
    assert (listed.score_from, listed.most) == (0.6, 0.5)


def test_tasks_that_tie_are_listed_together_or_not_at_all() -> None:
    most = tasks._N_LISTED_SLOTS
    table = filled([1, most - 1, 1])
    listed = table.list_best(np.array([0.9, 0.8, 0.8]))
    assert (listed.slots.tolist(), listed.score_from, listed.most) == ([0], 0.9, 0.8)
    listed = filled([most + 1, 1]).list_best(np.array([0.7, 0.1]))
    assert (len(listed.slots), listed.score_from, listed.most) == (0, np.inf, 0.7)


@given(
    st.lists(st.tuples(st.integers(1, 9), st.sampled_from([0.0, 0.2, 0.5, 0.6, 1.0])), min_size=1)
)
def test_what_is_listed_is_told_by_its_score(given_tasks: list[tuple[int, float]]) -> None:
    table = filled([n for n, _ in given_tasks])
    scores = np.array([score for _, score in given_tasks])
    listed = table.list_best(scores)
    parts = scores[table.of_slot]
    assert sorted(listed.slots.tolist()) == np.flatnonzero(parts >= listed.score_from).tolist()
    others = parts[parts < listed.score_from]
    assert others.max(initial=0.0) <= listed.most
