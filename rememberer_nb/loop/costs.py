"""What a run costs: estimated before it starts, added up when it is over.

n_calls            = decisions that asked the LLM, and what else an agent asked (an episode's
                     metadata "calls": reflections), a count (tries of one call count once)
prompt_tokens      = Σ prompt tokens of all answers, by the server's count (ours if it has none)
completion_tokens  = Σ tokens of all replies, unusable ones too
money              = prompt_tokens · input_price + completion_tokens · output_price; None without
llm_errors         = failed calls by name, for example {"timeout": 2, "truncated": 1}

The totals come from the episodes, so that a replay has the same as the run that it replays.
"""

from __future__ import annotations

import copy
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from rememberer_nb.agents.interface import Agent
from rememberer_nb.config import LLMConfig, PromptConfig, RolloutConfig
from rememberer_nb.elements import Episode, Prompt, Reply
from rememberer_nb.envs.profile import TextEnv, profile_of
from rememberer_nb.errors import ConfigError, LLMError
from rememberer_nb.llms import make_llm
from rememberer_nb.loop.episode import run_episode
from rememberer_nb.memory.outcome import Outcome

N_PROBES = 3


def llm_totals(
    episodes: Iterable[Episode | Outcome], config: LLMConfig | None = None
) -> dict[str, Any]:
    """The five totals of the module's docstring; of episodes whole, or in numbers.

    >>> llm_totals([])["n_calls"]
    0
    """
    outcomes = [Outcome.of(episode) for episode in episodes]
    more = [call for outcome in outcomes for call in outcome.calls]
    prompt_tokens = sum(outcome.prompt_tokens for outcome in outcomes)
    prompt_tokens += sum(call["prompt_tokens"] for call in more)
    completion_tokens = sum(outcome.completion_tokens for outcome in outcomes)
    completion_tokens += sum(call["completion_tokens"] for call in more)
    failures = Counter(call["error"] for call in more if call["error"])
    for outcome in outcomes:
        failures.update(outcome.failures)
    return {
        "n_calls": sum(outcome.n_asked for outcome in outcomes) + len(more),
        "prompt_tokens": prompt_tokens,
        "completion_tokens": completion_tokens,
        "money": (config or LLMConfig()).money(prompt_tokens, completion_tokens),
        "llm_errors": dict(sorted(failures.items())),
    }


@dataclass(frozen=True, slots=True)
class Estimate:
    """What a run may cost.

    `max_*` hold if no page overruns the prompt's token budget; the others are what the offline
    stand-in took on a few of the tasks, times all of them, and None where it cannot act.
    """

    n_episodes: int
    n_calls: int | None
    prompt_tokens: int | None
    completion_tokens: int | None
    money: float | None
    max_calls: int
    max_prompt_tokens: int
    max_completion_tokens: int
    max_money: float | None

    def describe(self) -> str:
        """One line for people.

        >>> Estimate(2, 9, 9000, 300, 0.01, 30, 90000, 9000, 0.2).describe()
        '2 episodes: about 9 calls, 9,000 + 300 tokens, 0.01 money; at most 30 calls, 90,000 + ...'
        """
        at_most = _amount(
            self.max_calls, self.max_prompt_tokens, self.max_completion_tokens, self.max_money
        )
        about = ""
        if None not in (self.n_calls, self.prompt_tokens, self.completion_tokens):
            amount = _amount(self.n_calls, self.prompt_tokens, self.completion_tokens, self.money)
            about = f"about {amount}; "
        return f"{self.n_episodes} episodes: {about}at most {at_most}"


def _amount(*amounts: Any) -> str:
    calls, sent, received, money = amounts
    text = f"{calls:,} calls, {sent:,} + {received:,} tokens"
    return text if money is None else f"{text}, {money:,.2f} money"


def estimate_run(
    env: TextEnv,
    agent: Agent,
    tasks: Sequence[int],
    *,
    n_repeats: int = 1,
    config: LLMConfig | None = None,
    rollout: RolloutConfig | None = None,
    prompt: PromptConfig | None = None,
    seed: int = 0,
) -> Estimate:
    """Estimate a run over tasks without one call.

    Parameters
    ----------
    agent : as it will run; the offline stand-in takes its LLM's place on at most `N_PROBES` tasks,
        spread over all of them, and nothing is learnt.
    n_repeats : epochs or seeds: how often each task is run.
    config : prices, and the longest reply.
    """
    config = config or LLMConfig()
    n_episodes = len(tasks) * n_repeats
    n_steps = (rollout or RolloutConfig()).max_steps
    n_more = getattr(agent, "max_calls_after_episode", 0)
    max_calls = n_episodes * (n_steps + n_more) if hasattr(agent, "llm") else 0
    worst = (max_calls * (prompt or PromptConfig()).max_tokens, max_calls * config.max_tokens)
    found = _probe(env, agent, tasks, seed)
    about: dict[str, Any] = dict.fromkeys(("n_calls", "prompt_tokens", "completion_tokens"))
    money = None
    if found:
        totals = llm_totals(found)
        about = {name: round(totals[name] * n_episodes / len(found)) for name in about}
        money = config.money(about["prompt_tokens"], about["completion_tokens"])
    return Estimate(
        n_episodes=n_episodes,
        **about,
        money=money,
        max_calls=max_calls,
        max_prompt_tokens=worst[0],
        max_completion_tokens=worst[1],
        max_money=config.money(*worst),
    )


class UnaskedLLM:
    """Takes the place of an LLM in an agent that is only to be estimated."""

    name = "none"

    def complete(self, prompt: Prompt, *, seed: int = 0) -> Reply:
        """Never to be called."""
        raise LLMError("an estimate makes no calls")


def _probe(env: TextEnv, agent: Agent, tasks: Sequence[int], seed: int) -> list[Episode]:
    if getattr(agent, "needs_language_model", False):
        return []
    try:
        offline = make_llm("offline", profile=profile_of(env))
    except ConfigError:
        return []
    stand_in = copy.copy(agent)
    if hasattr(agent, "llm"):
        stand_in.llm = offline  # type: ignore[attr-defined]
    step = max(1, len(tasks) // N_PROBES)
    return [run_episode(env, stand_in, task, seed=seed) for task in tasks[::step][:N_PROBES]]
