"""The environment: instructions one at a time, rewards, ends, and gymnasium's own checker."""

from __future__ import annotations

import warnings

import gymnasium
import pytest
from gymnasium.error import InvalidAction, ResetNeeded
from gymnasium.utils.env_checker import check_env
from hypothesis import given
from hypothesis import strategies as st

from rememberer_nb.envs import WIKIHOW_ID, make_env
from rememberer_nb.envs.wikihow.env import WikiHowEnv
from rememberer_nb.envs.wikihow.oracle import path_lengths, shortest_path
from rememberer_nb.errors import ConfigError, TaskError

KINDS = (
    "search", "article", "references", "about", "author", "category", "related",
    "author_article", "category_article", "long",
)  # fmt: skip


@pytest.fixture(scope="module")
def env() -> WikiHowEnv:
    return WikiHowEnv()


def test_gymnasium_makes_it_and_finds_no_fault() -> None:
    made = gymnasium.make(WIKIHOW_ID)
    assert made.spec.max_episode_steps == 15
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        check_env(made.unwrapped, skip_render_check=True)
    assert WikiHowEnv(render_mode="ansi").render_mode == "ansi"


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_reveals_one_instruction_at_a_time_and_pays_each(
    env: WikiHowEnv, kind: str
) -> None:
    number = next(i for i, t in enumerate(env.how_to_tasks) if i >= 90 and t.kind == kind)
    goals = env.how_to_tasks[number].goals
    observation, info = env.reset(options={"task": number})
    text, total = info["task"].text, 0.0
    assert [line.removeprefix("Then, ").lower() for line in text.split("\n")] == [
        goal.instruction.lower() for goal in goals
    ]
    for action in shortest_path(env, number):
        assert observation.split("\n")[-1] == f"Instruction: {goals[int(total)].instruction}"
        assert info["instruction"] == goals[int(total)].instruction
        assert not info["is_success"]
        observation, reward, terminated, truncated, info = env.step(action)
        total += reward
        assert reward in (0.0, 1.0)
        assert info["sub_goals_reached"] == total
        assert info["task"].text == text
        assert not truncated
        assert terminated == info["is_success"] == (total == len(goals))
    assert terminated


def test_a_later_goal_reached_too_early_pays_nothing(env: WikiHowEnv) -> None:
    number = next(i for i, t in enumerate(env.how_to_tasks) if i >= 90 and t.kind == "about")
    env.reset(options={"task": number})
    env.step("CLICK(0)")
    _, reward, terminated, _, info = env.step("CLICK(4)")
    assert info["page_type"] == "about"
    assert (reward, terminated, info["sub_goals_reached"]) == (0.0, False, 0)


def test_a_no_op_changes_neither_screen_nor_instruction(env: WikiHowEnv) -> None:
    observation, info = env.reset(options={"task": 120})
    for action in ("CLICK(77)", "dance", "INPUT(0, x)", "INPUT(2, " + "x" * 100_000 + ")", "\x00"):
        after, reward, terminated, truncated, told = env.step(action)
        assert (after, reward, terminated, truncated) == (observation, 0.0, False, False)
        assert told["no_op"]
        assert {k: v for k, v in told.items() if k != "no_op"} == {
            k: v for k, v in info.items() if k != "no_op"
        }
    assert info["no_op"] == ""


def test_the_step_limit_truncates_and_terminates_not() -> None:
    limited = make_env("wikihow")
    limited.reset(options={"task": 120})
    results = [limited.step("SCROLL(DOWN)") for _ in range(15)]
    assert [r[3] for r in results] == [False] * 14 + [True]
    assert not any(r[2] for r in results)


def test_after_the_end_comes_a_reset(env: WikiHowEnv) -> None:
    env.reset(options={"task": 90})
    assert env.step(shortest_path(env, 90)[0])[2]
    assert env.render().split("\n")[-1].startswith("Instruction: Search")
    with pytest.raises(ResetNeeded):
        env.step("GOBACK")
    with pytest.raises(ResetNeeded):
        WikiHowEnv().step("GOBACK")
    env.reset(options={"task": 90})
    with pytest.raises(InvalidAction):
        env.step(3)  # type: ignore[arg-type]


def test_tasks_are_named_or_drawn_by_the_seed(env: WikiHowEnv) -> None:
    assert env.reset(options={"task": "7"})[1]["task"].number == 7
    drawn = [env.reset(seed=seed)[1]["task"].number for seed in (1, 1, 2, 3)]
    assert drawn[0] == drawn[1]
    assert len(set(drawn)) > 1
    with pytest.raises(TaskError, match="there are tasks 0 to 199"):
        env.reset(options={"task": 200})
    with pytest.raises(ConfigError):
        make_env("wikihow", max_steps=0)


def test_two_visitors_do_not_disturb_each_other() -> None:
    one, other = WikiHowEnv(), WikiHowEnv()
    before, _ = one.reset(options={"task": 120})
    other.reset(options={"task": 121})
    other.step("CLICK(0)")
    assert one.render() == before


@given(st.lists(st.text(max_size=30) | st.integers(0, 60).map("CLICK({})".format), max_size=12))
def test_any_actions_can_be_taken(actions: list[str]) -> None:
    visitor = WikiHowEnv()
    observation, info = visitor.reset(options={"task": 129})
    for action in actions:
        after, reward, terminated, _, told = visitor.step(action)
        if told["no_op"]:
            assert after == observation
            assert reward == 0.0
        assert told["page_type"] == visitor.profile.page_type(after)
        observation, info = after, told
        if terminated:
            break
    assert info["sub_goals_reached"] <= 5


def test_the_oracle_solves_every_task_within_the_limit(env: WikiHowEnv) -> None:
    lengths = path_lengths(env)
    assert tuple(lengths) == KINDS
    every = [n for values in lengths.values() for n in values]
    assert len(every) == len(env.tasks)
    assert max(every) <= 15
    # Each goal takes a step of its own, and no kind is longer than its goals and two more.
    for task, path in ((t, shortest_path(env, i)) for i, t in enumerate(env.how_to_tasks[:40])):
        assert len(task.goals) <= len(path) <= len(task.goals) + 2
