"""What holds for every similarity, and their registry."""

from __future__ import annotations

import pytest

from rememberer_nb.errors import ConfigError
from rememberer_nb.retrieval import (
    JaccardSimilarity,
    TfidfSimilarity,
    make_similarity,
    register_similarity,
    registry,
)
from rememberer_nb.retrieval.similarity import text_to_compare

NAMES = (
    "tfidf", "jaccard", "lcs", "lcs_class", "instruction_pattern", "page_pattern",
    "instruction_relevance", "page_relevance",
)  # fmt: skip


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
    monkeypatch.setattr(registry, "_FACTORIES", dict(registry._FACTORIES))
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


# A record's (task, observation), one that is alike in some part, and one that is not.
LIKE_AND_UNLIKE = {
    "lcs": (("g", "<p>\n<div>"), ("g", "<p>\n<p>"), ("g", "<img>")),
    "lcs_class": (
        ("g", '<p class="a b">\n<div>'), ("g", '<p class="a b">'), ("g", '<p class="c">'),
    ),
    "instruction_pattern": (
        ("Check the reference list", ""),
        ("Access the about page", ""),
        ("Search an article", ""),
    ),
    "page_pattern": (("g", "[Buy Now]"), ("g", "[< Prev]"), ("g", "[Search]")),
    "instruction_relevance": (("red lamp", ""), ("red coat", ""), ("blue shoe", "")),
    "page_relevance": (("red lamp", "lamp, red"), ("red lamp", "red coat"), ("red lamp", "shoe")),
    "page_pattern+page_relevance": (
        ("red lamp", "lamp, red\n[Buy Now]"),
        ("red lamp", "red coat\n[Buy Now]"),
        ("red lamp", "shoe\n[Search]"),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", LIKE_AND_UNLIKE)
def test_unlike_records_score_lower(name: str) -> None:
    measure = make_similarity(name)
    texts = [text_to_compare(measure.reads, *key) for key in LIKE_AND_UNLIKE[name]]
    for slot, text in enumerate(texts):
        measure.put(slot, text)
    same, like, unlike = measure.scores(texts[0]).tolist()
    assert same == pytest.approx(1.0)
    assert same > like > unlike == 0
    for slot, score in enumerate((same, like, unlike)):
        terms = measure.explain(texts[0], slot)
        assert sum(term.product for term in terms) == pytest.approx(score)
    measure.refresh()
    measure.restore(measure.state())
    assert measure.scores(texts[0]).tolist() == [same, like, unlike]


def test_every_name_is_compared_above() -> None:
    assert set(LIKE_AND_UNLIKE) | {"tfidf", "jaccard"} >= set(NAMES)
    # Its own tests are in tests/llms/local.
    assert set(registry._FACTORIES) - set(NAMES) == {"embedding:wordllama"}


@pytest.mark.parametrize(
    ("reads", "text"),
    [
        ("observation", "<p>\nInstruction: hop"),
        ("task", "g"),
        ("instruction", "hop"),
        ("both", "g <p>\nInstruction: hop"),
        ("pair", "g\x1e<p>\nInstruction: hop"),
    ],
)
def test_what_is_read(reads: str, text: str) -> None:
    assert text_to_compare(reads, "g", "<p>\nInstruction: hop") == text


def test_nothing_else_can_be_read() -> None:
    with pytest.raises(ConfigError, match="one of observation, task"):
        text_to_compare("minds", "g", "o")
