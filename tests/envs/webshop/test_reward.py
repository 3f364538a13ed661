"""The reward's parts by hand."""

from __future__ import annotations

from dataclasses import replace

import pytest

from rememberer_nb.envs.webshop.catalogue import Product
from rememberer_nb.envs.webshop.goals import Goal
from rememberer_nb.envs.webshop.nouns import ListedNouns
from rememberer_nb.envs.webshop.reward import (
    are_similar,
    count_attributes,
    count_options,
    match_type,
    reduce_colour,
    score_purchase,
)

NOUNS = ListedNouns(
    {
        "Lamp": ["lamp"],
        "Chair": ["chair"],
        "None": [],
        "Twice": ["lamp", "lamp", "shade", "lamp"],
        "Long": ["lamp", *"abcdefghijk"],
        "Tenth": ["lamp", *"abcdefghi"],
        "Fifth": ["lamp", *"abcd"],
        "Third": ["lamp", *"ab"],
    }
)
LAMP = Product("B1", "Lamp", attributes=("dimmable",), query="lamps", product_category="A › B › C")
GOAL = Goal("B1", "Lamp", "", "lamps", "A › B › D", "", ("dimmable",), ("small",), 30.0)


@pytest.mark.parametrize(
    ("left", "right", "expected"),
    [
        ("long sleeve", "sleeve long long", True),
        ("easy clean", "easy cleans", True),
        ("6 count (pack of 3)", "12 count (pack of 1)", True),
        ("Café", "caf", True),
        ("small", "large", False),
        ("", "", False),
        ("!!", "??", False),
        ("x" * 17 + "abc", "x" * 17 + "def", False),
    ],
)
def test_webshop_similar(left: str, right: str, expected: bool) -> None:
    """The last pair shares 17 of 20 letters: 85, which is not above 85."""
    assert are_similar(left, right) is expected
    assert are_similar(right, left) is expected


@pytest.mark.parametrize(
    ("value", "reduced"),
    [("light grey", "grey"), ("dark red", "dark"), ("tired", "red"), ("12", "12"), ("", "")],
)
def test_webshop_colours(value: str, reduced: str) -> None:
    assert reduce_colour(value) == reduced


@pytest.mark.parametrize(
    ("bought", "wanted", "n"),
    [
        ([], ["small"], 0),
        (["small"], [], 0),
        (["light grey"], ["grey"], 1),
        (["navy blue", "small"], ["sky blue", "small"], 2),
        (["small"], ["small", "small"], 2),
        (["olive green"], [("color", "olive green")], 1),
        (["wine red"], [("color", "cherry red")], 1),
        (["dark red"], [("color", "cherry red")], 0),
        (["green"], [("color", "green")], 1),
        (["small"], [("size", "small")], 1),
    ],
)
def test_webshop_options(bought: list[str], wanted: list, n: int) -> None:
    """A dark red is bought as "dark"; wanted in a pair, a colour stays whole unless plain."""
    assert count_options(bought, wanted) == n


@pytest.mark.parametrize(
    ("product", "n"),
    [
        (Product("B1", "Lamp", attributes=("easy clean",)), 1),
        (Product("B1", "EASY CLEANS Lamp"), 1),
        (Product("B1", "Lamp", bullets=("Very easy", "cleans well")), 1),
        (Product("B1", "Lamp", description="Easy cleans."), 1),
        (Product("B1", "Lamp", description="Easy to clean."), 0),
    ],
)
def test_webshop_attributes_are_found_in_list_title_bullets_or_description(
    product: Product, n: int
) -> None:
    assert count_attributes(product, ["easy cleans"]) == n


@pytest.mark.parametrize(
    ("title", "name", "query", "category", "r_type", "title_score"),
    [
        ("Lamp", "Lamp", "other", "X", 1.0, 1.0),
        ("Chair", "Lamp", "lamps", "A › B › C", 0.0, 0.0),
        ("Lamp", "Long", "lamps", "A › B › C", 0.1, 1 / 12),
        ("Lamp", "Tenth", "other", "X", 0.5, 0.1),
        ("Lamp", "Tenth", "lamps", "X", 1.0, 0.1),
        ("Lamp", "Tenth", "other", " B ›A", 1.0, 0.1),
        ("Lamp", "Tenth", "other", "A › X", 0.5, 0.1),
        ("Lamp", "Fifth", "other", "X", 0.5, 0.2),
        ("Lamp", "Third", "other", "X", 1.0, 1 / 3),
        ("Lamp", "None", "other", "X", 0.5, 0.2),
        ("Lamp", "Twice", "other", "X", 1.0, 0.25),
    ],
)
def test_webshop_type(
    title: str, name: str, query: str, category: str, r_type: float, title_score: float
) -> None:
    product = replace(LAMP, title=title, query=query, product_category=category)
    kind = match_type(product, replace(GOAL, name=name), NOUNS)
    assert (kind.score, kind.title_score) == (r_type, title_score)


def test_webshop_everything_fits() -> None:
    reward, info = score_purchase(LAMP, GOAL, 30.0, {"size": "small"}, NOUNS)
    assert reward == 1.0
    assert info == {
        "r_type": 1.0,
        "r_att": 1.0,
        "w_att": 1 / 3,
        "query_match": True,
        "category_match": True,
        "title_score": 1.0,
        "r_option": 1.0,
        "w_option": 1 / 3,
        "r_price": True,
        "w_price": 1 / 3,
    }


def test_webshop_too_dear_and_without_options() -> None:
    reward, info = score_purchase(LAMP, GOAL, 30.01, {}, NOUNS)
    assert reward == 1 / 3
    assert (info["r_price"], info["r_option"]) == (False, 0.0)
    reward, info = score_purchase(LAMP, replace(GOAL, options=()), 5.0, {"size": "small"}, NOUNS)
    assert reward == 1.0
    assert "r_option" not in info and "w_option" not in info


def test_webshop_the_quotient_comes_first() -> None:
    """(1 + 0 + 0) / 5 · 0.1 in this order is 0.020000000000000004."""
    goal = replace(GOAL, name="Long", attributes=("dimmable", "x", "y"))
    reward, _ = score_purchase(LAMP, goal, 99.0, {}, NOUNS)
    assert repr(reward) == "0.020000000000000004"
