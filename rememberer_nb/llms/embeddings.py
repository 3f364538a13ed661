"""Texts to vectors through any OpenAI-compatible /embeddings endpoint.

Address and key: `EMBEDDING_BASE_URL` and `EMBEDDING_API_KEY`, or else those of the LLM. Waits,
tries and errors are those of the LLM client; no message holds the key.
"""

from __future__ import annotations

import os
import random
import time
import weakref
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from rememberer_nb.config import LLMConfig
from rememberer_nb.errors import (
    ConfigError,
    LLMAuthError,
    LLMEndpointError,
    LLMError,
    LLMQuotaError,
    LLMRequestError,
    LLMResponseError,
    LLMTimeoutError,
    LLMUnavailableError,
)
from rememberer_nb.llms.retry import wait_s
from rememberer_nb.llms.secret import (
    KEY_VARIABLE,
    URL_VARIABLE,
    Endpoint,
    endpoint_from_environment,
)

BATCH_SIZE = 64
_OWN = {URL_VARIABLE: "EMBEDDING_BASE_URL", KEY_VARIABLE: "EMBEDDING_API_KEY"}
_PASSING = (408, 409, 425, 429)
_MAX_MESSAGE = 300


def embedding_endpoint(environment: Mapping[str, str] = os.environ) -> Endpoint:
    """Where to ask: the embeddings' own address if it is set, else the LLM's.

    The LLM's key is never sent to the embeddings' own address.

    >>> embedding_endpoint({"EMBEDDING_BASE_URL": "http://localhost:9/v1"}).base_url
    'http://localhost:9/v1'
    """
    if environment.get(_OWN[URL_VARIABLE], "").strip():
        own = {name: environment.get(other, "") for name, other in _OWN.items()}
        return endpoint_from_environment(own)
    return endpoint_from_environment(environment)


class EmbeddingClient:
    """Encodes texts, many per request.

    Parameters
    ----------
    model : as the server knows it.
    endpoint : address and key; by default from the environment, when they are first needed.
    config : timeout, tries and waits.
    batch_size : texts per request.

    `n_requests` counts every request sent, tries and all.
    """

    def __init__(
        self,
        model: str,
        *,
        endpoint: Endpoint | None = None,
        config: LLMConfig | None = None,
        batch_size: int = BATCH_SIZE,
    ):
        if not model:
            raise ConfigError("no embedding model is named: expected embedding:MODEL")
        self.model = model
        self.config = config or LLMConfig()
        self.batch_size = batch_size
        self.n_requests = 0
        self._endpoint = endpoint
        self._client: Any = None
        self._rng = random.Random()

    def __call__(self, texts: Sequence[str]) -> np.ndarray:
        """The texts' vectors, ndarray of shape (n_texts, n_dimensions), float32.

        Raises
        ------
        LLMError : by kind, as for completions; `LLMResponseError` named "not_json" or
            "wrong_embeddings" for an answer that does not hold one vector per text.
        """
        # Servers refuse an empty text; it means as little as a space does.
        texts = [text if text.strip() else " " for text in texts]
        parts = [
            self._batch(texts[start : start + self.batch_size])
            for start in range(0, len(texts), self.batch_size)
        ]
        if len({part.shape[1] for part in parts}) > 1:
            raise self._bad("vectors of several lengths")
        return np.concatenate(parts) if parts else np.zeros((0, 0), dtype=np.float32)

    def close(self) -> None:
        """Close the connections."""
        if self._client is not None:
            self._client.close()
            self._client = None

    def _batch(self, texts: Sequence[str]) -> np.ndarray:
        deadline = time.monotonic() + self.config.deadline_s
        n_failed = 0
        while True:
            result = self._try(texts, deadline - time.monotonic())
            if isinstance(result, np.ndarray):
                return result
            error, headers = result
            n_failed += 1
            if headers is None or n_failed > self.config.max_retries:
                raise error
            wait = wait_s(n_failed, headers, self.config, self._rng)
            if time.monotonic() + wait >= deadline:
                raise error
            time.sleep(wait)

    def _try(self, texts: Sequence[str], left_s: float) -> Any:
        """One request: the vectors, or what `_refusal` returns."""
        import openai

        self.n_requests += 1
        timeout = max(0.001, min(left_s, self.config.timeout_s))
        try:
            answer = self._connect().embeddings.with_raw_response.create(
                model=self.model, input=list(texts), encoding_format="float", timeout=timeout
            )
        except openai.APITimeoutError:
            return LLMTimeoutError(f"no embeddings from {self._host} in time"), {}
        except openai.APIStatusError as error:
            return self._refusal(error)
        except openai.APIConnectionError as error:
            cause = self._scrub(f"{error} {error.__cause__ or ''}")
            return LLMUnavailableError(f"no embeddings from {self._host}: {cause}"), {}
        return self._vectors(answer, len(texts))

    def _vectors(self, answer: Any, n_texts: int) -> np.ndarray:
        try:
            data = answer.http_response.json()
        except ValueError:
            problem = f"the answer of {self._host} is not JSON"
            raise LLMResponseError(problem, name="not_json") from None
        rows = data.get("data") if isinstance(data, dict) else None
        if not isinstance(rows, list) or len(rows) != n_texts:
            raise self._bad(f"not one vector for each of {n_texts} texts")
        try:
            ordered = sorted(rows, key=lambda row: row.get("index", 0))
            vectors = np.array([row["embedding"] for row in ordered], dtype=np.float32)
        except (KeyError, TypeError, ValueError, AttributeError):
            raise self._bad("something else than vectors of numbers") from None
        if vectors.ndim != 2 or not vectors.shape[1] or not np.isfinite(vectors).all():
            raise self._bad("something else than vectors of finite numbers")
        return vectors

    def _refusal(self, error: Any) -> tuple[LLMError, Mapping[str, str] | None]:
        """The error, and the answer's headers if trying again may help."""
        status = error.status_code
        body = error.body if isinstance(error.body, dict) else {}
        message = body.get("message") if isinstance(body.get("message"), str) else str(error)
        said = f"{self._host} answers {status}: {self._scrub(message)}"
        codes = (error.code, error.type)
        if status == 402 or "insufficient_quota" in codes:
            return LLMQuotaError(f"the account's quota is used up: {said}"), None
        if status in (401, 403):
            return LLMAuthError(f"the key for embeddings is refused: {said}"), None
        if status == 404:
            problem = f"no embedding model {self.model!r}, or no such address: {said}"
            return LLMEndpointError(problem), None
        if status in _PASSING or status >= 500:
            headers = {name.lower(): value for name, value in error.response.headers.items()}
            return LLMUnavailableError(f"no embeddings: {said}"), headers
        return LLMRequestError(f"the request for embeddings is refused: {said}"), None

    def _connect(self) -> Any:
        if self._client is None:
            import openai

            self._endpoint = self._endpoint or embedding_endpoint()
            self._client = openai.OpenAI(
                api_key=self._endpoint.key, base_url=self._endpoint.base_url, max_retries=0
            )
            # Whoever retrieves from a memory closes the memory at most.
            weakref.finalize(self, self._client.close)
        return self._client

    @property
    def _host(self) -> str:
        return "" if self._endpoint is None else self._endpoint.host

    def _scrub(self, text: str) -> str:
        flat = " ".join(text.split())
        return (self._endpoint.scrub(flat) if self._endpoint else flat)[:_MAX_MESSAGE]

    def _bad(self, what: str) -> LLMResponseError:
        return LLMResponseError(f"{self._host} sent {what}", name="wrong_embeddings")
