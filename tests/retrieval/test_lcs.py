"""Longest common subsequences against the textbook loop; bounds that hold; real screens."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rememberer_nb.memory.pools import read_pool
from rememberer_nb.retrieval import LcsSimilarity, make_similarity
from rememberer_nb.retrieval.lcs import element_classes, element_tags
from rememberer_nb.testing.bench.lcs import draw_screen, plain_dp


def screen(tags: str) -> str:
    """A screen with a letter per element."""
    return "\n".join(f'<{tag} id="{i}">' for i, tag in enumerate(tags))


def filled(*screens: str) -> LcsSimilarity:
    measure = LcsSimilarity()
    for slot, text in enumerate(screens):
        measure.put(slot, text)
    return measure


def test_by_hand() -> None:
    measure = filled(*map(screen, ("abcd", "acbd", "dcba", "x", "")))
    # abcd and acbd share a-b-d, abcd and dcba one letter.
    assert measure.scores(screen("abcd")).tolist() == [1.0, 0.75, 0.25, 0.0, 0.0]
    # The longer length counts, whichever side it is on.
    assert measure.scores(screen("ab")).tolist() == [0.5, 0.5, 0.25, 0.0, 0.0]
    assert measure.scores(screen("abcdabcd")).tolist()[:2] == [0.5, 0.5]
    assert measure.scores("").tolist() == [0.0] * 5


def test_unlike_pairs_score_lower() -> None:
    texts = [screen("pdpdpd"), screen("pppddd"), screen("iii")]
    measure = filled(*texts)
    for slot, text in enumerate(texts):
        scores = measure.scores(text)
        assert scores[slot] == 1
        assert all(scores[other] < 1 for other in range(3) if other != slot)


def test_elements_no_screen_has_match_nothing() -> None:
    measure = filled(screen("ab"))
    assert measure.scores(screen("aZb")).tolist() == [2 / 3]
    assert measure.scores(screen("YZ")).tolist() == [0.0]


def test_what_an_element_is() -> None:
    text = (
        '<button alt="Open > now" id="0"></button>\n<img class="search button" id="1">\n'
        '<img class="62e53919900cb" id="2">\n<p id="3">1 < 2</p>\nInstruction: <b>hop</b>\nno <p>\n'
        '<div alt="class=x" class="header container" id="4"></div>'
    )
    assert element_tags(text) == ["button", "img", "img", "p", "div"]
    assert element_classes(text) == [
        "button", "img.search button", "img", "p", "div.header container",
    ]  # fmt: skip


def test_classes_tell_more_apart() -> None:
    measure = make_similarity("lcs_class")
    measure.put(0, '<img class="logo" id="0">')
    assert measure.name == "lcs_class"
    assert measure.scores('<img class="button" id="0">').tolist() == [0.0]
    assert measure.scores('<img class="logo" id="7">').tolist() == [1.0]


def test_equal_sequences_are_kept_once_and_slots_come_and_go() -> None:
    measure = filled(screen("ab"), screen("ab"), screen("b"))
    assert len(measure._sequences) == 2
    with pytest.raises(ValueError, match="slot 1 is taken"):
        measure.put(1, "")
    measure.remove(0)
    assert measure.scores(screen("ab")).tolist() == [0.0, 1.0, 0.5]
    measure.remove(1)
    assert measure.scores(screen("ab")).tolist() == [0.0, 0.0, 0.5]
    measure.put(0, screen("cab"))
    assert len(measure._sequences) == 2
    assert measure.scores(screen("ab")).tolist() == [2 / 3, 0.0, 0.5]


def test_a_probe_is_a_snapshot() -> None:
    measure = filled(screen("ab"), screen("abc"))
    probe = measure.probe(screen("abc"))
    measure.remove(0)
    measure.put(0, screen("zzz"))
    measure.put(2, screen("abc"))
    assert probe.bounds.tolist() == [2 / 3, 1.0]
    assert probe.scores(np.array([1, 0, 1])).tolist() == [1.0, 2 / 3, 1.0]


def test_terms_are_the_elements_of_the_common_subsequence() -> None:
    measure = filled(screen("pdip"))
    terms = measure.explain(screen("pdp"), 0)
    assert {(term.term, term.product) for term in terms} == {("p", 0.5), ("d", 0.25)}


sequences = st.text("abcdefghijklmnopqrstuvwxyz", max_size=12) | st.text("ab", max_size=150)


@given(st.lists(sequences, max_size=12), sequences)
def test_against_the_textbook_loop(held: list[str], query: str) -> None:
    """Exact for any length (words of 64 elements), and the bounds hold to the last bit."""
    measure = filled(*map(screen, held))
    wanted = [plain_dp(query, text) for text in held]
    scores = measure.scores(screen(query))
    assert scores.tolist() == wanted
    probe = measure.probe(screen(query))
    assert probe.scores(np.arange(len(held))).tolist() == wanted
    assert (probe.bounds >= scores).all()
    for slot, score in enumerate(wanted):
        terms = measure.explain(screen(query), slot)
        assert sum(term.product for term in terms) == pytest.approx(score, abs=1e-12)


def test_drawn_screens_against_the_textbook_loop() -> None:
    rng = random.Random(5)
    screens = [draw_screen(rng) for _ in range(40)]
    measure = filled(*screens)
    for query in screens[:5]:
        wanted = [plain_dp(element_tags(query), element_tags(text)) for text in screens]
        assert measure.scores(query).tolist() == wanted


def test_more_different_elements_than_buckets() -> None:
    names = [f"t{i}" for i in range(300)]
    text = "\n".join(f"<{name}>" for name in names)
    measure = filled(text)
    assert measure.scores("\n".join(f"<{name}>" for name in names[::2])).tolist() == [0.5]
    assert measure.probe(text).bounds.tolist() == [1.0]


def test_real_screens(conformance_dir: Path) -> None:
    """Start screens are like each other and unlike results, in the published pool."""
    records = read_pool(conformance_dir / "rememberer_pools" / "annotated_pool-auto.q.yaml")
    measure = filled(*(record.observation for record in records))
    is_start = np.array(['class="webView"' in record.observation for record in records])
    is_results = np.array(['class="search src text"' in r.observation for r in records])
    assert (is_start.sum(), is_results.sum()) == (10, 10)
    start = measure.scores(records[int(np.argmax(is_start))].observation)
    results = measure.scores(records[int(np.argmax(is_results))].observation)
    assert start[is_start].min() == 1 > start[~is_start].max()
    assert results[is_results].min() > 0.8 > results[~is_results].max()
