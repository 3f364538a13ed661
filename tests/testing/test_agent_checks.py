"""Our agents pass; each check finds the fault that it is there for."""

from __future__ import annotations

import random

import numpy as np
import pytest

from rememberer_nb.agents.baselines import RandomAgent
from rememberer_nb.elements import Decision, Reply
from rememberer_nb.envs import BUNDLED, make_env
from rememberer_nb.envs.webshop.shoppers import FirstHitShopper
from rememberer_nb.envs.wikihow.visitors import FirstHitVisitor
from rememberer_nb.errors import CheckError
from rememberer_nb.loop.build import AGENTS, OFFLINE_AGENTS, Settings, build_agent, build_memory
from rememberer_nb.testing import check_agent
from tests.envs.toy.corridor import PROFILE, Corridor, Walker

NAMES = (
    "attributes", "description", "decisions", "same_again", "no_global_randomness",
    "memory_is_only_read",
)  # fmt: skip
TASKS = {"webshop": (100, 101), "wikihow": (90, 91)}


class Echo:
    """A language model that takes the first available action of the page, after a thought."""

    name = "echo"

    @property
    def settings(self):
        return {"version": 1}

    def complete(self, prompt, *, seed=0):
        lines = prompt.text.splitlines()
        actions = [line[2:] for line in lines if line.startswith(("- click[", "- CLICK("))]
        return Reply(f"think: as ever\n{actions[-1] if actions else 'nothing'}")


@pytest.mark.parametrize("env", BUNDLED)
@pytest.mark.parametrize("name", OFFLINE_AGENTS)
def test_ours_with_the_stand_in(name: str, env: str) -> None:
    world, settings = make_env(env), Settings(env=env)
    assert check_agent(lambda: build_agent(name, world, settings), world, TASKS[env]) == NAMES


@pytest.mark.parametrize("env", BUNDLED)
@pytest.mark.parametrize("name", sorted(set(AGENTS) - set(OFFLINE_AGENTS)))
def test_ours_that_need_a_language_model(name: str, env: str) -> None:
    world, settings = make_env(env), Settings(env=env)

    def make():
        return build_agent(name, world, settings, llm=Echo())

    assert check_agent(make, world, TASKS[env]) == NAMES


def test_scripted_ones() -> None:
    assert check_agent(FirstHitShopper, make_env("webshop"), [100]) == NAMES
    assert check_agent(FirstHitVisitor, make_env("wikihow"), [90]) == NAMES


class Sound(RandomAgent):
    def __init__(self):
        super().__init__(PROFILE)


def test_one_of_others() -> None:
    assert check_agent(Sound, Corridor()) == NAMES


class Nameless(Sound):
    name = "a name\non two lines"


class NoSettings(Sound):
    def __init__(self):
        super().__init__()
        self.rlem = None


class NoMemory(Sound):
    memory = "what was"


class AnotherName(Sound):
    def describe(self):
        return {"name": "sound"}


class NotPlain(Sound):
    def describe(self):
        return {"name": self.name, "profile": object()}


class CountsDecisions(Sound):
    n_decisions = 0

    def decide(self, situation, random):
        self.n_decisions += 1
        return super().decide(situation, random)

    def describe(self):
        return {"name": self.name, "n_decisions": self.n_decisions}


class OneOfAKind(Sound):
    def __init__(self):
        super().__init__()
        self.mark = object()

    def describe(self):
        return {"name": self.name, "mark": id(self)}


class Invents(Sound):
    def decide(self, situation, random):
        return Decision("open window")


class BareText(Sound):
    def decide(self, situation, random):
        return type("Choice", (), {"action": "take lamp"})()


class Alternates(Sound):
    n_decisions = 0

    def decide(self, situation, random):
        self.n_decisions += 1
        return Decision(situation.available_actions[0], f"thought {self.n_decisions}")


class GlobalDraws(Sound):
    """Draws from `random` what it hides from a check that repeats: it seeds itself."""

    def decide(self, situation, step_random):
        random.seed(situation.observation)
        return Decision(random.choice(situation.available_actions))


class ReadsGlobalState(Sound):
    def decide(self, situation, step_random):
        return Decision(situation.available_actions[0], str(np.random.get_state()[1][5]))


class LearnsWhileDeciding(Sound):
    def __init__(self):
        super().__init__()
        self.memory = build_memory(Settings(initial="empty"))

    def decide(self, situation, step_random):
        if len(self.memory) < 50:
            self.memory.insert(situation.task.text, f"{situation.observation}{len(self.memory)}")
        return Decision("take lamp")


@pytest.mark.parametrize(
    ("wrong", "check", "problem"),
    [
        (Nameless, "attributes", "a name on one line"),
        (NoSettings, "attributes", "rlem to be an RlemConfig, found None"),
        (NoMemory, "attributes", "a memory that can retrieve, or None, found 'what was'"),
        (AnotherName, "description", "the name 'random' in it, found 'sound'"),
        (NotPlain, "description", "no error, found ConfigError"),
        (CountsDecisions, "description", "a description that decisions do not change"),
        (Invents, "decisions", r"one of \('walk on', 'take lamp'\), or an error, found 'open win"),
        (BareText, "description", "no error, found AttributeError"),
        (Alternates, "same_again", "the same decision again, found 'another rationale'"),
        (GlobalDraws, "no_global_randomness", "global generators left alone"),
        (ReadsGlobalState, "no_global_randomness", "decisions without global randomness"),
        (LearnsWhileDeciding, "memory_is_only_read", "the memory as it was"),
    ],
)
def test_what_is_wrong_is_found(wrong, check: str, problem: str) -> None:
    with pytest.raises(CheckError, match=rf"^check_agent: {check}: expected {problem}"):
        check_agent(wrong, make_limited())


def make_limited():
    from rememberer_nb.envs import StepLimit

    return StepLimit(Corridor(), 5)


def test_two_instances_that_differ_are_found() -> None:
    kept = []

    def make():
        kept.append(OneOfAKind())
        return kept[-1]

    with pytest.raises(CheckError, match="equal descriptions of two instances, found 'mark'"):
        check_agent(make, Corridor())


def test_global_generators_are_left_as_they_were() -> None:
    before = random.getstate(), np.random.get_state()[1].tolist()
    with pytest.raises(CheckError):
        check_agent(GlobalDraws, make_limited())
    assert np.random.get_state()[1].tolist() == before[1]


def test_the_walker_learns_in_the_corridor() -> None:
    world = make_limited()
    settings = Settings(initial="empty")
    memory = build_memory(settings)
    made = check_agent(lambda: build_agent("rememberer", world, settings, llm=Walker()), world)
    assert made == NAMES and len(memory) == 0
