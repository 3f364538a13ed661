"""Reports: tables for people, pages that need no network, the command that compares."""

from __future__ import annotations

import dataclasses
import json
import re
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook, new_output

from rememberer_nb.cli import main
from rememberer_nb.experiments.comparison import CONDITIONS
from rememberer_nb.teaching.report import (
    NotebookRun,
    comparison_numbers,
    comparison_of,
    default_comparison,
    learning_gain,
    training_curve,
    write_html,
    write_index,
)


def rows(agent: str, values: dict[tuple[int, int], float]) -> list[dict]:
    return [
        {"agent": agent, "seed": seed, "epoch": epoch, "success_rate": x, "mean_reward": 2 * x}
        for (seed, epoch), x in values.items()
    ]


TRAINING = rows("a", {(0, 0): 0.2, (0, 1): 0.9, (0, 2): 0.5, (1, 0): 0.4, (1, 1): 0.0, (1, 2): 0.7})


def test_learning_gain_is_last_minus_first_paired() -> None:
    gain = learning_gain(TRAINING).set_index("metric")
    assert gain.loc["success_rate", "mean"] == pytest.approx(0.3)
    assert gain.loc["success_rate", "low"] == pytest.approx(0.3)
    assert gain.loc["mean_reward", "mean"] == pytest.approx(0.6)
    assert set(gain["agent"]) == {"a"}


def test_training_curve_by_epoch() -> None:
    curve = training_curve(TRAINING)
    success = curve[curve["metric"] == "success_rate"].set_index("epoch")["mean"]
    assert success.to_dict() == pytest.approx({0: 0.3, 1: 0.45, 2: 0.6})


@pytest.mark.parametrize(("env", "n_test"), [("webshop", 100), ("wikihow", 70)])
def test_default_comparison(env: str, n_test: int) -> None:
    comparison = default_comparison(3, env)
    assert (len(comparison.train_tasks), len(comparison.test_tasks)) == (10, n_test)
    assert not set(comparison.train_tasks) & set(comparison.test_tasks)
    assert comparison.seeds == (0, 1, 2)


def test_pages_load_nothing_from_elsewhere(tmp_path: Path) -> None:
    output = new_output("display_data", {"text/html": "<b>kept</b>"})
    notebook = new_notebook(cells=[new_code_cell("1 + 1", outputs=[output], execution_count=1)])
    write_html(nbformat.from_dict(notebook), tmp_path / "page.html", "page")
    text = (tmp_path / "page.html").read_text()
    assert "<b>kept</b>" in text
    assert not re.search(r"""(?:src|href)=["']https?:""", text)


def test_half_a_surrogate_pair_is_shown_as_an_escape(tmp_path: Path) -> None:
    outputs = [
        new_output("display_data", {"text/html": "<b>kept \ud800</b>", "text/plain": "\udc80"}),
        new_output("stream", text="printed \udfff"),
    ]
    cell = new_code_cell("'\udabc'", outputs=outputs, execution_count=1)
    write_html(nbformat.from_dict(new_notebook(cells=[cell])), tmp_path / "page.html", "page")
    page = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert "<b>kept \\ud800</b>" in page
    assert "printed \\udfff" in page
    assert page.rstrip().endswith("</html>")
    write_index(tmp_path, [], "the error was \ud800")
    assert "the error was \\ud800" in (tmp_path / "index.html").read_text(encoding="utf-8")


def test_the_index_escapes_what_it_shows(tmp_path: Path) -> None:
    write_html(nbformat.from_dict(new_notebook()), tmp_path / "html" / "00_a.html", "00_a")
    runs = [NotebookRun("00_a", "failed", 3, "KeyError: <b>"), NotebookRun("01_b")]
    write_index(tmp_path, runs, "1 < 2 & <script>")
    text = (tmp_path / "index.html").read_text()
    assert "1 &lt; 2 &amp; &lt;script&gt;" in text
    assert 'href="html/00_a.html">00_a</a>: failed, cell 3: <code>KeyError: &lt;b&gt;' in text
    assert "<li>01_b: not run</li>" in text


def test_compare_command(capsys, tmp_path: Path, monkeypatch) -> None:
    def small(*given):
        whole = comparison_of(*given)
        return dataclasses.replace(
            whole, train_tasks=whole.train_tasks[:1], test_tasks=whole.test_tasks[:2]
        )

    monkeypatch.setattr("rememberer_nb.teaching.report.comparison_of", small)
    call = ["compare", "--env", "wikihow", "--n-seeds", "2", "--jobs", "1", "--json"]
    assert main([*call, "--out", str(tmp_path / "c")]) == 0
    result = json.loads(capsys.readouterr().out)
    assert (result["env"], result["n_seeds"]) == ("wikihow", 2)
    assert len(result["summary"]) == 16
    assert (tmp_path / "c" / "comparison.txt").read_text().startswith("2 test tasks, 2 seeds")
    assert len(list((tmp_path / "c" / "figures").glob("*.png"))) == 3
    assert main(["compare", "--n-seeds", "0"]) == 2


def test_one_seed_is_compared_without_intervals(capsys, tmp_path: Path, monkeypatch) -> None:
    def small(*given):
        whole = comparison_of(*given)
        return dataclasses.replace(
            whole, train_tasks=whole.train_tasks[:1], test_tasks=whole.test_tasks[:2]
        )

    monkeypatch.setattr("rememberer_nb.teaching.report.comparison_of", small)
    call = ["compare", "--env", "wikihow", "--n-seeds", "1", "--jobs", "1", "--json"]
    assert main([*call, "--out", str(tmp_path)]) == 0
    result = json.loads(capsys.readouterr().out)
    for name in ("summary", "differences", "training", "learning"):
        assert {(row["low"], row["high"]) for row in result[name]} == {(None, None)}
    assert not any(row["is_clear"] for row in result["differences"] + result["learning"])
    text = (tmp_path / "comparison.txt").read_text()
    assert "2 test tasks, 1 seed;" in text
    assert "one seed has no interval" in text
    assert "*" not in text and "[" not in text and "nan" not in text
    assert re.search(r"^random +\d\.\d{3} - +\d\.\d{3} -$", text, re.MULTILINE)
    assert len(list((tmp_path / "figures").glob("*.png"))) == 3


def test_numbers_need_no_more_than_json() -> None:
    metrics = {"success_rate": 0.5, "mean_reward": 0.5}
    results = [
        {
            "seed": seed,
            "test": [{"agent": agent, "seed": seed, **metrics} for agent in CONDITIONS],
            "training": [{"agent": "a", "seed": seed, "epoch": e, **metrics} for e in (0, 1)],
            "n_records": {},
        }
        for seed in (0, 1)
    ]
    json.dumps(comparison_numbers(results), allow_nan=False)
