"""Searching on disk gives what searching in memory gives, whatever is skipped on the way."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rememberer_nb.envs.webshop.postings import PostingsWriter
from rememberer_nb.envs.webshop.ranking import RankedIndex
from rememberer_nb.envs.webshop.search import SearchIndex
from rememberer_nb.envs.webshop.terms import index_terms

WORDS = ("lamp", "red", "chair", "desk", "sofa", "the")


def write_index(
    folder: Path, documents: list[tuple[str, str]], run_postings: int
) -> tuple[RankedIndex, list[str]]:
    """An index of (asin, text) pairs in any order, and the asins by document number."""
    asins = sorted(asin for asin, _ in documents)
    new = folder / f"index{len(list(folder.iterdir()))}"
    (scratch := new / "scratch").mkdir(parents=True)
    writer = PostingsWriter(new, scratch, run_postings)
    for _, text in documents:
        writer.add(index_terms(text))
    numbers = np.array([asins.index(asin) for asin, _ in documents], np.int32)
    counts = writer.finish(numbers)
    assert counts["postings"] == sum(len(set(index_terms(text))) for _, text in documents)
    return RankedIndex(new, len(documents)), asins


@given(
    texts=st.lists(st.lists(st.sampled_from(WORDS), max_size=30).map(" ".join), min_size=1),
    queries=st.lists(st.lists(st.sampled_from((*WORDS, "moon")), max_size=9).map(" ".join)),
    limit=st.integers(1, 6),
    run_postings=st.integers(1, 20),
    order=st.randoms(use_true_random=False),
)
@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_webshop_ranking_equals_the_small_index(
    tmp_path: Path,
    texts: list[str],
    queries: list[str],
    limit: int,
    run_postings: int,
    order: random.Random,
) -> None:
    """Ties, empty documents and repeated words included; few words, so that ties abound."""
    documents = [(f"B{i}", text) for i, text in enumerate(texts)]
    order.shuffle(documents)
    small = SearchIndex(documents)
    index, asins = write_index(tmp_path, documents, run_postings)
    for query in queries:
        found = [asins[i] for i in index.search(query, limit).tolist()]
        assert found == list(small.search(query, limit))


@pytest.fixture(scope="module")
def zipf(tmp_path_factory: pytest.TempPathFactory) -> tuple[RankedIndex, list[str], SearchIndex]:
    """8,000 documents over a vocabulary with a few frequent and many rare words."""
    rng = np.random.default_rng(3)
    lengths = rng.integers(1, 40, 8_000)
    ranks = (2_000 ** rng.random(int(lengths.sum()))).astype(int)
    ends = np.cumsum(lengths)
    documents = [
        (f"B{number:05d}", " ".join(f"w{r}" for r in ranks[end - length : end].tolist()))
        for number, (length, end) in enumerate(zip(lengths, ends, strict=True))
    ]
    folder = tmp_path_factory.mktemp("zipf")
    return *write_index(folder, documents, 20_000), SearchIndex(documents)


@pytest.mark.parametrize("n_words", [1, 2, 3, 5, 10, 30, 300])
@pytest.mark.parametrize("top", [5, 100, 2_000])
def test_webshop_ranking_equals_the_small_index_when_it_skips(
    zipf: tuple[RankedIndex, list[str], SearchIndex], n_words: int, top: int
) -> None:
    """Queries of frequent words, of rare ones, and of both."""
    index, asins, small = zipf
    rng = random.Random(n_words * top)
    for _ in range(10):
        query = " ".join(f"w{int(top ** rng.random())}" for _ in range(n_words))
        found = [asins[i] for i in index.search(query).tolist()]
        assert found == list(small.search(query)), query
    assert len(found) == 50


def test_webshop_ranking_looks_at_few_postings(
    zipf: tuple[RankedIndex, list[str], SearchIndex], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Once rare words have settled the best, the frequent ones are not added up."""
    from rememberer_nb.envs.webshop import ranking

    added: list[int] = []
    add = ranking._Search._add
    monkeypatch.setattr(
        ranking._Search, "_add", lambda s, term: (added.append(len(term.documents)), add(s, term))
    )
    zipf[0].search("w1 w2 w3 w300 w400 w500")
    n_frequent = min(len(zipf[0]._term(word, 1).documents) for word in ("w1", "w2", "w3"))
    assert added
    assert max(added) < n_frequent
    added.clear()
    zipf[0].search("w1 w2")
    assert sum(added) > 0


def test_webshop_ranking_of_no_terms(zipf: tuple[RankedIndex, list[str], SearchIndex]) -> None:
    assert [len(zipf[0].search(q)) for q in ("", " ", "the", "moonlight", "?!")] == [0] * 5


def test_webshop_ranking_where_every_document_is_empty(tmp_path: Path) -> None:
    index, _ = write_index(tmp_path, [("B1", ""), ("B2", "the of")], 10)
    assert len(index.search("lamp")) == 0
