"""The notebooks, run headless, and the comparison: nothing is written but below the run.

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
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import nbformat
from tqdm.auto import tqdm

from rememberer_nb.config import checked_count
from rememberer_nb.envs.registry import DEFAULT_ENV
from rememberer_nb.errors import ConfigError, NotebookError, RemembererError
from rememberer_nb.experiments.comparison import MAX_JOBS, Comparison
from rememberer_nb.system.places import claimed_folder, new_run_folder, write_text
from rememberer_nb.system.printable import LINE_LIMIT, brief
from rememberer_nb.system.resources import data_path, is_checkout, notebooks_path
from rememberer_nb.teaching.headless import all_outputs, run_notebook
from rememberer_nb.teaching.parameters import checked, fast_parameters, read_notebook
from rememberer_nb.teaching.report import (
    NotebookRun,
    default_comparison,
    run_comparison,
    write_comparison,
    write_html,
    write_index,
)
from rememberer_nb.teaching.report import figures as report_figures

_CHAPTERS = "[0-9][0-9]*_*.ipynb"
MAIN_NOTEBOOKS = ("00", "01", "02", "03", "04", "05")


def find_notebooks(only: Sequence[str] = ()) -> list[Path]:
    """The notebooks whose names start with the given numbers, in order; by default 00 to 05.

    "12" is notebook 12 alone, and not 12b. Raises `ConfigError` for a number that no notebook has.
    """
    every = sorted(notebooks_path().glob(_CHAPTERS))
    wanted = only or [n for n in MAIN_NOTEBOOKS if _numbered(every, n)]
    found = []
    for number in wanted:
        paths = _numbered(every, number)
        if not paths:
            names = ", ".join(path.stem for path in every)
            raise ConfigError(f"no notebook starts with {number!r}; there are {names}")
        found += paths
    return list(dict.fromkeys(found))


def all_notebooks(only: Sequence[str] = ()) -> list[Path]:
    """Every notebook and every solution, or those whose names start with the given numbers."""
    folder = notebooks_path()
    paths = sorted(folder.glob(_CHAPTERS)) + sorted(folder.glob("solutions/*.ipynb"))
    if not only:
        return paths
    find_notebooks(only)
    named = {path for number in only for path in _numbered(paths, number)}
    return [path for path in paths if path in named]


def _numbered(paths: Sequence[Path], number: str) -> list[Path]:
    exact = [path for path in paths if path.name.startswith(f"{number}_")]
    return exact or [path for path in paths if path.name.startswith(number)]


def save_figures(notebook: Any, folder: Path, stem: str) -> list[Path]:
    """Write every PNG output to ``folder/stem_N.png``."""
    folder.mkdir(parents=True, exist_ok=True)
    images = [
        output["data"]["image/png"]
        for output in all_outputs(notebook)
        if "image/png" in output.get("data", {})
    ]
    paths = []
    for number, image in enumerate(images, start=1):
        path = folder / f"{stem}_{number}.png"
        path.write_bytes(base64.b64decode(image))
        paths.append(path)
    return paths


@dataclass(slots=True)
class _Suite:
    """A run under way: what is finished is on disk at any time, whatever happens next."""

    folder: Path
    is_shown: bool
    runs: dict[str, NotebookRun]
    metrics: dict[str, Any] = field(default_factory=dict)
    result: dict[str, Any] = field(default_factory=dict)
    problems: list[dict[str, Any]] = field(default_factory=list)

    def run(self, path: Path, parameters: dict[str, Any]) -> None:
        """Run one notebook; a failure is noted, a stop too, and goes on up."""
        output, started = self.folder / "notebooks" / path.name, time.perf_counter()
        try:
            metrics = run_notebook(path, output, parameters, is_shown=self.is_shown)
            seconds = time.perf_counter() - started
            self.metrics[path.stem] = {"metrics": metrics, "seconds": seconds}
            self._note(path, "done")
        except NotebookError as error:
            self._note(path, "died" if error.has_died else "failed", error.cell, error.cause)
        except KeyboardInterrupt:
            self._note(path, "stopped")
            raise
        finally:
            self._keep(path.stem, output)

    def _note(self, path: Path, state: str, cell: int | None = None, error: str = "") -> None:
        self.runs[path.stem] = NotebookRun(path.stem, state, cell, error)
        if state in ("failed", "died"):
            problem = {"name": path.stem, "state": state, "cell": cell, "error": error}
            self.problems.append(problem)

    def _keep(self, name: str, output: Path) -> None:
        with self._noted(name):
            # Who stops a run is not made to wait for a page; the executed copy is there.
            if output.exists() and self.runs[name].state != "stopped":
                notebook = read_notebook(output)
                save_figures(notebook, self.folder / "figures", name)
                write_html(notebook, self.folder / "html" / f"{name}.html", name)
            write_json(self.folder / "metrics.json", self.metrics)
            self.write_index()

    def compare(self, comparison: Comparison, n_jobs: int) -> None:
        """The comparison of agents."""
        with self._noted("comparison"):
            numbers, text = run_comparison(
                self.folder, comparison, n_jobs=n_jobs, is_shown=self.is_shown
            )
            self.result |= {"comparison": numbers, "text": text}
            write_comparison(self.folder, numbers, text)

    def write_index(self) -> None:
        """The page that lists all."""
        write_index(self.folder, list(self.runs.values()), self.result.get("text", ""))

    @contextmanager
    def _noted(self, name: str) -> Iterator[None]:
        """An error becomes a problem of the run: what else there is to do is done."""
        try:
            yield
        except (RemembererError, OSError) as error:
            text = brief(str(error), LINE_LIMIT)
            self.problems.append({"name": name, "state": "failed", "cell": None, "error": text})

    def finish(self, stop: KeyboardInterrupt | None) -> dict[str, Any]:
        """What the run comes to, for people and as data."""
        with self._noted("index.html"):
            self.write_index()
        n_left = sum(run.state in ("stopped", "not run") for run in self.runs.values())
        if stop is not None:
            why = str(stop) or "interrupted"
            name = getattr(stop, "name", "interrupted")
            self.result["stopped"] = {"name": name, "why": why, "n_unfinished": n_left}
        seen = f"{len(self.metrics)} notebooks, figures and metrics: {self.folder / 'index.html'}"
        table = self.result.get("text")
        wrong = "\n".join(map(_describe, self.problems))
        return {
            "run": str(self.folder),
            "notebooks": {name: entry["metrics"] for name, entry in self.metrics.items()},
            "states": {name: run.state for name, run in self.runs.items()},
            **({"problems": self.problems} if self.problems else {}),
            "timing": {name: round(entry["seconds"], 1) for name, entry in self.metrics.items()},
            **self.result,
            "text": "\n\n".join(filter(None, [table, wrong, seen])),
        }


def _describe(problem: dict[str, Any]) -> str:
    where = "" if problem["cell"] is None else f", cell {problem['cell']}"
    return f"{problem['name']}{where}: {problem['state']}: {problem['error']}"


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

    `parameters` go to every notebook of the run, over its fast values; what does not fit one of
    them is refused (`ConfigError`) before anything runs. Agents are compared in the environment
    that the parameter `env` names.

    A notebook that fails, or whose kernel dies, does not keep the others from running: the result's
    "problems" name it, and the error. Ctrl-C and SIGTERM leave what is finished: the result's
    "stopped" says so. A comparison that was cut off goes on where it stopped when the same `out` is
    given again.
    """
    checked_count("--jobs", n_jobs, 1, MAX_JOBS)
    given = {}
    for path in find_notebooks(only):
        own = fast_parameters(path) if is_fast else {}
        given[path] = checked(path, {**own, **(parameters or {})})
    env = (parameters or {}).get("env", DEFAULT_ENV)
    comparison = default_comparison(n_seeds, env) if n_seeds and not only else None
    with claimed_folder(out.resolve()) if out else new_run_folder() as folder:
        runs = {path.stem: NotebookRun(path.stem) for path in given}
        suite = _Suite(folder.resolve(), is_shown, runs)
        stop = None
        try:
            for path in tqdm(given, desc="notebooks", unit="notebook", disable=not is_shown):
                suite.run(path, given[path])
            if comparison is not None:
                suite.compare(comparison, n_jobs)
        except KeyboardInterrupt as error:
            stop = error
        return suite.finish(stop)


def refresh(only: Sequence[str] = ()) -> list[Path]:
    """Run notebooks with their defaults and write their outputs back into the checkout."""
    from rememberer_nb.display.widgets import static_notebook

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


def make_figures(n_jobs: int = 2) -> list[Path]:
    """Rewrite ``figures/`` in the checkout."""
    _need_checkout()
    return report_figures(data_path().parent / "figures", n_jobs=n_jobs)


def _need_checkout() -> None:
    if not is_checkout():
        raise ConfigError("this rewrites committed files: run it in a checkout of the repository")


def write_json(path: Path, content: Any) -> None:
    """Write a whole JSON file."""
    write_text(path, json.dumps(content, indent=1, sort_keys=True) + "\n")


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["refresh", *numbers]:
            refresh(numbers)
        case ["figures"]:
            make_figures()
        case _:
            sys.exit("usage: python -m rememberer_nb.teaching.suite refresh [NUMBER ...] | figures")
