"""Task sets and single tasks."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rememberer_nb.elements import Task
from rememberer_nb.envs.registry import _SPECS, EnvSpec
from rememberer_nb.envs.tasks import development_tasks, find_task, task_numbers, task_sets
from rememberer_nb.errors import ConfigError, TaskError


@pytest.mark.parametrize(
    ("spec", "numbers"),
    [
        ("test", range(100)),
        ("S0", range(500, 510)),
        ("S1", range(510, 520)),
        ("500:510", range(500, 510)),
        ("3,7,12", (3, 7, 12)),
        ("7", (7,)),
        (" 9 , 3 ", (9, 3)),
        ("1:4,2,0", (1, 2, 3, 0)),
        ("S0,S1", range(500, 520)),
    ],
)
def test_webshop_task_sets(spec: str, numbers: range | tuple[int, ...]) -> None:
    assert task_numbers(spec, 700) == tuple(numbers)


@pytest.mark.parametrize("spec", ["700", "690:701", "-1", "0,700", "999999999999"])
def test_webshop_task_sets_out_of_range(spec: str) -> None:
    with pytest.raises(TaskError, match="there are tasks 0 to 699"):
        task_numbers(spec, 700)


def test_webshop_task_sets_of_a_small_shop() -> None:
    with pytest.raises(TaskError, match="0 to 99"):
        task_numbers("S0", 100)
    with pytest.raises(TaskError, match="there are no tasks"):
        task_numbers("0", 0)


@pytest.mark.parametrize(
    "spec",
    ["", ",", "s0", "all", "1:", ":1", "5:5", "9:3", "1:2:3", "1.5", "0x1", "１", "9" * 5000],
)
def test_webshop_task_sets_that_cannot_be_read(spec: str) -> None:
    with pytest.raises(ConfigError, match="tasks should be one of test, S0, S1"):
        task_numbers(spec, 700)


@given(st.text(alphabet="0123456789:,-S t", max_size=12))
def test_webshop_task_sets_are_in_range_or_refused(spec: str) -> None:
    try:
        numbers = task_numbers(spec, 700)
    except (ConfigError, TaskError):
        return
    assert numbers
    assert len(set(numbers)) == len(numbers)
    assert all(0 <= number < 700 for number in numbers)


def test_webshop_find_task_by_task_value() -> None:
    tasks = (Task("0", "a", 0), Task("1", "b", 1))
    assert find_task(tasks, Task("1", "b", 1)) is tasks[1]
    with pytest.raises(TaskError, match="no task 5: there are tasks 0 to 1"):
        find_task(tasks, Task("5", "c", 5))


@pytest.mark.parametrize(
    ("spec", "numbers"), [("test", range(70)), ("S0", range(70, 80)), ("S1,0", (*range(80, 90), 0))]
)
def test_wikihow_task_sets(spec: str, numbers: range | tuple[int, ...]) -> None:
    assert task_numbers(spec, 200, "wikihow") == tuple(numbers)


def test_task_sets_of_an_environment_that_names_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(_SPECS, "own", EnvSpec("own", make="own:Env", profile="own:PROFILE"))
    assert (task_sets("own"), development_tasks("own")) == ({}, ())
    assert task_numbers("1:3", 5, "own") == (1, 2)
    with pytest.raises(ConfigError, match="tasks should be a range a:b"):
        task_numbers("S0", 700, "own")


@pytest.mark.parametrize(("env", "n_tasks"), [("webshop", 727), ("wikihow", 200)])
def test_development_tasks_are_of_no_named_set(env, n_tasks):
    found = set(development_tasks(env))
    assert found and max(found) < n_tasks
    assert all(found.isdisjoint(numbers) for numbers in task_sets(env).values())


@pytest.mark.parametrize("ask", [task_sets, development_tasks])
def test_an_unknown_environment_is_named(ask):
    with pytest.raises(ConfigError, match=r"no environment is named 'moon'; known: .*webshop"):
        ask("moon")


def test_a_set_in_any_order_is_taken_in_it_and_checked_whole(monkeypatch):
    own = EnvSpec("own", make="own:Env", profile="own:PROFILE", task_sets={"S0": [3, 9, 1]})
    monkeypatch.setitem(_SPECS, "own", own)
    assert task_numbers("S0,1", 10, "own") == (3, 9, 1)
    with pytest.raises(TaskError, match="no task 9: there are tasks 0 to 8"):
        task_numbers("S0", 9, "own")
