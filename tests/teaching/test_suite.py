"""Notebooks run headless: tiny ones that each prove one thing."""

from __future__ import annotations

import base64
import errno
import json
import os
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from rememberer_nb.errors import ConfigError, DataError
from rememberer_nb.system.places import LOCK_NAME, claimed_folder
from rememberer_nb.teaching import suite
from rememberer_nb.teaching.headless import notebook_metrics, run_notebook

PIXEL = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJg"
    "gg=="
)


def write_notebook(path: Path, *cells: str, fast: dict | None = None) -> Path:
    parameters = new_code_cell("number = 1", metadata={"tags": ["parameters"]})
    notebook = new_notebook(cells=[parameters, *(new_code_cell(cell) for cell in cells)])
    notebook.metadata["kernelspec"] = {
        "name": "python3",
        "display_name": "Python 3",
        "language": "python",
    }
    notebook.metadata["rememberer_nb"] = {"fast": fast or {}}
    nbformat.write(notebook, path)
    return path


RECORD = (
    "from rememberer_nb.teaching.recorded import record_metrics\nrecord_metrics(doubled=2 * number)"
)


def test_figures_are_saved(tmp_path: Path) -> None:
    image = base64.b64encode(PIXEL).decode()
    source = f"from IPython.display import display\ndisplay({{'image/png': '{image}'}}, raw=True)"
    path = write_notebook(tmp_path / "a.ipynb", source, source)
    output = tmp_path / "out.ipynb"
    run_notebook(path, output, is_shown=False)
    paths = suite.save_figures(nbformat.read(output, as_version=4), tmp_path / "figures", "a")
    assert [p.name for p in paths] == ["a_1.png", "a_2.png"]
    assert paths[0].read_bytes() == PIXEL


@pytest.fixture
def shelf(tmp_path: Path, monkeypatch) -> Path:
    """A folder of notebooks in place of the real one."""
    folder = tmp_path / "notebooks"
    folder.mkdir()
    write_notebook(folder / "00_good.ipynb", RECORD, fast={"number": 5})
    write_notebook(folder / "01_bad.ipynb", "raise KeyError('lost')")
    write_notebook(folder / "02_later.ipynb", RECORD)
    write_notebook(folder / "07_extra.ipynb", RECORD)
    monkeypatch.setattr(suite, "notebooks_path", lambda: folder)
    monkeypatch.setattr(suite, "is_checkout", lambda: True)
    monkeypatch.chdir(tmp_path)
    return folder


def test_which_notebooks_run(shelf: Path) -> None:
    assert [p.stem for p in suite.find_notebooks()] == ["00_good", "01_bad", "02_later"]
    assert [p.stem for p in suite.find_notebooks(["07", "00"])] == ["07_extra", "00_good"]
    with pytest.raises(ConfigError, match="no notebook starts with '99'; there are 00_good"):
        suite.find_notebooks(["99"])


def test_a_number_with_a_letter_is_a_notebook_of_its_own(shelf: Path) -> None:
    write_notebook(shelf / "07b_by_hand.ipynb", RECORD)
    (shelf / "solutions").mkdir()
    write_notebook(shelf / "solutions" / "07b_solutions.ipynb", RECORD)
    assert [p.stem for p in suite.find_notebooks(["07b"])] == ["07b_by_hand"]
    assert [p.stem for p in suite.find_notebooks(["07"])] == ["07_extra"]
    assert [p.stem for p in suite.find_notebooks(["07_e"])] == ["07_extra"]
    assert [p.stem for p in suite.all_notebooks(["07b"])] == ["07b_by_hand", "07b_solutions"]
    assert [p.stem for p in suite.all_notebooks(["07"])] == ["07_extra"]
    assert "07b_by_hand" in [p.stem for p in suite.all_notebooks()]
    assert "07b_by_hand" not in [p.stem for p in suite.find_notebooks()]


def test_one_failure_does_not_stop_the_others_but_fails_the_run(shelf: Path) -> None:
    out = shelf.parent / "run"
    result = suite.run_suite(out=out, n_seeds=0, is_fast=True, is_shown=False)
    assert result["problems"] == [
        {"name": "01_bad", "state": "failed", "cell": 2, "error": "KeyError: 'lost'"}
    ]
    assert result["states"] == {"00_good": "done", "01_bad": "failed", "02_later": "done"}
    assert "01_bad, cell 2: failed: KeyError: 'lost'" in result["text"]
    metrics = json.loads((out / "metrics.json").read_text())
    assert {name: entry["metrics"]["doubled"] for name, entry in metrics.items()} == {
        "00_good": 10,
        "02_later": 2,
    }
    index = (out / "index.html").read_text()
    assert 'href="html/00_good.html">00_good</a>: done' in index
    assert 'href="html/01_bad.html">01_bad</a>: failed, cell 2' in index
    assert "KeyError: &#x27;lost&#x27;" in index
    assert "doubled" in (out / "html" / "00_good.html").read_text()
    assert "lost" in (out / "html" / "01_bad.html").read_text()
    assert not (out / LOCK_NAME).exists()


def test_a_kernel_that_dies_ends_its_notebook_only(shelf: Path) -> None:
    write_notebook(shelf / "01_bad.ipynb", "import os\nos._exit(3)")
    result = suite.run_suite(out=shelf.parent / "run", n_seeds=0, is_shown=False)
    assert result["problems"] == [
        {
            "name": "01_bad",
            "state": "died",
            "cell": 2,
            "error": "the kernel died (exit status 3)",
        }
    ]
    assert set(result["notebooks"]) == {"00_good", "02_later"}
    index = (shelf.parent / "run" / "index.html").read_text()
    assert ": died, cell 2: <code>the kernel died (exit status 3)</code>" in index


def test_ctrl_c_keeps_what_is_finished(shelf: Path, monkeypatch) -> None:
    def run(path: Path, *_: object, **__: object) -> dict:
        if path.stem == "01_bad":
            raise KeyboardInterrupt
        return {"doubled": 2}

    monkeypatch.setattr(suite, "run_notebook", run)
    out = shelf.parent / "run"
    result = suite.run_suite(out=out, is_shown=False)
    assert result["stopped"] == {"name": "interrupted", "why": "interrupted", "n_unfinished": 2}
    assert result["states"] == {"00_good": "done", "01_bad": "stopped", "02_later": "not run"}
    assert set(json.loads((out / "metrics.json").read_text())) == {"00_good"}
    assert "02_later: not run" in (out / "index.html").read_text()


def test_a_comparison_that_fails_leaves_the_notebooks(shelf: Path, monkeypatch) -> None:
    monkeypatch.setattr(suite, "run_notebook", lambda *_, **__: {"doubled": 2})
    out = shelf.parent / "run"
    out.mkdir()
    (out / "comparison.jsonl").write_text("my notes\n")
    result = suite.run_suite(out=out, n_seeds=1, is_shown=False)
    (problem,) = result["problems"]
    assert problem["name"] == "comparison"
    assert "comparison.jsonl: line 1: expected JSON" in problem["error"]
    assert len(result["notebooks"]) == 3
    assert (out / "comparison.jsonl").read_text() == "my notes\n"


def test_a_disk_that_fills_up_loses_no_result(shelf: Path, monkeypatch) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "index.html")

    monkeypatch.setattr(suite, "run_notebook", lambda *_, **__: {"doubled": 2})
    monkeypatch.setattr(suite, "write_index", full)
    result = suite.run_suite(out=shelf.parent / "run", only=["00"], is_shown=False)
    assert result["notebooks"] == {"00_good": {"doubled": 2}}
    assert "No space left" in result["problems"][0]["error"]


def test_two_runs_of_one_second_have_folders_of_their_own(shelf: Path, monkeypatch) -> None:
    monkeypatch.setattr(suite, "run_notebook", lambda *_, **__: {})
    monkeypatch.setattr("time.strftime", lambda _: "20260102-030405")
    runs = [Path(suite.run_suite(only=["00"], is_shown=False)["run"]).name for _ in range(3)]
    assert runs == ["20260102-030405", "20260102-030405-2", "20260102-030405-3"]


def test_a_folder_in_use_is_refused_before_anything_runs(shelf: Path) -> None:
    out = shelf.parent / "run"
    with claimed_folder(out), pytest.raises(DataError, match=r"run: another process is writing"):
        suite.run_suite(out=out, only=["00"], is_shown=False)
    assert not out.exists()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"parameters": {"letter": "a"}}, r"00_good\.ipynb has no parameter letter; it has number"),
        ({"parameters": {"number": "a"}}, r"parameter number must be a whole number, got 'a'"),
        ({"n_jobs": 0}, "--jobs must be a whole number from 1"),
        ({"n_seeds": -1, "only": ()}, "--n-seeds must be a whole number from 1"),
        ({"n_seeds": 10**11, "only": ()}, "--n-seeds must be a whole number from 1"),
    ],
)
def test_a_wrong_call_stops_the_run_at_once(shelf: Path, settings: dict, message: str) -> None:
    out = shelf.parent / "run"
    with pytest.raises(ConfigError, match=message):
        suite.run_suite(**{"out": out, "only": ["00"], "is_shown": False, **settings})
    assert not out.exists()


def test_parameters_reach_the_notebook(shelf: Path) -> None:
    out = shelf.parent / "run"
    result = suite.run_suite(
        out=out, only=["00"], is_fast=True, parameters={"number": 7}, is_shown=False
    )
    assert result["notebooks"] == {"00_good": {"doubled": 14}}
    assert str(out / "index.html") in result["text"]


def test_refresh_changes_nothing_the_second_time(shelf: Path) -> None:
    path = shelf / "00_good.ipynb"
    suite.refresh(["00"])
    once = path.read_bytes()
    suite.refresh(["00"])
    assert path.read_bytes() == once
    notebook = nbformat.read(path, as_version=4)
    assert notebook_metrics(notebook) == {"doubled": 2}
    assert "papermill" not in notebook.metadata
    assert all("execution" not in cell.metadata for cell in notebook.cells)


def test_refresh_needs_a_checkout(shelf: Path, monkeypatch) -> None:
    monkeypatch.setattr(suite, "is_checkout", lambda: False)
    with pytest.raises(ConfigError, match="checkout"):
        suite.refresh(["00"])


def test_markdown_has_no_metrics() -> None:
    assert notebook_metrics(new_notebook(cells=[new_markdown_cell("# hi")])) == {}


@pytest.mark.parametrize(
    ("parameters", "env"), [(None, "webshop"), ({"env": "wikihow"}, "wikihow")]
)
def test_agents_are_compared_where_the_notebooks_run(
    shelf: Path, monkeypatch, parameters: dict | None, env: str
) -> None:
    compared = []

    def note(folder, comparison, **_):
        compared.append(comparison.settings.env)
        return {}, "a table"

    monkeypatch.setattr(suite, "find_notebooks", lambda only=(): [])
    monkeypatch.setattr(suite, "run_comparison", note)
    monkeypatch.setattr(suite, "write_comparison", lambda *_: None)
    out = shelf.parent / "run"
    suite.run_suite(out=out, n_seeds=1, parameters=parameters, is_shown=False)
    assert compared == [env]
