"""Made catalogues: the same for the same seed, readable, and with the spread of a large shop's."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from rememberer_nb.envs.webshop.catalogue import Product, load_instructions, load_products
from rememberer_nb.envs.webshop.env import locate_files
from rememberer_nb.envs.webshop.generate import _asin, _invent, generate_catalogue
from rememberer_nb.envs.webshop.terms import index_terms


def make(folder: Path, n: int, **settings: object) -> dict[str, Path]:
    """A made catalogue in a new folder."""
    folder.mkdir()
    return generate_catalogue(folder, n, locate_files(), **settings)


def test_webshop_made_catalogue_depends_on_its_seed_alone(tmp_path: Path) -> None:
    one, same, other, packed = (
        make(tmp_path / name, 60, **settings)
        for name, settings in (
            ("one", {"seed": 1}),
            ("same", {"seed": 1}),
            ("other", {"seed": 2}),
            ("packed", {"seed": 1, "is_gzipped": True}),
        )
    )
    for name in one:
        assert one[name].read_bytes() == same[name].read_bytes()
        assert one[name].read_bytes() != other[name].read_bytes()
    loaded = [load_products(f["items"], f["attributes"]) for f in (one, packed)]
    assert loaded[0] == loaded[1]
    assert packed["items"].name == "items_shuffle.json.gz"


@pytest.fixture(scope="module")
def products(tmp_path_factory: pytest.TempPathFactory) -> tuple[Product, ...]:
    """3,000 made products."""
    files = make(tmp_path_factory.mktemp("made") / "shop", 3_000)
    products = load_products(files["items"], files["attributes"])
    wanted = load_instructions(files["instructions"])
    assert len(wanted) > 400
    assert wanted.keys() <= {product.asin for product in products}
    return products


def test_webshop_made_products_have_all_kinds_of_prices(products: tuple[Product, ...]) -> None:
    assert len(products) == 3_000
    kinds = Counter((len(p.prices), p.price_tag == "$100.0") for p in products)
    assert kinds[(1, False)] == pytest.approx(1800, abs=120)
    assert kinds[(2, False)] == pytest.approx(900, abs=120)
    assert kinds[(1, True)] == pytest.approx(300, abs=80)
    assert sum(bool(p.instruction) for p in products) > 1_000


def test_webshop_made_documents_have_a_long_tail(products: tuple[Product, ...]) -> None:
    """Some terms are in half of the documents, most in almost none; lengths differ widely."""
    terms = [index_terms(product.document) for product in products]
    held = np.array(list(Counter(t for found in terms for t in set(found)).values()))
    assert (held > 0.5 * len(products)).sum() >= 3
    assert np.mean(held <= 3) > 0.4
    lengths = [len(found) for found in terms]
    assert 60 < np.mean(lengths) < 200
    assert np.quantile(lengths, 0.95) > 3 * np.quantile(lengths, 0.05)


def test_webshop_made_names_differ() -> None:
    assert len({_asin(n) for n in range(20_000)}) == 20_000
    assert all(len(_asin(n)) == 10 for n in (0, 1, 1_180_000))
    assert len({_invent(n) for n in range(20_000)}) == 20_000
