"""Search by the words of titles."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rememberer_nb.envs.wikihow.env import WikiHowEnv
from rememberer_nb.envs.wikihow.search import MAX_HITS, SearchIndex
from rememberer_nb.envs.wikihow.site import Article


def article(title: str, views: int = 100) -> Article:
    return Article(f"How to {title}", 0, (0,), "May 1, 2020", views, "", "", (), (), (), (), ())


SMALL = SearchIndex([article(t) for t in ("Mend a Kite", "Fly a Kite", "Mend Socks", "Bake Pies")])
SITE = WikiHowEnv().engine.site
INDEX = SearchIndex(SITE.articles)


@pytest.mark.parametrize(
    ("query", "hits"),
    [
        ("mend kites", (0, 2, 1)),
        ("How to fly a kite", (1, 0)),
        ("MENDING", (0, 2)),
        ("how to", ()),
        ("", ()),
        ("submarine", ()),
        ("baking socks", (2, 3)),
    ],
)
def test_hits_by_hand(query: str, hits: tuple[int, ...]) -> None:
    # idf in units of ln 2: mend, kite, a 1; fly, sock, bake, pie 2; how, to 0. A title scores the
    # sum of idf² over the shared words, divided by its length: √3, √6, √5, √8. So "mend kites"
    # gives titles 0, 1, 2 the scores 2/√3, 1/√6, 1/√5; "baking socks" titles 2, 3: 4/√5, 4/√8.
    assert SMALL.find(query) == hits


def test_a_much_read_near_miss_stands_first() -> None:
    # The exact title counts 0.5, the near-miss 1.0 of its cosine.
    index = SearchIndex(
        [article("Mend a Kite", 10), article("Mend a Kite Twice", 10**6), article("Bake Pies")]
    )
    assert index.find("mend a kite")[0] in (0, 1)
    weights = index._weights
    assert weights[0] * math.sqrt(3 * math.log(1.5) ** 2) == pytest.approx(0.5)
    assert index.find("mend kite twice")[0] == 1


def test_every_title_finds_its_article_and_near_misses() -> None:
    n_first = n_near = 0
    for number, found in enumerate(SITE.articles):
        hits = INDEX.find(found.title)
        assert number in hits
        n_first += hits[0] == number
        n_near += len(hits) > 3
    assert n_near > 0.95 * len(SITE.articles)
    # Sometimes a near-miss that is read more comes first: whoever takes the first hit blindly errs.
    assert 0.6 < n_first / len(SITE.articles) < 1.0


def test_a_single_common_word_does_not_find_everything() -> None:
    assert len(INDEX.find("bread")) <= MAX_HITS
    holders = sum("Bread" in found.title for found in SITE.articles)
    assert all("Bread" in SITE.articles[i].title for i in INDEX.find("bread")[: min(holders, 5)])


@given(st.text(max_size=200))
def test_any_text_can_be_searched(query: str) -> None:
    hits = INDEX.find(query)
    assert len(hits) == len(set(hits)) <= MAX_HITS
    assert INDEX.find(query) == hits
