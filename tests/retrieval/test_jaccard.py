"""Jaccard overlap against its definition on sets."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rememberer_nb.retrieval import JaccardSimilarity

texts = st.text(alphabet="ab c\u00e9\n\u3000", max_size=12)


def overlap(one: str, two: str) -> float:
    a, b = set(one.split()), set(two.split())
    return len(a & b) / len(a | b) if a | b else 0.0


@given(st.lists(texts, max_size=8), texts)
def test_equals_the_definition_on_sets(held: list[str], query: str) -> None:
    similarity = JaccardSimilarity()
    for slot, text in enumerate(held):
        similarity.put(slot, text)
    assert similarity.scores(query).tolist() == [overlap(query, text) for text in held]


@given(st.lists(st.tuples(st.integers(0, 5), texts), max_size=40), texts)
def test_removal_and_reuse_of_slots(steps: list[tuple[int, str]], query: str) -> None:
    similarity, held = JaccardSimilarity(), {}
    for slot, text in steps:
        if slot in held:
            similarity.remove(slot)
            del held[slot]
        else:
            similarity.put(slot, text)
            held[slot] = text
    for slot, score in enumerate(similarity.scores(query)):
        assert score == (overlap(query, held[slot]) if slot in held else 0.0)


def test_two_empty_texts_are_not_alike() -> None:
    similarity = JaccardSimilarity()
    similarity.put(0, "  \n")
    assert similarity.scores("").tolist() == [0.0]
    assert similarity.explain("", 0) == ()


def test_case_counts_and_repetitions_do_not() -> None:
    similarity = JaccardSimilarity()
    similarity.put(0, "Red red red")
    assert similarity.scores("red").tolist() == [0.5]


def test_a_growing_vocabulary() -> None:
    similarity = JaccardSimilarity()
    for slot in range(300):
        similarity.put(slot, f"w{slot} w{slot + 1}")
    scores = similarity.scores("w7 w8 unknown")
    assert scores[7] == pytest.approx(2 / 3)
    assert scores[6] == pytest.approx(1 / 4)
    assert scores[100] == 0


def test_state_is_empty() -> None:
    similarity = JaccardSimilarity()
    similarity.put(0, "red")
    similarity.refresh()
    similarity.restore(similarity.state())
    assert similarity.state() == b""
    assert similarity.scores("red").tolist() == [1.0]
