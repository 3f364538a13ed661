"""Similarities by relevance: of one instruction to another, and of a page to its task.

The published code embeds texts with a sentence transformer; here the words themselves count.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Collection

import numpy as np

from rememberer_nb.retrieval.jaccard import JaccardSimilarity
from rememberer_nb.retrieval.similarity import PAIR_SEPARATOR, Term
from rememberer_nb.retrieval.tfidf import tokenize

# What nearly every instruction says, of the how-to site or of the shop, and plain function words.
_COMMON = """
    an and any are as at be by can for from have how in into is it its looking me my need of on or
    price some than that the their them then there they this to want was what where which who why
    will with would you your access article check dollars find instruction learn list lower page
    search then
"""
_WORDS_OF_EVERY_INSTRUCTION = frozenset(_COMMON.split())

_HEADING = re.compile(r"^\s*instruction\s*:", re.IGNORECASE)


@functools.lru_cache(maxsize=16384)
def telling_words(text: str) -> tuple[str, ...]:
    """The words that tell one instruction from another, each once, without plural endings.

    >>> telling_words('Then, access the article "How to Hide Gauges"')
    ('hide', 'gauge')
    """
    words = (word for word in tokenize(text) if word not in _WORDS_OF_EVERY_INSTRUCTION)
    return tuple(dict.fromkeys(_singular(word) for word in words))


def _singular(word: str) -> str:
    is_plural = len(word) > 3 and word.endswith("s") and not word.endswith(("ss", "us", "is"))
    return word[:-1] if is_plural else word


def dice(one: Collection[str], two: Collection[str]) -> float:
    """2 |A ∩ B| / (|A| + |B|) of two sets of words; 0 without words.

    >>> dice({"red", "lamp"}, {"lamp"})
    0.6666666666666666
    """
    n_words = len(one) + len(two)
    return 2 * len(set(one) & set(two)) / n_words if n_words else 0.0


class InstructionRelevance(JaccardSimilarity):
    """How much two tasks are about the same: 2 |A ∩ B| / (|A| + |B|) over their telling words.

    >>> similarity = InstructionRelevance()
    >>> similarity.put(0, "search an article to learn how to hide gauges")
    >>> similarity.put(1, "search an article to learn how to buy stocks")
    >>> similarity.scores("search an article to learn how to hide a gauge").tolist()
    [1.0, 0.0]
    """

    name = "instruction_relevance"

    def __init__(self, *, reads: str = "task"):
        super().__init__(reads=reads)

    def _tokens(self, text: str) -> Collection[str]:
        return telling_words(text)

    def _ratio(self, shared: np.ndarray, sizes: np.ndarray, n_tokens: int) -> np.ndarray:
        total = sizes + n_tokens
        return np.divide(2 * shared, total, out=np.zeros_like(shared), where=total > 0)


def page_relevance(task: str, page: str) -> float:
    """How well the page's best line fits the task, in [0, 1]; the line that is the task aside.

    >>> page_relevance("a red lamp", "Instruction:\\na red lamp\\n[B01]\\nLamp, red\\n$5")
    1.0
    >>> page_relevance("a red lamp", "Instruction:\\na red lamp\\n[Search]")
    0.0
    """
    wanted, itself = telling_words(task), _HEADING.sub("", task).strip()
    lines = (line for line in page.split("\n") if _HEADING.sub("", line).strip() != itself)
    return max((dice(wanted, telling_words(line)) for line in lines), default=0.0)


class PageRelevance:
    """Pages are alike that are equally relevant to their own tasks: 1 − |r(g, o) − r(g', o')|.

    r is `page_relevance`, taken of both sides (the published matcher takes the query's twice, so
    that all pairs are alike).

    >>> from rememberer_nb.retrieval.similarity import text_to_compare
    >>> similarity = PageRelevance()
    >>> similarity.put(0, text_to_compare("pair", "a red lamp", "Lamp, red"))
    >>> similarity.put(1, text_to_compare("pair", "a red lamp", "Chair"))
    >>> similarity.scores(text_to_compare("pair", "blue shoes", "Shoes (blue)")).tolist()
    [1.0, 0.0]
    """

    name = "page_relevance"
    reads = "pair"

    def __init__(self) -> None:
        self._relevance = np.zeros(0)

    def put(self, slot: int, text: str) -> None:
        """Encode a task and a page into an empty slot."""
        if slot >= len(self._relevance):
            missing = slot + 1 - len(self._relevance)
            self._relevance = np.concatenate([self._relevance, np.full(missing, np.nan)])
        if not np.isnan(self._relevance[slot]):
            raise ValueError(f"slot {slot} is taken")
        self._relevance[slot] = _relevance(text)

    def remove(self, slot: int) -> None:
        """Empty a slot."""
        self._relevance[slot] = np.nan

    def scores(self, query: str) -> np.ndarray:
        """Likeness to each slot, ndarray of shape (n_slots,), in [0, 1]; empty slots give 0."""
        return np.nan_to_num(1.0 - np.abs(self._relevance - _relevance(query)))

    def explain(self, query: str, slot: int) -> tuple[Term, ...]:
        """One term that names both relevances; none if the likeness is 0."""
        mine, held = _relevance(query), float(self._relevance[slot])
        score = 1.0 - abs(held - mine)
        return (Term(f"relevance {mine:.2f} ~ {held:.2f}", 1.0, score, score),) if score else ()

    def refresh(self) -> None:
        """There are no corpus statistics."""

    def state(self) -> bytes:
        """There are no corpus statistics."""
        return b""

    def restore(self, state: bytes) -> None:
        """There are no corpus statistics."""


def _relevance(pair: str) -> float:
    task, _, page = pair.partition(PAIR_SEPARATOR)
    return page_relevance(task, page)
