"""A package of somebody else: an environment with its LLM and its initial memory.

A corridor of four rooms; the lamp is to be taken in the room that the task names. Tests put this
file on the path of Python, with the metadata of an installed package, and touch nothing else.
"""

import random
import re

from rememberer_nb import EnvSpec, Profile, register_llm
from rememberer_nb.elements import ActionValue, Prompt, Record, Reply, Task
from rememberer_nb.envs.text_env import TextTaskEnv

ROOMS = ("green", "blue", "red", "white")
TASKS = tuple(Task(str(n), f"Take the lamp in the {ROOMS[n % 4]} room.", n) for n in range(12))


def page_type(observation):
    return "end" if "last room" in observation else "room"


PROFILE = Profile(
    name="corridor",
    introduction="You are in a corridor of four rooms. Walk to the right one, take the lamp.",
    full_mark=1.0,
    action_pattern=re.compile(r"walk on|take lamp"),
    placeholders=(),
    page_type=page_type,
)


class Corridor(TextTaskEnv):
    """Room 0 first; taking the lamp ends the episode and pays in the right room alone."""

    tasks = TASKS
    profile = PROFILE
    is_over = True

    def reset(self, *, seed=None, options=None):
        self.task = self._choose_task(seed, options)
        self.room, self.is_over = 0, False
        return self.render(), self._info(False)

    def step(self, action):
        self._check_action(action, not self.is_over)
        reward = 0.0
        if action in self.actions and action == "walk on":
            self.room += 1
        elif action in self.actions:
            self.is_over = True
            reward = float(self.room == self.task.number % len(ROOMS))
        return self.render(), reward, self.is_over, False, self._info(reward == 1.0)

    @property
    def actions(self):
        return ("walk on", "take lamp") if self.room < len(ROOMS) - 1 else ("take lamp",)

    def render(self):
        place = f"You are in the {ROOMS[self.room]} room"
        return f"{place}, the last room." if self.room == len(ROOMS) - 1 else f"{place}."

    def _info(self, is_success):
        return {
            "task": self.task,
            "available_actions": self.actions,
            "page_type": page_type(self.render()),
            "is_success": is_success,
        }


class Walker:
    """Takes what the last example encourages, if it can; else it draws."""

    name = "walker"

    @property
    def settings(self):
        return {"version": 1}

    def complete(self, prompt: Prompt, *, seed: int = 0) -> Reply:
        examples, _, now = prompt.text.rpartition("## Now")
        actions = [line[2:] for line in now.partition("Available actions:\n")[2].splitlines()]
        actions = [action for action in actions if PROFILE.action_pattern.fullmatch(action)]
        if not actions:
            return Reply("there is nothing to do")
        good = re.findall(r"Encouraged:\n- (walk on|take lamp)", examples)
        chosen = good[-1] if good and good[-1] in actions else random.Random(seed).choice(actions)
        return Reply(f"{chosen} -> 0.50 so it was", prompt_tokens=1, completion_tokens=1)


def demonstration():
    """The way to the blue room: one room on, then the lamp."""
    on, take = (ActionValue(action, 1.0, 1, is_initial=True) for action in ("walk on", "take lamp"))
    both, task = ("walk on", "take lamp"), TASKS[1].text
    return (
        Record(0, task, "You are in the green room.", both, (on,), "shown"),
        Record(1, task, "You are in the blue room.", both, (take,), "shown"),
    )


register_llm("walker", lambda detail, profile: Walker())

SPEC = EnvSpec(
    "corridor",
    make=Corridor,
    profile=PROFILE,
    place="corridor of four rooms",
    task_sets={"S0": (1, 3), "test": range(4, 8)},
    development=range(8, 12),
    initial={"shown": demonstration},
    default_initial="shown",
)
NOT_A_SPEC = "corridor"
