"""Shares of recorded purchases that another tagger scores alike, on a recording made by hand."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from rememberer_nb.envs.webshop.nouns import light_nouns
from rememberer_nb.envs.webshop.reward import score_purchase
from rememberer_nb.envs.webshop.shop import ShopSource, load_shop
from rememberer_nb.envs.webshop.tagger_agreement import Agreement, tagger_agreement
from rememberer_nb.errors import DataError

ASIN = "B000000001"


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    """One product, a human and a synthetic goal for it, and purchases of it."""
    item = {
        "asin": ASIN, "name": "Red Desk Lamp", "full_description": "", "small_description": [],
        "pricing": "$20.00", "customization_options": {}, "category": "garden",
        "product_category": "Home › Lamps", "query": "lamp", "images": [],
    }  # fmt: skip
    attributes = {
        ASIN: {
            "attributes": ["dimmable"],
            "instruction": "a lamp",
            "instruction_attributes": ["dimmable"],
        }
    }
    human = {
        ASIN: [
            {
                "asin": ASIN,
                "instruction": "a red lamp",
                "instruction_attributes": ["dimmable"],
                "instruction_options": [],
            }
        ]
    }
    contents = {
        "items_shuffle.json": [item],
        "items_ins_v2.json": attributes,
        "items_human_ins.json": human,
        "meta.json": {"seed": 0},
    }
    for name, content in contents.items():
        (tmp_path / name).write_text(json.dumps(content))
    paths = [tmp_path / name for name in list(contents)[:3]]
    for goals, name in (("human", "rewards"), ("synthetic", "rewards_synthetic")):
        shop = load_shop(ShopSource(*paths, goals=goals))
        product, goal = shop.products[0], shop.goals[0]
        reward, info = score_purchase(product, goal, 20.0, {}, light_nouns)
        case = {"asin": ASIN, "goal_index": 0, "options": {}, "price": 20.0}
        same = {**case, "reward": reward, "info": info}
        other_reward = {**same, "reward": reward / 2}
        other_type = {**same, "info": {**info, "r_type": 0.5}}
        rows = [same, other_reward, other_type, {**other_type, "reward": 0.0}]
        (tmp_path / f"{name}.json").write_text(json.dumps(rows[: 4 if goals == "human" else 1]))
    return tmp_path


def test_shares_by_hand(recording: Path) -> None:
    human, synthetic = tagger_agreement(recording)
    assert human == Agreement("human", 4, 0.5, 0.5)
    assert synthetic == Agreement("synthetic", 1, 1.0, 1.0)


def test_a_tagger_without_nouns_comes_to_other_types(recording: Path) -> None:
    # Without nouns the title score is 0.2, still the same query: r_type stays 1.
    human, _ = tagger_agreement(recording, lambda title: ())
    assert human.r_type == 0.5
    # A noun of its own for each title: nothing is shared.
    counter = iter(range(10**6))
    human, _ = tagger_agreement(recording, lambda title: (str(next(counter)),))
    assert human == Agreement("human", 4, 0.0, 0.25)


def test_a_recording_without_purchases_agrees_with_nothing(recording: Path) -> None:
    (recording / "rewards.json").write_text("[]")
    with pytest.raises(DataError, match=r"rewards\.json: holds no purchases"):
        tagger_agreement(recording)
