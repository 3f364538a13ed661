"""Retrieval by TF-IDF finds what the definition says, in its order, whatever finds it."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from itertools import islice
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rememberer_nb.retrieval import RecordIndex, TfidfSimilarity, index
from rememberer_nb.retrieval.fast import plain, postings, rows
from rememberer_nb.retrieval.fast.kernels import has_compiled
from rememberer_nb.testing.bench.states import StateMaker

PATHS = ("plain", "compiled")


def kernels(path: str) -> ModuleType:
    """The kernels of a path; the compiled ones come with the extra `fast`."""
    if path == "compiled":
        if not has_compiled():
            pytest.skip("numba is missing: pip install 'rememberer-nb[fast]'")
        return importlib.import_module("rememberer_nb.retrieval.fast.compiled")
    return plain


def always_shortlisting(path: str) -> SimpleNamespace:
    return SimpleNamespace(**{**vars(kernels(path)), "MIN_SHORTLISTED": 0})


def never_shortlisting() -> SimpleNamespace:
    return SimpleNamespace(**{**vars(plain), "MIN_SHORTLISTED": np.inf})


def make(scorer: object) -> RecordIndex:
    return RecordIndex(
        TfidfSimilarity(scorer=lambda n: scorer), TfidfSimilarity(scorer=lambda n: scorer)
    )


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Segments, tails, sweeps, common terms and lists of tasks in a memory of a few records."""
    shrink(monkeypatch)


def shrink(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(postings, "MAX_SEGMENT", 16)
    patch.setattr(postings, "FIRST_TAIL", 5)
    patch.setattr(postings, "MAX_TAIL", 3)
    patch.setattr(rows, "_MIN_DEAD", 4)
    patch.setattr(rows, "_COMMON_SHARE", 0.4)
    patch.setattr("rememberer_nb.retrieval.tasks._N_LISTED_TASKS", 2)
    patch.setattr("rememberer_nb.retrieval.tasks._N_LISTED_SLOTS", 4)


def cosine(one: str, two: str, corpus: TfidfSimilarity) -> float:
    """The definition, from the words: Σ over the words of `one`, in their order."""
    number, idf = corpus._vocabulary, corpus.rows.idf.view

    def vector(text: str) -> dict[str, float]:
        words = [w for w in text.lower().split() if len(w) > 1]
        return {w: words.count(w) * idf[number[w]] for w in words if w in number}

    a, b = vector(one), vector(two)
    lengths = [np.sqrt(sum(x * x for x in v.values())) or 1.0 for v in (a, b)]
    return sum(a[w] * b.get(w, 0.0) for w in a) / lengths[0] / lengths[1]


def definition(
    made: RecordIndex, held: dict[int, tuple[str, str, int]], query: tuple[str, str], weight: float
) -> list[tuple]:
    """Every record by brute force: (−total, −visits, id), ascending."""
    f_g, f_o = made.task_similarity, made.observation_similarity
    by_task, by_page = f_g.scores(query[0]), f_o.scores(query[1])
    rows = []
    for record_id, (_, _, n_visits) in held.items():
        task_slot, slot = made.explain_slots(record_id)
        total = weight * by_task[task_slot] + (1 - weight) * by_page[slot]
        rows.append((-total, -n_visits, record_id))
    return sorted(rows)


WORDS = ["red", "lamp", "blue", "chair", "desk", "oak", "page", "next", "back", "small", "12", "34"]
texts = st.lists(st.sampled_from(WORDS), max_size=6).map(" ".join)
tasks = st.sampled_from(["red lamp", "blue lamp", "oak desk", "small oak chair", "", "large 12"])
steps = st.lists(
    st.one_of(
        st.tuples(st.just("add"), tasks, texts),
        st.tuples(st.just("add many"), st.lists(st.tuples(tasks, texts), max_size=20), st.none()),
        st.tuples(st.just("remove"), st.integers(0, 60), st.none()),
        st.tuples(st.just("visit"), st.integers(0, 60), st.integers(0, 3)),
        st.tuples(st.just("refresh"), st.none(), st.none()),
    ),
    max_size=40,
)
Held = dict[int, tuple[str, str, int]]


def play(made: RecordIndex, todo: list[tuple]) -> Iterator[Held]:
    """Change an index step by step; yields what it holds after each."""
    held: Held = {}
    last = -1
    for what, one, two in todo:
        if what == "add":
            last += 1
            made.add(last, one, two)
            held[last] = (one, two, 0)
        elif what == "add many":
            new = [(last + i, g, o, i % 2) for i, (g, o) in enumerate(one, 1)]
            made.add_many(new)
            held |= {record_id: key for record_id, *key in new}
            last += len(new)
        elif what == "refresh":
            made.refresh()
        elif one in held and what == "remove":
            made.remove(one)
            del held[one]
        elif one in held and what == "visit":
            made.set_visits(one, two)
            held[one] = (*held[one][:2], two)
        yield held


@pytest.mark.parametrize("path", PATHS)
@settings(deadline=None)
@given(steps, tasks, texts, st.sampled_from([0.0, 0.05, 0.3, 0.5, 0.9, 1.0]), st.integers(1, 9))
def test_hits_and_order_are_the_definitions(
    path: str, todo: list[tuple], task: str, page: str, weight: float, n: int
) -> None:
    """After every change, for any λ and m: the first m, and all that follow."""
    with pytest.MonkeyPatch.context() as patch:
        shrink(patch)
        made = make(always_shortlisting(path))
        for held in play(made, todo):
            wanted = definition(made, held, (task, page), weight)
            first = [s.record_id for s in islice(made.search(task, page, weight, n), n)]
            assert first == [record_id for _, _, record_id in wanted[:n]]
        if todo:
            found = list(made.search(task, page, weight, n))
            assert [(-s.total, s.record_id) for s in found] == [(t, i) for t, _, i in wanted]


@settings(deadline=None)
@given(steps, st.lists(st.tuples(tasks, texts), min_size=1, max_size=4))
def test_scores_are_the_words(todo: list[tuple], queries: list[tuple[str, str]]) -> None:
    """What the brute force above takes for granted: scores against the words themselves."""
    with pytest.MonkeyPatch.context() as patch:
        shrink(patch)
        made = make(plain)
        held = list(play(made, todo))[-1] if todo else {}
        for task, page in queries:
            for s in made.search(task, page, 0.5):
                g, o, _ = held[s.record_id]
                f_g = cosine(task, g, made.task_similarity)
                f_o = cosine(page, o, made.observation_similarity)
                found = (s.task_similarity, s.observation_similarity)
                assert found == pytest.approx((f_g, f_o), abs=1e-12)


@settings(deadline=None)
@given(steps, tasks, texts, st.sampled_from([0.0, 0.5, 1.0]))
def test_both_paths_agree_to_the_last_bit(
    todo: list[tuple], task: str, page: str, weight: float
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        shrink(patch)
        ways = (always_shortlisting("compiled"), always_shortlisting("plain"), never_shortlisting())
        found = []
        for way in ways:
            made = make(way)
            for _ in play(made, todo):
                pass
            found.append(list(made.search(task, page, weight, 3)))
        assert found[0] == found[1] == found[2]


@pytest.mark.parametrize("path", PATHS)
def test_realistic_states(path: str) -> None:
    """Segments as they are, states of a shop, every λ; some records go, and the order stays."""
    maker = StateMaker(3_000, seed=5)
    made, brute = make(always_shortlisting(path)), make(never_shortlisting())
    states = list(maker.states(3_000))
    for which in (made, brute):
        which.add_many([(i, g, o, i % 3) for i, (g, o) in enumerate(states)])
        for record_id in range(0, 3_000, 7):
            which.remove(record_id)
    queries = [states[7], *list(maker.states(60))[::4]]
    for task, page in queries:
        for weight in (0.0, 0.2, 0.5, 1.0):
            found = islice(made.search(task, page, weight, 2), 12)
            assert list(found) == list(islice(brute.search(task, page, weight, 2), 12))


@pytest.mark.parametrize("path", PATHS)
def test_ties_of_many(path: str, small: None) -> None:
    """Equal texts tie: the most visited come first, then the oldest, past any shortlist."""
    made = make(always_shortlisting(path))
    made.add_many([(i, "red lamp", "page one", i % 4) for i in range(200)])
    made.add(200, "red lamp", "page two", 9)
    wanted = sorted(range(200), key=lambda i: (-(i % 4), i))
    assert [s.record_id for s in made.search("red lamp", "page one", 0.5, 2)] == [*wanted, 200]
    assert next(made.search("red lamp", "page one", 1.0)).record_id == 200


@pytest.mark.parametrize("path", PATHS)
def test_a_query_of_unknown_words(path: str, small: None) -> None:
    made = make(always_shortlisting(path))
    made.add_many([(i, f"task{i % 3}", f"page{i}", 0) for i in range(40)])
    for query in (("", ""), ("zz", "yy")):
        found = list(made.search(*query, 0.5, 2))
        assert [(s.record_id, s.total) for s in found] == [(i, 0.0) for i in range(40)]


@pytest.mark.parametrize("path", PATHS)
def test_words_in_great_numbers(path: str, small: None) -> None:
    """A count that does not fit into eight bits is as exact as any other."""
    made, brute = make(always_shortlisting(path)), make(never_shortlisting())
    for which in (made, brute):
        for i in range(40):
            which.add(i, f"task{i % 5}", f"lamp {'chair ' * (240 + i)} word{i}")
    for page in ("chair lamp", "word7 chair", "lamp word30", "chair " * 300):
        for weight in (0.0, 0.3, 1.0):
            query = ("task1", page, weight)
            assert list(made.search(*query)) == list(brute.search(*query))


@pytest.mark.parametrize("path", PATHS)
def test_an_iterator_under_way_keeps_its_scores(path: str, small: None) -> None:
    made = make(always_shortlisting(path))
    made.add_many([(i, f"task{i % 3}", f"page word{i} word{i + 1}", 0) for i in range(30)])
    query = ("task1", "page word4 word9", 0.5, 1)
    wanted = list(made.search(*query))
    under_way = [made.search(*query) for _ in range(4)]
    for n_taken, found in enumerate(under_way):
        assert list(islice(found, n_taken)) == wanted[:n_taken]
    made.remove(4)
    made.add(99, "task1", "page word4 word9")
    made.set_visits(7, 100)
    made.refresh()
    for n_taken, found in enumerate(under_way):
        assert list(found) == wanted[n_taken:]
    assert next(made.search(*query)).record_id == 99


def test_most_records_are_never_scored(monkeypatch: pytest.MonkeyPatch) -> None:
    """The shortlist is short: exact sums are taken of few rows, and few terms are added up."""
    maker = StateMaker(5_000, seed=2)
    made = make(always_shortlisting("plain"))
    made.add_many([(i, g, o, 0) for i, (g, o) in enumerate(maker.states(5_000))])
    n_scored = []
    combine = index.RecordIndex._combine

    def counting(self: RecordIndex, slots: np.ndarray, *rest: object) -> object:
        n_scored.append(len(slots))
        return combine(self, slots, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(index.RecordIndex, "_combine", counting)
    for task, page in maker.states(40):
        list(islice(made.search(task, page, 0.5, 2), 2))
    assert len(n_scored) == 40
    assert np.median(n_scored) < 250
