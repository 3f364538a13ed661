"""Requests and tokens per minute, evenly spaced."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable


class RateLimiter:
    """Spaces calls so that neither limit is passed, without bursts.

    Parameters
    ----------
    requests_per_minute, tokens_per_minute : None: no such limit.
    clock : seconds that only grow.

    Each call moves the time of the next one by what it takes up, so that any minute holds the limit
    and at most one call more. Safe to use from several threads.

    Examples
    --------
    >>> limiter = RateLimiter(requests_per_minute=60, clock=lambda: 100.0)
    >>> [limiter.reserve(n_tokens=10) for _ in range(3)]
    [0.0, 1.0, 2.0]
    """

    def __init__(
        self,
        requests_per_minute: float | None = None,
        tokens_per_minute: float | None = None,
        *,
        clock: Callable[[], float] = time.monotonic,
    ):
        self._per_request_s = 60.0 / requests_per_minute if requests_per_minute else 0.0
        self._per_token_s = 60.0 / tokens_per_minute if tokens_per_minute else 0.0
        self._clock = clock
        self._next_request = self._next_token = float("-inf")
        self._lock = threading.Lock()

    def reserve(self, n_tokens: int) -> float:
        """Take the next place for a call of about `n_tokens`; returns the seconds to wait."""
        with self._lock:
            now = self._clock()
            start = max(now, self._next_request, self._next_token)
            self._next_request = start + self._per_request_s
            self._next_token = start + self._per_token_s * n_tokens
            return start - now

    def correct(self, n_tokens: int) -> None:
        """The last calls took `n_tokens` more (fewer, if negative) than was reserved for them."""
        with self._lock:
            self._next_token += self._per_token_s * n_tokens
