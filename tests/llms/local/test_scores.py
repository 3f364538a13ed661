"""What all scorers refuse, and in which words."""

from __future__ import annotations

import dataclasses
import os

import pytest

from rememberer_nb.errors import ConfigError, LLMRequestError
from rememberer_nb.llms.local.scores import (
    TextScore,
    as_utf8,
    check_request,
    check_writing,
    cut,
    usable_cores,
)


def test_a_score_is_a_frozen_value() -> None:
    score = TextScore(-1.5, 2)
    assert score == TextScore(-1.5, 2)
    with pytest.raises(dataclasses.FrozenInstanceError):
        score.n_tokens = 3


def test_what_fits_exactly_is_taken() -> None:
    check_request([1, 2], [" a", " b"], [[3, 4, 5], [6]], limit=5)
    check_request([1, 2], [], [], limit=2)
    check_writing([1, 2], ("\n",), 3, limit=5)


@pytest.mark.parametrize(
    ("prompt", "candidates", "tokens", "match"),
    [
        ([], [" a"], [[3]], "the prompt is empty"),
        ([1], [" a", ""], [[3], []], "a candidate is empty"),
        ([1], [" a", " b", " a"], [[3], [4], [3]], "two candidates are equal: ' a'"),
        ([1, 2], [" a"], [[3, 4, 5, 6]], "2 tokens and the longest candidate 4.*context's 5"),
        ([1] * 6, [], [], "6 tokens and the longest candidate 0.*context's 5"),
    ],
)
def test_requests_without_scores(
    prompt: list[int], candidates: list[str], tokens: list[list[int]], match: str
) -> None:
    with pytest.raises(LLMRequestError, match=match):
        check_request(prompt, candidates, tokens, limit=5)


def test_what_cannot_be_written_on() -> None:
    with pytest.raises(LLMRequestError, match="2 tokens and what is to be written 4"):
        check_writing([1, 2], (), 4, limit=5)
    with pytest.raises(LLMRequestError, match="the prompt is empty"):
        check_writing([], (), 1, limit=5)
    for stop, n_tokens in ((("a", ""), 1), ((), 0)):
        with pytest.raises(ConfigError, match="texts to stop at and a token at least"):
            check_writing([1], stop, n_tokens, limit=5)


def test_a_text_ends_before_the_first_stop() -> None:
    assert cut("one two three", ("three", "two")) == ("one ", True)
    assert cut("one two", ("\n",)) == ("one two", False)
    assert cut("\nafter", ("\n",)) == ("", True)
    assert cut("as it is", ()) == ("as it is", False)


def test_half_a_pair_of_surrogates_has_no_bytes_of_its_own() -> None:
    assert as_utf8("a\ud800é") == b"a?\xc3\xa9"


def test_cores_are_those_of_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: {0, 3, 5}, raising=False)
    assert usable_cores() == 3
    monkeypatch.delattr(os, "sched_getaffinity")
    monkeypatch.setattr(os, "cpu_count", lambda: None)
    assert usable_cores() == 1
