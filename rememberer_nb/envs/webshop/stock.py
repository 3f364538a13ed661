"""What a shop has in stock: the products and a way to find them, in memory or on disk."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from rememberer_nb.envs.webshop.catalogue import Product
from rememberer_nb.envs.webshop.search import SearchIndex


class Stock(Protocol):
    """Products in file order, and their search engine."""

    @property
    def products(self) -> Sequence[Product]:
        """Every product, in file order."""

    def find(self, keywords: Sequence[str], /) -> Sequence[Product]:
        """The hits of a lower-case query that was split on spaces, best first.

        "<q> QUERY" and "<c> CATEGORY" list the products of that query or category in file order.
        """


class MemoryStock:
    """A stock that is held in memory whole.

    >>> stock = MemoryStock([Product("B1", "Red Lamp"), Product("B2", "Hat", category="fashion")])
    >>> [p.asin for p in stock.find(("red", "lamps"))], [p.asin for p in stock.find(("<c>", "x"))]
    (['B1'], [])
    """

    def __init__(self, products: Sequence[Product]):
        self.products = tuple(products)
        self._by_asin = {product.asin: product for product in self.products}
        self._index = SearchIndex((p.asin, p.document) for p in self.products)

    def find(self, keywords: Sequence[str], /) -> tuple[Product, ...]:
        """See `Stock.find`."""
        if keywords[0] == "<q>":
            query = " ".join(keywords[1:]).strip()
            return tuple(p for p in self.products if p.query == query)
        if keywords[0] == "<c>":
            category = "".join(keywords[1:2]).strip()
            return tuple(p for p in self.products if p.category == category)
        return tuple(self._by_asin[asin] for asin in self._index.search(" ".join(keywords)))
