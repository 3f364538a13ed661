"""Environments: `gymnasium.Env` with text observations, and a profile each.

Every environment speaks the same way. `reset(seed=..., options={"task": n})` and `step(action)`
put `task`, `available_actions`, `page_type` and `is_success` into `info`; `tasks` and `profile`
are attributes of what `make_env` returns. `terminated` is the environment's word, `truncated` the
step limit's alone. `rememberer_nb.testing.check_env` checks all of this.
"""

from __future__ import annotations

from typing import Any

import gymnasium
from gymnasium.wrappers import TimeLimit

from rememberer_nb.config import RolloutConfig
from rememberer_nb.elements import Task
from rememberer_nb.envs import webshop, wikihow
from rememberer_nb.envs.profile import Profile
from rememberer_nb.envs.registry import EnvSpec, find_env, get_profile, register_env
from rememberer_nb.envs.tasks import development_tasks, find_task, task_numbers, task_sets
from rememberer_nb.errors import ConfigError

WEBSHOP_ID = "rememberer_nb/WebShop-v0"
WIKIHOW_ID = "rememberer_nb/WikiHow-v0"
_BUNDLED = {WEBSHOP_ID: webshop.SPEC, WIKIHOW_ID: wikihow.SPEC}
BUNDLED = tuple(spec.name for spec in _BUNDLED.values())


class StepLimit(TimeLimit):
    """gymnasium's `TimeLimit`, the only source of truncation, with `tasks` and `profile`."""

    @property
    def tasks(self) -> tuple[Task, ...]:
        """The environment's tasks, by number."""
        return self.env.get_wrapper_attr("tasks")  # type: ignore[no-any-return]

    @property
    def profile(self) -> Profile:
        """What an agent needs to know of the environment."""
        return self.env.get_wrapper_attr("profile")  # type: ignore[no-any-return]


def make_env(
    name: str, *, max_steps: int = RolloutConfig().max_steps, **settings: Any
) -> StepLimit:
    """An environment by name, with a step limit.

    Parameters
    ----------
    name : "webshop", "wikihow", or what `register_env` or an installed package has named.
    max_steps : steps after which an episode is truncated.
    settings : the environment's own, see its class (`envs.webshop.env.WebShopEnv`,
        `envs.wikihow.env.WikiHowEnv`).

    Raises
    ------
    ConfigError
        No environment has that name, or a setting is out of range.
    CatalogueError
        The web shop's files are missing or damaged (the how-to site's: `DataError`).

    Examples
    --------
    >>> env = make_env("webshop")
    >>> observation, info = env.reset(seed=0, options={"task": 500})
    >>> info["task"].number, info["available_actions"][0]
    (500, 'search[<keywords>]')
    """
    make = find_env(name).load("make")
    if not isinstance(max_steps, int) or max_steps < 1:
        raise ConfigError(f"max_steps must be a whole number of at least 1, got {max_steps!r}")
    return StepLimit(make(**settings), max_steps)


for _id, _spec in _BUNDLED.items():
    register_env(_spec)
    if _id not in gymnasium.registry:
        gymnasium.register(_id, entry_point=_spec.make, max_episode_steps=RolloutConfig().max_steps)

__all__ = [
    "BUNDLED",
    "WEBSHOP_ID",
    "WIKIHOW_ID",
    "EnvSpec",
    "Profile",
    "StepLimit",
    "development_tasks",
    "find_env",
    "find_task",
    "get_profile",
    "make_env",
    "register_env",
    "task_numbers",
    "task_sets",
]
