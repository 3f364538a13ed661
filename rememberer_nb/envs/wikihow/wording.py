"""The how-to site in few words: the instruction in force, and elements by what they show."""

from __future__ import annotations

import functools
import re

from rememberer_nb.envs.profile import Wording
from rememberer_nb.envs.screens import read_screen
from rememberer_nb.envs.wikihow.instructions import current_instruction

_INPUT = re.compile(r"INPUT\(\d+, (.*)\)", re.DOTALL)
_CLICK = re.compile(r"CLICK\((\d+)\)")
_MOVES = {"SCROLL(UP)": "scroll up", "SCROLL(DOWN)": "scroll down", "GOBACK": "go back"}
_SAYS_SOMETHING = re.compile(r"\w")


def gist(task: str, observation: str) -> str:
    """The instruction in force.

    >>> gist("Search ...", '<p id="0">x</p>\\nInstruction: Check the reference list')
    'Instruction: Check the reference list'
    """
    return f"Instruction: {' '.join(current_instruction(task, observation).split())}"


def say(action: str, observation: str) -> str:
    """An element by what it shows, or else by its description, or its class.

    >>> page = '<p id="3" clickable="true">References</p>'
    >>> say("CLICK(3)", page), say("INPUT(1, <text>)", page), say("GOBACK", page)
    ('References', 'search for "<text>"', 'go back')
    """
    if pressed := _CLICK.fullmatch(action):
        shown = _labels(observation).get(int(pressed[1]), "")
        return shown if _SAYS_SOMETHING.search(shown) else ""
    if typed := _INPUT.fullmatch(action):
        return f'search for "{typed[1]}"'
    return _MOVES.get(action, action)


@functools.lru_cache(maxsize=256)
def _labels(observation: str) -> dict[int, str]:
    return {
        element.number: " ".join((element.text or element.alt or element.label).split())
        for element in read_screen(observation)
    }


WORDING = Wording(gist, say)
