"""Notebooks run headless: tiny ones that each prove one thing."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from rememberer_nb import suite
from rememberer_nb.errors import ConfigError, NotebookError

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


RECORD = "from rememberer_nb.metrics import record_metrics\nrecord_metrics(doubled=2 * number)"


def test_parameters_go_in_and_metrics_come_out(tmp_path: Path) -> None:
    path = write_notebook(tmp_path / "a.ipynb", RECORD)
    output = tmp_path / "out" / "a.ipynb"
    assert suite.run_notebook(path, output, {"number": 21}, is_shown=False) == {"doubled": 42}
    assert output.exists()


def test_an_unknown_parameter_fails_before_anything_runs(tmp_path: Path) -> None:
    path = write_notebook(tmp_path / "a.ipynb", RECORD)
    output = tmp_path / "out.ipynb"
    with pytest.raises(NotebookError, match=r"a\.ipynb has no parameter nubmer; it has number"):
        suite.run_notebook(path, output, {"nubmer": 2}, is_shown=False)
    assert not output.exists()


def test_a_failing_cell_names_notebook_cell_and_error(tmp_path: Path) -> None:
    path = write_notebook(tmp_path / "a.ipynb", RECORD, "1 / 0")
    output = tmp_path / "out.ipynb"
    with pytest.raises(NotebookError, match=r"a\.ipynb, cell 3: ZeroDivisionError: division"):
        suite.run_notebook(path, output, is_shown=False)
    assert suite.notebook_metrics(nbformat.read(output, as_version=4)) == {"doubled": 2}


def test_the_kernel_starts_without_warnings(tmp_path: Path, capfd) -> None:
    path = write_notebook(tmp_path / "a.ipynb", RECORD)
    suite.run_notebook(path, tmp_path / "out.ipynb", is_shown=False)
    assert capfd.readouterr().err == ""


def test_figures_are_saved(tmp_path: Path) -> None:
    image = base64.b64encode(PIXEL).decode()
    source = f"from IPython.display import display\ndisplay({{'image/png': '{image}'}}, raw=True)"
    path = write_notebook(tmp_path / "a.ipynb", source, source)
    output = tmp_path / "out.ipynb"
    suite.run_notebook(path, output, is_shown=False)
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


def test_one_failure_does_not_stop_the_others_but_fails_the_run(shelf: Path) -> None:
    out = shelf.parent / "run"
    with pytest.raises(NotebookError, match=r"01_bad\.ipynb.*lost"):
        suite.run_suite(out=out, n_seeds=0, is_fast=True, is_shown=False)
    metrics = json.loads((out / "metrics.json").read_text())
    assert {name: entry["metrics"]["doubled"] for name, entry in metrics.items()} == {
        "00_good": 10,
        "02_later": 2,
    }
    assert (out / "index.html").read_text().count(".html") == 2
    assert "doubled" in (out / "html" / "00_good.html").read_text()
    assert (out / "notebooks" / "01_bad.ipynb").exists()


def test_a_parameter_that_a_notebook_lacks_stops_the_run_at_once(shelf: Path) -> None:
    out = shelf.parent / "run"
    with pytest.raises(NotebookError, match=r"00_good\.ipynb has no parameter letter"):
        suite.run_suite(out=out, only=["00"], parameters={"letter": "a"}, is_shown=False)
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
    assert suite.notebook_metrics(notebook) == {"doubled": 2}
    assert "papermill" not in notebook.metadata
    assert all("execution" not in cell.metadata for cell in notebook.cells)


def test_refresh_needs_a_checkout(shelf: Path, monkeypatch) -> None:
    monkeypatch.setattr(suite, "is_checkout", lambda: False)
    with pytest.raises(ConfigError, match="checkout"):
        suite.refresh(["00"])


def test_markdown_has_no_metrics() -> None:
    assert suite.notebook_metrics(new_notebook(cells=[new_markdown_cell("# hi")])) == {}
