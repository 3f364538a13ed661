"""Make the initial memories E0, E1, E2: python data/webshop/make_demonstrations.py [--check]

Each is one annotated purchase in the bundled shop, on a goal outside the test set and the training
sets. The script plays the actions in the environment, notes what it shows, and refuses to write a
demonstration that does not earn the full reward. `--check` writes nothing and exits with status 1
if a file differs. Needs the package (run it from the top of a checkout).
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
FIRST_GOAL = 600


@dataclass(frozen=True, slots=True)
class Advised:
    """An action and why it is good (or, as the second of a step, why it is not)."""

    action: str
    rationale: str


@dataclass(frozen=True, slots=True)
class Demonstration:
    """A purchase: per step what to do and, where it teaches something, what not to do."""

    name: str
    goal: int
    steps: tuple[tuple[Advised, Advised | None], ...]


_USELESS_SEARCH = Advised("click[search]", "The button alone looks for nothing; type keywords.")

DEMONSTRATIONS = (
    Demonstration(
        "E0",
        791,
        (
            (
                Advised(
                    "search[long lasting tape in hair extensions]",
                    "A few keywords are enough: the kind of product and its property.",
                ),
                _USELESS_SEARCH,
            ),
            (
                Advised(
                    "click[b0bl2k6wkn]",
                    "These are tape in extensions, long lasting, for hair styling, below 110.",
                ),
                Advised("click[b0btrssetk]", "This one is a wig, not tape in extensions."),
            ),
            (
                Advised("click[12 inch]", "The task asks for 12 inches, and no size is chosen."),
                Advised("click[buy now]", "Too early: neither length nor color is chosen yet."),
            ),
            (
                Advised("click[honey blonde]", "The length is chosen; the color is still open."),
                None,
            ),
            (Advised("click[buy now]", "Kind, properties, options and price all fit."), None),
        ),
    ),
    Demonstration(
        "E1",
        650,
        (
            (
                Advised(
                    "search[zinnode kids headphones easy to carry]",
                    "The brand and the kind narrow it down; colors are chosen on the page.",
                ),
                _USELESS_SEARCH,
            ),
            (
                Advised(
                    "click[b0ejm2f7n4]",
                    "The right brand, easy to carry, wireless, and well below 70 dollars.",
                ),
                Advised(
                    "click[b0er4gp0wy]",
                    "Its title has the color but speaks of water, not of carrying.",
                ),
            ),
            (
                Advised("click[wired]", "The task wants the wired style, so it is chosen first."),
                Advised("click[description]", "The title says enough; this costs a step."),
            ),
            (
                Advised("click[black]", "The style is chosen, the color black is missing."),
                Advised("click[buy now]", "Too early: the color is not chosen yet."),
            ),
            (Advised("click[buy now]", "Style and color are chosen and the price fits."), None),
        ),
    ),
    Demonstration(
        "E2",
        782,
        (
            (
                Advised(
                    "search[quick drying cotton mens flannel shirt]",
                    "Kind and properties make the query; what the buyer tells of himself does not.",
                ),
                None,
            ),
            (
                Advised(
                    "click[b0fyt73pmh]",
                    "A flannel shirt below 50 dollars, first for these keywords.",
                ),
                Advised("click[b0fm5hvrrx]", "It costs more than the 50 dollars allowed."),
            ),
            (
                Advised("click[small]", "The task names one option, the size small."),
                Advised("click[buy now]", "Too early: the size is not chosen yet."),
            ),
            (Advised("click[buy now]", "The size is chosen and the price fits."), None),
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
    observation, info = env.reset(options={"task": demonstration.goal})
    total = 0.0
    for good, bad in demonstration.steps:
        before, available = observation, list(info["available_actions"])
        observation, reward, terminated, _, info = env.step(good.action)
        total += reward
        actions = [_rated(good, 1.0, float(reward))]
        actions += [_rated(bad, 0.0, 0.0)] if bad else []
        yield {
            "task": env.unwrapped.tasks[demonstration.goal].text,
            "observation": before,
            "available_actions": available,
            "actions": actions,
        }
    if not terminated or total != 1.0:
        raise SystemExit(f"{demonstration.name} earns {total}, ended: {terminated}")


def make_memory(demonstration: Demonstration, env: Any) -> dict[str, Any]:
    """The initial memory of one demonstration, played in `env`."""
    return {
        "format": FORMAT,
        "version": VERSION,
        "env": "webshop",
        "name": demonstration.name,
        "task_id": env.unwrapped.tasks[demonstration.goal].task_id,
        "records": list(_records(demonstration, env)),
    }


def main(arguments: Sequence[str] | None = None) -> int:
    """Write or check the files; the exit status."""
    parser = argparse.ArgumentParser(description="Make the shop's initial memories.")
    parser.add_argument("--out", type=Path, default=HERE, help="folder (default: this script's)")
    parser.add_argument("--check", action="store_true", help="compare, write nothing")
    options = parser.parse_args(arguments)
    env, n_wrong = make_env("webshop", items=HERE / "items_shuffle.json.gz"), 0
    for demonstration in DEMONSTRATIONS:
        memory = make_memory(demonstration, env)
        path = options.out / f"{demonstration.name}.json"
        text = json.dumps(memory, indent=1, ensure_ascii=False) + "\n"
        if not options.check:
            path.write_text(text, encoding="utf-8")
        elif not path.is_file() or path.read_text(encoding="utf-8") != text:
            n_wrong += 1
            print(f"{path} differs from what the environment shows", file=sys.stderr)
        print(f"{path.name}: goal {memory['task_id']}, {len(memory['records'])} records")
    return 1 if n_wrong else 0


if __name__ == "__main__":
    raise SystemExit(main())
