"""One small valid input of every kind, made once per process."""

from __future__ import annotations

import gzip
import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rememberer_nb.config import RolloutConfig
from rememberer_nb.elements import Episode, Transition
from rememberer_nb.envs.webshop.builder import build_index
from rememberer_nb.experiments.comparison import Comparison, run_seed
from rememberer_nb.loop.build import Settings
from rememberer_nb.memory import ExperienceMemory
from rememberer_nb.memory.interchange import write_frame
from rememberer_nb.memory.pools import read_pool, write_pool
from rememberer_nb.rlem import learn_episode
from rememberer_nb.system.plain import to_data
from rememberer_nb.system.resources import data_path

PAGE = "Instruction:\na red lamp\n[Back to Search]\nPage 1 (Total results: 2)\n[B01]\nLamp\n$5.0"
ITEM = "[Back to Search]\n[< Prev]\ncolor [red][[blue]]\nLamp\nPrice: $5.0\n[Buy Now]"
_GOAL = {
    "asin": "B01", "instruction_text": "i want a lamp", "attributes": ["soft"],
    "goal_options": ["red"], "price_upper": 30.0, "query": "lamps", "name": "A Lamp",
    "product_category": "Home › Lamps",
}  # fmt: skip
_INFO = {
    "r_type": 1.0, "r_att": 0.5, "r_option": 1.0, "r_price": True, "query_match": True,
    "category_match": False, "title_score": 0.25,
}  # fmt: skip


@dataclass(frozen=True)
class Samples:
    """Paths and values; nobody changes them."""

    folder: Path
    episode: Episode
    catalogue: dict[str, Any]
    react: str
    comparison: Comparison
    seed_rows: list[Any]

    @property
    def memory(self) -> Path:
        """A memory file."""
        return self.folder / "memory.sqlite"

    @property
    def index(self) -> Path:
        """A shop's index on disk."""
        return self.folder / "index"

    def lines(self, name: str) -> list[Any]:
        """The values of a JSON Lines file."""
        return [json.loads(line) for line in (self.folder / name).read_text().splitlines()]


def make_samples(folder: Path) -> Samples:
    """Everything, below an empty folder."""
    episode = _make_memory(folder)
    recording = data_path("recordings", "random_weights_shop.jsonl").read_text().splitlines(True)
    (folder / "recording.jsonl").write_text("".join(recording[:4]))
    catalogue = _catalogue(folder)
    logs = gzip.decompress(data_path("webshop", "logs", "bundled_shop.txt.gz").read_bytes())
    comparison, rows = _comparison()
    return Samples(folder, episode, catalogue, _first_episodes(logs), comparison, rows)


def session_visits() -> list[dict[str, Any]]:
    """A session from its first page to the purchase."""
    words = ["red", "lamp"]
    below = {"keywords": str(words), "page": "1", "asin": "B01", "options": {"color": "red"}}
    found = {"keywords": words, "page": 1, "search_result_asins": ["B01", "B02"]}
    visits = [
        ("index", "s1", {}),
        ("search_results", "search_results/s1/red+lamp/1", {"content": found}),
        ("item_page", "item_page/s1/B01", {"content": {**below, "options": {}}}),
        ("item_sub_page", "item_sub_page/s1/B01/red/1/Features", {"content": below}),
        ("item_page", "item_page/s1/B01", {"content": below}),
        ("done", "done/s1/B01", {"content": {"asin": "B01", "options": {"color": "red"},
                                             "price": 9.0},
                                 "reward": 0.75, "reward_info": _INFO}),
    ]  # fmt: skip
    return [
        {"page": page, "url": f"http://shop/{url}", "goal": _GOAL, **more}
        for page, url, more in visits
    ]


def notebook(printed: str) -> dict[str, Any]:
    """A notebook that printed a text."""
    output = {"output_type": "stream", "name": "stdout", "text": printed.splitlines(True)}
    cell = {"cell_type": "code", "source": [], "metadata": {}, "outputs": [output]}
    return {"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": [cell]}


def _make_memory(folder: Path) -> Episode:
    from tests.memory.store.test_store import filled

    with filled(folder / "memory.sqlite", 3) as memory:
        learn_episode(memory, "a red lamp", [
            Transition(PAGE, "click[b01]", 0.0, ITEM, available_actions=("click[b01]",)),
            Transition(ITEM, "click[buy now]", 1.0, "done", terminated=True, rationale="it fits"),
        ])  # fmt: skip
        memory.commit()
        write_pool(folder / "pool.yaml", memory)
        memory.add_initial(read_pool(folder / "pool.yaml"))
        memory.commit()
        for ending in ("csv", "jsonl"):
            write_frame(folder / f"frame.{ending}", memory)
        return memory.episode(1)


def _catalogue(folder: Path) -> dict[str, Any]:
    names = {
        "items": "items_shuffle.json", "attributes": "items_ins_v2.json",
        "instructions": "items_human_ins.json",
    }  # fmt: skip
    whole = {
        name: json.loads(gzip.decompress(data_path("webshop", f"{file}.gz").read_bytes()))
        for name, file in names.items()
    }
    asins = [row["asin"] for row in whole["items"][:6]]
    parts = {
        name: rows[:6]
        if isinstance(rows, list)
        else {asin: rows[asin] for asin in asins if asin in rows}
        for name, rows in whole.items()
    }
    for name, rows in parts.items():
        (folder / f"{name}.json").write_text(json.dumps(rows))
    shutil.rmtree(folder / "index", ignore_errors=True)
    build_index(*(folder / f"{name}.json" for name in names), folder / "index")
    return parts


def _first_episodes(log: bytes) -> str:
    end = b"\n-------------\n"
    parts = log.split(end)
    return (end.join(parts[:2]) + end).decode()


def _comparison() -> tuple[Comparison, list[Any]]:
    """A comparison of one task, and the file of it: a head and a finished seed."""
    rollout = RolloutConfig(max_steps=3, n_epochs=1)
    comparison = Comparison(Settings(rollout=rollout), (500,), (0,), (0,))
    head = json.loads(json.dumps({"comparison": {**to_data(comparison), "seeds": None}}))
    return comparison, [head, json.loads(json.dumps(run_seed(comparison, 0)))]


def fresh_memory() -> ExperienceMemory:
    """A small memory in RAM."""
    memory = ExperienceMemory()
    learn_episode(memory, "a lamp", [Transition(PAGE, "click[b01]", 0.5, ITEM, terminated=True)])
    return memory
