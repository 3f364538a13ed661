"""Rules: what they let through, what they say, and how they read texts and TOML."""

from __future__ import annotations

import math

import pytest

from rememberer_nb.config import checked_count
from rememberer_nb.config.fields import (
    Rule,
    flag,
    one_of,
    or_none,
    reply_seed,
    seed_range,
    share,
    text,
    texts,
    whole,
)
from rememberer_nb.errors import ConfigError

STEPS = or_none(whole(1), "all")


@pytest.mark.parametrize(
    ("rule", "given", "value"),
    [
        (whole(1), "3", 3),
        (whole(1), "0x3", "0x3"),
        (whole(1), "2.0", "2.0"),
        (whole(1), "none", "none"),
        (whole(1), "9" * 5000, "9" * 5000),
        (STEPS, "none", None),
        (STEPS, "all", None),
        (STEPS, "All", "All"),
        (share, "1", 1.0),
        (share, "1e999", math.inf),
        (flag, "true", True),
        (flag, "True", "True"),
        (flag, "1", "1"),
        (text, "none", "none"),
        (text, "", ""),
        (or_none(text), "none", None),
        (texts, "a,b", ("a,b",)),
        (one_of("none", "zero"), "none", "none"),
        (reply_seed, "call", "call"),
        (reply_seed, "none", None),
        (reply_seed, "7", 7),
    ],
)
def test_from_text(rule: Rule, given: str, value: object) -> None:
    found = rule.from_text(given)
    assert (found, type(found)) == (value, type(value))


@pytest.mark.parametrize(
    ("rule", "given", "value"),
    [
        (share, 1, 1.0),
        (share, True, True),
        (share, 10**400, 10**400),
        (whole(1), 1.0, 1.0),
        (STEPS, "none", None),
        (flag, "true", "true"),
        (texts, ["a", "b"], ("a", "b")),
        (or_none(text), "none", None),
        (text, 5, 5),
    ],
)
def test_from_toml(rule: Rule, given: object, value: object) -> None:
    found = rule.from_toml(given)
    assert (found, type(found)) == (value, type(value))


@pytest.mark.parametrize(
    ("rule", "bad", "message"),
    [
        (whole(1, 9), 10, "x must be a whole number from 1 to 9, got 10"),
        (STEPS, 0, "x must be a whole number of at least 1 or None, got 0"),
        (share, True, "x must be in [0, 1], got True"),
        (share, 10**400, "x must be in [0, 1], got 1000"),
        (one_of("a", "b"), ["a"], "x must be 'a' or 'b', got ['a']"),
        (texts, ("a", 1), "x must be a tuple of texts, got ('a', 1)"),
    ],
)
def test_what_is_refused_is_quoted(rule: Rule, bad: object, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        rule.check("x", bad)
    assert str(caught.value).startswith(message)
    assert len(str(caught.value)) < 200


def test_a_count_is_given_back() -> None:
    assert checked_count("--jobs", 3, 1, 4) == 3
    with pytest.raises(ConfigError, match="--jobs must be a whole number from 1 to 4, got True"):
        checked_count("--jobs", True, 1, 4)


@pytest.mark.parametrize("bad", ["", ":", "3:", "3:3", "-1", "0:100001", "a", "0:1:2"])
def test_no_seeds(bad: str) -> None:
    with pytest.raises(ValueError):
        seed_range(bad)
