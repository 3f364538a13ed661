"""The commands ``train`` and ``evaluate``."""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from rememberer_nb.cli.options_used import check_used, is_for_training
from rememberer_nb.cli.settings import Chosen, add_settings, choose_for_agent
from rememberer_nb.config.fields import seed_range
from rememberer_nb.config.reading import to_toml
from rememberer_nb.errors import ConfigError, LLMStopError
from rememberer_nb.system.places import claimed_folder, whole_file, write_text
from rememberer_nb.system.printable import say


def add_loop_commands(add: Callable[..., argparse.ArgumentParser], commands: Any) -> None:
    """Add both; `add` makes a command with the common options."""
    parser = add(commands, "train", train_agent, "learn on training tasks")
    _add_options(parser)
    parser.add_argument(
        "--resume", action="store_true", help="go on with the run that --memory holds, if any"
    )
    add_settings(parser)
    parser = add(commands, "evaluate", evaluate_agent, "run test tasks with the memory frozen")
    _add_options(parser)
    add_settings(parser, lambda name: not is_for_training(name))


def _add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--memory", type=Path, help="memory file (default: RAM)")
    parser.add_argument(
        "--out", type=Path, help="folder for episodes.jsonl, metrics.json and config.toml"
    )
    parser.add_argument("--concurrency", type=int, default=1, metavar="N", help="episodes at once")
    parser.add_argument(
        "--record", type=Path, metavar="FILE", help="keep every call; goes on where FILE ends"
    )
    parser.add_argument("--estimate", action="store_true", help="only say what the run would cost")
    parser.set_defaults(place=claimed_folder)


def recorded_llm(llm: str, path: Path) -> str:
    """The spec of an LLM whose calls are kept; `ConfigError` if it is a recording itself."""
    if llm.startswith(("record:", "replay:")):
        raise ConfigError(f"--record keeps the calls of another LLM, not of {llm}")
    return f"record:{path}:{llm}"


@dataclass(slots=True)
class _Call:
    """What a call asks for, checked; what came of it by seed, and what stopped it before its time.

    `whole` holds the episodes themselves, if they are to be written.
    """

    args: argparse.Namespace
    chosen: Chosen
    settings: Any
    env: Any
    tasks: tuple[int, ...]
    is_training: bool
    by_seed: dict[int, list[Any]] = field(default_factory=dict)
    whole: list[Any] = field(default_factory=list)
    stop: BaseException | None = None

    @classmethod
    def of(cls, args: argparse.Namespace, *, is_training: bool) -> _Call:
        """Read and check it."""
        from rememberer_nb.envs.tasks import task_numbers
        from rememberer_nb.loop.build import Settings, build_env

        chosen = choose_for_agent(args)
        check_used(chosen, args, is_training=is_training)
        run = chosen.configs["run"]
        if is_training and args.memory and len(seed_range(run.seeds)) > 1:
            raise ConfigError("--memory holds one memory: give one seed, or leave it out")
        if is_training and args.resume and not args.memory:
            raise ConfigError("--resume needs --memory: the file of the run")
        settings = Settings.of(chosen.configs)
        settings = settings.for_training() if is_training else settings
        if args.record is not None:
            settings = dataclasses.replace(settings, llm=recorded_llm(run.llm, args.record))
        env = build_env(settings)
        spec = ("S0" if is_training else "test") if run.tasks is None else run.tasks
        tasks = task_numbers(spec, len(env.unwrapped.tasks), run.env)
        return cls(args, chosen, settings, env, tasks, is_training)

    @property
    def run(self) -> Any:
        """The stage "run"."""
        return self.chosen.configs["run"]

    @property
    def seeds(self) -> range:
        """The seeds to run."""
        return seed_range(self.run.seeds)

    @property
    def n_repeats(self) -> int:
        """How often each task is run with a seed."""
        return self.settings.rollout.n_epochs if self.is_training else 1

    @contextmanager
    def open_llm(self) -> Iterator[Any]:
        """One LLM for all seeds, so that they share its budget; None if the agent asks none."""
        from rememberer_nb.llms import close
        from rememberer_nb.loop.build import build_llm

        llm = None if self.run.agent == "random" else build_llm(self.env, self.settings)
        try:
            yield llm
        finally:
            if llm is not None:
                close(llm)

    def agent(self, memory: Any, seed: int, llm: Any) -> Any:
        """The agent for a seed; with the first, what a run with a real LLM may cost is said."""
        from rememberer_nb.loop.build import build_agent

        agent = build_agent(
            self.run.agent, self.env, self.settings, memory=memory, seed=seed, llm=llm
        )
        is_real = llm is not None and not self.run.llm.startswith(("offline", "replay:"))
        if seed == self.seeds[0] and is_real:
            say(f"estimate: {self.estimated(agent).describe()}", sys.stderr)
        return agent

    def go(self, seed: int, loop: Callable[..., list[Any]], agent: Any, **more: Any) -> None:
        """Run the loop for a seed; a stop leaves what is finished."""
        from rememberer_nb.loop.build import build_env
        from rememberer_nb.loop.parallel import Slots
        from rememberer_nb.loop.runs import outcomes_of
        from rememberer_nb.loop.training import Conduct

        slots = Slots(self.args.concurrency, lambda: build_env(self.settings))
        told: list[Any] = []
        resumed: list[Any] = []
        conduct = Conduct(True, slots, on_episode=told.append, on_resumed=resumed.append)
        try:
            done = loop(self.env, agent, self.tasks, seed=seed, conduct=conduct, **more)
        except (LLMStopError, KeyboardInterrupt) as error:
            if not told and not resumed and not self.by_seed:
                raise
            self.stop = error
            told.sort(key=lambda e: (e.epoch, self.tasks.index(e.task.number)))
            done = resumed[0] if resumed else told
        if done:
            self.by_seed[seed] = outcomes_of(done)
        if self.args.out:
            self.whole += done

    @property
    def outcomes(self) -> list[Any]:
        """Those of all seeds."""
        return [outcome for outcomes in self.by_seed.values() for outcome in outcomes]

    def stopped(self) -> dict[str, Any]:
        """What a report says of a stop; nothing without one."""
        if self.stop is None:
            return {}
        name = getattr(self.stop, "name", "interrupted")
        why = str(self.stop) or "interrupted"
        n_planned = len(self.tasks) * len(self.seeds) * self.n_repeats
        n_unfinished = n_planned - len(self.outcomes)
        return {"stopped": {"name": name, "why": why, "n_unfinished": n_unfinished}}

    def estimated(self, agent: Any) -> Any:
        """What the run may cost."""
        from rememberer_nb.loop.costs import estimate_run

        return estimate_run(
            self.env, agent, self.tasks, n_repeats=self.n_repeats * len(self.seeds),
            config=self.settings.llm_config, rollout=self.settings.rollout,
            prompt=self.settings.prompt,
        )  # fmt: skip

    def head(self) -> dict[str, Any]:
        """What a report begins with."""
        run = self.run
        tasks, seeds = list(self.tasks), list(self.seeds)
        return {"env": run.env, "agent": run.agent, "llm": run.llm, "tasks": tasks, "seeds": seeds}

    def noted(self, memory: Any) -> dict[str, Any]:
        """What a run's outcome depends on besides its agent and the names of env and tasks."""
        from rememberer_nb.loop.build import initial_name
        from rememberer_nb.system.plain import fingerprint

        known = self.env.unwrapped.tasks
        texts = fingerprint([known[number].text for number in self.tasks])
        return {"initial": initial_name(self.settings, memory), "task_texts": texts}


def train_agent(args: argparse.Namespace) -> dict[str, Any]:
    """Train, and report on the training tasks."""
    from rememberer_nb.experiments.comparison import epoch_rows
    from rememberer_nb.loop.build import build_memory
    from rememberer_nb.loop.training import train

    call, n_records = _Call.of(args, is_training=True), []
    if args.estimate:
        # The first training makes the file: what it will start from is what it would cost.
        return _estimate(call, args.memory if args.memory and args.memory.exists() else None)
    with call.open_llm() as llm:
        for seed in call.seeds:
            with build_memory(call.settings, args.memory) as memory:
                agent, noted = call.agent(memory, seed, llm), call.noted(memory)
                more = {"config": call.settings.rollout, "parameters": noted}
                call.go(seed, train, agent, resume=args.resume, **more)
                n_records.append(len(memory))
            if call.stop is not None:
                break
    result = _report(call)
    rows = epoch_rows(call.outcomes)
    result["epochs"] = [{key: row[key] for key in ("success_rate", "mean_reward")} for row in rows]
    result["n_records"] = n_records[0] if len(n_records) == 1 else n_records
    return _save(call, result)


def evaluate_agent(args: argparse.Namespace) -> dict[str, Any]:
    """Evaluate with the memory frozen, and report."""
    from rememberer_nb.loop.build import build_memory
    from rememberer_nb.loop.training import evaluate

    call = _Call.of(args, is_training=False)
    if args.estimate:
        return _estimate(call, args.memory)
    with (
        build_memory(call.settings, args.memory, read_only=bool(args.memory)) as memory,
        call.open_llm() as llm,
    ):
        for seed in call.seeds:
            call.go(seed, evaluate, call.agent(memory, seed, llm))
            if call.stop is not None:
                break
    return _save(call, _report(call))


def _estimate(call: _Call, path: Path | None) -> dict[str, Any]:
    """The estimate alone: no key is needed, no call is made, and no file is touched."""
    from rememberer_nb.loop.build import build_agent, build_memory
    from rememberer_nb.loop.costs import UnaskedLLM

    with build_memory(call.settings, path, read_only=path is not None) as memory:
        agent = build_agent(
            call.run.agent, call.env, call.settings, memory=memory, llm=UnaskedLLM()
        )
        found = call.estimated(agent)
    return {**call.head(), "estimate": dataclasses.asdict(found), "text": found.describe()}


def _report(call: _Call) -> dict[str, Any]:
    from rememberer_nb.analysis.metrics import episode_metrics, intervals
    from rememberer_nb.loop.costs import llm_totals

    return {
        **call.head(),
        "seeds": list(call.by_seed),
        **episode_metrics(call.outcomes),
        **llm_totals(call.outcomes, call.settings.llm_config),
        **call.stopped(),
        "ci95": intervals(call.by_seed),
    }


def _save(call: _Call, result: dict[str, Any]) -> dict[str, Any]:
    """The result, and how to save it: the command line prints it first."""
    return {**result, "save": partial(_write, call, result)} if call.args.out else result


def _write(call: _Call, result: dict[str, Any]) -> None:
    from rememberer_nb.system.plain import to_data

    folder, configs = call.args.out, call.chosen.configs
    with whole_file(folder / "episodes.jsonl") as file:
        for episode in call.whole:
            file.write(json.dumps(to_data(episode)) + "\n")
    write_text(
        folder / "metrics.json", json.dumps({**result, "config": to_data(configs)}, indent=1)
    )
    write_text(folder / "config.toml", to_toml(configs))
