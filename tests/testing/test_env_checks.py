"""Our environments pass; each check finds the fault that it is there for."""

from __future__ import annotations

import dataclasses
import itertools

import gymnasium
import pytest

from rememberer_nb.envs import BUNDLED, development_tasks, make_env
from rememberer_nb.errors import CheckError
from rememberer_nb.testing import check_env
from tests.envs.toy.corridor import PROFILE, TASKS, Corridor

NAMES = (
    "spaces", "profile", "numbered_tasks", "order_of_calls", "what_is_seen", "one_ending",
    "refused_actions", "available_actions", "same_again", "drawn_tasks",
)  # fmt: skip


@pytest.mark.parametrize("env", BUNDLED)
def test_the_bundled_ones(env: str) -> None:
    assert check_env(lambda: make_env(env), development_tasks(env)[:4]) == NAMES


@pytest.mark.parametrize("settings", [{"observation_format": "text"}, {"goals": "synthetic"}])
def test_other_forms_of_the_shop(settings: dict) -> None:
    assert check_env(lambda: make_env("webshop", **settings), [100, 101]) == NAMES


def test_one_of_others() -> None:
    assert check_env(Corridor) == NAMES


class NoEnv:
    unwrapped = property(lambda self: self)


class WholeNumbers(Corridor):
    def __init__(self):
        super().__init__()
        self.action_space = gymnasium.spaces.Discrete(2)


class NoProfile(Corridor):
    profile = "corridor"


class NoMark(Corridor):
    profile = dataclasses.replace(PROFILE, full_mark=0.0)


class Misnumbered(Corridor):
    tasks = TASKS[::-1]


class SameIds(Corridor):
    tasks = tuple(dataclasses.replace(task, task_id="0") for task in TASKS)


class AnyTask(Corridor):
    def reset(self, *, seed=None, options=None):
        number = (options or {}).get("task", 0) % len(TASKS)
        return super().reset(seed=seed, options={"task": number})


class GoesOn(Corridor):
    def step(self, action):
        self.is_over = False
        return super().step(action)


class StepsBeforeReset(Corridor):
    is_over = False

    def step(self, action):
        if not hasattr(self, "task"):
            return "", 0.0, False, False, {}
        return super().step(action)


class Altered(Corridor):
    """Changes what a step gives."""

    def step(self, action):
        return self.altered(*super().step(action))


class NoReward(Altered):
    def altered(self, observation, reward, terminated, truncated, info):
        return observation, None, terminated, truncated, info


class NumbersForFlags(Altered):
    def altered(self, observation, reward, terminated, truncated, info):
        return observation, reward, int(terminated), truncated, info


class NoPageType(Altered):
    def altered(self, observation, reward, terminated, truncated, info):
        del info["page_type"]
        return observation, reward, terminated, truncated, info


class ListOfActions(Altered):
    def altered(self, observation, reward, terminated, truncated, info):
        actions = list(info["available_actions"])
        return observation, reward, terminated, truncated, {**info, "available_actions": actions}


class BothEnds(Altered):
    def altered(self, observation, reward, terminated, truncated, info):
        return observation, reward, terminated, terminated, info


class EarlySuccess(Altered):
    def altered(self, observation, reward, terminated, truncated, info):
        return observation, reward, terminated, truncated, {**info, "is_success": True}


class TakesAnything(Corridor):
    def step(self, action):
        self._check_action(action, not self.is_over)
        return super().step(action if action in self.actions else self.actions[0])


class PaysForNothing(Altered):
    def altered(self, observation, reward, terminated, truncated, info):
        return observation, 0.1, terminated, truncated, info


class ReadsNothing(Corridor):
    @property
    def actions(self):
        return (*super().actions, "say <words> to <words>")

    profile = dataclasses.replace(PROFILE, placeholders=("<words>",))


class CountsEpisodes(Corridor):
    numbers = itertools.count()

    def reset(self, *, seed=None, options=None):
        self.episode = next(self.numbers)
        return super().reset(seed=seed, options=options)

    def render(self):
        return f"Episode {self.episode}. {super().render()}"


class UnseededTasks(Corridor):
    numbers = itertools.count()

    def reset(self, *, seed=None, options=None):
        drawn = {"task": next(self.numbers) % len(TASKS)}
        return super().reset(seed=seed, options=options or drawn)


class AlwaysTheFirst(Corridor):
    def reset(self, *, seed=None, options=None):
        return super().reset(seed=seed, options=options or {"task": 0})


@pytest.mark.parametrize(
    ("wrong", "check", "problem"),
    [
        (NoEnv, "spaces", r"a gymnasium\.Env"),
        (WholeNumbers, "spaces", r"a space of texts, found Discrete\(2\)"),
        (NoProfile, "profile", "a Profile, found 'corridor'"),
        (NoMark, "profile", r"a full mark above 0, found 0\.0"),
        (Misnumbered, "numbered_tasks", "task 0 there, found Task"),
        (SameIds, "numbered_tasks", "an id of its own for each task, found '1 ids'"),
        (AnyTask, "numbered_tasks", "a TaskError for task 12, found 'none'"),
        (StepsBeforeReset, "order_of_calls", "ResetNeeded from a step before the first reset"),
        (GoesOn, "order_of_calls", "no error, found AttributeError"),
        (NoReward, "what_is_seen", "a finite reward, found None"),
        (NumbersForFlags, "what_is_seen", "terminated, truncated, is_success: bool, found"),
        (NoPageType, "what_is_seen", r"info with task, .*, found \['page_type'\]"),
        (ListOfActions, "what_is_seen", "available_actions: a tuple of texts"),
        (BothEnds, "one_ending", "terminated or truncated, not both"),
        (EarlySuccess, "one_ending", "success at a terminated end alone"),
        (TakesAnything, "refused_actions", "the same page, found 'You are in the blue room.'"),
        (PaysForNothing, "refused_actions", r"no reward for what is refused, found 0\.1"),
        (ReadsNothing, "available_actions", r"profile\.match to find"),
        (CountsEpisodes, "same_again", "the same again"),
        (UnseededTasks, "drawn_tasks", r"the tasks \[.*\] for the same seeds"),
        (AlwaysTheFirst, "drawn_tasks", "other seeds to draw other tasks"),
    ],
)
def test_what_is_wrong_is_found(wrong, check: str, problem: str) -> None:
    with pytest.raises(CheckError, match=rf"^check_env: {check}: expected {problem}"):
        check_env(wrong)
