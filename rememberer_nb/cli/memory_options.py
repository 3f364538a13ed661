"""Options of the command line for the memory: its size, and alternatives to the paper's choices."""

from __future__ import annotations

import argparse
from typing import Any

from rememberer_nb.config import (
    CapacityConfig,
    ExemplarConfig,
    RetrievalConfig,
    RlemConfig,
    replace,
)

# Option, type, stage, setting, help; evaluation has those of the last two stages only.
_OPTIONS = (
    ("--max-records", int, "capacity", "max_records", "records held at most (no limit)"),
    ("--max-actions", int, "capacity", "max_actions", "actions per record at most (no limit)"),
    ("--eviction", str, "capacity", "eviction", "redundancy, least_visited or oldest (redundancy)"),
    ("--stand-in", str, "rlem", "stand_in", "bootstrap of unknown pages: nearest or kernel"),
    ("--n-neighbours", int, "rlem", "n_neighbours", "kernel: how many (5)"),
    ("--initial-q", float, "rlem", "initial_q", "Q of an action before its first update (0)"),
    ("--initial-visits", int, "rlem", "initial_visits", "what it counts for in a mean (0)"),
    ("--task-similarity", str, "retrieval", "task_similarity", "f_g, or embedding:MODEL (tfidf)"),
    ("--observation-similarity", str, "retrieval", "observation_similarity", "f_o, alike (tfidf)"),
    ("--ranking", str, "retrieval", "ranking", "of exemplars: similarity or two_phase"),
    ("--n-candidates", int, "retrieval", "n_candidates", "two_phase: ranked by value (10)"),
    ("--exploration", float, "exemplar", "exploration", "bonus of what was tried less (0)"),
)


def add_memory_options(parser: argparse.ArgumentParser, *, is_training: bool) -> None:
    """Add them, as a group of their own."""
    group = parser.add_argument_group("memory", "Defaults are the paper's; see README.")
    for option, kind, stage, setting, text in _OPTIONS:
        if is_training or stage in ("retrieval", "exemplar"):
            metavar = "NAME" if kind is str else "N"
            name = f"{stage}_{setting}"
            group.add_argument(option, dest=name, type=kind, metavar=metavar, help=text)


def memory_settings(args: argparse.Namespace) -> dict[str, Any]:
    """The configs of the stages that the options concern, by their names in `Settings`."""
    configs = {
        "capacity": CapacityConfig(),
        "rlem": RlemConfig(),
        "retrieval": RetrievalConfig(n_exemplars=args.n_exemplars, task_weight=args.task_weight),
        "exemplar": ExemplarConfig(),
    }
    given: dict[str, dict[str, Any]] = {stage: {} for stage in configs}
    if hasattr(args, "gamma"):
        given["rlem"] = {"gamma": args.gamma, "n_step": args.n_step}
    for _, _, stage, setting, _ in _OPTIONS:
        value = getattr(args, f"{stage}_{setting}", None)
        if value is not None:
            given[stage][setting] = value
    return {stage: replace(config, **given[stage]) for stage, config in configs.items()}
