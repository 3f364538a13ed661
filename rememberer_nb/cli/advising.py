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
    from rememberer_nb.analysis.advice import RECORDED, advice_report
    from rememberer_nb.loop.build import Settings

    chosen = choose_settings(args, {"run.llm": RECORDED, "prompt.template": "brief"})
    refuse(chosen.given, lambda name: name not in _USED, "nothing is learnt, retrieved or drawn")
    n_decisions = checked_count("--n-decisions", args.n_decisions, 1, _MAX_DECISIONS)
    settings, seed = Settings.of(chosen.configs), _seed(chosen)
    if args.record is not None:
        settings = dataclasses.replace(settings, llm=recorded_llm(settings.llm, args.record))
    tasks = _tasks(chosen)
    found = advice_report(settings, tasks, n_decisions=n_decisions, seed=seed, is_shown=True)
    result = {"env": settings.env, "llm": chosen.configs["run"].llm, "seed": seed, **found}
    return {**result, "save": partial(_write, args.out, result)} if args.out else result


def _seed(chosen: Chosen) -> int:
    seeds = seed_range(chosen.configs["run"].seeds)
    if len(seeds) > 1:
        raise ConfigError(f"the LLM draws nothing: give one seed, not {len(seeds)}")
    return seeds.start


def _tasks(chosen: Chosen) -> tuple[int, ...]:
    """The development tasks, or those of them that are asked for."""
    from rememberer_nb.envs import development_tasks, make_env, task_numbers

    run = chosen.configs["run"]
    known = tuple(development_tasks(run.env))
    if run.tasks is None and known:
        return known
    n_tasks = len(make_env(run.env).tasks)
    tasks = task_numbers(run.tasks or f"0:{n_tasks}", n_tasks, run.env)
    other = sorted(set(tasks) - set(known)) if known else ()
    if other:
        raise ConfigError(
            f"advice looks at development tasks alone ({known[0]} to {known[-1]} for {run.env}), "
            f"not at {other[0]}"
        )
    return tasks


def _write(folder: Path, result: dict[str, Any]) -> None:
    numbers = {key: value for key, value in result.items() if key != "text"}
    write_text(folder / "advice.json", json.dumps(numbers, indent=1) + "\n")
    write_text(folder / "advice.txt", result["text"] + "\n")
