"""The state machine: every action on every page, and what nobody should type."""

from __future__ import annotations

import random
import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rememberer_nb.envs.webshop.catalogue import Product
from rememberer_nb.envs.webshop.engine import FORMATS, Engine, StepOutcome, parse_action
from rememberer_nb.envs.webshop.goals import Goal
from rememberer_nb.envs.webshop.shop import Shop

NOTHING = StepOutcome(0.0, False)


def walk(engine: Engine, *actions: str) -> StepOutcome:
    """Takes the actions; the outcome of the last."""
    outcome = NOTHING
    for action in actions:
        outcome = engine.step(action)
    return outcome


def look(engine: Engine) -> tuple[object, ...]:
    """Everything that can be seen."""
    views = tuple(engine.observe(name) for name in FORMATS)
    return (*views, engine.clickables, engine.url_path, engine.page_type, engine.has_search_bar)


action_texts = st.one_of(
    st.text(),
    st.text(alphabet="ab[]\n \x00"),
    st.builds("{}[{}]{}".format, st.text(max_size=3), st.text(max_size=5), st.text(max_size=3)),
)


@given(action_texts)
def test_webshop_actions_parse_like_the_greedy_pattern(action: str) -> None:
    match = re.match(r"(.+)\[(.+)\]", action)
    assert parse_action(action) == (match.groups() if match else None)


@pytest.mark.parametrize("character", ["[", "]", "[]", "a[", "[a]", "\x00", "search[", "\n"])
def test_webshop_huge_actions_change_nothing_quickly(engine: Engine, character: str) -> None:
    before, start = look(engine), time.perf_counter()
    assert engine.step(character * (100_000 // len(character))) == NOTHING
    assert look(engine) == before
    assert time.perf_counter() - start < 1


def test_webshop_huge_queries_are_searched(engine: Engine) -> None:
    assert engine.step(f"search[{'lamp ' * 20_000}]") == NOTHING
    assert engine.page_type == "results"
    assert "b000000001" in engine.clickables
    engine.step(f"search[{chr(0) * 100_000}]")
    assert engine.clickables == ("back to search", "next >")


@pytest.mark.parametrize(
    "action",
    ["", "search", "search[]", "SEARCH[lamp]", " search[lamp]", "search[[lamp]]", "click[Search]",
     "click[search]", "click[b000000001]", "click[next >]", "think[lamp]", "search\n[lamp]",
     "click[ search]", "click[<keywords>]"],
)  # fmt: skip
def test_webshop_what_is_not_available_changes_nothing(engine: Engine, action: str) -> None:
    before = look(engine)
    assert engine.step(action) == NOTHING
    assert look(engine) == before


def test_webshop_search_and_paths(engine: Engine) -> None:
    goal = engine.shop.goals.index(engine.goal)
    assert (engine.url_path, engine.has_search_bar) == (f"/{goal}", True)
    engine.step("search[Red  LAMP] trailing")
    assert engine.url_path == f"/search_results/{goal}/red++lamp/1"
    assert engine.clickables == ("back to search", "next >", "b000000001", "b000000002")
    engine.step("click[B000000001]")
    assert engine.url_path == f"/item_page/{goal}/B000000001/red++lamp/1/{{}}"
    walk(engine, "click[café]", "click[small]")
    options = '{"colour": "caf\\u00e9", "gift": "small"}'
    assert engine.url_path == f"/item_page/{goal}/B000000001/red++lamp/1/{options}"
    engine.step("click[features]")
    path = f"/item_sub_page/{goal}/B000000001/red++lamp/1/Features/"
    assert engine.url_path == path + "{'colour': 'café', 'gift': 'small'}"
    walk(engine, "click[< prev]", "click[buy now]")
    assert engine.url_path == f"/done/{goal}/B000000001/{{'colour': 'café', 'gift': 'small'}}"


def test_webshop_options_replace_in_place(engine: Engine) -> None:
    walk(engine, "search[red lamp]", "click[b000000001]")
    walk(engine, "click[red]", "click[small]", "click[café]", "click[café]")
    assert engine.url_path.endswith('{"colour": "caf\\u00e9", "gift": "small"}')


def test_webshop_clicked_options_are_those_that_the_path_quotes(engine: Engine) -> None:
    walk(engine, 'search["large lamp]', "click[b000000001]")
    assert "[[" not in engine.observe("simplified")
    walk(engine, "click[café]", 'click[12"]')
    assert "[[" not in engine.observe("simplified")
    engine.step("click[small]")
    assert engine.observe("simplified").count("[[small]]") == 2
    engine.step("search[lamp]")
    engine.step('search["red" lamp]')
    engine.step("click[b000000001]")
    assert "[[red]]" in engine.observe("simplified")


def test_webshop_leaving_an_item_clears_its_options(engine: Engine) -> None:
    walk(engine, "search[lamp]", "click[b000000001]", "click[red]", "click[< prev]")
    assert engine.page_type == "results"
    engine.step("click[b000000001]")
    assert engine.url_path.endswith("/{}")


@pytest.mark.parametrize("leave", ["search[lamp]", "click[< prev]"])
def test_webshop_visited_products_stay_marked(engine: Engine, leave: str) -> None:
    walk(engine, "search[lamp]", "click[b000000002]", leave)
    assert "[[B000000002]]" in engine.observe("simplified")
    assert "[[B000000001]]" not in engine.observe("simplified")
    walk(engine, "click[back to search]", "search[lamp]")
    assert "[[" not in engine.observe("simplified")


def test_webshop_sub_page_keeps_options_and_search_drops_them(engine: Engine) -> None:
    walk(engine, "search[lamp]", "click[b000000001]", "click[red]", "click[reviews]")
    assert engine.clickables == ("back to search", "< prev")
    engine.step("click[< prev]")
    assert engine.url_path.endswith('{"colour": "red"}')
    walk(engine, "click[description]", "search[lamp]", "click[b000000001]")
    assert engine.url_path.endswith("/{}")


def test_webshop_paging_never_ends(engine: Engine) -> None:
    walk(engine, "search[lamp]", *["click[next >]"] * 7)
    assert "Page 8 (Total results: 2)" in engine.observe("text")
    assert engine.clickables == ("back to search", "< prev", "next >")
    walk(engine, *["click[< prev]"] * 9)
    assert "Page 1 " in engine.observe("text")


def test_webshop_no_hits(engine: Engine) -> None:
    engine.step("search[ ]")
    assert "Page 1 (Total results: 0)" in engine.observe("text")
    assert engine.url_path.endswith("/+/1")


@pytest.mark.parametrize(
    ("action", "asins"),
    [
        ("search[<q> lamps]", ["b000000001", "b000000002"]),
        ("search[<q>  Lamps ]", ["b000000001", "b000000002"]),
        ("search[<q>]", []),
        ("search[<c> office ignored]", ["b000000003"]),
        ("search[<c>]", []),
        ("search[<c> moon]", []),
        ("search[x <q> lamps]", ["b000000001", "b000000002"]),
    ],
)
def test_webshop_listing_by_query_or_category(
    engine: Engine, action: str, asins: list[str]
) -> None:
    engine.step(action)
    assert [c for c in engine.clickables if c.startswith("b0")] == asins


def test_webshop_listing_has_no_cap_of_fifty() -> None:
    products = [Product(f"B{i:03}", "Lamp", query="lamps") for i in range(120)]
    goal = Goal("B000", "Lamp", "", "lamps", "", "a lamp", ("red",), (), 50.0)
    engine = Engine(Shop.build(products, [goal], dict.fromkeys((p.asin for p in products), 9.0)))
    engine.step("search[<q> lamps]")
    assert "(Total results: 120)" in engine.observe("text")
    engine.step("search[lamp]")
    assert "(Total results: 50)" in engine.observe("text")


def test_webshop_simplified_shows_three_and_pages_by_ten() -> None:
    products = [Product(f"B{i:03}", "Lamp") for i in range(15)]
    goal = Goal("B000", "Lamp", "", "", "", "a lamp", ("red",), (), 50.0)
    shop = Shop.build(products, [goal], dict.fromkeys((p.asin for p in products), 9.0))
    engine = Engine(shop, is_simplified=True)
    engine.step("search[lamp]")
    assert engine.clickables[2:] == ("b000", "b001", "b002")
    assert engine.observe("text").count("$100.0") == 10
    before = look(engine)
    engine.step("click[b003]")
    assert look(engine) == before
    engine.step("click[next >]")
    assert engine.clickables[3:] == ("b010", "b011", "b012")
    assert engine.observe("text").count("$100.0") == 5


def test_webshop_buying(engine: Engine) -> None:
    """All fits: dimmable, small, 20 dollars under a limit of at least 40, the same lamp."""
    outcome = walk(engine, "search[lamp]", "click[b000000001]", "click[small]", "click[Buy Now] !")
    assert outcome == StepOutcome(1.0, True)
    assert engine.reward_info is not None
    assert engine.reward_info["r_option"] == 1.0
    assert engine.clickables == ()
    assert engine.page_type == "done"
    assert not engine.has_search_bar


def test_webshop_after_the_end_only_searching_works(engine: Engine) -> None:
    walk(engine, "search[lamp]", "click[b000000001]", "click[small]", "click[buy now]")
    before = look(engine)
    for action in ("click[buy now]", "click[back to search]", "click[< prev]"):
        assert engine.step(action) == NOTHING
        assert look(engine) == before
    assert engine.step("search[lamp]") == NOTHING
    assert "[[B000000001]]" in engine.observe("simplified")
    outcome = walk(engine, "click[b000000002]", "click[buy now]")
    assert outcome.done
    assert outcome.reward == 2 / 3
    assert engine.url_path.endswith("/B000000002/{}")


def test_webshop_reset_forgets_everything(engine: Engine) -> None:
    goal = engine.shop.goals.index(engine.goal)
    before = look(engine)
    walk(engine, "search[lamp]", "click[b000000001]", "click[small]", "click[buy now]")
    engine.reset(goal)
    assert look(engine) == before
    assert engine.reward_info is None


def test_webshop_options_named_like_buttons() -> None:
    """A label that is also a button acts as the button; "search" never acts."""
    options = (("a", ("buy now", "search", "next >", "red")),)
    product = Product("B1", "Lamp", options=options)
    goal = Goal("B1", "Lamp", "", "", "", "a lamp", ("x",), (), 50.0)
    engine = Engine(Shop.build([product], [goal], {"B1": 9.0}))
    walk(engine, "search[lamp]", "click[b1]")
    before = look(engine)
    engine.step("click[search]")
    assert look(engine) == before
    engine.step("click[next >]")
    assert engine.url_path.endswith('{"a": "next >"}')
    assert engine.step("click[buy now]").done


def test_webshop_random_walks_keep_their_promises(shop: Shop) -> None:
    """Listed clicks act, except "search"; the engine never fails; rewards stay in [0, 1]."""
    rng = random.Random(0)
    for is_simplified in (False, True):
        engine = Engine(shop, is_simplified=is_simplified)
        for _ in range(1500):
            if not engine.clickables or rng.random() < 0.15:
                engine.step(f"search[{rng.choice(['lamp', 'chair', 'moon', '<q> lamps'])}]")
                continue
            label, before = rng.choice(engine.clickables), engine.url_path
            reward, done = engine.step(f"click[{label.upper()}]")
            assert 0 <= reward <= 1
            assert done or reward == 0
            is_repeat = f'"{label}"' in before or label in (
                "search",
                "café",
                '12"',
                "back to search",
            )
            assert is_repeat or engine.url_path != before
