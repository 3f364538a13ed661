"""The shop's products, read from WebShop's original files (plain JSON or gzipped).

Three files: the products (a list of objects), the attributes mined for each product together with
one synthetic instruction (an object by asin), and the human instructions (an object by asin).
Format: princeton-nlp/WebShop, MIT.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from rememberer_nb.errors import CatalogueError, shown
from rememberer_nb.system import files

MAX_ASIN_LENGTH = 10
DEFAULT_PRICE = 100.0
_NOT_PRICE = re.compile(r"[^0-9.]")


@dataclass(frozen=True, slots=True)
class Product:
    """One product as the shop sells it.

    Parameters
    ----------
    options : (group name, values) in file order, lower-cased.
    prices : dollars; one price, or the lowest and highest of a range.
    price_tag : what the pages print.
    instruction, instruction_attributes : the synthetic instruction, "" if the product has none.
    """

    asin: str
    title: str
    description: str = ""
    bullets: tuple[str, ...] = ()
    options: tuple[tuple[str, tuple[str, ...]], ...] = ()
    category: str = ""
    product_category: str = ""
    query: str = ""
    prices: tuple[float, ...] = (DEFAULT_PRICE,)
    price_tag: str = f"${DEFAULT_PRICE}"
    attributes: tuple[str, ...] = ()
    instruction: str = ""
    instruction_attributes: tuple[str, ...] = ()

    def __hash__(self) -> int:
        # One field tells products apart; hashing all of them at each cache look-up is slow.
        return hash(self.asin)

    @property
    def document(self) -> str:
        """The text that the search engine indexes."""
        options = ", and ".join(f"{name}: {', '.join(values)}" for name, values in self.options)
        first_bullet = self.bullets[0] if self.bullets else ""
        return " ".join([self.title, self.description, first_bullet, options]).lower()


@dataclass(frozen=True, slots=True)
class Instruction:
    """A person's instruction for a product: its text, wanted attributes and option values."""

    text: str
    attributes: tuple[str, ...]
    options: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Row:
    """One object of a file, read field by field; complaints name the file and the product."""

    data: Mapping[str, Any]
    path: Path
    name: str

    def error(self, problem: str) -> CatalogueError:
        return CatalogueError(problem, path=self.path, field=self.name)

    def get(self, field: str, *types: type, what: str = "") -> Any:
        if field not in self.data:
            raise self.error(f"lacks the field {field!r}")
        return self.check(field, self.data[field], *types, what=what)

    def check(self, field: str, value: Any, *types: type, what: str = "") -> Any:
        if not isinstance(value, types):
            expected = what or " or ".join("null" if t is type(None) else t.__name__ for t in types)
            raise self.error(f"{field!r} should be {expected}, got {shown(value)}")
        return value

    def strings(self, field: str) -> tuple[str, ...]:
        return tuple(self.check(field, item, str) for item in self.get(field, list))


class AttributeTable(Protocol):
    """What knows the mined attributes of a product: a dict, or a file too large for one."""

    def get(self, asin: str, /) -> Mapping[str, Any] | None:
        """The product's object in the attributes file, None if it has none."""


def read_shop_json(path: str | Path) -> Any:
    """The content of a JSON file, gzipped or not; `CatalogueError` if it is missing or damaged.

    The published files hold more than is read of them, so what nobody reads may be odd.
    """
    return files.read_json(path, CatalogueError, is_strict=False)


def parse_price(text: str) -> tuple[float, ...]:
    """The dollars of a price: one number, or the first two of several.

    Raises
    ------
    ValueError
        The text has no number, a malformed one or a negative one.

    Examples
    --------
    >>> parse_price("$1,011.50$16.50$20.00"), parse_price("$18.12 - $38.12"), parse_price("")
    ((1011.5, 16.5), (18.12, 38.12), (100.0,))
    """
    if not text:
        return (DEFAULT_PRICE,)
    before, *parts = text.split("$")
    if before.strip().endswith("-") or any(part.strip().startswith("-") for part in parts):
        raise ValueError(f"negative price {shown(text)}")
    if not parts:
        raise ValueError(f"price {shown(text)} has no dollar sign")
    try:
        prices = tuple(float(_NOT_PRICE.sub("", part)) for part in parts)
    except ValueError:
        prices = (math.inf,)
    if not all(map(math.isfinite, prices)):
        raise ValueError(f"price {shown(text)} is not a number of dollars")
    return prices[:2]


def _options(row: _Row) -> tuple[tuple[str, tuple[str, ...]], ...]:
    groups: dict[str, tuple[str, ...]] = {}
    for name, values in (row.get("customization_options", dict, type(None)) or {}).items():
        if values is None:
            continue
        labels = []
        for value in row.check(f"customization_options.{name}", values, list):
            option = row.check(f"customization_options.{name}", value, dict)
            label = row.check(f"customization_options.{name}.value", option.get("value"), str)
            labels.append(label.strip().replace("/", " | ").lower())
        groups[name.lower()] = tuple(labels)
    return tuple(groups.items())


def _bullets(row: _Row) -> tuple[str, ...]:
    if isinstance(row.data.get("small_description"), str):
        return (row.data["small_description"],)
    return row.strings("small_description")


def _product(row: _Row, mined: AttributeTable, attributes_path: Path) -> Product:
    try:
        pricing = row.check("pricing", row.data.get("pricing"), str, type(None))
        prices = parse_price(pricing or "")
    except ValueError as error:
        raise row.error(str(error)) from error
    asin = row.get("asin", str)
    known = _Row(mined.get(asin) or {}, attributes_path, row.name)
    instruction = known.data.get("instruction") or ""
    return Product(
        asin=asin,
        title=row.get("name", str),
        description=row.get("full_description", str),
        bullets=_bullets(row),
        options=_options(row),
        category=row.get("category", str),
        product_category=row.get("product_category", str),
        query=row.get("query", str).lower().strip(),
        prices=prices,
        price_tag=" to ".join(f"${price}" for price in prices),
        attributes=known.strings("attributes") if "attributes" in known.data else (),
        instruction=known.check("instruction", instruction, str),
        instruction_attributes=known.strings("instruction_attributes") if instruction else (),
    )


def _by_asin(path: Path, *types: type) -> dict[str, Any]:
    content = read_shop_json(path)
    if not isinstance(content, dict):
        raise CatalogueError("should be an object by asin", path=path)
    for asin, value in content.items():
        check_entry(path, asin, value, *types)
    return content


def check_entry(path: Path, asin: str, value: Any, *types: type) -> None:
    """Complain, naming the file and the product, unless a value has one of the types."""
    if not isinstance(value, types):
        what = " or ".join(t.__name__ for t in types)
        raise CatalogueError(f"should be {what}, got {shown(value)}", path=path, field=asin)


def load_products(items: str | Path, attributes: str | Path) -> tuple[Product, ...]:
    """Read the products with their attributes, in file order.

    Products without a usable asin ("nan", or longer than ten characters) are dropped, and so are
    later rows of the same asin, as the original does.

    Raises
    ------
    CatalogueError
        A file is missing, damaged, lacks a field, or holds a negative price; it names the product.
    """
    items, attributes = Path(items), Path(attributes)
    rows = read_shop_json(items)
    if not isinstance(rows, list):
        raise CatalogueError("should be a list of products", path=items)
    products = tuple(read_products(rows, items, _by_asin(attributes, dict), attributes))
    if not products:
        raise CatalogueError("holds no product", path=items)
    return products


def read_products(
    rows: Iterable[Any], items: Path, mined: AttributeTable, attributes: Path
) -> Iterator[Product]:
    """The products of a file's rows, one by one, as `load_products` keeps and checks them.

    Parameters
    ----------
    rows : the elements of the products file; `items` names it in complaints.
    mined : asin -> the product's object in the attributes file, which `attributes` names.
    """
    seen: set[str] = set()
    for number, data in enumerate(rows):
        if not isinstance(data, dict):
            raise CatalogueError("should be an object", path=items, field=f"product {number}")
        asin = _Row(data, items, f"product {number}").get("asin", str)
        if asin == "nan" or len(asin) > MAX_ASIN_LENGTH or asin in seen:
            continue
        seen.add(asin)
        yield _product(_Row(data, items, f"product {asin}"), mined, attributes)


def load_instructions(path: str | Path) -> dict[str, tuple[Instruction, ...]]:
    """Read the human instructions: asin -> instructions, in file order.

    Raises
    ------
    CatalogueError
        The file is missing, damaged or lacks a field.
    """
    path = Path(path)
    read: dict[str, tuple[Instruction, ...]] = {}
    for asin, entries in _by_asin(path, list).items():
        rows = []
        for data in entries:
            if not isinstance(data, dict):
                raise CatalogueError("should be objects", path=path, field=f"product {asin}")
            row = _Row(data, path, f"product {asin}")
            wanted = row.strings("instruction_attributes")
            options = row.strings("instruction_options")
            rows.append(Instruction(row.get("instruction", str), wanted, options))
        read[asin] = tuple(rows)
    return read
