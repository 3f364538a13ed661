"""Make the initial memories E0, E1, E2: python data/wikihow/make_demonstrations.py [--check]

Each is one annotated visit of the bundled how-to site, on a task outside the test set and the
training sets. The script plays the actions in the environment, notes what it shows, and refuses to
write a demonstration that does not fulfil every instruction. `--check` writes nothing and exits
with status 1 if a file differs. Needs the package (run it from the top of a checkout).
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rememberer_nb.envs import make_env

HERE = Path(__file__).resolve().parent
FORMAT = "rememberer_nb/initial-memory"
VERSION = 1


@dataclass(frozen=True, slots=True)
class Advised:
    """An action and why it is good (or, as the second of a step, why it is not)."""

    action: str
    rationale: str


@dataclass(frozen=True, slots=True)
class Demonstration:
    """A visit: per step what to do and, where it teaches something, what not to do."""

    name: str
    task: int
    steps: tuple[tuple[Advised, Advised | None], ...]


_BARE_SEARCH = Advised("CLICK(2)", "This only opens an empty field; typing opens it as well.")
_MENU = Advised("CLICK(0)", "The menu lists categories; the search is quicker.")

DEMONSTRATIONS = (
    Demonstration(
        "E0",
        138,
        (
            (Advised("INPUT(2, teach the crawl)", "The words after how to are enough."), _MENU),
            (
                Advised("CLICK(3)", "Word for word the wanted title."),
                Advised("CLICK(11)", "This teaches another stroke."),
            ),
            (
                Advised("CLICK(7)", "The wanted category stands above the title."),
                Advised("CLICK(5)", "This is the category above the wanted one."),
            ),
            (
                Advised("SCROLL(DOWN)", "The list of the category goes on below."),
                Advised("CLICK(9)", "This is some other article."),
            ),
            (
                Advised("CLICK(8)", "The wanted title, without How to."),
                Advised("CLICK(12)", "Nearly the title; it lacks the open water."),
            ),
        ),
    ),
    Demonstration(
        "E1",
        107,
        (
            (
                Advised(
                    "INPUT(2, study for a maths quiz in one week)",
                    "The whole title, so that near-misses come later.",
                ),
                _BARE_SEARCH,
            ),
            (
                Advised("CLICK(3)", "The title fits to the last word."),
                Advised("CLICK(9)", "Its title lacks the week."),
            ),
            (Advised("CLICK(11)", "The author's name below the title leads to the page."), None),
            (
                Advised("SCROLL(DOWN)", "The author's articles are listed further down."),
                Advised("CLICK(11)", "This tells of the site, not of the author."),
            ),
            (
                Advised("CLICK(5)", "The wanted title, without How to."),
                Advised("CLICK(14)", "Nearly the title; it has words too many."),
            ),
        ),
    ),
    Demonstration(
        "E2",
        113,
        (
            (
                Advised(
                    "INPUT(2, explain a grocery budget to kids with flatmates)",
                    "What is to be learnt, in the words of the task.",
                ),
                None,
            ),
            (Advised("CLICK(3)", "The title is the wanted one."), None),
            (
                Advised("CLICK(4)", "The words trust and the site's name are the link."),
                Advised("CLICK(3)", "These words are no link: nothing happens."),
            ),
        ),
    ),
)


def _rated(advised: Advised, q_value: float, reward: float) -> dict[str, Any]:
    return {
        "action": advised.action,
        "q_value": q_value,
        "n_visits": 1,
        "reward": reward,
        "rationale": advised.rationale,
    }


def _records(demonstration: Demonstration, env: Any) -> Iterator[dict[str, Any]]:
    observation, info = env.reset(options={"task": demonstration.task})
    task, to_come = info["task"], len(env.unwrapped.how_to_tasks[demonstration.task].goals)
    for good, bad in demonstration.steps:
        before, available = observation, list(info["available_actions"])
        observation, reward, terminated, _, info = env.step(good.action)
        if info["no_op"] or (bad and bad.action not in available):
            raise SystemExit(f"{demonstration.name}, {good.action}: {info['no_op']} {bad}")
        # What is still to be earned from here: the return of the demonstration.
        actions = [_rated(good, float(to_come), float(reward))]
        actions += [_rated(bad, 0.0, 0.0)] if bad else []
        to_come -= int(reward)
        yield {
            "task": task.text,
            "observation": before,
            "available_actions": available,
            "actions": actions,
        }
    if not terminated or to_come:
        raise SystemExit(f"{demonstration.name} leaves {to_come}, ended: {terminated}")


def make_memory(demonstration: Demonstration, env: Any) -> dict[str, Any]:
    """The initial memory of one demonstration, played in `env`."""
    return {
        "format": FORMAT,
        "version": VERSION,
        "env": "wikihow",
        "name": demonstration.name,
        "task_id": env.unwrapped.tasks[demonstration.task].task_id,
        "records": list(_records(demonstration, env)),
    }


def main(arguments: Sequence[str] | None = None) -> int:
    """Write or check the files; the exit status."""
    parser = argparse.ArgumentParser(description="Make the how-to site's initial memories.")
    parser.add_argument("--out", type=Path, default=HERE, help="folder (default: this script's)")
    parser.add_argument("--check", action="store_true", help="compare, write nothing")
    options = parser.parse_args(arguments)
    env, n_wrong = make_env("wikihow", site=HERE / "site.json.gz"), 0
    for demonstration in DEMONSTRATIONS:
        memory = make_memory(demonstration, env)
        path = options.out / f"{demonstration.name}.json"
        text = json.dumps(memory, indent=1, ensure_ascii=False) + "\n"
        if not options.check:
            path.write_text(text, encoding="utf-8")
        elif not path.is_file() or path.read_text(encoding="utf-8") != text:
            n_wrong += 1
            print(f"{path} differs from what the environment shows", file=sys.stderr)
        print(f"{path.name}: task {memory['task_id']}, {len(memory['records'])} records")
    return 1 if n_wrong else 0


if __name__ == "__main__":
    raise SystemExit(main())
