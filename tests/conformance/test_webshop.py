"""The shop against recordings of the original engine: every byte, every number, every order.

Everything is checked twice: on the catalogue held in memory, and on an index of it on disk.
"""

from __future__ import annotations

import gzip
import json
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from rememberer_nb.envs import make_env
from rememberer_nb.envs.webshop.builder import build_index
from rememberer_nb.envs.webshop.engine import Engine, StepOutcome
from rememberer_nb.envs.webshop.goals import Goal
from rememberer_nb.envs.webshop.nouns import ListedNouns, light_nouns
from rememberer_nb.envs.webshop.reward import (
    COLOURS,
    count_attributes,
    count_options,
    reduce_colour,
    score_purchase,
)
from rememberer_nb.envs.webshop.shop import Shop, ShopSource, load_shop

TRACES = (
    "trace_original_human",
    "trace_original_synthetic",
    "trace_simplified_human",
    "trace_corners_original",
    "trace_corners_simplified",
)
REWARDS = {"human": "rewards", "synthetic": "rewards_synthetic"}
KINDS = tuple(REWARDS)
# The share of recorded purchases on which the light tagger gives the same r_type as the recording's
# own tagger (TextBlob's lexicon, no spaCy model being at hand).
LIGHT_AGREEMENT = 0.9

Report = Callable[[str], None]


@pytest.fixture(scope="module")
def folder(conformance_dir: Path) -> Path:
    """The recordings of the original engine."""
    path = conformance_dir / "webshop_conformance"
    if not path.is_dir():
        pytest.skip(f"no recorded shop in {conformance_dir}")
    return path


@pytest.fixture(scope="module", params=["memory", "disk"])
def files(
    folder: Path, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Path]:
    """The catalogue that the recordings were made with: its files, or an index made of them."""
    stems = {
        "items": "items_shuffle",
        "attributes": "items_ins_v2",
        "instructions": "items_human_ins",
    }
    originals = {name: folder / f"{stem}.json" for name, stem in stems.items()}
    if request.param == "memory":
        return originals
    index = tmp_path_factory.mktemp("shop") / "index"
    # Few postings at a time, so that the index is merged from many runs.
    build_index(**originals, out=index, run_postings=5_000)
    return {"items": index}


@pytest.fixture
def report(
    files: dict[str, Path],
    capsys: pytest.CaptureFixture[str],
    record_property: Callable[[str, Any], None],
) -> Report:
    """Prints one line of counts, captured output or not."""
    where = "memory" if len(files) > 1 else "disk"

    def write(line: str) -> None:
        line = f"{where}: {line}"
        record_property("conformance", line)
        with capsys.disabled():
            print(f"\nwebshop conformance: {line}", end=" ")

    return write


def read(path: Path) -> Any:
    """The content of a recorded JSON file."""
    return json.loads(path.read_text(encoding="utf-8"))


def recorded_steps(path: Path) -> Iterator[dict[str, Any]]:
    """The steps of a recorded trace."""
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        yield from map(json.loads, lines)


def shop_of(files: dict[str, Path], folder: Path, goals: str) -> Shop:
    """The recorded shop, with the recorded nouns."""
    nouns = ListedNouns(read(folder / "nouns.json"))
    seed = read(folder / "meta.json")["seed"]
    return load_shop(ShopSource(**files, goals=goals, seed=seed, nouns=nouns))


def goal_data(goal: Goal) -> dict[str, Any]:
    """A goal with the field names of the recording."""
    is_named = any(isinstance(option, tuple) for option in goal.options)
    return {
        "asin": goal.asin,
        "category": goal.category,
        "query": goal.query,
        "name": goal.name,
        "product_category": goal.product_category,
        "instruction_text": goal.text,
        "attributes": list(goal.attributes),
        "price_upper": goal.price_upper,
        "goal_options": dict(goal.options) if is_named else list(goal.options),
        "weight": goal.weight,
    }


@pytest.mark.parametrize("kind", KINDS)
def test_webshop_goals(files: dict[str, Path], folder: Path, report: Report, kind: str) -> None:
    """Every goal in its place, with its drawn price limit and its weight."""
    recorded = read(folder / f"goals_{kind}.json")
    assert recorded
    made = [goal_data(goal) for goal in shop_of(files, folder, kind).goals]
    for goal in recorded:
        goal["goal_options"] = goal["goal_options"] or []
    n_wrong = sum(a != b for a, b in zip(made, recorded, strict=True))
    report(f"{kind} goals: {len(recorded) - n_wrong} of {len(recorded)} equal")
    assert made == recorded


def test_webshop_prices(files: dict[str, Path], folder: Path, report: Report) -> None:
    """Every drawn price, to the last bit."""
    recorded = read(folder / "prices.json")
    assert recorded
    prices = shop_of(files, folder, "human").prices
    report(f"prices: {sum(prices.get(a) == p for a, p in recorded.items())} of {len(recorded)}")
    assert dict(prices) == recorded


@pytest.mark.parametrize("name", ["searches", "searches_corners"])
def test_webshop_searches(files: dict[str, Path], folder: Path, report: Report, name: str) -> None:
    """Every search: the same products in the same order."""
    recorded = read(folder / f"{name}.json")
    assert recorded
    shop = shop_of(files, folder, "human")
    wrong = []
    for search in recorded:
        hits = [product.asin for product in shop.find(search["query"].split(" "))]
        if hits != search["asins"]:
            wrong.append(search["query"])
    n_hits = sum(len(search["asins"]) for search in recorded)
    report(f"{name}: {len(recorded) - len(wrong)} of {len(recorded)} equal ({n_hits} hits)")
    assert wrong == []


@pytest.mark.parametrize("kind", KINDS)
def test_webshop_rewards(files: dict[str, Path], folder: Path, report: Report, kind: str) -> None:
    """Every purchase: the reward and each of its parts, exactly."""
    recorded = read(folder / f"{REWARDS[kind]}.json")
    assert recorded
    shop = shop_of(files, folder, kind)
    products = {product.asin: product for product in shop.products}
    wrong = []
    for case in recorded:
        goal = shop.goals[case["goal_index"]]
        product = products[case["asin"]]
        scored = score_purchase(product, goal, case["price"], case["options"], shop.nouns)
        if scored != (case["reward"], case["info"]):
            wrong.append((case, scored))
    report(f"{kind} rewards: {len(recorded) - len(wrong)} of {len(recorded)} equal")
    assert wrong == []


@pytest.mark.parametrize("kind", KINDS)
def test_webshop_light_nouns_agree(
    files: dict[str, Path], folder: Path, report: Report, kind: str
) -> None:
    """The default tagger comes to the recorded r_type nearly always."""
    recorded = read(folder / f"{REWARDS[kind]}.json")
    assert recorded
    shop = shop_of(files, folder, kind)
    products = {product.asin: product for product in shop.products}
    counts: Counter[str] = Counter()
    for case in recorded:
        goal = shop.goals[case["goal_index"]]
        reward, info = score_purchase(
            products[case["asin"]], goal, case["price"], case["options"], light_nouns
        )
        counts["r_type"] += info["r_type"] == case["info"]["r_type"]
        counts["reward"] += reward == case["reward"]
    n = len(recorded)
    shares = f"r_type {counts['r_type'] / n:.3f}, reward {counts['reward'] / n:.3f}"
    report(f"{kind} purchases, light tagger against TextBlob's (no spaCy model): {shares}, n = {n}")
    assert counts["r_type"] / n >= LIGHT_AGREEMENT


def test_webshop_reward_units(files: dict[str, Path], folder: Path, report: Report) -> None:
    """Colours, options and attributes one by one."""
    units = read(folder / "reward_units.json")
    products = {product.asin: product for product in shop_of(files, folder, "human").products}
    assert list(COLOURS) == read(folder / "colors.json")
    colours = [reduce_colour(value) == reduced for value, reduced in units["color"]]
    options = [
        count_options(bought, wanted) == matches and (share is None) == (not wanted)
        for bought, wanted, share, matches in units["option"]
    ]
    attributes = [
        count_attributes(products[asin], wanted) == matches
        for asin, wanted, _, matches in units["attribute"]
    ]
    for name, checks in (("color", colours), ("option", options), ("attribute", attributes)):
        report(f"{name} units: {sum(checks)} of {len(checks)} equal")
        assert len(checks) > 0
        assert all(checks)


def seen(engine: Engine, outcome: StepOutcome, rich_format: str) -> dict[str, Any]:
    """What a step shows, with the names of the recording."""
    return {
        "reward": outcome.reward,
        "done": outcome.done,
        "url": engine.url_path,
        "has_search_bar": engine.has_search_bar,
        "clickables": list(engine.clickables),
        "text": engine.observe("text"),
        "text_rich": engine.observe(rich_format),
    }


@pytest.mark.parametrize("name", TRACES)
def test_webshop_trace(files: dict[str, Path], folder: Path, report: Report, name: str) -> None:
    """Every step: observations byte for byte, clickables in order, reward, end and path."""
    is_simplified = "simplified" in name
    shop = shop_of(files, folder, "synthetic" if "synthetic" in name else "human")
    engine = Engine(shop, is_simplified=is_simplified)
    counts: Counter[str] = Counter()
    wrong = []
    for step in recorded_steps(folder / f"{name}.jsonl.gz"):
        if step["action"] == "RESET":
            engine.reset(step["goal"])
            outcome = StepOutcome()
        else:
            outcome = engine.step(step["action"])
        recorded = {
            "reward": step["reward"],
            "done": step["done"],
            "url": "/" + step["url"].split("/", 3)[3],
            **step["avail"],
            **step["obs"],
        }
        shown = seen(engine, outcome, "simplified" if is_simplified else "text_rich")
        counts["steps"] += 1
        counts["values"] += len(shown)
        wrong += [(step["ep"], step["action"], k) for k in shown if shown[k] != recorded[k]]
    report(f"{name}: {counts['steps']} steps, {counts['values']} values, {len(wrong)} differ")
    assert counts["steps"] > 0
    assert wrong == []


@pytest.mark.parametrize("name", TRACES)
def test_webshop_environment_follows_the_trace(
    files: dict[str, Path], folder: Path, name: str
) -> None:
    """The gymnasium environment shows what the engine was recorded to show, up to the purchase."""
    is_simplified = "simplified" in name
    env = make_env(
        "webshop",
        **files,
        observation_format="simplified" if is_simplified else "text_rich",
        goals="synthetic" if "synthetic" in name else "human",
        seed=read(folder / "meta.json")["seed"],
        nouns=read(folder / "nouns.json"),
        max_steps=10_000,
    )
    is_over, n_steps = True, 0
    for step in recorded_steps(folder / f"{name}.jsonl.gz"):
        if step["action"] == "RESET":
            observation, info = env.reset(options={"task": step["goal"]})
            reward, is_over = 0.0, False
        elif is_over:
            continue
        else:
            observation, reward, is_over, truncated, info = env.step(step["action"])
            assert not truncated
        assert (observation, reward, is_over) == (
            step["obs"]["text_rich"],
            step["reward"],
            step["done"],
        )
        expected = [f"click[{label}]" for label in step["avail"]["clickables"]]
        if step["avail"]["has_search_bar"]:
            expected.insert(0, "search[<keywords>]")
        assert list(info["available_actions"]) == expected
        assert info["is_success"] == (step["done"] and step["reward"] == 1.0)
        n_steps += 1
    assert n_steps > 0
