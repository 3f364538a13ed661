"""How often and how long a call is tried, and how long to wait before it is tried again.

Our own waits double, and half of each is drawn, so that many callers do not come back at once. A
server's `Retry-After` goes before them, up to a cap; half of what our own wait could be is drawn on
top of it, since a server tells all callers the same.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from rememberer_nb.config import LLMConfig
from rememberer_nb.llms.endpoint.refusals import Failure, Refusal, give_up


def wait_s(
    n_failures: int, headers: Mapping[str, str], config: LLMConfig, rng: random.Random
) -> float:
    """Seconds to wait after the n-th failure of a call, n from 1.

    Examples
    --------
    >>> config, rng = LLMConfig(backoff_s=1.0, max_backoff_s=3.0), random.Random(0)
    >>> [0.5 <= wait_s(1, {}, config, rng) < 1, 1.5 <= wait_s(9, {}, config, rng) < 3]
    [True, True]
    >>> 7.0 <= wait_s(1, {"retry-after": "7"}, config, rng) < 7.5
    True
    """
    longest = min(config.max_backoff_s, config.backoff_s * 2.0 ** min(n_failures - 1, 60))
    asked = retry_after_s(headers)
    if asked is None:
        return longest * (1 + rng.random()) / 2
    cap = config.retry_after_cap_s
    drawn = min(longest / 2, cap)
    return min(asked, cap - drawn) + drawn * rng.random()


class Tries:
    """The tries of one call: how many there were, and how long there may be more.

    Parameters
    ----------
    config : timeout, deadline, tries and waits.
    rng : draws the jitter of waits.
    """

    def __init__(self, config: LLMConfig, rng: random.Random):
        self.n = 0
        self._config, self._rng = config, rng
        self._n_failed = 0
        self._deadline = time.monotonic() + config.deadline_s

    def begin(self) -> float:
        """Count a try; returns the seconds that it has."""
        self.n += 1
        return min(self._deadline - time.monotonic(), self._config.timeout_s)

    def postpone(self, seconds: float) -> None:
        """Time that does not count, such as what the caller's own limits take."""
        self._deadline += seconds

    async def wait(self, result: Refusal | Failure) -> None:
        """Wait for the next try after one that failed.

        Raises
        ------
        LLMUnavailableError, LLMTimeoutError : there are no tries left, or no time.
        """
        self._n_failed += 1
        headers = result.headers if isinstance(result, Refusal) else {}
        wait = wait_s(self._n_failed, headers, self._config, self._rng)
        has_tries = self._n_failed <= self._config.max_retries
        if not has_tries or time.monotonic() + wait >= self._deadline:
            raise give_up(result, self.n)
        await asyncio.sleep(wait)


def retry_after_s(headers: Mapping[str, str], now: datetime | None = None) -> float | None:
    """What a server asks for: seconds or a date in `retry-after`, or `retry-after-ms`.

    None if it asks for nothing that can be read.

    >>> now = datetime(2026, 1, 1, tzinfo=UTC)
    >>> retry_after_s({"retry-after": "Thu, 01 Jan 2026 00:00:10 GMT"}, now)
    10.0
    >>> retry_after_s({"retry-after": "soon"})
    """
    milliseconds = _number(headers.get("retry-after-ms"))
    if milliseconds is not None:
        return milliseconds / 1000
    text = headers.get("retry-after")
    seconds = _number(text)
    if seconds is not None or text is None:
        return seconds
    try:
        then = parsedate_to_datetime(text)
        if then.tzinfo is None:
            then = then.replace(tzinfo=UTC)
        return max(0.0, (then - (now or datetime.now(UTC))).total_seconds())
    except (ValueError, OverflowError):
        return None


def _number(text: str | None) -> float | None:
    try:
        number = float(text or "")
    except ValueError:
        return None
    # float() reads "nan" and "inf", too.
    return max(0.0, number) if number < float("inf") else None
