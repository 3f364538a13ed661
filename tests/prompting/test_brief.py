"""The brief template: no pages, actions in words, and replies in them."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from rememberer_nb.agents.baselines import FixedExemplars
from rememberer_nb.agents.prompting_agent import PromptingAgent
from rememberer_nb.config import PromptConfig
from rememberer_nb.elements import Advice, Decision, Exemplar, Situation, Step, StepRandom, Task
from rememberer_nb.envs.profile import Wording
from rememberer_nb.errors import ConfigError
from rememberer_nb.llms import OfflineLLM
from rememberer_nb.prompting.brief import brief_template, choose_template
from rememberer_nb.prompting.prompts import ACTION, ADVICE, build_prompt
from tests.toy import TOY, ScriptedLLM

WORDS = {
    "go[on]": "walk on", "go[back]": "walk back", "open[door]": "the red door", "go[up]": "",
    "say[<words>]": 'call "<words>"',
}  # fmt: skip
WORDING = Wording(lambda task, page: f"Task: {task} ({page})", lambda action, _: WORDS[action])
PROFILE = dataclasses.replace(TOY, wording=WORDING)
BRIEF = PromptConfig(template="brief")
SHOWN = Exemplar(
    0, "open it", "a hall", (),
    (Advice("go[on]", 0.75, "never shown"), Advice("open[door]", 1.0)),
    (Advice("go[up]"),),
)  # fmt: skip
ACTIONS = ("go[on]", "go[back]", "open[door]", "say[<words>]", "go[up]")


def situation(*steps: Step) -> Situation:
    taken = tuple(step.action for step in steps)
    return Situation(Task("0", "shut it"), "a room", ACTIONS, taken, steps)


def test_the_whole_prompt() -> None:
    last = Step(0, "a hall", ("go[on]",), "", Decision("go[on]"), 0.0)
    template = choose_template(BRIEF, PROFILE)
    prompt = build_prompt(PROFILE, situation(last), [SHOWN], template=template)
    assert prompt.text == (
        "Task: open it (a hall)\n"
        "Encouraged:\n"
        "- walk on -> 0.75\n"
        "- the red door -> 1.00\n"
        "Discouraged:\n"
        # What has no words keeps its name.
        "- go[up] -> (not tried)\n"
        "\n"
        "Task: shut it (a room)\n"
        "Done last: walk on\n"
        "Encouraged:"
    )
    assert prompt.messages == (("user", prompt.text),)
    assert prompt.reply_schema is None


def test_without_a_past() -> None:
    template = brief_template(WORDING)
    assert template.now(situation(), ()) == "Task: shut it (a room)\nEncouraged:"


def test_exemplars_as_turns() -> None:
    config = PromptConfig(template="brief", channel="chat_turns")
    template = choose_template(config, PROFILE)
    prompt = build_prompt(PROFILE, situation(), [SHOWN], config=config, template=template)
    assert [role for role, _ in prompt.messages] == ["user", "assistant", "user"]
    assert prompt.messages[0][1] == "Task: open it (a hall)"
    assert prompt.messages[2][1] == "Task: shut it (a room)"


def test_the_template_that_the_settings_name() -> None:
    assert choose_template(PromptConfig(), PROFILE) is ADVICE
    assert choose_template(PromptConfig(reply_form="action"), PROFILE) is ACTION


def test_words_to_actions() -> None:
    assert brief_template(WORDING).words(situation()) == {
        "walk on": "go[on]",
        "walk back": "go[back]",
        "the red door": "open[door]",
        'call "<words>"': "say[<words>]",
    }


@pytest.mark.parametrize(
    ("reply", "action", "value"),
    [
        ("\n- walk back -> 0.5", "go[back]", 0.5),
        ("\n- Walk back.", "go[back]", None),
        (" the red door", "open[door]", None),
        ('\n- call "hello you" -> 0.25', "say[hello you]", 0.25),
        # What a model knows of the page is enough, too.
        ("\n- go[up] -> 1", "go[up]", 1.0),
        # It runs on to another example of its own making.
        ("\n- walk on -> 0.1\n\nTask: x\nEncouraged:\n- walk back -> 0.9", "go[on]", 0.1),
    ],
)
def test_a_reply_in_words(reply: str, action: str, value: float | None) -> None:
    agent = PromptingAgent(
        "fixed", ScriptedLLM([reply]), PROFILE, FixedExemplars([SHOWN]), prompt=BRIEF
    )
    found = agent.decide(situation(), StepRandom(0, np.random.default_rng(0)))
    assert (found.action, found.error) == (action, None)
    assert [advice.value for advice in found.predicted_encouraged] == [value]


def test_the_stand_in_cannot_read_it() -> None:
    with pytest.raises(ConfigError, match="the brief template needs a language model"):
        PromptingAgent("llm_only", OfflineLLM("webshop"), PROFILE, prompt=BRIEF)
