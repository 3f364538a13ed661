"""The commands ``import pool`` and ``export pool``."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any


def add_pool_commands(
    add: Callable[..., argparse.ArgumentParser], imports: Any, exports: Any
) -> None:
    """Add the two commands to their groups; `add` makes a command with the common options."""
    taken = add(imports, "pool", import_pool, "published memory pools (YAML)")
    taken.add_argument("files", nargs="+", type=Path, metavar="FILE", help="a pool in YAML")
    taken.add_argument("--memory", type=Path, help="the memory file to add to (default: RAM)")
    given = add(exports, "pool", export_pool, "a memory as a published pool (YAML)")
    given.add_argument("memory", type=Path, help="a memory file")
    given.add_argument("--out", type=Path, required=True, help="the YAML file to write")
    given.add_argument(
        "--source", metavar="NAME", help="only what was imported from the pool file NAME"
    )


def import_pool(args: argparse.Namespace) -> dict[str, Any]:
    """Take the records of pools over; all files are read before anything is changed."""
    from rememberer_nb.importers import n_entries, read_pool
    from rememberer_nb.memory import ExperienceMemory

    pools = [(path, read_pool(path)) for path in args.files]
    with ExperienceMemory.open(args.memory) as memory:
        for _, records in pools:
            memory.add_initial(records)
        memory.commit()
        counts = [(path, sum(map(n_entries, records))) for path, records in pools]
        return {
            "pools": [{"file": str(path), "records": n} for path, n in counts],
            "records_read": sum(n for _, n in counts),
            "records": len(memory),
            "action_values": sum(len(record.action_values) for record in memory),
        }


def export_pool(args: argparse.Namespace) -> dict[str, Any]:
    """Write a memory file as a pool."""
    from rememberer_nb.importers import write_pool
    from rememberer_nb.memory import ExperienceMemory

    with ExperienceMemory.open(args.memory, must_exist=True) as memory:
        return {"out": str(args.out), **write_pool(args.out, memory, source=args.source)}
