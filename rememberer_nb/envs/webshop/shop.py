"""A shop: catalogue, search index, goals and prices together, immutable and shared."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from rememberer_nb.elements import Task
from rememberer_nb.envs.webshop.catalogue import Product, load_instructions, load_products
from rememberer_nb.envs.webshop.goals import Goal, make_goals
from rememberer_nb.envs.webshop.nouns import NounTagger, light_nouns
from rememberer_nb.envs.webshop.search import SearchIndex
from rememberer_nb.errors import ConfigError

GOAL_KINDS = ("human", "synthetic")


@dataclass(frozen=True, slots=True)
class ShopSource:
    """Where a shop comes from; equal sources give equal shops.

    Parameters
    ----------
    items, attributes, instructions : the three original files, plain or gzipped.
    goals : "human" or "synthetic"; the instructions file is read for human goals only.
    seed : of the drawn prices and price limits.
    nouns : the tagger behind the reward's title score.
    """

    items: Path
    attributes: Path
    instructions: Path
    goals: str = "human"
    seed: int = 0
    nouns: NounTagger = light_nouns

    def __post_init__(self) -> None:
        if self.goals not in GOAL_KINDS:
            raise ConfigError(f"goals must be 'human' or 'synthetic', got {self.goals!r}")


class Shop:
    """What all customers share; use `Shop.build` or `load_shop`.

    Examples
    --------
    >>> shop = Shop.build([Product("B1", "Red Lamp", query="lamp")], [], {"B1": 100.0})
    >>> [product.asin for product in shop.find(("red", "lamps"))]
    ['B1']
    """

    def __init__(
        self,
        products: Sequence[Product],
        goals: Sequence[Goal],
        prices: Mapping[str, float],
        nouns: NounTagger,
        source: ShopSource | None,
    ):
        self.products = tuple(products)
        self.goals = tuple(goals)
        self.tasks = tuple(Task(str(i), goal.text, i) for i, goal in enumerate(self.goals))
        self.prices = prices
        self.nouns = nouns
        self._source = source
        self._by_asin = {product.asin: product for product in self.products}
        self._index = SearchIndex((p.asin, p.document) for p in self.products)

    @classmethod
    def build(
        cls,
        products: Sequence[Product],
        goals: Sequence[Goal],
        prices: Mapping[str, float],
        nouns: NounTagger = light_nouns,
    ) -> Shop:
        """A shop from values at hand; prices are dollars by asin."""
        return cls(products, goals, prices, nouns, None)

    def __reduce__(self) -> tuple[object, tuple[object, ...]]:
        # A copy or a worker process reads the catalogue once and shares it, as this process does.
        if self._source is not None:
            return load_shop, (self._source,)
        return Shop, (self.products, self.goals, self.prices, self.nouns, None)

    def find(self, keywords: Sequence[str]) -> tuple[Product, ...]:
        """The hits of a lower-case query that was split on spaces, best first.

        "<q> QUERY" and "<c> CATEGORY" list the products of that query or category in file order.
        """
        if keywords[0] == "<q>":
            query = " ".join(keywords[1:]).strip()
            return tuple(p for p in self.products if p.query == query)
        if keywords[0] == "<c>":
            category = "".join(keywords[1:2]).strip()
            return tuple(p for p in self.products if p.category == category)
        return tuple(self._by_asin[asin] for asin in self._index.search(" ".join(keywords)))


@functools.lru_cache(maxsize=8)
def load_shop(source: ShopSource) -> Shop:
    """The shop of these files, read once per process.

    Raises
    ------
    CatalogueError
        A file is missing or damaged; the message names the file and the product.
    """
    products = load_products(source.items, source.attributes)
    instructions = load_instructions(source.instructions) if source.goals == "human" else None
    goals, prices = make_goals(products, instructions, source.seed)
    return Shop(products, goals, prices, source.nouns, source)
