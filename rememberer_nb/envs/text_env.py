"""What the text environments share: their spaces, how a task is chosen, which calls are refused."""

from __future__ import annotations

import string
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import gymnasium
from gymnasium.error import InvalidAction, ResetNeeded
from gymnasium.spaces import Text

from rememberer_nb.elements import Task
from rememberer_nb.envs.tasks import find_task

_SAMPLE_LENGTH = 64


class AnyText(Text):
    """The space of all strings; samples are short and printable."""

    def __init__(self) -> None:
        super().__init__(_SAMPLE_LENGTH, charset=string.printable)

    def contains(self, x: Any) -> bool:
        """Whether x is a string."""
        return isinstance(x, str)


class TextTaskEnv(gymnasium.Env[str, str]):
    """An environment with text observations, text actions and numbered tasks.

    A member sets `tasks` and `profile`, and calls `_choose_task` and `_check_action`.
    """

    metadata: ClassVar[dict[str, Any]] = {"render_modes": ["ansi"], "render_fps": 1}

    def __init__(self, render_mode: str | None = None):
        self.render_mode = render_mode
        self.observation_space = AnyText()
        self.action_space = AnyText()

    @property
    def tasks(self) -> Sequence[Task]:
        """The tasks, by number."""
        raise NotImplementedError

    def _choose_task(self, seed: int | None, options: Mapping[str, Any] | None) -> Task:
        """Seed the environment, and take `options["task"]` or a task drawn at random.

        Raises `TaskError`, which names the range, if there is no such task.
        """
        super().reset(seed=seed)
        wanted = (options or {}).get("task")
        if wanted is None:
            wanted = int(self.np_random.integers(len(self.tasks))) if self.tasks else 0
        return find_task(self.tasks, wanted)

    @staticmethod
    def _check_action(action: object, is_under_way: bool) -> None:
        """Refuse a step without a task under way, and an action that is no string."""
        if not is_under_way:
            raise ResetNeeded("no task is under way: call reset() before the next step")
        if not isinstance(action, str):
            raise InvalidAction(f"an action is a string, got {action!r:.80}")
