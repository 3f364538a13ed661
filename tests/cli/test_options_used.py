"""Every option of `train` and `evaluate` changes something for an agent, or is refused."""

from __future__ import annotations

import argparse
import functools
from pathlib import Path
from typing import Any

import pytest

from rememberer_nb.agents.interface import describe_agent
from rememberer_nb.cli.loop import _settings
from rememberer_nb.cli.main import _parser, main
from rememberer_nb.cli.options_used import check_used
from rememberer_nb.config import RolloutConfig
from rememberer_nb.config.identity import fingerprint
from rememberer_nb.errors import ConfigError
from rememberer_nb.loop.build import AGENTS, build_agent, build_env, build_memory
from rememberer_nb.loop.runs import describe_run
from tests.toy import ScriptedLLM

# An option with a value other than the default's, and what else it needs to count.
SHARED = {
    "--initial": ("E1", ()),
    "--n-exemplars": ("1", ()),
    "--task-weight": ("0.9", ()),
    "--task-similarity": ("jaccard", ()),
    "--observation-similarity": ("jaccard", ()),
    "--ranking": ("two_phase", ()),
    "--n-candidates": ("3", ("--ranking", "two_phase")),
    # High enough to outweigh what was tried.
    "--exploration": ("9", ()),
}
TRAINING = {
    "--gamma": ("0.5", ()),
    "--n-step": ("all", ()),
    "--max-records": ("9", ()),
    "--max-actions": ("2", ()),
    "--eviction": ("oldest", ("--max-records", "9")),
    "--stand-in": ("kernel", ()),
    "--n-neighbours": ("3", ("--stand-in", "kernel")),
    "--initial-q": ("0.5", ()),
    "--initial-visits": ("1", ()),
}
LLM = {
    "--model": "m", "--temperature": "0.5", "--max-tokens": "9", "--reply-format": "text",
    "--timeout": "9", "--deadline": "9", "--max-retries": "1", "--requests-per-minute": "9",
    "--tokens-per-minute": "9", "--input-price": "1", "--output-price": "1", "--budget-calls": "9",
    "--budget-tokens": "9", "--stop": "END", "--llm-seed": "3",
}  # fmt: skip


# Made once: it is long.
parser = functools.cache(_parser)


def parse(command: str, agent: str, *options: str) -> argparse.Namespace:
    llm = () if agent == "random" else ("--llm", "openai:m")
    return parser().parse_args([command, "--agent", agent, *llm, *options])


def is_refused(args: argparse.Namespace, command: str) -> bool:
    try:
        check_used(args, is_training=command == "train")
    except ConfigError as error:
        assert "no effect" in str(error)
        return True
    return False


@pytest.fixture(scope="module")
def env() -> Any:
    return build_env(_settings(parse("train", "random")))


def identity(env: Any, args: argparse.Namespace, command: str) -> Any:
    """All that the outcome depends on."""
    settings = _settings(args)
    with build_memory(settings) as memory:
        agent = build_agent(args.agent, env, settings, memory=memory, llm=ScriptedLLM(["x"]))
        held = fingerprint(list(memory)) if agent.memory is not None else ""
        if command == "train":
            return describe_run("webshop", agent, [500], 0, RolloutConfig()), held
        # In an evaluation a memory counts for what is retrieved from it.
        searched = getattr(getattr(agent, "source", None), "memory", None)
        alike = ("task_weight", "task_similarity", "observation_similarity")
        retrieval = [getattr(searched.retrieval, name) for name in alike] if searched else []
        return describe_agent(agent), held, retrieval


@pytest.mark.parametrize("agent", AGENTS)
@pytest.mark.parametrize("command", ["train", "evaluate"])
def test_what_is_not_refused_changes_something(env: Any, command: str, agent: str) -> None:
    plain = identity(env, parse(command, agent), command)
    for option, (value, beside) in (SHARED | (TRAINING if command == "train" else {})).items():
        args = parse(command, agent, *beside, option, value)
        if is_refused(args, command):
            try:
                assert identity(env, args, command) == plain, option
            except ConfigError as error:
                # The agent itself refuses it.
                assert "have no values" in str(error)
        elif beside:
            other = identity(env, parse(command, agent, *beside), command)
            assert identity(env, args, command) != other, option
        else:
            assert identity(env, args, command) != plain, option


@pytest.mark.parametrize("command", ["train", "evaluate"])
def test_every_option_is_known_to_the_matrix(command: str) -> None:
    """A new option has to be put into one of the tables above."""
    always = {"--help", "--json", "--env", "--agent", "--llm", "--tasks", "--seed", "--seeds",
              "--out", "--max-steps", "--concurrency", "--estimate", "--memory", "--record",
              "--budget-money"}  # fmt: skip
    if command == "train":
        always |= {"--epochs", "--batch-size", "--resume", *TRAINING}
    commands = next(a for a in parser()._actions if isinstance(a, argparse._SubParsersAction))
    options = {
        name
        for action in commands.choices[command]._actions
        for name in action.option_strings
        if name.startswith("--")
    }
    assert options == always | SHARED.keys() | LLM.keys()


@pytest.mark.parametrize("agent", AGENTS)
@pytest.mark.parametrize("command", ["train", "evaluate"])
def test_a_memory_for_those_that_have_one_and_an_llm_for_those_that_ask(
    env: Any, command: str, agent: str
) -> None:
    settings = _settings(parse(command, agent))
    with build_memory(settings) as memory:
        built = build_agent(agent, env, settings, memory=memory, llm=ScriptedLLM(["x"]))
    args = parse(command, agent, "--memory", "m.sqlite")
    assert is_refused(args, command) == (built.memory is None)
    for option, value in {**LLM, "--record": "x"}.items():
        args = parse(command, agent, option, value)
        assert is_refused(args, command) == (not hasattr(built, "llm")), option


@pytest.mark.parametrize("option", LLM)
def test_what_the_stand_in_and_a_replay_have_no_use_for(option: str) -> None:
    prices = {"--input-price", "--output-price"}
    stand_in = prices | {"--budget-calls", "--budget-tokens"}
    counts = {
        "offline": stand_in,
        "record:calls.jsonl:offline:able": stand_in,
        "replay:calls.jsonl": prices,
        "openai:m": LLM.keys(),
        "record:calls.jsonl:openai:m": LLM.keys(),
        "llama.cpp:m.gguf": LLM.keys(),
    }
    for spec, used in counts.items():
        args = parser().parse_args(["evaluate", "--llm", spec, option, LLM[option]])
        assert is_refused(args, "evaluate") == (option not in used), spec
    # What the longest reply may take of a budget counts for the stand-in, too.
    budget = ["evaluate", "--max-tokens", "9", "--budget-tokens", "99"]
    assert not is_refused(parser().parse_args(budget), "evaluate")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["train", "--agent", "random", "--memory", "m"], "random has no memory: --memory has no"),
        (
            ["train", "--agent", "llm_only", "--gamma", "0.5", "--n-step", "2"],
            "llm_only learns no values: --gamma, --n-step have no effect",
        ),
        (
            ["train", "--agent", "retrieval_only", "--llm", "openai:m", "--ranking", "two_phase"],
            "retrieval_only ranks no records by value: --ranking has no effect",
        ),
        (["train", "--n-candidates", "3"], "without --ranking two_phase: --n-candidates has no"),
        (["train", "--eviction", "oldest"], "without --max-records: --eviction has no effect"),
        (["evaluate", "--stop", "END"], "the offline stand-in asks no server: --stop has no"),
        (["evaluate", "--llm", "replay:x", "--budget-calls", "3"], "a replay asks none"),
        (["train", "--agent", "random", "--resume"], "random has no memory: --resume has no"),
        (["evaluate", "--estimate", "--out", "o"], "--estimate runs nothing: --out has no effect"),
        (["evaluate", "--tasks", ""], "tasks should be one of test, S0, S1, a range"),
        (["train", "--tasks", " "], "tasks should be one of test, S0, S1, a range"),
    ],
)
def test_a_refusal_is_one_line_and_leaves_nothing(
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    arguments: list[str],
    message: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(arguments) == 2
    captured = capsys.readouterr()
    (line,) = captured.err.splitlines()
    assert captured.out == ""
    assert message in line
    assert list(tmp_path.iterdir()) == []


def test_an_evaluation_learns_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        main(["evaluate", "--gamma", "0.5"])
    assert stop.value.code == 2
    assert "--gamma" in capsys.readouterr().err
