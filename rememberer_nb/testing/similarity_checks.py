"""Does a similarity keep what `retrieval.similarity.Similarity` promises?"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

from rememberer_nb.retrieval.similarity import PAIR_SEPARATOR, READS, Similarity
from rememberer_nb.testing.checks import ODD_TEXTS, expect, is_one_line, run_checks

# Instructions, pages of both bundled environments, and pairs of the two: each kind of similarity
# finds some of them alike and some not.
TEXTS = (
    "a red lamp for the desk",
    "a red chair",
    'Then, access the article "How to Hide Gauges"',
    "Search an article to learn how to buy stocks",
    "Instruction:\na red lamp\n[Search]",
    "Instruction:\na red lamp\n[Back to Search]\nPage 1 (Total results: 3)\n[B01]\nLamp, red",
    "Instruction:\na blue chair\n[Back to Search]\n[< Prev]\nsize\n[small]\n[Buy Now]",
    '<div id="0" class="head">Hop</div>\n<p id="1">one</p>\n<p id="2">two</p>',
    '<p id="0">one</p>\n<button id="1" alt="go"></button>',
    f"a red lamp{PAIR_SEPARATOR}Lamp, red",
    f"a red lamp{PAIR_SEPARATOR}Chair",
)
# Sums in another order may differ in the last bits.
TOLERANCE = 1e-6
N_COPIES = 10
Make = Callable[[], Similarity]


def check_similarity(make: Make, texts: Sequence[str] = TEXTS) -> tuple[str, ...]:
    """Check a similarity.

    Parameters
    ----------
    make : makes a new, empty one.
    texts : at least three that it tells apart, as it gets them to see.

    Returns
    -------
    tuple of str
        The names of the checks.

    Raises
    ------
    CheckError
        Names the check, what was expected and what was found.

    Examples
    --------
    >>> from rememberer_nb import JaccardSimilarity
    >>> check_similarity(JaccardSimilarity)[:2]
    ('starts_empty', 'scores_in_range')
    """
    checks = (
        starts_empty, scores_in_range, odd_texts, nothing_is_more_alike, tells_apart,
        scoring_changes_nothing, order_of_insertion, removal, terms_add_up, state_comes_back,
        bounds_hold, many_at_once, threads,
    )  # fmt: skip
    return run_checks("check_similarity", checks, make, tuple(texts))


def filled(make: Make, texts: Sequence[str | None]) -> Similarity:
    """A similarity that holds text i in slot i; None leaves a slot free."""
    similarity = make()
    for slot, text in enumerate(texts):
        if text is not None:
            similarity.put(slot, text)
    similarity.refresh()
    return similarity


def table(similarity: Similarity, queries: Sequence[str]) -> np.ndarray:
    """The scores of all queries, ndarray of shape (n_queries, n_slots)."""
    return np.array([similarity.scores(query) for query in queries])


def _alike(one: np.ndarray, two: np.ndarray) -> bool:
    return one.shape == two.shape and bool(np.all(np.abs(one - two) <= TOLERANCE))


def starts_empty(make: Make, texts: Sequence[str]) -> None:
    """It has a name, says what it reads, and holds nothing."""
    similarity = make()
    expect(is_one_line(similarity.name), "a name on one line", similarity.name)
    expect(similarity.reads in READS, f"reads to be one of {', '.join(READS)}", similarity.reads)
    shape = np.shape(similarity.scores(texts[0]))
    expect(shape == (0,), "no scores, shape (0,), of a new one", shape)


def scores_in_range(make: Make, texts: Sequence[str]) -> None:
    """A score per slot, in [0, 1]."""
    _in_range(filled(make, texts), len(texts), [*texts, "unheard of"])


def odd_texts(make: Make, texts: Sequence[str]) -> None:
    """Odd texts can be held and asked for."""
    held = (*texts, *ODD_TEXTS)
    _in_range(filled(make, held), len(held), ODD_TEXTS)


def _in_range(similarity: Similarity, n_slots: int, queries: Sequence[str]) -> None:
    for query in queries:
        scores = similarity.scores(query)
        expect(
            isinstance(scores, np.ndarray) and scores.shape == (n_slots,),
            f"an array of shape ({n_slots},)", scores,
        )  # fmt: skip
        is_in = np.all((scores >= 0) & (scores <= 1 + TOLERANCE))
        expect(is_in, f"scores in [0, 1] for {query!r:.40}", scores.tolist())


def nothing_is_more_alike(make: Make, texts: Sequence[str]) -> None:
    """No text is more like another than like itself."""
    scores = table(filled(make, texts), texts)
    excess = scores - np.diag(scores)[:, None]
    query, slot = map(int, np.unravel_index(np.argmax(excess), excess.shape))
    expect(
        excess[query, slot] <= TOLERANCE,
        f"{texts[query]!r:.40} to be most like itself ({scores[query, query]:.3f})",
        f"{texts[slot]!r:.40} ({scores[query, slot]:.3f})",
    )


def tells_apart(make: Make, texts: Sequence[str]) -> None:
    """Some pair of texts is less alike than a text is like itself."""
    scores = table(filled(make, texts), texts)
    lowest = float((scores - np.diag(scores)[:, None]).min())
    expect(lowest < -TOLERANCE, "an unlike pair to score lower", "all pairs alike")


def scoring_changes_nothing(make: Make, texts: Sequence[str]) -> None:
    """A query leaves nothing behind, not even new words."""
    similarity = filled(make, texts)
    before, state = table(similarity, texts), similarity.state()
    similarity.scores("words that nobody has ever put anywhere")
    after = table(similarity, texts)
    expect(np.array_equal(before, after), "the same scores again", "others")
    expect(similarity.state() == state, "the same state after a query", "another")


def removal(make: Make, texts: Sequence[str]) -> None:
    """What is removed leaves no trace, and its slot can be filled again."""
    similarity = filled(make, texts)
    similarity.remove(1)
    similarity.refresh()
    left = [slot for slot in range(len(texts)) if slot != 1]
    never = filled(make, [text if slot != 1 else None for slot, text in enumerate(texts)])
    found, expected = (table(which, texts)[:, left] for which in (similarity, never))
    expect(_alike(found, expected), "the scores of one that never held it", "others")
    empty = similarity.scores(texts[1])[1]
    expect(empty == 0, "an empty slot to score 0", empty)
    similarity.put(1, texts[0])
    similarity.refresh()
    again = filled(make, [texts[0] if slot == 1 else text for slot, text in enumerate(texts)])
    is_alike = _alike(table(similarity, texts), table(again, texts))
    expect(is_alike, "a slot filled again to score as if it were new", "another score")


def order_of_insertion(make: Make, texts: Sequence[str]) -> None:
    """After a refresh, scores do not depend on the order in which texts came."""
    similarity = make()
    for slot in reversed(range(len(texts))):
        similarity.put(slot, texts[slot])
    similarity.refresh()
    is_alike = _alike(table(similarity, texts), table(filled(make, texts), texts))
    expect(is_alike, "the same scores in any order of insertion", "others")


def terms_add_up(make: Make, texts: Sequence[str]) -> None:
    """`explain` gives the summands of a score, largest first, each product as it says."""
    similarity = filled(make, texts)
    for query in texts:
        for slot, score in enumerate(similarity.scores(query)):
            terms = similarity.explain(query, slot)
            products = [term.product for term in terms]
            total = sum(products)
            expect(abs(total - score) <= TOLERANCE, f"terms that add up to {score:.6f}", total)
            expect(products == sorted(products, reverse=True), "the largest term first", products)
            for term in terms:
                weighed = term.query_weight * term.record_weight
                is_product = abs(weighed - term.product) <= TOLERANCE
                expect(is_product, "product = query_weight · record_weight", term)


def state_comes_back(make: Make, texts: Sequence[str]) -> None:
    """The state, restored after the same texts were put back, gives the same scores exactly."""
    # Many texts, and one that has come since: statistics that lag behind, as in a long run.
    held = (*tuple(texts) * N_COPIES, "one more, of words that no other text has")
    similarity = filled(make, held[:-1])
    similarity.put(len(held) - 1, held[-1])
    state = similarity.state()
    expect(isinstance(state, bytes), "state() to be bytes", state)
    other = filled(make, held)
    other.restore(state)
    is_same = np.array_equal(table(similarity, texts), table(other, texts))
    expect(is_same, "the same scores after restore(state())", "others")


def bounds_hold(make: Make, texts: Sequence[str]) -> None:
    """Where `probe` is offered: no score above its bound, the exact scores, and a snapshot."""
    similarity: Any = filled(make, texts)
    if not hasattr(similarity, "probe"):
        return
    for query in texts:
        scores, probe = similarity.scores(query), similarity.probe(query)
        bounds, slots = np.array(probe.bounds), np.arange(0, len(texts), 2)
        is_above = bounds.shape == scores.shape and np.all(bounds >= scores - TOLERANCE)
        expect(is_above, f"bounds not below the scores {scores.tolist()}", bounds.tolist())
        expect(_alike(probe.scores(slots), scores[slots]), "the exact scores of slots", "others")
        similarity.put(len(texts), texts[0])
        similarity.remove(0)
        is_kept = _alike(probe.scores(slots), scores[slots])
        expect(is_kept, "a probe that later changes do not touch", "other scores")
        similarity.put(0, texts[0])
        similarity.remove(len(texts))
        similarity = filled(make, texts)


def many_at_once(make: Make, texts: Sequence[str]) -> None:
    """Where `put_many` is offered: as one by one."""
    similarity: Any = make()
    if hasattr(similarity, "put_many"):
        similarity.put_many(range(len(texts)), texts)
        similarity.refresh()
        is_alike = _alike(table(similarity, texts), table(filled(make, texts), texts))
        expect(is_alike, "put_many to do what put does", "other scores")


def threads(make: Make, texts: Sequence[str]) -> None:
    """Any number of threads may ask at the same time."""
    queries = [*texts, *(f"{text} {i}" for i in range(40) for text in texts)]
    expected, similarity = table(filled(make, texts), queries), filled(make, texts)
    interval = sys.getswitchinterval()
    # Threads take turns so often that they come between any two steps.
    sys.setswitchinterval(1e-6)
    try:
        with ThreadPoolExecutor(4) as pool:
            found = np.array(list(pool.map(similarity.scores, queries)))
    finally:
        sys.setswitchinterval(interval)
    expect(np.array_equal(found, expected), "the same scores from four threads", "others")
