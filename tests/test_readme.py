"""What the README shows runs and prints what it says."""

from __future__ import annotations

import contextlib
import io
import re
from pathlib import Path

import pytest

from rememberer_nb.experiments.comparison import compare
from rememberer_nb.teaching.report import (
    comparison_numbers,
    comparison_text,
    default_comparison,
    registered_comparison,
)

README = Path(__file__).resolve().parents[1] / "README.md"


def section(title: str) -> str:
    text = README.read_text(encoding="utf-8")
    return text.split(f"\n## {title}\n")[1].split("\n## ")[0]


def test_the_example_prints_what_it_says() -> None:
    part = section("The memory and RLEM in your own agent")
    code = re.search(r"```python\n(.*?)```", part, re.DOTALL)
    shown = re.search(r"It prints:\n\n```\n(.*?)```", part, re.DOTALL)
    assert code and shown
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(compile(code.group(1), str(README), "exec"), {})
    assert printed.getvalue() == shown.group(1)


def test_the_example_is_short() -> None:
    part = section("The memory and RLEM in your own agent")
    code = re.search(r"```python\n(.*?)```", part, re.DOTALL)
    assert code
    assert len([line for line in code.group(1).splitlines() if line.strip()]) <= 20


def test_every_notebook_is_in_the_table() -> None:
    names = {path.stem for path in (README.parent / "notebooks").glob("[0-9][0-9]_*.ipynb")}
    table = section("Notebooks")
    assert names
    assert all(f"notebooks/{name}.ipynb" in table for name in names)


def test_links_to_files_lead_somewhere() -> None:
    text = README.read_text(encoding="utf-8")
    targets = re.findall(r"\]\((?!https?:)([^)#]+)\)", text)
    assert targets
    assert [t for t in targets if not (README.parent / t).exists()] == []


def test_commands_are_known(capsys) -> None:
    from rememberer_nb.cli.main import _parser

    lines = section("Command line").splitlines()
    commands = [line for line in lines if line.startswith("rememberer-nb ")]
    assert len(commands) > 10
    for line in commands:
        assert _parser().parse_args(line.split("#")[0].split()[1:]).command


ENVS = ("webshop", "wikihow")


def written(env: str) -> str:
    return (README.parent / "figures" / env / "comparison.txt").read_text(encoding="utf-8")


@pytest.mark.parametrize("env", ENVS)
def test_the_results_are_those_that_make_figures_wrote(env: str) -> None:
    assert f"```\n{written(env)}```" in section("What the loop learns here")


def test_the_first_table_is_that_of_the_real_model() -> None:
    part = section("What the loop learns here")
    tables = re.findall(r"```\n(.*?)```", part, re.DOTALL)
    assert tables[0] == (README.parent / "figures" / "wikihow" / "smollm2.txt").read_text()
    assert "LLM: smollm2" in tables[0].splitlines()[0]


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize("env", ENVS)
def test_the_real_models_comparison_comes_out_the_same_again(env: str) -> None:
    path = README.parent / "figures" / env / "smollm2.txt"
    if not path.exists():
        pytest.skip(f"the recording for {env} is not bundled")
    comparison = registered_comparison("replay:smollm2", env)
    assert comparison is not None
    results = [compare(comparison, n_jobs=n_jobs, is_shown=False) for n_jobs in (1, 2)]
    assert results[0] == results[1]
    text = comparison_text(comparison_numbers(results[0], comparison.unit), comparison)
    assert path.read_text(encoding="utf-8") == f"{text}\n"


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize("env", ENVS)
def test_the_comparison_comes_out_the_same_again(env: str) -> None:
    comparison = default_comparison(env=env)
    text = comparison_text(comparison_numbers(compare(comparison, n_jobs=2)), comparison)
    assert written(env) == f"{text}\n"
