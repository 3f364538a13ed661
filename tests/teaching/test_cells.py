"""Cells of one environment are passed over in a notebook of another."""

from __future__ import annotations

import io
from contextlib import redirect_stdout

import pytest
from IPython.core.interactiveshell import InteractiveShell

from rememberer_nb.teaching.cells import choose_cells, only_in


@pytest.mark.parametrize(
    "first",
    ["x = 1\n", "# a comment\n", "# webshop only, and more\n", "#webshop is only\n", "# only: x\n"],
)
def test_other_cells_are_left_alone(first):
    assert only_in("wikihow", [first, "y = 2\n"]) == [first, "y = 2\n"]


def test_only_the_first_line_counts():
    lines = ["x = 1\n", "# webshop only\n"]
    assert only_in("wikihow", lines) == lines


def test_an_empty_cell_stays_empty():
    assert only_in("webshop", []) == []


def test_a_section_is_named_once_whatever_its_quotes():
    (line,) = only_in("wikihow", ['# webshop only: what "it" isn\'t\n', "y = 2\n"])
    shown = io.StringIO()
    with redirect_stdout(shown):
        exec(line)
    assert shown.getvalue() == 'passed over, about webshop only: what "it" isn\'t\n'


@pytest.fixture
def shell(monkeypatch):
    InteractiveShell.clear_instance()
    shell = InteractiveShell.instance()
    monkeypatch.setattr("IPython.get_ipython", lambda: shell)
    yield shell
    InteractiveShell.clear_instance()


def test_in_a_shell_the_cells_of_the_other_environment_do_not_run(shell):
    n_before = len(shell.input_transformers_cleanup)
    choose_cells("wikihow")
    shell.run_cell("# webshop only\nx = 'shop'")
    shell.run_cell("# wikihow only\ny = 'site'")
    shell.run_cell("z = 'both'")
    assert {name: shell.user_ns.get(name) for name in "xyz"} == {
        "x": None,
        "y": "site",
        "z": "both",
    }
    choose_cells("webshop")
    shell.run_cell("# webshop only\nx = 'shop'")
    assert shell.user_ns["x"] == "shop"
    assert len(shell.input_transformers_cleanup) == n_before + 1


def test_a_passed_over_cell_says_so_and_succeeds(shell, capsys):
    choose_cells("wikihow")
    result = shell.run_cell("# webshop only: prices\nraise ValueError")
    assert result.success
    assert "prices" in capsys.readouterr().out
