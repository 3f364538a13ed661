"""What stands beside Rememberer: random actions, and exemplars that are none or fixed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from rememberer_nb.agents.interface import Selection
from rememberer_nb.config import ExemplarConfig, RlemConfig
from rememberer_nb.elements import Decision, Exemplar, Record, Situation, StepRandom
from rememberer_nb.envs.profile import Profile
from rememberer_nb.prompting.exemplars import build_exemplar
from rememberer_nb.system.plain import fingerprint


class RandomAgent:
    """Draws uniformly from the available actions; keywords come from the task's words.

    >>> from rememberer_nb.elements import Task
    >>> from rememberer_nb.envs.webshop.profile import WEBSHOP
    >>> agent = RandomAgent(WEBSHOP)
    >>> situation = Situation(Task("0", "a red lamp"), "[Search]", ("search[<keywords>]",))
    >>> agent.decide(situation, StepRandom(0, np.random.default_rng(0))).action
    'search[a red lamp]'
    """

    name = "random"
    memory = None

    def __init__(self, profile: Profile):
        self.profile = profile
        self.rlem = RlemConfig()

    def decide(self, situation: Situation, random: StepRandom) -> Decision:
        """Choose an action."""
        return Decision(random_action(situation, self.profile, random.rng))

    def describe(self) -> Mapping[str, Any]:
        """Its name, and what it fills."""
        return {"name": self.name, "placeholders": self.profile.placeholders}


def random_action(situation: Situation, profile: Profile, rng: np.random.Generator) -> str:
    """A uniform draw from the available actions, templates filled with 1 to 4 words of the task."""
    actions = situation.available_actions
    if not actions:
        return ""
    action = actions[int(rng.integers(len(actions)))]
    words = situation.task.text.split() or ["anything"]
    for placeholder in profile.placeholders:
        if placeholder in action:
            n_words = int(rng.integers(1, min(4, len(words)) + 1))
            start = int(rng.integers(len(words) - n_words + 1))
            action = action.replace(placeholder, " ".join(words[start : start + n_words]))
    return action


class NoExemplars:
    """No exemplars: the LLM alone."""

    def select(self, situation: Situation, rng: np.random.Generator) -> Selection:
        """Nothing."""
        return (), (), ()

    def describe(self) -> Mapping[str, Any]:
        """Nothing."""
        return {}


class FixedExemplars:
    """The same exemplars at every step."""

    def __init__(self, exemplars: Sequence[Exemplar]):
        self.exemplars = tuple(exemplars)

    def select(self, situation: Situation, rng: np.random.Generator) -> Selection:
        """The fixed exemplars."""
        return (), self.exemplars, ()

    def describe(self) -> Mapping[str, Any]:
        """The fixed exemplars."""
        return {"exemplars": fingerprint(self.exemplars)}


def fixed_exemplars(
    records: Iterable[Record],
    n_exemplars: int,
    profile: Profile,
    rng: np.random.Generator,
    config: ExemplarConfig | None = None,
) -> tuple[Exemplar, ...]:
    """m exemplars drawn without replacement from given records: the paper's fixed baseline."""
    pool = list(records)
    chosen = rng.permutation(len(pool))[:n_exemplars]
    return tuple(build_exemplar(pool[int(i)], profile, rng, config) for i in chosen)
