"""The words that the shop is made of, read from the TOML files in `kinds/`.

Five categories, each with invented brands, everyday phrases for every attribute, and kinds of
product. A noun is written with its article where it takes one ("a lamp", "curtains").
"""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

KINDS_FOLDER = Path(__file__).resolve().parent / "kinds"
CATEGORY_NAMES = ("beauty", "electronics", "fashion", "grocery", "garden")
_LEAD = re.compile(r"(something|some|a few|a pair of) ")
_SOUNDS_OPEN = re.compile(r"[aeio]|u(?!s)|8|1[18] ")
_ARTICLE = re.compile(r"^(an?)\s+")


@dataclass(frozen=True, slots=True)
class Attribute:
    """A property of products.

    Parameters
    ----------
    name : as the attribute file has it ("machine wash").
    manner : how it joins a noun: "adj" before it, "with", "for" or "without" after it.
    everyday : phrases of the same meaning, each to stand after a noun.
    """

    name: str
    manner: str
    everyday: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of product, sold in several sub-kinds.

    `words` are what people call it, the usual one first; `price` is the usual range in dollars;
    `accessories` are titles of things that only mention it.
    """

    words: tuple[str, ...]
    subkinds: tuple[str, ...]
    query: str
    path: str
    attributes: tuple[Attribute, ...]
    price: tuple[float, float]
    count: int
    uses: tuple[str, ...]
    accessories: tuple[str, ...]
    options: tuple[tuple[str, tuple[str, ...]], ...]


@dataclass(frozen=True, slots=True)
class Category:
    """One of the five departments; `chatter` is what its customers say of themselves."""

    name: str
    letter: str
    brands: tuple[str, ...]
    chatter: tuple[str, ...]
    attributes: dict[str, Attribute]
    kinds: tuple[Kind, ...]


def without_article(noun: str) -> str:
    """The bare noun.

    >>> without_article("an area rug"), without_article("curtains")
    ('area rug', 'curtains')
    """
    return _ARTICLE.sub("", noun)


def with_words_before(words: str, noun: str) -> str:
    """Words put before a noun, behind its article, which then fits the new first word.

    >>> with_words_before("easy to clean", "a rug"), with_words_before("red", "curtains")
    ('an easy to clean rug', 'red curtains')
    >>> with_words_before("quick drying", "something to swim in")
    'something quick drying to swim in'
    """
    if not words:
        return noun
    if lead := _LEAD.match(noun):
        return f"{lead[0]}{words} {noun[lead.end() :]}"
    bare = f"{words} {without_article(noun)}"
    if not _ARTICLE.match(noun):
        return bare
    return f"{'an' if _SOUNDS_OPEN.match(bare) else 'a'} {bare}"


def _split(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(","))


def _kind(data: dict[str, Any], attributes: dict[str, Attribute]) -> Kind:
    low, high = data["price"]
    return Kind(
        words=tuple(data["words"]),
        subkinds=tuple(data["subkinds"]),
        query=data["query"],
        path=data["path"],
        attributes=tuple(attributes[name] for name in _split(data["attributes"])),
        price=(float(low), float(high)),
        count=data["count"],
        uses=tuple(data["uses"]),
        accessories=tuple(data["accessories"]),
        options=tuple((name, _split(values)) for name, values in data["options"].items()),
    )


def load_category(name: str) -> Category:
    """Read one department."""
    data = tomllib.loads((KINDS_FOLDER / f"{name}.toml").read_text(encoding="utf-8"))
    attributes = {
        attribute: Attribute(attribute, manner, tuple(everyday))
        for attribute, (manner, *everyday) in data["attributes"].items()
    }
    return Category(
        name=data["category"],
        letter=data["letter"],
        brands=tuple(data["brands"]),
        chatter=tuple(data["chatter"]),
        attributes=attributes,
        kinds=tuple(_kind(kind, attributes) for kind in data["kinds"]),
    )


def load_categories() -> tuple[Category, ...]:
    """All five departments, in the shop's order."""
    return tuple(load_category(name) for name in CATEGORY_NAMES)
