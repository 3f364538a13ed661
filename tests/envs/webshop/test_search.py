"""BM25 by hand, ties, limits and coded lengths."""

from __future__ import annotations

import math
from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rememberer_nb.envs.webshop.search import SearchIndex, coded_length

WORDS = ("lamp", "red", "chair", "desk", "sofa")


@pytest.mark.parametrize(
    ("n_terms", "coded"),
    [(0, 0), (23, 23), (24, 24), (39, 39), (40, 40), (41, 40), (42, 42), (55, 54), (56, 56),
     (59, 56), (60, 60), (88, 88), (95, 88), (1000, 984)],
)  # fmt: skip
def test_webshop_coded_lengths(n_terms: int, coded: int) -> None:
    """1000 - 24 = 976 = 0b1111010000, whose four highest bits are 960; 24 + 960 = 984."""
    assert coded_length(n_terms) == coded


def reference(documents: list[tuple[str, str]], query: str) -> list[str]:
    """The formula, term by term and document by document, in float32."""
    split = {asin: text.split() for asin, text in documents}
    average = np.float32(sum(map(len, split.values())) / sum(map(bool, split.values())))
    one, k1, b = np.float32(1), np.float32(0.9), np.float32(0.4)
    scores = {}
    for asin, words in split.items():
        total = 0.0
        for term, count in Counter(query.split()).items():
            n_holding = sum(term in other for other in split.values())
            frequency = np.float32(words.count(term))
            if frequency == 0:
                continue
            rarity = math.log(1 + (len(split) - n_holding + 0.5) / (n_holding + 0.5))
            weight = np.float32(count) * np.float32(rarity)
            dl = np.float32(coded_length(len(words)))
            norm = one / (k1 * ((one - b) + b * dl / average))
            total += float(weight - weight / (one + frequency * norm))
        if total:
            scores[asin] = np.float32(total)
    return sorted(scores, key=lambda asin: (-scores[asin], asin))


texts = st.lists(st.sampled_from(WORDS), max_size=40).map(" ".join)


@given(st.lists(texts, min_size=1, max_size=8).filter(any), texts)
def test_webshop_search_follows_the_formula(found: list[str], query: str) -> None:
    documents = [(f"B{i}", text) for i, text in enumerate(found)]
    assert list(SearchIndex(documents).search(query)) == reference(documents, query)


def test_webshop_search_by_hand() -> None:
    """N = 2 and df = 1 give w = ln 2; tf = dl / avgdl = 1 give w - w / (1 + 1 / 0.9)."""
    index = SearchIndex([("B1", "lamp"), ("B2", "chair")])
    where, idf = index._terms["lamp"]
    score = idf - idf / index._saturation[where][0]
    assert idf == pytest.approx(math.log(2))
    assert score == pytest.approx(math.log(2) * (1 - 1 / (1 + 1 / 0.9)), rel=1e-6)


def test_webshop_ties_are_broken_by_asin_and_cut_at_the_limit() -> None:
    documents = [(f"B{i:02}", "lamp") for i in reversed(range(80))]
    index = SearchIndex(documents)
    assert index.search("lamp") == tuple(f"B{i:02}" for i in range(50))
    assert index.search("lamp", limit=3) == ("B00", "B01", "B02")


def test_webshop_limit_keeps_the_best() -> None:
    documents = [(f"B{i:02}", "lamp " * (1 + i % 7) + "chair " * 10) for i in range(70)]
    index = SearchIndex(documents)
    assert list(index.search("lamp", limit=5)) == reference(documents, "lamp")[:5]


@pytest.mark.parametrize("query", ["", " ", "the", "moon", "'", "\x00", "😀"])
def test_webshop_queries_without_hits(query: str) -> None:
    assert SearchIndex([("B1", "lamp")]).search(query) == ()


def test_webshop_empty_documents_are_never_found() -> None:
    index = SearchIndex([("B1", ""), ("B2", "lamp")])
    assert index.search("lamp") == ("B2",)
    assert SearchIndex([("B1", "")]).search("lamp") == ()


def test_webshop_long_queries_are_fine() -> None:
    assert SearchIndex([("B1", "lamp")]).search("lamp " * 20_000) == ("B1",)
