"""Reading English task texts with plain means: words, filler, price limits."""

from __future__ import annotations

import functools
import re

_WORD = re.compile(r"[^\W_]+(?:[-.'’][^\W_]+)*")

# What people wrap a wish in; none of it says anything of the thing itself. On the 400 development
# tasks of the shop 44 % of the words are filler, and 4 % of these stand in the description of the
# wanted product all the same (to, of, and); of the other words two in three do.
_FILLER = """
a after also am an and any are at be been but buy can could do does find for from get give go has
have having hello help hi how i i'd i'll i'm i've id if im instruction interested is it its just
like look looking make me more my need nothing of on one ones or our please prefer preferably
really search searching see shop shopping should show so some something sure thank thanks that
that's thats the their them then there these they this those to too try trying under us very want
wanted wants was we were what when where which while who will with would you your
"""
FILLER = frozenset(_FILLER.split())

_LIMIT = re.compile(
    r"[,;]?\s*(?:and\s+|with\s+)?(?:(?:a\s+)?price\s+)?(?:lower|less|cheaper|under|below|up to|"
    r"at most|no more)(?:\s+than)?\s+\$?(\d+(?:\.\d+)?)(?:\s*dollars?)?",
    re.IGNORECASE,
)
_MEANS_MONEY = re.compile(r"price|\$|dollar", re.IGNORECASE)
_MONEY = re.compile(r"\$(\d+(?:\.\d+)?)(?:\s+to\s+\$(\d+(?:\.\d+)?))?")


@functools.lru_cache(maxsize=8192)
def words(text: str) -> tuple[str, ...]:
    """Lower-cased words, those with inner hyphens, dots or apostrophes kept whole.

    >>> words("X-Large (pack of 2), 3.4 oz")
    ('x-large', 'pack', 'of', '2', '3.4', 'oz')
    """
    return tuple(_WORD.findall(text.lower()))


@functools.lru_cache(maxsize=8192)
def stems(text: str) -> frozenset[str]:
    """The set of words with plural endings taken off.

    >>> sorted(stems("Dresses and berries"))
    ['and', 'berry', 'dress']
    """
    return frozenset(word_stem(word) for word in words(text))


def word_stem(word: str) -> str:
    """A word without the ending of a plural.

    >>> [word_stem(word) for word in ("lamps", "boxes", "glass", "us", "shoes")]
    ['lamp', 'box', 'glass', 'us', 'shoe']
    """
    if len(word) > 4 and word.endswith("ies"):
        return word[:-3] + "y"
    if len(word) > 4 and word.endswith(("sses", "xes", "ches", "shes")):
        return word[:-2]
    if len(word) > 3 and word.endswith("s") and not word.endswith(("ss", "us", "is")):
        return word[:-1]
    return word


def share(part: frozenset[str] | tuple[str, ...], whole: frozenset[str]) -> float:
    """Which share of `part` occurs in `whole`; 0 of nothing.

    >>> share(("red", "lamp"), frozenset({"red"}))
    0.5
    """
    return sum(word in whole for word in part) / len(part) if part else 0.0


def split_limit(text: str) -> tuple[str, float | None]:
    """A task without its price clause, and the limit in dollars (None: no limit).

    >>> split_limit("a red lamp, and price lower than 50.00 dollars")
    ('a red lamp', 50.0)
    >>> split_limit("a red lamp under $20 for my desk")
    ('a red lamp for my desk', 20.0)
    >>> split_limit("a lamp under 5 feet")
    ('a lamp under 5 feet', None)
    """
    clauses = [found for found in _LIMIT.finditer(text) if _MEANS_MONEY.search(found[0])]
    if not clauses:
        return text, None
    last = clauses[-1]
    return text[: last.start()] + text[last.end() :], float(last[1])


def money(text: str) -> tuple[float, float] | None:
    """The lowest and highest price in a line such as "$11.5 to $16.5"; None without a price.

    >>> money("Price: $11.5 to $16.5"), money("$100.0"), money("free")
    ((11.5, 16.5), (100.0, 100.0), None)
    """
    found = _MONEY.search(text)
    if found is None:
        return None
    low = float(found[1])
    return low, float(found[2] or low)
