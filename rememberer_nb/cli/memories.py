"""The commands below ``memory``, and ``import frame`` and ``export frame``."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rememberer_nb.envs.registry import DEFAULT_ENV
from rememberer_nb.system.printable import brief

if TYPE_CHECKING:
    import pandas as pd

    from rememberer_nb.memory import ExperienceMemory

Add = Callable[..., argparse.ArgumentParser]


def add_memory_commands(add: Add, commands: Any, imports: Any, exports: Any) -> None:
    """Add them to their groups; `add` makes a command with the common options."""
    memory = commands.add_parser("memory", help="look into memory files, and make new ones of them")
    group = memory.add_subparsers(metavar="WHAT", required=True)
    _add_views(add, group)
    _add_makers(add, group)
    taken = add(imports, "frame", import_values, "action values from CSV or JSON Lines")
    taken.add_argument("file", type=Path, help="a .csv or .jsonl that `export frame` wrote")
    taken.add_argument("--memory", type=Path, help="the memory file to make (default: RAM)")
    given = add(exports, "frame", export_frame, "a memory's action values as CSV or JSON Lines")
    given.add_argument("memory", type=Path, help="a memory file")
    given.add_argument("--out", type=Path, required=True, help="a .csv or .jsonl to write")


def _add_views(add: Add, group: Any) -> None:
    parser = add(group, "stats", show_stats, "counts and ranges")
    parser.add_argument("file", type=Path, help="a memory file")
    parser.add_argument(
        "--env", default=DEFAULT_ENV, help=f"whose page types to count ({DEFAULT_ENV})"
    )
    parser = add(group, "show", show_values, "its action values")
    parser.add_argument("file", type=Path, help="a memory file")
    parser.add_argument("--rows", type=int, default=20, help="how many (20)")
    sortable = ["q_value", "n_visits", "last_update"]
    parser.add_argument("--sort", choices=sortable, default="q_value", help="(q_value)")
    parser = add(group, "trace", trace, "where a record's values come from, and where they went")
    parser.add_argument("file", type=Path, help="a memory file")
    parser.add_argument("--record", type=int, required=True, metavar="N", help="the record's id")
    parser.add_argument("--action", help="only this action's updates")
    parser = add(group, "check", check_file, "whether a file is sound; exit status 1 if not")
    parser.add_argument("file", type=Path, help="a memory file")
    parser = add(group, "dump", dump_file, "everything it holds as JSON lines, to compare")
    parser.add_argument("file", type=Path, help="a memory file")
    parser = add(group, "diff", diff_files, "what differs in the values of two memories")
    parser.add_argument("before", type=Path, help="a memory file")
    parser.add_argument("after", type=Path, help="another one")
    parser.add_argument("--rows", type=int, default=20, help="how many to show (20)")


def _add_makers(add: Add, group: Any) -> None:
    parser = add(group, "merge", merge_files, "one memory of several, by visits")
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE", help="a memory file")
    parser.add_argument("--base", type=Path, help="what all of them started from; counts once")
    parser.add_argument("--out", type=Path, required=True, help="the memory file to make")
    parser = add(group, "filter", filter_file, "a part of a memory; all that is given must hold")
    parser.add_argument("file", type=Path, help="a memory file")
    parser.add_argument("--task", metavar="PATTERN", help="a regular expression in the task's text")
    parser.add_argument("--updates", type=_range, metavar="A:B", help="last changed by these")
    parser.add_argument("--episodes", type=_range, metavar="A:B", help="... by these, from 0")
    parser.add_argument("--out", type=Path, required=True, help="the memory file to make")
    parser = add(group, "split", split_file, "a memory per task")
    parser.add_argument("file", type=Path, help="a memory file")
    parser.add_argument("--out", type=Path, required=True, help="the folder to put them in")


def show_stats(args: argparse.Namespace) -> dict[str, Any]:
    """Counts and ranges."""
    from rememberer_nb.envs import get_profile
    from rememberer_nb.memory.history import History
    from rememberer_nb.memory.origin import origin_in
    from rememberer_nb.memory.views import file_stats

    with History(args.file) as history:
        return {**file_stats(history, get_profile(args.env)), "origin": origin_in(history)}


def show_values(args: argparse.Namespace) -> dict[str, Any]:
    """The first action values in the order asked for."""
    from rememberer_nb.memory.history import History

    with History(args.file) as history:
        rows, n_values = history.top_values(args.sort, args.rows), history.n_action_values
    lines = [f"{history!r}, {n_values} values"]
    lines += [
        f"{row['q_value']:8.3f}  {row['n_visits']:4d} visits  {brief(row['action'], 60):60}  "
        f"{brief(row['task'], 70)}"
        for row in rows
    ]
    return {"n_values": n_values, "rows": rows, "text": "\n".join(lines)}


def trace(args: argparse.Namespace) -> dict[str, Any]:
    """Updates of a record, and the decisions that looked at it."""
    from rememberer_nb.errors import DataError
    from rememberer_nb.memory.history import History
    from rememberer_nb.memory.provenance import record_uses
    from rememberer_nb.system.plain import to_data

    with History(args.file) as history:
        if not 0 <= args.record < history.next_record:
            raise DataError(f"there is no record {args.record}", path=args.file)
        updates = history.updates(args.record, args.action)
        uses = _rows(record_uses(history, args.record))
        held = history.find(args.record)
    lines = [
        f"record {args.record}: " + ("forgotten since" if held is None else brief(held.task, 70))
    ]
    for u in updates:
        lines.append(
            f"  update {u.update_id} ({u.episode_id}, step {u.step}) {brief(u.action, 50)}: "
            f"Q {u.q_before:.4f} -> {u.q_after:.4f} = {u.q_before:.4f} + {u.learning_rate:.4f} "
            f"({u.target:.4f} - {u.q_before:.4f}); rewards {list(u.rewards)}{_source(u)}"
        )
    for use in uses:
        verb = "shown" if use["is_shown"] else "looked at"
        end = "success" if use["is_success"] else "no success"
        lines.append(
            f"  {verb} in episode {use['episode']}, step {use['step']} (rank {use['rank']}, total "
            f"{use['total']:.3f}): {brief(use['action'], 50)}; {end}, "
            f"reward {use['total_reward']:g}"
        )
    return {
        "record": None if held is None else to_data(held),
        "updates": [to_data(update) for update in updates],
        "uses": uses,
        "text": "\n".join(lines),
    }


def check_file(args: argparse.Namespace) -> dict[str, Any]:
    """Whether a file is sound."""
    from rememberer_nb.memory.check import check_memory

    found = check_memory(args.file)
    lines = [f"{args.file}: {problem}" for problem in found["problems"]]
    counts = {key: value for key, value in found.items() if key.startswith("n_")}
    sound = f"{args.file}: sound; " + ", ".join(f"{k} {v}" for k, v in counts.items())
    return {**found, "text": "\n".join(lines or [sound])}


def dump_file(args: argparse.Namespace) -> dict[str, Any]:
    """Everything, in a form that is equal for equal memories."""
    from rememberer_nb.memory.history import History
    from rememberer_nb.memory.operations import dump

    def lines() -> Iterator[str]:
        with History(args.file) as history:
            yield from dump(history)

    # A file that is none is refused before anything is printed.
    History(args.file).close()
    return {"lines": lines()}


def diff_files(args: argparse.Namespace) -> dict[str, Any]:
    """What differs in the values."""
    from rememberer_nb.memory.operations import diff

    with _open(args.before) as before, _open(args.after) as after:
        frame = diff(before, after)
    counts = {
        kind: int((frame["change"] == kind).sum()) for kind in ("added", "removed", "changed")
    }
    rows = _rows(frame)
    lines = [", ".join(f"{n} {kind}" for kind, n in counts.items())]
    for row in rows[: args.rows]:
        sides = (
            f"Q {_number(row[f'q_{s}'])} x{row[f'visits_{s}'] or 0}" for s in ("before", "after")
        )
        lines.append(
            f"  {row['change']:8} {' -> '.join(sides)}  {brief(row['action'], 50)}  "
            f"{brief(row['task'], 70)}"
        )
    return {
        **{f"n_{kind}": n for kind, n in counts.items()},
        "rows": rows,
        "text": "\n".join(lines),
    }


def merge_files(args: argparse.Namespace) -> dict[str, Any]:
    """One memory of several."""
    from rememberer_nb.memory.operations import merge

    with ExitStack() as stack:
        memories = [stack.enter_context(_open(path)) for path in args.files]
        base = stack.enter_context(_open(args.base)) if args.base else None
        merged = stack.enter_context(merge(memories, args.out, base=base))
        return {
            "out": str(args.out),
            "files": [{"file": str(m.path), "records": len(m)} for m in memories],
            "records": len(merged),
        }


def filter_file(args: argparse.Namespace) -> dict[str, Any]:
    """A part of a memory."""
    from rememberer_nb.memory.operations import filter_records

    with _open(args.file) as memory:
        chosen = {"task": args.task, "updates": args.updates, "episodes": args.episodes}
        with filter_records(memory, args.out, **chosen) as part:
            return {"out": str(args.out), "records": len(part), "of": len(memory)}


def split_file(args: argparse.Namespace) -> dict[str, Any]:
    """A memory file per task."""
    from rememberer_nb.memory.operations import copy, split

    args.out.mkdir(parents=True, exist_ok=True)
    rows = []
    with _open(args.file) as memory:
        for number, (task, part) in enumerate(split(memory).items()):
            path = args.out / f"{number:04d}.sqlite"
            with part, copy(part, path):
                rows.append({"file": str(path), "records": len(part), "task": brief(task, 70)})
    return {"parts": rows}


def import_values(args: argparse.Namespace) -> dict[str, Any]:
    """A memory of a table of values."""
    from rememberer_nb.memory.interchange import import_frame as read

    with read(args.file, args.memory) as memory:
        n_values = sum(len(record.action_values) for record in memory)
        return {"records": len(memory), "action_values": n_values}


def export_frame(args: argparse.Namespace) -> dict[str, Any]:
    """A table of a memory's values."""
    from rememberer_nb.memory.interchange import write_frame

    with _open(args.memory) as memory:
        return {"out": str(args.out), "rows": write_frame(args.out, memory)}


def _open(path: Path) -> ExperienceMemory:
    from rememberer_nb.memory.history import open_to_look

    return open_to_look(path)


def _rows(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """Plain rows, None for what is missing; unlike pandas' own JSON, for any text."""
    missing = frame.isna().to_dict("records")
    return [
        {name: None if gaps[name] else value for name, value in row.items()}
        for row, gaps in zip(frame.to_dict("records"), missing, strict=True)
    ]


def _range(text: str) -> tuple[int, int]:
    low, colon, high = text.partition(":")
    try:
        if colon:
            return int(low or 0), int(high) if high else 2**62
    except ValueError:
        pass
    raise argparse.ArgumentTypeError(f"expected A:B (half-open), got {text!r}")


def _source(update: Any) -> str:
    if update.bootstrap_value is None:
        return ""
    kind = "like record" if update.is_stand_in else "record"
    return (
        f" + {update.gamma:g}^{len(update.rewards)} x {update.bootstrap_value:.4f} "
        f"of {kind} {update.bootstrap_record_id}"
    )


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"
