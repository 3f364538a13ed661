"""Exactness without any other folder: small recordings of our own, and definitions written twice.

`make_recorded` says where they come from. Recordings of the original engine and of the published
code, where they are at hand, are checked by the other files here.
"""

from __future__ import annotations

import json
import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rememberer_nb.config import RetrievalConfig, RlemConfig
from rememberer_nb.envs import make_env
from rememberer_nb.envs.webshop.nouns import light_nouns
from rememberer_nb.envs.webshop.reward import COLOURS, score_purchase
from rememberer_nb.memory import ExperienceMemory
from rememberer_nb.retrieval import JaccardSimilarity
from rememberer_nb.rlem import learn_episode
from rememberer_nb.system.resources import data_path
from tests.conformance.make_recorded import (
    FOLDER,
    SEED,
    TASKS,
    drawn_case,
    replay,
    rlem_cases,
    rows,
    sessions,
)
from tests.conformance.reference import Shop, learn
from tests.conformance.test_rlem import transitions

RLEM: list[dict[str, Any]] = json.loads((FOLDER / "rlem.json").read_text(encoding="utf-8"))
SHOP: list[dict[str, Any]] = json.loads((FOLDER / "shop.json").read_text(encoding="utf-8"))


def learnt(case: dict[str, Any]) -> dict[tuple[str, str, str], tuple[float, int]]:
    """What the package learns from a case."""
    given_ = case["config"]
    rate = None if given_["update"] == "mean" else given_["learning_rate"]
    config = RlemConfig(gamma=given_["gamma"], n_step=given_["n_step"], learning_rate=rate)
    memory = ExperienceMemory(
        RetrievalConfig(task_weight=0.0), observation_similarity=JaccardSimilarity(reads="both")
    )
    for number, episode in enumerate(case["episodes"]):
        steps = transitions(episode["steps"], truncated=episode.get("truncated", False))
        learn_episode(memory, episode["task"], steps, episode_id=str(number), config=config)
    return {
        (record.task, record.observation, value.action): (value.q_value, value.n_visits)
        for record in memory
        for value in record.action_values
    }


def check(case: dict[str, Any]) -> int:
    """Compare a case's table; returns how many values there were."""
    table, found = case["table"], learnt(case)
    assert found.keys() == {(r["task"], r["observation"], r["action"]) for r in table}
    for row in table:
        q_value, n_visits = found[row["task"], row["observation"], row["action"]]
        assert n_visits == row["visits"]
        assert q_value == pytest.approx(row["q"], abs=1e-6)
    return len(table)


def test_the_first_case_is_right_by_hand() -> None:
    """γ = 0.5, α = 1/N. First episode: when the middle page is seen, "a" is learnt from nothing
    but itself (Q 0: the start page is the only record), so Q = 0.5 · 0 = 0; at the end "b" gets 1.
    Second: "a" sees Q(middle) = 1, so its target is 0.5, and its mean (0 + 0.5) / 2 = 0.25.
    """
    assert [(row["action"], row["q"], row["visits"]) for row in RLEM[0]["table"]] == [
        ("a", 0.25, 2),
        ("b", 1.0, 2),
    ]


def test_the_recorded_tables_are_learnt() -> None:
    assert len(RLEM) == 13
    assert sum(map(check, RLEM)) > 100
    settings = [case["config"] for case in RLEM]
    assert {s["update"] for s in settings} == {"mean", "const"}
    assert {s["n_step"] for s in settings} >= {1, 2, 3, None}
    assert any(episode.get("truncated") for case in RLEM for episode in case["episodes"])


@given(st.integers(min_value=0, max_value=10**9))
def test_any_case_is_learnt_as_defined(seed: int) -> None:
    case = drawn_case(seed)
    assert check({**case, "table": rows(learn(case["config"], case["episodes"]))}) > 0


def test_the_recordings_are_what_their_maker_writes() -> None:
    assert rlem_cases() == RLEM
    assert sessions() == SHOP


def test_the_recorded_sessions_of_the_shop() -> None:
    engine = make_env("webshop", seed=SEED).unwrapped.engine
    assert len(SHOP) >= 10
    n_pages = 0
    for session in SHOP:
        seen = replay(engine, session["task"], session["actions"])
        assert [page for page, _ in seen] == session["pages"]
        assert [reward for _, reward in seen[:-1]] == [0.0] * len(session["actions"])
        assert seen[-1][1] == pytest.approx(session["reward"], abs=1e-12)
        n_pages += len(seen)
    assert n_pages > 40
    # Cheap and dear, right and wrong ones are among them.
    assert {session["reward"] for session in SHOP} >= {1.0}
    assert len({session["reward"] for session in SHOP}) > 4


def test_goals_prices_and_purchases_are_as_defined() -> None:
    """Every goal and price, and purchases at random: wrong products, wrong options."""
    shop = make_env("webshop", seed=SEED).unwrapped.engine.shop
    defined = Shop(data_path("webshop"), SEED, light_nouns, COLOURS)
    assert dict(shop.prices) == defined.prices
    assert [(g.asin, g.price_upper) for g in shop.goals] == [
        (told["asin"], told["limit"]) for told in defined.goals
    ]
    draw, n_positive = random.Random(0), 0
    goals = [number for number in range(len(shop.goals)) if number not in range(100)]
    for _ in range(400):
        number = draw.choice(goals)
        like = [p for p in shop.products if p.query == shop.goals[number].query]
        product = draw.choice(like if draw.random() < 0.5 else shop.products)
        options = {name: draw.choice(values) for name, values in product.options}
        price = shop.prices[product.asin]
        reward, _ = score_purchase(product, shop.goals[number], price, options, shop.nouns)
        assert reward == pytest.approx(defined.score(number, product.asin, options), abs=1e-12)
        n_positive += reward > 0
    assert 100 < n_positive < 400
    assert set(TASKS).isdisjoint(range(100))
