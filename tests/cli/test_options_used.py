"""Every setting changes something for an agent that is given it, or is refused."""

from __future__ import annotations

import argparse
import functools
import json
from pathlib import Path
from typing import Any

import pytest

from rememberer_nb.agents.telling import describe_agent
from rememberer_nb.cli.main import _parser, main
from rememberer_nb.cli.options_used import check_used, is_for_training
from rememberer_nb.cli.settings import choose_settings
from rememberer_nb.config.reading import SETTINGS
from rememberer_nb.errors import ConfigError
from rememberer_nb.loop.build import AGENTS, Settings, build_agent, build_env, build_memory
from rememberer_nb.loop.runs import describe_run
from rememberer_nb.system.plain import fingerprint
from tests.toy import ScriptedLLM

# A value other than the default, and what else it needs to count.
VALUES = {
    "retrieval.n_exemplars": ("1",),
    "retrieval.task_weight": ("0.9",),
    "retrieval.task_similarity": ("jaccard",),
    "retrieval.observation_similarity": ("jaccard",),
    "retrieval.ranking": ("two_phase",),
    "retrieval.n_candidates": ("3", "retrieval.ranking=two_phase"),
    "exemplar.margin": ("0.9",),
    "exemplar.published_rule": ("true",),
    "exemplar.use_discouraged": ("false",),
    "exemplar.use_synthetic": ("false",),
    "exemplar.synthetic_value": ("zero",),
    "exemplar.max_tokens": ("9",),
    # High enough to outweigh what was tried.
    "exemplar.exploration": ("9",),
    "prompt.max_tokens": ("999",),
    "prompt.n_last_actions": ("2",),
    "prompt.reply_form": ("action",),
    "prompt.channel": ("completion",),
    "prompt.template": ("brief",),
    "choice.choose": ("likelihood",),
    "choice.normalisation": ("sum", "choice.choose=likelihood"),
    "choice.temperature": ("0.5", "choice.choose=likelihood"),
    "choice.repeats": ("false", "choice.choose=likelihood"),
    "choice.training_temperature": ("0.5", "choice.choose=likelihood"),
    "rlem.gamma": ("0.5",),
    "rlem.n_step": ("all",),
    "rlem.learning_rate": ("0.5",),
    "rlem.bootstrap_truncated": ("false",),
    "rlem.double": ("true",),
    "rlem.table_choice": ("random", "rlem.double=true"),
    "rlem.stand_in": ("kernel",),
    "rlem.n_neighbours": ("3", "rlem.stand_in=kernel"),
    "rlem.initial_q": ("0.5",),
    "rlem.initial_visits": ("1",),
    "capacity.max_records": ("9",),
    "capacity.max_actions": ("2",),
    "capacity.eviction": ("oldest", "capacity.max_records=9"),
    "rollout.max_steps": ("9",),
    "rollout.n_epochs": ("2",),
    "rollout.skip_successes": ("true",),
    "rollout.batch_size": ("2",),
}
LLM = {
    "model": "m", "temperature": "0.5", "max_tokens": "9", "reply_format": "text",
    "timeout_s": "9", "deadline_s": "9", "max_retries": "1", "requests_per_minute": "9",
    "tokens_per_minute": "9", "input_price": "1", "output_price": "1", "budget_calls": "9",
    "budget_tokens": "9", "stop": "END", "seed": "3", "backoff_s": "1", "max_backoff_s": "9",
    "retry_after_cap_s": "9", "max_failures": "3",
}  # fmt: skip
OFFLINE = {
    "strength": "able", "temperature": "1", "prior_weight": "1", "label_weight": "1",
    "malformed_rate": "0.5",
    "reads_values": "false",
}  # fmt: skip
# Noted with the agent as part of a config of which it uses the rest.
UNUSED_BUT_NOTED = {
    *((agent, f"prompt.{name}") for agent in ("react", "reflexion")
      for name in ("n_last_actions", "reply_form", "channel", "template")),
    *(("retrieval_only", name) for name in VALUES if name.startswith("exemplar.")),
    ("retrieval_only", "prompt.reply_form"),
    ("retrieval_only", "prompt.template"),
}  # fmt: skip


class Scoring(ScriptedLLM):
    """An LLM that could score."""

    def score(self, prompt: Any, candidates: Any) -> Any:
        raise NotImplementedError

    write = score


# Made once: it is long.
parser = functools.cache(_parser)


def parse(command: str, agent: str, *settings: str) -> argparse.Namespace:
    llm = () if agent == "random" else ("--llm", "openai:m")
    sets = [text for setting in settings for text in ("--set", setting)]
    return parser().parse_args([command, "--agent", agent, *llm, *sets])


def is_refused(args: argparse.Namespace, command: str) -> bool:
    try:
        check_used(choose_settings(args), args, is_training=command == "train")
    except ConfigError as error:
        assert "no effect" in str(error)
        return True
    return False


@pytest.fixture(scope="module")
def env() -> Any:
    return build_env(Settings())


@pytest.fixture(scope="module")
def initial(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Demonstrations for which each rule of advice makes a difference."""
    page = {"task": "a lamp", "observation": "[A]", "available_actions": ["a", "b", "c"]}
    values = [("a", 1.0), ("b", 0.5)]
    actions = [
        {"action": a, "q_value": q, "n_visits": 1, "reward": q, "rationale": "-"} for a, q in values
    ]
    records = [
        {**page, "actions": actions},
        {**page, "observation": "[B]", "actions": actions[:1]},
    ]
    head = {"format": "rememberer_nb/initial-memory", "version": 1, "env": "webshop", "name": "X"}
    path = tmp_path_factory.mktemp("initial") / "mine.json"
    path.write_text(json.dumps({**head, "task_id": "664", "records": records}))
    return str(path)


def identity(env: Any, args: argparse.Namespace, command: str, initial: str | None = None) -> Any:
    """All that the outcome depends on."""
    configs = choose_settings(args).configs
    settings = Settings.of(configs)
    if initial:
        settings = Settings.of({**configs, "run": type(configs["run"])(initial=initial)})
    rollout, steps = settings.rollout, settings.rollout.max_steps
    with build_memory(settings) as memory:
        name = configs["run"].agent
        agent = build_agent(name, env, settings, memory=memory, llm=Scoring(["x"]))
        held = fingerprint(list(memory)) if agent.memory is not None else ""
        if command == "train":
            return describe_run("webshop", agent, [500], 0, rollout), held
        # In an evaluation a memory counts for what is retrieved from it.
        searched = getattr(getattr(agent, "source", None), "memory", None)
        alike = ("task_weight", "task_similarity", "observation_similarity")
        retrieval = [getattr(searched.retrieval, name) for name in alike] if searched else []
        described = {**describe_agent(agent), "rlem": None}
        return described, held, retrieval, steps


@pytest.mark.parametrize("agent", AGENTS)
@pytest.mark.parametrize("command", ["train", "evaluate"])
def test_what_is_not_refused_changes_something(
    env: Any, initial: str, command: str, agent: str
) -> None:
    plain = identity(env, parse(command, agent), command, initial)
    n_used = 0
    for name, (value, *beside) in VALUES.items():
        args = parse(command, agent, *beside, f"{name}={value}")
        without = parse(command, agent, *beside)
        if not is_refused(args, command):
            n_used += 1
            before = identity(env, without, command, initial) if beside else plain
            assert identity(env, args, command, initial) != before, name
        elif (agent, name) not in UNUSED_BUT_NOTED and not (
            command == "evaluate" and is_for_training(name)
        ):
            try:
                assert identity(env, args, command, initial) == plain, name
            except ConfigError as error:
                # The agent itself refuses it.
                assert "have no values" in str(error)
    assert n_used >= (4 if command == "train" else 1)


def test_every_setting_is_known_to_the_tables() -> None:
    """A new setting has to be put into one of them."""
    always = {"run.env", "run.agent", "run.llm", "run.tasks", "run.seeds", "run.initial"}
    always |= {"llm.budget_money"}
    tables = [VALUES, {f"llm.{n}" for n in LLM}, {f"offline.{n}" for n in OFFLINE}]
    assert SETTINGS.keys() == always.union(*tables)


@pytest.mark.parametrize("command", ["train", "evaluate"])
def test_every_option_is_a_setting_or_known(command: str) -> None:
    always = {"--help", "--json", "--memory", "--out", "--concurrency", "--record", "--estimate",
              "--config", "--set"}  # fmt: skip
    wanted = {
        option
        for name in SETTINGS
        if SETTINGS[name]["option"] and (command == "train" or not is_for_training(name))
        for option in SETTINGS[name]["option"].split()
    }
    commands = next(a for a in parser()._actions if isinstance(a, argparse._SubParsersAction))
    options = {
        name
        for action in commands.choices[command]._actions
        for name in action.option_strings
        if name.startswith("--")
    }
    assert options == always | wanted | ({"--resume"} if command == "train" else set())


# What calls and scripts have used so far; none may go.
OPTIONS = (
    "--env --agent --llm --tasks --seed --seeds --initial --n-exemplars --task-weight --max-steps "
    "--epochs --gamma --n-step --batch-size --max-records --max-actions --eviction --stand-in "
    "--n-neighbours --initial-q --initial-visits --task-similarity --observation-similarity "
    "--ranking --n-candidates --exploration --model --temperature --max-tokens --reply-format "
    "--timeout --deadline --max-retries --requests-per-minute --tokens-per-minute --input-price "
    "--output-price --budget-calls --budget-tokens --budget-money --stop --llm-seed --reply-form "
    "--channel --template --choose --repeats --normalisation --choice-temperature "
    "--training-temperature"
)


def test_no_option_is_lost() -> None:
    known = {o for known in SETTINGS.values() for o in (known["option"] or "").split()}
    assert known == set(OPTIONS.split())


@pytest.mark.parametrize("agent", AGENTS)
@pytest.mark.parametrize("command", ["train", "evaluate"])
def test_a_memory_for_those_that_have_one_and_an_llm_for_those_that_ask(
    env: Any, command: str, agent: str
) -> None:
    with build_memory(Settings()) as memory:
        built = build_agent(agent, env, memory=memory, llm=ScriptedLLM(["x"]))
    args = parse(command, agent)
    args.memory = Path("m.sqlite")
    assert is_refused(args, command) == (built.memory is None)
    args.memory, args.record = None, Path("x")
    assert is_refused(args, command) == (not hasattr(built, "llm"))
    for name, value in LLM.items():
        args = parse(command, agent, f"llm.{name}={value}")
        assert is_refused(args, command) == (not hasattr(built, "llm")), name


def test_what_the_stand_in_and_a_replay_have_no_use_for() -> None:
    prices = {"llm.input_price", "llm.output_price"}
    stand_in = prices | {"llm.budget_calls", "llm.budget_tokens"}
    stand_in |= {f"offline.{name}" for name in OFFLINE}
    real = {f"llm.{name}" for name in LLM}
    counts = {
        "offline": stand_in,
        "record:calls.jsonl:offline:able": stand_in,
        "replay:calls.jsonl": prices,
        "openai:m": real,
        "record:calls.jsonl:openai:m": real,
        "llama.cpp:m.gguf": real,
    }
    values = {f"llm.{n}": v for n, v in LLM.items()} | {
        f"offline.{n}": v for n, v in OFFLINE.items()
    }
    for spec, used in counts.items():
        for name, value in values.items():
            call = ["evaluate", "--llm", spec, "--set", f"{name}={value}"]
            assert is_refused(parser().parse_args(call), "evaluate") == (name not in used), name
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
            ["train", "--agent", "llm_only", "--set", "rlem.double=true"],
            "llm_only learns no values: --set rlem.double has no effect",
        ),
        (
            ["train", "--agent", "retrieval_only", "--llm", "openai:m", "--ranking", "two_phase"],
            "retrieval_only ranks no records by value: --ranking has no effect",
        ),
        (["train", "--n-candidates", "3"], "without --ranking two_phase: --n-candidates has no"),
        (["train", "--eviction", "oldest"], "without --max-records: --eviction has no effect"),
        (
            ["train", "--set", "rlem.table_choice=random"],
            "without --set rlem.double=true: --set rlem.table_choice has no effect",
        ),
        (
            ["evaluate", "--set", "exemplar.published_rule=true", "--set", "exemplar.margin=0.1"],
            "without --set exemplar.published_rule=false: --set exemplar.margin has no effect",
        ),
        (["evaluate", "--stop", "END"], "the offline stand-in asks no server: --stop has no"),
        (["evaluate", "--channel", "completion"], "the stand-in reads the text alone: --channel"),
        (["evaluate", "--template", "brief"], "the brief template needs a language model"),
        (["evaluate", "--choose", "likelihood"], "does not say how likely a text is"),
        (
            ["evaluate", "--template", "brief", "--reply-form", "action"],
            "without --template full: --reply-form has no effect",
        ),
        (["evaluate", "--normalisation", "sum"], "without --choose likelihood: --normalisation"),
        (
            ["evaluate", "--agent", "react", "--llm", "openai:m", "--reply-form", "action"],
            "react has a form of its own: --reply-form has no effect",
        ),
        (["evaluate", "--llm", "replay:x", "--budget-calls", "3"], "a replay asks none"),
        (["train", "--agent", "random", "--resume"], "random has no memory: --resume has no"),
        (["evaluate", "--estimate", "--out", "o"], "--estimate runs nothing: --out has no effect"),
        (["evaluate", "--set", "rlem.gamma=0.5"], "an evaluation learns nothing: --set rlem.gamma"),
        (["compare", "--set", "llm.model=m"], "asks no server: --set llm.model has no effect"),
        (
            ["compare", "--set", "run.llm=openai:m"],
            "asks no server, and makes no recording: openai",
        ),
        (["compare", "--n-candidates", "3"], "without --ranking two_phase"),
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


def test_an_evaluation_has_no_options_of_learning(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        main(["evaluate", "--gamma", "0.5"])
    assert stop.value.code == 2
    assert "--gamma" in capsys.readouterr().err
