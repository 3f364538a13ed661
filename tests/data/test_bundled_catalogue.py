"""The bundled shop: made from its seed, well formed, solvable; its demonstrations replay."""

from __future__ import annotations

import importlib
import json
from collections import Counter
from pathlib import Path
from types import ModuleType

import pytest

from rememberer_nb.envs import make_env
from rememberer_nb.envs.webshop.reward import score_purchase
from rememberer_nb.envs.webshop.shop import Shop

FOLDER = Path(__file__).resolve().parents[2] / "data" / "webshop"
FILES = ("items_shuffle.json.gz", "items_ins_v2.json.gz", "items_human_ins.json.gz")
CATEGORIES = {"beauty", "electronics", "fashion", "grocery", "garden"}
RESERVED = {*range(100), *range(500, 520)}


@pytest.fixture(scope="module")
def import_script():
    """Import a script of the data folder as its command line would find it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(FOLDER))
        yield importlib.import_module


@pytest.fixture(scope="module")
def maker(import_script) -> ModuleType:
    return import_script("make_catalogue")


@pytest.fixture(scope="module")
def made(maker):
    return maker.make_shop()


@pytest.fixture(scope="module")
def shop(import_script) -> Shop:
    return import_script("measure_ladder").open_shop()


@pytest.fixture(scope="module")
def env():
    return make_env("webshop", items=FOLDER / FILES[0])


@pytest.fixture(scope="module", params=["E0", "E1", "E2"])
def memory(request) -> dict:
    return json.loads((FOLDER / f"{request.param}.json").read_text(encoding="utf-8"))


def test_files_are_what_the_seed_makes(maker, made):
    for name, data in made.files().items():
        assert maker.unpack((FOLDER / name).read_bytes()) == maker.unpack(data), name


def test_the_same_seed_gives_the_same_bytes_and_another_does_not(maker, made):
    assert maker.make_shop().files() == made.files()
    assert maker.make_shop(seed=1).items != made.items


def test_packed_files_carry_no_time(made):
    for data in made.files().values():
        assert data[4:8] == bytes(4)


def test_written_files_pass_the_check_and_a_changed_one_fails(maker, tmp_path, capsys):
    assert maker.main(["--out", str(tmp_path)]) == 0
    assert maker.main(["--check", "--out", str(tmp_path)]) == 0
    changed = tmp_path / FILES[2]
    changed.write_bytes(maker._pack({"B000000000": []}))
    assert maker.main(["--check", "--out", str(tmp_path)]) == 1
    assert FILES[2] in capsys.readouterr().err


def test_check_prints_the_numbers_of_the_readme(maker, capsys):
    assert maker.main(["--check"]) == 0
    readme = (FOLDER.parent / "README.md").read_text(encoding="utf-8")
    lines = capsys.readouterr().out.splitlines()
    # How many bytes a file packs to depends on the machine's zlib.
    for line in (line for line in lines if not line.endswith(" bytes")):
        assert line.strip() in readme


def test_each_file_is_small():
    assert all((FOLDER / name).stat().st_size < 300_000 for name in FILES)


def test_enough_products_in_five_categories(shop):
    counts = Counter(product.category for product in shop.products)
    assert len(shop.products) >= 1000
    assert set(counts) == CATEGORIES
    assert min(counts.values()) >= 150


def test_asins_are_unique_and_ten_characters_long(made):
    asins = [item["asin"] for item in made.items]
    assert len(set(asins)) == len(asins)
    assert {len(asin) for asin in asins} == {10}
    assert all(asin.isalnum() and asin == asin.upper() for asin in asins)


def test_nothing_is_dropped_when_the_shop_loads(made, shop):
    assert {product.asin for product in shop.products} == {item["asin"] for item in made.items}
    assert len(shop.goals) == sum(map(len, made.instructions.values()))


def test_enough_goals_each_worded_in_its_own_way(made):
    texts = [row["instruction"] for rows in made.instructions.values() for row in rows]
    assert len(texts) >= 640
    assert len(set(texts)) == len(texts)
    assert all(text == text.lower() == " ".join(text.split()) for text in texts)


def test_instructions_open_in_many_ways(made):
    texts = [row["instruction"] for rows in made.instructions.values() for row in rows]
    openings = Counter(" ".join(text.split()[:3]) for text in texts)
    assert len(openings) > 150
    assert openings.most_common(1)[0][1] < 0.05 * len(texts)


def test_some_instructions_use_other_words_than_the_attribute(made):
    rows = [row for rows in made.instructions.values() for row in rows]
    wanted = [(a, row["instruction"]) for row in rows for a in row["instruction_attributes"]]
    share = sum(attribute in text for attribute, text in wanted) / len(wanted)
    assert 0.5 < share < 0.9


def test_goals_ask_for_one_to_three_attributes_and_up_to_three_options(shop):
    assert {len(goal.attributes) for goal in shop.goals} == {1, 2, 3}
    assert {len(goal.options) for goal in shop.goals} == {0, 1, 2, 3}


def test_every_goal_is_solved_by_its_product_with_its_options(shop):
    products = {product.asin: product for product in shop.products}
    for goal in shop.goals:
        product = products[goal.asin]
        groups = [(name, v) for name, values in product.options for v in values]
        chosen = {name: value for name, value in groups if value in goal.options}
        assert len(chosen) == len(goal.options), goal.text
        price = shop.prices[goal.asin]
        assert score_purchase(product, goal, price, chosen, shop.nouns)[0] == 1.0, goal.text


def test_the_first_hit_bought_blindly_is_rarely_right(shop):
    rewards = []
    for goal in shop.goals:
        first = shop.find(goal.text.lower().split(" "))[0]
        price = shop.prices[first.asin]
        rewards.append(score_purchase(first, goal, price, {}, shop.nouns)[0])
    assert sum(reward == 1 for reward in rewards) < 0.15 * len(rewards)
    assert sum(rewards) > 0.3 * len(rewards)


def test_most_goals_can_be_found_by_their_own_words(shop):
    found = [
        goal.asin in {product.asin for product in shop.find(goal.text.lower().split(" "))}
        for goal in shop.goals
    ]
    assert sum(found) > 0.9 * len(found)


def test_attributes_exclude_each_other_where_they_must(made):
    for row in made.attributes.values():
        assert not {"long sleeve", "short sleeve"} <= set(row["attributes"])
        assert not {"king size", "queen size"} <= set(row["attributes"])


def test_words_before_a_noun(import_script):
    before = import_script("shopgen.vocabulary").with_words_before
    assert before("easy to clean", "a rug") == "an easy to clean rug"
    assert before("red", "an area rug") == "a red area rug"
    assert before("usda organic", "a tea") == "a usda organic tea"
    assert before("8 piece", "a set") == "an 8 piece set"
    assert before("18 inch", "a wig") == "an 18 inch wig"
    assert before("100% cotton", "a few pairs of socks") == "a few 100% cotton pairs of socks"
    assert before("soft", "something to sleep in") == "something soft to sleep in"
    assert before("", "curtains") == "curtains"


def test_demonstrations_are_on_goals_that_nobody_else_uses(memory):
    number = int(memory["task_id"])
    assert number >= 600
    assert number not in RESERVED


def test_demonstrations_replay_to_the_full_reward(memory, env):
    observation, info = env.reset(options={"task": int(memory["task_id"])})
    rewards, terminated = [], False
    for record in memory["records"]:
        assert record["task"] == env.unwrapped.tasks[int(memory["task_id"])].text
        assert record["observation"] == observation
        assert record["available_actions"] == list(info["available_actions"])
        good = record["actions"][0]
        observation, reward, terminated, _, info = env.step(good["action"])
        assert reward == good["reward"]
        rewards.append(reward)
    assert terminated
    assert sum(rewards) == 1.0 == rewards[-1]


def test_demonstrations_advise_for_and_against(memory):
    actions = [record["actions"] for record in memory["records"]]
    assert all(pair[0]["q_value"] == 1.0 for pair in actions)
    discouraged = [pair[1] for pair in actions if len(pair) > 1]
    assert discouraged
    assert all(action["q_value"] == 0.0 for action in discouraged)
    assert all(len(action["rationale"]) > 10 for pair in actions for action in pair)


def test_discouraged_clicks_are_possible(memory):
    for record in memory["records"]:
        for action in record["actions"][1:]:
            assert action["action"] in record["available_actions"]


def test_demonstrations_are_of_different_categories(shop):
    names = ("E0", "E1", "E2")
    numbers = [int(json.loads((FOLDER / f"{n}.json").read_text())["task_id"]) for n in names]
    assert len({shop.goals[number].category for number in numbers}) == 3


def test_demonstration_files_pass_their_check(import_script, tmp_path, capsys):
    script = import_script("make_demonstrations")
    assert script.main(["--check"]) == 0
    assert script.main(["--check", "--out", str(tmp_path)]) == 1
    assert "E0.json" in capsys.readouterr().err
