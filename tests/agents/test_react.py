"""ReAct, Reflexion and retrieval without values, with an LLM that follows a script."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest

from rememberer_nb.agents.prompting_agent import PromptingAgent
from rememberer_nb.agents.react import ReActAgent, read_thought_and_action
from rememberer_nb.agents.reflexion import ReflexionAgent
from rememberer_nb.agents.rememberer import rememberer
from rememberer_nb.agents.retrieval_only import RetrievalOnlyAgent
from rememberer_nb.agents.telling import describe_agent
from rememberer_nb.cli import main
from rememberer_nb.config import ExemplarConfig, RetrievalConfig, RolloutConfig
from rememberer_nb.elements import ActionValue, Prompt, Record, Reply, Situation, StepRandom, Task
from rememberer_nb.errors import (
    BudgetError,
    ConfigError,
    LLMResponseError,
    LLMTimeoutError,
    ReplyError,
)
from rememberer_nb.llms import RecordingLLM
from rememberer_nb.loop.build import LLM_AGENTS, Settings, build_agent, build_env
from rememberer_nb.loop.costs import UnaskedLLM, estimate_run, llm_totals
from rememberer_nb.loop.episode import run_episode
from rememberer_nb.loop.training import Conduct, evaluate, train
from rememberer_nb.memory import ExperienceMemory
from rememberer_nb.prompting.react_prompts import Demonstration, Turn
from rememberer_nb.system.plain import differences
from tests.toy import TOY, ScriptedLLM, ToyEnv

ONCE = RolloutConfig(n_epochs=1)
SHOWN = Demonstration("open the grey door", (Turn("hall", "walk", "go[on]"),))


def thinks_and_walks(prompt: Prompt, seed: int) -> str:
    """Solves every task, in ReAct's form."""
    now = prompt.text[prompt.text.rindex("## Now") :]
    wanted = re.search(r"Task: open the (\w+) door", now)[1]
    here = re.findall(r"before the (\w+) door", now)
    if here and here[-1] == wanted:
        return f"Thought: this one is {wanted}.\nAction: open[door]"
    return "Thought: not there yet, open[door] would fail.\nAction: go[on]"


def opens_the_first(prompt: Prompt, seed: int) -> str:
    """Fails unless the first door is wanted; when asked to reflect, says so with the seed."""
    if "This attempt" in prompt.text:
        return f"Walk on before you open.\n(call {seed})"
    if "Earlier attempts" in prompt.text:
        return thinks_and_walks(prompt, seed)
    action = "open[door]" if "before the" in prompt.text else "go[on]"
    return f"Thought: any will do.\nAction: {action}"


# Reading


@pytest.mark.parametrize(
    ("text", "action", "thought"),
    [
        ("Thought: on.\nAction: go[on]", "go[on]", "on."),
        ("**Thought:** on.\n**Action:** `go[on]`", "go[on]", "on."),
        ("I skip go[back].\nAction: go[on]", "go[on]", "I skip go[back]."),
        ("on we go\naction: go[on]\nPage: a\nThought: b\nAction: go[back]", "go[on]", "on we go"),
        ("Thought: a\nand b\nAction: go[on]", "go[on]", "a and b"),
        ('{"rationale": "on", "action": "go[on]"}', "go[on]", "on"),
        ('{"rationale": "Action: go[back]", "action": "go[on]"}', "go[on]", "Action: go[back]"),
        ("go[on]", "go[on]", ""),
        ("Action: go[on] because", "go[on]", "because"),
    ],
)
def test_thought_and_action_are_read(text: str, action: str, thought: str) -> None:
    found = read_thought_and_action(text, ("go[on]", "go[back]"), TOY)
    assert (found.action, found.rationale) == (action, thought)


@pytest.mark.parametrize("text", ["", "Thought: go[on]\nAction: rest", "Action:", "Action: go[up]"])
def test_an_action_that_is_only_thought_of_is_not_taken(text: str) -> None:
    with pytest.raises(ReplyError):
        read_thought_and_action(text, ("go[on]",), TOY)


# ReAct


def test_react_sees_the_whole_episode() -> None:
    llm = ScriptedLLM(thinks_and_walks)
    episode = run_episode(ToyEnv(), ReActAgent(llm, TOY, SHOWN), 1)
    assert episode.is_success
    assert [step.action for step in episode.steps] == ["go[on]", "go[on]", "open[door]"]
    assert episode.steps[2].decision.rationale == "this one is blue."
    last = llm.prompts[-1].text
    assert last.count("Action: go[on]") == 3
    assert "| You are at the start of the corridor.\nThought: not there yet" in last
    assert "## Example\nTask: open the grey door" in last


def test_react_falls_back_where_nothing_can_be_read() -> None:
    agent = ReActAgent(ScriptedLLM(["Thought: hm."]), TOY)
    situation = Situation(Task("0", "g"), "o", ("go[on]",))
    decision = agent.decide(situation, StepRandom(0, np.random.default_rng(0)))
    assert (decision.action, decision.error_name) == ("go[on]", "reply")


# Reflexion


def test_a_failure_teaches_the_next_attempt_at_the_same_task_and_no_other() -> None:
    llm = ScriptedLLM(opens_the_first)
    agent = ReflexionAgent(llm, TOY, SHOWN)
    episodes = train(ToyEnv(), agent, [0, 1, 2], config=RolloutConfig(n_epochs=2))
    assert [e.is_success for e in episodes] == [True, False, False, True, True, True]
    assert set(agent.reflections) == {"1", "2"}
    lesson = episodes[1].metadata["reflection"]
    assert re.fullmatch(r"Walk on before you open\. \(call \d+\)", lesson)
    assert lesson != episodes[2].metadata["reflection"]
    shown = episodes[4].steps[0].decision.prompt.text
    assert f"## Earlier attempts\n- {lesson}\n" in shown
    assert "Earlier attempts" not in episodes[3].steps[0].decision.prompt.text
    assert "reflection" not in episodes[0].metadata
    (call,) = episodes[1].metadata["calls"]
    assert (call["purpose"], call["completion_tokens"], call["error"]) == ("reflection", 1, None)


def test_evaluation_does_not_reflect() -> None:
    llm = ScriptedLLM(opens_the_first)
    agent = ReflexionAgent(llm, TOY)
    (episode,) = evaluate(ToyEnv(), agent, [1])
    assert not episode.is_success
    assert len(llm.prompts) == len(episode.steps)
    assert agent.reflections == {}


def test_the_latest_lessons_are_shown() -> None:
    agent = ReflexionAgent(ScriptedLLM(["x"]), TOY, max_lessons=2)
    agent.reflections["0"] = ["one", "two", "three"]
    lessons = agent.lessons(Situation(Task("0", "g"), "o", ("go[on]",)))
    assert lessons == ["two", "three"]


def test_reflections_are_kept_with_the_memory(tmp_path: Path) -> None:
    path = tmp_path / "m.sqlite"
    with ExperienceMemory.open(path) as memory:
        agent = ReflexionAgent(ScriptedLLM(opens_the_first), TOY, memory=memory)
        train(ToyEnv(), agent, [1], config=ONCE)
        said = agent.reflections
    with ExperienceMemory.open(path) as memory:
        again = ReflexionAgent(ScriptedLLM(opens_the_first), TOY, memory=memory)
        assert again.reflections == said != {}
        (episode,) = evaluate(ToyEnv(), again, [1])
    assert episode.is_success


@pytest.mark.parametrize(
    ("failure", "name", "tokens"),
    [
        (LLMTimeoutError("late"), "timeout", 0),
        (LLMResponseError("cut", name="truncated", reply=Reply("Wal", 7, 5)), "truncated", 5),
    ],
)
def test_a_reflection_that_fails_is_counted_and_not_shown(
    failure: Exception, name: str, tokens: int
) -> None:
    llm = ScriptedLLM(["Action: go[on]", "Action: open[door]", failure])
    agent = ReflexionAgent(llm, TOY)
    (episode,) = train(ToyEnv(), agent, [1], config=ONCE)
    assert episode.metadata["reflection"] == ""
    (call,) = episode.metadata["calls"]
    assert (call["error"], call["completion_tokens"]) == (name, tokens)
    assert agent.reflections == {}


@pytest.mark.parametrize("stop", [BudgetError("used up"), KeyboardInterrupt()])
def test_a_stop_while_reflecting_loses_no_episode(stop: BaseException, tmp_path: Path) -> None:
    def answers(prompt: Prompt, seed: int) -> str:
        if "This attempt" in prompt.text:
            raise stop
        return opens_the_first(prompt, seed)

    kept = []
    with ExperienceMemory.open(tmp_path / "m.sqlite") as memory:
        agent = ReflexionAgent(ScriptedLLM(answers), TOY, memory=memory)
        with pytest.raises(type(stop)):
            train(ToyEnv(), agent, [0, 1, 2], config=ONCE, conduct=Conduct(on_episode=kept.append))
        assert [episode.task.task_id for episode in kept] == ["0", "1"]
        assert [episode.task.task_id for episode in memory.episodes()] == ["0", "1"]


def test_a_batch_is_reflected_on_when_it_is_over() -> None:
    agent = ReflexionAgent(ScriptedLLM(opens_the_first), TOY)
    config = RolloutConfig(n_epochs=2, batch_size=3)
    episodes = train(ToyEnv(), agent, [0, 1, 2], config=config)
    assert [e.is_success for e in episodes] == [True, False, False, True, True, True]


# Retrieval without values


@pytest.fixture
def memory() -> ExperienceMemory:
    """One demonstrated door, and one that nothing good is known of."""
    held = ExperienceMemory()
    known = (
        ActionValue("open[door]", 0.8, 1, rationale="it is grey", is_initial=True),
        ActionValue("go[on]", 0.0, 1, rationale="wrong", is_initial=True),
    )
    held.add_initial([Record(0, "open the grey door", "You stand before the grey door", (), known)])
    held.insert("open the grey door", "You stand before the white door")
    return held


def test_steps_of_successes_are_shown_without_values(memory: ExperienceMemory) -> None:
    llm = ScriptedLLM(["go[on] -> 1.0 on"])
    agent = RetrievalOnlyAgent(llm, TOY, memory)
    situation = Situation(
        Task("0", "open the red door"), "You stand before the red door", ("go[on]",)
    )
    decision = agent.decide(situation, StepRandom(0, np.random.default_rng(0)))
    assert [hit.record.record_id for hit in decision.hits] == [0]
    example = decision.prompt.text.partition("## Example 1")[2].partition("## Now")[0]
    assert example.endswith("Done:\n- open[door] -> it is grey\n\n")
    assert "0.8" not in decision.prompt.text
    assert "wrong" not in decision.prompt.text
    assert "ncouraged" not in decision.prompt.text


def test_only_successful_episodes_become_examples() -> None:
    def half(prompt: Prompt, seed: int) -> str:
        """Right for the red door, wrong for the blue one."""
        return "open[door] -> 1 try" if "before the" in prompt.text else "go[on] -> 1 on"

    memory = ExperienceMemory(RetrievalConfig(n_exemplars=9))
    agent = RetrievalOnlyAgent(ScriptedLLM(half), TOY, memory)
    red, blue = train(ToyEnv(), agent, [0, 1], config=ONCE)
    assert (red.is_success, blue.is_success) == (True, False)
    assert len(memory) == 4
    situation = Situation(blue.task, blue.steps[0].observation, ("go[on]",))
    _, exemplars, _ = agent.source.select(situation, np.random.default_rng(0))
    assert {exemplar.task for exemplar in exemplars} == {"open the red door"}
    assert {e.encouraged[0].action for e in exemplars} == {"go[on]", "open[door]"}
    # Another agent on the same memory finds the same.
    again = RetrievalOnlyAgent(ScriptedLLM(half), TOY, memory)
    assert again.source.select(situation, np.random.default_rng(0))[1] == exemplars


# Building by name


@pytest.mark.parametrize("name", LLM_AGENTS)
@pytest.mark.parametrize("env", ["webshop", "wikihow"])
def test_every_agent_runs_on_a_language_model(name: str, env: str) -> None:
    settings = Settings(env=env, rollout=RolloutConfig(max_steps=3))
    world = build_env(settings)
    llm = ScriptedLLM(lambda prompt, seed: prompt.text.rpartition("actions:\n- ")[2])
    agent = build_agent(name, world, settings, llm=llm)
    episode = run_episode(world, agent, 120 if env == "webshop" else 100)
    assert episode.agent == name
    assert "Example" in llm.prompts[0].text
    assert all(step.decision.prompt is not None for step in episode.steps)


@pytest.mark.parametrize("name", LLM_AGENTS)
def test_the_stand_in_is_refused(name: str, tmp_path: Path) -> None:
    settings = Settings()
    world = build_env(settings)
    path = tmp_path / "calls.jsonl"
    for spec in ("offline", "offline:able", f"record:{path}:offline", f"replay:{path}"):
        with pytest.raises(ConfigError, match=f"{name} needs a language model"):
            build_agent(name, world, Settings(llm=spec))


def test_what_they_say_of_themselves(memory: ExperienceMemory) -> None:
    llm = ScriptedLLM(thinks_and_walks)
    other = Demonstration("open the grey door", (Turn("hall", "look", "go[on]"),))

    def changed(one: PromptingAgent, two: PromptingAgent) -> list[str]:
        return [d.partition(":")[0] for d in differences(describe_agent(one), describe_agent(two))]

    react = ReActAgent(llm, TOY, SHOWN)
    assert changed(react, ReActAgent(llm, TOY, SHOWN)) == []
    assert changed(react, ReActAgent(llm, TOY, other)) == ["demonstration"]
    assert changed(react, ReActAgent(llm, TOY)) == ["demonstration"]
    reflexion = ReflexionAgent(llm, TOY, SHOWN)
    assert changed(reflexion, ReflexionAgent(llm, TOY, SHOWN, max_lessons=1)) == ["max_lessons"]
    # What was learnt in words is the memory's, not the agent's.
    reflexion.reflections["0"] = ["walk on"]
    assert changed(reflexion, ReflexionAgent(llm, TOY, SHOWN)) == []
    steps = RetrievalOnlyAgent(llm, TOY, memory)
    four = RetrievalOnlyAgent(llm, TOY, memory, retrieval=RetrievalConfig(n_exemplars=4))
    assert changed(steps, four) == ["retrieval.n_exemplars"]
    assert (
        describe_agent(steps)["template"]
        != describe_agent(rememberer(llm, TOY, memory))["template"]
    )


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"retrieval": RetrievalConfig(ranking="two_phase")}, "ranking='two_phase'"),
        ({"exemplar": ExemplarConfig(exploration=0.3)}, r"exploration=0\.3"),
    ],
)
def test_successful_steps_have_no_values_to_go_by(
    memory: ExperienceMemory, changes: dict, complaint: str
) -> None:
    with pytest.raises(ConfigError, match=f"have no values .*{complaint}"):
        RetrievalOnlyAgent(ScriptedLLM([]), TOY, memory, **changes)


def test_an_unknown_name() -> None:
    with pytest.raises(ConfigError, match=r"known: random, .*, react, reflexion, retrieval_only"):
        build_agent("oracle", ToyEnv())


def test_a_recorded_model_is_no_stand_in(tmp_path: Path) -> None:
    llm = RecordingLLM(ScriptedLLM(thinks_and_walks), tmp_path / "calls.jsonl")
    assert run_episode(ToyEnv(), ReActAgent(llm, TOY), 0).is_success


# What it costs, and the command line


def test_reflections_count_among_the_calls() -> None:
    agent = ReflexionAgent(ScriptedLLM(opens_the_first), TOY)
    episodes = train(ToyEnv(), agent, [0, 1, 2], config=ONCE)
    totals = llm_totals(episodes)
    assert totals["n_calls"] == sum(len(e.steps) for e in episodes) + 2
    reflections = [e.metadata["calls"][0]["prompt_tokens"] for e in episodes[1:]]
    decisions = [s.decision.reply.prompt_tokens for e in episodes for s in e.steps]
    assert totals["prompt_tokens"] == sum(reflections) + sum(decisions)
    failed = ReflexionAgent(ScriptedLLM(["Action: open[door]", LLMTimeoutError("late")]), TOY)
    (episode,) = train(ToyEnv(max_steps=1), failed, [1], config=ONCE)
    assert llm_totals([episode])["llm_errors"] == {"timeout": 1}


def test_an_estimate_gives_the_worst_case_alone() -> None:
    rollout = RolloutConfig(max_steps=6)
    for agent, max_calls in (
        (ReActAgent(UnaskedLLM(), TOY), 18),
        (ReflexionAgent(UnaskedLLM(), TOY), 21),
        (RetrievalOnlyAgent(UnaskedLLM(), TOY, ExperienceMemory()), 18),
    ):
        found = estimate_run(ToyEnv(), agent, [0, 1, 2], rollout=rollout)
        assert (found.n_calls, found.max_calls) == (None, max_calls)


def test_the_command_line_estimates_and_refuses(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["train", "--agent", "reflexion", "--llm", "openai:m", "--estimate", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["estimate"]["max_calls"] == 10 * 3 * 16
    assert main(["evaluate", "--agent", "react", "--tasks", "120", "--json"]) == 2
    assert "react needs a language model" in capsys.readouterr().err


def test_similarities_can_be_named_on_the_command_line(
    capsys: pytest.CaptureFixture[str],
) -> None:
    call = ["evaluate", "--tasks", "120", "--max-steps", "2", "--json"]
    assert main([*call, "--observation-similarity", "jaccard+tfidf"]) == 0
    capsys.readouterr()
    assert main([*call, "--task-similarity", "magic"]) == 2
    assert "no similarity is named 'magic'" in capsys.readouterr().err
