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
        664,
        (
            (
                Advised(
                    "search[water resistant acrylic nail tips]",
                    "A few keywords are enough: the kind of product and its property.",
                ),
                _USELESS_SEARCH,
            ),
            (
                Advised(
                    "click[b0bvts6slb]",
                    "Acrylic nail tips, water resistant, with an almond finish.",
                ),
                Advised("click[b0ba2mcjt9]", "These are short and square, not almond."),
            ),
            (
                Advised("click[medium almond]", "The task names the style; none is chosen yet."),
                Advised("click[buy now]", "Too early: neither style nor color is chosen yet."),
            ),
            (
                Advised("click[sage green]", "The style is chosen; the color is still open."),
                None,
            ),
            (Advised("click[buy now]", "Kind, property, options and price all fit."), None),
        ),
    ),
    Demonstration(
        "E1",
        656,
        (
            (
                Advised(
                    "search[flexible mini tripod remote control]",
                    "To run it from the couch means a remote; options are chosen on the page.",
                ),
                _USELESS_SEARCH,
            ),
            (
                Advised(
                    "click[b0ektg3136]",
                    "A flexible mini tripod with remote control, well below 90 dollars.",
                ),
                Advised("click[b0ea2tasta]", "Its title says nothing of a remote control."),
            ),
            (
                Advised("click[40 inch]", "The task wants 40 inches, and no size is chosen."),
                Advised("click[description]", "The title says enough; this costs a step."),
            ),
            (
                Advised("click[black]", "The size is chosen, the color black is missing."),
                Advised("click[buy now]", "Too early: the color is not chosen yet."),
            ),
            (Advised("click[buy now]", "Size and color are chosen and the price fits."), None),
        ),
    ),
    Demonstration(
        "E2",
        722,
        (
            (
                Advised(
                    "search[100% cotton socks]",
                    "Pure cotton is what the shop calls 100% cotton; color and count come later.",
                ),
                None,
            ),
            (
                Advised(
                    "click[b0f52y4lej]",
                    "Cotton socks for the winter, sold in packs of pairs, below 50 dollars.",
                ),
                Advised("click[b0fn81ymgr]", "Its title does not say cotton, and it costs more."),
            ),
            (
                Advised("click[5 pairs]", "Five pairs are wanted; no quantity is chosen."),
                Advised("click[buy now]", "Too early: quantity and color are not chosen yet."),
            ),
            (Advised("click[black]", "The quantity is chosen; black is still missing."), None),
            (Advised("click[buy now]", "Quantity and color are chosen and the price fits."), None),
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
