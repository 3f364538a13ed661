"""TF-IDF against scikit-learn, alone and through the memory."""

from __future__ import annotations

import json
import math
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from sklearn.feature_extraction.text import TfidfVectorizer

from rememberer_nb.memory import ExperienceMemory
from rememberer_nb.retrieval import TfidfSimilarity, tokenize

WORDS = ["red", "lamp", "a", "the", "Éclair", "naïve", "ΣΊΣΥΦΟΣ", "12", "x_1", "İstanbul", "ﬁne"]
words = st.lists(st.sampled_from(WORDS), max_size=8).map(" ".join)
texts = st.one_of(words, st.text(max_size=20))


def sklearn_scores(corpus: list[str], query: str) -> np.ndarray:
    """The reference; a corpus without any word makes scikit-learn refuse, and scores 0 here."""
    vectorizer = TfidfVectorizer()
    try:
        rows = vectorizer.fit_transform(corpus)
    except ValueError:
        return np.zeros(len(corpus))
    return (rows @ vectorizer.transform([query]).T).toarray()[:, 0]


def filled(corpus: list[str]) -> TfidfSimilarity:
    similarity = TfidfSimilarity()
    for slot, text in enumerate(corpus):
        similarity.put(slot, text)
    return similarity


@given(texts)
def test_tokens_are_scikit_learns(text: str) -> None:
    assert tokenize(text) == TfidfVectorizer().build_analyzer()(text)


@given(st.lists(texts, min_size=1, max_size=12), texts)
@example(["", "a b", "red red lamp"], "red lamp red unseen")
@example([""], "")
def test_equals_scikit_learn(corpus: list[str], query: str) -> None:
    similarity = filled(corpus)
    similarity.refresh()
    for asked in (query, corpus[0]):
        assert similarity.scores(asked) == pytest.approx(sklearn_scores(corpus, asked), abs=1e-6)


pairs = st.lists(st.tuples(words, texts), min_size=1, max_size=12, unique=True)


@given(pairs, words, texts, st.data())
def test_memory_fits_on_distinct_tasks_and_one_observation_per_record(
    keys: list[tuple[str, str]], task: str, observation: str, data: st.DataObject
) -> None:
    """Through the memory: some records go again, and what is left counts."""
    memory = ExperienceMemory()
    ids = {key: memory.insert(*key) for key in keys}
    gone = data.draw(st.sets(st.sampled_from(keys), max_size=len(keys) - 1))
    for key in gone:
        memory.remove(ids[key])
    memory.refresh()
    held = [key for key in keys if key not in gone]
    tasks = list(dict.fromkeys(g for g, _ in held))
    f_g = dict(zip(tasks, sklearn_scores(tasks, task), strict=True))
    f_o = sklearn_scores([o for _, o in held], observation)
    hits = {(h.record.task, h.record.observation): h for h in memory.retrieve(task, observation)}
    assert hits.keys() == set(held)
    for key, by_observation in zip(held, f_o, strict=True):
        assert hits[key].task_similarity == pytest.approx(f_g[key[0]], abs=1e-6)
        assert hits[key].observation_similarity == pytest.approx(by_observation, abs=1e-6)


def test_by_hand() -> None:
    """Two texts: idf of a term in both is 1, in one ln(3/2) + 1."""
    similarity = filled(["red lamp", "red chair"])
    similarity.refresh()
    rare = math.log(3 / 2) + 1
    assert similarity.scores("red").tolist() == pytest.approx([1 / math.hypot(1, rare)] * 2)
    assert similarity.scores("lamp").tolist() == pytest.approx([rare / math.hypot(1, rare), 0])


def test_unseen_terms_are_ignored_until_a_refresh() -> None:
    corpus = [f"word{i} common" for i in range(40)]
    similarity = filled(corpus)
    similarity.refresh()
    n_refreshes = similarity.n_refreshes
    similarity.put(40, "novel common")
    assert similarity.n_refreshes == n_refreshes
    assert similarity.scores("novel")[40] == 0
    # With the unseen term ignored the new text is just "common".
    assert similarity.scores("common")[40] == pytest.approx(1)
    # The idf in force is still that of the 40 texts.
    assert similarity.scores("word3 common")[:40] == pytest.approx(
        sklearn_scores(corpus, "word3 common")
    )
    similarity.refresh()
    assert similarity.scores("novel") == pytest.approx(
        sklearn_scores([*corpus, "novel common"], "novel"), abs=1e-6
    )


def test_refreshes_are_amortised_and_logged(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level("DEBUG", logger="rememberer_nb.retrieval.tfidf"):
        similarity = filled([f"text number{i}" for i in range(1000)])
    # A tenth more each time: about ln(1000) / ln(1.1) = 72, one each at first.
    assert 20 < similarity.n_refreshes < 80
    assert len(caplog.records) == similarity.n_refreshes
    assert caplog.records[-1].getMessage().startswith("tf-idf refresh")


@given(st.lists(st.tuples(st.integers(0, 6), texts), max_size=40), texts)
def test_slots_are_used_again(steps: list[tuple[int, str]], query: str) -> None:
    similarity, held = TfidfSimilarity(), {}
    for slot, text in steps:
        if slot in held:
            similarity.remove(slot)
            del held[slot]
        else:
            similarity.put(slot, text)
            held[slot] = text
    similarity.refresh()
    scores = similarity.scores(query)
    empty = [slot for slot in range(len(scores)) if slot not in held]
    assert not scores[empty].any()
    if held:
        slots = list(held)
        wanted = sklearn_scores([held[slot] for slot in slots], query)
        assert scores[slots] == pytest.approx(wanted, abs=1e-6)


@given(st.lists(texts, min_size=1, max_size=30), st.lists(texts, max_size=4), texts)
def test_restored_scores_agree_to_the_last_bit(
    corpus: list[str], later: list[str], query: str
) -> None:
    similarity = filled(corpus)
    similarity.refresh()
    for slot, text in enumerate(later, start=len(corpus)):
        similarity.put(slot, text)
    twin = TfidfSimilarity()
    # Slots are dealt out anew when a file is read.
    slots = list(range(len(corpus) + len(later)))[::-1]
    for slot, text in zip(slots, [*corpus, *later], strict=True):
        twin.put(slot, text)
    twin.restore(similarity.state())
    for asked in (query, *corpus[:3], *later):
        assert twin.scores(asked)[slots].tolist() == similarity.scores(asked).tolist()
    assert twin.n_refreshes == similarity.n_refreshes


@given(st.lists(texts, min_size=1, max_size=10), texts)
def test_products_sum_to_the_cosine(corpus: list[str], query: str) -> None:
    similarity = filled(corpus)
    for slot, score in enumerate(similarity.scores(query)):
        terms = similarity.explain(query, slot)
        assert sum(term.product for term in terms) == pytest.approx(score, abs=1e-12)


@given(st.lists(texts, max_size=40), texts)
def test_many_at_once_are_the_same(corpus: list[str], query: str) -> None:
    """Put together or one by one, to the last bit; statistics are brought up to date once."""
    one_by_one, together = filled(corpus), TfidfSimilarity()
    together.put_many(range(len(corpus)), corpus)
    assert together.n_refreshes <= 1
    one_by_one.refresh()
    together.refresh()
    for asked in (query, *corpus[:2]):
        assert together.scores(asked).tolist() == one_by_one.scores(asked).tolist()
    assert together._frequency.view.tolist() == one_by_one._frequency.view.tolist()


def test_a_taken_slot_is_refused() -> None:
    similarity = filled(["red lamp", "blue chair"])
    with pytest.raises(ValueError, match="slot 1 is taken"):
        similarity.put(1, "oak desk")
    with pytest.raises(ValueError, match="slot 0 is taken"):
        similarity.put_many([2, 0], ["oak desk", "chair"])
    with pytest.raises(KeyError):
        similarity.remove(5)
    assert len(similarity) == 2


def test_removed_texts_are_swept_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """A full memory that goes on learning does not grow."""
    monkeypatch.setattr("rememberer_nb.retrieval.fast.rows._MIN_DEAD", 8)
    similarity = filled([f"text number{i}" for i in range(100)])
    for i in range(100, 1000):
        similarity.remove(i - 100)
        similarity.put(i, f"text number{i}")
        assert len(similarity) == 100
        assert len(similarity.rows._postings) <= 140
    similarity.refresh()
    assert similarity.scores("number950")[950] == pytest.approx(
        sklearn_scores([f"text number{i}" for i in range(900, 1000)], "number950")[50]
    )


def test_states_of_the_first_format_are_read() -> None:
    similarity = filled(["red lamp", "blue chair"])
    twin = filled(["red lamp", "blue chair", "chair"])
    first = {
        "idf": {"red": 2.0, "lamp": 1.0},
        "n_at_refresh": 7,
        "n_changed": 1,
        "n_refreshes": 3,
    }
    twin.restore(zlib.compress(json.dumps(first).encode()))
    assert twin.scores("lamp").tolist() == pytest.approx([1 / math.sqrt(5), 0, 0])
    assert (twin.n_refreshes, twin._n_changed) == (3, 1)
    similarity.restore(twin.state())
    assert similarity.scores("lamp red")[0] == pytest.approx(1)
    assert similarity.state() == twin.state()


def test_opening_a_memory_replays_no_refreshes(tmp_path: Path) -> None:
    with ExperienceMemory.open(tmp_path / "memory.db") as memory:
        for i in range(1000):
            memory.insert(f"task {i // 10}", f"page number{i}")
        memory.commit()
        wanted = [(hit.record.observation, hit.total) for hit in memory.retrieve("task 3", "page")]
        n_refreshes = memory._index.observation_similarity.n_refreshes
    refreshes: list[int] = []
    refresh = TfidfSimilarity.refresh

    def counting(self: TfidfSimilarity) -> None:
        refreshes.append(len(self))
        refresh(self)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(TfidfSimilarity, "refresh", counting)
        with ExperienceMemory.open(tmp_path / "memory.db") as memory:
            assert len(refreshes) <= 2
            found = [
                (hit.record.observation, hit.total) for hit in memory.retrieve("task 3", "page")
            ]
            assert found == wanted
            assert memory._index.observation_similarity.n_refreshes == n_refreshes


def test_nothing_held() -> None:
    similarity = TfidfSimilarity()
    similarity.refresh()
    assert similarity.scores("red lamp").shape == (0,)
