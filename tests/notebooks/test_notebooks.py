"""Every notebook keeps the frame and runs headless with its fast values."""

from __future__ import annotations

import ast
import json
import re
import statistics
from pathlib import Path

import nbformat
import pytest

from rememberer_nb.system.resources import notebooks_path
from rememberer_nb.teaching.suite import all_notebooks, fast_parameters, run_notebook

PATHS = all_notebooks()
# Those that need an extra, and what they import of it.
EXTRAS = {"12b_an_llm_by_hand": ("gguf", "tokenizers")}
CHAPTERS = [path for path in PATHS if path.parent.name != "solutions"]
by_name = pytest.mark.parametrize("path", PATHS, ids=lambda p: p.stem)
chapters = pytest.mark.parametrize("path", CHAPTERS, ids=lambda p: p.stem)


def read(path: Path) -> nbformat.NotebookNode:
    return nbformat.read(path, as_version=4)


def code_cells(path: Path) -> list[nbformat.NotebookNode]:
    return [cell for cell in read(path).cells if cell.cell_type == "code"]


def markdown(path: Path) -> str:
    return "\n\n".join(c.source for c in read(path).cells if c.cell_type == "markdown")


def test_there_are_notebooks() -> None:
    assert {path.stem[:2] for path in CHAPTERS} >= {"00", "01", "02", "03", "04", "05"}


@by_name
@pytest.mark.timeout(180)
def test_it_runs_with_its_fast_values(path: Path, tmp_path: Path) -> None:
    for name in EXTRAS.get(path.stem, ()):
        pytest.importorskip(name, reason="needs the extra: pip install 'rememberer-nb[llama]'")
    metrics = run_notebook(path, tmp_path / path.name, fast_parameters(path), is_shown=False)
    if path in CHAPTERS:
        assert metrics
    outputs = [o for cell in code_cells(tmp_path / path.name) for o in cell.outputs]
    assert [o.text for o in outputs if o.output_type == "stream" and o.name == "stderr"] == []


@by_name
def test_one_cell_holds_plain_parameters(path: Path) -> None:
    tagged = [c for c in code_cells(path) if "parameters" in c.metadata.get("tags", [])]
    assert len(tagged) == 1
    for statement in ast.parse(tagged[0].source).body:
        assert isinstance(statement, ast.Assign | ast.AnnAssign)
        assert statement.value is not None
        value = ast.literal_eval(statement.value)
        assert value is None or isinstance(value, int | float | str | bool)


@by_name
def test_fast_values_are_parameters(path: Path) -> None:
    tagged = [c for c in code_cells(path) if "parameters" in c.metadata.get("tags", [])]
    nodes = ast.walk(ast.parse(tagged[0].source))
    known = {node.id for node in nodes if isinstance(node, ast.Name)}
    assert set(fast_parameters(path)) <= known


@by_name
def test_cells_are_small(path: Path) -> None:
    sizes = [len(cell.source.splitlines()) for cell in code_cells(path)]
    assert max(sizes) <= 30
    assert statistics.median(sizes) <= 8


@chapters
def test_the_frame(path: Path) -> None:
    text = markdown(path)
    assert text.startswith("# ")
    assert "## What we saw" in text
    assert re.search(r"minute|second", text.split("## ")[0])
    assert re.search(r"LLM calls|calls to the", text.split("\n## ")[0])
    assert any("record_metrics(" in cell.source for cell in code_cells(path))


@by_name
def test_links_lead_somewhere(path: Path) -> None:
    targets = re.findall(r"\]\((?!https?:|#)([^)#\s]+)", markdown(path))
    assert [t for t in targets if not (path.parent / t).exists()] == []


@by_name
def test_committed_outputs_are_whole_and_say_nothing_of_the_machine(path: Path) -> None:
    cells = code_cells(path)
    assert [c.execution_count for c in cells] == list(range(1, len(cells) + 1))
    text = json.dumps([cell.outputs for cell in cells])
    assert not re.search(r"/(?:home|root|tmp|work|usr)/", text)
    outputs = [o for cell in cells for o in cell.outputs]
    assert [o for o in outputs if o.output_type == "error" or o.get("name") == "stderr"] == []
    views = "application/vnd.jupyter.widget-view+json"
    assert [o for o in outputs if views in o.get("data", {})] == []


@by_name
def test_it_is_not_large(path: Path) -> None:
    assert path.stat().st_size < 1_000_000


def test_every_chapter_with_exercises_has_solutions() -> None:
    solved = {path.stem[:2] for path in PATHS if path not in CHAPTERS}
    asked = {p.stem[:2] for p in CHAPTERS if "check(" in "".join(c.source for c in code_cells(p))}
    assert asked == solved
    assert notebooks_path().is_dir()
