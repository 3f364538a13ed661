"""Make the bundled how-to site: python data/wikihow/make_site.py [--seed N] [--out DIR] [--check]

Writes `site.json.gz` (categories, authors, articles) and `tasks.json`, the same bytes for the same
seed. Everything in them is invented. `--check` writes nothing: it makes both again in memory,
compares them with the ones in DIR, prints the site in numbers and exits with status 1 if anything
differs.
"""

from __future__ import annotations

import argparse
import gzip
import json
import random
import statistics
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sitegen.articles import draft_topic, make_authors, relate, write_article
from sitegen.tasks import Site, make_tasks
from sitegen.vocabulary import load_categories, load_phrases

HERE = Path(__file__).resolve().parent
SEED = 20231210
SITE, TASKS = "site.json.gz", "tasks.json"
NAME = "Howbarn"
N_TASKS = 200
ABOUT = (
    "Howbarn is a barn full of instructions. Everything in it was written by people who have done"
    " the thing themselves, and read by somebody who has not.",
    "Before an article is published, a second author follows it step by step. What cannot be"
    " followed is written anew.",
    "Every article names its authors and lists its references, so that you can look up where a"
    " claim comes from.",
    "Readers tell us when a step fails. An article that fails twice goes back to its authors.",
    "We take no money for naming a product, and we say so when we do not know something.",
)


@dataclass(frozen=True, slots=True)
class Made:
    """The content of the two files."""

    site: dict[str, Any]
    tasks: dict[str, Any]

    def files(self) -> dict[str, bytes]:
        """File name -> its bytes."""
        text = json.dumps(self.site, ensure_ascii=False, separators=(",", ":"))
        packed = gzip.compress(text.encode("utf-8"), compresslevel=9, mtime=0)
        return {SITE: packed, TASKS: _task_lines(self.tasks).encode("utf-8")}


def _task_lines(tasks: dict[str, Any]) -> str:
    """JSON with one task on a line."""
    head = ", ".join(f'"{key}": {json.dumps(tasks[key])}' for key in ("format", "version"))
    rows = ",\n".join(json.dumps(row, ensure_ascii=False) for row in tasks["tasks"])
    return f'{{{head}, "tasks": [\n{rows}\n]}}\n'


def unpack(data: bytes) -> Any:
    """The content of a file, packed or not."""
    return json.loads(gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data)


def make_site(seed: int = SEED) -> Made:
    """Make the whole site; each category draws from its own generator."""
    phrases = load_phrases()
    first, last = phrases["first_names"][:], phrases["last_names"][:]
    for names in (first, last):
        random.Random(f"{seed}:names:{len(names)}:{names[0]}").shuffle(names)
    names = list(zip(first, last, strict=True))
    categories: list[dict[str, Any]] = []
    authors: list[dict[str, Any]] = []
    articles: list[dict[str, Any]] = []
    category_of: dict[str, str] = {}
    for category in load_categories():
        rng = random.Random(f"{seed}:{category.name}")
        own = make_authors(category, phrases, rng, names)
        authors += own
        categories.append({"name": category.name, "parent": None})
        for topic in category.topics:
            category_of[topic.name] = category.name
            categories.append({"name": topic.name, "parent": category.name})
            drafts = draft_topic(topic, rng)
            articles += [write_article(draft, own, phrases, rng) for draft in drafts]
    random.Random(f"{seed}:order").shuffle(articles)
    relate(articles, category_of, random.Random(f"{seed}:related"))
    tasks = make_tasks(N_TASKS, Site(articles, category_of), random.Random(f"{seed}:tasks"))
    return Made(
        {
            "format": "rememberer_nb/how-to-site",
            "version": 1,
            "name": NAME,
            "about": list(ABOUT),
            "categories": categories,
            "authors": authors,
            "articles": articles,
        },
        {"format": "rememberer_nb/how-to-tasks", "version": 1, "tasks": tasks},
    )


def statistics_lines(made: Made) -> list[str]:
    """The site in numbers, a line each."""
    articles, tasks = made.site["articles"], made.tasks["tasks"]
    tops = [c for c in made.site["categories"] if c["parent"] is None]
    n_steps = [sum(len(part["steps"]) for part in a["parts"]) for a in articles]
    n_words = [len(json.dumps(a["parts"]).split()) for a in articles]
    written = Counter(name for article in articles for name in article["authors"])
    lengths = Counter(len(task["goals"]) for task in tasks)
    kinds = Counter(task["kind"] for task in tasks)
    n_references = [len(a["references"]) for a in articles]
    n_pairs = sum(len(a["authors"]) > 1 for a in articles)
    return [
        f"categories: {len(tops)} with {len(made.site['categories']) - len(tops)} topics",
        f"articles: {len(articles)}, steps per article: {statistics.mean(n_steps):.2f},"
        f" words in them: {statistics.mean(n_words):.0f}",
        f"authors: {len(written)}, articles per author: {min(written.values())} to"
        f" {max(written.values())}, with two authors: {n_pairs}",
        f"references per article: {statistics.mean(n_references):.2f}, related articles: 4",
        f"tasks: {len(tasks)} of {len(kinds)} kinds, goals per task:"
        f" {sum(n * count for n, count in lengths.items()) / len(tasks):.2f}"
        f" ({', '.join(f'{n}: {lengths[n]}' for n in sorted(lengths))})",
    ]


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Make the bundled how-to site.")
    parser.add_argument("--seed", type=int, default=SEED, help="default: %(default)s")
    parser.add_argument("--out", type=Path, default=HERE, help="folder (default: this script's)")
    parser.add_argument("--check", action="store_true", help="compare, print statistics")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> int:
    """Write or check the files; the exit status."""
    options = _parse(arguments)
    made = make_site(options.seed)
    if options.check:
        print("\n".join(statistics_lines(made)))
    else:
        options.out.mkdir(parents=True, exist_ok=True)
    n_wrong = 0
    for name, data in made.files().items():
        path = options.out / name
        if not options.check:
            path.write_bytes(data)
        elif not path.is_file() or unpack(path.read_bytes()) != unpack(data):
            n_wrong += 1
            print(f"{path} differs from what seed {options.seed} makes", file=sys.stderr)
        print(f"{name}: {len(data)} bytes")
    return 1 if n_wrong else 0


if __name__ == "__main__":
    raise SystemExit(main())
