"""A shopper's wish: what the stand-in understands of a task, and what it would type to find it."""

from __future__ import annotations

import functools
import re
from collections.abc import Sequence
from dataclasses import dataclass

from rememberer_nb.llms.offline.beliefs import Look
from rememberer_nb.llms.offline.words import FILLER, money, share, split_limit, word_stem, words

# Where a wish turns from the thing itself to what it should be like: "a dress | in black". On the
# 400 development tasks of the shop, both words of the core stand in the wanted product's name or
# query for 190; without these turns it would be 70.
_TURNS = frozenset({"in", "with", "that", "which", "for", "under", "from", "made"})


@dataclass(frozen=True, slots=True)
class Wish:
    """A task's text, read once.

    `content` are its telling words, `head` those that name the thing, `core` the last two of
    these; all stemmed. `plain` are all its words as they stand, without the price clause.
    """

    content: tuple[str, ...]
    head: tuple[str, ...]
    core: tuple[str, ...]
    plain: frozenset[str]
    limit: float | None
    queries: tuple[str, ...]


@functools.lru_cache(maxsize=2048)
def read_wish(task: str) -> Wish:
    """A task as the stand-in understands it.

    >>> wish = read_wish("i am looking for a soft red desk lamp in size 3, under $20")
    >>> wish.head, wish.core, wish.limit
    (('soft', 'red', 'desk', 'lamp'), ('desk', 'lamp'), 20.0)
    >>> wish.queries[2:4]
    ('soft red desk lamp size 3', 'soft red desk lamp')
    """
    rest, limit = split_limit(task)
    telling = [word for word in words(rest) if word not in FILLER and word not in _TURNS]
    head = _head(rest)
    queries = (
        task.translate({ord("["): " ", ord("]"): " "}),
        " ".join(words(rest)),
        " ".join(telling),
        " ".join(head),
        " ".join(telling[:3]),
        " ".join(head[-2:]),
    )
    stemmed = tuple(word_stem(word) for word in head)
    return Wish(
        content=tuple(dict.fromkeys(word_stem(word) for word in telling)),
        head=stemmed,
        core=stemmed[-2:],
        plain=frozenset(words(rest)),
        limit=limit,
        queries=tuple(dict.fromkeys(q for query in queries if (q := " ".join(query.split())))),
    )


def _head(text: str) -> list[str]:
    # The words up to the first turn or comma after something has been named.
    head: list[str] = []
    for piece in re.split(r"[,;:!?]|\.\s", text):
        for word in words(piece):
            if word in _TURNS and head:
                return head
            if word not in FILLER and word not in _TURNS:
                head.append(word)
        if head:
            return head
    return head


def fits_price(line: str, limit: float | None) -> float:
    """1 within the limit, 0 above it; a half when it depends or cannot be told."""
    if limit is None:
        return 1.0
    price = money(line)
    if price is None or price[0] <= limit < price[1]:
        return 0.5
    return 1.0 if price[1] <= limit else 0.0


def look_at_query(query: str, wish: Wish, last_actions: Sequence[str] = ()) -> Look:
    """How a query looks: coverage, filler, brevity, core, repeated.

    >>> look_at_query("desk lamp", read_wish("a red desk lamp")).attributes[:2]
    (0.6666666666666666, 0.0)
    """
    said = [word_stem(word) for word in words(query)]
    known = frozenset(said)
    telling = frozenset(wish.content)
    action = f"search[{query}]".lower()
    return Look(
        "search",
        (
            share(wish.content, known),
            sum(word not in telling for word in said) / len(said) if said else 1.0,
            1.0 - min(len(said), 12) / 12,
            share(wish.core, known),
            float(any(fold(last) == action for last in last_actions)),
        ),
    )


def fold(action: str) -> str:
    """An action without differences of case and space."""
    return " ".join(action.split()).lower()
