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
    from rememberer_nb.memory import ExperienceMemory
    from rememberer_nb.memory.origin import origin_of
    from rememberer_nb.memory.pools import n_entries, read_pool

    pools = [(path, read_pool(path)) for path in args.files]
    records = [record for _, pool in pools for record in pool]
    n_given = sum(len(record.action_values) for record in records)
    with ExperienceMemory.open(args.memory) as memory:
        n_before = sum(len(record.action_values) for record in memory)
        if memory.is_new:
            names = "+".join(path.name for path in args.files)
            memory.begin(records, origin_of(names, records))
        else:
            memory.add_initial(records)
        n_values = sum(len(record.action_values) for record in memory)
        n_known = n_given - (n_values - n_before)
        memory.commit()
        counts = [(path, sum(map(n_entries, pool))) for path, pool in pools]
        result = {
            "pools": [{"file": str(path), "records": n} for path, n in counts],
            "records_read": sum(n for _, n in counts),
            "skipped": n_known,
            "records": len(memory),
            "action_values": n_values,
        }
    if n_known:
        result["note"] = f"{n_known} of {n_given} action values were known: kept as they were"
    return result


def export_pool(args: argparse.Namespace) -> dict[str, Any]:
    """Write a memory file as a pool."""
    from rememberer_nb.memory.history import open_to_look
    from rememberer_nb.memory.pools import write_pool

    with open_to_look(args.memory) as memory:
        return {"out": str(args.out), **write_pool(args.out, memory, source=args.source)}
