"""What of a prompt made an LLM choose: numbers worked out by hand for an LLM that copies."""

from __future__ import annotations

from dataclasses import replace
from math import exp
from typing import Any

import pytest

from rememberer_nb.agents.baselines import RandomAgent
from rememberer_nb.agents.prompting_agent import PromptingAgent
from rememberer_nb.agents.rememberer import rememberer
from rememberer_nb.analysis.influence import influence, situation_at, step_influence, variants
from rememberer_nb.config import ChoiceConfig, PromptConfig
from rememberer_nb.elements import (
    Advice,
    Decision,
    Episode,
    Exemplar,
    Situation,
    Step,
    Task,
    Transition,
)
from rememberer_nb.envs.profile import Wording
from rememberer_nb.errors import ConfigError
from rememberer_nb.loop.episode import run_episode
from rememberer_nb.memory import ExperienceMemory
from rememberer_nb.rlem import learn_episode
from rememberer_nb.system.plain import from_data, to_data
from tests.analysis.copier import Copier
from tests.toy import TOY, ScriptedLLM, ToyEnv

AVAILABLE = ("go[on]", "go[back]", "say[<words>]")
HERE = Situation(Task("0", "open the red door"), "You are at the start", AVAILABLE)
SHOWN = Exemplar(
    4, "open the blue door", "You are at the start", AVAILABLE,
    encouraged=(Advice("go[on]", 1.0),),
    discouraged=(Advice("go[back]", 0.25),),
)  # fmt: skip
OTHER = Exemplar(7, "open a door", "a page", (), (Advice("go[back]", 0.5),))


def agent(llm: Any = None, profile: Any = TOY, **prompt: Any) -> PromptingAgent:
    return PromptingAgent(
        "toy", llm or Copier(), profile,
        prompt=PromptConfig(template="brief", **prompt),
        choice=ChoiceConfig(choose="likelihood", normalisation="sum"),
    )  # fmt: skip


def softmax(*scores: float) -> list[float]:
    total = sum(map(exp, scores))
    return [exp(score) / total for score in scores]


def chances(frame: Any, variant: str) -> list[float]:
    return frame[frame["variant"] == variant]["probability"].tolist()


def test_each_change_of_the_memory_moves_the_probabilities_as_worked_out() -> None:
    frame = influence(agent(), HERE, [SHOWN])
    assert frame.columns.tolist() == [
        "variant", "changed", "action", "words", "log_probability", "score", "probability",
        "chosen", "difference",
    ]  # fmt: skip
    # go[on]: 2 + 1, go[back]: 1 + 0.25, and nothing speaks of say[copied].
    expected = {
        "as shown": softmax(3, 1.25, 0),
        "no exemplars": softmax(0, 0, 0),
        "exemplar left out": softmax(0, 0, 0),
        "discouraged left out": softmax(3, 0, 0),
        "no discouraged": softmax(3, 0, 0),
        "encouraged worth 0": softmax(2, 1.25, 0),
        "discouraged worth as much": softmax(3, 2, 0),
        "no values": softmax(2, 1, 0),
        "labels exchanged": softmax(1 + 1, 2 + 0.25, 0),
    }
    assert frame["variant"].unique().tolist() == list(expected)
    for variant, values in expected.items():
        assert chances(frame, variant) == pytest.approx(values)
    row = frame[(frame["variant"] == "labels exchanged") & (frame["action"] == "go[on]")].iloc[0]
    assert row["difference"] == pytest.approx(softmax(2, 2.25, 0)[0] - softmax(3, 1.25, 0)[0])
    chosen = frame[frame["chosen"]].set_index("variant")["action"]
    assert len(chosen) == len(expected)
    assert chosen["labels exchanged"] == "go[back]"
    assert set(chosen.drop("labels exchanged")) == {"go[on]"}


def test_every_exemplar_and_every_discouraged_line_is_left_out_once() -> None:
    two = replace(SHOWN, discouraged=(Advice("go[back]", 0.0), Advice("go[round]")))
    found = [(v.name, v.changed) for v in variants((two, OTHER))]
    assert found[:6] == [
        ("as shown", ""),
        ("no exemplars", "all"),
        ("exemplar left out", "1 (record 4)"),
        ("exemplar left out", "2 (record 7)"),
        ("discouraged left out", "1, go[back]"),
        ("discouraged left out", "1, go[round]"),
    ]
    first = variants((two, OTHER))[4].exemplars
    assert first == (replace(two, discouraged=two.discouraged[1:]), OTHER)


def test_what_changes_nothing_is_no_variant_and_without_advice_an_exemplar_is_gone() -> None:
    assert [v.name for v in variants(())] == ["as shown"]
    only = replace(SHOWN, encouraged=(), discouraged=(Advice("go[back]"),))
    found = {v.name: v.exemplars for v in variants((only,))}
    # No value to lose, and none encouraged that it could be worth as much as.
    assert list(found) == [
        "as shown", "no exemplars", "exemplar left out", "discouraged left out", "no discouraged",
        "labels exchanged",
    ]  # fmt: skip
    assert found["no discouraged"] == ()
    assert found["labels exchanged"] == (
        replace(only, encouraged=only.discouraged, discouraged=()),
    )


def test_what_the_budget_left_out_has_no_influence() -> None:
    llm = Copier()
    tight = agent(llm).build(HERE, [SHOWN], ()).n_tokens
    frame = influence(agent(llm, max_tokens=tight), HERE, [SHOWN, OTHER])
    assert frame["changed"].unique().tolist()[2] == "1 (record 4)"
    assert "2 (record 7)" not in set(frame["changed"])
    # "(not tried)" is longer than "1.00": the exemplar stays although the budget is full.
    assert chances(frame, "no values") == pytest.approx(softmax(2, 1, 0))
    assert not any("open a door" in text for text in llm.asked)


def test_a_text_that_the_llm_wrote_stays_the_same_in_all_variants() -> None:
    frame = influence(agent(), HERE, [SHOWN])
    actions = frame.groupby("variant", sort=False)["action"].agg(tuple)
    assert set(actions) == {("go[on]", "go[back]", "say[copied]")}
    assert set(influence(agent(), HERE, [])["action"]) == {"go[on]", "go[back]", "say[hello]"}


def test_of_actions_with_the_same_words_the_first_has_a_row() -> None:
    wording = Wording(say=lambda action, _: "go" if action.startswith("go") else "")
    frame = influence(agent(profile=replace(TOY, wording=wording)), HERE, [SHOWN])
    assert set(frame["action"]) == {"go[on]"}
    assert set(frame["probability"]) == {1.0}


def test_an_action_that_may_not_be_repeated_is_not_chosen() -> None:
    asked = agent()
    asked.likelihood.config = ChoiceConfig(
        choose="likelihood", normalisation="sum", repeats=False, temperature=9.0
    )
    step = Step(0, HERE.observation, AVAILABLE, "", Decision("go[on]"), 0.0)
    frame = influence(asked, replace(HERE, steps=(step,)), [SHOWN])
    shown = frame[frame["variant"] == "as shown"]
    assert shown[shown["chosen"]]["action"].tolist() == ["go[back]"]
    assert shown["probability"].idxmax() == shown.index[0]


def test_what_is_asked_does_not_depend_on_what_was_asked_before() -> None:
    """Else a recording would answer the very run that made it, and no part of it."""
    asked = agent()
    asked.likelihood.config = ChoiceConfig(choose="likelihood", normalisation="empty")
    llm, seen = asked.llm, []
    score = llm.score
    llm.score = lambda prompt, candidates: (
        seen.append((prompt.text, tuple(candidates))) or score(prompt, candidates)
    )
    influence(asked, replace(HERE, available_actions=("go[on]", "go[back]")), [])
    influence(asked, replace(HERE, available_actions=("go[on]", "say[<words>]")), [])
    after_nothing = [words for text, words in seen if text == "Encouraged:\n-"]
    assert after_nothing == [(" go[on]", " go[back]"), (" go[on]", " say[hello]")]


def test_who_cannot_be_asked_is_told_why() -> None:
    replies = PromptingAgent("replies", ScriptedLLM(["go[on]"]), TOY)
    for other in (replies, RandomAgent(TOY)):
        with pytest.raises(ConfigError, match=f"{other.name} does not choose by likelihood"):
            influence(other, HERE, [SHOWN])  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="scripted does not say how likely a text is"):
        agent(ScriptedLLM(["go[on]"]))
    mute = replace(TOY, wording=Wording(say=lambda action, observation: ""))
    with pytest.raises(ConfigError, match="no available action has words"):
        influence(agent(profile=mute), HERE, [SHOWN])


@pytest.fixture
def played() -> tuple[PromptingAgent, Episode]:
    memory = ExperienceMemory()
    for action, reward in (("go[on]", 1.0), ("go[back]", 0.0)):
        end = Transition(
            "You are at the start of the corridor.", action, reward, "end",
            terminated=True,
            available_actions=AVAILABLE,
        )  # fmt: skip
        learn_episode(memory, "open the blue door", [end])
    asked = rememberer(
        Copier(), TOY, memory,
        prompt=PromptConfig(template="brief"), choice=ChoiceConfig(choose="likelihood"),
    )  # fmt: skip
    return asked, run_episode(ToyEnv(max_steps=3), asked, 0)


def test_a_recorded_step_is_asked_as_it_was(played: tuple[PromptingAgent, Episode]) -> None:
    asked, episode = played
    kept = from_data(Episode, to_data(episode))
    for index, step in enumerate(episode.steps):
        frame = step_influence(asked, kept, index)
        shown = frame[frame["variant"] == "as shown"]
        scores = step.decision.scores
        assert shown["action"].tolist() == [score.action for score in scores]
        assert shown["probability"].tolist() == [score.probability for score in scores]
        assert shown[shown["chosen"]]["action"].item() == step.action
        assert "1 (record 0)" in set(frame["changed"])
    assert situation_at(episode, 2).last_actions == tuple(s.action for s in episode.steps[:2])


@pytest.mark.parametrize("index", [-1, 3])
def test_there_is_no_such_step(played: tuple[PromptingAgent, Episode], index: int) -> None:
    with pytest.raises(ConfigError, match=f"has 3 steps, from 0 on: no step {index}"):
        step_influence(*played, index)


def test_another_prompt_is_no_recorded_one(played: tuple[PromptingAgent, Episode]) -> None:
    _, episode = played
    with pytest.raises(ConfigError, match=r"^step 0 of .* with another prompt, or none"):
        step_influence(agent(), replace(episode, task=Task("1", "something else")), 0)
    drawn = run_episode(ToyEnv(max_steps=3), RandomAgent(TOY), 0)
    with pytest.raises(ConfigError, match=r"^step 1 of .* with another prompt, or none"):
        step_influence(agent(), drawn, 1)
