"""Descriptions as plain values: what they may hold, and how two of them are compared."""

from __future__ import annotations

import math

import pytest

from rememberer_nb.config import RlemConfig
from rememberer_nb.elements import Advice
from rememberer_nb.errors import ConfigError
from rememberer_nb.system.plain import differences, fingerprint, plain


def test_values_come_back_as_json_gives_them() -> None:
    assert plain((Advice("a", 0.5),))[0]["action"] == "a"
    assert plain(RlemConfig())["gamma"] == 1.0
    assert plain({"x": {"y": (1, None, True)}}) == {"x": {"y": [1, None, True]}}


@pytest.mark.parametrize("value", [{"f": math.sqrt}, {"o": object()}, {("a", "b"): 1}])
def test_what_json_has_no_form_for_is_refused(value: object) -> None:
    with pytest.raises(ConfigError, match="plain values"):
        plain(value)


def test_fingerprints() -> None:
    # The first digits of the SHA-256 of '{"a": 1}'.
    assert fingerprint({"a": 1}) == "f9d86028c6e0d64e"
    assert fingerprint([Advice("a", 0.5)]) == fingerprint((Advice("a", 0.5),))
    assert fingerprint([Advice("a", 0.5)]) != fingerprint([Advice("a", 0.6)])
    assert fingerprint("\ud800") != fingerprint("\udfff")


def test_differences_name_what_is_on_one_side_only() -> None:
    before = {"same": [1], "gone": "x", "llm": {"llm": "a", "temperature": 0.0}}
    now = {"same": [1], "new": 1, "llm": {"llm": "a", "temperature": 0.5}}
    assert differences(before, now) == [
        "gone: 'x', now None",
        "llm.temperature: 0.0, now 0.5",
        "new: None, now 1",
    ]
    assert differences(before, before) == []


def test_long_values_are_cut() -> None:
    (told,) = differences({"tasks": list(range(99))}, {"tasks": list(range(98))})
    assert len(told) < 140
