"""The registry of LLMs."""

from __future__ import annotations

import dataclasses

import pytest

from rememberer_nb.config import LLMConfig
from rememberer_nb.elements import Prompt, Reply
from rememberer_nb.errors import BudgetError, ConfigError
from rememberer_nb.llms import LLM, OfflineLLM, make_llm, protocol, register_llm
from tests.llms.pages import SHOP


class Parrot:
    name = "parrot"
    settings = {"llm": "parrot"}  # noqa: RUF012

    def complete(self, prompt: Prompt, *, seed: int = 0) -> Reply:
        return Reply(prompt.text)


def test_specs_give_the_strength() -> None:
    assert make_llm("offline", profile="webshop") == OfflineLLM("webshop")
    assert make_llm("offline:able", profile=SHOP).config.strength == "able"
    assert make_llm("offline", profile=SHOP).name == "offline:novice"


def test_the_full_mark_comes_from_the_profile() -> None:
    profile = dataclasses.replace(SHOP, full_mark=3.0)
    assert make_llm("offline", profile=profile).full_mark == 3.0


@pytest.mark.parametrize(
    ("spec", "profile", "complaint"),
    [
        ("oracle", "webshop", r"'oracle'; known: .*offline"),
        ("", "webshop", "no LLM is named ''"),
        ("offline:genius", "webshop", "strength must be 'novice' or 'able', got 'genius'"),
        ("offline", "casino", "no environment is named 'casino'"),
    ],
)
def test_unknown_names_are_listed(spec: str, profile: str, complaint: str) -> None:
    with pytest.raises(ConfigError, match=complaint):
        make_llm(spec, profile=profile)


def test_an_environment_it_cannot_read() -> None:
    casino = dataclasses.replace(SHOP, name="casino")
    with pytest.raises(ConfigError, match=r"cannot read 'casino'; it reads .*webshop"):
        make_llm("offline", profile=casino)


def test_others_can_register(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(protocol, "_FACTORIES", dict(protocol._FACTORIES))
    seen = []
    register_llm("parrot", lambda detail, profile: seen.append((detail, profile.name)) or Parrot())
    assert isinstance(make_llm("parrot:green:loud", profile="webshop"), LLM)
    assert seen == [("green:loud", "webshop")]


def test_a_budget_holds_for_others_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(protocol, "_FACTORIES", dict(protocol._FACTORIES))
    register_llm("parrot", lambda detail, profile: Parrot())
    llm = make_llm("parrot", profile="webshop", config=LLMConfig(budget_calls=1))
    asked = Prompt((("user", "hello"),), "hello", 2)
    assert llm.complete(asked).text == "hello"
    with pytest.raises(BudgetError, match="budget of 1 calls is used up"):
        llm.complete(asked)


@pytest.mark.parametrize("name", ["", "a:b"])
def test_a_name_holds_no_colon(name: str) -> None:
    with pytest.raises(ConfigError, match="no colon"):
        register_llm(name, lambda detail, profile: Parrot())
