"""Answers other than 200, and calls that got none: which error each is, for both clients."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from rememberer_nb.errors import (
    LLMAuthError,
    LLMEndpointError,
    LLMError,
    LLMQuotaError,
    LLMRequestError,
    LLMResponseError,
    LLMTimeoutError,
    LLMUnavailableError,
)
from rememberer_nb.llms.endpoint.answers import parse_body
from rememberer_nb.llms.endpoint.secret import Endpoint

_PASSING = (408, 409, 425, 429)
_MAX_MESSAGE = 300


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back: the body is decoded, but neither parsed nor searched for secrets."""

    status: int
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)

    @property
    def is_ok(self) -> bool:
        """Whether the body is what was asked for."""
        return 200 <= self.status < 300


@dataclass(frozen=True, slots=True)
class Failure:
    """No answer: `problem` for people, without secrets; "" if the time was up.

    `may_cost` : the request may have reached the server.
    """

    problem: str = ""
    may_cost: bool = True


@dataclass(frozen=True, slots=True)
class Refusal:
    """What a server says in place of an answer; its texts hold no secrets."""

    status: int
    message: str
    param: str | None = None
    codes: tuple[str, ...] = ()
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)


def read_refusal(answer: Answer, endpoint: Endpoint) -> Refusal:
    """What an answer other than 200 says: its error's message, or how it begins.

    >>> body = b'{"error": {"message": "too long", "code": "length"}}'
    >>> read_refusal(Answer(400, {}, body), Endpoint("http://localhost/v1", "my-secret"))
    Refusal(status=400, message='too long', param=None, codes=('length',))
    """
    try:
        data = parse_body(answer.body, endpoint)
    except LLMResponseError:
        data = None
    error = data.get("error", data) if isinstance(data, dict) else data
    told: dict[str, Any] = error if isinstance(error, dict) else {"message": error}
    message, param = told.get("message"), told.get("param")
    if not isinstance(message, str) or not message.strip():
        message = answer.body.decode("utf-8", "replace")
    codes = tuple(code for name in ("code", "type") if isinstance(code := told.get(name), str))
    return Refusal(
        answer.status,
        endpoint.scrub(message)[:_MAX_MESSAGE],
        param if isinstance(param, str) else None,
        codes,
        answer.headers,
    )


def final_error(refusal: Refusal, endpoint: Endpoint, asked: str) -> LLMError | None:
    """The error that a refusal is, or None if trying again may help.

    `asked` is what was asked for, such as "model 'tiny'".
    """
    status = refusal.status
    said = f"{status}: {refusal.message}"
    # What stops a run is never recorded, so it may say which server it was.
    host = endpoint.host
    if status == 402 or "insufficient_quota" in refusal.codes:
        return LLMQuotaError(f"the account's quota is used up: {host} answers {said}")
    if status in (401, 403):
        return LLMAuthError(f"the key in {endpoint.key_variable} is refused: {host} answers {said}")
    if status == 404:
        return LLMEndpointError(f"no {asked}, or no such address: {host} answers {said}")
    if status in _PASSING or status >= 500:
        return None
    return LLMRequestError(f"the request is refused: {said}")


def give_up(result: Refusal | Failure, n_tries: int) -> LLMError:
    """The error of a call whose last try ended so."""
    after = f"after {n_tries} {'try' if n_tries == 1 else 'tries'}"
    if isinstance(result, Refusal):
        problem = f"the server answers {result.status} {after}: {result.message}"
        return LLMUnavailableError(problem)
    if not result.problem:
        return LLMTimeoutError(f"no answer in time {after}")
    return LLMUnavailableError(f"no answer {after}: {result.problem}")
