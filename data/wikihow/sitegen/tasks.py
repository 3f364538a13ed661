"""Tasks: chains of goals over the site, ten kinds in turn, so that every ten in a row are balanced.

A goal is a pair of what is to be done and its target: "search" and "article" name a title,
"category" and "author" a name, "references" and "about" nothing.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

Row = dict[str, Any]
Goal = tuple[str, str]
REFERENCES: Goal = ("references", "")
ABOUT: Goal = ("about", "")


class Site:
    """What the tasks are drawn from: articles by title, and who belongs to what."""

    def __init__(self, articles: list[Row], category_of: dict[str, str]):
        self.articles = articles
        self.category_of = category_of
        self.by_title = {article["title"]: article for article in articles}

    def of_author(self, author: str, *but: Row) -> list[Row]:
        """The other articles of an author."""
        return [a for a in self.articles if author in a["authors"] and a not in but]

    def of_category(self, name: str, *but: Row) -> list[Row]:
        """The other articles of a topic or of a whole category."""
        return [
            a
            for a in self.articles
            if name in (a["category"], self.category_of[a["category"]]) and a not in but
        ]


def _access(article: Row) -> Goal:
    return "article", article["title"]


def _author(article: Row, rng: random.Random) -> Goal:
    return "author", rng.choice(article["authors"])


def _category(article: Row, site: Site, rng: random.Random) -> Goal:
    topic = article["category"]
    return "category", rng.choice((topic, site.category_of[topic]))


def _related(article: Row, site: Site, rng: random.Random) -> Row:
    return site.by_title[rng.choice(article["related"])]


def _author_article(article: Row, site: Site, rng: random.Random) -> tuple[list[Goal], Row]:
    goal = _author(article, rng)
    other = rng.choice(site.of_author(goal[1], article))
    return [goal, _access(other)], other


def _category_article(article: Row, site: Site, rng: random.Random) -> tuple[list[Goal], Row]:
    goal = _category(article, site, rng)
    other = rng.choice(site.of_category(goal[1], article))
    return [goal, _access(other)], other


def _long(article: Row, site: Site, rng: random.Random) -> list[Goal]:
    """Three goals after the article, in one of three ways."""
    way = rng.randrange(3)
    if way == 0:
        goals, _ = _author_article(article, site, rng)
        return [*goals, REFERENCES]
    if way == 1:
        goals, other = _category_article(article, site, rng)
        return [*goals, _author(other, rng)]
    other = _related(article, site, rng)
    goal = _category(other, site, rng)
    third = rng.choice(site.of_category(goal[1], article, other))
    return [_access(other), goal, _access(third)]


Continue = Callable[[Row, Site, random.Random], list[Goal]]

# What follows "search" and "article" in each kind; the kind "search" has no second goal at all.
KINDS: dict[str, Continue] = {
    "search": lambda a, s, rng: [],
    "article": lambda a, s, rng: [],
    "references": lambda a, s, rng: [REFERENCES],
    "about": lambda a, s, rng: [ABOUT],
    "author": lambda a, s, rng: [_author(a, rng)],
    "category": lambda a, s, rng: [_category(a, s, rng)],
    "related": lambda a, s, rng: [_access(_related(a, s, rng))],
    "author_article": lambda a, s, rng: _author_article(a, s, rng)[0],
    "category_article": lambda a, s, rng: _category_article(a, s, rng)[0],
    "long": _long,
}


def make_tasks(n_tasks: int, site: Site, rng: random.Random) -> list[Row]:
    """Tasks on an article of its own each, the kinds in turn."""
    articles = rng.sample(site.articles, n_tasks)
    kinds = list(KINDS)
    tasks = []
    for number, article in enumerate(articles):
        kind = kinds[number % len(kinds)]
        goals = [("search", article["title"])]
        if kind != "search":
            goals += [_access(article), *KINDS[kind](article, site, rng)]
        tasks.append({"kind": kind, "goals": [list(goal) for goal in goals]})
    return tasks
