"""Does an environment keep what `rememberer_nb.envs` promises of all of them?"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import gymnasium
import numpy as np
from gymnasium.error import ResetNeeded

from rememberer_nb.agents.baselines import random_action
from rememberer_nb.elements import Situation, Task
from rememberer_nb.envs.profile import Profile
from rememberer_nb.errors import RemembererError, TaskError
from rememberer_nb.prompting.replies import parse_reply
from rememberer_nb.testing.checks import expect, is_one_line, run_checks

INFO_KEYS = ("task", "available_actions", "page_type", "is_success")
REFUSED = "no such action [moon]"
# A random walk ends here at the latest.
N_STEPS = 30
N_WALKS = 4
Make = Callable[[], Any]


class Seen(NamedTuple):
    """What a reset or a step gave; a reset gives no reward and ends nothing."""

    observation: Any
    reward: Any
    terminated: Any
    truncated: Any
    info: Any


def check_env(make: Make, tasks: Sequence[int] = (0, 1)) -> tuple[str, ...]:
    """Check an environment, with or without its step limit.

    Parameters
    ----------
    make : makes it.
    tasks : numbers of the tasks that are begun; no test tasks, if these are to stay unseen.

    Returns
    -------
    tuple of str
        The names of the checks.

    Raises
    ------
    CheckError
        Names the check, what was expected and what was found.

    Examples
    --------
    >>> from rememberer_nb import make_env
    >>> check_env(lambda: make_env("wikihow"), tasks=[90])[:3]
    ('spaces', 'profile', 'numbered_tasks')
    """
    checks = (
        spaces, profile, numbered_tasks, order_of_calls, what_is_seen, one_ending,
        refused_actions, available_actions, same_again, drawn_tasks,
    )  # fmt: skip
    return run_checks("check_env", checks, lambda: make().unwrapped, tuple(tasks))


def _begin(env: Any, task: int | None, seed: int = 0) -> Seen:
    observation, info = env.reset(seed=seed, options=None if task is None else {"task": task})
    return Seen(observation, 0.0, False, False, info)


def _walk(env: Any, task: int, seed: int = 0) -> tuple[list[Seen], list[str]]:
    """What a seeded random walk through a task sees, and the actions that it took."""
    rng, seen, taken = np.random.default_rng(seed), [_begin(env, task, seed)], []
    while len(seen) <= N_STEPS and not (seen[-1].terminated or seen[-1].truncated):
        last = seen[-1]
        situation = Situation(last.info["task"], last.observation, last.info["available_actions"])
        taken.append(random_action(situation, env.profile, rng))
        seen.append(Seen(*env.step(taken[-1])))
    return seen, taken


def _walks(env: Any, task: int) -> list[Seen]:
    """What a few walks through a task see."""
    return [seen for seed in range(N_WALKS) for seen in _walk(env, task, seed)[0]]


def spaces(make: Make, tasks: Sequence[int]) -> None:
    """It is a `gymnasium.Env` whose spaces hold texts."""
    env = make()
    expect(isinstance(env, gymnasium.Env), "a gymnasium.Env", type(env))
    for space in (env.observation_space, env.action_space):
        expect(space is not None and space.contains("any text"), "a space of texts", space)


def profile(make: Make, tasks: Sequence[int]) -> None:
    """It has a profile: a name, an introduction, a full mark, a page type for any text."""
    known = make().profile
    expect(isinstance(known, Profile), "a Profile", known)
    expect(is_one_line(known.name), "a name on one line", known.name)
    expect(known.introduction.strip(), "an introduction", known.introduction)
    is_mark = math.isfinite(known.full_mark) and known.full_mark > 0
    expect(is_mark, "a full mark above 0", known.full_mark)
    kind = known.page_type("")
    expect(isinstance(kind, str), "page_type to give a text", kind)


def numbered_tasks(make: Make, tasks: Sequence[int]) -> None:
    """Task n has the number n and an id of its own; of others there are none (`TaskError`)."""
    env = make()
    for number, task in enumerate(env.tasks):
        expect(isinstance(task, Task) and task.number == number, f"task {number} there", task)
    ids = {task.task_id for task in env.tasks}
    expect(len(ids) == len(env.tasks), "an id of its own for each task", f"{len(ids)} ids")
    for number in tasks:
        task = _begin(env, number).info["task"]
        expect(task.number == number, f"reset to begin task {number}", task)
    try:
        _begin(env, len(env.tasks))
    except TaskError:
        return
    expect(False, f"a TaskError for task {len(env.tasks)}", "none")


def order_of_calls(make: Make, tasks: Sequence[int]) -> None:
    """A step before the first reset, or after the end, is gymnasium's `ResetNeeded`."""
    env = make()
    _expect_reset_needed(env, "before the first reset")
    for seed in range(20):
        if _walk(env, tasks[0], seed)[0][-1].terminated:
            _expect_reset_needed(env, "after the end")
            return


def _expect_reset_needed(env: Any, when: str) -> None:
    try:
        env.step("anything")
    except ResetNeeded:
        return
    expect(False, f"ResetNeeded from a step {when}", "none")


def what_is_seen(make: Make, tasks: Sequence[int]) -> None:
    """Texts, finite rewards, true or false, and an `info` with what agents need."""
    env = make()
    for task in tasks:
        for seen in _walks(env, task):
            expect(isinstance(seen.observation, str), "a text to see", seen.observation)
            is_number = isinstance(seen.reward, int | float) and math.isfinite(seen.reward)
            expect(is_number, "a finite reward", seen.reward)
            for flag in (seen.terminated, seen.truncated, seen.info.get("is_success")):
                expect(isinstance(flag, bool), "terminated, truncated, is_success: bool", flag)
            missing = [key for key in INFO_KEYS if key not in seen.info]
            expect(not missing, f"info with {', '.join(INFO_KEYS)}", missing)
            actions = seen.info["available_actions"]
            are_texts = isinstance(actions, tuple) and all(isinstance(a, str) for a in actions)
            expect(are_texts, "available_actions: a tuple of texts", actions)
            expect(seen.info["task"] == env.tasks[task], "the task in info", seen.info["task"])
            expect(isinstance(seen.info["page_type"], str), "a page_type", seen.info["page_type"])


def one_ending(make: Make, tasks: Sequence[int]) -> None:
    """An episode is terminated or truncated, not both; only a terminated one is a success."""
    env = make()
    for task in tasks:
        for seen in _walks(env, task):
            is_one = not (seen.terminated and seen.truncated)
            expect(is_one, "terminated or truncated, not both", "both")
            is_earned = seen.terminated or not seen.info["is_success"]
            expect(is_earned, "success at a terminated end alone", "it before the end")


def refused_actions(make: Make, tasks: Sequence[int]) -> None:
    """What is not available changes nothing and earns nothing."""
    env = make()
    for task in tasks:
        before = _begin(env, task)
        for _ in range(3):
            after = Seen(*env.step(REFUSED))
            expect(after.observation == before.observation, "the same page", after.observation)
            expect(after.reward == 0, "no reward for what is refused", after.reward)
            is_over = after.terminated or after.truncated
            expect(not is_over, "the episode to go on", "its end")
            actions = after.info["available_actions"]
            expect(actions == before.info["available_actions"], "the same actions", actions)


def available_actions(make: Make, tasks: Sequence[int]) -> None:
    """Each available action is known to the profile, and is read from a reply that names it."""
    env = make()
    known = env.profile
    for task in tasks:
        for seen in _walks(env, task):
            actions = seen.info["available_actions"]
            for action in actions:
                if known.is_template(action):
                    for placeholder in known.placeholders:
                        action = action.replace(placeholder, "red lamp")
                found = known.match(action, actions)
                expect(found == action, f"profile.match to find {action!r}", found)
                try:
                    read: object = parse_reply(f"{action} -> 0.50 so", actions, known).action
                except RemembererError as error:
                    read = error
                expect(read == action, f"{action!r} to be read from a reply", read)


def same_again(make: Make, tasks: Sequence[int]) -> None:
    """The same task, seed and actions are seen the same way again, in another instance too."""
    for task in tasks:
        env = make()
        seen, taken = _walk(env, task)
        for which in (env, make()):
            again = [_begin(which, task), *(Seen(*which.step(action)) for action in taken)]
            for before, after in zip(seen, again, strict=True):
                is_same = before[:4] == after[:4] and all(
                    before.info[key] == after.info[key] for key in INFO_KEYS
                )
                expect(is_same, f"the same again, {before[:4]!r:.60}", after[:4])


def drawn_tasks(make: Make, tasks: Sequence[int]) -> None:
    """Without a task, one is drawn; the seed alone decides which."""
    drawn = [[_begin(make(), None, seed).info["task"].number for seed in range(8)] for _ in "ab"]
    expect(drawn[0] == drawn[1], f"the tasks {drawn[0]} for the same seeds", drawn[1])
    n_tasks = len(make().tasks)
    expect(n_tasks < 2 or len(set(drawn[0])) > 1, "other seeds to draw other tasks", drawn[0])
