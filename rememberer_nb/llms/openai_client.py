"""Any OpenAI-compatible endpoint, through the `openai` client.

::

    complete ── waits for ──► _call ── tries ──► _send          one request, at most timeout_s
                                │                  │
                     deadline, waits, counts       └─► answers.read_answer, features.accept

Tried again: refused or cut connections, 408, 409, 429, 5xx, and tries without an answer in time.
Not tried again: everything else. `errors` says which error each outcome becomes. Errors that a
recording may hold do not name the server.
"""

from __future__ import annotations

import asyncio
import random
import time
from dataclasses import dataclass, field
from typing import Any

from rememberer_nb.config import LLMConfig
from rememberer_nb.elements import Prompt, Reply
from rememberer_nb.errors import (
    ConfigError,
    LLMAuthError,
    LLMEndpointError,
    LLMError,
    LLMOutageError,
    LLMQuotaError,
    LLMRequestError,
    LLMResponseError,
    LLMTimeoutError,
    LLMUnavailableError,
)
from rememberer_nb.llms.answers import read_answer
from rememberer_nb.llms.background import BackgroundLoop
from rememberer_nb.llms.features import Features
from rememberer_nb.llms.limits import RateLimiter
from rememberer_nb.llms.retry import wait_s
from rememberer_nb.llms.secret import Endpoint, endpoint_from_environment

_PASSING = (408, 409, 425, 429)
_MAX_MESSAGE = 300
_SETTINGS = ("model", "temperature", "max_tokens", "stop", "seed", "reply_format")


@dataclass(frozen=True, slots=True)
class _Refusal:
    """An answer other than 200."""

    status: int
    message: str
    param: str | None = None
    codes: tuple[str, ...] = ()
    headers: dict[str, str] = field(default_factory=dict)


class OpenAILLM:
    """Asks an OpenAI-compatible endpoint for chat completions.

    Parameters
    ----------
    config : the model, and how to ask it.
    endpoint : address and key; by default from the environment.
    rng : draws the jitter of waits.

    Calls may come from several threads. `n_requests` counts every request sent, tries and all.
    `close` ends its thread and its connections.

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
        self.n_requests = 0
        self._endpoint = endpoint or endpoint_from_environment()
        self._features = Features(config)
        self._limiter = RateLimiter(config.requests_per_minute, config.tokens_per_minute)
        self._rng = rng or random.Random()
        self._n_failures = 0
        self._loop = BackgroundLoop()
        self._client = _make_client(self._endpoint)

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
        return self._loop.run(self._call(prompt, seed))

    def interrupt(self) -> None:
        """Give up every call under way; their callers get `concurrent.futures.CancelledError`."""
        self._loop.interrupt()

    def close(self) -> None:
        """Give up what is under way, close the connections, end the thread."""
        self._loop.close(self._client.close())

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
        except LLMResponseError:
            self._n_failures = 0
            raise
        self._n_failures = 0
        return reply

    async def _tries(self, prompt: Prompt, seed: int) -> Reply:
        config, n_tries, n_failed, is_schema_doubted = self.config, 0, 0, False
        deadline = time.monotonic() + config.deadline_s
        while True:
            body = self._features.body(prompt, seed)
            deadline += await self._admit(prompt)
            n_tries += 1
            result = await self._try(prompt, body, deadline - time.monotonic())
            if isinstance(result, Reply):
                return result
            if isinstance(result, _Refusal):
                if self._features.adapt(result.status, result.message, result.param, body):
                    is_schema_doubted |= "response_format" in body
                    continue
                if is_schema_doubted:
                    self._features.doubt()
                if (error := self._final(result)) is not None:
                    raise error
            n_failed += 1
            headers = result.headers if isinstance(result, _Refusal) else {}
            wait = wait_s(n_failed, headers, config, self._rng)
            if n_failed > config.max_retries or time.monotonic() + wait >= deadline:
                raise self._give_up(result, n_tries)
            await asyncio.sleep(wait)

    async def _admit(self, prompt: Prompt) -> float:
        """Wait for a place under the limits per minute; returns for how long."""
        wait = self._limiter.reserve(prompt.n_tokens + self.config.max_tokens)
        if wait > 0:
            await asyncio.sleep(wait)
        return wait

    async def _try(self, prompt: Prompt, body: dict[str, Any], left_s: float) -> Any:
        """One request: a `Reply`, a `_Refusal`, or what went wrong, as text or `TimeoutError`."""
        import openai

        started = time.monotonic()
        self.n_requests += 1
        try:
            text = await asyncio.wait_for(
                self._send(body), max(0.0, min(left_s, self.config.timeout_s))
            )
        except TimeoutError as error:
            return error
        except openai.APIStatusError as error:
            return self._refusal(error)
        except openai.APIConnectionError as error:
            return self._scrub(f"{error} {error.__cause__ or ''}".strip())
        return self._read(text, prompt, body, time.monotonic() - started)

    async def _send(self, body: dict[str, Any]) -> str:
        # As the extra body, the request is sent as it is; as arguments, every string in it would
        # be looked at by type first, which takes a quarter of the whole call.
        create = self._client.chat.completions.with_raw_response.create
        answer = await create(model=self.config.model, messages=[], extra_body=body)
        return str(answer.text)

    def _read(self, text: str, prompt: Prompt, body: dict[str, Any], latency_s: float) -> Reply:
        reserved = prompt.n_tokens + self.config.max_tokens
        text = self._endpoint.hide(text)
        reply: Reply | None = None
        try:
            reply = read_answer(text, prompt, model=self.config.model, latency_s=latency_s)
            self._features.accept(reply, prompt, body)
        except LLMResponseError as error:
            reply = error.reply
            raise
        finally:
            if reply is not None:
                taken = reply.prompt_tokens + reply.completion_tokens
                self._limiter.correct(taken - reserved)
        return reply

    def _refusal(self, error: Any) -> _Refusal:
        body = error.body if isinstance(error.body, dict) else {}
        message = body.get("message")
        if not isinstance(message, str) or not message:
            message = str(error)
        codes = tuple(str(part) for part in (error.code, error.type) if part)
        headers = {name.lower(): value for name, value in error.response.headers.items()}
        message = self._scrub(" ".join(message.split()))[:_MAX_MESSAGE]
        return _Refusal(error.status_code, message, error.param, codes, headers)

    def _final(self, refusal: _Refusal) -> LLMError | None:
        """The error that a refusal is, or None if trying again may help."""
        status = refusal.status
        said = f"{status}: {refusal.message}"
        # What stops a run is never recorded, so it may say which server it was.
        host = self._endpoint.host
        if status == 402 or "insufficient_quota" in refusal.codes:
            return LLMQuotaError(f"the account's quota is used up: {host} answers {said}")
        if status in (401, 403):
            return LLMAuthError(f"the key in OPENAI_API_KEY is refused: {host} answers {said}")
        if status == 404:
            problem = f"no model {self.config.model!r}, or no such address: {host} answers {said}"
            return LLMEndpointError(problem)
        if status in _PASSING or status >= 500:
            return None
        return LLMRequestError(f"the request is refused: {said}")

    def _give_up(self, result: Any, n_tries: int) -> LLMError:
        after = f"after {n_tries} {'try' if n_tries == 1 else 'tries'}"
        if isinstance(result, TimeoutError):
            return LLMTimeoutError(f"no answer in time {after}")
        if isinstance(result, _Refusal):
            problem = f"the server answers {result.status} {after}: {result.message}"
            return LLMUnavailableError(problem)
        return LLMUnavailableError(f"no answer {after}: {result}")

    def _scrub(self, text: str) -> str:
        return self._endpoint.scrub(text)

    def __repr__(self) -> str:
        return f"OpenAILLM({self.name!r})"


def _make_client(endpoint: Endpoint) -> Any:
    # openai takes most of a second to import, and only this needs it. Its own retries sleep as
    # long as a server says and repeat what cannot succeed, so they are off; its timeout counts
    # from the last byte, not from the first, so ours takes its place.
    import openai

    return openai.AsyncOpenAI(
        api_key=endpoint.key, base_url=endpoint.base_url, max_retries=0, timeout=None
    )
