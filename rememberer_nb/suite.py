"""The notebooks, run headless: papermill executes them, nothing is written but below the run.

A run folder holds the executed notebooks, an HTML page of each, their figures as PNG, their metrics
as JSON, the comparison of agents, and an index page::

    runs/20260102-030405/
      index.html  metrics.json  comparison.json  comparison.jsonl
      notebooks/  html/  figures/
"""

from __future__ import annotations

import base64
import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import nbformat
import papermill
from jupyter_client.manager import AsyncKernelManager
from papermill.exceptions import PapermillExecutionError
from tqdm.auto import tqdm

from rememberer_nb.errors import ConfigError, NotebookError
from rememberer_nb.metrics import METRICS_MIME
from rememberer_nb.report import default_comparison, run_comparison, write_html, write_index
from rememberer_nb.report import figures as report_figures
from rememberer_nb.resources import data_path, is_checkout, notebooks_path

MAIN_NOTEBOOKS = ("00", "01", "02", "03", "04", "05")
_CELL_TIMEOUT_S = 600


class QuietKernelManager(AsyncKernelManager):
    """Kernels over IPC sockets: no open ports, and ipykernel 7 has nothing to warn about."""

    def __init__(self, **settings: Any):
        super().__init__(**settings)
        self.transport = "ipc"


def find_notebooks(only: Sequence[str] = ()) -> list[Path]:
    """The notebooks whose names start with the given numbers, in order; by default 00 to 05.

    Raises `ConfigError` for a number that no notebook has.
    """
    every = sorted(notebooks_path().glob("[0-9][0-9]_*.ipynb"))
    wanted = only or [n for n in MAIN_NOTEBOOKS if any(p.name.startswith(n) for p in every)]
    found = []
    for number in wanted:
        paths = [path for path in every if path.stem.startswith(number)]
        if not paths:
            names = ", ".join(path.stem for path in every)
            raise ConfigError(f"no notebook starts with {number!r}; there are {names}")
        found += paths
    return list(dict.fromkeys(found))


def all_notebooks(only: Sequence[str] = ()) -> list[Path]:
    """Every notebook and every solution, or those whose names start with the given numbers."""
    folder = notebooks_path()
    paths = sorted(folder.glob("[0-9][0-9]_*.ipynb")) + sorted(folder.glob("solutions/*.ipynb"))
    if not only:
        return paths
    find_notebooks(only)
    return [path for path in paths if path.name.startswith(tuple(only))]


def check_parameters(path: Path, parameters: dict[str, Any]) -> None:
    """Refuse a parameter that the notebook's `parameters` cell does not have."""
    known = papermill.inspect_notebook(str(path))
    unknown = sorted(set(parameters) - set(known))
    if unknown:
        raise NotebookError(
            f"{path.name} has no parameter {', '.join(unknown)}; it has {', '.join(known)}"
        )


def fast_parameters(path: Path) -> dict[str, Any]:
    """The notebook's own values for a quick run (metadata ``rememberer_nb.fast``)."""
    notebook = nbformat.read(path, as_version=4)
    return dict(notebook.metadata.get("rememberer_nb", {}).get("fast", {}))


def run_notebook(
    path: Path,
    output: Path,
    parameters: dict[str, Any] | None = None,
    *,
    is_shown: bool = True,
) -> dict[str, Any]:
    """Execute one notebook from a clean kernel and return its metrics.

    Parameters
    ----------
    path, output : the notebook, and where its executed copy goes (kept also when a cell fails).
    parameters : values for the `parameters` cell; an unknown name is a `NotebookError`.

    Returns
    -------
    dict
        What the notebook gave to `record_metrics`.
    """
    check_parameters(path, parameters or {})
    output.parent.mkdir(parents=True, exist_ok=True)
    try:
        notebook = papermill.execute_notebook(
            str(path),
            str(output),
            parameters=parameters or {},
            kernel_name="python3",
            cwd=str(output.parent),
            progress_bar=is_shown,
            execution_timeout=_CELL_TIMEOUT_S,
            kernel_manager_class=QuietKernelManager,
            coalesce_streams=True,
        )
    except PapermillExecutionError as error:
        raise NotebookError(
            f"{path.name}, cell {error.exec_count}: {error.ename}: {error.evalue} (see {output})"
        ) from error
    return notebook_metrics(notebook)


def notebook_metrics(notebook: Any) -> dict[str, Any]:
    """What `record_metrics` left in a notebook's outputs, later calls winning."""
    metrics: dict[str, Any] = {}
    for output in _outputs(notebook):
        metrics |= output.get("data", {}).get(METRICS_MIME, {})
    return metrics


def save_figures(notebook: Any, folder: Path, stem: str) -> list[Path]:
    """Write every PNG output to ``folder/stem_N.png``."""
    folder.mkdir(parents=True, exist_ok=True)
    images = [
        output["data"]["image/png"]
        for output in _outputs(notebook)
        if "image/png" in output.get("data", {})
    ]
    paths = []
    for number, image in enumerate(images, start=1):
        path = folder / f"{stem}_{number}.png"
        path.write_bytes(base64.b64decode(image))
        paths.append(path)
    return paths


def _outputs(notebook: Any) -> list[Any]:
    return [output for cell in notebook.cells for output in cell.get("outputs", [])]


def run_suite(
    *,
    out: Path | None = None,
    only: Sequence[str] = (),
    is_fast: bool = False,
    n_seeds: int = 12,
    n_jobs: int = 2,
    parameters: dict[str, Any] | None = None,
    is_shown: bool = True,
) -> dict[str, Any]:
    """Run notebooks and the comparison of agents; see the module for what a run leaves.

    `parameters` go to every notebook of the run, over its fast values; one that a notebook does not
    have is refused before anything runs.

    A failing notebook does not keep the others from running; at the end its failure is raised as
    a `NotebookError`. A comparison that was cut off goes on where it stopped when the same `out`
    is given again.
    """
    paths = find_notebooks(only)
    for path in paths:
        check_parameters(path, parameters or {})
    folder = (out or Path("runs") / time.strftime("%Y%m%d-%H%M%S")).resolve()
    folder.mkdir(parents=True, exist_ok=True)
    metrics: dict[str, Any] = {}
    failures: list[str] = []
    for path in tqdm(paths, desc="notebooks", unit="notebook", disable=not is_shown):
        started = time.perf_counter()
        try:
            found = _run_one(path, folder, is_fast, parameters or {}, is_shown)
        except NotebookError as error:
            failures.append(str(error))
            continue
        metrics[path.stem] = {"metrics": found, "seconds": time.perf_counter() - started}
        _write_json(folder / "metrics.json", metrics)
    result: dict[str, Any] = {
        "run": str(folder),
        "notebooks": {name: entry["metrics"] for name, entry in metrics.items()},
        "timing": {name: round(entry["seconds"], 1) for name, entry in metrics.items()},
    }
    if n_seeds and not only:
        result["comparison"], result["text"] = run_comparison(
            folder, default_comparison(n_seeds), n_jobs=n_jobs, is_shown=is_shown
        )
    write_index(folder, list(metrics), result.get("text", ""))
    seen = f"{len(metrics)} notebooks, figures and metrics: {folder / 'index.html'}"
    result["text"] = "\n\n".join(filter(None, [result.get("text"), seen]))
    if failures:
        raise NotebookError("; ".join(failures))
    return result


def _run_one(
    path: Path, folder: Path, is_fast: bool, parameters: dict[str, Any], is_shown: bool
) -> dict[str, Any]:
    parameters = {**(fast_parameters(path) if is_fast else {}), **parameters}
    output = folder / "notebooks" / path.name
    metrics = run_notebook(path, output, parameters, is_shown=is_shown)
    notebook = nbformat.read(output, as_version=4)
    save_figures(notebook, folder / "figures", path.stem)
    write_html(notebook, folder / "html" / f"{path.stem}.html", path.stem)
    return metrics


def refresh(only: Sequence[str] = ()) -> list[Path]:
    """Run notebooks with their defaults and write their outputs back into the checkout."""
    from rememberer_nb.widgets import static_notebook

    _need_checkout()
    paths = all_notebooks(only)
    scratch = Path("runs") / "refresh"
    for path in paths:
        output = (scratch / path.name).resolve()
        run_notebook(path, output)
        notebook = static_notebook(nbformat.read(output, as_version=4))
        _drop_volatile(notebook, nbformat.read(path, as_version=4))
        nbformat.write(notebook, path)
    return paths


def _drop_volatile(notebook: Any, original: Any) -> None:
    """Nothing in a committed notebook changes from run to run but what its cells print."""
    notebook.metadata = original.metadata
    for cell in notebook.cells:
        for key in ("papermill", "execution", "collapsed"):
            cell.metadata.pop(key, None)
        if "tags" in cell.metadata and not cell.metadata["tags"]:
            del cell.metadata["tags"]
        for output in cell.get("outputs", []):
            output.get("metadata", {}).pop("execution", None)
    notebook.cells = [
        cell
        for cell in notebook.cells
        if "injected-parameters" not in cell.metadata.get("tags", [])
    ]


def figures(n_jobs: int = 2) -> list[Path]:
    """Rewrite ``figures/`` in the checkout."""
    _need_checkout()
    return report_figures(data_path().parent / "figures", n_jobs=n_jobs)


def _need_checkout() -> None:
    if not is_checkout():
        raise ConfigError("this rewrites committed files: run it in a checkout of the repository")


def _write_json(path: Path, content: Any) -> None:
    path.write_text(json.dumps(content, indent=1, sort_keys=True) + "\n", encoding="utf-8")


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["refresh", *numbers]:
            refresh(numbers)
        case ["figures"]:
            figures()
        case _:
            sys.exit("usage: python -m rememberer_nb.suite refresh [NUMBER ...] | figures")
