"""Choosing by likelihood: normalisations by hand, draws, free texts, and what goes wrong."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest

from rememberer_nb.agents.prompting_agent import PromptingAgent
from rememberer_nb.config import ChoiceConfig, PromptConfig
from rememberer_nb.elements import Decision, Prompt, Reply, Situation, StepRandom, Task, TextScore
from rememberer_nb.envs.profile import Wording
from rememberer_nb.errors import BudgetError, ConfigError, LLMError
from rememberer_nb.llms import RecordingLLM, ReplayLLM
from tests.toy import TOY, ScriptedLLM

WORDS = {
    "go[on]": "on",
    "go[back]": "back home",
    "open[door]": "on",
    "say[<words>]": "say <words>.",
}
# ln P and tokens of each text after the prompt; after the cue alone.
LIKELY = {" on": (-2.0, 1), " back home": (-3.0, 2)}
ALONE = {" on": -0.5, " back home": -2.8}
PROFILE = dataclasses.replace(
    TOY,
    wording=Wording(lambda task, page: f"Task: {task}", lambda action, _: WORDS.get(action, "")),
)


class Scoring:
    """Knows how likely each text is."""

    name = "scoring"

    def __init__(
        self,
        likely: Mapping[str, tuple[float, int]] = LIKELY,
        written: str = "",
        error: Exception | None = None,
    ):
        self.likely, self.written, self.error = likely, written, error
        self.scored: list[tuple[str, tuple[str, ...]]] = []
        self.leads: list[tuple[str, tuple[str, ...]]] = []

    def complete(self, prompt: Prompt, *, seed: int = 0) -> Reply:
        raise AssertionError("nothing is to be written")

    def score(self, prompt: Prompt, candidates: Sequence[str]) -> tuple[TextScore, ...]:
        if self.error:
            raise self.error
        self.scored.append((prompt.text, tuple(candidates)))
        if prompt.text == "Encouraged:\n-":
            return tuple(TextScore(ALONE[text], 1) for text in candidates)
        return tuple(TextScore(*self.likely[text]) for text in candidates)

    def write(self, prompt: Prompt, *, stop: Sequence[str], max_tokens: int = 24) -> Reply:
        self.leads.append((prompt.text, tuple(stop)))
        return Reply(self.written)


def decide(
    llm: Scoring,
    *actions: str,
    seed: int = 0,
    agent: PromptingAgent | None = None,
    **choice: object,
) -> Decision:
    agent = agent or made(llm, **choice)
    now = Situation(Task("0", "open a door"), "a hall", actions)
    return agent.decide(now, StepRandom(0, np.random.default_rng(seed)))


def made(llm: Scoring, **choice: object) -> PromptingAgent:
    config = ChoiceConfig(choose="likelihood", **choice)
    prompt = PromptConfig(template="brief")
    return PromptingAgent("llm_only", llm, PROFILE, prompt=prompt, choice=config)


@pytest.mark.parametrize(
    ("normalisation", "scores", "chosen"),
    [
        ("sum", (-2.0, -3.0), "go[on]"),
        ("token", (-2.0, -1.5), "go[back]"),
        # " on" has 3 characters, " back home" 10.
        ("character", (-2 / 3, -0.3), "go[back]"),
        ("empty", (-1.5, -0.2), "go[back]"),
    ],
)
def test_normalisations_by_hand(
    normalisation: str, scores: tuple[float, float], chosen: str
) -> None:
    found = decide(Scoring(), "go[on]", "go[back]", normalisation=normalisation)
    assert found.action == chosen
    assert [score.score for score in found.scores] == pytest.approx(scores)
    assert [score.log_probability for score in found.scores] == [-2.0, -3.0]
    weights = [math.exp(score) for score in scores]
    assert [score.probability for score in found.scores] == pytest.approx(
        [weight / sum(weights) for weight in weights]
    )
    assert found.reply == Reply(WORDS[chosen], found.prompt.n_tokens, 3, model="scoring")
    assert found.error is None


def test_a_model_a_recording_and_its_replay_are_one_model(tmp_path: Path) -> None:
    class Named(Scoring):
        settings: ClassVar[dict[str, str]] = {"model": "weights.gguf"}

    path = tmp_path / "calls.jsonl"
    with closing(RecordingLLM(Named(), path)) as recorded:
        found = decide(recorded, "go[on]", "go[back]")
    replayed = decide(ReplayLLM(path), "go[on]", "go[back]")
    assert found == replayed == decide(Named(), "go[on]", "go[back]")
    assert found.reply is not None
    assert found.reply.model == "weights.gguf"


def test_what_is_asked() -> None:
    llm = Scoring()
    decide(llm, "go[on]", "go[back]")
    assert llm.scored == [("Task: open a door\nEncouraged:\n-", (" on", " back home"))]


def test_what_comes_after_nothing_is_asked_once() -> None:
    llm = Scoring()
    agent = made(llm, normalisation="empty")
    for _ in range(2):
        decide(llm, "go[on]", "go[back]", agent=agent)
    assert [text for text, _ in llm.scored].count("Encouraged:\n-") == 1


def test_of_equals_the_first_is_taken() -> None:
    llm = Scoring({" on": (-2.0, 1), " back home": (-4.0, 2)})
    assert decide(llm, "go[back]", "go[on]").action == "go[back]"
    assert decide(llm, "go[on]", "go[back]").action == "go[on]"


def test_of_actions_with_equal_words_the_first_is_scored() -> None:
    found = decide(Scoring(), "open[door]", "go[on]", "go[back]", normalisation="sum")
    assert [score.action for score in found.scores] == ["open[door]", "go[back]"]
    assert found.action == "open[door]"


def test_a_draw_follows_the_scores() -> None:
    # exp(-2) : exp(-3) is 0.731 : 0.269; at temperature 0.5, 0.881.
    for temperature, wanted in ((1.0, 0.731), (0.5, 0.881)):
        agent = made(Scoring(), normalisation="sum", temperature=temperature)
        taken = [
            decide(agent.llm, "go[on]", "go[back]", seed=seed, agent=agent).action
            for seed in range(1000)
        ]
        spread = math.sqrt(wanted * (1 - wanted) / 1000)
        assert taken.count("go[on]") / 1000 == pytest.approx(wanted, abs=4 * spread)
        assert decide(agent.llm, "go[on]", "go[back]", seed=3, agent=agent).action == taken[3]


def test_a_free_text_is_written_first() -> None:
    llm = Scoring({**LIKELY, " say please open.": (-1.0, 4)}, written=" please\n open")
    found = decide(llm, "go[on]", "say[<words>]", normalisation="sum")
    assert llm.leads == [("Task: open a door\nEncouraged:\n- say ", (".", "\n"))]
    assert (found.action, found.reply.text) == ("say[please open]", "say please open.")


@pytest.mark.parametrize("written", ["", " \n", "<words>"])
def test_without_a_text_the_action_is_left_out(written: str) -> None:
    found = decide(Scoring(written=written), "say[<words>]", "go[on]")
    assert [score.action for score in found.scores] == ["go[on]"]


def test_no_words_at_all() -> None:
    found = decide(Scoring(), "go[mute]")
    assert (found.action, found.error_name, found.scores) == ("go[mute]", "reply", ())
    assert "no available action has words" in found.error


def test_a_failure_is_counted_and_a_stop_stops() -> None:
    found = decide(Scoring(error=LLMError("away")), "go[on]")
    assert (found.action, found.error, found.error_name) == ("go[on]", "away", LLMError.name)
    with pytest.raises(BudgetError):
        decide(Scoring(error=BudgetError("spent")), "go[on]")


def test_an_llm_that_cannot_score_is_refused() -> None:
    with pytest.raises(ConfigError, match="scripted does not say how likely a text is"):
        made(ScriptedLLM(["go[on]"]))


def test_it_scores_after_the_whole_prompt_too() -> None:
    llm = Scoring({" go[on]": (-1.0, 1)})
    config = ChoiceConfig(choose="likelihood")
    for form, end in (("advice", "\nEncouraged:\n-"), ("action", "\n\nReply:")):
        prompt = PromptConfig(reply_form=form)
        agent = PromptingAgent("llm_only", llm, PROFILE, prompt=prompt, choice=config)
        assert decide(llm, "go[on]", agent=agent).action == "go[on]"
        assert llm.scored[-1][0].endswith(f"- go[on]{end}")
