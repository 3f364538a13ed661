"""Relevance of instructions to each other, and of pages to their tasks."""

from __future__ import annotations

import pytest

from rememberer_nb.retrieval import InstructionRelevance, PageRelevance
from rememberer_nb.retrieval.relevance import dice, page_relevance, telling_words
from rememberer_nb.retrieval.similarity import text_to_compare

TASK = "i need a red desk lamp, and price lower than 40.00 dollars"


def pair(task: str, page: str) -> str:
    return text_to_compare("pair", task, page)


def test_telling_words_leave_out_what_every_instruction_says() -> None:
    assert telling_words(TASK) == ("red", "desk", "lamp", "40", "00")
    assert telling_words("Search an article to learn how to buy stocks.") == ("buy", "stock")
    assert telling_words("glass bus this lamps lamp") == ("glass", "bus", "lamp")


def test_dice_by_hand() -> None:
    assert dice({"a", "b", "c"}, {"b", "c", "d"}) == pytest.approx(4 / 6)
    assert dice((), ()) == dice({"a"}, {"b"}) == 0


def test_instructions_about_the_same_are_relevant_to_each_other() -> None:
    measure = InstructionRelevance()
    texts = ["a red desk lamp", "a blue desk lamp", "a wool coat", "the"]
    for slot, text in enumerate(texts):
        measure.put(slot, text)
    # red desk lamp: 3 words; two of them are shared with the second text.
    assert measure.scores("a red desk lamp").tolist() == pytest.approx([1, 4 / 6, 0, 0])
    assert measure.scores("the").tolist() == [0, 0, 0, 0]
    assert measure.reads == "task"


def test_a_pages_relevance_is_that_of_its_best_line() -> None:
    # "Red Lamp": 2 words, both of the five wanted.
    page = f"Instruction:\n{TASK} \n[B01]\nRed Lamp\n$5.00\n[B02]\nWool Coat"
    assert page_relevance(TASK, page) == pytest.approx(2 * 2 / (5 + 2))
    assert page_relevance(TASK, f"Instruction:\n{TASK}\n[Search]") == 0
    assert page_relevance("red lamp", "Instruction: red lamp\nred lamp") == 0
    assert page_relevance("red lamp", "a red lamp") == 1
    assert page_relevance(TASK, "") == page_relevance("", "") == 0


def test_each_record_is_judged_by_its_own_page() -> None:
    """The published matcher judges the query's page twice, so that all records are alike."""
    measure = PageRelevance()
    fits, half, misses = "red desk lamp 40 00", "red wool", "wool coat"
    for slot, page in enumerate((fits, half, misses)):
        measure.put(slot, pair(TASK, page))
    assert page_relevance(TASK, half) == pytest.approx(2 / 7)
    assert measure.scores(pair(TASK, fits)).tolist() == pytest.approx([1, 2 / 7, 0])
    assert measure.scores(pair("blue shoes", "nothing")).tolist() == pytest.approx([0, 5 / 7, 1])


def test_page_slots_come_and_go() -> None:
    measure = PageRelevance()
    measure.put(1, pair(TASK, "wool"))
    assert measure.scores(pair(TASK, "wool")).tolist() == [0.0, 1.0]
    with pytest.raises(ValueError, match="slot 1 is taken"):
        measure.put(1, pair(TASK, "wool"))
    measure.remove(1)
    assert measure.scores(pair(TASK, "wool")).tolist() == [0.0, 0.0]
