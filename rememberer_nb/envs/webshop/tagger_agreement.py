"""How often the light noun tagger comes to the reward that was recorded with another tagger.

The one place where the shop can differ from the original: `title_score`, and through it `r_type`,
compares the nouns of two titles. The original finds them with spaCy's English model; no such model
was at hand for the recordings, which used TextBlob's lexicon tagger. So no figure here compares
with spaCy's model.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rememberer_nb.envs.webshop.nouns import NounTagger, light_nouns
from rememberer_nb.envs.webshop.reward import score_purchase
from rememberer_nb.envs.webshop.shop import ShopSource, load_shop
from rememberer_nb.errors import DataError
from rememberer_nb.system.files import read_json

_RECORDINGS = {"human": "rewards.json", "synthetic": "rewards_synthetic.json"}
_FILES = ("items_shuffle.json", "items_ins_v2.json", "items_human_ins.json")


@dataclass(frozen=True, slots=True)
class Agreement:
    """Shares of `n` recorded purchases of one kind of goal in which r_type and reward are equal."""

    goals: str
    n: int
    r_type: float
    reward: float


# Of the recordings that `pytest tests/conformance -k webshop` runs, to three decimals. The light
# tagger's word lists were chosen while looking at them: calibrated, not held out.
RECORDED = (Agreement("human", 1500, 0.962, 0.973), Agreement("synthetic", 600, 0.965, 0.975))


def tagger_agreement(
    folder: str | Path, nouns: NounTagger = light_nouns
) -> tuple[Agreement, Agreement]:
    """Score every recorded purchase anew with a tagger, for human and for synthetic goals.

    Parameters
    ----------
    folder : catalogue, `meta.json` with the seed, and recorded purchases in `rewards.json` and
        `rewards_synthetic.json`: per purchase asin, goal_index, options, price, reward and info.

    Raises
    ------
    DataError
        A file is missing, not JSON, or holds no purchases; names it.
    """
    human, synthetic = (_agreement(Path(folder), goals, nouns) for goals in _RECORDINGS)
    return human, synthetic


def _agreement(folder: Path, goals: str, nouns: NounTagger) -> Agreement:
    seed = read_json(folder / "meta.json")["seed"]
    paths = (folder / name for name in _FILES)
    shop = load_shop(ShopSource(*paths, goals=goals, seed=seed))
    products = {product.asin: product for product in shop.products}
    purchases: Sequence[Any] = read_json(folder / _RECORDINGS[goals])
    if not purchases:
        raise DataError("holds no purchases", path=folder / _RECORDINGS[goals])
    n_types = n_rewards = 0
    for case in purchases:
        goal = shop.goals[case["goal_index"]]
        product = products[case["asin"]]
        reward, info = score_purchase(product, goal, case["price"], case["options"], nouns)
        n_types += info["r_type"] == case["info"]["r_type"]
        n_rewards += reward == case["reward"]
    n = len(purchases)
    return Agreement(goals, n, round(n_types / n, 3), round(n_rewards / n, 3))
