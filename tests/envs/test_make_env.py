"""Environments by name."""

from __future__ import annotations

import gzip
import json
import shutil
from pathlib import Path

import gymnasium
import pytest
from gymnasium.wrappers import TimeLimit

from rememberer_nb.envs import EnvSpec, make_env, register_env, registry
from rememberer_nb.envs.webshop.env import WebShopEnv
from rememberer_nb.envs.webshop.profile import WEBSHOP
from rememberer_nb.envs.wikihow.profile import WIKIHOW
from rememberer_nb.envs.wikihow.site import load_site
from rememberer_nb.errors import ConfigError, DataError
from rememberer_nb.system.resources import data_path


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


def test_a_shop_whose_file_changed_is_read_anew(tmp_path: Path) -> None:
    for name in ("items_shuffle", "items_ins_v2", "items_human_ins"):
        shutil.copy(data_path("webshop", f"{name}.json.gz"), tmp_path)
    items = tmp_path / "items_shuffle.json.gz"
    before = make_env("webshop", items=items).unwrapped.engine.shop
    assert make_env("webshop", items=items).unwrapped.engine.shop is before
    goals = json.loads(gzip.decompress((tmp_path / "items_human_ins.json.gz").read_bytes()))
    first = next(iter(goals))
    goals[first][0]["instruction"] = "something else altogether"
    (tmp_path / "items_human_ins.json.gz").write_bytes(gzip.compress(json.dumps(goals).encode()))
    after = make_env("webshop", items=items)
    assert any(task.text.startswith("something else altogether") for task in after.tasks)
    assert not any(task.text.startswith("something else") for task in before.tasks)


def test_a_site_whose_files_changed_is_read_anew(tmp_path: Path) -> None:
    for name in ("site.json.gz", "tasks.json"):
        shutil.copy(data_path("wikihow", name), tmp_path)
    site = tmp_path / "site.json.gz"
    before = make_env("wikihow", site=site)
    assert make_env("wikihow", site=site).unwrapped.engine.site is before.unwrapped.engine.site
    tasks = json.loads((tmp_path / "tasks.json").read_text(encoding="utf-8"))
    tasks["tasks"] = tasks["tasks"][:7]
    (tmp_path / "tasks.json").write_text(json.dumps(tasks), encoding="utf-8")
    assert len(make_env("wikihow", site=site).tasks) == 7
    content = json.loads(gzip.decompress(site.read_bytes()))
    content["name"] = "Elsewhere"
    # As editors and `os.replace` do it: another file under the same name.
    other = tmp_path / "other"
    other.write_bytes(gzip.compress(json.dumps(content).encode()))
    other.replace(site)
    with pytest.raises(DataError):
        # The tasks name pages of the site: they are checked against the new one.
        tasks["tasks"][0]["goals"][0][1] = "How to Do Nothing"
        (tmp_path / "tasks.json").write_text(json.dumps(tasks), encoding="utf-8")
        make_env("wikihow", site=site)
    assert load_site(site).name == "Elsewhere"


def test_webshop_is_named_where_an_unknown_name_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"no environment is named 'moon'; known: .*webshop"):
        make_env("moon")


def test_webshop_neighbours_can_be_registered(monkeypatch: pytest.MonkeyPatch) -> None:
    class Own(gymnasium.Env[str, str]):
        tasks = ()
        profile = WEBSHOP

        def __init__(self, size: int):
            self.size = size

    monkeypatch.setattr(registry, "_SPECS", dict(registry._SPECS))
    register_env(EnvSpec("own", make=Own, profile=WEBSHOP))
    env = make_env("own", size=3)
    assert (env.unwrapped.size, env.tasks) == (3, ())
