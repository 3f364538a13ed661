"""A budget for a run: calls, tokens, money. What would pass it stops the run.

Every request counts as a call: each try of one, and each redirect. A request is let through only
if, besides what was used and what other requests under way may use, its own worst case still fits:
the estimate of its prompt and the longest reply. What it really took replaces that when it is back,
so the budget is passed by no more than the estimates of the requests under way fall short. Where
nobody knows what it took, as after a time-out, the worst case stands.

A client that sends several requests a call is handed the budget (`use_budget`) and asks it before
each; any other LLM's calls are requests.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass

from rememberer_nb.config import LLMConfig
from rememberer_nb.elements import Prompt, Reply
from rememberer_nb.errors import BudgetError, LLMError
from rememberer_nb.llms.protocol import LLM
from rememberer_nb.llms.wrapped import WrappedLLM, use_budget


@dataclass(frozen=True, slots=True)
class Spent:
    """Calls and tokens."""

    n_calls: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0

    def __add__(self, other: Spent) -> Spent:
        return Spent(
            self.n_calls + other.n_calls,
            self.prompt_tokens + other.prompt_tokens,
            self.completion_tokens + other.completion_tokens,
        )

    @property
    def n_tokens(self) -> int:
        """Tokens of prompts and replies."""
        return self.prompt_tokens + self.completion_tokens

    def __sub__(self, other: Spent) -> Spent:
        return self + Spent(-other.n_calls, -other.prompt_tokens, -other.completion_tokens)


class Budget:
    """What a run may spend, shared by all who spend it; safe to use from several threads.

    >>> budget = Budget(LLMConfig(budget_calls=1))
    >>> budget.reserve(Spent(1, 10, 5))
    >>> budget.reserve(Spent(1, 10, 5))
    Traceback (most recent call last):
    ...
    rememberer_nb.errors.BudgetError: the budget of 1 calls is used up: ...
    """

    def __init__(self, config: LLMConfig):
        self.config = config
        self.spent = Spent()
        self._reserved = Spent()
        self._lock = threading.Lock()

    def reserve(self, most: Spent) -> None:
        """Set aside what a request may take at most; `BudgetError` if that does not fit."""
        with self._lock:
            self._check(self.spent + self._reserved + most)
            self._reserved += most

    def settle(self, most: Spent, taken: Spent) -> None:
        """Replace what was set aside by what was taken."""
        with self._lock:
            self._reserved -= most
            self.spent += taken

    def count_request(self) -> None:
        """A request more for what is reserved already, as after a redirect."""
        one = Spent(1)
        self.reserve(one)
        self.settle(one, one)

    def _check(self, total: Spent) -> None:
        config = self.config
        money = config.money(total.prompt_tokens, total.completion_tokens)
        for wanted, limit, unit in (
            (total.n_calls, config.budget_calls, "calls"),
            (total.n_tokens, config.budget_tokens, "tokens"),
            (money, config.budget_money, "(money)"),
        ):
            if limit is not None and wanted is not None and wanted > limit:
                spent = self.spent
                raise BudgetError(
                    f"the budget of {limit:,} {unit} is used up: after {spent.n_calls:,} calls "
                    f"with {spent.prompt_tokens:,} + {spent.completion_tokens:,} tokens "
                    "the next one may not fit"
                )


class BudgetedLLM(WrappedLLM):
    """An LLM that raises `BudgetError` in place of a call that may not fit the budget."""

    def __init__(self, inner: LLM, budget: Budget):
        super().__init__(inner)
        self.budget = budget
        self._asks_itself = use_budget(inner, budget)

    def complete(self, prompt: Prompt, *, seed: int = 0) -> Reply:
        """The inner LLM's reply."""
        if self._asks_itself:
            return self.inner.complete(prompt, seed=seed)
        most = Spent(1, prompt.n_tokens, self.budget.config.max_tokens)
        self.budget.reserve(most)
        reply: Reply | None = None
        try:
            reply = self.inner.complete(prompt, seed=seed)
        except LLMError as error:
            reply = error.reply
            raise
        finally:
            self.budget.settle(most, spent_on(reply))
        return reply


def spent_on(reply: Reply | None) -> Spent:
    """A request, with the tokens of its reply."""
    if reply is None:
        return Spent(1)
    return Spent(1, reply.prompt_tokens, reply.completion_tokens)


def with_budget(llm: LLM, config: LLMConfig) -> LLM:
    """The LLM within the config's budget; the LLM itself if there is none."""
    limits = (config.budget_calls, config.budget_tokens, config.budget_money)
    return llm if limits == (None, None, None) else BudgetedLLM(llm, Budget(config))
