"""Scripted visitors of the how-to site: yardsticks between guessing and knowing.

They take the place of an agent in `run_episode` and `evaluate`, as the shop's `shoppers` do. None
of them uses an LLM or a memory; `OracleVisitor` reads the goals, which no agent may.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from rememberer_nb.elements import Decision
from rememberer_nb.envs.screens import read_screen
from rememberer_nb.envs.scripted import ScriptedAgent
from rememberer_nb.envs.wikihow.instructions import current_instruction
from rememberer_nb.envs.wikihow.oracle import shortest_path
from rememberer_nb.envs.wikihow.profile import page_type

if TYPE_CHECKING:
    from rememberer_nb.elements import Episode, Situation, StepRandom
    from rememberer_nb.envs.wikihow.env import WikiHowEnv
    from rememberer_nb.envs.wikihow.site import Site

_TEXT = "<text>"
_OF_ARTICLE = ("search", "article")
_TITLE = re.compile(r"How to ", re.IGNORECASE)


class FirstHitVisitor(ScriptedAgent):
    """Types the instruction in force as it stands, opens the first article found, and reads on.

    >>> from rememberer_nb import make_env, run_episode
    >>> episode = run_episode(make_env("wikihow"), FirstHitVisitor(), 91)
    >>> [step.page_type for step in episode.steps][:2]
    ['start', 'results']
    """

    name = "first_hit"

    def decide(self, situation: Situation, random: StepRandom) -> Decision:
        """Choose an action."""
        actions = situation.available_actions
        wish = current_instruction(situation.task.text, situation.observation)
        field = next((action for action in actions if _TEXT in action), None)
        typed = "" if field is None else field.replace(_TEXT, wish)
        if page_type(situation.observation) == "results":
            return Decision(_first_hit(situation) or "GOBACK")
        if typed and typed not in situation.last_actions:
            return Decision(typed)
        return Decision("SCROLL(DOWN)" if "SCROLL(DOWN)" in actions else "GOBACK")


def _first_hit(situation: Situation) -> str | None:
    """A click on the first article of a results page."""
    titles = (e for e in read_screen(situation.observation) if _TITLE.match(e.text))
    clicks = (f"CLICK({e.number})" for e in titles if not e.takes_text)
    return next((click for click in clicks if click in situation.available_actions), None)


class OracleVisitor(ScriptedAgent):
    """Knows the goals: takes a shortest way through the task.

    >>> from rememberer_nb import make_env, run_episode
    >>> env = make_env("wikihow")
    >>> episode = run_episode(env, OracleVisitor(env.unwrapped), 93)
    >>> episode.is_success, len(episode.steps)
    (True, 3)
    """

    name = "oracle"

    def __init__(self, env: WikiHowEnv):
        super().__init__()
        self.env = env
        self._ways: dict[int, tuple[str, ...]] = {}

    def decide(self, situation: Situation, random: StepRandom) -> Decision:
        """Choose an action."""
        number = situation.task.number
        if number not in self._ways:
            self._ways[number] = shortest_path(self.env, number)
        return Decision(self._ways[number][len(situation.last_actions)])


def scout(env: Any) -> tuple[OracleVisitor, Callable[[Episode], list[tuple[str, str]]]]:
    """Takes a shortest way; a screen's kind is that of the instruction in force there.

    Its department is the category of the task's first article; see `envs.registry.EnvSpec`.
    """
    inner: WikiHowEnv = env.unwrapped
    site = inner.engine.site

    def labels(episode: Episode) -> list[tuple[str, str]]:
        goals = inner.how_to_tasks[episode.task.number].goals
        topic = next((site.articles[g.target].topic for g in goals if g.kind in _OF_ARTICLE), None)
        department = "" if topic is None else _category(site, topic)
        rows, n_reached = [], 0
        for step in episode.steps:
            rows.append((goals[n_reached].kind, department))
            n_reached += int(step.reward)
        return rows

    return OracleVisitor(inner), labels


def _category(site: Site, topic: int) -> str:
    parent = site.categories[topic].parent
    return site.categories[topic if parent is None else parent].name
