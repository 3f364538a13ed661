"""Reading the shop's files, good and bad."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from rememberer_nb.envs.webshop.catalogue import load_instructions, load_products, parse_price
from rememberer_nb.errors import CatalogueError


def load(files: dict[str, Path]) -> tuple[Any, ...]:
    return load_products(files["items"], files["attributes"])


def test_webshop_products_are_cleaned(write_files: Callable[..., dict[str, Path]]) -> None:
    products = load(write_files())
    assert [p.asin for p in products] == ["B000000001", "B000000002", "B000000003"]
    lamp, blue, chair = products
    assert lamp.title == "Red Lamp"
    assert lamp.query == "lamps"
    assert lamp.options == (
        ("size", ("small", "large | tall", '12"')),
        ("colour", ("red", "café")),
        ("gift", ("small", "none")),
    )
    assert lamp.bullets == ("A Red Lamp.", "Made with care.")
    assert blue.bullets == ("One bullet.",)
    assert (lamp.price_tag, blue.price_tag, chair.price_tag) == (
        "$20.0",
        "$30.5 to $40.5",
        "$100.0",
    )
    assert (blue.prices, chair.prices) == ((30.5, 40.5), (100.0,))
    assert lamp.instruction_attributes == ("dimmable",)
    assert blue.instruction == ""


def test_webshop_document_is_what_the_engine_indexes(
    write_files: Callable[..., dict[str, Path]],
) -> None:
    lamp = load(write_files())[0]
    assert lamp.document == (
        'red lamp about the red lamp. a red lamp. size: small, large | tall, 12", '
        "and colour: red, café, and gift: small, none"
    )


def test_webshop_gzipped_files_read_the_same(
    write_files: Callable[..., dict[str, Path]], tmp_path: Path
) -> None:
    files = write_files()
    packed = tmp_path / "packed.json.gz"
    packed.write_bytes(gzip.compress(files["items"].read_bytes()))
    assert load_products(packed, files["attributes"]) == load(files)


@pytest.mark.parametrize(
    ("text", "prices"),
    [
        ("$5", (5.0,)),
        ("$1,027.62", (1027.62,)),
        ("$23.30$27.13", (23.3, 27.13)),
        ("$1.00$2.00$3.00", (1.0, 2.0)),
        ("$18.12 - $38.12", (18.12, 38.12)),
        ("", (100.0,)),
    ],
)
def test_webshop_prices(text: str, prices: tuple[float, ...]) -> None:
    assert parse_price(text) == prices


@pytest.mark.parametrize(
    "text", ["$-5", "-$5", "$5$-6", "$ - 7", "12.50", "$", "$1.2.3", "free", "$" + "9" * 400]
)
def test_webshop_bad_prices_name_file_and_product(
    write_files: Callable[..., dict[str, Path]], items: list[dict[str, Any]], text: str
) -> None:
    items[1]["pricing"] = text
    with pytest.raises(CatalogueError, match=r"items_shuffle.json: product B000000002: .*price"):
        load(write_files(items=items))


@pytest.mark.parametrize(
    "field",
    ["name", "full_description", "small_description", "category", "query", "product_category",
     "customization_options"],
)  # fmt: skip
def test_webshop_missing_field_is_named(
    write_files: Callable[..., dict[str, Path]], items: list[dict[str, Any]], field: str
) -> None:
    del items[0][field]
    expected = rf"items_shuffle.json: product B000000001: lacks the field '{field}'"
    with pytest.raises(CatalogueError, match=expected) as caught:
        load(write_files(items=items))
    assert caught.value.path.name == "items_shuffle.json"
    assert caught.value.field == "product B000000001"


def test_webshop_missing_asin_is_named_by_position(
    write_files: Callable[..., dict[str, Path]], items: list[dict[str, Any]]
) -> None:
    del items[2]["asin"]
    with pytest.raises(CatalogueError, match="product 2: lacks the field 'asin'"):
        load(write_files(items=items))


@pytest.mark.parametrize(
    ("field", "value", "complaint"),
    [
        ("name", 7, "'name' should be str, got 7"),
        ("pricing", -3.5, "'pricing' should be str or null, got -3.5"),
        ("small_description", [1], "'small_description' should be str, got 1"),
        ("customization_options", [], "should be dict or null"),
        ("customization_options", {"Size": "big"}, "'customization_options.Size' should be list"),
        ("customization_options", {"Size": ["big"]}, "should be dict, got 'big'"),
        ("customization_options", {"Size": [{}]}, "Size.value' should be str, got None"),
        ("asin", 12, "'asin' should be str, got 12"),
    ],
)
def test_webshop_wrong_type_is_named(
    write_files: Callable[..., dict[str, Path]],
    items: list[dict[str, Any]],
    field: str,
    value: Any,
    complaint: str,
) -> None:
    items[0][field] = value
    with pytest.raises(CatalogueError, match=complaint):
        load(write_files(items=items))


@pytest.mark.parametrize("content", [{}, "text", 3, None])
def test_webshop_items_must_be_a_list(
    write_files: Callable[..., dict[str, Path]], content: Any
) -> None:
    with pytest.raises(CatalogueError, match="should be a list of products"):
        load(write_files(items=content))


def test_webshop_rows_must_be_objects(write_files: Callable[..., dict[str, Path]]) -> None:
    with pytest.raises(CatalogueError, match="product 0: should be an object"):
        load(write_files(items=["B1"]))


@pytest.mark.parametrize("content", [[], [{"asin": "nan"}]])
def test_webshop_empty_catalogue_is_refused(
    write_files: Callable[..., dict[str, Path]], content: Any
) -> None:
    with pytest.raises(CatalogueError, match="holds no product"):
        load(write_files(items=content))


def test_webshop_missing_file(write_files: Callable[..., dict[str, Path]], tmp_path: Path) -> None:
    files = write_files()
    with pytest.raises(CatalogueError, match=r"moon\.json: cannot be read"):
        load_products(tmp_path / "moon.json", files["attributes"])
    with pytest.raises(CatalogueError, match="cannot be read"):
        load_products(tmp_path, files["attributes"])


@pytest.mark.parametrize(
    "data",
    [b"", b"[", b"[{]", b"\xff\xfe\x00", b"not json", b"[" * 100_000],
)
def test_webshop_file_that_is_not_json(
    write_files: Callable[..., dict[str, Path]], data: bytes
) -> None:
    files = write_files()
    files["items"].write_bytes(data)
    with pytest.raises(CatalogueError, match=r"items_shuffle.json: is not JSON"):
        load(files)


@pytest.mark.parametrize("kept", [2, 5, 11, 40, -9, -1])
def test_webshop_truncated_gzip(write_files: Callable[..., dict[str, Path]], kept: int) -> None:
    files = write_files()
    files["items"].write_bytes(gzip.compress(files["items"].read_bytes())[:kept])
    with pytest.raises(CatalogueError, match=r"items_shuffle.json: cannot be read"):
        load(files)


def test_webshop_damaged_gzip(write_files: Callable[..., dict[str, Path]]) -> None:
    files = write_files()
    data = bytearray(gzip.compress(files["items"].read_bytes()))
    data[30] ^= 0xFF
    files["items"].write_bytes(data)
    with pytest.raises(CatalogueError):
        load(files)


def test_webshop_attributes_file_errors(write_files: Callable[..., dict[str, Path]]) -> None:
    with pytest.raises(CatalogueError, match=r"items_ins_v2.json: should be an object by asin"):
        load(write_files(attributes=[]))
    with pytest.raises(CatalogueError, match=r"items_ins_v2.json: B000000001: should be dict"):
        load(write_files(attributes={"B000000001": []}))
    without = {"B000000001": {"attributes": [], "instruction": "Find me lamps"}}
    with pytest.raises(CatalogueError, match="product B000000001: lacks the field 'instruction_"):
        load(write_files(attributes=without))


def test_webshop_product_without_attributes_is_kept(
    write_files: Callable[..., dict[str, Path]],
) -> None:
    assert [p.attributes for p in load(write_files(attributes={}))] == [(), (), ()]


def test_webshop_instructions(write_files: Callable[..., dict[str, Path]]) -> None:
    read = load_instructions(write_files()["instructions"])
    assert read["B000000001"][0].options == ("small",)
    assert len(read["B000000001"]) == 2


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        ([], "should be an object by asin"),
        ({"B1": {}}, "B1: should be list"),
        ({"B1": ["text"]}, "product B1: should be objects"),
        ({"B1": [{"instruction": "x", "instruction_attributes": []}]}, "'instruction_options'"),
        (
            {"B1": [{"instruction": 1, "instruction_attributes": [], "instruction_options": []}]},
            "'instruction' should be str, got 1",
        ),
    ],
)
def test_webshop_bad_instructions(
    write_files: Callable[..., dict[str, Path]], content: Any, complaint: str
) -> None:
    with pytest.raises(CatalogueError, match=complaint):
        load_instructions(write_files(instructions=content)["instructions"])


def test_webshop_option_groups_that_differ_in_case_alone_merge(
    write_files: Callable[..., dict[str, Path]], items: list[dict[str, Any]]
) -> None:
    items[0]["customization_options"] = json.loads(
        '{"Size": [{"value": "S"}], "Colour": [{"value": "Red"}], "size": [{"value": "M"}]}'
    )
    options = load(write_files(items=items))[0].options
    assert options == (("size", ("m",)), ("colour", ("red",)))
