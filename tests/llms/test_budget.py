"""Budgets of calls, tokens and money."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from rememberer_nb.agents.prompting_agent import PromptingAgent
from rememberer_nb.config import LLMConfig
from rememberer_nb.elements import Episode, Prompt, Reply
from rememberer_nb.errors import BudgetError, LLMError, LLMResponseError
from rememberer_nb.llms import close, make_llm
from rememberer_nb.llms.budget import Budget, BudgetedLLM, Spent, with_budget
from rememberer_nb.loop.parallel import Slots
from rememberer_nb.loop.training import Conduct, evaluate
from rememberer_nb.testing.local_server import completion
from tests.llms.conftest import FaultServer, refusal, reply
from tests.toy import TOY, ScriptedLLM, ToyEnv

PROMPT = Prompt((("user", "hello"),), "hello", 100)


class Costly:
    """Takes 100 + 10 tokens a call."""

    name = "costly"

    def complete(self, prompt: Prompt, *, seed: int = 0) -> Reply:
        return Reply("go[on]", 100, 10)


def count(config: LLMConfig) -> int:
    llm, n = BudgetedLLM(Costly(), Budget(config)), 0
    with pytest.raises(BudgetError):
        while n < 1000:
            llm.complete(PROMPT)
            n += 1
    assert llm.budget.spent == Spent(n, 100 * n, 10 * n)
    return n


def test_calls() -> None:
    assert count(LLMConfig(budget_calls=7)) == 7


def test_tokens_are_never_passed() -> None:
    # The next call may take 100 + 50: after 8 (880) it fits into 1030, after 9 (990) it does not.
    assert count(LLMConfig(budget_tokens=1030, max_tokens=50)) == 9
    assert count(LLMConfig(budget_tokens=1029, max_tokens=50)) == 8


def test_money_is_never_passed() -> None:
    # A call costs 100·1 + 10·2 = 120 millionths, at most 100 + 50·2 = 200.
    prices = {"input_price": 1.0, "output_price": 2.0, "max_tokens": 50}
    assert count(LLMConfig(budget_money=560e-6, **prices)) == 4
    assert count(LLMConfig(budget_money=559e-6, **prices)) == 3


def test_the_message_says_what_was_spent() -> None:
    llm = with_budget(Costly(), LLMConfig(budget_calls=2))
    llm.complete(PROMPT), llm.complete(PROMPT)
    with pytest.raises(BudgetError, match=r"budget of 2 calls is used up: after 2 calls with 200 "):
        llm.complete(PROMPT)


def test_failed_calls_count_with_what_they_took() -> None:
    class Cut:
        name = "cut"

        def complete(self, prompt: Prompt, *, seed: int = 0) -> Reply:
            raise LLMResponseError("cut", name="truncated", reply=Reply("go[", 100, 50))

    llm = BudgetedLLM(Cut(), Budget(LLMConfig(budget_calls=5)))
    with pytest.raises(LLMResponseError):
        llm.complete(PROMPT)
    assert llm.budget.spent == Spent(1, 100, 50)


def test_threads_share_a_budget() -> None:
    llm = BudgetedLLM(Costly(), Budget(LLMConfig(budget_calls=50)))

    def call(_: int) -> bool:
        try:
            llm.complete(PROMPT)
        except BudgetError:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(call, range(200))) == 50


def test_no_budget_no_wrapper() -> None:
    llm = Costly()
    assert with_budget(llm, LLMConfig()) is llm


def test_the_stand_in_has_a_budget_too() -> None:
    llm = make_llm("offline", profile="webshop", config=LLMConfig(budget_calls=1))
    assert (llm.name, llm.budget.config.budget_calls) == ("offline:novice", 1)


@pytest.mark.parametrize("n_slots", [1, 3])
def test_a_run_stops_cleanly(n_slots: int) -> None:
    """Two steps an episode, five calls: two whole episodes, or one if more were begun."""
    llm = BudgetedLLM(ScriptedLLM(["go[on]"]), Budget(LLMConfig(budget_calls=5)))
    agent = PromptingAgent("llm_only", llm, TOY)
    kept: list[Episode] = []
    with pytest.raises(BudgetError):
        evaluate(
            ToyEnv(max_steps=2),
            agent,
            range(4),
            conduct=Conduct(
                slots=Slots(n_slots, lambda: ToyEnv(max_steps=2)), on_episode=kept.append
            ),
        )
    assert all(len(episode.steps) == 2 for episode in kept)
    assert llm.budget.spent.n_calls == 5
    assert len(kept) in ([2] if n_slots == 1 else [1, 2])


def tries(**changes: Any) -> LLMConfig:
    waits = {"backoff_s": 0.01, "max_backoff_s": 0.01, "timeout_s": 0.3, "deadline_s": 5.0}
    return LLMConfig(model="m", reply_format="text", **{**waits, **changes})


def spend(config: LLMConfig) -> tuple[LLMError, Spent]:
    """The error of one call, and what was spent."""
    llm = make_llm("openai:m", profile=TOY, config=config)
    try:
        with pytest.raises(LLMError) as caught:
            llm.complete(PROMPT)
        return caught.value, llm.budget.spent
    finally:
        close(llm)


def test_every_try_counts(server: FaultServer) -> None:
    """In the middle of a call's tries, too."""
    server.play(refusal(503))
    error, spent = spend(tries(budget_calls=3, max_retries=6))
    assert isinstance(error, BudgetError)
    assert "budget of 3 calls is used up: after 3 calls with 0 + 0 tokens" in str(error)
    assert len(server.log) == 3
    assert spent == Spent(3)


def test_tries_without_some_parameter_count(server: FaultServer) -> None:
    server.play(refusal(400, "Unsupported value: 'temperature'", param="temperature"))
    error, _ = spend(tries(budget_calls=1))
    assert isinstance(error, BudgetError)
    assert len(server.log) == 1


def test_tries_that_time_out_count_as_the_most_that_they_may_take(server: FaultServer) -> None:
    # 100 tokens of the prompt and 50 of the reply: the third try does not fit.
    server.play({**reply("late"), "delay_s": 5.0})
    error, spent = spend(tries(budget_tokens=449, max_tokens=50, max_retries=6))
    assert isinstance(error, BudgetError)
    assert len(server.log) == 2
    assert spent == Spent(2, 200, 100)


def test_tries_that_were_never_sent_take_no_tokens(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_BASE_URL", "http://127.0.0.1:9/v1")
    error, spent = spend(tries(budget_calls=9, max_retries=2))
    assert error.name == "unavailable"
    assert spent == Spent(3)


@pytest.mark.parametrize("n_tokens", [10**400, -(10**9), True, 1e300])
def test_impossible_counts_do_not_keep_a_budget_from_ending(
    server: FaultServer, n_tokens: Any
) -> None:
    usage = {"prompt_tokens": n_tokens, "completion_tokens": n_tokens}
    server.play({"body": {**completion("go[on]"), "usage": usage}})
    llm = make_llm("openai:m", profile=TOY, config=tries(budget_tokens=1000, max_tokens=50))
    n = 0
    with pytest.raises(BudgetError):
        while n < 100:
            n += 1
            with suppress(LLMResponseError):
                llm.complete(PROMPT)
    close(llm)
    # 100 for the prompt and 2 for the reply, as estimated: after nine calls a tenth does not fit.
    assert llm.budget.spent == Spent(9, 900, 18)
    assert n == 10


def test_redirects_count(server: FaultServer) -> None:
    server.play({"body": {}, "status": 307, "headers": {"location": "/v1/again"}})
    error, spent = spend(tries(budget_calls=2))
    assert isinstance(error, BudgetError)
    assert len(server.log) == 2
    assert spent.n_calls == 2


def test_what_is_recorded_costs_nothing(server: FaultServer, tmp_path: Path) -> None:
    config = tries(budget_calls=1)
    for _ in range(2):
        llm = make_llm(f"record:{tmp_path}/calls.jsonl:openai:m", profile=TOY, config=config)
        assert llm.complete(PROMPT) == llm.complete(PROMPT)
        close(llm)
    assert llm.inner.budget.spent == Spent()
    assert len(server.log) == 1
