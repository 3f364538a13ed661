"""Scores in recordings: kept short, looked up without the model, refused where they do not fit."""

from __future__ import annotations

import bz2
import json
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rememberer_nb.elements import Prompt, Reply, TextScore
from rememberer_nb.errors import ConfigError, DataError, ReplayError
from rememberer_nb.llms import RecordingLLM, ReplayLLM
from rememberer_nb.llms.replay.scored import score_key, write_key
from rememberer_nb.llms.wrapped import can_score

SETTINGS = {"llm": "toy", "version": 1}


class ToyScorer:
    """The longer a candidate, the less likely; every call is counted."""

    name = "toy"
    settings = SETTINGS

    def __init__(self) -> None:
        self.n_calls = 0

    def complete(self, prompt: Prompt, *, seed: int = 0) -> Reply:
        raise AssertionError("nobody asks for replies here")

    def score(self, prompt: Prompt, candidates: Sequence[str]) -> tuple[TextScore, ...]:
        self.n_calls += 1
        return tuple(TextScore(-len(text) / 3, len(text.split())) for text in candidates)

    def write(self, prompt: Prompt, *, stop: Sequence[str], max_tokens: int = 24) -> Reply:
        self.n_calls += 1
        return Reply("bake bread", prompt.n_tokens, 2, model="toy")


def completion(text: str, n_tokens: int = 7) -> Prompt:
    return Prompt((("user", text),), text, n_tokens, channel="completion")


def test_a_replay_says_what_was_said(tmp_path: Path) -> None:
    path, inner = tmp_path / "s.jsonl", ToyScorer()
    recorder = RecordingLLM(inner, path)
    asked = completion("Now:")
    live = recorder.score(asked, [" bread", " a car"])
    # -6/3 and -6/3; " bread" has 6 characters.
    assert live == (TextScore(-2.0, 1), TextScore(-2.0, 2))
    written = recorder.write(asked, stop=('"',))
    assert recorder.score(asked, [" bread", " a car"]) == live
    assert inner.n_calls == 2
    recorder.close()
    replay = ReplayLLM(path)
    assert can_score(replay)
    assert replay.settings == SETTINGS
    assert replay.score(asked, [" bread", " a car"]) == live
    again = replay.write(completion("Now:", 9), stop=('"',))
    assert (again.text, again.prompt_tokens, again.completion_tokens) == ("bake bread", 9, 2)
    assert written.text == "bake bread"


def test_scores_are_rounded_before_they_are_used(tmp_path: Path) -> None:
    recorder = RecordingLLM(ToyScorer(), tmp_path / "s.jsonl")
    (found,) = recorder.score(completion("x"), [" abc"])
    assert found.log_probability == -1.33
    assert ToyScorer().score(completion("x"), [" abc"])[0].log_probability == pytest.approx(-4 / 3)


def test_the_file_holds_no_prompt_and_no_candidate(tmp_path: Path) -> None:
    path = tmp_path / "s.jsonl"
    recorder = RecordingLLM(ToyScorer(), path)
    recorder.score(completion("a secret page"), [" a secret label"])
    _, line = path.read_text().splitlines()
    assert set(json.loads(line)) == {"key", "scores", "tokens"}
    assert "secret" not in line
    assert len(json.loads(line)["key"]) == 12


def test_a_compressed_recording_is_replayed_and_not_added_to(tmp_path: Path) -> None:
    path, packed = tmp_path / "s.jsonl", tmp_path / "s.jsonl.bz2"
    with_calls = RecordingLLM(ToyScorer(), path)
    live = with_calls.score(completion("x"), [" a"])
    with_calls.close()
    packed.write_bytes(bz2.compress(path.read_bytes()))
    assert ReplayLLM(packed).score(completion("x"), [" a"]) == live
    with pytest.raises(DataError, match="it can be replayed, but not added to"):
        RecordingLLM(ToyScorer(), packed)


def test_other_recordings_are_looked_into(tmp_path: Path) -> None:
    first, inner = tmp_path / "seed-0.jsonl", ToyScorer()
    RecordingLLM(inner, first).score(completion("x"), [" a"])
    second = RecordingLLM(inner, tmp_path / "seed-1.jsonl", also=[first])
    second.score(completion("x"), [" a"])
    assert inner.n_calls == 1
    second.score(completion("x"), [" b"])
    assert inner.n_calls == 2
    second.close()
    # Each file is whole: it can be replayed without the other.
    assert ReplayLLM(tmp_path / "seed-1.jsonl").score(completion("x"), [" a"])


def test_recordings_of_another_model_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "s.jsonl"
    RecordingLLM(ToyScorer(), path).close()
    other = ToyScorer()
    other.settings = {**SETTINGS, "version": 2}
    with pytest.raises(DataError, match=r"other settings \(version\)"):
        RecordingLLM(other, path)
    with pytest.raises(DataError, match=r"other settings \(version\)"):
        RecordingLLM(other, tmp_path / "new.jsonl", also=[path])


def test_what_was_not_scored_is_named(tmp_path: Path) -> None:
    path = tmp_path / "s.jsonl"
    recorder = RecordingLLM(ToyScorer(), path)
    recorder.score(completion("x"), [" a"])
    recorder.close()
    replay = ReplayLLM(path)
    for ask in (
        lambda: replay.score(completion("y"), [" a"]),
        lambda: replay.score(completion("x"), [" b"]),
        lambda: replay.score(Prompt((("user", "x"),), "x", 1), [" a"]),
        lambda: replay.write(completion("x"), stop=()),
    ):
        with pytest.raises(ReplayError, match="template, form of reply or channel"):
            ask()


def test_an_llm_that_only_replies_is_refused(tmp_path: Path) -> None:
    class OnlyReplies:
        name = "plain"

        def complete(self, prompt: Prompt, *, seed: int = 0) -> Reply:
            return Reply("x")

    recorder = RecordingLLM(OnlyReplies(), tmp_path / "s.jsonl")
    assert not can_score(recorder)
    with pytest.raises(ConfigError, match="does not say how likely a text is"):
        recorder.score(completion("x"), [" a"])


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ('{"key": "a", "scores": [1, "2"], "tokens": [1, 1]}', "line 2: scores: expected a list"),
        ('{"key": "a", "scores": [NaN], "tokens": [1]}', "line 2: scores: expected a list"),
        ('{"key": "a", "scores": [1.0], "tokens": [1, 2]}', "line 2: tokens: expected as many"),
        ('{"key": "a", "scores": [1.0], "tokens": [-1]}', "line 2: tokens: expected as many"),
        ('{"key": "a", "scores": [1.0]}', "line 2: tokens: lacks tokens"),
        ('{"key": "a", "text": 7, "tokens": 1}', "line 2: text: expected a text"),
        ('{"key": "a"}', "line 2: scores: lacks scores"),
        ('{"scores": [1.0], "tokens": [1]}', "line 2: key: lacks key"),
    ],
)
def test_lines_that_are_wrong_are_named(tmp_path: Path, line: str, problem: str) -> None:
    path = tmp_path / "s.jsonl"
    RecordingLLM(ToyScorer(), path).close()
    path.write_text(f"{path.read_text()}{line}\n")
    with pytest.raises(DataError, match=problem):
        ReplayLLM(path)


@given(st.lists(st.text(min_size=1), min_size=2, max_size=5, unique=True), st.text())
def test_keys_tell_requests_apart(candidates: list[str], text: str) -> None:
    asked = completion(text)
    keys = {score_key(asked, candidates), score_key(asked, candidates[:-1])}
    keys |= {score_key(completion(f"{text}."), candidates), write_key(asked, candidates, 24)}
    keys |= {write_key(asked, candidates, 25), score_key(Prompt((), text, 0), candidates)}
    assert len(keys) == 6
