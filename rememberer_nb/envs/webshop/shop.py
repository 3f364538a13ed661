"""A shop: stock, goals and prices together, immutable and shared."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from rememberer_nb.elements import Task
from rememberer_nb.envs.webshop.catalogue import Product, load_instructions, load_products
from rememberer_nb.envs.webshop.disk import DiskCatalogue, Lazy
from rememberer_nb.envs.webshop.goals import Goal, make_goals
from rememberer_nb.envs.webshop.nouns import NounTagger, light_nouns
from rememberer_nb.envs.webshop.stock import MemoryStock, Stock
from rememberer_nb.errors import ConfigError
from rememberer_nb.system.resources import cached_by_files

GOAL_KINDS = ("human", "synthetic")


@dataclass(frozen=True, slots=True)
class ShopSource:
    """Where a shop comes from; equal sources give equal shops.

    Parameters
    ----------
    items, attributes, instructions : the three original files, plain or gzipped; or the folder of
        an index that was made of them, as `items` alone.
    goals : "human" or "synthetic"; the instructions file is read for human goals only.
    seed : of the drawn prices and price limits.
    nouns : the tagger behind the reward's title score.
    """

    items: Path
    attributes: Path | None = None
    instructions: Path | None = None
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
        stock: Stock,
        goals: Sequence[Goal],
        prices: Mapping[str, float],
        nouns: NounTagger,
        source: ShopSource | None,
    ):
        self._stock = stock
        self.goals = goals
        self.tasks: Sequence[Task] = Lazy(range(len(goals)), self._task)
        if isinstance(goals, tuple):
            self.tasks = tuple(self.tasks)
        self.prices = prices
        self.nouns = nouns
        self._source = source

    def _task(self, number: int) -> Task:
        return Task(str(number), self.goals[number].text, number)

    @property
    def products(self) -> Sequence[Product]:
        """Every product, in file order."""
        return self._stock.products

    def find(self, keywords: Sequence[str]) -> Sequence[Product]:
        """The hits of a search, best first; see `stock.Stock.find`."""
        return self._stock.find(keywords)

    @classmethod
    def build(
        cls,
        products: Sequence[Product],
        goals: Sequence[Goal],
        prices: Mapping[str, float],
        nouns: NounTagger = light_nouns,
    ) -> Shop:
        """A shop from values at hand; prices are dollars by asin."""
        return cls(MemoryStock(products), tuple(goals), prices, nouns, None)

    def __reduce__(self) -> tuple[object, tuple[object, ...]]:
        # A copy or a worker process reads the catalogue once and shares it, as this process does.
        if self._source is not None:
            return load_shop, (self._source,)
        return Shop.build, (self.products, self.goals, self.prices, self.nouns)


def _files(source: ShopSource) -> list[Path]:
    named = (source.items, source.attributes, source.instructions)
    return [path for path in named if path is not None]


@cached_by_files(8, _files)
def load_shop(source: ShopSource) -> Shop:
    """The shop of these files, or of this index; read or opened once per process, until it changes.

    Raises
    ------
    CatalogueError
        A file is missing or damaged; the message names the file and the product.
    """
    if source.attributes is None or source.instructions is None:
        stock = DiskCatalogue(source.items)
        goals, prices = stock.draw(source.goals, source.seed)
        return Shop(stock, goals, prices, source.nouns, source)
    products = load_products(source.items, source.attributes)
    instructions = load_instructions(source.instructions) if source.goals == "human" else None
    made, drawn = make_goals(products, instructions, source.seed)
    return Shop(MemoryStock(products), made, drawn, source.nouns, source)
