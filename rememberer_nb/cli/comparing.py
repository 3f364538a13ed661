"""The command ``compare``."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any

from rememberer_nb.envs.registry import DEFAULT_ENV
from rememberer_nb.system.places import claimed_folder


def add_compare_commands(add: Callable[..., argparse.ArgumentParser], commands: Any) -> None:
    """Add it; `add` makes a command with the common options."""
    parser = add(commands, "compare", compare_agents, "all agents and controls, over seeds")
    parser.add_argument("--env", default=DEFAULT_ENV, help=f"environment by name ({DEFAULT_ENV})")
    parser.add_argument("--llm", default="offline", help="LLM by name (offline)")
    parser.add_argument("--n-seeds", type=int, default=12, help="seeds 0 to N-1 (12)")
    parser.add_argument("--jobs", type=int, default=2, help="processes (2)")
    parser.add_argument(
        "--out", type=Path, help="folder for table, numbers, figures; finished seeds are kept there"
    )
    parser.set_defaults(place=claimed_folder)


def compare_agents(args: argparse.Namespace) -> dict[str, Any]:
    """Three epochs on the tasks S0, then those of "test": every condition with the same seeds."""
    from functools import partial

    from rememberer_nb.experiments.comparison import compare
    from rememberer_nb.teaching.report import (
        comparison_numbers,
        comparison_text,
        default_comparison,
        run_comparison,
        write_comparison,
    )

    comparison = default_comparison(args.n_seeds, args.env, args.llm)
    if args.out:
        numbers, text = run_comparison(args.out, comparison, n_jobs=args.jobs)
    else:
        numbers = comparison_numbers(compare(comparison, n_jobs=args.jobs))
        text = comparison_text(numbers, comparison)
    save = {"save": partial(write_comparison, args.out, numbers, text)} if args.out else {}
    return {
        "env": args.env,
        "llm": args.llm,
        "n_seeds": args.n_seeds,
        **numbers,
        "text": text,
        **save,
    }
