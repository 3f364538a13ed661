"""Decisions whose right action is known, with a wrong one beside it.

A guide that knows the goals walks through each task (`EnvSpec.guide`); the wrong action is drawn
from the others of the page.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace

import numpy as np

from rememberer_nb.analysis.influence import situation_at
from rememberer_nb.elements import Advice, Exemplar, Situation
from rememberer_nb.envs.profile import Profile, TextEnv, profile_of
from rememberer_nb.envs.registry import find_env
from rememberer_nb.errors import ConfigError
from rememberer_nb.loop.episode import run_episode

# Fewer leave little to advise between.
LEAST_ACTIONS = 3


@dataclass(frozen=True, slots=True)
class Question:
    """A situation whose available actions all have words, its right action, and a wrong one."""

    situation: Situation
    right: str
    wrong: str

    def exemplar(self, label: str, advised: str, full_mark: float) -> Exemplar:
        """One line of advice on this very situation."""
        value = full_mark if label == "encouraged" else 0.0
        line = Advice(getattr(self, advised), value)
        now = self.situation
        return Exemplar(
            0, now.task.text, now.observation, now.available_actions, **{label: (line,)}
        )


def find_questions(
    env: TextEnv, say: Callable[[str, str], str], tasks: Iterable[int], *, seed: int = 0
) -> Iterator[Question]:
    """The decisions of a guide's walk through each task.

    Left out are steps with fewer than three actions that have words, and those whose right action
    has none. Of actions with the same words one stands for all. An action with a text to be written
    is there only where the guide takes it, with the guide's text: what a model would write differs
    with the advice, and so could not be compared. The wrong action is drawn uniformly, by (seed,
    task, step).

    Parameters
    ----------
    say : (action, observation) -> its words, "" for none (`prompts.Template.say`).

    Raises
    ------
    ConfigError : the environment has no guide.

    Examples
    --------
    >>> from rememberer_nb import make_env
    >>> env = make_env("wikihow")
    >>> question = next(find_questions(env, env.profile.wording.say, [93]))
    >>> question.right, question.wrong
    ('INPUT(2, How to Load a Van)', 'CLICK(0)')
    """
    profile = profile_of(env)
    spec = find_env(profile.name)
    if not spec.guide:
        raise ConfigError(f"environment {spec.name!r} has no guide (EnvSpec.guide): who is right?")
    guide = spec.load("guide")(getattr(env, "unwrapped", env))
    for task in tasks:
        episode = run_episode(env, guide, task, seed=seed)
        for step in episode.steps:
            situation = situation_at(episode, step.index)
            actions = _worded(situation, step.action, profile, say)
            if step.action in actions and len(actions) >= LEAST_ACTIONS:
                others = [action for action in actions if action != step.action]
                rng = np.random.default_rng((seed, task, step.index))
                wrong = others[int(rng.integers(len(others)))]
                yield Question(replace(situation, available_actions=actions), step.action, wrong)


def _worded(
    situation: Situation, right: str, profile: Profile, say: Callable[[str, str], str]
) -> tuple[str, ...]:
    """Actions of different words; the right one stands for those of its own."""
    found: dict[str, str] = {}
    for action in situation.available_actions:
        if profile.is_template(action):
            action = profile.match(right, (action,)) or ""
        words = " ".join(say(action, situation.observation).split()) if action else ""
        if words and (words not in found or action == right):
            found[words] = action
    return tuple(found.values())
