"""Notebooks 00 to 05 run from top to bottom on the how-to site, too, with their own parameters."""

from __future__ import annotations

from pathlib import Path

import nbformat
import pytest

from rememberer_nb.teaching.suite import find_notebooks, run_notebook

PATHS = find_notebooks()


@pytest.mark.slow
@pytest.mark.timeout(240)
@pytest.mark.parametrize("path", PATHS, ids=lambda p: p.stem)
def test_it_runs_on_the_how_to_site(path: Path, tmp_path: Path) -> None:
    metrics = run_notebook(path, tmp_path / path.name, {"env": "wikihow"}, is_shown=False)
    assert metrics
    done = nbformat.read(tmp_path / path.name, as_version=4)
    outputs = [o for cell in done.cells for o in cell.get("outputs", [])]
    assert [o.text for o in outputs if o.output_type == "stream" and o.name == "stderr"] == []


@pytest.mark.parametrize("path", PATHS, ids=lambda p: p.stem)
def test_what_is_passed_over_is_named_once_per_section(path: Path) -> None:
    cells = [c for c in nbformat.read(path, as_version=4).cells if c.cell_type == "code"]
    heads = [cell.source.split("\n", 1)[0] for cell in cells]
    marked = [head for head in heads if head.startswith("# webshop only")]
    is_used = any("choose_cells(env)" in cell.source for cell in cells)
    assert is_used or not marked
    # The first of the marked cells of a section has a title.
    assert not marked or marked[0].startswith("# webshop only: ")
