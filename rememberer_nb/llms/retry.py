"""How long to wait before a call is tried again.

Our own waits double, and half of each is drawn, so that many callers do not come back at once. A
server's `Retry-After` goes before them, up to a cap.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from rememberer_nb.config import LLMConfig


def wait_s(
    n_failures: int, headers: Mapping[str, str], config: LLMConfig, rng: random.Random
) -> float:
    """Seconds to wait after the n-th failure of a call, n from 1.

    Examples
    --------
    >>> config, rng = LLMConfig(backoff_s=1.0, max_backoff_s=3.0), random.Random(0)
    >>> [0.5 <= wait_s(1, {}, config, rng) < 1, 1.5 <= wait_s(9, {}, config, rng) < 3]
    [True, True]
    >>> wait_s(1, {"retry-after": "7"}, config, rng)
    7.0
    """
    asked = retry_after_s(headers)
    if asked is not None:
        return min(asked, config.retry_after_cap_s)
    longest = min(config.max_backoff_s, config.backoff_s * 2.0 ** min(n_failures - 1, 60))
    return longest * (1 + rng.random()) / 2


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
    except ValueError:
        return None
    if then.tzinfo is None:
        then = then.replace(tzinfo=UTC)
    return max(0.0, (then - (now or datetime.now(UTC))).total_seconds())


def _number(text: str | None) -> float | None:
    try:
        number = float(text or "")
    except ValueError:
        return None
    # float() reads "nan" and "inf", too.
    return max(0.0, number) if number < float("inf") else None
