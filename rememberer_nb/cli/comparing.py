"""The command ``compare``: all agents and controls, or the stand-in under other settings."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any

from rememberer_nb.system.places import claimed_folder, write_text


def add_compare_commands(add: Callable[..., argparse.ArgumentParser], commands: Any) -> None:
    """Add it; `add` makes a command with the common options."""
    parser = add(commands, "compare", compare_agents, "all agents and controls, over seeds")
    parser.add_argument("--env", default="webshop", help="webshop or wikihow (webshop)")
    parser.add_argument(
        "--stand-in-sweep",
        action="store_true",
        help="instead: Rememberer with other settings of the stand-in, one blind to values among "
        "them, on development tasks",
    )
    parser.add_argument("--n-seeds", type=int, default=12, help="seeds 0 to N-1 (12)")
    parser.add_argument("--jobs", type=int, default=2, help="processes (2)")
    parser.add_argument(
        "--out", type=Path, help="folder for table, numbers, figures; finished seeds are kept there"
    )
    parser.set_defaults(place=claimed_folder)


def compare_agents(args: argparse.Namespace) -> dict[str, Any]:
    """Three epochs on S0, then the test tasks, every condition with the same seeds."""
    if args.stand_in_sweep:
        return _sweep_stand_in(args)
    from functools import partial

    from rememberer_nb.experiments.comparison import compare
    from rememberer_nb.teaching.report import (
        comparison_numbers,
        comparison_text,
        default_comparison,
        run_comparison,
        write_comparison,
    )

    comparison = default_comparison(args.n_seeds, args.env)
    if args.out:
        numbers, text = run_comparison(args.out, comparison, n_jobs=args.jobs)
    else:
        numbers = comparison_numbers(compare(comparison, n_jobs=args.jobs))
        text = comparison_text(numbers, comparison)
    save = {"save": partial(write_comparison, args.out, numbers, text)} if args.out else {}
    return {"env": args.env, "n_seeds": args.n_seeds, **numbers, "text": text, **save}


def _sweep_stand_in(args: argparse.Namespace) -> dict[str, Any]:
    from functools import partial

    from rememberer_nb.experiments.stand_in import Sweep, sweep_report

    table, text = sweep_report(Sweep(args.env, args.n_seeds), n_jobs=args.jobs)
    save = {}
    if args.out:
        save = {"save": partial(write_text, args.out / "stand_in.txt", f"{text}\n")}
    return {"env": args.env, "n_seeds": args.n_seeds, "differences": table, "text": text, **save}
