"""Waits between tries."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rememberer_nb.config import LLMConfig
from rememberer_nb.llms.retry import retry_after_s, wait_s

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
