"""A catalogue on disk against the same catalogue in memory."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rememberer_nb.envs import make_env
from rememberer_nb.envs.webshop.builder import build_index
from rememberer_nb.envs.webshop.catalogue import Product
from rememberer_nb.envs.webshop.disk import ROWS, DiskCatalogue, Lazy, pack_row, unpack_row
from rememberer_nb.envs.webshop.env import locate_files
from rememberer_nb.envs.webshop.shop import Shop, ShopSource, load_shop
from rememberer_nb.errors import CatalogueError, ConfigError

WriteFiles = Callable[..., dict[str, Path]]
TEXT = st.text(st.characters(exclude_categories=()), max_size=6)
KINDS = pytest.mark.parametrize("kind", ["human", "synthetic"])


@pytest.fixture(scope="module")
def bundled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An index of the bundled shop."""
    out = tmp_path_factory.mktemp("bundled") / "index"
    build_index(**locate_files(), out=out)
    return out


@pytest.fixture
def tiny(write_files: WriteFiles, tmp_path: Path) -> Path:
    """An index of the tiny shop."""
    build_index(**write_files(), out=tmp_path / "index")
    return tmp_path / "index"


def both(index: Path, files: dict[str, Path], kind: str, seed: int = 7) -> tuple[Shop, Shop]:
    """The same shop in memory and on disk."""
    settings: dict[str, Any] = {"goals": kind, "seed": seed}
    return load_shop(ShopSource(**files, **settings)), load_shop(ShopSource(index, **settings))


@KINDS
@pytest.mark.parametrize("seed", [0, 7])
def test_webshop_disk_draws_what_memory_draws(bundled: Path, kind: str, seed: int) -> None:
    small, large = both(bundled, locate_files(), kind, seed)
    assert tuple(large.products) == small.products
    assert dict(large.prices) == small.prices
    assert tuple(large.goals) == small.goals
    assert tuple(large.tasks) == small.tasks
    last = len(small.goals) - 1
    assert (large.goals[last], large.tasks[-1]) == (small.goals[last], small.tasks[-1])


@KINDS
def test_webshop_disk_draws_for_ugly_products(
    write_files: WriteFiles, items: list[dict[str, Any]], tmp_path: Path, kind: str
) -> None:
    """A group without values makes no goal but draws a limit; ranges may be of no width."""
    wanted = {"attributes": [], "instruction": "lamps", "instruction_attributes": ["dimmable"]}
    items[1] |= {"customization_options": {"Size": []}, "pricing": "$995.00$999.00"}
    items[2] |= {"pricing": "$20$20", "query": " ", "category": "", "name": "\ud800 Ω"}
    mined = {f"B00000000{i}": wanted for i in (1, 2, 3)}
    files = write_files(items=items, attributes=mined)
    build_index(**files, out=tmp_path / "index")
    small, large = both(tmp_path / "index", files, kind)
    assert tuple(large.goals) == small.goals
    assert dict(large.prices) == small.prices
    assert len(small.goals) == {"human": 2, "synthetic": 13}[kind]
    for query in ("<q>", "<q> ", "<q> lamps", "<c>", "<c> garden", "<c> moon", "<c> garden x"):
        keywords = query.split(" ")
        assert tuple(large.find(keywords)) == small.find(keywords)


def test_webshop_disk_prices_are_a_mapping(tiny: Path) -> None:
    prices = load_shop(ShopSource(tiny)).prices
    assert prices["B000000001"] == 20.0
    assert 30.5 <= prices["B000000002"] <= 40.5
    assert list(prices) == ["B000000001", "B000000002", "B000000003"]
    assert (len(prices), "B000000004" in prices, prices.get("nan")) == (3, False, None)
    with pytest.raises(KeyError):
        prices["B000000004"]


PRODUCTS = st.builds(
    Product,
    asin=TEXT,
    title=TEXT,
    description=TEXT,
    bullets=st.lists(TEXT, max_size=2).map(tuple),
    options=st.lists(st.tuples(TEXT, st.lists(TEXT, max_size=2).map(tuple)), max_size=2).map(tuple),
    prices=st.lists(st.floats(0, allow_nan=False), min_size=1, max_size=2).map(tuple),
    attributes=st.lists(TEXT, max_size=2).map(tuple),
    instruction_attributes=st.lists(TEXT, max_size=2).map(tuple),
)


@given(PRODUCTS)
def test_webshop_rows_come_back_whole(product: Product) -> None:
    """Line feeds, lone surrogates and infinite prices included; each row is one line."""
    line = pack_row(product)
    assert unpack_row(line) == product
    assert line.count(b"\n") == 1


def test_webshop_lazy_sequences_behave_as_tuples() -> None:
    made: list[int] = []
    lazy = Lazy(np.array([3, 1, 2]), lambda n: made.append(n) or n * 10)
    assert (len(lazy), lazy[1], lazy[-1], made) == (3, 10, 20, [1, 2])
    assert (lazy[:2], tuple(lazy), list(reversed(lazy))) == ((30, 10), (30, 10, 20), [20, 10, 30])
    assert 20 in lazy
    assert pickle.loads(pickle.dumps(lazy)) == (30, 10, 20)
    with pytest.raises(IndexError):
        lazy[3]


def test_webshop_disk_environment_can_be_copied_on_a_page_of_results(tiny: Path) -> None:
    env = make_env("webshop", items=tiny)
    env.reset(options={"task": 0})
    page = env.step("search[lamp]")[0]
    for twin in (copy.deepcopy(env), pickle.loads(pickle.dumps(env))):
        assert twin.unwrapped.render() == page
        assert twin.step("click[b000000001]")[0] == copy.deepcopy(env).step("click[b000000001]")[0]


def test_webshop_disk_is_found_by_argument_and_by_variable(
    tiny: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert locate_files(items=tiny) == {"items": tiny}
    with pytest.raises(ConfigError, match=r"is an index, .*: it cannot be given attributes"):
        locate_files(items=tiny, attributes=tiny / "x.json")
    monkeypatch.setenv("REMEMBERER_WEBSHOP_DIR", str(tiny))
    assert locate_files() == {"items": tiny}
    assert make_env("webshop").tasks[0].text.endswith("dollars")


def test_webshop_disk_refuses_a_folder_that_is_no_index(tmp_path: Path) -> None:
    with pytest.raises(CatalogueError, match=r"is no shop index: it lacks index\.json"):
        make_env("webshop", items=tmp_path)


def test_webshop_disk_refuses_what_was_cut_off(tiny: Path) -> None:
    """Whichever file is shortened or taken away."""
    for path in sorted(tiny.iterdir()):
        whole = path.read_bytes()
        for damaged in (whole[: len(whole) // 2], None):
            path.unlink()
            if damaged is not None:
                path.write_bytes(damaged)
            with pytest.raises(CatalogueError, match=path.name.replace(".", r"\.")):
                DiskCatalogue(tiny)
        path.write_bytes(whole)
    assert len(DiskCatalogue(tiny).products) == 3


def test_webshop_disk_names_a_row_that_was_changed_afterwards(tiny: Path) -> None:
    catalogue = DiskCatalogue(tiny)
    (tiny / ROWS).write_bytes(b"x" * (tiny / ROWS).stat().st_size)
    with pytest.raises(CatalogueError, match=r"rows\.jsonl: row 1: cannot be read"):
        catalogue.products[1]
