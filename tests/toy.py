"""A tiny world for the tests: a corridor with one right door, and an LLM that follows a script."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any

from rememberer_nb.elements import Prompt, Reply, Task
from rememberer_nb.envs.profile import Profile
from rememberer_nb.errors import LLMError

COLOURS = ("red", "blue", "green", "white")


def page_type(observation: str) -> str:
    """ "hall" at the start of the corridor, "door" before a door, "end" behind one."""
    if observation.startswith("You went"):
        return "end"
    return "hall" if "start" in observation else "door"


TOY = Profile(
    name="toy",
    introduction="You walk along a corridor and open one door.",
    full_mark=1.0,
    action_pattern=re.compile(r"\b(?:go|open|say)\s*\[[^\[\]\n]*\]", re.IGNORECASE),
    placeholders=("<words>",),
    page_type=page_type,
)


class ToyEnv:
    """Doors in a row; opening the door of the wanted colour pays 1, any other 0, and both end it.

    Task k wants the door of colour k. A step limit truncates, as a time limit does.
    """

    name = "toy"
    profile = TOY

    def __init__(self, max_steps: int = 6):
        self.max_steps = max_steps

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[str, dict[str, Any]]:
        self.number = (options or {}).get("task", 0)
        self.place, self.n_steps, self.ending, self.seed = 0, 0, None, seed
        return self._observation(), self._info()

    def step(self, action: str) -> tuple[str, float, bool, bool, dict[str, Any]]:
        self.n_steps += 1
        reward = 0.0
        if action == "go[on]":
            self.place = min(self.place + 1, len(COLOURS))
        elif action == "go[back]":
            self.place = max(self.place - 1, 0)
        elif action == "open[door]" and self.place:
            self.ending = COLOURS[self.place - 1]
            reward = float(self.place - 1 == self.number)
        terminated = self.ending is not None
        truncated = self.n_steps >= self.max_steps
        return self._observation(), reward, terminated, truncated, self._info()

    def _observation(self) -> str:
        if self.ending:
            return f"You went through the {self.ending} door."
        if not self.place:
            return "You are at the start of the corridor."
        return f"You stand before the {COLOURS[self.place - 1]} door."

    def _info(self) -> dict[str, Any]:
        colour = COLOURS[self.number % len(COLOURS)]
        door = () if not self.place else ("open[door]",)
        return {
            "task": Task(str(self.number), f"open the {colour} door", self.number),
            "available_actions": ("go[on]", "go[back]", *door, "say[<words>]"),
            "page_type": page_type(self._observation()),
            "is_success": self.ending == colour,
        }


Script = Sequence[str | Exception] | Callable[[Prompt, int], str]


class ScriptedLLM:
    """Answers from a list (which it goes through again and again) or by a function."""

    name = "scripted"

    def __init__(self, script: Script):
        self.script = script
        self.prompts: list[Prompt] = []
        self.seeds: list[int] = []

    def complete(self, prompt: Prompt, *, seed: int = 0) -> Reply:
        self.prompts.append(prompt)
        self.seeds.append(seed)
        if callable(self.script):
            text = self.script(prompt, seed)
        else:
            text = self.script[(len(self.prompts) - 1) % len(self.script)]
        if isinstance(text, Exception):
            raise text
        return Reply(text, prompt_tokens=prompt.n_tokens, completion_tokens=1, model=self.name)


def opens_the_right_door(prompt: Prompt, seed: int) -> str:
    """A policy that solves every task: walk on until the wanted door is reached."""
    now = prompt.text[prompt.text.index("## Now") :]
    wanted = re.search(r"Task: open the (\w+) door", now)
    here = re.search(r"before the (\w+) door", now)
    if wanted and here and wanted[1] == here[1]:
        return "open[door] -> 1.0 the colour fits"
    return "go[on] -> 0.5 not there yet"


NO_ANSWER = LLMError("the server is away")
