"""The command ``webshop index``."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any


def add_webshop_commands(add: Callable[..., argparse.ArgumentParser], commands: Any) -> None:
    """Add the group; `add` makes a command with the common options."""
    group = commands.add_parser("webshop", help="prepare a web shop")
    parsers = group.add_subparsers(metavar="WHAT", required=True)
    index = add(parsers, "index", make_index, "index a large catalogue on disk, once")
    index.add_argument("items", type=Path, help="items_shuffle.json, plain or .gz")
    index.add_argument("attributes", type=Path, help="items_ins_v2.json, plain or .gz")
    index.add_argument("instructions", type=Path, help="items_human_ins.json, plain or .gz")
    index.add_argument(
        "--out", type=Path, required=True, help="folder to make; an index there is replaced"
    )


def make_index(args: argparse.Namespace) -> dict[str, Any]:
    """Build the index; progress goes to standard error."""
    from rememberer_nb.envs.webshop.builder import build_index

    counts = build_index(
        args.items, args.attributes, args.instructions, args.out, show_progress=True
    )
    return {"out": str(args.out), **counts}
