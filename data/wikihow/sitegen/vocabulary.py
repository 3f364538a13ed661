"""What the site writes about (`topics.toml`) and how it words it (`phrases.toml`)."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
_ARTICLES = ("a ", "an ", "the ")


@dataclass(frozen=True, slots=True)
class Topic:
    """A topic of a category: things, what is done with them, and endings for near-misses."""

    name: str
    category: str
    things: tuple[str, ...]
    twists: tuple[str, ...]
    aim: str
    actions: dict[str, tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class Category:
    """A category: its topics, and the jobs of those who write for it."""

    name: str
    jobs: tuple[str, ...]
    topics: tuple[Topic, ...]


def load_categories() -> tuple[Category, ...]:
    """All categories, in the order of the file."""
    rows = tomllib.loads((HERE / "topics.toml").read_text(encoding="utf-8"))["category"]
    return tuple(
        Category(
            row["name"], tuple(row["jobs"]), tuple(_topic(t, row["name"]) for t in row["topic"])
        )
        for row in rows
    )


def _topic(row: dict[str, Any], category: str) -> Topic:
    actions = {name: tuple(steps) for name, steps in row["actions"].items()}
    things, twists = tuple(row["things"]), tuple(row["twists"])
    return Topic(row["name"], category, things, twists, row["aim"], actions)


def load_phrases() -> dict[str, list[str]]:
    """Sentences and names that any article may use, by kind."""
    return tomllib.loads((HERE / "phrases.toml").read_text(encoding="utf-8"))


def with_the(thing: str) -> str:
    """A thing as a sentence speaks of it.

    >>> with_the("an Apple Pie"), with_the("Rye Bread")
    ('the apple pie', 'the rye bread')
    """
    lowered = thing.lower()
    found = next((article for article in _ARTICLES if lowered.startswith(article)), "")
    return f"the {lowered.removeprefix(found)}"
