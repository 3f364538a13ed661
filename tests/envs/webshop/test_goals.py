"""Goals, their order and what is drawn for them."""

from __future__ import annotations

import dataclasses
import random

import pytest

from rememberer_nb.envs.webshop.catalogue import Instruction, Product
from rememberer_nb.envs.webshop.goals import draw_limit, draw_prices, make_goals
from rememberer_nb.errors import CatalogueError

LAMP = Product(
    "B1",
    "Lamp",
    options=(("size", ("s", "m")), ("colour", ("red",))),
    prices=(10.0, 20.0),
    instruction="Find me lamps",
    instruction_attributes=("bright", "small"),
)
CHAIR = Product(
    "B2", "Chair", prices=(995.0,), instruction="Find me chairs", instruction_attributes=("bright",)
)


@pytest.mark.parametrize(
    ("price", "limits"),
    [(12.0, {30.0, 40.0, 50.0}), (10.0, {30.0, 40.0, 50.0}), (975.0, {990.0})],
)
def test_webshop_limit_is_the_larger_of_two(price: float, limits: set[float]) -> None:
    """Above 10 and 12 come 20, 30, 40, 50; above 975 only 980 and 990."""
    drawn = {draw_limit(price, random.Random(seed))[0] for seed in range(60)}
    assert drawn == limits


@pytest.mark.parametrize("price", [980.0, 990.0, 5000.0])
def test_webshop_dear_products_have_no_limit(price: float) -> None:
    rng = random.Random(0)
    before = rng.getstate()
    assert draw_limit(price, rng) == (1_000_000.0, "")
    assert rng.getstate() == before


def test_webshop_only_ranges_are_drawn() -> None:
    prices = draw_prices([CHAIR, LAMP], random.Random(3))
    assert prices == {"B2": 995.0, "B1": random.Random(3).uniform(10.0, 20.0)}


def test_webshop_human_goals_follow_the_sequence_of_draws() -> None:
    instructions = {"B1": [Instruction("..a lamp..", ("bright",), ("s",))]}
    goals, prices = make_goals([CHAIR, LAMP], instructions, seed=3)
    rng = random.Random(3)
    assert prices["B1"] == rng.uniform(10.0, 20.0)
    limit = sorted(rng.sample([20.0, 30.0, 40.0, 50.0], 2))[1]
    assert [goal.text for goal in goals] == [f"a lamp, and price lower than {limit:.2f} dollars"]
    assert (goals[0].options, goals[0].weight, goals[0].price_upper) == (("s",), 1.0, limit)


def test_webshop_instructions_without_attributes_are_skipped_and_draw_nothing() -> None:
    unusable, usable = Instruction("x", (), ()), Instruction("y", ("bright",), ())
    with_it, _ = make_goals([LAMP], {"B1": [unusable, usable]}, seed=1)
    without, _ = make_goals([LAMP], {"B1": [usable]}, seed=1)
    assert with_it == without


def test_webshop_synthetic_goals_cross_the_options_in_order_of_name() -> None:
    goals, _ = make_goals([LAMP, CHAIR], None, seed=0)
    by_text = sorted(goal.text.split(", and price")[0] for goal in goals)
    assert by_text == [
        "Find me chairs",
        "Find me lamps with colour: red, and size: m",
        "Find me lamps with colour: red, and size: s",
    ]
    lamp = next(goal for goal in goals if goal.asin == "B1")
    chair = next(goal for goal in goals if goal.asin == "B2")
    assert lamp.options[0] == ("colour", "red")
    # "bright" is wanted by three goals, "small" by two.
    assert lamp.weight == (1 / 3 + 1 / 2) / 2
    assert (chair.weight, chair.price_upper) == (1 / 3, 1_000_000.0)
    assert chair.text == "Find me chairs"


def test_webshop_one_limit_per_product_for_synthetic_goals() -> None:
    goals, _ = make_goals([LAMP], None, seed=5)
    assert len({goal.price_upper for goal in goals}) == 1


def test_webshop_seed_changes_prices_but_not_the_order() -> None:
    products = [Product(f"B{i}", "Lamp", prices=(10.0, 90.0)) for i in range(20)]
    wanted = {p.asin: [Instruction(p.asin, ("bright",), ())] for p in products}
    one, other = (make_goals(products, wanted, seed) for seed in (1, 2))
    assert [g.asin for g in one[0]] == [g.asin for g in other[0]]
    assert [g.asin for g in one[0]] != [p.asin for p in products]
    assert one[1] != other[1]
    assert make_goals(products, wanted, 1) == one


def test_webshop_nothing_wanted_makes_no_goals() -> None:
    assert make_goals([LAMP], {}, seed=0)[0] == ()
    assert make_goals([Product("B9", "Bare")], None, seed=0)[0] == ()


def test_webshop_options_without_number_are_refused() -> None:
    """Twenty groups of ten options: 10**20 goals, made one by one for ever."""
    groups = tuple((f"g{i}", tuple("0123456789")) for i in range(20))
    tower = dataclasses.replace(LAMP, options=groups)
    with pytest.raises(CatalogueError, match="product B1: its options can be chosen in more than"):
        make_goals([tower], None, seed=0)
    assert make_goals([tower], {}, seed=0)[0] == ()
