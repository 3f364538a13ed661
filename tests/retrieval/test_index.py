"""The index against the definition of its order, and the work it does not do."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rememberer_nb.retrieval import JaccardSimilarity, RecordIndex
from rememberer_nb.retrieval.fast import best_first


class Spy(JaccardSimilarity):
    """Counts what is encoded and what is scored."""

    def __init__(self, *, reads: str = "observation"):
        super().__init__(reads=reads)
        self.n_calls: Counter[str] = Counter()
        self.texts: list[str] = []

    def put(self, slot: int, text: str) -> None:
        self.n_calls["put"] += 1
        self.texts.append(text)
        super().put(slot, text)

    def scores(self, query: str) -> np.ndarray:
        self.n_calls["scores"] += 1
        return super().scores(query)


def overlap(one: str, two: str) -> float:
    a, b = set(one.split()), set(two.split())
    return len(a & b) / len(a | b) if a | b else 0.0


def make(*keys: tuple[str, str]) -> RecordIndex:
    made = RecordIndex(Spy(), Spy())
    for record_id, (task, observation) in enumerate(keys):
        made.add(record_id, task, observation)
    return made


def ids(made: RecordIndex, *query: object) -> list[int]:
    return [scored.record_id for scored in made.search(*query)]


def test_total_is_the_weighted_sum() -> None:
    made = make(("red lamp", "page one"), ("red chair", "page two"))
    first, second = made.search("red lamp", "page two", 0.25)
    assert (first.record_id, first.task_similarity, first.observation_similarity) == (1, 1 / 3, 1)
    assert first.total == 0.25 * (1 / 3) + 0.75 * 1
    assert (second.record_id, second.total) == (0, 0.25 * 1 + 0.75 * (1 / 3))


@pytest.mark.parametrize(("task_weight", "order"), [(1.0, [0, 1]), (0.0, [1, 0])])
def test_one_side_alone(task_weight: float, order: list[int]) -> None:
    made = make(("red lamp", "page two"), ("blue chair", "page one"))
    found = list(made.search("red lamp", "page one", task_weight))
    assert [scored.record_id for scored in found] == order
    for scored in found:
        parts = (scored.observation_similarity, scored.task_similarity)
        assert scored.total == parts[int(task_weight)]


def test_ties_by_visits_then_by_insertion() -> None:
    made = make(*(("g", "o") for _ in range(4)))
    made.set_visits(2, 5)
    made.set_visits(3, 5)
    assert ids(made, "g", "o", 0.5) == [2, 3, 0, 1]
    made.set_visits(1, 6)
    assert ids(made, "g", "o", 0.5) == [1, 2, 3, 0]


def test_each_distinct_task_is_encoded_once() -> None:
    made = make(("g", "o1"), ("g", "o2"), ("h", "o3"))
    assert made.task_similarity.texts == ["g", "h"]
    made.remove(0)
    made.add(3, "g", "o4")
    assert made.task_similarity.texts == ["g", "h"]
    made.remove(1)
    made.remove(3)
    made.add(4, "g", "o5")
    assert made.task_similarity.texts == ["g", "h", "g"]
    assert [round(s.task_similarity, 3) for s in made.search("g", "o5", 0.5)] == [1.0, 0.0]


def test_a_query_encodes_nothing() -> None:
    made = make(*((f"g{i % 7}", f"o{i}") for i in range(50)))
    for i in range(20):
        list(made.search(f"g{i % 2}", "o7", 0.5))
        list(made.search(f"g{i % 2}", "o8", 0.1))
    # The steps of an episode ask for the same task, which is scored once.
    assert made.task_similarity.n_calls == {"put": 7, "scores": 20}
    assert made.observation_similarity.n_calls == {"put": 50, "scores": 40}


def test_a_change_of_the_tasks_scores_them_anew() -> None:
    made = make(("red lamp", "a"), ("red chair", "b"))
    for change in (lambda: made.add(2, "red lamp shade", "c"), lambda: made.remove(0)):
        list(made.search("red lamp", "a", 1.0))
        change()
        found = {s.record_id: s.task_similarity for s in made.search("red lamp", "a", 1.0)}
        wanted = {0: 1.0, 1: 1 / 3, 2: 2 / 3}
        assert found == {i: wanted[i] for i in made._slot_of}


def test_reads_both() -> None:
    made = RecordIndex(Spy(), Spy(reads="both"))
    made.add(0, "red lamp", "page one")
    assert made.observation_similarity.texts == ["red lamp page one"]
    assert made.query_text("red", "page") == "red page"
    assert next(made.search("red", "page", 0.0)).total == 2 / 4


def test_past_m_the_iterator_goes_on_lazily(monkeypatch: pytest.MonkeyPatch) -> None:
    sorted_rows: list[int] = []
    by_rank = best_first._by_rank

    def counting(row: tuple) -> tuple:
        sorted_rows.append(row[0])
        return by_rank(row)

    monkeypatch.setattr(best_first, "_by_rank", counting)
    # Overlap with the query falls with every record: no ties.
    words = [f"w{i}" for i in range(400)]
    made = make(*(("g", " ".join(words[: 400 - i])) for i in range(400)))
    found = made.search("g", " ".join(words), 0.0, 2)
    assert sorted_rows == []
    assert [next(found).record_id for _ in range(2)] == [0, 1]
    assert sorted_rows == [0, 1]
    assert next(found).record_id == 2
    assert sorted_rows[2:] == list(range(8))
    assert [scored.record_id for scored in found] == list(range(3, 400))


def test_an_iterator_under_way_keeps_its_scores() -> None:
    made = make(("g", "a"), ("g", "b"), ("g", "c"))
    found = made.search("g", "a", 0.5, 1)
    assert next(found).record_id == 0
    made.remove(2)
    made.add(9, "g", "a")
    made.set_visits(1, 100)
    assert [scored.record_id for scored in found] == [1, 2]


def test_nothing_held() -> None:
    made = make()
    assert ids(made, "g", "o", 0.5) == []
    made.add(0, "g", "o")
    made.remove(0)
    assert ids(made, "g", "o", 0.5) == []
    assert len(made) == 0


words = st.lists(st.sampled_from("abcd"), max_size=3).map(" ".join)
changes = st.lists(
    st.one_of(
        st.tuples(st.just("add"), words, words),
        st.tuples(st.just("remove"), st.integers(0, 30), st.none()),
        st.tuples(st.just("visit"), st.integers(0, 30), st.integers(0, 3)),
    ),
    max_size=40,
)


@given(changes, words, words, st.sampled_from([0.0, 0.3, 0.5, 1.0]), st.integers(0, 50))
def test_order_against_the_definition(
    steps: list[tuple], task: str, observation: str, task_weight: float, n_first: int
) -> None:
    """Every record by total, ties by total visits, then by insertion order."""
    made = make()
    held: dict[int, tuple[str, str, int]] = {}
    for number, (what, one, two) in enumerate(steps):
        if what == "add":
            made.add(number, one, two)
            held[number] = (one, two, 0)
        elif one in held and what == "remove":
            made.remove(one)
            del held[one]
        elif one in held:
            made.set_visits(one, two)
            held[one] = (*held[one][:2], two)
    wanted = []
    for record_id, (g, o, n_visits) in held.items():
        f_g, f_o = overlap(task, g), overlap(observation, o)
        total = task_weight * f_g + (1 - task_weight) * f_o
        wanted.append((-total, -n_visits, record_id, f_g, f_o))
    wanted.sort()
    found = list(made.search(task, observation, task_weight, n_first))
    assert [
        (-s.total, -held[s.record_id][2], s.record_id, s.task_similarity, s.observation_similarity)
        for s in found
    ] == wanted
