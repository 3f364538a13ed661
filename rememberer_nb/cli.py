"""The command line: ``rememberer-nb`` or ``python -m rememberer_nb``.

With ``--json`` one JSON object goes to standard output and nothing else; progress goes to standard
error. Exit status: 0 done, 1 the work failed, 2 the call was wrong.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rememberer_nb.errors import ConfigError, RemembererError, TaskError

Command = Callable[[argparse.Namespace], dict[str, Any]]


@dataclass(frozen=True, slots=True)
class _Seeds:
    """One seed, or a half-open range."""

    values: tuple[int, ...]

    @classmethod
    def parse(cls, text: str) -> _Seeds:
        low, colon, high = text.partition(":")
        try:
            values = tuple(range(int(low), int(high))) if colon else (int(low),)
        except ValueError as error:
            raise argparse.ArgumentTypeError(f"expected N or A:B, got {text!r}") from error
        if not values or min(values) < 0:
            raise argparse.ArgumentTypeError(f"expected seeds of at least 0, got {text!r}")
        return cls(values)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit status."""
    args = _parser().parse_args(arguments)
    try:
        started = time.perf_counter()
        result = args.command(args)
        seconds = round(time.perf_counter() - started, 3)
        result["timing"] = {**result.get("timing", {}), "total_s": seconds}
        _show(args, result)
    except RemembererError as error:
        print(f"rememberer-nb: {error}", file=sys.stderr)
        return 2 if isinstance(error, ConfigError | TaskError) else 1
    except KeyboardInterrupt:
        print("rememberer-nb: interrupted; what was committed is kept", file=sys.stderr)
        return 130
    return 0


def _show(args: argparse.Namespace, result: dict[str, Any]) -> None:
    if args.json:
        shown = {key: value for key, value in result.items() if key != "text"}
        print(json.dumps(shown, ensure_ascii=False, allow_nan=False))
        return
    if "text" in result:
        print(result["text"])
        return
    for key, value in result.items():
        if isinstance(value, list) and value and isinstance(value[0], dict):
            for i, row in enumerate(value):
                print(f"{key}[{i}]: " + ", ".join(f"{k} {_number(v)}" for k, v in row.items()))
        elif isinstance(value, dict):
            print(f"{key}: " + ", ".join(f"{k} {_number(v)}" for k, v in value.items()))
        else:
            print(f"{key}: {_number(value)}")


def _number(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.4f}"
    if isinstance(value, list):
        return "[" + ", ".join(_number(v) for v in value) + "]"
    return str(value)


# Commands. Each imports what it needs, so that --help is quick.


def _settings(args: argparse.Namespace) -> Any:
    from rememberer_nb.assemble import Settings
    from rememberer_nb.config import RetrievalConfig, RlemConfig, RolloutConfig

    return Settings(
        env=args.env,
        llm=args.llm,
        initial=args.initial,
        retrieval=RetrievalConfig(n_exemplars=args.n_exemplars, task_weight=args.task_weight),
        rlem=RlemConfig(gamma=args.gamma, n_step=args.n_step),
        rollout=RolloutConfig(max_steps=args.max_steps, n_epochs=getattr(args, "epochs", 3)),
    )


def _train(args: argparse.Namespace) -> dict[str, Any]:
    from rememberer_nb.assemble import build_agent, build_env, build_memory
    from rememberer_nb.envs.tasks import task_numbers
    from rememberer_nb.experiments import epoch_rows
    from rememberer_nb.rollout import Progress, train

    settings, seeds = _settings(args), args.seeds.values
    if args.memory and len(seeds) > 1:
        raise ConfigError("--memory holds one memory: give one seed, or leave it out")
    env = build_env(settings)
    tasks = task_numbers(args.tasks or "S0", len(env.unwrapped.tasks))
    by_seed, n_records = {}, []
    for seed in seeds:
        with build_memory(settings, args.memory) as memory:
            agent = build_agent(args.agent, env, settings, memory=memory, seed=seed)
            by_seed[seed] = train(
                env, agent, tasks, seed=seed, config=settings.rollout, progress=Progress()
            )
            n_records.append(len(memory))
    result = _report(args, tasks, by_seed)
    rows = epoch_rows([e for episodes in by_seed.values() for e in episodes])
    result["epochs"] = [{key: row[key] for key in ("success_rate", "mean_reward")} for row in rows]
    result["n_records"] = n_records[0] if len(n_records) == 1 else n_records
    return _save(args, result, by_seed)


def _evaluate(args: argparse.Namespace) -> dict[str, Any]:
    from rememberer_nb.assemble import build_agent, build_env, build_memory
    from rememberer_nb.envs.tasks import task_numbers
    from rememberer_nb.rollout import Progress, evaluate

    settings = _settings(args)
    env = build_env(settings)
    tasks = task_numbers(args.tasks or "test", len(env.unwrapped.tasks))
    by_seed = {}
    with build_memory(settings, args.memory, must_exist=bool(args.memory)) as memory:
        for seed in args.seeds.values:
            agent = build_agent(args.agent, env, settings, memory=memory, seed=seed)
            by_seed[seed] = evaluate(env, agent, tasks, seed=seed, progress=Progress())
    return _save(args, _report(args, tasks, by_seed), by_seed)


def _report(
    args: argparse.Namespace, tasks: Sequence[int], by_seed: dict[int, Any]
) -> dict[str, Any]:
    from rememberer_nb.analysis import episode_metrics, intervals

    return {
        "env": args.env,
        "agent": args.agent,
        "llm": args.llm,
        "tasks": list(tasks),
        "seeds": list(by_seed),
        **episode_metrics([e for episodes in by_seed.values() for e in episodes]),
        "ci95": intervals(by_seed),
    }


def _save(
    args: argparse.Namespace, result: dict[str, Any], by_seed: dict[int, Any]
) -> dict[str, Any]:
    if args.out:
        from rememberer_nb.elements import to_data

        args.out.mkdir(parents=True, exist_ok=True)
        with (args.out / "episodes.jsonl").open("w", encoding="utf-8") as file:
            for episode in (e for episodes in by_seed.values() for e in episodes):
                file.write(json.dumps(to_data(episode)) + "\n")
        (args.out / "metrics.json").write_text(json.dumps(result, indent=1), encoding="utf-8")
    return result


def _import_react(args: argparse.Namespace) -> dict[str, Any]:
    from tqdm.auto import tqdm

    from rememberer_nb.importers import read_react, summarise
    from rememberer_nb.memory import ExperienceMemory
    from rememberer_nb.rlem import learn_episode

    episodes = read_react(args.file)
    result = summarise(episodes)
    with ExperienceMemory.open(args.memory) as memory:
        for episode in tqdm(episodes, desc="learn", unit="episode", leave=False):
            learn_episode(
                memory, episode.task.text, episode.transitions(), episode_id=episode.episode_id
            )
            memory.commit(episode)
        result["records"] = len(memory)
    return result


def _memory_stats(args: argparse.Namespace) -> dict[str, Any]:
    from rememberer_nb.envs import get_profile
    from rememberer_nb.memory import ExperienceMemory
    from rememberer_nb.views import stats

    with ExperienceMemory.open(args.file, must_exist=True) as memory:
        return stats(memory, get_profile(args.env))


def _memory_show(args: argparse.Namespace) -> dict[str, Any]:
    from rememberer_nb.memory import ExperienceMemory

    with ExperienceMemory.open(args.file, must_exist=True) as memory:
        frame = memory.to_frame().sort_values(
            [args.sort, "record_id"], ascending=[False, True], kind="stable"
        )
        shown = frame.head(args.rows)
        rows = json.loads(shown.to_json(orient="records"))
        lines = [f"{memory!r}, {len(frame)} values"]
        for row in rows:
            lines.append(
                f"{row['q_value']:8.3f}  {row['n_visits']:4d} visits  {row['action'][:60]:60}  "
                f"{' '.join(row['task'].split())[:70]}"
            )
        return {"n_values": len(frame), "rows": rows, "text": "\n".join(lines)}


def _bench(args: argparse.Namespace) -> dict[str, Any]:
    from rememberer_nb.bench import run_bench

    return run_bench(args.name, **({} if args.n is None else {"n": args.n}))


def _run(args: argparse.Namespace) -> dict[str, Any]:
    from rememberer_nb.suite import run_suite

    return run_suite(
        out=args.out,
        only=args.notebooks,
        is_fast=args.fast,
        n_seeds=args.n_seeds,
        n_jobs=args.jobs,
    )


# The parser.


class _Version(argparse.Action):
    def __call__(self, parser: argparse.ArgumentParser, *_: Any) -> None:
        from importlib.metadata import version

        print(version("rememberer-nb"))
        parser.exit()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="rememberer-nb",
        description="REMEMBERER: notebooks and tools for an LLM agent that learns in a memory.",
    )
    parser.add_argument("--version", action=_Version, nargs=0, help="print the version and exit")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    _add_run(commands)
    train = _add(commands, "train", _train, "learn on training tasks")
    _add_loop_options(train, default_tasks="S0")
    train.add_argument("--epochs", type=int, default=3, help="passes over the tasks (3)")
    evaluate = _add(commands, "evaluate", _evaluate, "run test tasks with the memory frozen")
    _add_loop_options(evaluate, default_tasks="test")
    imports = commands.add_parser("import", help="learn a memory from logs").add_subparsers(
        metavar="KIND", required=True
    )
    react = _add(imports, "react", _import_react, "ReAct's printed WebShop transcripts")
    react.add_argument("file", type=Path, help="a notebook with transcripts in its outputs")
    react.add_argument("--memory", type=Path, help="the memory file to learn into (default: RAM)")
    memory = commands.add_parser("memory", help="look into a memory file").add_subparsers(
        metavar="WHAT", required=True
    )
    stats = _add(memory, "stats", _memory_stats, "counts and ranges")
    stats.add_argument("file", type=Path, help="a memory file")
    stats.add_argument("--env", default="webshop", help="whose page types to count (webshop)")
    show = _add(memory, "show", _memory_show, "its action values")
    show.add_argument("file", type=Path, help="a memory file")
    show.add_argument("--rows", type=int, default=20, help="how many (20)")
    show.add_argument(
        "--sort",
        choices=["q_value", "n_visits", "last_update"],
        default="q_value",
        help="(q_value)",
    )
    bench = _add(commands, "bench", _bench, "measure speed")
    bench.add_argument("name", help="loop")
    bench.add_argument("--n", type=int, help="size, in the benchmark's unit (loop: records)")
    return parser


def _add(commands: Any, name: str, command: Command, help: str) -> argparse.ArgumentParser:
    parser = commands.add_parser(name, help=help, description=help)
    parser.add_argument(
        "--json", action="store_true", help="print one JSON object and nothing else"
    )
    parser.set_defaults(command=command)
    return parser  # type: ignore[no-any-return]


def _add_run(commands: Any) -> None:
    run = _add(commands, "run", _run, "run the notebooks and the comparison, headless")
    run.add_argument("notebooks", nargs="*", help="numbers, such as 03 (default: 00 to 05)")
    run.add_argument("--fast", action="store_true", help="the notebooks' fast parameters")
    run.add_argument("--n-seeds", type=int, default=12, help="of the comparison (12); 0: skip it")
    run.add_argument("--jobs", type=int, default=2, help="processes of the comparison (2)")
    run.add_argument("--out", type=Path, help="folder of the run (default: runs/DATE-TIME)")


def _add_loop_options(parser: argparse.ArgumentParser, *, default_tasks: str) -> None:
    parser.add_argument("--env", default="webshop", help="environment (webshop)")
    parser.add_argument(
        "--agent",
        default="rememberer",
        help="random, llm_only, fixed_exemplars or rememberer (rememberer)",
    )
    parser.add_argument("--llm", default="offline", help="offline or offline:able (offline)")
    parser.add_argument(
        "--tasks", help=f"S0, S1, test, A:B (half-open) or ids N,N,... ({default_tasks})"
    )
    seeds = parser.add_mutually_exclusive_group()
    seeds.add_argument("--seed", dest="seeds", type=_Seeds.parse, help="one seed (0)")
    seeds.add_argument("--seeds", dest="seeds", type=_Seeds.parse, help="a range A:B, half-open")
    parser.set_defaults(seeds=_Seeds((0,)))
    parser.add_argument("--memory", type=Path, help="memory file (default: RAM)")
    parser.add_argument(
        "--initial", default="E0", help="what a new memory starts from: E0, E1, E2, empty, FILE"
    )
    parser.add_argument("--out", type=Path, help="folder for episodes.jsonl and metrics.json")
    parser.add_argument("--n-exemplars", type=int, default=2, help="m (2)")
    parser.add_argument("--task-weight", type=float, default=0.5, help="λ in [0, 1] (0.5)")
    parser.add_argument("--gamma", type=float, default=1.0, help="γ, discount in [0, 1] (1)")
    parser.add_argument("--n-step", type=_n_step, default=5, help="n, or 'all' (5)")
    parser.add_argument("--max-steps", type=int, default=15, help="step limit (15)")


def _n_step(text: str) -> int | None:
    if text == "all":
        return None
    try:
        return int(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"expected a number or 'all', got {text!r}") from error
