"""The scripted shoppers: what they click, and how far apart they are."""

from __future__ import annotations

import dataclasses

import pytest

from rememberer_nb import episode_metrics, evaluate, make_env, run_episode
from rememberer_nb.envs.webshop.catalogue import Product
from rememberer_nb.envs.webshop.goals import Goal
from rememberer_nb.envs.webshop.shoppers import (
    FirstHitShopper,
    InformedShopper,
    fitting_options,
    option_labels,
)

GOAL = Goal("B1", "Lamp", "", "lamp", "", "a lamp", ("dimmable",), ("grey", "12 inch"), 30.0)
COLOURS = ("color", ("light grey", "grey", "blue"))
SIZES = ("size", ("five feet", "12 inches"))
LAMP = Product("B1", "Lamp", options=(COLOURS, SIZES, ("extra", ("none",))))


@pytest.fixture(scope="module")
def env():
    return make_env("webshop")


def test_the_first_hit_shopper_takes_three_steps(env):
    episode = run_episode(env, FirstHitShopper(), 124)
    first = episode.steps[1].available_actions
    assert episode.steps[0].action == f"search[{episode.task.text}]"
    assert episode.steps[1].action == next(a for a in first if a.startswith("click[b0"))
    assert episode.steps[2].action == "click[buy now]"
    assert episode.terminated


def test_it_clicks_each_chosen_option_once_and_then_buys(env):
    shopper = FirstHitShopper(lambda task, labels: labels[:2], name="two")
    episode = run_episode(env, shopper, 122)
    labels = option_labels(episode.steps[2].available_actions)
    wanted = [f"click[{label}]" for label in labels[:2]]
    assert [step.action for step in episode.steps[2:]] == [*wanted, "click[buy now]"]
    assert episode.agent == "two"


def test_the_informed_shopper_earns_the_full_mark(env):
    shopper = InformedShopper(env.unwrapped.engine.shop)
    episodes = evaluate(env, shopper, range(100, 130))
    assert episode_metrics(episodes)["success_rate"] == 1.0


def test_knowing_beats_guessing(env):
    tasks = range(100, 130)
    blind = episode_metrics(evaluate(env, FirstHitShopper(), tasks))
    assert blind["mean_reward"] < 1.0
    assert blind["mean_steps"] == 3.0


def test_exact_words_come_before_alike_ones_and_one_value_per_group():
    assert fitting_options(LAMP, GOAL) == ("grey", "12 inches")


def test_a_product_without_fitting_values_gets_none():
    goal = dataclasses.replace(GOAL, options=("purple",))
    assert fitting_options(LAMP, goal) == ()


def test_buttons_are_no_options():
    buttons = ["back to search", "< prev", "description", "features", "reviews", "buy now"]
    assert option_labels([f"click[{b}]" for b in buttons]) == ()
