"""A corridor with a guide, for tests that ask an LLM about right and wrong actions."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from rememberer_nb.elements import Decision, Situation
from rememberer_nb.envs import registry
from rememberer_nb.envs.registry import EnvSpec, register_env
from rememberer_nb.envs.scripted import ScriptedAgent
from tests.toy import TOY, ToyEnv


class Guide(ScriptedAgent):
    """Walks on to the right door, if it is not told otherwise."""

    def __init__(self, decide: Callable[[Situation], str] | None = None):
        super().__init__()
        self.says = decide or (
            lambda now: "open[door]" if len(now.last_actions) > now.task.number else "go[on]"
        )

    def decide(self, situation: Situation, random: Any) -> Decision:
        return Decision(self.says(situation))


@pytest.fixture
def guided(monkeypatch: pytest.MonkeyPatch) -> Callable[..., ToyEnv]:
    """The corridor with a guide."""

    def make(decide: Callable[[Situation], str] | None = None, **changes: Any) -> ToyEnv:
        monkeypatch.setattr(registry, "_SPECS", dict(registry._SPECS))
        register_env(EnvSpec("toy", make=ToyEnv, profile=TOY, guide=lambda _: Guide(decide)))
        env = ToyEnv()
        env.profile = replace(TOY, **changes)
        return env

    return make
