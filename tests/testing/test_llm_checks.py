"""Our LLMs that need no server pass; each check finds the fault that it is there for."""

from __future__ import annotations

import threading
from dataclasses import replace
from pathlib import Path

import pytest

from rememberer_nb.elements import Prompt, Reply
from rememberer_nb.envs import BUNDLED
from rememberer_nb.errors import CheckError, LLMTimeoutError
from rememberer_nb.llms import OfflineLLM, RecordingLLM, ReplayLLM, make_llm
from rememberer_nb.testing import check_llm
from rememberer_nb.testing.llm_checks import sample_prompts
from tests.envs.toy.corridor import Walker

CALLS = [(prompt, seed) for prompt in sample_prompts() for seed in (0, 1)]


@pytest.mark.parametrize("env", BUNDLED)
@pytest.mark.parametrize("spec", ["offline", "offline:able"])
def test_the_stand_in(spec: str, env: str) -> None:
    calls = [(prompt, seed) for prompt in sample_prompts(env) for seed in range(9)]
    assert len(check_llm(lambda: make_llm(spec, profile=env), calls)) == 6


def test_record_and_replay(tmp_path: Path) -> None:
    path = tmp_path / "calls.jsonl"
    llm = RecordingLLM(OfflineLLM(), path)
    check_llm(lambda: llm, CALLS)
    llm.close()
    assert check_llm(lambda: ReplayLLM(path), CALLS)


class Sound:
    """Says how long the prompt is."""

    name = "sound"

    @property
    def settings(self):
        return {"version": 1}

    def complete(self, prompt: Prompt, *, seed: int = 0) -> Reply:
        return Reply(f"{len(prompt.text)} {seed}")


def test_a_sound_one_of_others_with_or_without_the_claim() -> None:
    names = ("name", "settings", "replies", "odd_prompts", "threads", "same_again")
    assert check_llm(Sound) == names
    assert check_llm(Sound, is_deterministic=False) == names[:-1]


class Nameless(Sound):
    name = ""


class Secretive(Sound):
    @property
    def settings(self):
        return {"key": object()}


class CountsItsCalls(Sound):
    n_calls = 0

    def complete(self, prompt, *, seed=0):
        self.n_calls += 1
        return super().complete(prompt, seed=seed)

    @property
    def settings(self):
        return {"n_calls": self.n_calls}


class NeverTheSame(Sound):
    @property
    def settings(self):
        return {"address": id(self)}


class PlainText(Sound):
    def complete(self, prompt, *, seed=0):
        return "a text"


class NoCounts(Sound):
    def complete(self, prompt, *, seed=0):
        return replace(super().complete(prompt, seed=seed), prompt_tokens=None)


class AheadOfTime(Sound):
    def complete(self, prompt, *, seed=0):
        return replace(super().complete(prompt, seed=seed), latency_s=-1.0)


class ReadsFirstLetter(Sound):
    def complete(self, prompt, *, seed=0):
        return Reply(prompt.text[0])


class OneThread(Sound):
    def __init__(self):
        self.home = threading.get_ident()

    def complete(self, prompt, *, seed=0):
        if threading.get_ident() != self.home:
            raise RuntimeError("made in another thread")
        return super().complete(prompt, seed=seed)


class Remembers(Sound):
    n_calls = 0

    def complete(self, prompt, *, seed=0):
        self.n_calls += 1
        return Reply(f"call {self.n_calls}")


class GivesUp(Sound):
    def complete(self, prompt, *, seed=0):
        raise LLMTimeoutError("no answer")


@pytest.mark.parametrize(
    ("wrong", "check", "problem"),
    [
        (Nameless, "name", "a name on one line, found ''"),
        (Secretive, "settings", "no error, found ConfigError"),
        (CountsItsCalls, "settings", "settings that a call does not change, found 'n_calls'"),
        (PlainText, "replies", "a Reply, found 'a text'"),
        (NoCounts, "replies", "whole numbers of tokens, found None"),
        (AheadOfTime, "replies", "latency_s of at least 0, found -1.0"),
        (GivesUp, "settings", "no error, found LLMTimeoutError"),
        (ReadsFirstLetter, "odd_prompts", "no error, found IndexError"),
        (OneThread, "threads", "no error, found RuntimeError"),
        (Remembers, "same_again", "the same reply again, 'call 1', found 'call 6'"),
    ],
)
def test_what_is_wrong_is_found(wrong, check: str, problem: str) -> None:
    with pytest.raises(CheckError, match=rf"^check_llm: {check}: expected {problem}"):
        check_llm(wrong)


def test_two_instances_that_differ_are_found() -> None:
    kept = []

    def make():
        kept.append(NeverTheSame())
        return kept[-1]

    with pytest.raises(CheckError, match="equal settings of two instances, found 'address'"):
        check_llm(make)


def test_a_refusal_of_odd_prompts_is_fine_and_of_the_given_ones_is_not() -> None:
    class Choosy(Sound):
        def complete(self, prompt, *, seed=0):
            if "## Now" not in prompt.text:
                raise LLMTimeoutError("no answer")
            return super().complete(prompt, seed=seed)

    assert check_llm(Choosy)
    with pytest.raises(CheckError, match="settings: expected no error, found LLMTimeoutError"):
        check_llm(Choosy, [(Prompt((), "x", 1), 0)])


def test_ctrl_c_is_no_finding() -> None:
    class Stopped(Sound):
        def complete(self, prompt, *, seed=0):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        check_llm(Stopped)


def test_the_walker_of_the_tests_passes() -> None:
    page = "## Now\nPage:\nAvailable actions:\n- walk on\n- take lamp\n"
    calls = [(Prompt((("user", page),), page, 9), seed) for seed in (0, 1)]
    assert check_llm(Walker, calls)
