"""What holds for every similarity, and their registry."""

from __future__ import annotations

import pytest

from rememberer_nb.errors import ConfigError
from rememberer_nb.retrieval import (
    JaccardSimilarity,
    TfidfSimilarity,
    make_similarity,
    register_similarity,
    similarity,
)

NAMES = ("tfidf", "jaccard")


@pytest.mark.parametrize("name", NAMES)
def test_each_call_makes_an_empty_one(name: str) -> None:
    one, two = make_similarity(name), make_similarity(name)
    one.put(0, "red lamp")
    assert two.scores("red lamp").shape == (0,)
    assert one.name == name


def test_an_unknown_name_lists_the_known() -> None:
    with pytest.raises(ConfigError, match=r"'cosine'; known: .*jaccard.*tfidf"):
        make_similarity("cosine")


def test_registering(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(similarity, "_FACTORIES", dict(similarity._FACTORIES))
    register_similarity("both", lambda: JaccardSimilarity(reads="both"))
    assert make_similarity("both").reads == "both"


@pytest.mark.parametrize("kind", [TfidfSimilarity, JaccardSimilarity])
def test_unlike_pairs_score_lower(kind: type) -> None:
    """The published matcher of pages compares the query with itself: all pairs were alike."""
    measure = kind()
    texts = ["red lamp on page one", "red chair on page two", "Instruction of another kind"]
    for slot, text in enumerate(texts):
        measure.put(slot, text)
    for slot, text in enumerate(texts):
        scores = measure.scores(text)
        assert scores[slot] == pytest.approx(1.0)
        assert all(scores[other] < 0.9 for other in range(3) if other != slot)
    assert 0 < measure.scores(texts[0])[1] < 1
    assert measure.scores(texts[0])[2] == 0


@pytest.mark.parametrize("kind", [TfidfSimilarity, JaccardSimilarity])
def test_terms_add_up_to_the_score(kind: type) -> None:
    measure = kind()
    measure.put(0, "red lamp red shade")
    measure.put(1, "red chair")
    for query in ("red lamp chair", "lamp shade red", "nothing shared", ""):
        for slot, score in enumerate(measure.scores(query)):
            terms = measure.explain(query, slot)
            assert sum(term.product for term in terms) == pytest.approx(score, abs=1e-12)
            assert [t.product for t in terms] == sorted((t.product for t in terms), reverse=True)
            for term in terms:
                assert term.product == pytest.approx(term.query_weight * term.record_weight)


@pytest.mark.parametrize("kind", [TfidfSimilarity, JaccardSimilarity])
def test_a_query_leaves_nothing_behind(kind: type) -> None:
    measure = kind()
    measure.put(0, "red lamp")
    before = measure.scores("red").tolist()
    measure.scores("lamp of any other kind")
    assert measure.scores("red").tolist() == before
