"""Totals by hand, and estimates without calls."""

from __future__ import annotations

import pytest

from rememberer_nb.agents.baselines import RandomAgent
from rememberer_nb.agents.prompting_agent import PromptingAgent
from rememberer_nb.config import LLMConfig, PromptConfig, RolloutConfig
from rememberer_nb.elements import Reply
from rememberer_nb.errors import LLMResponseError, LLMTimeoutError
from rememberer_nb.loop.build import Settings, build_agent, build_env, build_memory
from rememberer_nb.loop.costs import estimate_run, llm_totals
from rememberer_nb.loop.episode import run_episode
from tests.toy import TOY, ScriptedLLM, ToyEnv

CUT = LLMResponseError("cut off", name="truncated", reply=Reply("go[", 50, 20))
PRICES = LLMConfig(input_price=3.0, output_price=10.0)


class Counted(ScriptedLLM):
    """Always 100 prompt tokens and 5 of a reply."""

    def complete(self, prompt, *, seed=0):
        super().complete(prompt, seed=seed)
        return Reply("go[back]" if len(self.prompts) != 2 else "hm", 100, 5)


def test_totals_by_hand() -> None:
    llm = Counted(["x", "x", CUT, LLMTimeoutError("late")])
    episode = run_episode(ToyEnv(max_steps=4), PromptingAgent("llm_only", llm, TOY), 0)
    # Two replies of 100 + 5 (one of them without an action), one cut off, one late.
    totals = llm_totals([episode], PRICES)
    assert totals == {
        "n_calls": 4,
        "prompt_tokens": 250,
        "completion_tokens": 30,
        "money": pytest.approx((250 * 3 + 30 * 10) / 1e6),
        "llm_errors": {"timeout": 1, "truncated": 1},
    }
    assert episode.n_reply_errors == 3
    assert llm_totals([episode])["money"] is None


def test_agents_that_ask_nobody_cost_nothing() -> None:
    episode = run_episode(ToyEnv(), RandomAgent(TOY), 0)
    assert llm_totals([episode], PRICES) == {
        "n_calls": 0, "prompt_tokens": 0, "completion_tokens": 0, "money": 0.0, "llm_errors": {},
    }  # fmt: skip


def test_an_estimate_makes_no_call_and_leaves_the_memory() -> None:
    settings = Settings()
    env = build_env(settings)
    with build_memory(settings) as memory:
        llm = ScriptedLLM([])
        agent = build_agent("rememberer", env, settings, memory=memory, llm=llm)
        n_records, n_updates = len(memory), memory.n_updates
        found = estimate_run(env, agent, range(100, 130), n_repeats=2, config=PRICES)
        assert (len(memory), memory.n_updates) == (n_records, n_updates)
    assert llm.prompts == []
    assert agent.llm is llm
    assert (found.n_episodes, found.max_calls) == (60, 900)
    assert 60 <= found.n_calls <= 900
    assert found.prompt_tokens > 100 * found.n_calls
    assert found.money == pytest.approx(PRICES.money(found.prompt_tokens, found.completion_tokens))
    assert found.max_money == pytest.approx((900 * 3700 * 3 + 900 * 300 * 10) / 1e6)
    assert found.describe().startswith("60 episodes: about ")


def test_an_estimate_counts_replies_in_the_form_that_is_asked_for() -> None:
    found = {}
    for form in ("advice", "action"):
        settings = Settings(prompt=PromptConfig(reply_form=form))
        env = build_env(settings)
        agent = build_agent("llm_only", env, settings, llm=ScriptedLLM([]))
        found[form] = estimate_run(env, agent, range(600, 603))
    # The same decisions; two lines take more tokens than one.
    assert found["advice"].n_calls == found["action"].n_calls
    assert found["advice"].completion_tokens > 1.5 * found["action"].completion_tokens


def test_what_the_stand_in_cannot_read_has_a_bound_only() -> None:
    settings = Settings(prompt=PromptConfig(template="brief"))
    env = build_env(settings)
    agent = build_agent("llm_only", env, settings, llm=ScriptedLLM([]))
    found = estimate_run(env, agent, [600])
    assert (found.n_calls, found.max_calls) == (None, 15)


def test_where_the_stand_in_cannot_act_there_is_only_a_bound() -> None:
    agent = PromptingAgent("llm_only", ScriptedLLM([]), TOY)
    found = estimate_run(
        ToyEnv(), agent, [0, 1], rollout=RolloutConfig(max_steps=3),
        prompt=PromptConfig(max_tokens=50), config=LLMConfig(max_tokens=7),
    )  # fmt: skip
    assert (found.n_calls, found.money, found.max_money) == (None, None, None)
    assert found.describe() == "2 episodes: at most 6 calls, 300 + 42 tokens"


def test_an_agent_without_llm() -> None:
    found = estimate_run(ToyEnv(), RandomAgent(TOY), [0, 1])
    assert found.max_calls == 0
