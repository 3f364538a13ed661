"""The action that an LLM finds the most likely to be written next.

Each available action is put into words (`Template.say`), free texts are written by the LLM first,
and every wording is scored: ln P(words | prompt). A reply is never read, so none can be unusable.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from rememberer_nb.agents.baselines import random_action
from rememberer_nb.config import ChoiceConfig
from rememberer_nb.elements import (
    ActionScore,
    Decision,
    Prompt,
    Reply,
    Situation,
    StepRandom,
    TextScore,
)
from rememberer_nb.envs.profile import Profile
from rememberer_nb.errors import LLMError, LLMStopError
from rememberer_nb.llms.protocol import LLM, ScoringLLM
from rememberer_nb.llms.wrapped import scoring, settings_of
from rememberer_nb.prompting.prompts import Template


class LikelihoodChoice:
    """Scores the actions of a situation and takes one.

    Parameters
    ----------
    llm : offers `score` and `write` (`llms.protocol.ScoringLLM`); others are refused.
    profile, template : which actions are templates, and how actions are worded.
    config : normalisation and temperature.

    Of actions with the same words only the first can be chosen: the LLM cannot tell them apart.
    """

    def __init__(self, llm: LLM, profile: Profile, config: ChoiceConfig, template: Template):
        self.llm: ScoringLLM = scoring(llm)
        self.profile = profile
        self.config = config
        self.template = template
        self._after_nothing: dict[tuple[str, ...], list[float]] = {}

    def decide(
        self, situation: Situation, prompt: Prompt, random: StepRandom, shown: Mapping[str, Any]
    ) -> Decision:
        """Word, score, choose; `shown` are the stages before, for the decision."""
        try:
            scores = self.scores(situation, prompt)
        except LLMStopError:
            raise
        except LLMError as failure:
            action = random_action(situation, self.profile, random.rng)
            return Decision(
                action, **shown, reply=failure.reply, error=str(failure), error_name=failure.name
            )
        if not scores:
            action = random_action(situation, self.profile, random.rng)
            problem = "no available action has words"
            return Decision(action, **shown, error=problem, error_name="reply")
        chosen = self.choose(scores, situation, random.rng)
        n_tokens = sum(score.n_tokens for score in scores)
        reply = Reply(chosen.text, prompt.n_tokens, n_tokens, model=_model_of(self.llm))
        return Decision(chosen.action, **shown, reply=reply, scores=scores)

    def scores(self, situation: Situation, prompt: Prompt) -> tuple[ActionScore, ...]:
        """Every action that has words, in the page's order."""
        asked = _begun(prompt, self.template, self.template.opening.rstrip(" "))
        worded = self._worded(situation, prompt)
        if not worded:
            return ()
        candidates = [f" {words}" for words in worded]
        found = self.llm.score(asked, candidates)
        values = self._normalised(candidates, found)
        chances = _softmax(values, 1.0).tolist()
        return tuple(
            ActionScore(action, words, each.log_probability, each.n_tokens, value, chance)
            for (words, action), each, value, chance in zip(
                worded.items(), found, values, chances, strict=True
            )
        )

    def _worded(self, situation: Situation, prompt: Prompt) -> dict[str, str]:
        """Words -> action."""
        worded: dict[str, str] = {}
        for action in situation.available_actions:
            words = self.template.say(action, situation.observation)
            for placeholder in self.profile.placeholders:
                if placeholder in words:
                    action, words = self._filled(action, words, placeholder, situation, prompt)
            if words.strip():
                worded.setdefault(" ".join(words.split()), action)
        return worded

    def _filled(
        self, action: str, words: str, placeholder: str, situation: Situation, prompt: Prompt
    ) -> tuple[str, str]:
        """An action and its words with a text that the LLM writes; no words if it writes none."""
        before, _, after = words.partition(placeholder)
        lead = _begun(prompt, self.template, self.template.opening + before)
        text = " ".join(self.llm.write(lead, stop=(after or "\n", "\n")).text.split())
        match = self.profile.match(action.replace(placeholder, text), situation.available_actions)
        return (match, f"{before}{text}{after}") if text and match else (action, "")

    def _normalised(self, candidates: Sequence[str], found: Sequence[TextScore]) -> list[float]:
        sums = [each.log_probability for each in found]
        if self.config.normalisation == "token":
            return [value / each.n_tokens for value, each in zip(sums, found, strict=True)]
        if self.config.normalisation == "character":
            return [value / len(text) for value, text in zip(sums, candidates, strict=True)]
        if self.config.normalisation == "empty":
            bases = self._empty(candidates)
            return [value - base for value, base in zip(sums, bases, strict=True)]
        return sums

    def _empty(self, candidates: Sequence[str]) -> list[float]:
        """ln P of each text after the cue alone."""
        # All of a page together, also those known from other pages: what is asked for, and so
        # found in a recording, must not depend on what was asked before.
        asked = tuple(candidates)
        if asked not in self._after_nothing:
            text = (self.template.cue + self.template.opening).strip()
            found = self.llm.score(Prompt((), text, 0, channel="completion"), asked)
            self._after_nothing[asked] = [each.log_probability for each in found]
        return self._after_nothing[asked]

    def choose(
        self,
        scores: Sequence[ActionScore],
        situation: Situation,
        rng: np.random.Generator | None = None,
    ) -> ActionScore:
        """The one that is taken; without a generator the best one, whatever the temperature."""
        if not self.config.repeats:
            here = situation.observation
            taken = {step.action for step in situation.steps if step.observation == here}
            # Where everything was tried, all may be tried again.
            scores = [score for score in scores if score.action not in taken] or scores
        values = [score.score for score in scores]
        if self.config.temperature == 0 or rng is None:
            return scores[int(np.argmax(values))]
        chances = _softmax(values, self.config.temperature)
        return scores[int(rng.choice(len(values), p=chances))]


def _softmax(values: Sequence[float], temperature: float) -> np.ndarray:
    """Probabilities, ndarray of the values' length.

    >>> _softmax([0.0, 0.0], 1.0)
    array([0.5, 0.5])
    """
    scaled = np.asarray(values, dtype=float) / temperature
    weights = np.exp(scaled - scaled.max())
    chances: np.ndarray = weights / weights.sum()
    return chances


def _begun(prompt: Prompt, template: Template, opening: str) -> Prompt:
    """The prompt with the reply begun: its text goes on, or the assistant's turn does."""
    *turns, (role, question) = prompt.messages
    answer = (template.cue + opening).lstrip()
    messages = (*turns, (role, question.removesuffix(template.cue)), ("assistant", answer))
    return dataclasses.replace(
        prompt, messages=messages, text=prompt.text + opening, reply_schema=None
    )


def _model_of(llm: LLM) -> str:
    """What chose: the same for a model, for its recording, and wherever that lies."""
    return str(settings_of(llm).get("model", llm.name))
