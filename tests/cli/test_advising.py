"""The command `advice`: the recorded table, and calls that are refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from rememberer_nb.cli import main
from rememberer_nb.llms import protocol, register_llm
from rememberer_nb.system.resources import data_path
from tests.analysis.copier import Copier

FIGURES = data_path().parent / "figures"


@pytest.fixture
def copier(monkeypatch: pytest.MonkeyPatch) -> list[Copier]:
    """Registers an LLM that copies; those that were made."""
    monkeypatch.setattr(protocol, "_FACTORIES", dict(protocol._FACTORIES))
    made: list[Copier] = []

    def make(detail: str, profile: object) -> Copier:
        made.append(Copier())
        return made[-1]

    register_llm("copier", make)
    return made


@pytest.mark.parametrize("env", ["wikihow", "webshop"])
def test_the_recording_gives_the_committed_table(
    env: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["advice", "--env", env]) == 0
    assert capsys.readouterr().out == (FIGURES / env / "advice.txt").read_text(encoding="utf-8")


def test_an_llm_is_asked_recorded_and_replayed(
    copier: list[Copier], capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    call = ["advice", "--env", "wikihow", "--tasks", "93,101", "--seed", "7", "--n-decisions", "3"]
    calls, out = tmp_path / "calls.jsonl", tmp_path / "out"
    asked = [*call, "--llm", "copier", "--record", str(calls), "--out", str(out)]
    assert main([*asked, "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert (result["llm"], result["seed"], result["tasks"]) == ("copier", 7, [93])
    assert result["n_decisions"] == 3
    assert len(result["table"]) == 24
    # Copying makes whatever is named the likeliest.
    assert {row["mean"] for row in result["table"] if row["metric"] == "chosen"} == {1.0}
    numbers = json.loads((out / "advice.json").read_text())
    assert numbers == {key: value for key, value in result.items() if key != "timing"}
    assert main([*call, "--llm", f"replay:{calls}"]) == 0
    assert capsys.readouterr().out == (out / "advice.txt").read_text()
    assert len(copier) == 1
    # The recording answers everything: the model is not asked again.
    assert main(asked) == 0
    assert copier[1].asked == []


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        (["--tasks", "test"], "development tasks alone (100 to 499 for webshop), not at 0"),
        (["--tasks", "S0"], "development tasks alone (100 to 499 for webshop), not at 500"),
        (["--seeds", "0:2"], "give one seed, not 2"),
        (["--n-decisions", "0"], "--n-decisions must be a whole number from 1"),
        (["--llm", "offline"], "offline:novice does not say how likely a text is"),
        (["--record", "x.jsonl"], "--record keeps the calls of another LLM"),
        (["--set", "rlem.gamma=0.5"], "--set rlem.gamma has no effect"),
        (["--set", "prompt.max_tokens=5"], "--set prompt.max_tokens has no effect"),
    ],
)
def test_calls_that_are_refused(
    options: list[str], problem: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["advice", *options]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    (line,) = (line for line in captured.err.splitlines() if line.startswith("rememberer-nb: "))
    assert problem in line


def test_what_was_not_recorded_is_not_replayed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["advice", "--env", "wikihow", "--seed", "1"]) == 1
    assert "this prompt is not among the" in capsys.readouterr().err
