"""The how-to site as a gymnasium environment with text observations and text actions."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rememberer_nb.elements import Task
from rememberer_nb.envs.profile import Profile
from rememberer_nb.envs.text_env import TextTaskEnv
from rememberer_nb.envs.wikihow.engine import Engine
from rememberer_nb.envs.wikihow.goals import Goal, as_tasks, load_tasks
from rememberer_nb.envs.wikihow.profile import WIKIHOW
from rememberer_nb.envs.wikihow.site import load_site
from rememberer_nb.system.resources import data_path

INSTRUCTION_PREFIX = "Instruction: "


class WikiHowEnv(TextTaskEnv):
    """One visitor with a command of one to five instructions, revealed one at a time.

    Parameters
    ----------
    site : the content (`data/wikihow/site.json.gz` by default).
    tasks : the tasks over it (by default `tasks.json` beside the site's file).

    An observation is the screen (`screens`), and in its last line the latest instruction:
    ``Instruction: Access the article "How to ..."``. The task's text is the whole command and does
    not change during an episode. Each instruction pays 1 when it is fulfilled; at most one per
    step. The last one ends the episode.

    `info` holds `task`, `available_actions`, `page_type`, `is_success`, `instruction` (the latest
    one), `sub_goals_reached` (their number) and `no_op`: why the action changed nothing, or "".

    Raises
    ------
    DataError
        A file is missing or damaged; names the file and the row.

    Examples
    --------
    >>> env = WikiHowEnv()
    >>> observation, info = env.reset(options={"task": 90})
    >>> info["available_actions"]
    ('INPUT(2, <text>)', 'CLICK(0)', 'CLICK(2)', 'CLICK(3)')
    >>> info["instruction"] == observation.splitlines()[-1].removeprefix("Instruction: ")
    True
    >>> env.step("GOBACK")[4]["no_op"]
    'there is no page to go back to'
    """

    def __init__(
        self,
        *,
        site: str | Path | None = None,
        tasks: str | Path | None = None,
        render_mode: str | None = None,
    ):
        super().__init__(render_mode)
        site_path = (data_path("wikihow", "site.json.gz") if site is None else Path(site)).resolve()
        task_path = (site_path.parent / "tasks.json" if tasks is None else Path(tasks)).resolve()
        self.engine = Engine(load_site(site_path))
        self.how_to_tasks = load_tasks(task_path, site_path)
        self._tasks = as_tasks(self.how_to_tasks)
        self._task: Task | None = None
        self._goals: tuple[Goal, ...] = ()
        self._n_reached = 0

    @property
    def tasks(self) -> tuple[Task, ...]:
        """The tasks, by number."""
        return self._tasks

    @property
    def profile(self) -> Profile:
        """What an agent needs to know of the site."""
        return WIKIHOW

    @property
    def goal(self) -> Goal:
        """What is to be done now; the last goal once all are reached."""
        return self._goals[min(self._n_reached, len(self._goals) - 1)]

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[str, dict[str, Any]]:
        """Start the task `options["task"]` (a number, or one as text), or one drawn at random.

        Raises
        ------
        TaskError
            There is no such task; the message names the range.
        """
        self._task = self._choose_task(seed, options)
        self._goals = self.how_to_tasks[self._task.number].goals
        self._n_reached = 0
        self.engine.reset()
        return self.render(), self._info("")

    def step(self, action: str) -> tuple[str, float, bool, bool, dict[str, Any]]:
        """Carry out a text action; what cannot be done changes nothing and earns nothing."""
        self._check_action(action, self._task is not None and not self._is_over)
        no_op = self.engine.act(action)
        reward = 0.0
        if not no_op and self.goal.is_reached(self.engine.page, self.engine.screen):
            self._n_reached += 1
            reward = 1.0
        return self.render(), reward, self._is_over, False, self._info(no_op)

    def render(self) -> str:  # type: ignore[override]
        """The screen and the latest instruction."""
        return f"{self.engine.screen.text}\n{INSTRUCTION_PREFIX}{self.goal.instruction}"

    @property
    def _is_over(self) -> bool:
        return self._n_reached == len(self._goals)

    def _info(self, no_op: str) -> dict[str, Any]:
        return {
            "task": self._task,
            "available_actions": self.engine.available_actions,
            "page_type": self.engine.page.place.kind,
            "is_success": self._is_over,
            "instruction": self.goal.instruction,
            "sub_goals_reached": self._n_reached,
            "no_op": no_op,
        }
