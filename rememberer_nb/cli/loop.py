"""The commands ``train`` and ``evaluate``."""

from __future__ import annotations

import argparse
import dataclasses
import functools
import json
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rememberer_nb.cli.llm_options import add_llm_options, llm_config, llm_spec, recorded_spec
from rememberer_nb.cli.memory_options import add_memory_options, memory_settings
from rememberer_nb.cli.options_used import check_used, note_given
from rememberer_nb.errors import ConfigError, LLMStopError
from rememberer_nb.system.places import claimed_folder, whole_file, write_text
from rememberer_nb.system.printable import say

_MAX_SEEDS = 100_000


@dataclass(frozen=True, slots=True)
class Seeds:
    """One seed, or a half-open range."""

    values: tuple[int, ...]

    @classmethod
    def parse(cls, text: str) -> Seeds:
        """From "3" or "0:12"."""
        low, colon, high = text.partition(":")
        try:
            first = int(low)
            last = int(high) - 1 if colon else first
        except ValueError as error:
            raise argparse.ArgumentTypeError(f"expected N or A:B, got {text!r:.80}") from error
        if not 0 <= first <= last:
            raise argparse.ArgumentTypeError(f"expected seeds of at least 0, got {text!r:.80}")
        if last - first >= _MAX_SEEDS:
            raise argparse.ArgumentTypeError(
                f"expected {_MAX_SEEDS} seeds at most, got {text!r:.80}"
            )
        return cls(tuple(range(first, last + 1)))


def add_loop_commands(add: Callable[..., argparse.ArgumentParser], commands: Any) -> None:
    """Add both; `add` makes a command with the common options."""
    parser = add(commands, "train", train_agent, "learn on training tasks")
    _add_loop_options(parser, default_tasks="S0")
    parser.add_argument("--epochs", type=int, default=3, help="passes over the tasks (3)")
    parser.add_argument("--gamma", type=float, default=1.0, help="γ, discount in [0, 1] (1)")
    parser.add_argument("--n-step", type=_n_step, default=5, help="n, or 'all' (5)")
    parser.add_argument(
        "--batch-size", type=int, metavar="N", help="collect N episodes, then learn (every step)"
    )
    parser.add_argument(
        "--resume", action="store_true", help="go on with the run that --memory holds, if any"
    )
    add_memory_options(parser, is_training=True)
    parser = add(commands, "evaluate", evaluate_agent, "run test tasks with the memory frozen")
    _add_loop_options(parser, default_tasks="test")
    add_memory_options(parser, is_training=False)


@dataclass(slots=True)
class _Run:
    """What came of each seed's episodes, and what stopped the run before its time.

    `whole` holds the episodes themselves, if they are to be written (`is_written`).
    """

    tasks: Sequence[int]
    is_written: bool
    by_seed: dict[int, list[Any]] = field(default_factory=dict)
    whole: list[Any] = field(default_factory=list)
    stop: BaseException | None = None

    def go(
        self, seed: int, loop: Callable[..., Any], slots: Any, *parts: Any, **settings: Any
    ) -> None:
        """`loop(*parts, tasks, seed=..., **settings)`; a stop leaves what is finished."""
        from rememberer_nb.loop.runs import outcomes_of
        from rememberer_nb.loop.training import Conduct

        told: list[Any] = []
        resumed: list[Any] = []
        conduct = Conduct(True, slots, on_episode=told.append, on_resumed=resumed.append)
        try:
            done = loop(*parts, self.tasks, seed=seed, conduct=conduct, **settings)
        except (LLMStopError, KeyboardInterrupt) as error:
            if not told and not resumed and not self.by_seed:
                raise
            self.stop = error
            told.sort(key=lambda e: (e.epoch, self.tasks.index(e.task.number)))
            done = resumed[0] if resumed else told
        if done:
            self.by_seed[seed] = outcomes_of(done)
        if self.is_written:
            self.whole += done

    @property
    def outcomes(self) -> list[Any]:
        """Those of all seeds."""
        return [outcome for outcomes in self.by_seed.values() for outcome in outcomes]

    def stopped(self, n_planned: int) -> dict[str, Any]:
        """What a report says of a stop; nothing without one."""
        if self.stop is None:
            return {}
        name = getattr(self.stop, "name", "interrupted")
        why = str(self.stop) or "interrupted"
        unfinished = n_planned - len(self.outcomes)
        return {"stopped": {"name": name, "why": why, "n_unfinished": unfinished}}


def train_agent(args: argparse.Namespace) -> dict[str, Any]:
    """Train, and report on the training tasks."""
    from rememberer_nb.experiments.comparison import epoch_rows
    from rememberer_nb.loop.build import build_agent, build_env, build_memory
    from rememberer_nb.loop.training import train

    check_used(args, is_training=True)
    settings, seeds = _settings(args), args.seeds.values
    if args.memory and len(seeds) > 1:
        raise ConfigError("--memory holds one memory: give one seed, or leave it out")
    if args.resume and not args.memory:
        raise ConfigError("--resume needs --memory: the file of the run")
    env = build_env(settings)
    run, n_records = _Run(_tasks(args, env, "S0"), bool(args.out)), []
    if args.estimate:
        # The first training makes the file: what it will start from is what it would cost.
        path = args.memory if args.memory and args.memory.exists() else None
        return _estimate(args, env, settings, run.tasks, path, n_repeats=args.epochs)
    with _open_llm(args, env, settings) as llm:
        for seed in seeds:
            with build_memory(settings, args.memory) as memory:
                agent = build_agent(args.agent, env, settings, memory=memory, seed=seed, llm=llm)
                if seed == seeds[0]:
                    _announce(args, env, agent, settings, run.tasks, args.epochs)
                run.go(seed, train, _slots(args, settings), env, agent,
                       config=settings.rollout, resume=args.resume,
                       parameters=_noted(env, settings, run.tasks, memory))  # fmt: skip
                n_records.append(len(memory))
            if run.stop is not None:
                break
    result = _report(args, run, n_repeats=args.epochs)
    rows = epoch_rows(run.outcomes)
    result["epochs"] = [{key: row[key] for key in ("success_rate", "mean_reward")} for row in rows]
    result["n_records"] = n_records[0] if len(n_records) == 1 else n_records
    return _save(args, result, run.whole)


def evaluate_agent(args: argparse.Namespace) -> dict[str, Any]:
    """Evaluate with the memory frozen, and report."""
    from rememberer_nb.loop.build import build_agent, build_env, build_memory
    from rememberer_nb.loop.training import evaluate

    check_used(args, is_training=False)
    settings = _settings(args)
    env = build_env(settings)
    run = _Run(_tasks(args, env, "test"), bool(args.out))
    if args.estimate:
        return _estimate(args, env, settings, run.tasks, args.memory)
    with (
        build_memory(settings, args.memory, read_only=bool(args.memory)) as memory,
        _open_llm(args, env, settings) as llm,
    ):
        for seed in args.seeds.values:
            agent = build_agent(args.agent, env, settings, memory=memory, seed=seed, llm=llm)
            if seed == args.seeds.values[0]:
                _announce(args, env, agent, settings, run.tasks)
            run.go(seed, evaluate, _slots(args, settings), env, agent)
            if run.stop is not None:
                break
    return _save(args, _report(args, run), run.whole)


def _settings(args: argparse.Namespace) -> Any:
    from rememberer_nb.config import RolloutConfig
    from rememberer_nb.loop.build import Settings

    return Settings(
        env=args.env,
        llm=recorded_spec(args),
        initial=args.initial,
        **memory_settings(args),
        rollout=RolloutConfig(
            max_steps=args.max_steps,
            n_epochs=getattr(args, "epochs", 3),
            batch_size=getattr(args, "batch_size", None),
        ),
        llm_config=llm_config(args),
    )


def _noted(env: Any, settings: Any, tasks: Sequence[int], memory: Any) -> dict[str, Any]:
    """What a run's outcome depends on besides its agent and the names of env and tasks."""
    from rememberer_nb.config.identity import fingerprint
    from rememberer_nb.loop.build import initial_name

    known = env.unwrapped.tasks
    texts = fingerprint([known[number].text for number in tasks])
    return {"initial": initial_name(settings, memory), "task_texts": texts}


def _tasks(args: argparse.Namespace, env: Any, default: str) -> tuple[int, ...]:
    from rememberer_nb.envs.tasks import task_numbers

    spec = default if args.tasks is None else args.tasks
    return task_numbers(spec, len(env.unwrapped.tasks), args.env)


@contextmanager
def _open_llm(args: argparse.Namespace, env: Any, settings: Any) -> Iterator[Any]:
    """One LLM for all seeds, so that they share its budget; None for an agent that asks none."""
    from rememberer_nb.llms import close
    from rememberer_nb.loop.build import build_llm

    llm = None if args.agent == "random" else build_llm(env, settings)
    try:
        yield llm
    finally:
        if llm is not None:
            close(llm)


def _slots(args: argparse.Namespace, settings: Any) -> Any:
    from rememberer_nb.loop.build import build_env
    from rememberer_nb.loop.parallel import Slots

    return Slots(args.concurrency, lambda: build_env(settings))


def _estimated(
    args: argparse.Namespace, env: Any, agent: Any, settings: Any, tasks: Any, n_repeats: int
) -> Any:
    from rememberer_nb.loop.costs import estimate_run

    return estimate_run(
        env,
        agent,
        tasks,
        n_repeats=n_repeats * len(args.seeds.values),
        config=settings.llm_config,
        rollout=settings.rollout,
        prompt=settings.prompt,
    )


def _announce(
    args: argparse.Namespace, env: Any, agent: Any, settings: Any, tasks: Any, n_repeats: int = 1
) -> None:
    """Say what a run with a real LLM may cost before it starts."""
    if args.agent != "random" and not args.llm.startswith(("offline", "replay:")):
        found = _estimated(args, env, agent, settings, tasks, n_repeats)
        say(f"estimate: {found.describe()}", sys.stderr)


def _estimate(
    args: argparse.Namespace,
    env: Any,
    settings: Any,
    tasks: Any,
    path: Path | None,
    n_repeats: int = 1,
) -> dict[str, Any]:
    """The estimate alone: no key is needed, no call is made, and no file is touched."""
    from rememberer_nb.loop.build import build_agent, build_memory
    from rememberer_nb.loop.costs import UnaskedLLM

    with build_memory(settings, path, read_only=path is not None) as memory:
        agent = build_agent(args.agent, env, settings, memory=memory, llm=UnaskedLLM())
        found = _estimated(args, env, agent, settings, tasks, n_repeats)
    estimate = dataclasses.asdict(found)
    return {**_head(args, tasks), "estimate": estimate, "text": found.describe()}


def _head(args: argparse.Namespace, tasks: Sequence[int]) -> dict[str, Any]:
    return {
        "env": args.env,
        "agent": args.agent,
        "llm": llm_spec(args),
        "tasks": list(tasks),
        "seeds": list(args.seeds.values),
    }


def _report(args: argparse.Namespace, run: _Run, n_repeats: int = 1) -> dict[str, Any]:
    from rememberer_nb.analysis.metrics import episode_metrics, intervals
    from rememberer_nb.loop.costs import llm_totals

    n_planned = len(run.tasks) * len(args.seeds.values) * n_repeats
    return {
        **_head(args, run.tasks),
        "seeds": list(run.by_seed),
        **episode_metrics(run.outcomes),
        **llm_totals(run.outcomes, llm_config(args)),
        **run.stopped(n_planned),
        "ci95": intervals(run.by_seed),
    }


def _save(
    args: argparse.Namespace, result: dict[str, Any], episodes: Sequence[Any]
) -> dict[str, Any]:
    """The result, and how to save it: the command line prints it first."""
    if not args.out:
        return result
    return {**result, "save": functools.partial(_write, args.out, result, episodes)}


def _write(folder: Path, result: dict[str, Any], episodes: Sequence[Any]) -> None:
    from rememberer_nb.elements import to_data

    with whole_file(folder / "episodes.jsonl") as file:
        for episode in episodes:
            file.write(json.dumps(to_data(episode)) + "\n")
    write_text(folder / "metrics.json", json.dumps(result, indent=1))


def _add_loop_options(parser: argparse.ArgumentParser, *, default_tasks: str) -> None:
    note_given(parser)
    parser.add_argument("--env", default="webshop", help="webshop or wikihow (webshop)")
    parser.add_argument(
        "--agent",
        default="rememberer",
        help="random, llm_only, fixed_exemplars or rememberer; with a real LLM also "
        "retrieval_only, react and reflexion (rememberer)",
    )
    parser.add_argument(
        "--llm",
        default="offline",
        help="offline[:able], openai[:MODEL], llama.cpp:FILE.gguf, replay:FILE or record:FILE:LLM "
        "(offline)",
    )
    parser.add_argument(
        "--tasks", help=f"S0, S1, test, A:B (half-open) or ids N,N,... ({default_tasks})"
    )
    seeds = parser.add_mutually_exclusive_group()
    seeds.add_argument("--seed", dest="seeds", type=Seeds.parse, help="one seed (0)")
    seeds.add_argument("--seeds", dest="seeds", type=Seeds.parse, help="a range A:B, half-open")
    parser.set_defaults(seeds=Seeds((0,)))
    parser.add_argument("--memory", type=Path, help="memory file (default: RAM)")
    parser.add_argument(
        "--initial",
        help="what a new memory starts from: E0, E1, E2, empty, FILE (E0); an old one has its own",
    )
    parser.add_argument("--out", type=Path, help="folder for episodes.jsonl and metrics.json")
    parser.set_defaults(place=claimed_folder)
    parser.add_argument("--n-exemplars", type=int, default=2, help="m (2)")
    parser.add_argument("--task-weight", type=float, default=0.5, help="λ in [0, 1] (0.5)")
    parser.add_argument("--max-steps", type=int, default=15, help="step limit (15)")
    add_llm_options(parser)


def _n_step(text: str) -> int | None:
    if text == "all":
        return None
    try:
        return int(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"expected a number or 'all', got {text!r}") from error
