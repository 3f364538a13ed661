"""Waits between tries."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rememberer_nb.config import LLMConfig
from rememberer_nb.llms.endpoint.retry import retry_after_s, wait_s

NOW = datetime(2026, 5, 1, 12, 0, 0, tzinfo=UTC)


class Fixed(random.Random):
    """Draws one number again and again."""

    def __init__(self, value: float):
        super().__init__()
        self.value = value

    def random(self) -> float:
        return self.value


def test_waits_double_up_to_the_longest() -> None:
    config = LLMConfig(backoff_s=1.0, max_backoff_s=5.0)
    low = [wait_s(n, {}, config, Fixed(0.0)) for n in (1, 2, 3, 4, 400)]
    high = [wait_s(n, {}, config, Fixed(1.0)) for n in (1, 2, 3, 4, 400)]
    assert low == [0.5, 1.0, 2.0, 2.5, 2.5]
    assert high == [1.0, 2.0, 4.0, 5.0, 5.0]


def test_the_same_generator_gives_the_same_waits() -> None:
    one, two = (random.Random(3) for _ in range(2))
    config = LLMConfig()
    assert [wait_s(n, {}, config, one) for n in range(1, 5)] == [
        wait_s(n, {}, config, two) for n in range(1, 5)
    ]


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"retry-after": "3"}, 3.0),
        ({"retry-after": "0.25"}, 0.25),
        ({"retry-after": "-4"}, 0.0),
        ({"retry-after": ""}, None),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "nan"}, None),
        ({"retry-after": "inf"}, None),
        ({"retry-after-ms": "150"}, 0.15),
        ({"retry-after-ms": "150", "retry-after": "9"}, 0.15),
        ({"retry-after": "Fri, 01 May 2026 12:00:30 GMT"}, 30.0),
        ({"retry-after": "Fri, 01 May 2026 14:00:30 +0200"}, 30.0),
        ({"retry-after": "Fri, 01 May 2026 11:00:00 GMT"}, 0.0),
    ],
)
def test_what_a_server_asks_for(headers: dict[str, str], seconds: float | None) -> None:
    assert retry_after_s(headers, NOW) == seconds
    elsewhere = NOW.astimezone(timezone(timedelta(hours=5)))
    assert retry_after_s(headers, elsewhere) == seconds


@given(st.text(), st.integers(1, 10_000), st.floats(0, 1))
def test_no_header_makes_a_wait_longer_than_the_caps(text: str, n: int, draw: float) -> None:
    config = LLMConfig(retry_after_cap_s=7.0, max_backoff_s=5.0)
    assert 0 <= wait_s(n, {"retry-after": text}, config, Fixed(draw)) <= 7.0


def test_what_a_server_asks_of_all_is_spread() -> None:
    """A wait of our own is 0.5 to 1 s after the first failure: up to half a second comes on top."""
    config = LLMConfig(backoff_s=1.0, max_backoff_s=5.0, retry_after_cap_s=60.0)
    asked = [wait_s(1, {"retry-after": "20"}, config, Fixed(draw)) for draw in (0.0, 0.5, 1.0)]
    assert asked == [20.0, 20.25, 20.5]
    # The cap holds all the same, and those that it catches are spread below it.
    capped = [wait_s(1, {"retry-after": "99"}, config, Fixed(draw)) for draw in (0.0, 1.0)]
    assert capped == [59.5, 60.0]


def test_a_date_beyond_all_calendars() -> None:
    assert retry_after_s({"retry-after": "Fri, 01 May 2026 12:00:30 +99999999999"}, NOW) is None
