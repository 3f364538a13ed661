"""The profile of hypothesis is the one that was asked for."""

from __future__ import annotations

import os

import pytest
from hypothesis import settings


def test_the_profile_in_force(request: pytest.FixtureRequest) -> None:
    asked = request.config.getoption("--hypothesis-profile") or os.environ.get("HYPOTHESIS_PROFILE")
    profile = settings.get_profile(asked or "suite")
    assert (settings().derandomize, settings().max_examples) == (
        profile.derandomize,
        profile.max_examples,
    )


def test_a_night_draws_more_and_other_examples() -> None:
    suite, nightly = settings.get_profile("suite"), settings.get_profile("nightly")
    assert suite.derandomize and not nightly.derandomize
    assert nightly.max_examples == 10 * suite.max_examples
