"""The choice oracle: the best options, the best purchase, and what the shop itself pays for it."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rememberer_nb.analysis.metrics import ceiling_table
from rememberer_nb.envs import development_tasks, make_env
from rememberer_nb.envs.webshop.catalogue import Product
from rememberer_nb.envs.webshop.goals import Goal
from rememberer_nb.envs.webshop.oracle import (
    RANKS,
    best_options,
    best_purchase,
    best_rewards,
    find_hits,
    keyword_query,
    purchase,
    sentence_query,
    shown_simplified,
)
from rememberer_nb.envs.webshop.reward import count_options
from rememberer_nb.envs.webshop.shop import Shop
from rememberer_nb.errors import ConfigError


def goal_for(*options: str, attributes: tuple[str, ...] = ("dimmable",), limit: float = 30.0):
    return Goal("B1", "Lamp", "", "lamp", "", "a lamp", attributes, options, limit)


@pytest.fixture(scope="module")
def env():
    return make_env("webshop", observation_format="text_rich", max_steps=30)


@pytest.fixture(scope="module")
def shop(env) -> Shop:
    return env.unwrapped.engine.shop


def test_the_goals_own_words_come_first():
    lamp = Product("B1", "Lamp", options=(("color", ("light grey", "grey", "blue")),))
    assert best_options(lamp, goal_for("grey")) == {"color": "grey"}


def test_no_value_is_chosen_in_vain():
    groups = (("color", ("red", "blue")), ("size", ("small", "large")))
    assert best_options(Product("B1", "Lamp", options=groups), goal_for("large")) == {
        "size": "large"
    }
    assert best_options(Product("B1", "Lamp", options=groups), goal_for("purple")) == {}
    assert best_options(Product("B1", "Lamp"), goal_for("red")) == {}


def test_greed_would_miss_the_second_option():
    # "red" stands in both groups; taken from the first, whose other value is wanted, one is lost.
    lamp = Product("B1", "Lamp", options=(("color", ("red", "oak")), ("trim", ("red", "none"))))
    assert best_options(lamp, goal_for("red", "oak")) == {"color": "oak", "trim": "red"}


def test_a_label_of_two_groups_is_set_in_the_last():
    lamp = Product("B1", "Lamp", options=(("color", ("red",)), ("trim", ("red", "brass"))))
    # The shop cannot set "red" as the colour, so red and brass together cannot be had.
    assert len(best_options(lamp, goal_for("red", "brass"))) == 1


VALUES = st.sampled_from(["red", "deep red", "blue", "12 inch", "10 inch", "oak", "small"])
GROUPS = st.lists(st.lists(VALUES, min_size=1, max_size=3, unique=True), max_size=3)


@settings(max_examples=150, deadline=None)
@given(GROUPS, st.lists(VALUES, max_size=3, unique=True))
def test_no_choice_matches_more(groups, wanted):
    product = Product(
        "B1", "Lamp", options=tuple((f"g{i}", tuple(v)) for i, v in enumerate(groups))
    )
    chosen = best_options(product, goal_for(*wanted))
    later = [{v for g in groups[i + 1 :] for v in g} for i in range(len(groups))]
    allowed = [[None, *(v for v in g if v not in later[i])] for i, g in enumerate(groups)]
    counts = [count_options(filter(None, c), wanted) for c in itertools.product(*allowed)]
    assert count_options(chosen.values(), wanted) == max(counts)
    assert all(value in dict(product.options)[name] for name, value in chosen.items())


def small_shop() -> Shop:
    lamps = [
        Product("B1", "Red Lamp", query="lamp", options=(("color", ("red",)),)),
        Product("B2", "Desk Lamp", query="lamp", attributes=("dimmable",), prices=(90.0,)),
        Product("B3", "Dimmable Lamp", query="lamp", attributes=("dimmable",)),
    ]
    prices = {"B1": 20.0, "B2": 90.0, "B3": 25.0}
    return Shop.build(lamps, [goal_for("red")], prices)


def test_purchases_by_hand():
    shop = small_shop()
    rewards = [purchase(shop, shop.goals[0], product).reward for product in shop.products]
    # Of attribute, option and price: the first lacks the attribute, the second the option and the
    # price, the third the option.
    assert rewards == pytest.approx([2 / 3, 1 / 3, 2 / 3])
    assert purchase(shop, shop.goals[0], shop.products[0], with_options=False).reward == (
        pytest.approx(1 / 3)
    )
    best = best_purchase(shop, shop.goals[0], shop.products)
    assert best is not None and best.product.asin == "B1" and best.options == {"color": "red"}
    assert best_purchase(shop, shop.goals[0], []) is None


def test_the_best_grows_with_the_hits_and_nothing_found_earns_nothing():
    shop = small_shop()
    lost = Goal("B9", "Sofa", "", "sofa", "", "zither", ("soft",), (), 9.0)
    rewards = best_rewards(shop, [shop.goals[0], lost], (1, 2, 50))
    assert [found[1] for found in rewards.values()] == [0.0, 0.0, 0.0]
    first = [found[0] for found in rewards.values()]
    assert first == sorted(first) and first[-1] == pytest.approx(2 / 3)


@pytest.mark.parametrize("ranks", [(), (0, 1)])
def test_ranks_below_one_are_refused(ranks):
    with pytest.raises(ConfigError, match="ranks"):
        best_rewards(small_shop(), [], ranks)


def test_the_table_holds_means_and_intervals():
    table = ceiling_table({1: [0.5, 1.0, 1.0, 0.5], 3: [1.0] * 4}).set_index("n_hits")
    assert table["success_rate"].tolist() == [0.5, 1.0]
    assert table["mean_reward"].tolist() == [0.75, 1.0]
    assert table.loc[1, "reward_low"] < 0.75 < table.loc[1, "reward_high"]
    assert table.loc[3, "success_low"] == table.loc[3, "success_high"] == 1.0


def test_simplified_pages_show_three_of_ten():
    hits = [Product(f"B{i:02}", "Lamp") for i in range(23)]
    shown = [product.asin for product in shown_simplified(hits)]
    assert shown == ["B00", "B01", "B02", "B10", "B11", "B12", "B20", "B21", "B22"]


def test_the_shop_pays_what_the_oracle_says(env, shop):
    for number in development_tasks()[:12]:
        goal = shop.goals[number]
        hits = find_hits(shop, sentence_query(goal))
        best = best_purchase(shop, goal, hits)
        assert best is not None
        env.reset(options={"task": number})
        page = hits.index(best.product) // 10
        way = [f"search[{goal.text}]", *["click[next >]"] * page]
        way += [f"click[{best.product.asin.lower()}]"]
        way += [f"click[{value}]" for value in best.options.values()]
        for action in (*way, "click[buy now]"):
            _, reward, terminated, *_ = env.step(action)
        assert terminated and reward == best.reward


def test_the_ceiling_of_the_bundled_shop_rises_to_nearly_all(shop):
    goals = [shop.goals[number] for number in development_tasks()[:40]]
    sentence = best_rewards(shop, goals, RANKS)
    rates = ceiling_table(sentence)["success_rate"].tolist()
    assert rates == sorted(rates) and rates[0] < 0.8 < 0.9 < rates[-1]
    shown = best_rewards(shop, goals, (50,), shown=shown_simplified)[50]
    assert all(part <= whole for part, whole in zip(shown, sentence[50], strict=True))
    assert best_rewards(shop, goals[:5], (50,), query=keyword_query)[50] != sentence[1][:5]
