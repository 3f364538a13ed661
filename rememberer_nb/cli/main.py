"""The command line: ``rememberer-nb`` or ``python -m rememberer_nb``.

With ``--json`` one JSON object goes to standard output and nothing else; progress goes to standard
error. Exit status: 0 done, 1 the work failed, 2 the call was wrong.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any, NoReturn

from rememberer_nb.cli.advising import add_advice_command
from rememberer_nb.cli.comparing import add_compare_commands
from rememberer_nb.cli.loop import add_loop_commands
from rememberer_nb.cli.memories import add_memory_commands
from rememberer_nb.cli.models import add_model_commands
from rememberer_nb.cli.pools import add_pool_commands
from rememberer_nb.cli.settings import add_config_command
from rememberer_nb.cli.webshop import add_webshop_commands
from rememberer_nb.errors import ConfigError, RemembererError, TaskError
from rememberer_nb.system.files import reason
from rememberer_nb.system.printable import printable, say
from rememberer_nb.system.stopping import sigterm_interrupts

# What a command returns is printed. "text" is for people only; "save" is called after printing;
# "problems" and "stopped" make the exit status.
Command = Callable[[argparse.Namespace], dict[str, Any]]
# As a shell has it: 128 and the signal's number.
_STOPPED = {"interrupted": 130, "terminated": 143}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit status."""
    args = _parser().parse_args(arguments)
    try:
        with sigterm_interrupts(), _place(args):
            return _run_command(args)
    except RemembererError as error:
        say(f"rememberer-nb: {error}", sys.stderr)
        return 2 if isinstance(error, ConfigError | TaskError) else 1
    except KeyboardInterrupt as error:
        name = getattr(error, "name", "interrupted")
        say(f"rememberer-nb: {name}; what was committed is kept", sys.stderr)
        return _STOPPED[name]
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        say(f"rememberer-nb: {where}{reason(error)}", sys.stderr)
        return 1


def _place(args: argparse.Namespace) -> AbstractContextManager[Any]:
    """Where the command writes, made and tried before it works; see `system.places`."""
    place = getattr(args, "place", None)
    return place(args.out) if place and args.out else nullcontext()


def _run_command(args: argparse.Namespace) -> int:
    """Work, print the result, then save it: a full disk takes nothing that was seen."""
    started = time.perf_counter()
    result = args.command(args)
    save = result.pop("save", None)
    seconds = round(time.perf_counter() - started, 3)
    result["timing"] = {**result.get("timing", {}), "total_s": seconds}
    try:
        _show(args, result)
        sys.stdout.flush()
    except BrokenPipeError:
        # Whoever reads has seen enough (`| head`); nothing more is to be flushed at the exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    finally:
        if save is not None:
            save()
    if "stopped" in result:
        stopped = result["stopped"]
        say(f"rememberer-nb: stopped before its end: {stopped['why']}", sys.stderr)
        return _STOPPED.get(stopped["name"], 1)
    return 1 if result.get("problems") else 0


def _show(args: argparse.Namespace, result: dict[str, Any]) -> None:
    if isinstance(result.get("lines"), Iterator):
        _show_lines(args, result)
        return
    if args.json:
        shown = {key: value for key, value in result.items() if key != "text"}
        # Escaped, what a terminal would act on is still the same JSON.
        say(json.dumps(shown, ensure_ascii=False, allow_nan=False))
        return
    if "text" in result:
        say(result["text"])
        return
    for key, value in result.items():
        if isinstance(value, list) and value and isinstance(value[0], dict):
            for i, row in enumerate(value):
                _print(f"{key}[{i}]: " + ", ".join(f"{k} {_number(v)}" for k, v in row.items()))
        elif isinstance(value, dict):
            _print(f"{key}: " + ", ".join(f"{k} {_number(v)}" for k, v in value.items()))
        else:
            _print(f"{key}: {_number(value)}")


def _show_lines(args: argparse.Namespace, result: dict[str, Any]) -> None:
    """Lines of JSON that are made as they are printed: there may be more of them than RAM."""
    lines = result.pop("lines")
    if not args.json:
        for line in lines:
            say(line)
        return
    rest = json.dumps(result, allow_nan=False)
    sys.stdout.write('{"lines": [')
    for number, line in enumerate(lines):
        sys.stdout.write((", " if number else "") + line)
    sys.stdout.write("], " + rest[1:] + "\n")


def _print(line: str) -> None:
    # A newline in a value must not look like the start of another line of ours.
    say(line.replace("\n", "\\n"))


def _number(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.4f}"
    if isinstance(value, list):
        return "[" + ", ".join(_number(v) for v in value) + "]"
    return str(value)


# Commands. Each imports what it needs, so that --help is quick.


def _import_react(args: argparse.Namespace) -> dict[str, Any]:
    from rememberer_nb.envs.webshop.logs.react import read_react

    return _learn_logged(read_react(args.file), args.memory)


def _import_sessions(args: argparse.Namespace) -> dict[str, Any]:
    from rememberer_nb.envs.webshop.logs.session_rewards import check_rewards, summarise_checks
    from rememberer_nb.envs.webshop.logs.sessions import read_sessions

    episodes = read_sessions(args.paths)
    checks = summarise_checks(check_rewards(episodes, attributes=args.attributes))
    return {**_learn_logged(episodes, args.memory), "reward_check": checks}


def _learn_logged(episodes: Sequence[Any], path: Path | None) -> dict[str, Any]:
    """Learn a memory from logged episodes; what there was to learn from, and how much it became."""
    from rememberer_nb.envs.webshop.logs.react import summarise
    from rememberer_nb.loop.logged import learn_logged
    from rememberer_nb.memory import ExperienceMemory
    from rememberer_nb.memory.origin import origin_of

    result = summarise(episodes)
    with ExperienceMemory.open(path) as memory:
        if memory.is_new:
            memory.begin((), origin_of("empty", ()))
        result["skipped"] = learn_logged(memory, episodes, is_shown=True)
        result["records"] = len(memory)
    if result["skipped"]:
        known = f"{result['skipped']} of {len(episodes)} episodes were known: skipped"
        result["note"] = known
    return result


def _bench(args: argparse.Namespace) -> dict[str, Any]:
    from rememberer_nb.config import checked_count
    from rememberer_nb.testing.bench.run import run_bench

    names = ("n", "products", "keep", "seed")
    given = {name: value for name in names if (value := getattr(args, name)) is not None}
    for name, least in (("n", 1), ("products", 1), ("seed", 0)):
        checked_count(f"--{name}", given.get(name, least), least, 2**62)
    return run_bench(args.name, **given)


def _run(args: argparse.Namespace) -> dict[str, Any]:
    from rememberer_nb.teaching.suite import run_suite

    return run_suite(
        out=args.out,
        only=args.notebooks,
        is_fast=args.fast,
        n_seeds=args.n_seeds,
        n_jobs=args.jobs,
        parameters=dict(args.parameters),
    )


def _parameter(text: str) -> tuple[str, Any]:
    from rememberer_nb.teaching.parameters import parse_scalar

    name, equals, value = text.partition("=")
    if not equals or not name.strip():
        raise argparse.ArgumentTypeError(f"expected NAME=VALUE, got {text!r:.80}")
    return name.strip(), parse_scalar(value)


# The parser.


class _Version(argparse.Action):
    def __call__(self, parser: argparse.ArgumentParser, *_: Any) -> None:
        from importlib.metadata import version

        print(version("rememberer-nb"))
        parser.exit()


class _Parser(argparse.ArgumentParser):
    def exit(self, status: int = 0, message: str | None = None) -> NoReturn:
        """As argparse does, which repeats a wrong argument as it came, newlines and all."""
        text = printable(message.rstrip("\n")).replace("\n", "\\n") if message else ""
        super().exit(status, f"{text}\n" if text else None)


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="rememberer-nb",
        description="REMEMBERER: notebooks and tools for an LLM agent that learns in a memory.",
    )
    parser.add_argument("--version", action=_Version, nargs=0, help="print the version and exit")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    _add_run(commands)
    add_loop_commands(_add, commands)
    add_config_command(_add, commands)
    imports = commands.add_parser("import", help="learn a memory from logs").add_subparsers(
        metavar="KIND", required=True
    )
    react = _add(imports, "react", _import_react, "ReAct's printed WebShop transcripts")
    react.add_argument("file", type=Path, help="a notebook with transcripts in its outputs")
    react.add_argument("--memory", type=Path, help="the memory file to learn into (default: RAM)")
    sessions = _add(
        imports, "sessions", _import_sessions, "session logs of the original WebShop server"
    )
    sessions.add_argument("paths", nargs="+", type=Path, help="*.jsonl files, or folders of them")
    sessions.add_argument(
        "--memory", type=Path, help="the memory file to learn into (default: RAM)"
    )
    sessions.add_argument(
        "--attributes", type=Path, help="the shop's attribute file, to check rewards against"
    )
    exports = commands.add_parser("export", help="write a memory in another format")
    exports = exports.add_subparsers(metavar="KIND", required=True)
    add_pool_commands(_add, imports, exports)
    add_memory_commands(_add, commands, imports, exports)
    _add_bench(commands)
    add_compare_commands(_add, commands)
    add_advice_command(_add, commands)
    add_webshop_commands(_add, commands)
    add_model_commands(_add, commands)
    return parser


def _add(commands: Any, name: str, command: Command, help: str) -> argparse.ArgumentParser:
    parser = commands.add_parser(name, help=help, description=help)
    parser.add_argument(
        "--json", action="store_true", help="print one JSON object and nothing else"
    )
    parser.set_defaults(command=command)
    return parser  # type: ignore[no-any-return]


def _add_bench(commands: Any) -> None:
    bench = _add(commands, "bench", _bench, "measure speed")
    bench.add_argument(
        "name", help="loop, llm, local, webshop, lcs, wikihow, retrieval, insert, memory or train"
    )
    bench.add_argument(
        "--n", type=int, help="size, in the benchmark's unit (loop: records; llm: tasks; ...)"
    )
    bench.add_argument("--seed", type=int, help="of what the benchmark draws (0)")
    bench.add_argument(
        "--products", type=int, help="webshop: make a catalogue of that size and index it"
    )
    bench.add_argument("--keep", type=Path, help="webshop: where to leave catalogue and index")


def _add_run(commands: Any) -> None:
    run = _add(commands, "run", _run, "run the notebooks and the comparison, headless")
    run.add_argument("notebooks", nargs="*", help="numbers, such as 03 (default: 00 to 05)")
    run.add_argument(
        "-p",
        "--parameter",
        dest="parameters",
        metavar="NAME=VALUE",
        type=_parameter,
        action="append",
        default=[],
        help="a notebook parameter, for the notebooks named; may be repeated",
    )
    run.add_argument("--fast", action="store_true", help="the notebooks' fast parameters")
    run.add_argument("--n-seeds", type=int, default=12, help="of the comparison (12); 0: skip it")
    run.add_argument("--jobs", type=int, default=2, help="processes of the comparison (2)")
    run.add_argument("--out", type=Path, help="folder of the run (default: runs/DATE-TIME)")
