"""The command ``advice``: what an LLM does with advice, on development tasks."""

from __future__ import annotations

import argparse
import dataclasses
import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from rememberer_nb.cli.loop import recorded_llm
from rememberer_nb.cli.options_used import refuse
from rememberer_nb.cli.settings import Chosen, add_settings, choose_settings
from rememberer_nb.config import checked_count
from rememberer_nb.config.fields import seed_range
from rememberer_nb.errors import ConfigError
from rememberer_nb.system.places import claimed_folder, write_text

# What was asked of the real model once, so that anyone can look at it.
_DEFAULTS = {"run.llm": "replay:smollm2_advice", "prompt.template": "brief"}
_MAX_DECISIONS = 100_000
_USED = ("run.env", "run.llm", "run.tasks", "run.seeds", "prompt.reply_form", "prompt.channel",
         "prompt.template", "prompt.n_last_actions")  # fmt: skip


def add_advice_command(add: Callable[..., argparse.ArgumentParser], commands: Any) -> None:
    """Add it; `add` makes a command with the common options."""
    parser = add(commands, "advice", measure_advice, "whether an LLM does as it is advised")
    parser.add_argument("--n-decisions", type=int, default=200, metavar="N", help="at most (200)")
    parser.add_argument("--out", type=Path, help="folder for advice.txt and advice.json")
    parser.add_argument(
        "--record", type=Path, metavar="FILE", help="keep every call; goes on where FILE ends"
    )
    parser.set_defaults(place=claimed_folder)
    add_settings(parser, _USED.__contains__)


def measure_advice(args: argparse.Namespace) -> dict[str, Any]:
    """Ask at each decision with right and with wrong advice; table and verdict."""
    from rememberer_nb.analysis.advice import advice_rows, advice_table, advice_text
    from rememberer_nb.analysis.metrics import plain_rows
    from rememberer_nb.llms import close
    from rememberer_nb.llms.wrapped import settings_of
    from rememberer_nb.loop.build import Settings, build_env, build_llm

    chosen = choose_settings(args, _DEFAULTS)
    refuse(chosen.given, lambda name: name not in _USED, "advice is asked for, not learnt")
    n_decisions = checked_count("--n-decisions", args.n_decisions, 1, _MAX_DECISIONS)
    settings, seed = Settings.of(chosen.configs), _seed(chosen)
    if args.record is not None:
        settings = dataclasses.replace(settings, llm=recorded_llm(settings.llm, args.record))
    env = build_env(settings)
    tasks = _tasks(chosen, len(env.unwrapped.tasks))
    llm = build_llm(env, settings)
    try:
        rows = advice_rows(
            env, llm, tasks,
            n_decisions=n_decisions, seed=seed, prompt=settings.prompt, is_shown=True,
        )  # fmt: skip
        model = settings_of(llm)["llm"]
    finally:
        close(llm)
    table = plain_rows(advice_table(rows))
    n, n_tasks = table[0]["n"], table[0]["n_tasks"]
    head = (
        f"{settings.env}, {model}: {n} decisions of {n_tasks} development tasks, seed {seed}\n"
        "one exemplar of the very situation; means and 95 % bootstrap intervals over tasks"
    )
    result = {"env": settings.env, "llm": chosen.configs["run"].llm, "seed": seed}
    result |= {"n_decisions": n, "tasks": sorted({row["task"] for row in rows}), "table": table}
    result["text"] = f"{head}\n\n{advice_text(table)}"
    return {**result, "save": partial(_write, args.out, result)} if args.out else result


def _seed(chosen: Chosen) -> int:
    seeds = seed_range(chosen.configs["run"].seeds)
    if len(seeds) > 1:
        raise ConfigError(f"the LLM draws nothing: give one seed, not {len(seeds)}")
    return seeds.start


def _tasks(chosen: Chosen, n_tasks: int) -> tuple[int, ...]:
    """The development tasks, or those of them that are asked for."""
    from rememberer_nb.envs import development_tasks, task_numbers

    run = chosen.configs["run"]
    known = tuple(development_tasks(run.env))
    if run.tasks is None and known:
        return known
    tasks = task_numbers(run.tasks or f"0:{n_tasks}", n_tasks, run.env)
    other = sorted(set(tasks) - set(known)) if known else ()
    if other:
        raise ConfigError(
            f"advice looks at development tasks alone ({known[0]} to {known[-1]} for {run.env}), "
            f"not at {other[0]}"
        )
    return tasks


def _write(folder: Path, result: dict[str, Any]) -> None:
    numbers = {key: value for key, value in result.items() if key not in ("text", "timing")}
    write_text(folder / "advice.json", json.dumps(numbers, indent=1) + "\n")
    write_text(folder / "advice.txt", result["text"] + "\n")
