"""Requests and tokens per minute."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rememberer_nb.llms.endpoint.limits import RateLimiter


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_without_limits_nothing_waits() -> None:
    limiter = RateLimiter()
    assert [limiter.reserve(10**9) for _ in range(3)] == [0.0, 0.0, 0.0]


def test_requests_are_spaced() -> None:
    clock = Clock()
    limiter = RateLimiter(30, clock=clock)
    assert [limiter.reserve(5) for _ in range(3)] == [0.0, 2.0, 4.0]
    clock.now += 100
    assert limiter.reserve(5) == 0.0
    assert limiter.reserve(5) == 2.0


def test_tokens_are_spaced_and_corrected() -> None:
    limiter = RateLimiter(tokens_per_minute=600, clock=Clock())
    assert limiter.reserve(100) == 0.0
    assert limiter.reserve(100) == pytest.approx(10.0)
    # Both took half of what was thought.
    limiter.correct(-100)
    assert limiter.reserve(100) == pytest.approx(10.0)


def test_the_tighter_limit_counts() -> None:
    limiter = RateLimiter(60, 600, clock=Clock())
    assert [round(limiter.reserve(n), 6) for n in (1, 100, 1)] == [0.0, 1.0, 11.0]


@given(st.lists(st.floats(0, 10), max_size=60), st.integers(1, 100))
def test_no_minute_holds_more_than_the_limit_and_one(pauses: list[float], limit: int) -> None:
    clock = Clock()
    limiter = RateLimiter(limit, clock=clock)
    starts = []
    for pause in pauses:
        clock.now += pause
        starts.append(clock.now + limiter.reserve(1))
    for start in starts:
        assert sum(start <= other < start + 59.999 for other in starts) <= limit + 1
