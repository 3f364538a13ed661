"""The command ``compare``: all agents and controls, or the stand-in under other settings."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from rememberer_nb.cli.options_used import check_agent_settings, refuse
from rememberer_nb.cli.settings import Chosen, add_settings, choose_for_agent, choose_settings
from rememberer_nb.config import checked_count, replace
from rememberer_nb.config.fields import MAX_SEEDS, seed_range
from rememberer_nb.config.reading import read_config
from rememberer_nb.errors import ConfigError
from rememberer_nb.experiments.registered import check_registered, registration
from rememberer_nb.llms import make_llm
from rememberer_nb.system.places import claimed_folder, write_text


def _is_compared(name: str) -> bool:
    return not name.startswith("llm.") and name != "run.agent"


def add_compare_commands(add: Callable[..., argparse.ArgumentParser], commands: Any) -> None:
    """Add it; `add` makes a command with the common options."""
    parser = add(commands, "compare", compare_agents, "all agents and controls, over seeds")
    parser.add_argument(
        "--stand-in-sweep",
        action="store_true",
        help="instead: Rememberer with other settings of the stand-in, one blind to values among "
        "them, on development tasks",
    )
    parser.add_argument("--n-seeds", type=int, metavar="N", help="seeds 0 to N-1 (12)")
    parser.add_argument("--jobs", type=int, default=2, metavar="N", help="processes (2)")
    parser.add_argument(
        "--out", type=Path, help="folder for table, numbers, figures; finished seeds are kept there"
    )
    parser.set_defaults(place=claimed_folder)
    add_settings(parser, _is_compared)


def compare_agents(args: argparse.Namespace) -> dict[str, Any]:
    """Epochs on S0, then the test tasks, every condition with the same seeds.

    A comparison with an LLM for which settings are registered takes those.
    """
    from rememberer_nb.experiments.comparison import compare
    from rememberer_nb.loop.build import Settings
    from rememberer_nb.teaching.report import (
        comparison_numbers,
        comparison_of,
        comparison_text,
        run_comparison,
        write_comparison,
    )

    chosen = _chosen(args)
    configs, run = chosen.configs, chosen.configs["run"]
    if args.stand_in_sweep:
        return _sweep_stand_in(args, chosen)
    comparison = comparison_of(Settings.of(configs), tuple(seed_range(run.seeds)), run.tasks)
    if args.out:
        numbers, text = run_comparison(args.out, comparison, n_jobs=args.jobs)
    else:
        results = compare(comparison, n_jobs=args.jobs)
        numbers = comparison_numbers(results, comparison.unit)
        text = comparison_text(numbers, comparison)
    save = {"save": partial(write_comparison, args.out, numbers, text)} if args.out else {}
    return {"env": run.env, "n_seeds": len(comparison.seeds), **numbers, "text": text, **save}


def _chosen(args: argparse.Namespace) -> Chosen:
    if args.n_seeds is not None:
        seeds = f"0:{checked_count('--n-seeds', args.n_seeds, 1, MAX_SEEDS)}"
        args.noted = [*getattr(args, "noted", []), ("--n-seeds", "run.seeds", seeds)]
    asked = choose_settings(args).configs["run"]
    registered = registration(asked.llm, asked.env)
    defaults = {"run.seeds": "0:12"} if registered is None else read_config(registered)
    chosen = choose_for_agent(args, {**defaults, "run.llm": asked.llm})
    run = replace(chosen.configs["run"], agent="rememberer")
    if registered is not None and run.llm.startswith("replay:"):
        check_registered(registered, make_llm(run.llm, profile=run.env))
    if run.llm.partition(":")[0] in ("openai", "record"):
        hint = " (--out keeps what a local model says)" if run.llm.startswith("record") else ""
        raise ConfigError(f"compare asks no server, and makes no recording: {run.llm}{hint}")
    refuse(
        chosen.given,
        lambda name: not _is_compared(name),
        "compare runs all agents, and asks no server",
    )
    chosen = Chosen({**chosen.configs, "run": run}, chosen.given)
    check_agent_settings(chosen, chosen.given, is_training=True)
    return chosen


def _sweep_stand_in(args: argparse.Namespace, chosen: Chosen) -> dict[str, Any]:
    from rememberer_nb.experiments.stand_in import Sweep, sweep_report

    run = chosen.configs["run"]
    refuse(
        chosen.given,
        lambda name: name not in ("run.env", "run.seeds"),
        "the sweep varies the stand-in's settings alone",
    )
    seeds = seed_range(run.seeds)
    if seeds.start:
        raise ConfigError(f"the sweep begins with seed 0, not {seeds.start}: give --n-seeds")
    n_seeds = len(seeds)
    table, text = sweep_report(Sweep(run.env, n_seeds), n_jobs=args.jobs)
    save = {}
    if args.out:
        save = {"save": partial(write_text, args.out / "stand_in.txt", f"{text}\n")}
    return {"env": run.env, "n_seeds": n_seeds, "differences": table, "text": text, **save}
