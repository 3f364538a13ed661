"""Mixtures by name, and what each part of one reads."""

from __future__ import annotations

import numpy as np
import pytest

from rememberer_nb.errors import ConfigError
from rememberer_nb.retrieval import JaccardSimilarity, MixedSimilarity, make_similarity
from rememberer_nb.retrieval.similarity import text_to_compare

ITEM = "[Back to Search]\n[< Prev]\nRed Lamp\nPrice: $5\n[Buy Now]"
SEARCH = "WebShop\n[Search]"


def pair(task: str, page: str) -> str:
    return text_to_compare("pair", task, page)


@pytest.mark.parametrize(
    ("name", "weights"),
    [
        ("page_pattern+page_relevance", (0.5, 0.5)),
        ("9*page_pattern+instruction_relevance", (0.9, 0.1)),
        (" 1 * jaccard + 3 * lcs + 0*tfidf", (0.25, 0.75, 0.0)),
    ],
)
def test_names(name: str, weights: tuple[float, ...]) -> None:
    made = make_similarity(name)
    assert made.weights == pytest.approx(weights)
    assert made.name == name


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("jaccard+", "no similarity is named ''"),
        ("jaccard+magic", "no similarity is named 'magic'"),
        ("much*jaccard+lcs", "'much' in 'much[*]jaccard[+]lcs' is no weight"),
        ("0*jaccard+0*lcs", "at least 0 and not all 0"),
        ("-1*jaccard+3*lcs", "at least 0 and not all 0"),
        ("nan*jaccard+lcs", "at least 0 and not all 0"),
    ],
)
def test_names_that_mean_nothing(name: str, problem: str) -> None:
    with pytest.raises(ConfigError, match=problem):
        make_similarity(name)


def test_the_weighted_mean_of_what_each_part_reads() -> None:
    measure = make_similarity("page_pattern+3*instruction_relevance")
    measure.put(0, pair("a red lamp", ITEM))
    measure.put(1, pair("a wool coat", ITEM))
    measure.put(2, pair("a red lamp", SEARCH))
    scores = measure.scores(pair("a red lamp", ITEM))
    assert scores.tolist() == pytest.approx([1.0, 0.25, 0.75])
    terms = measure.explain(pair("a red lamp", ITEM), 2)
    assert [term.term for term in terms] == [
        "instruction_relevance: lamp", "instruction_relevance: red",
    ]  # fmt: skip
    assert sum(term.product for term in terms) == pytest.approx(0.75)
    measure.remove(0)
    assert measure.scores(pair("a red lamp", ITEM)).tolist() == pytest.approx([0.0, 0.25, 0.75])


def test_statistics_of_the_parts_are_kept() -> None:
    one, two = (make_similarity("tfidf+jaccard") for _ in range(2))
    for slot, page in enumerate(("red lamp", "blue lamp", "a coat")):
        one.put(slot, pair("g", page))
    one.parts[0].refresh()
    for slot, page in enumerate(("red lamp", "blue lamp", "a coat")):
        two.put(slot, pair("g", page))
    two.restore(one.state())
    query = pair("g", "red coat")
    assert two.scores(query).tolist() == one.scores(query).tolist()


def test_never_above_one() -> None:
    weights = np.full(7, 1 / 7)
    measure = MixedSimilarity([(w, JaccardSimilarity()) for w in weights], name="seven")
    measure.put(0, pair("g", "a"))
    assert measure.scores(pair("g", "a"))[0] <= 1.0
