"""Environments: `gymnasium.Env` with text observations, and a profile each.

Every environment speaks the same way. `reset(seed=..., options={"task": n})` and `step(action)`
put `task`, `available_actions`, `page_type` and `is_success` into `info`; `tasks` and `profile`
are attributes of what `make_env` returns. `terminated` is the environment's word, `truncated` the
step limit's alone.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import gymnasium
from gymnasium.wrappers import TimeLimit

from rememberer_nb.config import RolloutConfig
from rememberer_nb.elements import Task
from rememberer_nb.envs.profile import Profile, get_profile, register_profile
from rememberer_nb.envs.tasks import (
    TASK_SETS,
    development_tasks,
    find_task,
    task_numbers,
    task_sets,
)
from rememberer_nb.errors import ConfigError

WEBSHOP_ID = "rememberer_nb/WebShop-v0"
WIKIHOW_ID = "rememberer_nb/WikiHow-v0"


class StepLimit(TimeLimit):
    """gymnasium's `TimeLimit`, the only source of truncation, with `tasks` and `profile`."""

    @property
    def tasks(self) -> tuple[Task, ...]:
        """The environment's tasks, by number."""
        return self.env.get_wrapper_attr("tasks")

    @property
    def profile(self) -> Profile:
        """What an agent needs to know of the environment."""
        return self.env.get_wrapper_attr("profile")


def _webshop() -> Profile:
    from rememberer_nb.envs.webshop.profile import WEBSHOP

    return WEBSHOP


def _make_webshop(**settings: Any) -> gymnasium.Env[str, str]:
    from rememberer_nb.envs.webshop.env import WebShopEnv

    return WebShopEnv(**settings)


def _wikihow() -> Profile:
    from rememberer_nb.envs.wikihow.profile import WIKIHOW

    return WIKIHOW


def _make_wikihow(**settings: Any) -> gymnasium.Env[str, str]:
    from rememberer_nb.envs.wikihow.env import WikiHowEnv

    return WikiHowEnv(**settings)


_MAKERS: dict[str, Callable[..., gymnasium.Env[str, str]]] = {}


def register_env(name: str, make: Callable[..., gymnasium.Env[str, str]]) -> None:
    """Make an environment known to `make_env`; `make(**settings)` builds it without step limit."""
    _MAKERS[name] = make


def make_env(
    name: str, *, max_steps: int = RolloutConfig().max_steps, **settings: Any
) -> StepLimit:
    """An environment by name, with a step limit.

    Parameters
    ----------
    name : "webshop", "wikihow", or what `register_env` was told.
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
    if name not in _MAKERS:
        known = ", ".join(sorted(_MAKERS))
        raise ConfigError(f"no environment is named {name!r:.80}; known: {known}")
    if not isinstance(max_steps, int) or max_steps < 1:
        raise ConfigError(f"max_steps must be a whole number of at least 1, got {max_steps!r}")
    return StepLimit(_MAKERS[name](**settings), max_steps)


register_profile("webshop", _webshop)
register_env("webshop", _make_webshop)
register_profile("wikihow", _wikihow)
register_env("wikihow", _make_wikihow)
for _id, _entry_point in (
    (WEBSHOP_ID, "rememberer_nb.envs.webshop.env:WebShopEnv"),
    (WIKIHOW_ID, "rememberer_nb.envs.wikihow.env:WikiHowEnv"),
):
    if _id not in gymnasium.registry:
        gymnasium.register(
            _id, entry_point=_entry_point, max_episode_steps=RolloutConfig().max_steps
        )

__all__ = [
    "TASK_SETS",
    "WEBSHOP_ID",
    "WIKIHOW_ID",
    "Profile",
    "StepLimit",
    "development_tasks",
    "find_task",
    "get_profile",
    "make_env",
    "register_env",
    "register_profile",
    "task_numbers",
    "task_sets",
]
