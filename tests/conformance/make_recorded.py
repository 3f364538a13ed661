"""Writes the small recordings in `recorded/`: `python -m tests.conformance.make_recorded`.

Cases of RLEM are drawn here and their tables come from `reference.learn`, not from the package; the
first is worked out by hand in `test_recorded.py`. Sessions are walks through development tasks of
the bundled shop; rewards come from `reference.Shop`, and digests of the pages are what the shop
showed when the sessions were recorded, to notice a change of any byte.
"""

from __future__ import annotations

import ast
import hashlib
import json
import random
from pathlib import Path
from typing import Any

from rememberer_nb.envs import make_env
from rememberer_nb.envs.webshop.engine import FORMATS
from rememberer_nb.envs.webshop.nouns import light_nouns
from rememberer_nb.envs.webshop.reward import COLOURS
from rememberer_nb.envs.webshop.shoppers import FirstHitShopper, InformedShopper
from rememberer_nb.loop.episode import run_episode
from rememberer_nb.system.resources import data_path
from tests.conformance.reference import Shop, learn

FOLDER = Path(__file__).with_name("recorded")
SEED = 0
TASKS = range(100, 112)
_WORDS = ["red", "blue", "lamp", "chair", "page", "next", "search", "price", "large", "small"]


def hand_case() -> dict[str, Any]:
    """Two episodes over two pages, n = 1, γ = 0.5, running mean."""
    steps = [(None, 0.0, "start here"), ("a", 0.0, "middle here"), ("b", 1.0, "end")]
    episode = {
        "task": "g",
        "steps": [{"action": a, "reward": r, "observation": o} for a, r, o in steps],
    }
    config = {"n_step": 1, "gamma": 0.5, "update": "mean", "learning_rate": None}
    return {"config": config, "episodes": [episode, episode]}


def drawn_case(seed: int) -> dict[str, Any]:
    """Short episodes over few pages and actions, so that pages return and likenesses tie."""
    draw = random.Random(seed)
    pages = [" ".join(draw.sample(_WORDS, draw.randint(1, 3))) for _ in range(6)]
    config = {
        "n_step": draw.choice([1, 2, 3, 5, None]),
        "gamma": draw.choice([1.0, 0.9, 0.5]),
        "update": draw.choice(["mean", "const"]),
        "learning_rate": 0.25,
    }
    episodes = []
    for _ in range(draw.randint(2, 4)):
        steps: list[dict[str, Any]] = [
            {
                "observation": draw.choice(pages),
                "action": draw.choice("abc"),
                "reward": draw.choice([0.0, 0.0, 0.25, 1.0]),
            }
            for _ in range(draw.randint(2, 7))
        ]
        steps[0] |= {"action": None, "reward": 0.0}
        task = draw.choice(["a red lamp", "a blue chair"])
        episodes.append({"task": task, "steps": steps, "truncated": draw.random() < 0.3})
    return {"config": config, "episodes": episodes}


def rlem_cases(n_drawn: int = 12) -> list[dict[str, Any]]:
    """The cases with their tables."""
    cases = [hand_case(), *map(drawn_case, range(n_drawn))]
    return [{**case, "table": rows(learn(case["config"], case["episodes"]))} for case in cases]


def rows(table: dict[tuple[str, str], dict[str, list[float]]]) -> list[dict[str, Any]]:
    """A table as a list of rows, in order of insertion."""
    return [
        {"task": g, "observation": o, "action": a, "q": round(q, 9), "visits": n}
        for (g, o), values in table.items()
        for a, (q, n) in values.items()
    ]


def digest(engine: Any) -> str:
    """Sixteen digits for the page in all three formats, and what can be clicked on it."""
    seen = [*(engine.observe(form) for form in FORMATS), *engine.clickables, engine.url_path]
    return hashlib.sha256("\n".join(seen).encode()).hexdigest()[:16]


def sessions() -> list[dict[str, Any]]:
    """Walks that end in a purchase: the first hit, and the wanted product with its options."""
    env = make_env("webshop", seed=SEED)
    engine = env.unwrapped.engine
    reference = Shop(data_path("webshop"), SEED, light_nouns, COLOURS)
    found = []
    for number in TASKS:
        shopper = [FirstHitShopper(), InformedShopper(engine.shop)][number % 2]
        episode = run_episode(env, shopper, number)
        actions = [step.action for step in episode.steps]
        if actions[-1] != "click[buy now]":
            continue
        asin, options = engine.url_path.split("/", 4)[3:]
        bought = {"asin": asin, "options": ast.literal_eval(options)}
        reward = reference.score(number, **bought)
        digests = [page for page, _ in replay(engine, number, actions)]
        found.append(
            {"task": number, "actions": actions, "pages": digests, "reward": reward, **bought}
        )
    return found


def replay(engine: Any, number: int, actions: list[str]) -> list[tuple[str, float]]:
    """The digest of each page on the way, the first page's included, and the reward there."""
    engine.reset(number)
    seen = [(digest(engine), 0.0)]
    for action in actions:
        outcome = engine.step(action)
        seen.append((digest(engine), outcome.reward))
    return seen


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    for name, content in (("rlem", rlem_cases()), ("shop", sessions())):
        lines = ",\n".join(json.dumps(each, ensure_ascii=False) for each in content)
        (FOLDER / f"{name}.json").write_text(f"[\n{lines}\n]\n", encoding="utf-8")
