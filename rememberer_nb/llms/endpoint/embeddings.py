"""Texts to vectors through any OpenAI-compatible /embeddings endpoint.

Address and key: `EMBEDDING_BASE_URL` and `EMBEDDING_API_KEY`, or else those of the LLM. Waits,
tries and errors are those of the LLM client; no message holds the key.
"""

from __future__ import annotations

import os
import random
import threading
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from rememberer_nb.config import LLMConfig
from rememberer_nb.errors import (
    ConfigError,
    LLMResponseError,
    LLMTimeoutError,
    LLMUnavailableError,
)
from rememberer_nb.llms.endpoint.answers import parse_body
from rememberer_nb.llms.endpoint.refusals import Failure, Refusal, final_error, read_refusal
from rememberer_nb.llms.endpoint.retry import Tries
from rememberer_nb.llms.endpoint.secret import Endpoint, endpoint_from_environment
from rememberer_nb.retrieval.embedding import EmbeddingSimilarity

BATCH_SIZE = 64
_PREFIX = "EMBEDDING"


def embedding_endpoint(environment: Mapping[str, str] = os.environ) -> Endpoint:
    """Where to ask: the embeddings' own address if it is set, else the LLM's.

    The LLM's key is never sent to the embeddings' own address.

    >>> embedding_endpoint({"EMBEDDING_BASE_URL": "http://localhost:9/v1"}).base_url
    'http://localhost:9/v1'
    """
    if environment.get(f"{_PREFIX}_BASE_URL", "").strip():
        return endpoint_from_environment(environment, prefix=_PREFIX)
    return endpoint_from_environment(environment)


def embedding_similarity(model: str) -> EmbeddingSimilarity:
    """The similarity "embedding:MODEL", which asks the endpoint for its vectors."""
    return EmbeddingSimilarity(model, EmbeddingClient(model))


class EmbeddingClient:
    """Encodes texts, many per request.

    Parameters
    ----------
    model : as the server knows it.
    endpoint : address and key; by default from the environment, when they are first needed.
    config : timeout, tries and waits, of each batch.
    batch_size : texts per request.

    Calls may come from several threads. `n_requests` counts every request sent, tries and all.
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
        self._endpoint = endpoint
        self._transport: Any = None
        self._n_before = 0
        self._lock = threading.Lock()
        self._rng = random.Random()

    @property
    def n_requests(self) -> int:
        """Requests sent so far."""
        with self._lock:
            sent = 0 if self._transport is None else self._transport.n_requests
            return self._n_before + int(sent)

    def __call__(self, texts: Sequence[str]) -> np.ndarray:
        """The texts' vectors, ndarray of shape (n_texts, n_dimensions), float32.

        Raises
        ------
        LLMError : by kind, as for completions; `LLMResponseError` named "not_json" or
            "wrong_embeddings" for an answer that does not hold one vector per text.
        """
        # Servers refuse an empty text; it means as little as a space does.
        texts = [text if text.strip() else " " for text in texts]
        starts = range(0, len(texts), self.batch_size)
        batches = [texts[start : start + self.batch_size] for start in starts]
        parts = [self._batch(batch) for batch in batches]
        if len({part.shape[1] for part in parts}) > 1:
            raise self._bad("vectors of several lengths")
        return np.concatenate(parts) if parts else np.zeros((0, 0), dtype=np.float32)

    def close(self) -> None:
        """Give up what is under way, and close the connections; the next call opens new ones."""
        with self._lock:
            transport, self._transport = self._transport, None
            self._n_before += 0 if transport is None else transport.n_requests
        if transport is not None:
            transport.close()

    def _batch(self, texts: Sequence[str]) -> np.ndarray:
        transport = self._connected()
        try:
            vectors: np.ndarray = transport.run(self._tries(transport, texts))
        except (LLMUnavailableError, LLMTimeoutError) as error:
            problem = f"no embeddings from {transport.endpoint.host}: {error}"
            raise type(error)(problem) from None
        return vectors

    async def _tries(self, transport: Any, texts: Sequence[str]) -> np.ndarray:
        tries, endpoint = Tries(self.config, self._rng), transport.endpoint
        body = {"model": self.model, "input": list(texts), "encoding_format": "float"}
        while True:
            result: Refusal | Failure = await transport.post("/embeddings", body, tries.begin())
            if not isinstance(result, Failure):
                if result.is_ok:
                    return self._vectors(parse_body(result.body, endpoint), len(texts))
                result = read_refusal(result, endpoint)
                asked = f"embedding model {self.model!r}"
                if (error := final_error(result, endpoint, asked)) is not None:
                    raise error
            await tries.wait(result)

    def _vectors(self, data: Any, n_texts: int) -> np.ndarray:
        rows = data.get("data") if isinstance(data, dict) else None
        if not isinstance(rows, list) or len(rows) != n_texts:
            raise self._bad(f"not one vector for each of {n_texts} texts")
        try:
            by_place = {row.get("index", i): row["embedding"] for i, row in enumerate(rows)}
            values = [by_place[i] for i in range(n_texts)]
            # NumPy would read numbers out of texts, too.
            is_numbers = all(isinstance(value, (int, float)) for row in values for value in row)
            with np.errstate(over="ignore"):
                vectors = np.array(values if is_numbers else (), dtype=np.float32)
        except (KeyError, TypeError, ValueError, AttributeError, OverflowError):
            raise self._bad("something else than vectors of numbers, 0 to the last") from None
        if vectors.ndim != 2 or not vectors.shape[1] or not np.isfinite(vectors).all():
            raise self._bad("something else than vectors of finite numbers")
        return vectors

    def _connected(self) -> Any:
        # openai takes most of a second to import, and only what sends requests needs it.
        from rememberer_nb.llms.endpoint.transport import Transport

        with self._lock:
            if self._transport is None:
                self._endpoint = self._endpoint or embedding_endpoint()
                self._transport = Transport(self._endpoint)
            return self._transport

    def _bad(self, what: str) -> LLMResponseError:
        host = "" if self._endpoint is None else self._endpoint.host
        return LLMResponseError(f"{host} sent {what}", name="wrong_embeddings")
