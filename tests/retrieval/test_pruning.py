"""An index that skips hopeless records finds the same hits, in the same order, as one that scores
all."""

from __future__ import annotations

import random
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rememberer_nb.config import RetrievalConfig
from rememberer_nb.memory import ExperienceMemory
from rememberer_nb.retrieval import (
    InstructionPattern,
    JaccardSimilarity,
    LcsSimilarity,
    RecordIndex,
    index,
)
from rememberer_nb.retrieval.lcs import LcsProbe
from rememberer_nb.testing.bench.lcs import draw_screen, draw_task


class Unbounded:
    """A similarity without its bounds."""

    def __init__(self, inner: LcsSimilarity):
        self.inner = inner
        self.name, self.reads = inner.name, inner.reads
        self.put, self.remove, self.scores = inner.put, inner.remove, inner.scores


def both() -> tuple[RecordIndex, RecordIndex]:
    pruned = RecordIndex(JaccardSimilarity(), LcsSimilarity())
    return pruned, RecordIndex(JaccardSimilarity(), Unbounded(LcsSimilarity()))


def screen(tags: str) -> str:
    return "\n".join(f"<{tag}>" for tag in tags)


@pytest.fixture
def small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(index, "_FIRST_SCORED", 3)


words = st.lists(st.sampled_from("abc"), max_size=2).map(" ".join)
screens = st.text("abcd", max_size=6).map(screen)
changes = st.lists(
    st.one_of(
        st.tuples(st.just("add"), words, screens),
        st.tuples(st.just("remove"), st.integers(0, 40), st.none()),
        st.tuples(st.just("visit"), st.integers(0, 40), st.integers(0, 3)),
    ),
    max_size=60,
)


@given(changes, words, screens, st.sampled_from([0.0, 0.3, 0.5, 1.0]), st.integers(0, 8))
def test_same_hits_and_order_as_brute_force(
    steps: list[tuple], task: str, observation: str, task_weight: float, n_first: int
) -> None:
    pruned, plain = both()
    held: set[int] = set()
    for number, (what, one, two) in enumerate(steps):
        for made in (pruned, plain):
            if what == "add":
                made.add(number, one, two)
            elif one in held and what == "remove":
                made.remove(one)
            elif one in held:
                made.set_visits(one, two)
        held = held | {number} if what == "add" else held - {one if what == "remove" else -1}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(index, "_FIRST_SCORED", 3)
        found = list(pruned.search(task, observation, task_weight, n_first))
    assert found == list(plain.search(task, observation, task_weight, n_first))
    assert {scored.record_id for scored in found} == held


@pytest.mark.parametrize("task_weight", [0.0, 0.5, 1.0])
def test_a_thousand_screens(task_weight: float) -> None:
    rng = random.Random(3)
    pruned, plain = both()
    for number in range(1000):
        task, text = draw_task(rng), draw_screen(rng)
        for made in (pruned, plain):
            made.add(number, task, text, n_visits=number % 5)
    for _ in range(5):
        query = (draw_task(rng), draw_screen(rng), task_weight)
        assert list(pruned.search(*query)) == list(plain.search(*query))


def count_scored(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    scored: list[int] = []
    scores: Callable[[LcsProbe, np.ndarray], np.ndarray] = LcsProbe.scores

    def counting(self: LcsProbe, slots: np.ndarray) -> np.ndarray:
        scored.append(len(slots))
        return scores(self, slots)

    monkeypatch.setattr(LcsProbe, "scores", counting)
    return scored


def test_hopeless_records_are_not_scored(
    monkeypatch: pytest.MonkeyPatch, small_batches: None
) -> None:
    scored = count_scored(monkeypatch)
    made = RecordIndex(JaccardSimilarity(), LcsSimilarity())
    for number in range(200):
        made.add(number, "g", screen("ab" * (1 + number)))
    found = made.search("g", screen("ab" * 100), 0.0, 1)
    assert next(found).record_id == 99
    assert sum(scored) <= 5
    assert len(list(found)) == 199
    assert sum(scored) == 200


def test_an_iterator_under_way_keeps_its_scores(small_batches: None) -> None:
    made = RecordIndex(JaccardSimilarity(), LcsSimilarity())
    for number in range(20):
        made.add(number, "g", screen("a" * (20 - number)))
    found = made.search("g", screen("a" * 20), 0.0, 0)
    assert next(found).record_id == 0
    made.remove(15)
    made.add(99, "g", screen("a" * 20))
    made.set_visits(3, 100)
    assert [scored.record_id for scored in found] == list(range(1, 20))


def test_the_task_similarity_reads_the_instruction_in_force() -> None:
    made = RecordIndex(InstructionPattern(), LcsSimilarity())
    made.add(0, "Search an article", '<p id="0">\nInstruction: Check the reference list')
    made.add(1, "Search an article", '<p id="0">\nInstruction: Search an article about')
    made.add(2, "Search an article", '<p id="0">')
    about = '<p id="0">\nInstruction: Access the about page'
    assert [s.task_similarity for s in made.search("any", about, 1.0)] == [0.8, 0.0, 0.0]
    assert made.query_task("any", about) == "Access the about page"
    made.remove(0)
    made.remove(2)
    assert [s.record_id for s in made.search("any", about, 1.0)] == [1]


def test_a_memory_explains_its_hits() -> None:
    config = RetrievalConfig(
        task_similarity="instruction_pattern", observation_similarity="lcs", task_weight=0.5
    )
    memory = ExperienceMemory(config)
    memory.insert("g", '<p id="0">x</p>\n<div id="1"></div>\nInstruction: Check the reference list')
    hit = next(memory.retrieve("h", '<p id="0">y</p>\nInstruction: Access the about page'))
    assert (hit.task_similarity, hit.observation_similarity, hit.total) == (0.8, 0.5, 0.65)
    explanation = memory.explain(hit)
    assert explanation.task_similarity == 0.8
    assert [term.term for term in explanation.task_terms] == ["about ~ reference"]
    assert explanation.observation_similarity == 0.5
