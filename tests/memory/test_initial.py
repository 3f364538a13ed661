"""Initial memories: the bundled ones, own files, and what is wrong with a bad one."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest

from rememberer_nb.envs.registry import _SPECS, EnvSpec, find_env
from rememberer_nb.errors import ConfigError, DataError
from rememberer_nb.memory.initial import FORMAT, VERSION, read_initial

GOOD: dict[str, Any] = {
    "format": FORMAT,
    "version": VERSION,
    "name": "mine",
    "records": [
        {
            "task": "g",
            "observation": "o",
            "available_actions": ["a", "b"],
            "actions": [
                {"action": "a", "q_value": 1, "n_visits": 3, "reward": 0.5, "rationale": "fits"},
                {"action": "b", "q_value": -0.5},
            ],
        },
        {"task": "g", "observation": "o2", "actions": []},
    ],
}


def written(folder: Path, content: object) -> Path:
    path = folder / "initial.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    return path


def test_a_file(tmp_path: Path) -> None:
    first, second = read_initial(written(tmp_path, GOOD))
    assert (first.task, first.observation, first.source) == ("g", "o", "mine")
    assert first.available_actions == ("a", "b")
    a, b = first.action_values
    assert (a.q_value, a.n_visits, a.reward, a.rationale, a.is_initial) == (1, 3, 0.5, "fits", True)
    assert (b.q_value, b.n_visits, b.reward, b.rationale) == (-0.5, 1, 0, "")
    assert (second.action_values, second.available_actions) == ((), ())


def test_none() -> None:
    assert read_initial("empty") == ()


@pytest.mark.parametrize("name", ["E0", "E1", "E2"])
@pytest.mark.parametrize("env", ["webshop", "wikihow"])
def test_the_bundled_ones(name: str, env: str) -> None:
    assert name in find_env(env).initial
    records = read_initial(name, env)
    assert records
    assert {record.source for record in records} == {name}
    values = [value for record in records for value in record.action_values]
    full_mark = 5  # Of the how-to site: a point for each of at most five instructions.
    assert all(value.is_initial and -1 <= value.q_value <= full_mark for value in values)
    assert any(value.q_value > 0 for value in values)


def test_an_unknown_name() -> None:
    with pytest.raises(ConfigError, match="no initial memory 'E9': expected E0, E1, E2, 'empty'"):
        read_initial("E9")


def test_those_that_an_environment_brings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = written(tmp_path, GOOD)
    records = read_initial(path)
    initial = {"file": path, "found": lambda: path, "made": lambda: list(records)}
    spec = EnvSpec("own", make="own:Env", profile="own:PROFILE", initial=initial)
    monkeypatch.setitem(_SPECS, "own", spec)
    assert [read_initial(name, "own") for name in initial] == [records] * 3
    with pytest.raises(ConfigError, match="'E0': expected file, found, made, 'empty' or a file"):
        read_initial("E0", "own")


def changed(*path: object, to: object) -> dict[str, Any]:
    content = copy.deepcopy(GOOD)
    place: Any = content
    for key in path[:-1]:
        place = place[key]
    if to is ...:
        del place[path[-1]]
    else:
        place[path[-1]] = to
    return content


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ("", "is not JSON: "),
        ('{"format": ', "is not JSON: "),
        ("[]", "is no initial memory"),
        ("{}", "is no initial memory"),
        (changed("version", to=99), "version: has version 99, expected 1"),
        (changed("records", to=...), "records: expected a list"),
        (changed("records", to={"task": "g"}), "records: expected a list"),
        (changed("records", 1, to="g"), r"records\[1\]"),
        (changed("records", 1, to=[]), r"records\[1\]"),
        (changed("records", 0, "task", to=...), r"records\[0\]: lacks the field 'task'"),
        (changed("records", 0, "task", to=7), r"records\[0\]: does not fit"),
        (changed("records", 0, "observation", to=None), r"records\[0\]: does not fit"),
        (changed("records", 0, "actions", to=...), r"records\[0\]: lacks the field 'actions'"),
        (changed("records", 0, "actions", to="a"), r"records\[0\]: does not fit"),
        (changed("records", 0, "actions", 0, "action", to=...), "lacks the field 'action'"),
        (changed("records", 0, "actions", 0, "q_value", to="high"), r"records\[0\]: does not fit"),
        (
            changed("records", 0, "actions", 0, "q_value", to=float("nan")),
            "NaN is no finite number",
        ),
        (changed("records", 0, "actions", 0, "q_value", to=2e100), "expected a finite number"),
        (changed("records", 0, "actions", 0, "reward", to=10**400), "is no finite number"),
        (changed("records", 0, "actions", 0, "n_visits", to=2.5), "a whole number .* found 2.5"),
        (changed("records", 0, "actions", 0, "n_visits", to="3"), "a whole number .* found '3'"),
        (changed("records", 0, "actions", 0, "n_visits", to=2**60), "from 0 to 2"),
        (changed("records", 0, "actions", 1, "action", to="a"), "an action stands there twice"),
        (changed("records", 0, "actions", to={"action": "a"}), "actions must be a list"),
        (changed("records", 0, "available_actions", to="ab"), "available_actions must be a list"),
        (json.dumps(GOOD).replace("-0.5", "1e999"), "1e999 is no finite number"),
        (json.dumps(GOOD).replace('"n_visits": 3', '"n_visits": 1e999'), "1e999 is no finite"),
        ("[" * 900 + "]" * 900, "is not JSON: it is nested too deeply"),
        ("[" * 100_000, "is not JSON: it is nested too deeply"),
        (changed("records", 0, "actions", 0, "n_visits", to=-1), "from 0 to 2"),
        (changed("records", 0, "available_actions", to=[1]), r"records\[0\]: does not fit"),
        (changed("records", 0, "available_actions", to=None), r"records\[0\]: does not fit"),
    ],
)
def test_what_does_not_fit_is_named(tmp_path: Path, content: object, problem: str) -> None:
    path = written(tmp_path, content)
    with pytest.raises(DataError, match=problem) as caught:
        read_initial(path)
    assert caught.value.path == path


def test_not_text(tmp_path: Path) -> None:
    path = tmp_path / "initial.json"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(DataError, match=r"initial\.json: is not JSON: 'utf-16"):
        read_initial(path)
    with pytest.raises(DataError, match="cannot be read: it is a folder"):
        read_initial(tmp_path)
    loop = tmp_path / "loop"
    loop.symlink_to(loop)
    with pytest.raises(DataError, match="cannot be read: too many levels"):
        read_initial(loop)
