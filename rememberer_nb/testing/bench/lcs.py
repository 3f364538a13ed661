"""How fast screens are found by the longest common subsequence of their elements.

The screens are drawn here, in the style of the how-to site: a line per element, five to some sixty
elements, six kinds of page whose parts are recombined at random.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from rememberer_nb.config import RetrievalConfig
from rememberer_nb.errors import ConfigError
from rememberer_nb.memory import ExperienceMemory
from rememberer_nb.retrieval.lcs import element_tags
from rememberer_nb.testing.bench.machine import machine, timing

_VERBS = ("Bake", "Brush", "Carve", "Count", "Draw", "Fold", "Grow", "Hang", "Knit", "Mend", "Sew")
_THINGS = ("a Basket", "a Bench", "a Candle", "a Fern", "a Kite", "a Lantern", "a Map", "a Quilt")
_TOPICS = ("Garden Corners", "Kitchen Craft", "Paper and Card", "Small Repairs", "Yarn and Cloth")

_N_CHECKED = 200

Element = tuple[str, str, str]  # tag, attributes, text
Rng = random.Random


def _title(rng: Rng) -> str:
    return f"How to {rng.choice(_VERBS)} {rng.choice(_THINGS)}"


def _toolbar(rng: Rng) -> list[Element]:
    parts: list[Element] = [("button", 'alt="Open navigation drawer"', "")]
    if rng.random() < 0.4:
        parts.append(("img", 'class="toolbar logo"', ""))
    return [*parts, ("img", 'class="search button" alt="Search"', "")]


def _start(rng: Rng) -> list[Element]:
    return [*_toolbar(rng), ("div", 'class="webView"', "")]


def _results(rng: Rng) -> list[Element]:
    typed = _title(rng).removeprefix("How to ")
    parts: list[Element] = [
        ("button", 'alt="Open navigation drawer"', ""),
        ("input", f'class="search text" value="{typed}" type="text"', ""),
        ("img", 'class="search close" alt="Clear query"', ""),
    ]
    for _ in range(rng.randint(3, 8)):
        parts += [("div", "", _title(rng)), ("p", "", f"{rng.randint(2, 900)} views")]
        if rng.random() < 0.7:
            parts += [("div", "", "•"), ("p", "", f"{rng.randint(2, 9)} years ago")]
        if rng.random() < 0.4:
            parts += [("div", "", "•"), ("p", "", "Checked by an expert")]
    return parts


def _article(rng: Rng) -> list[Element]:
    parts = [*_toolbar(rng), ("p", "", rng.choice(_TOPICS).upper()), ("div", "", _title(rng))]
    if rng.random() < 0.5:
        parts += [("p", "", "Written by"), ("p", "", "the editors")]
    for i in range(rng.randint(2, 9)):
        parts += [("p", "", f"{i + 1}"), ("div", "", f"{rng.choice(_VERBS)} it well.")]
        parts += [("img", f'alt="step {i + 1}"', "")] * (rng.random() < 0.5)
        parts += [("p", "", "[1]")] * rng.choice((0, 0, 1, 2))
    return parts


def _category(rng: Rng) -> list[Element]:
    parts = [*_toolbar(rng), ("p", "", "&lt;"), ("div", "", rng.choice(_TOPICS))]
    for _ in range(rng.randint(1, 6)):
        parts += [("p", "", _title(rng)), ("p", "", ", ")]
    for _ in range(rng.randint(2, 8)):
        parts += [("img", 'alt="cover"', "")] * (rng.random() < 0.8)
        parts += [("p", "", "How to")] * (rng.random() < 0.5)
        parts += [("div", "", _title(rng))]
    return parts


def _author(rng: Rng) -> list[Element]:
    parts = [*_toolbar(rng), ("img", 'alt="portrait"', ""), ("div", "", "A. Writer")]
    for _ in range(rng.randint(1, 7)):
        parts += [("p", "", "A few words of a life.")] * rng.randint(1, 3)
        parts += [("button", "", "More")] * (rng.random() < 0.3)
        parts += [("div", "", _title(rng))]
    return parts


def _references(rng: Rng) -> list[Element]:
    parts = [*_toolbar(rng), ("div", "", "References")]
    for i in range(rng.randint(3, 20)):
        parts += [("p", "", f"{i + 1}."), ("p", "", "a book")]
        parts += [("div", "", "↑")] * rng.choice((0, 1))
    return parts


_KINDS: tuple[Callable[[Rng], list[Element]], ...] = (
    _start, _results, _results, _article, _article, _category, _author, _references,
)  # fmt: skip
_VOID = ("img", "input")


def draw_screen(rng: Rng) -> str:
    """One screen as simplified HTML, a line per element, ids from 0.

    >>> print(draw_screen(random.Random(6)).split("\\n")[0])
    <button alt="Open navigation drawer" id="0" clickable="true"></button>
    """
    elements = [*rng.choice(_KINDS)(rng), ("div", 'class="statusBar"', "")]
    lines = []
    for i, (tag, attributes, text) in enumerate(elements):
        closing = "" if tag in _VOID else f"{text}</{tag}>"
        space = " " if attributes else ""
        lines.append(f'<{tag}{space}{attributes} id="{i}" clickable="true">{closing}')
    return "\n".join(lines)


def draw_task(rng: Rng) -> str:
    """A command of two instructions."""
    title = _title(rng)
    kinds = ("Check the reference list", f"Access the page of category {rng.choice(_TOPICS)}")
    return f'Search an article to learn {title.lower()}.\nThen, access the article "{title}"' + (
        "" if rng.random() < 0.3 else f"\nThen, {rng.choice(kinds).lower()}"
    )


def plain_dp(one: Sequence[str], two: Sequence[str]) -> float:
    """The textbook loop: LCS by dynamic programming, over the longer length.

    >>> plain_dp(["p", "div", "p"], ["p", "p"])
    0.6666666666666666
    """
    best = [0] * (len(two) + 1)
    for a in one:
        diagonal = 0
        for j, b in enumerate(two):
            above = best[j + 1]
            best[j + 1] = diagonal + 1 if a == b else max(above, best[j])
            diagonal = above
    return best[-1] / max(len(one), len(two), 1)


def bench_lcs(
    n: int = 10_000, n_queries: int = 200, n_pairs: int = 2_000, seed: int = 0
) -> dict[str, Any]:
    """Top-2 of n screens, from the query's text to the hits; screens are drawn from the seed.

    `ours` ranks by the screens alone (λ = 0), `ours_with_task` by half and half with the pattern
    of the instructions. The peer `plain_dp` runs the textbook loop over sequences split up
    beforehand; it is timed on `n_pairs` of the same pairs and scaled to n.
    """
    if min(n, n_queries, n_pairs) < 1:
        raise ConfigError("bench lcs: n, n_queries and n_pairs must be at least 1")
    rng = random.Random(seed)
    memory = _memory(rng, n)
    queries = [(draw_task(rng), draw_screen(rng)) for _ in range(n_queries)]
    screens = [record.observation for record in memory]
    ours = {"n_queries": n_queries, **timing(_time_queries(memory, queries, 0.0))}
    n_checked = min(n_pairs, _N_CHECKED)
    pair_s, n_equal = _time_pairs(memory, queries, screens, rng, n_pairs)
    dp = {"median_ms": pair_s * n * 1e3, "ms_per_pair": pair_s * 1e3, "n_pairs": n_pairs}
    lengths = [len(element_tags(screen)) for screen in screens]
    return {
        "bench": "lcs",
        "n": len(memory),
        "machine": machine(),
        "screens": {
            "n_distinct_sequences": len({tuple(element_tags(screen)) for screen in screens}),
            "median_elements": float(np.median(lengths)),
            "max_elements": max(lengths),
        },
        "results": {
            "ours": ours,
            "ours_with_task": timing(_time_queries(memory, queries, 0.5)),
            "plain_dp": dp,
        },
        "ratios": {"plain_dp": dp["median_ms"] / ours["median_ms"]},
        "notes": f"plain_dp: timed on {n_pairs} random pairs, scaled to {n} pairs a query; "
        f"of the first {n_checked} pairs, {n_equal} have the same value in both",
    }


def _memory(rng: Rng, n: int) -> ExperienceMemory:
    config = RetrievalConfig(
        task_similarity="instruction_pattern", observation_similarity="lcs", task_weight=0.0
    )
    memory = ExperienceMemory(config)
    while len(memory) < n:
        memory.insert(draw_task(rng), draw_screen(rng))
    return memory


def _time_queries(
    memory: ExperienceMemory, queries: Sequence[tuple[str, str]], task_weight: float
) -> list[float]:
    durations = []
    for task, screen in queries:
        start = time.perf_counter()
        hits = memory.retrieve(task, screen, 2, task_weight)
        for _ in range(2):
            next(hits, None)
        durations.append(time.perf_counter() - start)
    return durations


def _time_pairs(
    memory: ExperienceMemory,
    queries: Sequence[tuple[str, str]],
    screens: Sequence[str],
    rng: Rng,
    n_pairs: int,
) -> tuple[float, int]:
    """Seconds per pair of the plain loop, and on how many pairs it says what the index says."""
    asked = [element_tags(screen) for _, screen in queries]
    held = [element_tags(screen) for screen in screens]
    pairs = [(rng.randrange(len(asked)), rng.randrange(len(held))) for _ in range(n_pairs)]
    start = time.perf_counter()
    values = [plain_dp(asked[i], held[j]) for i, j in pairs]
    seconds = time.perf_counter() - start
    checked = list(zip(pairs, values, strict=True))[:_N_CHECKED]
    ids = [record.record_id for record in memory]
    by_query = {
        i: {
            hit.record.record_id: hit.observation_similarity for hit in memory.retrieve(*queries[i])
        }
        for i in {i for (i, _), _ in checked}
    }
    n_equal = sum(by_query[i][ids[j]] == value for (i, j), value in checked)
    return seconds / n_pairs, n_equal
