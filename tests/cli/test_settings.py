"""Settings on the command line: where each may come from, what goes over what, and the way back."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import pytest

from rememberer_nb.cli import main
from rememberer_nb.cli.settings import add_settings, choose_for_agent, choose_settings
from rememberer_nb.config import STAGES, RlemConfig
from rememberer_nb.config.reading import SETTINGS, read_config
from rememberer_nb.errors import ConfigError
from rememberer_nb.experiments.comparison import Comparison
from rememberer_nb.memory import ExperienceMemory
from rememberer_nb.memory.check import check_memory
from rememberer_nb.memory.history import open_to_look
from rememberer_nb.teaching.report import comparison_of

TRAIN = ("train", "--tasks", "500:503", "--epochs", "2", "--max-steps", "5")


def chosen(*arguments: str) -> Any:
    parser = argparse.ArgumentParser()
    add_settings(parser)
    return choose_settings(parser.parse_args(arguments))


def sets(*settings: str) -> list[str]:
    return [text for setting in settings for text in ("--set", setting)]


def result_of(capsys: pytest.CaptureFixture[str], *arguments: object) -> dict:
    assert main([*map(str, arguments), "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    del result["timing"]
    return result


@pytest.fixture
def file(tmp_path: Path) -> str:
    path = tmp_path / "mine.toml"
    path.write_text('[rlem]\ngamma = 0.5\nn_step = 2\n[llm]\nstop = ["A"]\n')
    return str(path)


def test_what_goes_over_what(file: str) -> None:
    assert chosen().configs == {stage: cls() for stage, cls in STAGES.items()}
    assert chosen("--config", file).configs["rlem"] == RlemConfig(gamma=0.5, n_step=2)
    assert chosen("--config", file).given == {}
    found = chosen("--config", file, "--n-step", "all", *sets("rlem.gamma=0.9", "rlem.double=true"))
    assert found.configs["rlem"] == RlemConfig(gamma=0.9, n_step=None, double=True)
    assert found.configs["llm"].stop == ("A",)
    assert found.given == {
        "rlem.gamma": "--set rlem.gamma",
        "rlem.double": "--set rlem.double",
        "rlem.n_step": "--n-step",
    }


def test_choice_by_likelihood_brings_the_brief_template(tmp_path: Path) -> None:
    def template(*arguments: str) -> str:
        parser = argparse.ArgumentParser()
        add_settings(parser)
        return choose_for_agent(parser.parse_args(arguments)).configs["prompt"].template

    by_file = tmp_path / "likelihood.toml"
    by_file.write_text('[choice]\nchoose = "likelihood"\n')
    assert template() == template("--choose", "reply") == "full"
    assert template("--choose", "likelihood") == template("--config", str(by_file)) == "brief"
    # Whatever is named counts.
    assert template("--choose", "likelihood", "--template", "full") == "full"
    by_file.write_text('[choice]\nchoose = "likelihood"\n[prompt]\ntemplate = "full"\n')
    assert template("--config", str(by_file)) == "full"


def test_what_is_given_again_replaces_but_texts_add_up(file: str) -> None:
    found = chosen("--gamma", "0.5", "--gamma=0.9", *sets("rlem.n_step=1", "rlem.n_step=2")).configs
    assert (found["rlem"].gamma, found["rlem"].n_step) == (0.9, 2)
    for texts in (["--stop", "B", "--stop", "C"], sets("llm.stop=B", "llm.stop=C")):
        assert chosen("--config", file, *texts).configs["llm"].stop == ("B", "C")


def test_every_setting_can_be_set_to_its_default() -> None:
    for name in SETTINGS:
        stage, _, field = name.partition(".")
        default = getattr(STAGES[stage](), field)
        text = str(default).lower() if isinstance(default, bool) else str(default)
        if default is None:
            text = "none"
        if default != ():
            assert getattr(chosen("--set", f"{name}={text}").configs[stage], field) == default


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (
            ["--gamma", "0.9", *sets("rlem.gamma=0.9")],
            "rlem.gamma is given twice: by --gamma and by --set rlem.gamma",
        ),
        (["--seeds", "0:2", *sets("run.seeds=1")], "twice: by --seeds and by --set run.seeds"),
        (["--seeds", "0:2", "--seed", "1"], "run.seeds is given twice: by --seeds and by --seed"),
        (sets("rlem.gama=0.9"), "there is no setting rlem.gama; did you mean rlem.gamma?"),
        (sets("rlem.gamma=big"), "rlem.gamma must be in [0, 1], got 'big'"),
        (sets("rlem.gamma"), "--set needs STAGE.NAME=VALUE"),
        (sets("=1"), "there is no setting ; the tables are"),
        (sets("llm.api_key=sk-1"), "llm.api_key is no setting: keys and addresses come from"),
        (sets("llm.budget_money=1"), "LLMConfig.budget_money must be None without prices, got 1.0"),
        (["--llm", "offline:able", *sets("offline.strength=novice")], "two strengths are named"),
    ],
)
def test_what_cannot_be(arguments: list[str], problem: str) -> None:
    with pytest.raises(ConfigError) as caught:
        chosen(*arguments)
    assert problem in str(caught.value)
    assert "sk-1" not in str(caught.value)


def test_a_wrong_file_is_one_line_and_status_2(capsys, tmp_path: Path) -> None:
    path = tmp_path / "bad.toml"
    path.write_text("[rlem]\ngamma = 2\n")
    for command in ("train", "evaluate", "compare", "config"):
        assert main([command, "--config", str(path)]) == 2
        (line,) = capsys.readouterr().err.splitlines()
        assert line == f"rememberer-nb: {path}: rlem.gamma must be in [0, 1], got 2.0"


def test_names_of_the_llm_and_its_settings_agree() -> None:
    for arguments, llm, strength, model in (
        (["--llm", "offline:able"], "offline:able", "able", ""),
        (sets("offline.strength=able"), "offline:able", "able", ""),
        (["--llm", "openai", "--model", "m"], "openai:m", "novice", "m"),
        ([], "offline", "novice", ""),
    ):
        found = chosen(*arguments).configs
        seen = (found["run"].llm, found["offline"].strength, found["llm"].model)
        assert seen == (llm, strength, model)


# What had no option of its own, and what else it needs.
REACHED = (
    ("rlem.double=true",),
    ("rlem.double=true", "rlem.table_choice=random"),
    ("rlem.learning_rate=0.5",),
    ("rlem.bootstrap_truncated=false",),
    ("exemplar.published_rule=true",),
    ("exemplar.use_synthetic=false",),
    ("exemplar.use_discouraged=false",),
    ("exemplar.synthetic_value=random",),
    ("exemplar.margin=3",),
    ("exemplar.max_tokens=300",),
    ("prompt.n_last_actions=0",),
    ("prompt.max_tokens=1200",),
    ("offline.temperature=1",),
    ("offline.malformed_rate=0.9",),
    ("rollout.skip_successes=true",),
)


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> dict:
    path = tmp_path_factory.mktemp("plain") / "m.sqlite"
    assert main([*TRAIN, "--memory", str(path), "--json"]) == 0
    with open_to_look(path) as memory:
        return memory.run["parameters"]


def differing(one: Any, two: Any, prefix: str = "") -> set[str]:
    """Names of what differs between two nested mappings."""
    if not isinstance(one, dict) or not isinstance(two, dict):
        return {prefix.rstrip(".")} if one != two else set()
    names = one.keys() | two.keys()
    return {d for n in names for d in differing(one.get(n), two.get(n), f"{prefix}{n}.")}


@pytest.mark.parametrize("settings", REACHED)
def test_what_had_no_option_is_reached(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, plain: dict, settings: tuple[str, ...]
) -> None:
    """From the command line into what the run notes of itself, and nothing else changes."""
    path = tmp_path / "m.sqlite"
    result_of(capsys, *TRAIN, *sets(*settings), "--memory", path)
    assert check_memory(path)["problems"] == []
    with open_to_look(path) as memory:
        changed = differing(plain, memory.run["parameters"])
    expected = {setting.partition("=")[0] for setting in settings}
    # The LLM's settings lie in the agent's.
    expected = {name.replace("offline.", "llm.") for name in expected}
    # A sample prompt may look different, too.
    assert {name.removeprefix("agent.") for name in changed} - {"template"} == expected


def test_a_constant_learning_rate_is_used(capsys, tmp_path: Path) -> None:
    path = tmp_path / "m.sqlite"
    result_of(capsys, *TRAIN, *sets("rlem.learning_rate=0.25"), "--memory", path)
    with ExperienceMemory.open(path) as memory:
        assert {update.learning_rate for update in memory.updates()} == {0.25}


def test_a_step_limit_as_an_end_bootstraps_nothing(capsys, tmp_path: Path) -> None:
    """One step an episode: only the limit can be bootstrapped from."""
    found = []
    for name, more in (("yes", ()), ("no", sets("rlem.bootstrap_truncated=false"))):
        path = tmp_path / f"{name}.sqlite"
        result_of(capsys, *TRAIN, "--max-steps", "1", *more, "--memory", path)
        with ExperienceMemory.open(path) as memory:
            found.append({u.bootstrap_value is None for u in memory.updates()})
    assert found == [{False}, {True}]


def test_double_q_learning_from_end_to_end(capsys, tmp_path: Path) -> None:
    path, out = tmp_path / "m.sqlite", tmp_path / "out"
    call = [*TRAIN, *sets("rlem.double=true"), "--memory", path]
    first = result_of(capsys, *call, "--out", out)
    assert result_of(capsys, *call, "--resume") == first
    with ExperienceMemory.open(path, n_tables=2) as memory:
        assert all(len(value.tables) == 2 for record in memory for value in record.action_values)
        visited = {}
        for update in memory.updates():
            visited.setdefault((update.record_id, update.action), []).append(update.table)
    # By turns: each value's updates go to one table and the other.
    assert all(abs(tables.count(0) - tables.count(1)) <= 1 for tables in visited.values())
    assert {table for tables in visited.values() for table in tables} == {0, 1}
    # An evaluation takes the file as it is, with or without the settings of the training.
    one = result_of(capsys, "evaluate", "--tasks", "510:512", "--memory", path)
    config = out / "config.toml"
    again = ("evaluate", "--config", config, *sets("run.tasks=510:512", "rollout.max_steps=15"))
    assert result_of(capsys, *again, "--memory", path) == one
    # Values are learnt in two tables or in one, not now so and then so.
    assert main(["train", "--tasks", "500", "--memory", str(path)]) == 2
    assert "keeps 2 values per action, not 1" in capsys.readouterr().err


@pytest.mark.parametrize(
    "call",
    [
        (*TRAIN, "--gamma", "0.9", "--n-step", "all", "--seeds", "3:5", "--initial", "empty"),
        (*TRAIN, "--env", "wikihow", "--tasks", "S0", "--epochs", "1", "--llm", "offline:able"),
        ("evaluate", "--tasks", "500,503", "--agent", "fixed_exemplars", "--n-exemplars", "1"),
        ("evaluate", "--tasks", "500:502", *sets("offline.temperature=1", "exemplar.margin=1e300")),
    ],
)
def test_the_config_of_a_run_gives_the_same_run(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, call: tuple[str, ...]
) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    first = result_of(capsys, *call, "--out", one)
    assert result_of(capsys, call[0], "--config", one / "config.toml", "--out", two) == first
    for name in ("config.toml", "episodes.jsonl", "metrics.json"):
        assert (one / name).read_text() == (two / name).read_text(), name
    assert read_config(one / "config.toml").keys() == SETTINGS.keys()


def test_the_config_of_a_recorded_run_names_the_llm_itself(capsys, tmp_path: Path) -> None:
    out = tmp_path / "out"
    record = ("--record", tmp_path / "calls.jsonl")
    result_of(capsys, "evaluate", "--tasks", "500", *record, "--out", out)
    assert read_config(out / "config.toml")["run.llm"] == "offline"


def test_no_key_is_written(capsys, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-very-secret")
    monkeypatch.setenv("OPENAI_BASE_URL", "http://secret.example")
    result_of(capsys, "evaluate", "--tasks", "500", "--out", tmp_path)
    assert "secret" not in (tmp_path / "config.toml").read_text()
    assert "secret" not in (tmp_path / "metrics.json").read_text()


def test_compare_takes_settings_and_writes_them(capsys, tmp_path: Path, monkeypatch) -> None:
    seen = []

    def small(settings, seeds, tasks=None) -> Comparison:
        whole = comparison_of(settings, seeds, tasks)
        seen.append((settings, seeds))
        # Development tasks: nothing here looks at the test tasks.
        return Comparison(whole.settings, (500,), (510, 511), whole.seeds)

    monkeypatch.setattr("rememberer_nb.teaching.report.comparison_of", small)
    one, two = tmp_path / "one", tmp_path / "two"
    call = ["compare", "--n-seeds", "2", "--jobs", "1", "--epochs", "1", *sets("rlem.double=true")]
    first = result_of(capsys, *call, "--out", one)
    settings, seeds = seen[0]
    assert (settings.rlem.double, settings.rollout.n_epochs, seeds) == (True, 1, (0, 1))
    again = ("compare", "--config", one / "config.toml", "--jobs", "1", "--out", two)
    assert result_of(capsys, *again) == first
    for name in ("config.toml", "comparison.jsonl", "comparison.txt"):
        assert (one / name).read_text() == (two / name).read_text(), name


def test_config_shows_every_setting(capsys, tmp_path: Path) -> None:
    assert main(["config", "--gamma", "0.9", *sets("offline.strength=able")]) == 0
    shown = capsys.readouterr().out
    assert "gamma = 0.9  # 1 per step; paper; γ: discount, in [0, 1]\n" in shown
    path = tmp_path / "shown.toml"
    path.write_text(shown)
    found = read_config(path)
    assert found.keys() == SETTINGS.keys()
    assert (found["rlem.gamma"], found["run.llm"]) == (0.9, "offline:able")
    as_data = result_of(capsys, "config")["config"]
    assert as_data["llm"]["stop"] == []
    assert as_data["rlem"]["learning_rate"] is None


def test_help_groups_options_by_stage(capsys) -> None:
    with pytest.raises(SystemExit):
        main(["train", "--help"])
    shown = capsys.readouterr().out
    assert "usage: rememberer-nb train [options]\n" in shown
    titles = [line[:-1] for line in shown.splitlines() if line and line[0] != " "][3:]
    assert titles == list(STAGES)
    assert "--gamma N             γ: discount, in [0, 1] (1.0) [1 per step; paper]\n" in shown
    text = " ".join(shown.split())
    assert "--set: rlem.learning_rate, rlem.bootstrap_truncated, rlem.double, rlem.table" in text
