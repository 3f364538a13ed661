"""Similarities by kind: like the table for every pair, and slots that come and go."""

from __future__ import annotations

import itertools

import pytest

from rememberer_nb.retrieval import InstructionPattern, PagePattern
from rememberer_nb.retrieval.patterns import PAGE_KINDS, KindSimilarity, page_likeness

PAGES = {
    "search": "WebShop\nInstruction:\na lamp\n[Search]",
    "results": "[Back to Search]\nPage 1 (Total results: 50)\n[Next >]\n[B000000001]\nLamp\n$5",
    "item": "[Back to Search]\n[< Prev]\nLamp\nPrice: $5\n[Description]\n[Buy Now]",
    "description": "[Back to Search]\n[< Prev]\nA lamp that shines.",
    "done": "Thank you for shopping with us!\nYour score (min 0.0, max 1.0)\n0.5",
}


@pytest.mark.parametrize(("one", "two"), list(itertools.product(PAGE_KINDS, PAGE_KINDS)))
def test_every_pair_of_pages(one: str, two: str) -> None:
    measure = PagePattern()
    measure.put(0, PAGES[one])
    alike = {("item", "description"): 0.3, ("description", "item"): 0.3}
    assert measure.scores(PAGES[two]).tolist() == [float(one == two) or alike.get((one, two), 0.0)]


def test_a_page_of_no_kind_is_like_nothing() -> None:
    measure = PagePattern()
    measure.put(0, "weather report")
    assert measure.scores("weather report").tolist() == [0.0]
    assert page_likeness("", "item") == 0


def test_other_pages_by_their_own_kinds() -> None:
    measure = PagePattern(page_type=lambda page: page[:1])
    measure.put(0, "apple")
    assert measure.scores("ant").tolist() == [1.0]


def test_instructions_of_one_kind_are_alike_whatever_they_name() -> None:
    measure = InstructionPattern()
    for slot, text in enumerate(
        ['Access the article "A"', "Check the reference list", "Access the about page", "a lamp"]
    ):
        measure.put(slot, text)
    assert measure.scores('Access the article "B"').tolist() == [1.0, 0.0, 0.0, 0.0]
    assert measure.scores("Check the reference list").tolist() == [0.0, 1.0, 0.8, 0.0]
    assert measure.scores("a lamp").tolist() == [0.0, 0.0, 0.0, 0.0]


def test_slots_come_and_go() -> None:
    measure = InstructionPattern()
    assert measure.scores("Check the reference list").shape == (0,)
    measure.put(2, "Check the reference list")
    assert measure.scores("Check the reference list").tolist() == [0.0, 0.0, 1.0]
    with pytest.raises(ValueError, match="slot 2 is taken"):
        measure.put(2, "x")
    measure.remove(2)
    measure.put(0, "Access the about page")
    assert measure.scores("Check the reference list").tolist() == [0.8, 0.0, 0.0]


def test_a_text_is_read_once() -> None:
    read: list[str] = []

    def kind_of(text: str) -> str:
        read.append(text)
        return text[:1]

    measure = KindSimilarity("first letter", kind_of, lambda a, b: float(a == b))
    for slot, text in enumerate(["ant", "ape", "bee"]):
        measure.put(slot, text)
    for _ in range(3):
        assert measure.scores("auk").tolist() == [1.0, 1.0, 0.0]
    assert read == ["ant", "ape", "bee", "auk", "auk", "auk"]
