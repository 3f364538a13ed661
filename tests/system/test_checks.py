"""Numbers and counts from outside."""

from __future__ import annotations

import math

import pytest

from rememberer_nb.errors import ConfigError
from rememberer_nb.system.checks import MAX_COUNT, check_finite, is_count, is_number


@pytest.mark.parametrize("value", [0, -1, 2.5, 1e100, -1e100, 5e-324])
def test_numbers(value: float) -> None:
    assert is_number(value)
    check_finite(value, x=value)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, 1e101, 10**400, -(10**400)])
def test_numbers_that_cannot_be_worked_with(value: float) -> None:
    assert not is_number(value)
    with pytest.raises(ConfigError, match=r"float\.x must be finite, got .*; at most 1e\+100"):
        check_finite(1.0, x=value)


@pytest.mark.parametrize("value", [True, "1", None, [1], 1j])
def test_what_is_no_number(value: object) -> None:
    assert not is_number(value)
    assert not is_count(value)


def test_counts() -> None:
    assert [n for n in (-1, 0, 1, MAX_COUNT, MAX_COUNT + 1, 1.0) if is_count(n)] == [
        0,
        1,
        MAX_COUNT,
    ]
