"""Agents that need a language model: ReAct, Reflexion, and retrieval without values.

    react               one worked example, and a thought before each action
    reflexion           the same; after a failed training episode the LLM says what to do better,
                        and reads it at its next attempts at that task
    retrieval_only      the nearest steps of successful episodes as examples; no values

Methods of ReAct (arXiv 2210.03629) and Reflexion (arXiv 2303.11366), prompts of our own
(`llm_prompts`). The offline stand-in reads advice with values and nothing else, so it cannot act
for these agents: `require_language_model` says so.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from rememberer_nb.agents.prompting_agent import SAMPLE, PromptingAgent, Situation
from rememberer_nb.agents.successful_steps import SuccessfulSteps
from rememberer_nb.config import ExemplarConfig, PromptConfig, RetrievalConfig, RlemConfig
from rememberer_nb.config.identity import fingerprint
from rememberer_nb.elements import Episode, Exemplar, LeftOut, Prompt, Record
from rememberer_nb.envs.profile import Profile
from rememberer_nb.errors import ConfigError, LLMError, LLMStopError
from rememberer_nb.llms.protocol import LLM
from rememberer_nb.llms.wrapped import settings_of
from rememberer_nb.memory import ExperienceMemory
from rememberer_nb.prompting.prompts import CountTokens, estimate_tokens, one_line
from rememberer_nb.prompting.react_prompts import (
    SUCCESSFUL_STEP_TEMPLATE,
    Demonstration,
    Scene,
    Turn,
    build_react_prompt,
    build_reflection_prompt,
    demonstration_of,
)
from rememberer_nb.prompting.replies import ParsedReply, parse_reply

LLM_AGENTS = ("react", "reflexion", "retrieval_only")

_ACTION = re.compile(r"^\W*action\W*?:", re.IGNORECASE | re.MULTILINE)
_THOUGHT = re.compile(r"^\W*thought\W*?:\W*", re.IGNORECASE)
# Where a reply that runs on invents the next page.
_NEXT_TURN = re.compile(r"^\W*(?:page|observation|thought)\W*?:", re.IGNORECASE | re.MULTILINE)


def require_language_model(name: str, llm: LLM) -> None:
    """Refuse the offline stand-in, also a recording of it.

    >>> from rememberer_nb.llms import OfflineLLM
    >>> require_language_model("react", OfflineLLM("webshop"))
    Traceback (most recent call last):
    ...
    rememberer_nb.errors.ConfigError: react needs a language model: the offline stand-in reads ...
    """
    if str(settings_of(llm).get("llm", "")).partition(":")[0] == "offline":
        raise ConfigError(
            f"{name} needs a language model: the offline stand-in reads advice with values, and "
            "can neither think aloud nor follow an example without them. Choose a real LLM "
            "(openai:MODEL, llama.cpp:FILE.gguf) or the recording of one (replay:FILE)"
        )


class ReActAgent(PromptingAgent):
    """Thinks, then acts, with a worked example and the whole episode before its eyes.

    The thought becomes the decision's rationale. Of a reply that runs on past its action, only the
    first thought and action count.
    """

    needs_language_model = True

    def __init__(
        self,
        llm: LLM,
        profile: Profile,
        demonstration: Demonstration | None = None,
        *,
        name: str = "react",
        memory: ExperienceMemory | None = None,
        rlem: RlemConfig | None = None,
        prompt: PromptConfig | None = None,
        count_tokens: CountTokens = estimate_tokens,
    ):
        require_language_model(name, llm)
        super().__init__(
            name, llm, profile, memory=memory, rlem=rlem, prompt=prompt, count_tokens=count_tokens
        )
        self.demonstration = demonstration

    def lessons(self, situation: Situation) -> Sequence[str]:
        """What earlier attempts taught; nothing here."""
        return ()

    def build(
        self, situation: Situation, exemplars: Sequence[Exemplar], left_out: Sequence[LeftOut]
    ) -> Prompt:
        """The prompt."""
        return self._build(situation, self.demonstration)

    def sample_prompt(self) -> Prompt:
        """The template at work, without the demonstration."""
        return self._build(SAMPLE, None)

    def describe(self) -> Mapping[str, Any]:
        """As any, and the fingerprint of the demonstration."""
        shown = self.demonstration
        return {
            **super().describe(),
            "demonstration": None if shown is None else fingerprint(shown.text()),
        }

    def _build(self, situation: Situation, demonstration: Demonstration | None) -> Prompt:
        turns = (
            Turn(step.observation, step.decision.rationale, step.action) for step in situation.steps
        )
        scene = Scene(
            situation.task.text,
            situation.observation,
            situation.available_actions,
            tuple(turns),
            tuple(self.lessons(situation)),
        )
        return build_react_prompt(
            self.profile,
            scene,
            demonstration=demonstration,
            config=self.prompt,
            count_tokens=self.count_tokens,
            is_constrained=self.is_constrained,
        )

    def read(self, text: str, situation: Situation) -> ParsedReply:
        """Thought and action."""
        return read_thought_and_action(text, situation.available_actions, self.profile)


def read_thought_and_action(
    text: str, available_actions: Sequence[str], profile: Profile
) -> ParsedReply:
    """Read a ReAct reply; the thought becomes the rationale.

    Actions that the thought mentions are not taken for the choice. A reply without the word
    "Action:" (JSON, for one) is read like any other.

    Raises
    ------
    ReplyError : no available action can be read.

    Examples
    --------
    >>> from rememberer_nb.envs.webshop.profile import WEBSHOP
    >>> text = "Thought: not click[a], it is too dear.\\nAction: click[b]\\nPage: ..."
    >>> read_thought_and_action(text, ["click[a]", "click[b]"], WEBSHOP)
    ParsedReply(action='click[b]', value=None, rationale='not click[a], it is too dear.')
    """
    found = _ACTION.search(text)
    if found is None or text.lstrip().startswith("{"):
        return parse_reply(text, available_actions, profile)
    rest = text[found.end() :]
    after = _NEXT_TURN.search(rest)
    chosen = parse_reply(rest[: after.start()] if after else rest, available_actions, profile)
    thought = one_line(_THOUGHT.sub("", text[: found.start()]))
    return dataclasses.replace(chosen, rationale=thought or chosen.rationale)


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

    max_characters = 600
    max_calls_after_episode = 1

    def __init__(
        self,
        llm: LLM,
        profile: Profile,
        demonstration: Demonstration | None = None,
        *,
        name: str = "reflexion",
        memory: ExperienceMemory | None = None,
        rlem: RlemConfig | None = None,
        prompt: PromptConfig | None = None,
        count_tokens: CountTokens = estimate_tokens,
        max_lessons: int = 3,
    ):
        super().__init__(
            llm, profile, demonstration,
            name=name, memory=memory, rlem=rlem, prompt=prompt, count_tokens=count_tokens,
        )  # fmt: skip
        self.max_lessons = max_lessons
        self.reflections: dict[str, list[str]] = {}
        for episode in () if memory is None else memory.episodes():
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


class RetrievalOnlyAgent(PromptingAgent):
    """Retrieves as Rememberer does, and shows what was done in successes, without values.

    Its memory learns in training all the same, so that it can be compared with Rememberer on the
    very same memory.
    """

    needs_language_model = True
    template = SUCCESSFUL_STEP_TEMPLATE

    def __init__(
        self,
        llm: LLM,
        profile: Profile,
        memory: ExperienceMemory,
        *,
        name: str = "retrieval_only",
        retrieval: RetrievalConfig | None = None,
        exemplar: ExemplarConfig | None = None,
        rlem: RlemConfig | None = None,
        prompt: PromptConfig | None = None,
    ):
        require_language_model(name, llm)
        self.steps = SuccessfulSteps(memory, retrieval, exemplar)
        super().__init__(name, llm, profile, self.steps, memory=memory, rlem=rlem, prompt=prompt)

    def after_episode(self, episode: Episode) -> Episode:
        """Take up a successful training episode."""
        self.steps.add([episode])
        return episode


def build_llm_agent(
    name: str,
    llm: LLM,
    profile: Profile,
    memory: ExperienceMemory,
    initial: Sequence[Record],
    *,
    retrieval: RetrievalConfig | None = None,
    exemplar: ExemplarConfig | None = None,
    rlem: RlemConfig | None = None,
    prompt: PromptConfig | None = None,
) -> PromptingAgent:
    """One of `LLM_AGENTS`; ReAct's example is the first demonstration of `initial`."""
    if name == "retrieval_only":
        return RetrievalOnlyAgent(
            llm, profile, memory,
            retrieval=retrieval, exemplar=exemplar, rlem=rlem, prompt=prompt,
        )  # fmt: skip
    demonstration = demonstration_of(initial)
    if name == "react":
        return ReActAgent(llm, profile, demonstration, prompt=prompt)
    if name == "reflexion":
        return ReflexionAgent(llm, profile, demonstration, memory=memory, rlem=rlem, prompt=prompt)
    raise ConfigError(f"no agent is named {name!r}; known: {', '.join(LLM_AGENTS)}")
