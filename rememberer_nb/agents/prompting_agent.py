"""An agent that asks an LLM; where its exemplars come from is a part of its own.

So Rememberer and its baselines differ in that part alone:

    llm_only            `baselines.NoExemplars`
    fixed_exemplars     `baselines.FixedExemplars`: the same few for every step
    rememberer          `rememberer.MemoryExemplars`: retrieved for the step at hand
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rememberer_nb.agents.baselines import NoExemplars, random_action
from rememberer_nb.agents.interface import ExemplarSource, RetrievalMemory
from rememberer_nb.agents.likelihood import LikelihoodChoice
from rememberer_nb.config import ChoiceConfig, PromptConfig, RlemConfig
from rememberer_nb.elements import (
    Advice,
    Decision,
    Exemplar,
    LeftOut,
    Prompt,
    Reply,
    Situation,
    Step,
    StepRandom,
    Task,
)
from rememberer_nb.envs.profile import Profile
from rememberer_nb.errors import LLMError, LLMStopError, ReplyError
from rememberer_nb.llms.protocol import LLM
from rememberer_nb.llms.wrapped import require_language_model, settings_of
from rememberer_nb.prompting.brief import choose_template
from rememberer_nb.prompting.prompts import CountTokens, Template, build_prompt, estimate_tokens
from rememberer_nb.prompting.replies import ParsedReply, parse_advice_reply, parse_reply
from rememberer_nb.prompting.schema import constrained
from rememberer_nb.system.plain import fingerprint

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
    choice : by the LLM's reply, or by how likely it finds each action.

    A reply without an available action, or an LLM that gives none, is recorded in
    `Decision.error`; the action taken instead is a seeded uniform draw from the available ones.
    Where asking again cannot help (`LLMStopError`) there is no fallback: the run stops.

    Agents with other prompts override `build` and `read`, or bring a `Template`.
    """

    # None: the template that `PromptConfig` names.
    template: Template | None = None
    # Whether the stand-in cannot take the LLM's place, not even for an estimate.
    needs_language_model = False

    def __init__(
        self,
        name: str,
        llm: LLM,
        profile: Profile,
        source: ExemplarSource | None = None,
        *,
        memory: RetrievalMemory | None = None,
        rlem: RlemConfig | None = None,
        prompt: PromptConfig | None = None,
        choice: ChoiceConfig | None = None,
        count_tokens: CountTokens = estimate_tokens,
    ):
        self.name = name
        self.llm = llm
        self.profile = profile
        self.source = source or NoExemplars()
        self.memory = memory
        self.rlem = rlem or RlemConfig()
        self.prompt = prompt or PromptConfig()
        self.choice = choice or ChoiceConfig()
        self._template = self.template or choose_template(self.prompt, profile)
        self.count_tokens = count_tokens
        # A server that decodes by grammar can be held to the available actions.
        self.is_constrained = bool(settings_of(llm).get("constrain_actions"))
        self.likelihood = None
        if self.choice.choose == "likelihood":
            self.likelihood = LikelihoodChoice(llm, profile, self.choice, self._template)
        if self.prompt.template == "brief":
            require_language_model("the brief template", llm)
        is_beyond = self.likelihood is not None or self.prompt.template == "brief"
        self.needs_language_model = self.needs_language_model or is_beyond

    def decide(self, situation: Situation, random: StepRandom) -> Decision:
        """Retrieve, build, ask, read."""
        hits, exemplars, left_out = self.source.select(situation, random.rng)
        prompt = self.build(situation, exemplars, left_out)
        shown: dict[str, Any] = {"hits": hits, "exemplars": exemplars, "prompt": prompt}
        if self.likelihood is not None:
            return self.likelihood.decide(situation, prompt, random, shown)
        if self.is_constrained:
            prompt = constrained(prompt, situation.available_actions, self.profile)
        reply, parsed, error, error_name = self._ask(prompt, situation, random.call_seed)
        if parsed is None:
            action = random_action(situation, self.profile, random.rng)
        else:
            action = parsed.action
        return Decision(
            action=action,
            rationale="" if parsed is None else parsed.rationale,
            **(shown | {"prompt": prompt}),
            reply=reply,
            error=error,
            error_name=error_name,
            predicted_encouraged=() if parsed is None else parsed.encouraged,
            predicted_discouraged=() if parsed is None else parsed.discouraged,
        )

    def build(
        self, situation: Situation, exemplars: Sequence[Exemplar], left_out: Sequence[LeftOut]
    ) -> Prompt:
        """The prompt."""
        return build_prompt(
            self.profile,
            situation,
            exemplars,
            config=self.prompt,
            left_out=left_out,
            count_tokens=self.count_tokens,
            template=self._template,
        )

    def sample_prompt(self) -> Prompt:
        """The template at work: introduction, how to reply, one exemplar, the page."""
        return self.build(SAMPLE, (_SAMPLE_EXEMPLAR,), ())

    def describe(self) -> Mapping[str, Any]:
        """What decisions depend on; `template` is the fingerprint of a sample prompt."""
        sample = self.sample_prompt()
        # Budgets keep another prompt by another count.
        is_estimate = self.count_tokens is estimate_tokens
        return {
            "name": self.name,
            "llm": settings_of(self.llm),
            "prompt": self.prompt,
            "choice": self.choice,
            "template": fingerprint([sample.messages, sample.reply_schema]),
            "rlem": self.rlem,
            **({} if is_estimate else {"sample_tokens": sample.n_tokens}),
            **self.source.describe(),
        }

    def read(self, text: str, situation: Situation) -> ParsedReply:
        """What a reply says; `ReplyError` if that is no available action."""
        actions = situation.available_actions
        if not self._template.has_advice:
            return parse_reply(text, actions, self.profile)
        return parse_advice_reply(text, actions, self.profile, self._template.words(situation))

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
