"""Authors and articles, drawn from the vocabulary by a seeded generator."""

from __future__ import annotations

import math
import random
from dataclasses import dataclass
from typing import Any

from sitegen.vocabulary import Category, Topic, with_the

N_AUTHORS = 3
N_PLAIN, N_TWISTED = 7, 2
N_RELATED_NEAR = 2
SECOND_AUTHOR_SHARE = 0.35
_BADGES = ("Expert", "Approved", "Tested", "")

Phrases = dict[str, list[str]]
Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Draft:
    """An article before its text: what is done with which thing, and the ending of a near-miss."""

    topic: Topic
    action: str
    thing: str
    twist: str = ""

    @property
    def title(self) -> str:
        """The article's title."""
        return " ".join(f"How to {self.action.format(thing=self.thing)} {self.twist}".split())


def make_authors(
    category: Category, phrases: Phrases, rng: random.Random, names: list[tuple[str, str]]
) -> list[Row]:
    """The authors who write for a category; takes their names off the list."""
    rows = []
    for job in category.jobs[:N_AUTHORS]:
        first, last = names.pop()
        credential = rng.choice(phrases["credentials"])
        bio = rng.choice(phrases["bios"])
        rows.append(
            {
                "name": ", ".join(filter(None, (f"{first} {last}", credential))),
                "job": job,
                "bio": bio.format(
                    author=f"{first} {last}", first=first, job=job.lower(), n=rng.randint(4, 30)
                ),
            }
        )
    return rows


def draft_topic(topic: Topic, rng: random.Random) -> list[Draft]:
    """The articles of a topic: some of all combinations, and near-misses of some of them."""
    every = [Draft(topic, action, thing) for action in topic.actions for thing in topic.things]
    plain = rng.sample(every, N_PLAIN)
    near = zip(rng.sample(plain, N_TWISTED), rng.sample(topic.twists, N_TWISTED), strict=True)
    twisted = [Draft(topic, draft.action, draft.thing, twist) for draft, twist in near]
    return plain + twisted


def write_article(draft: Draft, authors: list[Row], phrases: Phrases, rng: random.Random) -> Row:
    """An article's row, all but its related articles."""
    names = [author["name"] for author in authors]
    signed = rng.sample(names, 2 if rng.random() < SECOND_AUTHOR_SHARE else 1)
    words = _Words(draft, signed[0], rng)
    month, day, year = rng.choice(phrases["months"]), rng.randint(1, 28), rng.randint(2017, 2023)
    return {
        "title": draft.title,
        "category": draft.topic.name,
        "authors": signed,
        "updated": f"{month} {day}, {year}",
        "views": int(math.exp(rng.uniform(math.log(2_000), math.log(2_000_000)))),
        "badge": rng.choice(_BADGES),
        "intro": words.fill(rng.choice(phrases["intros"])),
        "parts": _parts(draft, words, phrases, rng),
        "tips": [words.fill(tip) for tip in rng.sample(phrases["tips"], rng.randint(1, 3))],
        "warnings": [words.fill(w) for w in rng.sample(phrases["warnings"], rng.randint(0, 2))],
        "references": [
            words.fill(text) for text in rng.sample(phrases["references"], rng.randint(3, 6))
        ],
    }


class _Words:
    """Fills the slots of a sentence for one article."""

    def __init__(self, draft: Draft, author: str, rng: random.Random):
        self.rng = rng
        self.slots = {
            "title": draft.title.removeprefix("How to ").lower(),
            "the": with_the(draft.thing),
            "thing": draft.thing,
            "topic": draft.topic.name,
            "slug": draft.topic.name.lower().replace(" ", "-"),
            "aim": draft.topic.aim,
            "author": author.split(",")[0],
        }

    def fill(self, sentence: str) -> str:
        return sentence.format(n=self.rng.randint(3, 24), **self.slots)


def _parts(draft: Draft, words: _Words, phrases: Phrases, rng: random.Random) -> list[Row]:
    """Two or three parts; the steps of the action itself are spread over the middle."""
    own = list(draft.topic.actions[draft.action])
    before = rng.sample(phrases["getting_ready"], 2)
    after = rng.sample(phrases["finishing"], rng.randint(1, 2))
    titles = phrases["parts"]
    plan = [(titles[0], [*before, own[0]]), (titles[1], [*own[1:], after[0]])]
    if len(after) > 1:
        plan.append((rng.choice(titles[2:]), [after[1], rng.choice(own)]))
    return [
        {
            "title": title,
            "steps": [
                f"{words.fill(step)} {words.fill(rng.choice(phrases['details']))}" for step in steps
            ],
        }
        for title, steps in plan
    ]


def relate(articles: list[Row], category_of: dict[str, str], rng: random.Random) -> None:
    """Give each article its related ones: of its topic, of its category, of anywhere."""
    for article in articles:
        topic, category = article["category"], category_of[article["category"]]
        others = [other for other in articles if other is not article]
        near = [o for o in others if o["category"] == topic]
        sisters = [
            o for o in others if o["category"] != topic and category_of[o["category"]] == category
        ]
        far = [o for o in others if category_of[o["category"]] != category]
        chosen = [*rng.sample(near, N_RELATED_NEAR), rng.choice(sisters), rng.choice(far)]
        rng.shuffle(chosen)
        article["related"] = [other["title"] for other in chosen]
