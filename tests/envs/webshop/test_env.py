"""The gymnasium environment."""

from __future__ import annotations

import copy
import pickle
import random
import shutil
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium.error import InvalidAction, ResetNeeded
from gymnasium.utils.env_checker import check_env

from rememberer_nb.elements import Task
from rememberer_nb.envs import WEBSHOP_ID, make_env
from rememberer_nb.envs.text_env import AnyText
from rememberer_nb.envs.webshop.env import FOLDER_VARIABLE, WebShopEnv
from rememberer_nb.envs.webshop.profile import WEBSHOP
from rememberer_nb.envs.webshop.shop import load_shop
from rememberer_nb.errors import CatalogueError, ConfigError, TaskError

MIN_STEPS_PER_S = 5_000  # a floor for slow, shared machines; one free core does 30,000


@pytest.fixture
def env(write_files: Callable[..., dict[str, Path]]) -> WebShopEnv:
    return WebShopEnv(**write_files())


def lamp_task(env: WebShopEnv) -> int:
    return next(i for i, goal in enumerate(env.engine.shop.goals) if goal.options)


@pytest.mark.parametrize("observation_format", ["simplified", "text_rich", "text"])
def test_webshop_passes_the_checker(
    write_files: Callable[..., dict[str, Path]], observation_format: str
) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        made = gymnasium.make(WEBSHOP_ID, **write_files(), observation_format=observation_format)
        check_env(made.unwrapped)


def test_webshop_is_registered_with_fifteen_steps() -> None:
    assert gymnasium.spec(WEBSHOP_ID).max_episode_steps == 15


def test_webshop_tasks_are_the_goals(env: WebShopEnv) -> None:
    assert [(t.task_id, t.number) for t in env.tasks] == [("0", 0), ("1", 1)]
    assert all(t.text == g.text for t, g in zip(env.tasks, env.engine.shop.goals, strict=True))
    assert env.profile is WEBSHOP


@pytest.mark.parametrize("wanted", [1, "1", np.int64(1), Task("1", "", 1)])
def test_webshop_task_by_number_or_text(env: WebShopEnv, wanted: Any) -> None:
    observation, info = env.reset(options={"task": wanted})
    assert info["task"] is env.tasks[1]
    assert env.tasks[1].text in observation


@pytest.mark.parametrize("wanted", [2, -1, "2", "-1", "moon", "", 0.5, "1e9", "9" * 5000])
def test_webshop_task_out_of_range_names_the_range(env: WebShopEnv, wanted: Any) -> None:
    with pytest.raises(TaskError) as caught:
        env.reset(options={"task": wanted})
    if not isinstance(wanted, float):
        assert "0 to 1" in str(caught.value)


def test_webshop_without_goals_there_is_no_task(
    write_files: Callable[..., dict[str, Path]],
) -> None:
    empty = WebShopEnv(**write_files(instructions={}))
    with pytest.raises(TaskError, match="there are no tasks"):
        empty.reset()


def test_webshop_draws_a_task_with_its_own_generator(env: WebShopEnv) -> None:
    first = [env.reset(seed=3 if i == 0 else None)[1]["task"].number for i in range(20)]
    again = [env.reset(seed=3 if i == 0 else None)[1]["task"].number for i in range(20)]
    assert first == again
    assert set(first) == {0, 1}


def test_webshop_info_of_an_episode(env: WebShopEnv) -> None:
    _, info = env.reset(options={"task": lamp_task(env)})
    assert info["available_actions"] == ("search[<keywords>]", "click[search]")
    assert (info["page_type"], info["is_success"]) == ("search", False)
    assert "reward_info" not in info
    pages = []
    for action in ("search[lamp]", "click[b000000001]", "click[features]", "click[< prev]"):
        _, reward, terminated, truncated, info = env.step(action)
        assert (reward, terminated, truncated, info["is_success"]) == (0.0, False, False, False)
        pages.append(info["page_type"])
    assert pages == ["results", "item", "description", "item"]
    assert info["available_actions"][:2] == ("click[back to search]", "click[< prev]")
    env.step("click[small]")
    observation, reward, terminated, truncated, info = env.step("click[buy now]")
    assert (reward, terminated, truncated, info["is_success"]) == (1.0, True, False, True)
    assert info["available_actions"] == ()
    assert info["reward_info"]["r_att"] == 1.0
    assert (info["page_type"], env.render()) == ("done", observation)


def test_webshop_half_a_success_is_none(env: WebShopEnv) -> None:
    env.reset(options={"task": lamp_task(env)})
    for action in ("search[lamp]", "click[b000000001]"):
        env.step(action)
    _, reward, terminated, _, info = env.step("click[buy now]")
    assert (reward, terminated, info["is_success"]) == (2 / 3, True, False)


def test_webshop_needs_a_reset_before_and_after(env: WebShopEnv) -> None:
    with pytest.raises(ResetNeeded):
        env.step("search[lamp]")
    env.reset(options={"task": 0})
    for action in ("search[lamp]", "click[b000000001]", "click[buy now]"):
        env.step(action)
    with pytest.raises(ResetNeeded):
        env.step("search[lamp]")
    env.reset()
    env.step("search[lamp]")


@pytest.mark.parametrize("action", [None, 3, b"search[lamp]", ["search[lamp]"]])
def test_webshop_actions_are_strings(env: WebShopEnv, action: Any) -> None:
    env.reset()
    with pytest.raises(InvalidAction, match="an action is a string"):
        env.step(action)


@pytest.mark.parametrize(
    "action", ["x" * 100_000, "[" * 50_000 + "]" * 50_000, "\x00\x1b[31m\r", "click[]]]", ""]
)
def test_webshop_ugly_actions_do_nothing(env: WebShopEnv, action: str) -> None:
    observation, _ = env.reset(options={"task": 0})
    after, reward, terminated, truncated, info = env.step(action)
    assert (after, reward, terminated, truncated) == (observation, 0.0, False, False)
    assert info["page_type"] == "search"


def test_webshop_step_limit_truncates(write_files: Callable[..., dict[str, Path]]) -> None:
    limited = make_env("webshop", **write_files(), max_steps=2)
    limited.reset(options={"task": 0})
    assert limited.step("search[lamp]")[2:4] == (False, False)
    assert limited.step("click[next >]")[2:4] == (False, True)


@pytest.mark.parametrize(
    "settings",
    [
        {"observation_format": "html"},
        {"goals": "martian"},
        {"nouns": "oracle"},
        {"max_steps": 0},
        {"max_steps": 1.5},
    ],
)
def test_webshop_bad_settings_are_refused(
    write_files: Callable[..., dict[str, Path]], settings: dict[str, Any]
) -> None:
    with pytest.raises(ConfigError):
        make_env("webshop", **write_files(), **settings)


def test_webshop_environments_share_one_catalogue(
    write_files: Callable[..., dict[str, Path]],
) -> None:
    files = write_files()
    nouns = {"Red Lamp": ["lamp"]}
    one = WebShopEnv(**files, nouns=nouns, observation_format="text")
    other = WebShopEnv(**files, nouns=dict(nouns))
    assert one.engine.shop is other.engine.shop
    assert WebShopEnv(**files, seed=9, nouns=nouns).engine.shop is not one.engine.shop


def test_webshop_pickles_small_and_goes_on(env: WebShopEnv) -> None:
    env.reset(seed=1, options={"task": 0})
    env.step("search[lamp]")
    data = pickle.dumps(env)
    assert len(data) < 20_000
    for twin in (pickle.loads(data), copy.deepcopy(env)):
        assert twin.engine.shop is env.engine.shop
        assert twin.render() == env.render()
        twin.step("click[b000000001]")
    assert env.engine.page_type == "results"


def test_webshop_files_lie_beside_the_items(write_files: Callable[..., dict[str, Path]]) -> None:
    files = write_files()
    assert WebShopEnv(items=files["items"]).tasks == WebShopEnv(**files).tasks
    files["attributes"].unlink()
    with pytest.raises(CatalogueError, match=r"items_ins_v2\.json: is missing"):
        WebShopEnv(items=files["items"])


def test_webshop_folder_from_the_environment(
    write_files: Callable[..., dict[str, Path]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    write_files()
    monkeypatch.setenv(FOLDER_VARIABLE, str(tmp_path))
    assert len(WebShopEnv().tasks) == 2
    monkeypatch.setenv(FOLDER_VARIABLE, str(tmp_path / "moon"))
    with pytest.raises(CatalogueError, match="moon"):
        WebShopEnv()


def test_webshop_missing_file_is_named(
    write_files: Callable[..., dict[str, Path]], tmp_path: Path
) -> None:
    files = write_files()
    with pytest.raises(CatalogueError, match=r"moon\.json: cannot be read"):
        WebShopEnv(**(files | {"items": tmp_path / "moon.json"}))


def test_webshop_synthetic_goals_need_no_instructions(
    write_files: Callable[..., dict[str, Path]],
) -> None:
    files = write_files(instructions="not read")
    env = WebShopEnv(**files, goals="synthetic")
    assert len(env.tasks) == 3 * 2 * 2
    with pytest.raises(CatalogueError):
        WebShopEnv(**files)


def test_webshop_text_space_holds_every_string() -> None:
    space = AnyText()
    assert "" in space and "é\n😀" * 99_999 in space and 3 not in space
    assert space == AnyText()
    space.seed(0)
    assert space.sample() in space


@pytest.mark.parametrize("observation_format", ["simplified", "text_rich"])
def test_webshop_profile_tells_the_page_type(observation_format: str) -> None:
    env = make_env("webshop", observation_format=observation_format)
    rng = random.Random(5)
    observation, info = env.reset(seed=5)
    seen = set()
    for _ in range(3000):
        actions = [a for a in info["available_actions"] if a != "click[search]"]
        action = rng.choice(actions).replace("<keywords>", info["task"].text[:40])
        observation, _, terminated, truncated, info = env.step(action)
        assert env.profile.page_type(observation) == info["page_type"]
        seen.add(info["page_type"])
        if terminated or truncated:
            observation, info = env.reset()
    assert seen == {"search", "results", "item", "description", "done"}


def test_webshop_bundled_catalogue_loads_quickly() -> None:
    source = make_env("webshop").unwrapped.engine.shop._source
    load_shop.cache_clear()
    start = time.perf_counter()
    shop = load_shop(source)
    assert time.perf_counter() - start < 1
    assert len(shop.goals) >= 520


def test_webshop_speed(record_property: Callable[[str, Any], None]) -> None:
    """A seeded walk over the bundled shop, about one search in ten steps."""
    env = make_env("webshop", max_steps=10_000)
    rng = random.Random(0)
    _, info = env.reset(seed=0, options={"task": 0})
    words = info["task"].text.split()
    n_steps, start = 8000, time.perf_counter()
    for _ in range(n_steps):
        if info["page_type"] == "search" or rng.random() < 0.07:
            action = f"search[{' '.join(rng.sample(words, 4))}]"
        else:
            actions = [a for a in info["available_actions"] if a != "click[back to search]"]
            action = rng.choice(actions)
        _, _, terminated, _, info = env.step(action)
        if terminated:
            _, info = env.reset(options={"task": 0})
    per_s = n_steps / (time.perf_counter() - start)
    record_property("steps_per_s", round(per_s))
    assert per_s > MIN_STEPS_PER_S


def test_webshop_files_can_be_copied_elsewhere(
    write_files: Callable[..., dict[str, Path]], tmp_path: Path
) -> None:
    """A shop depends on its files' content, not on where they lie."""
    files = write_files()
    there = tmp_path / "there"
    there.mkdir()
    for path in files.values():
        shutil.copy(path, there)
    assert WebShopEnv(items=there / "items_shuffle.json").tasks == WebShopEnv(**files).tasks
