"""Environments by name."""

from __future__ import annotations

import gymnasium
import pytest
from gymnasium.wrappers import TimeLimit

from rememberer_nb import envs
from rememberer_nb.envs import make_env, register_env
from rememberer_nb.envs.webshop.env import WebShopEnv
from rememberer_nb.envs.webshop.profile import WEBSHOP
from rememberer_nb.envs.wikihow.profile import WIKIHOW
from rememberer_nb.errors import ConfigError


def test_webshop_by_name_has_a_step_limit_tasks_and_a_profile() -> None:
    env = make_env("webshop")
    assert isinstance(env, TimeLimit)
    assert isinstance(env.unwrapped, WebShopEnv)
    assert env.tasks == env.unwrapped.tasks
    assert env.profile is WEBSHOP
    assert len(env.tasks) >= 520


def test_wikihow_by_name_has_a_step_limit_tasks_and_a_profile() -> None:
    env = make_env("wikihow", max_steps=3)
    assert isinstance(env, TimeLimit)
    assert env.profile is WIKIHOW
    assert len(env.tasks) == 200
    env.reset(options={"task": 90})
    assert [env.step("GOBACK")[3] for _ in range(3)] == [False, False, True]


def test_webshop_is_named_where_an_unknown_name_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"no environment is named 'moon'; known: .*webshop"):
        make_env("moon")


def test_webshop_neighbours_can_be_registered(monkeypatch: pytest.MonkeyPatch) -> None:
    class Own(gymnasium.Env[str, str]):
        tasks = ()
        profile = WEBSHOP

        def __init__(self, size: int):
            self.size = size

    monkeypatch.setattr(envs, "_MAKERS", dict(envs._MAKERS))
    register_env("own", Own)
    env = make_env("own", size=3)
    assert (env.unwrapped.size, env.tasks) == (3, ())
