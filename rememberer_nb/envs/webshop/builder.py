"""Making an index of a shop whose catalogue does not fit into memory.

The files are read once, in one pass each. What grows with the catalogue in memory is small: the
asins, the vocabulary, and a few numbers per product. Everything is written to a folder beside the
target, which takes the target's name when the index is whole.
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from array import array
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from rememberer_nb.envs.webshop.catalogue import (
    Product,
    check_entry,
    load_instructions,
    read_products,
)
from rememberer_nb.envs.webshop.disk import INSTRUCTIONS, NO_SYNTHETIC_GOALS, ROWS, WANTED, pack_row
from rememberer_nb.envs.webshop.goals import count_choices, has_synthetic_goals
from rememberer_nb.envs.webshop.postings import RUN_POSTINGS, PostingsWriter
from rememberer_nb.envs.webshop.storage import (
    encode,
    is_replaceable,
    save_array,
    save_strings,
    write_manifest,
)
from rememberer_nb.envs.webshop.stream import stream_array, stream_object
from rememberer_nb.envs.webshop.terms import index_terms
from rememberer_nb.errors import CatalogueError


def build_index(
    items: str | Path,
    attributes: str | Path,
    instructions: str | Path,
    out: str | Path,
    *,
    show_progress: bool = False,
    run_postings: int = RUN_POSTINGS,
) -> dict[str, int]:
    """Index a catalogue in WebShop's original files (plain JSON or gzipped) into a folder.

    Parameters
    ----------
    out : the folder to make; an index that is there already is replaced, anything else refused.
    show_progress : a bar over the bytes read, on standard error.
    run_postings : postings to hold in memory; tests make it small.

    Returns
    -------
    dict
        Counts: `products`, `instructions` (human ones), `terms`, `postings`, `bytes` on disk.

    Raises
    ------
    CatalogueError
        A file is missing, damaged, cut off, lacks a field or holds a wrong one; names the file and
        the product. Or `out` is in the way. Nothing is left behind.

    Examples
    --------
    >>> from rememberer_nb.envs.webshop.env import locate_files
    >>> from rememberer_nb.envs.webshop.disk import DiskCatalogue
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     counts = build_index(**locate_files(), out=Path(folder, "shop"))
    ...     len(DiskCatalogue(Path(folder, "shop")).products) == counts["products"]
    True
    """
    # What a link leads to is made or replaced, not the link.
    out = Path(os.path.realpath(out))
    _check_target(out)
    with _beside(out) as folder, tempfile.TemporaryDirectory(dir=folder.parent) as scratch:
        with _progress("attributes", Path(attributes), show_progress) as on_read:
            mined = _Attributes(Path(attributes), Path(scratch), on_read)
        with mined:
            writer = _Writer(folder, Path(scratch), run_postings)
            with _progress("products", Path(items), show_progress) as on_read:
                rows = stream_array(items, on_read)
                writer.add_all(read_products(rows, Path(items), mined, Path(attributes)))
        if not writer.n_products:
            raise CatalogueError("holds no product", path=items)
        counts = writer.finish()
        counts["instructions"] = _write_instructions(Path(instructions), folder)
        write_manifest(folder, counts)
        n_bytes = sum(path.stat().st_size for path in folder.iterdir())
    return {**counts, "bytes": n_bytes}


def _check_target(out: Path) -> None:
    if out.is_dir() and not is_replaceable(out):
        raise CatalogueError("is no shop index, so it is not replaced", path=out)
    if os.path.lexists(out) and not out.is_dir():
        raise CatalogueError("is a file or an odd link, not to become an index", path=out)


@contextmanager
def _beside(out: Path) -> Iterator[Path]:
    """A new folder beside `out`, which takes its place if all goes well and else is removed."""
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        parent = Path(tempfile.mkdtemp(prefix=f".{out.name}.", suffix=".part", dir=out.parent))
    except OSError as error:
        raise CatalogueError(f"cannot be made: {error}", path=out) from error
    folder = parent / "new"
    try:
        folder.mkdir()
        yield folder
        if out.exists():
            os.replace(out, parent / "old")
        os.replace(folder, out)
    except OSError as error:
        raise CatalogueError(f"cannot be written: {error}", path=out) from error
    finally:
        shutil.rmtree(parent, ignore_errors=True)


@contextmanager
def _progress(name: str, path: Path, is_shown: bool) -> Iterator[Callable[[int], object]]:
    total = path.stat().st_size if path.is_file() else None
    with tqdm(
        total=total, desc=name, unit="B", unit_scale=True, disable=not is_shown, mininterval=0.5
    ) as bar:
        yield bar.update


class _Attributes:
    """The attributes file, spooled: a product's object is read back when it is asked for."""

    def __init__(self, path: Path, scratch: Path, on_read: Callable[[int], object]):
        self._places: dict[str, int] = {}
        self._starts = array("q", [0])
        self._file = (scratch / "attributes").open("w+b")
        try:
            for asin, value in stream_object(path, on_read):
                check_entry(path, asin, value, dict)
                self._places[asin] = len(self._starts) - 1
                n_bytes = self._file.write(json.dumps(value).encode("ascii"))
                self._starts.append(self._starts[-1] + n_bytes)
        except BaseException:
            self._file.close()
            raise

    def __enter__(self) -> _Attributes:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def get(self, asin: str, /) -> Mapping[str, Any] | None:
        """See `catalogue.AttributeTable`."""
        place = self._places.get(asin)
        if place is None:
            return None
        self._file.seek(self._starts[place])
        data = self._file.read(self._starts[place + 1] - self._starts[place])
        return json.loads(data)  # type: ignore[no-any-return]


class _Labels:
    """One short text per product, most of them repeated: numbered in sorted order at the end."""

    def __init__(self) -> None:
        self._numbers: dict[str, int] = {}
        self._of_row = array("i")

    def add(self, text: str) -> None:
        self._of_row.append(self._numbers.setdefault(text, len(self._numbers)))

    def save(self, folder: Path, name: str) -> NDArray[np.int32]:
        """Write the distinct texts, sorted, as NAME; returns each row's number among them."""
        ordered = sorted((encode(text), number) for text, number in self._numbers.items())
        rank = np.empty(len(ordered), np.int32)
        rank[[number for _, number in ordered]] = np.arange(len(ordered), dtype=np.int32)
        save_strings(folder, name, [text for text, _ in ordered])
        return rank[np.frombuffer(self._of_row, np.int32)]


class _Writer:
    """Everything that is kept of each product."""

    def __init__(self, folder: Path, scratch: Path, run_postings: int):
        self._folder = folder
        self._postings = PostingsWriter(folder, scratch, run_postings)
        self._asins, self._queries, self._categories = _Labels(), _Labels(), _Labels()
        self._row_starts, self._choices = array("q", [0]), array("q")
        self._lowest, self._highest = array("d"), array("d")
        self._wanted: Counter[str] = Counter()

    @property
    def n_products(self) -> int:
        return len(self._lowest)

    def add_all(self, products: Iterable[Product]) -> None:
        """The products, in file order."""
        with (self._folder / ROWS).open("wb") as rows:
            for product in products:
                self._row_starts.append(self._row_starts[-1] + rows.write(pack_row(product)))
                self._add(product)

    def _add(self, product: Product) -> None:
        self._postings.add(index_terms(product.document))
        self._asins.add(product.asin)
        self._queries.add(product.query)
        self._categories.add(product.category)
        self._lowest.append(product.prices[0])
        self._highest.append(product.prices[1] if len(product.prices) > 1 else float("nan"))
        n_choices = NO_SYNTHETIC_GOALS
        if has_synthetic_goals(product):
            n_choices = count_choices(product)
            for attribute in product.instruction_attributes:
                self._wanted[attribute] += n_choices
        self._choices.append(n_choices)

    def finish(self) -> dict[str, int]:
        """Write all that could not be written row by row; returns the counts."""
        folder = self._folder
        document_of_row = self._asins.save(folder, "asins")
        save_array(folder, "document_rows", np.argsort(document_of_row).astype(np.int32))
        for name, labels in (("queries", self._queries), ("categories", self._categories)):
            save_array(folder, f"{name}_numbers", labels.save(folder, name))
        for name, column in (
            ("row_starts", self._row_starts),
            ("choices", self._choices),
            ("lowest", self._lowest),
            ("highest", self._highest),
        ):
            save_array(folder, name, np.array(column))
        (folder / WANTED).write_bytes(encode(json.dumps(self._wanted)))
        return {"products": self.n_products, **self._postings.finish(document_of_row)}


def _write_instructions(path: Path, folder: Path) -> int:
    rows = {
        asin: [(wanted.text, wanted.attributes, wanted.options) for wanted in entries]
        for asin, entries in load_instructions(path).items()
    }
    (folder / INSTRUCTIONS).write_bytes(encode(json.dumps(rows)))
    return sum(len(entries) for entries in rows.values())
