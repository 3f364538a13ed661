"""Any OpenAI-compatible endpoint, through the `openai` client.

::

    complete ── waits for ──► _call ── tries ──► _try ──► transport.post    at most timeout_s
                                │                  │
                     retry.Tries: deadline,        └─► answers.read_answer, features.accept
                     waits, counts

Tried again: refused or cut connections, 408, 409, 429, 5xx, and tries without an answer in time.
Not tried again: everything else. `errors` says which error each outcome becomes. Errors that a
recording may hold do not name the server.
"""

from __future__ import annotations

import asyncio
import random
import time
from typing import Any

from rememberer_nb.config import LLMConfig
from rememberer_nb.elements import Prompt, Reply
from rememberer_nb.errors import (
    ConfigError,
    LLMOutageError,
    LLMRequestError,
    LLMResponseError,
    LLMTimeoutError,
    LLMUnavailableError,
)
from rememberer_nb.llms.budget import Budget, Spent, spent_on
from rememberer_nb.llms.endpoint.answers import read_answer
from rememberer_nb.llms.endpoint.features import Features
from rememberer_nb.llms.endpoint.limits import RateLimiter
from rememberer_nb.llms.endpoint.refusals import Failure, Refusal, final_error, read_refusal
from rememberer_nb.llms.endpoint.retry import Tries
from rememberer_nb.llms.endpoint.secret import Endpoint, endpoint_from_environment

_SETTINGS = ("model", "temperature", "max_tokens", "stop", "seed", "reply_format")


class OpenAILLM:
    """Asks an OpenAI-compatible endpoint: for chat completions, or to continue a prompt's text.

    Parameters
    ----------
    config : the model, and how to ask it.
    endpoint : address and key; by default from the environment.
    rng : draws the jitter of waits.

    Calls may come from several threads. `n_requests` counts every request sent, tries and all.
    `budget` is asked before each of them (`use_budget`). `close` ends its thread and its
    connections.

    Raises
    ------
    LLMAuthError : no key.
    ConfigError : no model.
    """

    def __init__(
        self,
        config: LLMConfig,
        *,
        endpoint: Endpoint | None = None,
        rng: random.Random | None = None,
    ):
        if not config.model:
            raise ConfigError("no model is named: give --model NAME, or openai:NAME as the LLM")
        self.config = config
        self.name = f"openai:{config.model}"
        self.budget = Budget(LLMConfig())
        self._endpoint = endpoint or endpoint_from_environment()
        self._features = Features(config)
        self._limiter = RateLimiter(config.requests_per_minute, config.tokens_per_minute)
        self._rng = rng or random.Random()
        self._n_failures = 0
        self._transport = _make_transport(self._endpoint)

    @property
    def n_requests(self) -> int:
        """Requests sent so far."""
        return int(self._transport.n_requests)

    @property
    def settings(self) -> dict[str, Any]:
        """What every request shares, but for key and address."""
        shared = {name: getattr(self.config, name) for name in _SETTINGS}
        return {"llm": self.name, **shared, "stop": list(self.config.stop)}

    def complete(self, prompt: Prompt, *, seed: int = 0) -> Reply:
        """The model's reply; see `LLM.complete`.

        Raises
        ------
        LLMError : by kind; see `rememberer_nb.errors`. No message holds the key.
        """
        reply: Reply = self._transport.run(self._call(prompt, seed))
        return reply

    def use_budget(self, budget: Budget) -> bool:
        """Spend from a budget: every request counts, with what it took or may have taken."""
        self.budget = budget
        return True

    def interrupt(self) -> None:
        """Give up every call under way; their callers get `concurrent.futures.CancelledError`."""
        self._transport.interrupt()

    def close(self) -> None:
        """Give up what is under way, close the connections, end the thread."""
        self._transport.close()

    async def _call(self, prompt: Prompt, seed: int) -> Reply:
        try:
            reply = await self._tries(prompt, seed)
        except (LLMUnavailableError, LLMTimeoutError) as error:
            self._n_failures += 1
            limit = self.config.max_failures
            if limit is not None and self._n_failures >= limit:
                problem = (
                    f"{self._n_failures} calls in a row to {self._endpoint.host} failed; "
                    f"the last one: {error}"
                )
                raise LLMOutageError(problem) from None
            raise
        except (LLMRequestError, LLMResponseError):
            # Of no use, but the server is there and answers.
            self._n_failures = 0
            raise
        self._n_failures = 0
        return reply

    async def _tries(self, prompt: Prompt, seed: int) -> Reply:
        tries, is_schema_doubted = Tries(self.config, self._rng), False
        while True:
            body = self._features.body(prompt, seed)
            result = await self._try(prompt, body, tries)
            if isinstance(result, Reply):
                return result
            if isinstance(result, Refusal):
                if self._features.adapt(result.status, result.message, result.param, body):
                    is_schema_doubted |= "response_format" in body
                    continue
                if is_schema_doubted:
                    self._features.doubt()
                asked = f"model {self.config.model!r}"
                if (error := final_error(result, self._endpoint, asked)) is not None:
                    raise error
            await tries.wait(result)

    async def _try(
        self, prompt: Prompt, body: dict[str, Any], tries: Tries
    ) -> Reply | Refusal | Failure:
        """One request, within the budget and the limits per minute."""
        most = Spent(1, prompt.n_tokens, self.config.max_tokens)
        budget, taken = self.budget, Spent()
        budget.reserve(most)
        try:
            tries.postpone(await self._admit(most))
            # What was sent may be paid for, even if nothing or nothing legible comes back.
            taken = most
            result = await self._send(prompt, body, tries.begin(), budget)
            is_paid = isinstance(result, Failure) and result.may_cost
            taken = most if is_paid else spent_on(result if isinstance(result, Reply) else None)
            return result
        except LLMResponseError as error:
            taken = most if error.reply is None else spent_on(error.reply)
            raise
        finally:
            budget.settle(most, taken)
            self._limiter.correct(taken.n_tokens - most.n_tokens)

    async def _admit(self, most: Spent) -> float:
        """Wait for a place under the limits per minute; returns for how long."""
        wait = self._limiter.reserve(most.n_tokens)
        if wait > 0:
            await asyncio.sleep(wait)
        return wait

    async def _send(
        self, prompt: Prompt, body: dict[str, Any], timeout_s: float, budget: Budget
    ) -> Reply | Refusal | Failure:
        started = time.monotonic()
        path = "/completions" if prompt.channel == "completion" else "/chat/completions"
        answer = await self._transport.post(path, body, timeout_s, budget.count_request)
        if isinstance(answer, Failure):
            return answer
        if not answer.is_ok:
            return read_refusal(answer, self._endpoint)
        reply = read_answer(
            answer.body,
            prompt,
            model=self.config.model,
            latency_s=time.monotonic() - started,
            endpoint=self._endpoint,
        )
        self._features.accept(reply, prompt, body)
        return reply

    def __repr__(self) -> str:
        return f"OpenAILLM({self.name!r})"


def _make_transport(endpoint: Endpoint) -> Any:
    # openai takes most of a second to import, and only what sends requests needs it.
    from rememberer_nb.llms.endpoint.transport import Transport

    return Transport(endpoint)
