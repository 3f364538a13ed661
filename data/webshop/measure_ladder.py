"""How hard the bundled shop is: python data/webshop/measure_ladder.py

Shoppers of growing skill buy for every human goal. Each row says how often the purchase earned
the full reward and what it earned on average; the last rows say where the wanted product stands
among the hits. Needs the package (run it from the top of a checkout).
"""

from __future__ import annotations

import random
import statistics
from collections.abc import Iterable, Sequence
from pathlib import Path

from rememberer_nb.envs.webshop.catalogue import Product
from rememberer_nb.envs.webshop.goals import Goal
from rememberer_nb.envs.webshop.oracle import (
    RANKS,
    find_hits,
    keyword_query,
    purchase,
    sentence_query,
    shown_simplified,
)
from rememberer_nb.envs.webshop.reward import count_attributes
from rememberer_nb.envs.webshop.shop import Shop, ShopSource, load_shop

HERE = Path(__file__).resolve().parent


def open_shop(folder: Path = HERE) -> Shop:
    """The bundled shop with its human goals."""
    names = ("items_shuffle.json.gz", "items_ins_v2.json.gz", "items_human_ins.json.gz")
    return load_shop(ShopSource(*(folder / name for name in names)))


def _row(name: str, rewards: Sequence[float]) -> str:
    success = statistics.mean(reward == 1 for reward in rewards)
    return f"{name:58} success {success:5.1%}   mean {statistics.mean(rewards):.3f}"


def _ranks(name: str, hits: Iterable[tuple[Sequence[Product], Goal]]) -> str:
    places = [[p.asin for p in found].index(goal.asin) + 1 if goal.asin in
              {p.asin for p in found} else 99 for found, goal in hits]  # fmt: skip
    shares = [f"{statistics.mean(place <= n for place in places):.1%}" for n in RANKS]
    return f"{name:58} " + ", ".join(f"top {n}: {s}" for n, s in zip(RANKS, shares, strict=True))


def ladder(shop: Shop) -> list[str]:
    """The rows, weakest shopper first."""
    goals, rng = shop.goals, random.Random(0)
    by_asin = {product.asin: product for product in shop.products}
    sentence = [find_hits(shop, sentence_query(goal)) for goal in goals]
    keywords = [find_hits(shop, keyword_query(goal)) for goal in goals]
    pairs = list(zip(sentence, goals, strict=True))
    page = [(found[:10], goal) for found, goal in pairs]

    def score(product: Product, goal: Goal, with_options: bool) -> float:
        return purchase(shop, goal, product, with_options=with_options).reward

    def most_attributes(found: Sequence[Product], goal: Goal) -> Product:
        return max(found, key=lambda p: count_attributes(p, goal.attributes))

    def best(found: Sequence[Product], goal: Goal, with_options: bool) -> float:
        return max(score(product, goal, with_options) for product in found)

    return [
        _row("sentence, first hit, no options", [score(f[0], g, False) for f, g in pairs]),
        _row("sentence, first hit, fitting options", [score(f[0], g, True) for f, g in pairs]),
        _row("keywords, first hit, fitting options",
             [score(f[0], g, True) for f, g in zip(keywords, goals, strict=True)]),
        _row("sentence, any of ten hits, no options",
             [score(rng.choice(f), g, False) for f, g in page]),
        _row("sentence, any of ten hits, fitting options",
             [score(rng.choice(f), g, True) for f, g in page]),
        _row("sentence, most attributes of ten, no options",
             [score(most_attributes(f, g), g, False) for f, g in page]),
        _row("sentence, most attributes of ten, fitting options",
             [score(most_attributes(f, g), g, True) for f, g in page]),
        _row("sentence, best of three hits, fitting options",
             [best(f[:3], g, True) for f, g in page]),
        _row("sentence, best of ten hits, fitting options", [best(f, g, True) for f, g in page]),
        _row(
            "sentence, best shown on five simplified pages, fitting",
            [best(shown_simplified(f), g, True) for f, g in pairs],
        ),
        _row("sentence, best of fifty hits, fitting options", [best(f, g, True) for f, g in pairs]),
        _row("keywords, best of fifty hits, fitting options",
             [best(f, g, True) for f, g in zip(keywords, goals, strict=True)]),
        _row("the wanted product, no options", [score(by_asin[g.asin], g, False) for g in goals]),
        _row("the wanted product, fitting options",
             [score(by_asin[g.asin], g, True) for g in goals]),
        _ranks("the wanted product by the sentence", pairs),
        _ranks("the wanted product by keywords", zip(keywords, goals, strict=True)),
    ]  # fmt: skip


if __name__ == "__main__":
    print("\n".join(ladder(open_shop())))
