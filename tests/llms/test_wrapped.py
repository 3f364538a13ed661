"""What LLMs have besides `complete`: settings first of all."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from rememberer_nb.config import LLMConfig
from rememberer_nb.elements import Prompt, Reply, TextScore
from rememberer_nb.errors import ConfigError
from rememberer_nb.llms import OfflineLLM
from rememberer_nb.llms.budget import with_budget
from rememberer_nb.llms.wrapped import WrappedLLM, can_score, scoring, settings_of


class Parrot:
    """Another's LLM; `settings` is set where a test wants it."""

    name = "parrot:green"

    def complete(self, prompt: Prompt, *, seed: int = 0) -> Reply:
        return Reply(prompt.text)


def test_an_llm_without_settings_is_known_by_its_name_alone() -> None:
    assert settings_of(Parrot()) == {"llm": "parrot:green"}


def test_settings_have_the_name_and_are_as_json_gives_them_back() -> None:
    parrot = Parrot()
    parrot.settings = {"loudness": 3, "words": ("hello",)}
    assert settings_of(parrot) == {"llm": "parrot:green", "loudness": 3, "words": ["hello"]}
    parrot.settings = {"llm": "parrot", "loudness": 3}
    assert settings_of(parrot) == parrot.settings
    parrot.settings = {}
    assert settings_of(parrot) == {"llm": "parrot:green"}


def test_settings_must_be_plain() -> None:
    parrot = Parrot()
    parrot.settings = {"voice": object()}
    with pytest.raises(ConfigError, match=r"settings of the LLM 'parrot:green': expected plain"):
        settings_of(parrot)


def test_a_wrapped_llm_passes_settings_on() -> None:
    llm = OfflineLLM("webshop")
    within = with_budget(WrappedLLM(llm), LLMConfig(budget_calls=1))
    assert settings_of(within) == settings_of(llm) == llm.settings


def test_who_scores_need_not_have_settings() -> None:
    class Scoring(Parrot):
        def score(self, prompt: Prompt, candidates: Sequence[str]) -> tuple[TextScore, ...]:
            return tuple(TextScore(-1.0, 1) for _ in candidates)

        def write(self, prompt: Prompt, *, stop: Sequence[str], max_tokens: int = 24) -> Reply:
            return Reply("hello")

    llm = Scoring()
    assert scoring(llm) is llm
    assert can_score(WrappedLLM(llm))
    assert WrappedLLM(llm).score(Prompt((), "", 0), [" a"]) == (TextScore(-1.0, 1),)


def test_who_only_replies_does_not_score() -> None:
    half = Parrot()
    half.score = lambda prompt, candidates: ()
    for llm in (Parrot(), half, WrappedLLM(Parrot())):
        assert not can_score(llm)
        with pytest.raises(ConfigError, match="parrot:green does not say how likely a text is"):
            scoring(llm)
