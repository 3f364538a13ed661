"""Environments by name: bundled, registered, and of an installed package, from end to end."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from rememberer_nb.cli.main import main
from rememberer_nb.envs import registry
from rememberer_nb.envs.registry import EnvSpec, find_env, get_profile, register_env
from rememberer_nb.envs.webshop.profile import WEBSHOP
from rememberer_nb.errors import ConfigError
from rememberer_nb.llms import protocol
from rememberer_nb.loop.build import Settings, build_agent, build_env, build_memory, initial_name
from rememberer_nb.loop.training import evaluate, train
from rememberer_nb.memory import ExperienceMemory
from rememberer_nb.memory.initial import read_initial

SOURCE = Path(__file__).parent / "toy" / "corridor.py"


@pytest.fixture(autouse=True)
def _as_before(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(registry, "_SPECS", dict(registry._SPECS))
    monkeypatch.setattr(protocol, "_FACTORIES", dict(protocol._FACTORIES))


def install(folder: Path, *points: str) -> Path:
    """Puts the package there as pip would, with these entry points."""
    shutil.copy(SOURCE, folder)
    info = folder / "corridor-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: corridor\nVersion: 1.0\n")
    lines = ["[rememberer_nb.envs]", *(points or ("corridor = corridor:SPEC",))]
    (info / "entry_points.txt").write_text("\n".join(lines) + "\n")
    return folder


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """The package, on the path and not yet imported."""
    monkeypatch.syspath_prepend(install(tmp_path))
    yield tmp_path
    sys.modules.pop("corridor", None)


def test_a_spec_is_lazy_until_a_part_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    register_env(EnvSpec("far", make="no_such_module:Env", profile="json:loads"))
    assert find_env("far").place == "far"
    assert find_env("far").load("profile") is json.loads
    with pytest.raises(ConfigError, match=r"'far': make 'no_such_module:Env': No module named"):
        find_env("far").load("make")
    register_env(EnvSpec("far", make="json:Env", profile=WEBSHOP))
    assert get_profile("far") is WEBSHOP
    with pytest.raises(ConfigError, match="no attribute 'Env'"):
        find_env("far").load("make")
    register_env(EnvSpec("far", make=":Env", profile=WEBSHOP))
    with pytest.raises(ConfigError, match="make ':Env'"):
        find_env("far").load("make")


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        ({"name": ""}, "non-empty text, got ''"),
        ({"name": 3}, "non-empty text, got 3"),
        ({"default_initial": "E0"}, "'toy': default_initial must be one of empty, got 'E0'"),
        ({"task_sets": {"S0": ["1"]}}, r"'toy': S0 must be task numbers from 0 on, got \['1'\]"),
        ({"task_sets": {"S0": (True,)}}, "S0 must be task numbers"),
        ({"development": (-1,)}, "development must be task numbers"),
    ],
)
def test_a_spec_is_checked_when_it_is_made(given: dict, problem: str) -> None:
    with pytest.raises(ConfigError, match=problem):
        EnvSpec(**{"name": "toy", "make": "toy:Env", "profile": "toy:P", **given})


def test_an_installed_environment_is_known_by_name_alone(installed: Path) -> None:
    assert "corridor" not in sys.modules
    with pytest.raises(ConfigError, match="'moon'; known: corridor, webshop, wikihow"):
        find_env("moon")
    assert "corridor" not in sys.modules
    assert get_profile("corridor").introduction.startswith("You are in a corridor")
    assert find_env("corridor") is sys.modules["corridor"].SPEC


@pytest.mark.parametrize(
    ("point", "problem"),
    [
        ("corridor = corridor:NOT_A_SPEC", "expected an EnvSpec of that name, found 'corridor'"),
        ("passage = corridor:SPEC", r"'passage' \(corridor:SPEC\): expected an EnvSpec of that"),
        ("corridor = corridor:MOON", "has no attribute 'MOON'"),
        ("corridor = no_such_module:SPEC", "No module named 'no_such_module'"),
    ],
)
def test_an_installed_package_that_does_not_fit_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, point: str, problem: str
) -> None:
    monkeypatch.syspath_prepend(install(tmp_path, point))
    with pytest.raises(ConfigError, match=problem):
        find_env(point.split()[0])
    sys.modules.pop("corridor", None)


def test_an_installed_environment_is_learnt_in(installed: Path, tmp_path: Path) -> None:
    settings = Settings(env="corridor", llm="walker")
    env = build_env(settings)
    with build_memory(settings, tmp_path / "m.sqlite") as memory:
        assert (len(memory), initial_name(settings, memory)) == (2, "shown")
        agent = build_agent("rememberer", env, settings, memory=memory)
        episodes = train(env, agent, [1, 3], seed=0)
        assert len(episodes) == 2 * settings.rollout.n_epochs
        # Its own demonstration solves the task that it is about, every time.
        assert [e.is_success for e in episodes if e.task.number == 1] == [True] * 3
        found = evaluate(env, agent, [5], seed=0)
        assert found[0].is_success and found[0].total_reward == 1.0
    fixed = build_agent("fixed_exemplars", env, settings)
    assert len(evaluate(env, fixed, [5], seed=0)[0].steps[0].decision.exemplars) == 2
    assert read_initial("shown", "corridor") == sys.modules["corridor"].demonstration()


def test_an_installed_environment_on_the_command_line(
    installed: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "m.sqlite"
    common = ["--env", "corridor", "--llm", "walker", "--memory", str(path), "--json"]
    assert main(["train", *common, "--epochs", "1"]) == 0
    trained = json.loads(capsys.readouterr().out)
    assert (trained["tasks"], trained["n_episodes"]) == ([1, 3], 2)
    assert main(["evaluate", *common]) == 0
    assert json.loads(capsys.readouterr().out)["tasks"] == [4, 5, 6, 7]
    with ExperienceMemory.open(path) as memory:
        assert memory.origin["name"] == "shown"
    assert main(["memory", "stats", str(path), "--env", "corridor"]) == 0
    capsys.readouterr()
    compare = ["compare", "--env", "corridor", "--llm", "walker", "--n-seeds", "2", "--jobs", "1"]
    assert main(compare) == 0
    text = capsys.readouterr().out
    assert text.startswith("4 test tasks, 2 seeds; corridor of four rooms, LLM: walker; mean")
    assert main(["train", "--env", "corridor", "--tasks", "S1", "--agent", "random"]) == 2
    assert "tasks should be one of S0, test, a range" in capsys.readouterr().err
    assert main(["train", "--env", "corridor", "--tasks", "S0"]) == 2
    assert "the offline stand-in cannot read 'corridor'" in capsys.readouterr().err


@pytest.mark.slow
def test_worker_processes_know_an_installed_environment(tmp_path: Path) -> None:
    install(tmp_path)
    call = ["compare", "--env", "corridor", "--llm", "walker", "--n-seeds", "2", "--jobs", "2"]
    paths = os.pathsep.join([str(tmp_path), str(Path(__file__).resolve().parents[2])])
    done = subprocess.run(
        [sys.executable, "-m", "rememberer_nb", *call, "--json"],
        env={**os.environ, "PYTHONPATH": paths},
        capture_output=True,
        text=True,
        timeout=100,
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["env"] == "corridor"
