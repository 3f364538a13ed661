"""Every similarity of ours passes; each check finds the fault that it is there for."""

from __future__ import annotations

import threading

import numpy as np
import pytest

from rememberer_nb.errors import CheckError
from rememberer_nb.retrieval import (
    EmbeddingSimilarity,
    JaccardSimilarity,
    TfidfSimilarity,
    make_similarity,
    registry,
)
from rememberer_nb.retrieval.similarity import Term
from rememberer_nb.testing import check_similarity
from rememberer_nb.testing.similarity_checks import TEXTS, bounds_hold


@pytest.mark.parametrize(
    "name",
    [
        *registry._FACTORIES, "9*page_pattern+instruction_relevance",
        "page_pattern+page_relevance", "lcs+tfidf",
    ],
)  # fmt: skip
def test_each_of_ours(name: str, request: pytest.FixtureRequest) -> None:
    if name == "embedding:wordllama":
        request.getfixturevalue("wordllama")
    assert len(check_similarity(lambda: make_similarity(name))) == 13


def test_the_embedding_of_a_server() -> None:
    def letters(texts):
        return np.array([[t[:999].count(c) for c in "abcdefghijklmnop"] for t in texts], float)

    assert check_similarity(lambda: EmbeddingSimilarity("letters", letters))


class Nameless(JaccardSimilarity):
    name = ""


class ReadsTheMoon(JaccardSimilarity):
    def __init__(self):
        super().__init__(reads="moon")


class Percent(JaccardSimilarity):
    def scores(self, query):
        return 100 * super().scores(query)


class NoOddTexts(JaccardSimilarity):
    def put(self, slot, text):
        super().put(slot, text.encode().decode())


class Backwards(JaccardSimilarity):
    def scores(self, query):
        return 1.0 - super().scores(query)


class AllAlike(JaccardSimilarity):
    """As the published matcher of pages, which compares the query with itself."""

    def scores(self, query):
        return np.ones_like(super().scores(query))


class CountsQueries(JaccardSimilarity):
    n_queries = 0

    def scores(self, query):
        self.n_queries += 1
        return super().scores(query)

    def state(self):
        return str(self.n_queries).encode()


class KeepsTheRemoved(JaccardSimilarity):
    def __init__(self):
        super().__init__()
        self.gone = set()

    def remove(self, slot):
        self.gone.add(slot)

    def put(self, slot, text):
        if slot in self.gone:
            super().remove(slot)
        super().put(slot, text)


class NeverEmpty(TfidfSimilarity):
    """Forgets nothing of the words that a removed text has brought."""

    def remove(self, slot):
        super().remove(slot)
        self.n_removed = getattr(self, "n_removed", 0) + 1

    def scores(self, query):
        return super().scores(query) / (1 + getattr(self, "n_removed", 0))


class FirstComesFirst(JaccardSimilarity):
    def put(self, slot, text):
        super().put(slot, text)
        self.first = getattr(self, "first", slot)

    def scores(self, query):
        found = super().scores(query)
        if len(found) > 1:
            found[self.first] /= 2
        return found


class HalfTheTerms(JaccardSimilarity):
    def explain(self, query, slot):
        return super().explain(query, slot)[::2]


class SmallestFirst(TfidfSimilarity):
    def explain(self, query, slot):
        return super().explain(query, slot)[::-1]


class WrongWeights(JaccardSimilarity):
    def explain(self, query, slot):
        terms = super().explain(query, slot)
        return tuple(Term(t.term, 2.0, t.record_weight, t.product) for t in terms)


class ForgetsItsState(TfidfSimilarity):
    def restore(self, state):
        pass


class TooTight:
    def __init__(self, of, query):
        self.of, self.query = of, query
        self.bounds = of.scores(query) / 2

    def scores(self, slots):
        return self.of.scores(self.query)[slots]


class TightBounds(JaccardSimilarity):
    def probe(self, query):
        return TooTight(self, query)


class NoSnapshot(JaccardSimilarity):
    def probe(self, query):
        probe = TooTight(self, query)
        probe.bounds = probe.bounds * 2
        return probe


class ManyInDisorder(JaccardSimilarity):
    def put_many(self, slots, texts):
        for slot, text in zip(slots, reversed(texts), strict=True):
            self.put(slot, text)


class OneThreadAtATime(JaccardSimilarity):
    """Scores are right for the thread that it was made in alone."""

    def __init__(self):
        super().__init__()
        self.home = threading.get_ident()

    def scores(self, query):
        found = super().scores(query)
        return found if threading.get_ident() == self.home else np.zeros_like(found)


@pytest.mark.parametrize(
    ("wrong", "check", "problem"),
    [
        (Nameless, "starts_empty", "a name on one line, found ''"),
        (ReadsTheMoon, "starts_empty", "reads to be one of observation, .*, found 'moon'"),
        (Percent, "scores_in_range", r"scores in \[0, 1\] for 'a red lamp"),
        (NoOddTexts, "odd_texts", "no error, found UnicodeEncodeError"),
        (Backwards, "nothing_is_more_alike", ".* to be most like itself"),
        (AllAlike, "tells_apart", "an unlike pair to score lower, found 'all pairs alike'"),
        (CountsQueries, "scoring_changes_nothing", "the same state after a query"),
        (KeepsTheRemoved, "removal", "an empty slot to score 0"),
        (NeverEmpty, "removal", "the scores of one that never held it"),
        (FirstComesFirst, "order_of_insertion", "the same scores in any order"),
        (HalfTheTerms, "terms_add_up", "terms that add up to"),
        (SmallestFirst, "terms_add_up", "the largest term first"),
        (WrongWeights, "terms_add_up", "product = query_weight"),
        (ForgetsItsState, "state_comes_back", r"the same scores after restore\(state\(\)\)"),
        (TightBounds, "bounds_hold", "bounds not below the scores"),
        (NoSnapshot, "bounds_hold", "a probe that later changes do not touch"),
        (ManyInDisorder, "many_at_once", "put_many to do what put does"),
        (OneThreadAtATime, "threads", "the same scores from four threads"),
    ],
)
def test_what_is_wrong_is_found(wrong, check: str, problem: str) -> None:
    with pytest.raises(CheckError, match=rf"^check_similarity: {check}: expected {problem}"):
        check_similarity(wrong)


class Drifts(JaccardSimilarity):
    """Each query moves the scores of the next."""

    shift = 0.0

    def scores(self, query):
        self.shift += 0.001
        return super().scores(query) * (1 - min(self.shift, 0.5) * 1e-4)


def test_scores_that_drift_are_found() -> None:
    with pytest.raises(CheckError, match=r"scoring_changes_nothing: expected the same scores"):
        check_similarity(Drifts)


def test_bounds_are_checked_of_those_that_offer_them() -> None:
    bounds_hold(TfidfSimilarity, TEXTS)
    assert hasattr(make_similarity("lcs"), "probe")
    bounds_hold(lambda: make_similarity("lcs"), TEXTS)
