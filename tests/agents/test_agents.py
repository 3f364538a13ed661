"""Agents: every stage of a decision, failures recorded, seeded fallbacks."""

from __future__ import annotations

import numpy as np
import pytest

from rememberer_nb.agents.baselines import (
    FixedExemplars,
    NoExemplars,
    RandomAgent,
    fixed_exemplars,
    random_action,
)
from rememberer_nb.agents.prompting_agent import PromptingAgent
from rememberer_nb.agents.rememberer import MemoryExemplars, rememberer
from rememberer_nb.agents.telling import describe_agent
from rememberer_nb.config import ExemplarConfig, PromptConfig, RetrievalConfig, RlemConfig
from rememberer_nb.elements import Advice, Exemplar, Situation, StepRandom, Task, Transition
from rememberer_nb.memory import ExperienceMemory
from rememberer_nb.rlem import learn_episode
from rememberer_nb.system.plain import differences, plain
from tests.toy import NO_ANSWER, TOY, ScriptedLLM

AVAILABLE = ("go[on]", "go[back]", "say[<words>]")
HERE = Situation(Task("0", "open the red door"), "You are at the start", AVAILABLE, ("go[back]",))


def random(seed: int = 0, call_seed: int = 7) -> StepRandom:
    return StepRandom(call_seed, np.random.default_rng(seed))


@pytest.fixture
def memory() -> ExperienceMemory:
    held = ExperienceMemory()
    for colour, reward in (("red", 1.0), ("blue", 0.5), ("green", 0.25)):
        end = Transition(
            f"You stand before the {colour} door",
            "open[door]",
            reward,
            "end",
            terminated=True,
            rationale=f"it is {colour}",
            available_actions=("go[on]", "open[door]"),
        )
        learn_episode(held, f"open the {colour} door", [end])
    return held


def test_a_decision_holds_every_stage(memory: ExperienceMemory) -> None:
    llm = ScriptedLLM(["go[on] -> 0.5 not there yet"])
    decision = rememberer(llm, TOY, memory).decide(HERE, random())
    assert (decision.action, decision.rationale, decision.error) == (
        "go[on]",
        "not there yet",
        None,
    )
    expected = list(memory.retrieve(HERE.task.text, HERE.observation))[:2]
    assert list(decision.hits) == expected
    assert [e.record_id for e in decision.exemplars] == [h.record.record_id for h in expected]
    assert decision.prompt is llm.prompts[0]
    assert decision.reply.text == "go[on] -> 0.5 not there yet"
    assert llm.seeds == [7]
    text = decision.prompt.text
    # The most similar exemplar stands last, nearest to the question.
    places = [text.index(f"Task: {hit.record.task}") for hit in expected]
    assert places[1] < places[0] < text.index("## Now")
    assert "Last actions:\n- go[back]" in text


ADVISED = "\n- go[on] -> 0.5 not yet\n- go[back] -> 0.7 too far\nDiscouraged:\n- say[hi] -> 0"


def test_what_the_llm_predicts_is_kept(memory: ExperienceMemory) -> None:
    decision = rememberer(ScriptedLLM([ADVISED]), TOY, memory).decide(HERE, random())
    assert (decision.action, decision.rationale) == ("go[back]", "too far")
    assert decision.predicted_encouraged == (
        Advice("go[on]", 0.5, "not yet"),
        Advice("go[back]", 0.7, "too far"),
    )
    assert decision.predicted_discouraged == (Advice("say[hi]", 0.0),)
    assert decision.scores == ()


def test_one_line_predicts_nothing(memory: ExperienceMemory) -> None:
    config = PromptConfig(reply_form="action")
    decision = rememberer(ScriptedLLM([ADVISED]), TOY, memory, prompt=config).decide(HERE, random())
    # The first that is said, whatever it is worth.
    assert (decision.action, decision.predicted_encouraged) == ("go[on]", ())


@pytest.mark.parametrize(
    ("script", "problem", "has_reply"),
    [
        (["I would rather wait."], "no action in the reply: 'I would rather wait.'", True),
        (["go[moon]"], "go[moon] is not available: 'go[moon]'", True),
        ([""], "no action in the reply: ''", True),
        ([NO_ANSWER], "the server is away", False),
    ],
)
def test_failures_are_recorded_and_an_available_action_is_taken(
    script: list, problem: str, has_reply: bool
) -> None:
    agent = PromptingAgent("llm_only", ScriptedLLM(script), TOY)
    taken = set()
    for seed in range(20):
        decision = agent.decide(HERE, random(seed))
        assert decision.error == problem
        assert (decision.reply is not None) == has_reply
        assert decision.prompt is not None
        assert decision.rationale == ""
        assert TOY.match(decision.action, AVAILABLE) == decision.action
        assert agent.decide(HERE, random(seed)).action == decision.action
        taken.add(decision.action.split("[")[0])
    assert taken == {"go", "say"}


def test_other_errors_are_not_hidden() -> None:
    agent = PromptingAgent("llm_only", ScriptedLLM([KeyError("a bug")]), TOY)
    with pytest.raises(KeyError, match="a bug"):
        agent.decide(HERE, random())


def test_agents_differ_in_their_exemplars_alone(memory: ExperienceMemory) -> None:
    fixed = Exemplar(0, "g", "o", (), (Advice("go[on]", 0.5),))
    sources = (NoExemplars(), FixedExemplars([fixed]), MemoryExemplars(memory, TOY))
    shown = []
    for source in sources:
        llm = ScriptedLLM(["go[on]"])
        decision = PromptingAgent("agent", llm, TOY, source).decide(HERE, random())
        shown.append((len(decision.hits), len(decision.exemplars)))
        rest = decision.prompt.text
        assert rest.startswith(TOY.introduction)
        assert rest.count("## Example") == len(decision.exemplars)
    assert shown == [(0, 0), (0, 1), (2, 2)]


def test_what_an_agent_says_of_itself(memory: ExperienceMemory) -> None:
    llm = ScriptedLLM(["go[on]"])
    agent = rememberer(
        llm, TOY, memory, retrieval=RetrievalConfig(n_exemplars=1), rlem=RlemConfig(gamma=0.5)
    )
    told = describe_agent(agent)
    assert {"name": "rememberer", "llm": {"llm": "scripted"}}.items() <= told.items()
    assert (told["retrieval"]["n_exemplars"], told["rlem"]["gamma"]) == (1, 0.5)
    assert told["exemplar"] == plain(ExemplarConfig())
    # Neither what the memory holds nor what was decided is part of it.
    agent.decide(HERE, random())
    memory.insert("g", "o")
    assert describe_agent(agent) == told
    assert describe_agent(RandomAgent(TOY)) == {"name": "random", "placeholders": ["<words>"]}


def test_agents_with_other_exemplars_say_so(memory: ExperienceMemory) -> None:
    llm, records = ScriptedLLM(["go[on]"]), list(memory)
    drawn = [fixed_exemplars(records, 2, TOY, np.random.default_rng(seed)) for seed in (0, 0, 1)]
    one, same, other = (
        describe_agent(PromptingAgent("fixed", llm, TOY, FixedExemplars(shown))) for shown in drawn
    )
    assert one == same
    assert differences(one, other) == [
        f"exemplars: {one['exemplars']!r}, now {other['exemplars']!r}"
    ]
    assert "exemplars" not in describe_agent(PromptingAgent("llm_only", llm, TOY))


def test_skipped_exemplars_reach_the_prompts_list(memory: ExperienceMemory) -> None:
    memory.insert("open the red door", "You are at the start")
    llm = ScriptedLLM(["go[on]"])
    decision = rememberer(llm, TOY, memory).decide(HERE, random())
    assert [gone.why for gone in decision.prompt.left_out] == ["no advice to give"]
    assert (len(decision.hits), len(decision.exemplars)) == (3, 2)


def test_settings_reach_their_stage(memory: ExperienceMemory) -> None:
    agent = rememberer(
        ScriptedLLM(["go[on]"]),
        TOY,
        memory,
        retrieval=RetrievalConfig(n_exemplars=1, task_weight=1.0),
        exemplar=ExemplarConfig(use_synthetic=False),
        rlem=RlemConfig(n_step=3),
        prompt=PromptConfig(n_last_actions=0),
    )
    decision = agent.decide(HERE, random())
    assert [hit.total for hit in decision.hits] == [decision.hits[0].task_similarity]
    assert decision.exemplars[0].discouraged == ()
    assert "Last actions:\n- none" in decision.prompt.text
    assert (agent.name, agent.rlem.n_step, agent.memory) == ("rememberer", 3, memory)


def test_m_of_the_memory_is_the_default(memory: ExperienceMemory) -> None:
    held = ExperienceMemory(RetrievalConfig(n_exemplars=1))
    held.add_initial(memory)
    decision = rememberer(ScriptedLLM(["go[on]"]), TOY, held).decide(HERE, random())
    assert len(decision.exemplars) == 1


def test_no_exemplars_wanted(memory: ExperienceMemory) -> None:
    agent = rememberer(ScriptedLLM(["go[on]"]), TOY, memory, retrieval=RetrievalConfig(0))
    decision = agent.decide(HERE, random())
    assert (decision.hits, decision.exemplars) == ((), ())


def test_random_actions_are_available_and_uniform() -> None:
    rng = np.random.default_rng(0)
    drawn = [random_action(HERE, TOY, rng) for _ in range(600)]
    assert all(TOY.match(action, AVAILABLE) == action for action in drawn)
    counts = [drawn.count("go[on]"), drawn.count("go[back]")]
    counts.append(600 - sum(counts))
    # Each share is 1/3; 3 standard deviations of a count are 35.
    assert all(abs(n - 200) < 35 for n in counts)
    said = {a.removeprefix("say[").removesuffix("]") for a in drawn if a.startswith("say")}
    assert {len(words.split()) for words in said} == {1, 2, 3, 4}
    assert all(words in HERE.task.text for words in said)


def test_random_actions_where_there_is_little_to_go_by() -> None:
    rng = np.random.default_rng(0)
    nothing = Situation(Task("0", "g"), "o", ())
    assert random_action(nothing, TOY, rng) == ""
    wordless = Situation(Task("0", " "), "o", ("say[<words>]",))
    assert random_action(wordless, TOY, rng) == "say[anything]"


def test_the_random_agent_asks_nobody() -> None:
    decision = RandomAgent(TOY).decide(HERE, random())
    assert (decision.prompt, decision.reply, decision.hits, decision.error) == (
        None,
        None,
        (),
        None,
    )
    assert decision == RandomAgent(TOY).decide(HERE, random())
