"""A shop's catalogue on disk: products are read when they are looked at.

Opening it maps arrays into memory and reads little else, so it takes the same short time for a
thousand products and for a million. `builder.build_index` writes such a folder.
"""

from __future__ import annotations

import functools
import json
import os
import random
import threading
import weakref
from array import array
from bisect import bisect_right
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, Generic, TypeVar, overload

import numpy as np
from numpy.typing import NDArray

from rememberer_nb.envs.webshop.catalogue import Instruction, Product
from rememberer_nb.envs.webshop.goals import (
    Goal,
    draw_limit,
    human_goals,
    shuffle_goals,
    synthetic_choices,
    synthetic_goal,
    weighted,
)
from rememberer_nb.envs.webshop.ranking import RankedIndex
from rememberer_nb.envs.webshop.storage import (
    StringTable,
    check_manifest,
    decode,
    encode,
    load_array,
)
from rememberer_nb.errors import CatalogueError, shown
from rememberer_nb.system.files import read_json

ROWS, INSTRUCTIONS, WANTED = "rows.jsonl", "instructions.json", "attribute_counts.json"
NO_SYNTHETIC_GOALS = -1
_CACHED_PRODUCTS = 4096
_AS_JSON = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode

Item = TypeVar("Item")


class Lazy(Sequence[Item], Generic[Item]):
    """A sequence whose items are made when they are asked for.

    >>> squares = Lazy(range(5), lambda n: n * n)
    >>> squares[3], squares[1:3], len(squares)
    (9, (1, 4), 5)
    """

    def __init__(self, keys: Sequence[int] | NDArray[Any], make: Callable[[int], Item]):
        self._keys, self._make = keys, make

    def __len__(self) -> int:
        return len(self._keys)

    @overload
    def __getitem__(self, number: int) -> Item: ...

    @overload
    def __getitem__(self, number: slice) -> tuple[Item, ...]: ...

    def __getitem__(self, number: int | slice) -> Item | tuple[Item, ...]:
        if isinstance(number, slice):
            return tuple(self._make(int(key)) for key in self._keys[number])
        return self._make(int(self._keys[number]))

    def __iter__(self) -> Iterator[Item]:
        return (self._make(int(key)) for key in self._keys)

    def __reduce__(self) -> tuple[object, tuple[object, ...]]:
        # The maker may hold an open file; the items travel by themselves.
        return tuple, (tuple(self),)


def pack_row(product: Product) -> bytes:
    """A product as one line of the file of rows."""
    p = product
    fields = (
        *(p.asin, p.title, p.description, p.bullets, p.options, p.category, p.product_category),
        *(p.query, p.prices, p.price_tag, p.attributes, p.instruction, p.instruction_attributes),
    )
    return encode(_AS_JSON(fields) + "\n")


def unpack_row(line: bytes) -> Product:
    """The inverse of `pack_row`.

    >>> lamp = Product("B1", "Lamp", options=(("size", ("s", "m")),), prices=(1.5, 2.0))
    >>> unpack_row(pack_row(lamp)) == lamp
    True
    """
    values = json.loads(decode(line))
    asin, title, description, bullets, options, *rest = values
    category, product_category, query, prices, tag, attributes, instruction, wanted = rest
    texts = [asin, title, description, category, product_category, query, tag, instruction]
    labels = [label for name, labels in options for label in (name, *labels)]
    for text in (*texts, *bullets, *labels, *attributes, *wanted):
        if not isinstance(text, str):
            raise TypeError(f"expected a text, got {shown(text)}")
    for price in prices:
        if not isinstance(price, int | float):
            raise TypeError(f"expected a price, got {shown(price)}")
    return Product(
        asin=asin,
        title=title,
        description=description,
        bullets=tuple(bullets),
        options=tuple((name, tuple(labels)) for name, labels in options),
        category=category,
        product_category=product_category,
        query=query,
        prices=tuple(prices),
        price_tag=tag,
        attributes=tuple(attributes),
        instruction=instruction,
        instruction_attributes=tuple(wanted),
    )


class _RowFile:
    """Reads products by their row number; the last few thousand stay at hand."""

    def __init__(self, folder: Path):
        self._path = folder / ROWS
        self._starts = memoryview(load_array(folder, "row_starts"))
        self._file = self._path.open("rb", buffering=0)
        self._lock = threading.Lock()
        weakref.finalize(self, self._file.close)
        self.read = functools.lru_cache(_CACHED_PRODUCTS)(self._read)

    def _read(self, row: int) -> Product:
        start, end = self._starts[row], self._starts[row + 1]
        try:
            return unpack_row(self._read_bytes(start, end - start))
        except (OSError, ValueError, TypeError, RecursionError) as error:
            raise CatalogueError(
                f"cannot be read: {error}", path=self._path, field=f"row {row}"
            ) from error

    def _read_bytes(self, start: int, length: int) -> bytes:
        # Threads and forked processes share one position in the file, so it is left alone if it can
        # be. A map of this file would count as memory, page by page.
        if hasattr(os, "pread"):
            return os.pread(self._file.fileno(), length, start)
        with self._lock:
            self._file.seek(start)
            return self._file.read(length)


class DiskPrices(Mapping[str, float]):
    """asin -> drawn price in dollars."""

    def __init__(self, by_row: NDArray[np.float64], catalogue: DiskCatalogue):
        self.by_row, self._catalogue = by_row, catalogue

    def __getitem__(self, asin: str) -> float:
        row = self._catalogue.row_of(asin)
        if row is None:
            raise KeyError(asin)
        return float(self.by_row[row])

    def __len__(self) -> int:
        return len(self.by_row)

    def __iter__(self) -> Iterator[str]:
        return (product.asin for product in self._catalogue.products)


class DiskCatalogue:
    """An index folder, opened: the products in file order, their search engine, their goals.

    Parameters
    ----------
    folder : written by `builder.build_index`.

    Raises
    ------
    CatalogueError
        The folder is no index, is cut off or damaged, or of another version.
    """

    def __init__(self, folder: str | Path):
        self._folder = Path(folder)
        counts = check_manifest(self._folder)
        self._rows = _RowFile(self._folder)
        self.products: Sequence[Product] = Lazy(range(counts["products"]), self._rows.read)
        self._index = RankedIndex(self._folder, counts["products"])
        self._asins = StringTable(self._folder, "asins")
        self._row_of_document = load_array(self._folder, "document_rows")
        self._labels = {
            name: (StringTable(self._folder, name), load_array(self._folder, f"{name}_numbers"))
            for name in ("queries", "categories")
        }

    def row_of(self, asin: str) -> int | None:
        """The row of a product, None if there is no such product."""
        document = self._asins.find(asin)
        return None if document < 0 else int(self._row_of_document[document])

    def find(self, keywords: Sequence[str]) -> Sequence[Product]:
        """The hits of a search, as `stock.Stock.find` has them."""
        if keywords[0] == "<q>":
            rows = self._labelled("queries", " ".join(keywords[1:]).strip())
        elif keywords[0] == "<c>":
            rows = self._labelled("categories", "".join(keywords[1:2]).strip())
        else:
            rows = self._row_of_document[self._index.search(" ".join(keywords))]
        return Lazy(rows, self._rows.read)

    def _labelled(self, name: str, label: str) -> NDArray[np.intp]:
        labels, numbers = self._labels[name]
        return np.flatnonzero(numbers == labels.find(label))

    def draw(self, goals: str, seed: int) -> tuple[Sequence[Goal], DiskPrices]:
        """Goals ("human" or "synthetic") and prices, as `goals.make_goals` draws them."""
        rng = random.Random(seed)
        prices = self._draw_prices(rng)
        if goals == "synthetic":
            return SyntheticGoals(self, prices, rng, self._folder).as_sequence(), prices
        wanted = self._instructions()
        rows = sorted(row for asin in wanted if (row := self.row_of(asin)) is not None)
        made = list(human_goals(Lazy(rows, self._rows.read), wanted, prices, rng))
        shuffle_goals(made)
        return tuple(made), prices

    def _draw_prices(self, rng: random.Random) -> DiskPrices:
        lowest, highest = (load_array(self._folder, name) for name in ("lowest", "highest"))
        prices = np.array(lowest)
        ranged = np.flatnonzero(~np.isnan(highest))
        ranges = zip(lowest[ranged].tolist(), highest[ranged].tolist(), strict=True)
        prices[ranged] = [rng.uniform(low, high) for low, high in ranges]
        return DiskPrices(prices, self)

    def _instructions(self) -> dict[str, tuple[Instruction, ...]]:
        rows: dict[str, list[Any]] = read_json(self._folder / INSTRUCTIONS, CatalogueError)
        try:
            return {
                asin: tuple(Instruction(text, tuple(a), tuple(o)) for text, a, o in entries)
                for asin, entries in rows.items()
            }
        except (ValueError, TypeError, AttributeError) as error:
            path = self._folder / INSTRUCTIONS
            raise CatalogueError(f"cannot be read: {error}", path=path) from error


class SyntheticGoals:
    """Goals made of every choice of every product's options: too many to hold, so made on demand.

    Only the drawn limit of each product and the final order are kept.
    """

    def __init__(
        self, catalogue: DiskCatalogue, prices: DiskPrices, rng: random.Random, folder: Path
    ):
        self._products = catalogue.products
        self._counts: Mapping[str, int] = read_json(folder / WANTED, CatalogueError)
        n_choices = load_array(folder, "choices")
        self._rows = np.flatnonzero(n_choices != NO_SYNTHETIC_GOALS)
        drawn = prices.by_row[self._rows].tolist()
        self._limits = np.array([draw_limit(price, rng)[0] for price in drawn])
        # Place of each product's first goal in file order; a product may have none.
        self._starts = [0, *np.cumsum(n_choices[self._rows]).tolist()]

    def as_sequence(self) -> Sequence[Goal]:
        """The goals in their final order."""
        order = array("q", range(self._starts[-1]))
        shuffle_goals(order)
        return Lazy(order, self._make)

    def _make(self, place: int) -> Goal:
        number = bisect_right(self._starts, place) - 1
        product = self._products[int(self._rows[number])]
        choice = place - self._starts[number]
        options = next(islice(synthetic_choices(product), choice, None))
        goal = synthetic_goal(product, options, float(self._limits[number]))
        return weighted(goal, self._counts)
