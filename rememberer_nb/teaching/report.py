"""What a run leaves for people: the comparison table, HTML pages, an index, figures."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rememberer_nb.analysis.advice import RECORDED, advice_report
from rememberer_nb.analysis.metrics import (
    by_task,
    difference_text,
    interval_text,
    paired_differences,
    plain_rows,
    summary_table,
)
from rememberer_nb.config import PromptConfig, checked_count, replace
from rememberer_nb.config.fields import MAX_SEEDS, seed_range
from rememberer_nb.config.reading import make_configs, read_config, to_toml
from rememberer_nb.envs import BUNDLED, development_tasks, find_env, task_numbers
from rememberer_nb.envs.registry import DEFAULT_ENV
from rememberer_nb.errors import DataError
from rememberer_nb.experiments.comparison import CONDITIONS, PAIRS, Comparison, compare
from rememberer_nb.experiments.registered import check_registered, registration
from rememberer_nb.experiments.stand_in import Sweep, sweep_report
from rememberer_nb.llms import make_llm
from rememberer_nb.loop.build import Settings, build_env
from rememberer_nb.system.files import reason
from rememberer_nb.system.places import write_text
from rememberer_nb.system.resources import data_path
from rememberer_nb.system.templates import macros

if TYPE_CHECKING:
    import pandas as pd


def default_comparison(
    n_seeds: int = 12, env: str = DEFAULT_ENV, llm: str = "offline"
) -> Comparison:
    """The default settings in an environment."""
    n_seeds = checked_count("--n-seeds", n_seeds, 1, MAX_SEEDS)
    return comparison_of(Settings(env=env, llm=llm), tuple(range(n_seeds)))


def comparison_of(
    settings: Settings, seeds: tuple[int, ...], tasks: str | None = None
) -> Comparison:
    """Epochs on S0, then `tasks`, by default the test tasks; from the environment's own start."""
    settings = dataclasses.replace(settings, initial=settings.new_initial)
    n_tasks = len(build_env(settings).unwrapped.tasks)
    return Comparison(
        settings=settings,
        train_tasks=task_numbers("S0", n_tasks, settings.env),
        test_tasks=task_numbers(tasks or "test", n_tasks, settings.env),
        seeds=seeds,
    )


def registered_comparison(llm: str, env: str) -> Comparison | None:
    """The comparison whose settings were registered for an LLM, if there is one.

    >>> registered_comparison("smollm2", "wikihow").seeds, registered_comparison("offline", "x")
    ((0, 1, 2), None)
    """
    path = registration(llm, env)
    if path is None:
        return None
    configs = make_configs(read_config(path))
    run = replace(configs["run"], llm=llm)
    settings = Settings.of({**configs, "run": run})
    if llm.startswith("replay:"):
        check_registered(path, make_llm(llm, profile=env))
    return comparison_of(settings, tuple(seed_range(run.seeds)), run.tasks)


def run_comparison(
    folder: Path, comparison: Comparison, *, n_jobs: int, is_shown: bool = True
) -> tuple[dict[str, Any], str]:
    """Compare the agents; returns the numbers and a text table, for `write_comparison`.

    Finished seeds are kept in comparison.jsonl in the folder, and what a real LLM says in
    recordings/: with the same comparison it goes on from there. Its settings are written to
    config.toml, for ``compare --config``.
    """
    recordings = None
    if comparison.unit == "task" and not comparison.settings.llm.startswith("replay:"):
        recordings = folder / "recordings"
    results = compare(
        comparison,
        path=folder / "comparison.jsonl",
        recordings=recordings,
        n_jobs=n_jobs,
        is_shown=is_shown,
    )
    configs, seeds = comparison.settings.configs(), comparison.seeds
    tasks = ",".join(map(str, comparison.test_tasks))
    run = replace(configs["run"], seeds=f"{seeds[0]}:{seeds[-1] + 1}", tasks=tasks)
    write_text(folder / "config.toml", to_toml({**configs, "run": run}))
    numbers = comparison_numbers(results, comparison.unit)
    return numbers, comparison_text(numbers, comparison)


def write_comparison(folder: Path, numbers: dict[str, Any], text: str) -> None:
    """Write comparison.json, comparison.txt and figures/comparison*.png to a run's folder."""
    write_text(folder / "comparison.json", json.dumps(numbers, indent=1))
    _write_comparison(numbers, text, folder / "comparison.txt", folder / "figures")


def _write_comparison(numbers: dict[str, Any], text: str, table: Path, folder: Path) -> list[Path]:
    from rememberer_nb.display import plots

    write_text(table, f"{text}\n")
    try:
        drawn = plots.save_comparison(
            numbers["summary"], numbers["differences"], numbers["training"], folder
        )
    except OSError as error:
        raise DataError(f"cannot be written: {reason(error)}", path=folder) from error
    return [table, *drawn]


def comparison_numbers(results: list[dict[str, Any]], unit: str = "seed") -> dict[str, Any]:
    """Summary, paired differences and training curves as plain rows.

    `unit` is what the intervals on the test tasks are over: "seed", or "task" (`by_task`).
    """
    rows = [row for result in results for row in result["test"]]
    units = rows if unit == "seed" else by_task(rows)
    training = [row for result in results for row in result["training"]]
    return {
        "summary": plain_rows(summary_table(units)),
        "differences": plain_rows(paired_differences(units, PAIRS, unit)),
        "training": plain_rows(training_curve(training)),
        "learning": plain_rows(learning_gain(training)),
        "rows": rows,
        "n_records": [result["n_records"] for result in results],
    }


def training_curve(rows: list[dict[str, Any]]) -> pd.DataFrame:
    """Mean and interval over seeds per (agent, epoch, metric)."""
    import pandas as pd

    frames = []
    for epoch in sorted({row["epoch"] for row in rows}):
        table = summary_table([row for row in rows if row["epoch"] == epoch])
        frames.append(table.assign(epoch=epoch))
    return pd.concat(frames, ignore_index=True)


def learning_gain(rows: list[dict[str, Any]]) -> pd.DataFrame:
    """Last minus first epoch on the training tasks, paired over seeds, per agent and metric."""
    last = max(row["epoch"] for row in rows)
    ends = {0: "first epoch", last: "last epoch"}
    frames = []
    for agent in dict.fromkeys(row["agent"] for row in rows):
        labelled = [
            {**row, "agent": ends[row["epoch"]]}
            for row in rows
            if row["agent"] == agent and row["epoch"] in ends
        ]
        gain = paired_differences(labelled, [(ends[last], ends[0])])
        frames.append(gain.assign(agent=agent))
    import pandas as pd

    return pd.concat(frames, ignore_index=True)


def comparison_text(numbers: dict[str, Any], comparison: Comparison) -> str:
    """The table that ends a run, for a terminal."""
    n_seeds = len(comparison.seeds)
    settings = comparison.settings
    seeds, spread = (
        f"{n_seeds} seed{'' if n_seeds == 1 else 's'}",
        "mean and 95 % bootstrap interval over seeds",
    )
    claim = "* the interval excludes 0; without it no effect is claimed"
    if comparison.unit == "task":
        spread = "mean and 95 % bootstrap interval over tasks, each the mean over seeds"
    elif n_seeds == 1:
        seeds, spread = "1 seed", "means"
        claim = "- one seed has no interval, so no effect is claimed"
    llm = settings.llm.removeprefix("replay:")
    llm += " stand-in" if llm.startswith("offline") else ""
    lines = [
        f"{len(comparison.test_tasks)} test tasks, {seeds}; {find_env(settings.env).place}, "
        f"LLM: {llm}; {spread}",
        "",
        f"{'agent':24}{'success rate':>26}{'mean reward':>26}",
    ]
    cells = {(r["agent"], r["metric"]): interval_text(r) for r in numbers["summary"]}
    for agent in CONDITIONS:
        success, reward = cells[agent, "success_rate"], cells[agent, "mean_reward"]
        lines.append(f"{agent:24}{success:>26}{reward:>26}")
    lines += ["", f"{'paired difference':48}{'success rate':>27}{'mean reward':>27}"]
    differences = {(r["agent"], r["baseline"], r["metric"]): r for r in numbers["differences"]}
    for agent, baseline in PAIRS:
        success, reward = (
            difference_text(differences[agent, baseline, metric])
            for metric in ("success_rate", "mean_reward")
        )
        lines.append(f"{agent + ' - ' + baseline:48}{success:>27}{reward:>27}")
    lines += ["", claim, "", *_learning_lines(numbers, comparison.unit)]
    return "\n".join(line.rstrip() for line in lines)


def _learning_lines(numbers: dict[str, Any], unit: str) -> list[str]:
    """What was learnt on the training tasks, for a terminal; intervals are over seeds."""
    over = "" if unit == "seed" else " (intervals over seeds)"
    lines = [f"training tasks, success rate while learning, by epoch{over}:"]
    for agent in ("rememberer", "rememberer_from_empty"):
        curve = [
            interval_text(r)
            for r in numbers["training"]
            if r["agent"] == agent and r["metric"] == "success_rate"
        ]
        lines.append(f"  {agent:24}" + "   ".join(curve))
    lines += [
        "",
        f"{'last minus first epoch, training tasks':48}{'success rate':>27}{'mean reward':>27}",
    ]
    gains = {(r["agent"], r["metric"]): difference_text(r) for r in numbers["learning"]}
    for agent in ("rememberer", "rememberer_from_empty"):
        success, reward = gains[agent, "success_rate"], gains[agent, "mean_reward"]
        lines.append(f"  {agent:46}{success:>27}{reward:>27}")
    return lines


def write_html(notebook: Any, path: Path, title: str) -> None:
    """A page that shows all outputs without network or scripts from elsewhere."""
    from nbconvert import HTMLExporter

    from rememberer_nb.display.widgets import static_notebook

    exporter = HTMLExporter()
    exporter.mathjax_url = exporter.require_js_url = exporter.jquery_url = ""
    exporter.mermaid_js_url = ""
    body, _ = exporter.from_notebook_node(
        static_notebook(notebook), resources={"metadata": {"name": title}}
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    write_text(path, body)


@dataclass(frozen=True, slots=True)
class NotebookRun:
    """How far a run is with one notebook.

    state : "done", "failed", "died" (its kernel), "stopped" (while it ran) or "not run".
    cell, error : where it failed, and the error's last line.
    """

    name: str
    state: str = "not run"
    cell: int | None = None
    error: str = ""


def write_index(folder: Path, notebooks: Sequence[NotebookRun], text: str) -> None:
    """``index.html`` of a run: every notebook and its state, the table, the figures."""
    figures = sorted((folder / "figures").glob("comparison*.png"))
    listed = [
        (run, run.state != "not run" and (folder / "html" / f"{run.name}.html").exists())
        for run in notebooks
    ]
    page = macros("teaching/index.html").index(folder.name, listed, text, figures)
    write_text(folder / "index.html", f"{page}\n")


def figures(folder: Path, *, n_jobs: int = 2) -> list[Path]:
    """The pictures and tables of the README: the loop, and fresh comparisons per environment."""
    from rememberer_nb.display.loop_diagram import LoopDiagram

    folder.mkdir(exist_ok=True)
    loop = folder / "loop.svg"
    write_text(loop, LoopDiagram()._repr_svg_() + "\n")
    paths = [loop]
    for env in BUNDLED:
        comparison = default_comparison(env=env)
        numbers = comparison_numbers(compare(comparison, n_jobs=n_jobs))
        text = comparison_text(numbers, comparison)
        place = folder / env
        place.mkdir(exist_ok=True)
        paths += _write_comparison(numbers, text, place / "comparison.txt", place)
        _, text = sweep_report(Sweep(env), n_jobs=n_jobs)
        write_text(place / "stand_in.txt", f"{text}\n")
        paths += _registered_figures(place, env, n_jobs)
        settings = Settings(env, RECORDED, prompt=PromptConfig(template="brief"))
        text = advice_report(settings, development_tasks(env))["text"]
        write_text(place / "advice.txt", f"{text}\n")
        paths += [place / "stand_in.txt", place / "advice.txt"]
    return paths


def _registered_figures(place: Path, env: str, n_jobs: int) -> list[Path]:
    """The comparison with a real LLM, replayed, where its recording is bundled."""
    if not (data_path("recordings") / f"smollm2-{env}.jsonl.bz2").exists():
        return []
    comparison = registered_comparison("replay:smollm2", env)
    if comparison is None:
        return []
    numbers = comparison_numbers(compare(comparison, n_jobs=n_jobs), comparison.unit)
    text = comparison_text(numbers, comparison)
    return _write_comparison(numbers, text, place / "smollm2.txt", place / "smollm2")
