"""A tiny shop, written to files in the original formats."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from rememberer_nb.envs.webshop.engine import Engine
from rememberer_nb.envs.webshop.shop import Shop, ShopSource, load_shop

FILES = {
    "items": "items_shuffle.json",
    "attributes": "items_ins_v2.json",
    "instructions": "items_human_ins.json",
}


def _values(*values: str) -> list[dict[str, str]]:
    return [{"value": value} for value in values]


def _item(asin: str, name: str, **fields: Any) -> dict[str, Any]:
    item: dict[str, Any] = {
        "asin": asin,
        "name": name,
        "pricing": "$20.00",
        "full_description": f"About the {name}.",
        "small_description": [f"A {name}.", "Made with care."],
        "category": "garden",
        "query": "Lamps ",
        "product_category": "Home › Lighting › Lamps",
        "customization_options": {},
    }
    return item | fields


ITEMS = [
    _item(
        "B000000001",
        "Red Lamp",
        customization_options={
            "Size": _values(" Small", "Large/Tall", "12\""),
            "Colour": _values("Red", "Café"),
            "Style": None,
            "Gift": _values("small", "none"),
        },
    ),
    _item("B000000002", "Blue Lamp", pricing="$30.50 - $40.50", small_description="One bullet."),
    _item("B000000003", "Desk Chair", pricing=None, query="chairs", category="office",
          product_category="Home › Furniture › Chairs"),
    _item("nan", "Nameless"),
    _item("B00000000004", "Too Long"),
    _item("B000000001", "Duplicate"),
]  # fmt: skip
ATTRIBUTES = {
    "B000000001": {
        "attributes": ["dimmable", "easy clean"],
        "instruction": "Find me dimmable lamps",
        "instruction_attributes": ["dimmable"],
    },
    "B000000002": {"attributes": ["dimmable"]},
    "B000000003": {"attributes": []},
}
INSTRUCTIONS = {
    "B000000001": [
        {
            "instruction": "i want a dimmable small lamp.",
            "instruction_attributes": ["dimmable"],
            "instruction_options": ["small"],
        },
        {"instruction": "unusable", "instruction_attributes": [], "instruction_options": []},
    ],
    "B000000002": [
        {
            "instruction": "a lamp, easy to clean...",
            "instruction_attributes": ["easy clean"],
            "instruction_options": [],
        }
    ],
}

WriteFiles = Callable[..., dict[str, Path]]


@pytest.fixture
def write_files(tmp_path: Path) -> WriteFiles:
    """Writes the three files, with given contents in place of the tiny shop's."""

    def write(**changed: Any) -> dict[str, Path]:
        tiny = {"items": ITEMS, "attributes": ATTRIBUTES, "instructions": INSTRUCTIONS}
        for name, content in (tiny | changed).items():
            (tmp_path / FILES[name]).write_text(json.dumps(content), encoding="utf-8")
        return {name: tmp_path / file for name, file in FILES.items()}

    return write


@pytest.fixture
def items() -> list[dict[str, Any]]:
    """The tiny shop's products, to be changed at will."""
    return copy.deepcopy(ITEMS)


@pytest.fixture
def shop(write_files: WriteFiles) -> Shop:
    """The tiny shop with its two human goals: 0 the red lamp or the blue one, 1 the other."""
    return load_shop(ShopSource(**write_files()))


@pytest.fixture
def engine(shop: Shop) -> Engine:
    """A customer of the tiny shop who wants the small dimmable lamp."""
    engine = Engine(shop)
    engine.reset(next(i for i, goal in enumerate(shop.goals) if goal.options))
    return engine
