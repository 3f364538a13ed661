"""Agents behind one interface; every stage of a decision can be inspected.

`PromptingAgent` asks an LLM; where its exemplars come from is a part of its own, so that
Rememberer and its baselines differ in that part alone:

    llm_only            `NoExemplars`
    fixed_exemplars     `FixedExemplars`: the same few for every step
    rememberer          `MemoryExemplars`: retrieved for the step at hand; learns
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np

from rememberer_nb.config import ExemplarConfig, PromptConfig, RetrievalConfig, RlemConfig
from rememberer_nb.config.identity import fingerprint, plain
from rememberer_nb.elements import (
    Advice,
    Decision,
    Episode,
    Exemplar,
    Hit,
    LeftOut,
    Prompt,
    Reply,
    Step,
    Task,
)
from rememberer_nb.envs.profile import Profile
from rememberer_nb.errors import ConfigError, LLMError, LLMStopError, ReplyError
from rememberer_nb.llms.protocol import LLM
from rememberer_nb.llms.wrapped import settings_of
from rememberer_nb.memory import ExperienceMemory
from rememberer_nb.prompting.exemplars import select_exemplars
from rememberer_nb.prompting.prompts import CountTokens, Template, build_prompt, estimate_tokens
from rememberer_nb.prompting.rankings import make_ranking
from rememberer_nb.prompting.replies import ParsedReply, parse_reply

Selection = tuple[tuple[Hit, ...], tuple[Exemplar, ...], tuple[LeftOut, ...]]


@dataclass(frozen=True, slots=True)
class Situation:
    """What an agent decides on: the task, what it sees, what it can do, what it did so far.

    `steps` are those of the episode until now, for agents that look at more than their actions.
    """

    task: Task
    observation: str
    available_actions: tuple[str, ...]
    last_actions: tuple[str, ...] = ()
    steps: tuple[Step, ...] = field(default=(), repr=False)


@dataclass(frozen=True, slots=True)
class StepRandom:
    """The randomness of one step: a seed for the LLM call and a generator for everything else."""

    call_seed: int
    rng: np.random.Generator = field(compare=False)


class Agent(Protocol):
    """Turns a situation into a decision.

    `memory` is what the agent learns in, None if it does not learn; `rlem` says how.
    """

    name: str
    memory: ExperienceMemory | None
    rlem: RlemConfig

    def decide(self, situation: Situation, random: StepRandom) -> Decision:
        """Choose an action."""
        ...

    def describe(self) -> Mapping[str, Any]:
        """What decisions depend on besides the memory's contents and randomness.

        Plain values by name, "name" among them; a training run is resumed under equal ones only.
        """
        ...


def describe_agent(agent: Agent) -> dict[str, Any]:
    """An agent's `describe()` as JSON gives it back.

    Raises
    ------
    ConfigError : it has none, or one that JSON has no form for.
    """
    describe = getattr(agent, "describe", None)
    if describe is None:
        raise ConfigError(
            f"the agent {agent.name!r} has no describe(): what its decisions depend on is noted "
            "with its training, so that it can be resumed"
        )
    try:
        return dict(plain(describe()))
    except ConfigError as error:
        raise ConfigError(f"describe() of the agent {agent.name!r}: {error}") from error


def after_episodes(
    agent: Agent, episodes: Sequence[Episode]
) -> tuple[list[Episode], BaseException | None]:
    """Show an agent the training episodes that are over, if it has a method `after_episode`.

    It may return an episode with more metadata. What stops the run meanwhile (`LLMStopError`,
    Ctrl-C) is returned rather than raised: the episodes are whole and are to be kept first.
    """
    after = getattr(agent, "after_episode", None)
    told: list[Episode] = []
    stop: BaseException | None = None
    for episode in episodes:
        try:
            told.append(episode if after is None or stop else after(episode))
        except (LLMStopError, KeyboardInterrupt) as error:
            stop = error
            told.append(episode)
    return told, stop


class RandomAgent:
    """Draws uniformly from the available actions; keywords come from the task's words.

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


class ExemplarSource(Protocol):
    """Where the exemplars of a prompt come from."""

    def select(self, situation: Situation, rng: np.random.Generator) -> Selection:
        """Hits looked at, exemplars (the most similar first), and what was left out."""
        ...

    def describe(self) -> Mapping[str, Any]:
        """What the choice depends on besides the memory's contents: part of the agent's own."""
        ...


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


class MemoryExemplars:
    """The records most similar to the situation, written as exemplars."""

    def __init__(
        self,
        memory: ExperienceMemory,
        profile: Profile,
        retrieval: RetrievalConfig | None = None,
        exemplar: ExemplarConfig | None = None,
        count_tokens: CountTokens = estimate_tokens,
    ):
        self.memory = memory
        self.profile = profile
        self.retrieval = retrieval or memory.retrieval
        self.exemplar = exemplar or ExemplarConfig()
        self.count_tokens = count_tokens

    def select(self, situation: Situation, rng: np.random.Generator) -> Selection:
        """Retrieve and build."""
        n_exemplars = self.retrieval.n_exemplars
        ranking = make_ranking(self.retrieval)
        hits = self.memory.retrieve(
            situation.task.text,
            situation.observation,
            max(n_exemplars, ranking.n_candidates),
            self.retrieval.task_weight,
        )
        return select_exemplars(
            ranking.rank(hits),
            n_exemplars,
            self.profile,
            rng,
            config=self.exemplar,
            count_tokens=self.count_tokens,
        )

    def describe(self) -> Mapping[str, Any]:
        """How records are found and written."""
        return {"retrieval": self.retrieval, "exemplar": self.exemplar}


# What a prompt looks like does not depend on what it is about, so a sample tells templates apart.
_TAKEN = Step(0, "[C]", ("press[C]",), "", Decision("press[C]", "a thought"), 0.0, terminated=True)
SAMPLE = Situation(
    Task("sample", "a task"), "[A]\n[B]", ("press[A]", "press[B]"), ("press[C]",), (_TAKEN,)
)
_SAMPLE_EXEMPLAR = Exemplar(
    0, "a task", "[A]", (), (Advice("press[A]", 0.5, "it fits"),), (Advice("press[C]"),)
)


class PromptingAgent:
    """Asks an LLM, with exemplars from a source.

    Parameters
    ----------
    name : as it appears in tables.
    llm, profile : the LLM and the environment's profile.
    source : where exemplars come from.
    memory : what the agent learns in while it is trained; None for agents that do not learn.

    A reply without an available action, or an LLM that gives none, is recorded in
    `Decision.error`; the action taken instead is a seeded uniform draw from the available ones.
    Where asking again cannot help (`LLMStopError`) there is no fallback: the run stops.

    Agents with other prompts override `build` and `read`, or bring a `Template`.
    """

    template = Template()

    def __init__(
        self,
        name: str,
        llm: LLM,
        profile: Profile,
        source: ExemplarSource | None = None,
        *,
        memory: ExperienceMemory | None = None,
        rlem: RlemConfig | None = None,
        prompt: PromptConfig | None = None,
        count_tokens: CountTokens = estimate_tokens,
    ):
        self.name = name
        self.llm = llm
        self.profile = profile
        self.source = source or NoExemplars()
        self.memory = memory
        self.rlem = rlem or RlemConfig()
        self.prompt = prompt or PromptConfig()
        self.count_tokens = count_tokens
        # A server that decodes by grammar can be held to the available actions.
        self.is_constrained = bool(settings_of(llm).get("constrain_actions"))

    def decide(self, situation: Situation, random: StepRandom) -> Decision:
        """Retrieve, build, ask, read."""
        hits, exemplars, left_out = self.source.select(situation, random.rng)
        prompt = self.build(situation, exemplars, left_out)
        reply, parsed, error, error_name = self._ask(prompt, situation, random.call_seed)
        if parsed is None:
            action = random_action(situation, self.profile, random.rng)
        else:
            action = parsed.action
        return Decision(
            action=action,
            rationale="" if parsed is None else parsed.rationale,
            hits=hits,
            exemplars=exemplars,
            prompt=prompt,
            reply=reply,
            error=error,
            error_name=error_name,
        )

    def build(
        self, situation: Situation, exemplars: Sequence[Exemplar], left_out: Sequence[LeftOut]
    ) -> Prompt:
        """The prompt."""
        return build_prompt(
            self.profile,
            situation.task.text,
            situation.observation,
            situation.available_actions,
            exemplars=exemplars,
            last_actions=situation.last_actions,
            config=self.prompt,
            left_out=left_out,
            count_tokens=self.count_tokens,
            template=self.template,
            is_constrained=self.is_constrained,
        )

    def sample_prompt(self) -> Prompt:
        """The template at work: introduction, how to reply, one exemplar, the page."""
        return self.build(SAMPLE, (_SAMPLE_EXEMPLAR,), ())

    def describe(self) -> Mapping[str, Any]:
        """What decisions depend on; `template` is the fingerprint of a sample prompt."""
        sample = self.sample_prompt()
        return {
            "name": self.name,
            "llm": settings_of(self.llm),
            "prompt": self.prompt,
            "template": fingerprint([sample.messages, sample.reply_schema]),
            "rlem": self.rlem,
            **self.source.describe(),
        }

    def read(self, text: str, situation: Situation) -> ParsedReply:
        """What a reply says; `ReplyError` if that is no available action."""
        return parse_reply(text, situation.available_actions, self.profile)

    def _ask(
        self, prompt: Prompt, situation: Situation, seed: int
    ) -> tuple[Reply | None, ParsedReply | None, str | None, str | None]:
        """Reply, what was read from it, and, if that is nothing, the error and its name."""
        reply = None
        try:
            reply = self.llm.complete(prompt, seed=seed)
            parsed = self.read(reply.text, situation)
        except ReplyError as failure:
            return reply, None, str(failure), "reply"
        except LLMStopError:
            raise
        except LLMError as failure:
            return failure.reply, None, str(failure), failure.name
        return reply, parsed, None, None


def rememberer(
    llm: LLM,
    profile: Profile,
    memory: ExperienceMemory,
    *,
    name: str = "rememberer",
    retrieval: RetrievalConfig | None = None,
    exemplar: ExemplarConfig | None = None,
    rlem: RlemConfig | None = None,
    prompt: PromptConfig | None = None,
) -> PromptingAgent:
    """The agent of the paper: retrieved exemplars, and a memory that it learns in."""
    source = MemoryExemplars(memory, profile, retrieval, exemplar)
    return PromptingAgent(name, llm, profile, source, memory=memory, rlem=rlem, prompt=prompt)
