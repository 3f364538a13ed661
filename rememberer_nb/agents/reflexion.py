"""Reflexion (arXiv 2303.11366): ReAct that learns in words, kept per task.

After a failed training episode the LLM says what to do better, and reads it at its next attempts at
that task. The prompts are our own.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from rememberer_nb.agents.interface import RetrievalMemory
from rememberer_nb.agents.prompting_agent import SAMPLE
from rememberer_nb.agents.react import ReActAgent
from rememberer_nb.config import PromptConfig, RlemConfig
from rememberer_nb.elements import Episode, Situation
from rememberer_nb.envs.profile import Profile
from rememberer_nb.errors import LLMError, LLMStopError
from rememberer_nb.llms.protocol import LLM
from rememberer_nb.prompting.prompts import CountTokens, estimate_tokens, one_line
from rememberer_nb.prompting.react_prompts import (
    Demonstration,
    build_reflection_prompt,
)
from rememberer_nb.system.plain import fingerprint


class ReflexionAgent(ReActAgent):
    """ReAct that learns in words: what it would do differently, kept per task.

    Parameters
    ----------
    memory : where the training episodes are kept, with what was said of them; reflections on
        episodes that it holds already are taken up. The values learnt there are never shown.
    max_lessons : how many of a task's reflections are shown, the latest.

    An episode that was reflected on has `metadata["reflection"]` (the text, "" if none could be
    had) and `metadata["calls"]` with what it took.
    """

    name = "reflexion"
    max_characters = 600
    max_calls_after_episode = 1

    def __init__(
        self,
        llm: LLM,
        profile: Profile,
        demonstration: Demonstration | None = None,
        *,
        memory: RetrievalMemory | None = None,
        rlem: RlemConfig | None = None,
        prompt: PromptConfig | None = None,
        count_tokens: CountTokens = estimate_tokens,
        max_lessons: int = 3,
    ):
        super().__init__(
            llm, profile, demonstration,
            memory=memory, rlem=rlem, prompt=prompt, count_tokens=count_tokens,
        )  # fmt: skip
        self.max_lessons = max_lessons
        self.reflections: dict[str, list[str]] = {}
        for episode in () if memory is None else memory.each_episode():
            self._keep(episode.task.task_id, str(episode.metadata.get("reflection", "")))

    def lessons(self, situation: Situation) -> Sequence[str]:
        """The latest reflections on this task, oldest first."""
        return self.reflections.get(situation.task.task_id, [])[-self.max_lessons :]

    def describe(self) -> Mapping[str, Any]:
        """As ReAct, and how it reflects."""
        failed = Episode("", "", self.name, SAMPLE.task, SAMPLE.steps, SAMPLE.observation)
        asked = build_reflection_prompt(self.profile, SAMPLE.task, failed, lessons=("try B",))
        return {
            **super().describe(),
            "reflection": fingerprint(asked.messages),
            "max_lessons": self.max_lessons,
            "max_characters": self.max_characters,
        }

    def after_episode(self, episode: Episode) -> Episode:
        """Reflect on a failed training episode; returns it with the reflection.

        Raises
        ------
        LLMStopError : asking again cannot help. Any other failure leaves the episode without a
            reflection, and is counted.
        """
        if episode.is_success or not episode.steps:
            return episode
        task_id = episode.task.task_id
        prompt = build_reflection_prompt(
            self.profile,
            episode.task,
            episode,
            lessons=self.reflections.get(task_id, [])[-self.max_lessons :],
            config=self.prompt,
            count_tokens=self.count_tokens,
        )
        seed = np.random.SeedSequence((episode.seed, episode.epoch + 1, episode.task.number))
        error_name = None
        try:
            reply = self.llm.complete(prompt, seed=int(seed.generate_state(1)[0]) >> 1)
        except LLMStopError:
            raise
        except LLMError as error:
            reply, error_name = error.reply, error.name
        text = one_line(reply.text)[: self.max_characters] if reply and not error_name else ""
        self._keep(task_id, text)
        call = {
            "purpose": "reflection",
            "prompt_tokens": reply.prompt_tokens if reply else 0,
            "completion_tokens": reply.completion_tokens if reply else 0,
            "error": error_name,
        }
        calls = [*episode.metadata.get("calls", ()), call]
        metadata = {**episode.metadata, "reflection": text, "calls": calls}
        return dataclasses.replace(episode, metadata=metadata)

    def _keep(self, task_id: str, text: str) -> None:
        if text:
            self.reflections.setdefault(task_id, []).append(text)
