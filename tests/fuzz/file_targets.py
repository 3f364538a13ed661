"""Fuzzed files: memories, logs, pools, recordings, catalogues and what else is read."""

from __future__ import annotations

import gzip
import json
import shutil
import sqlite3
from pathlib import Path

from rememberer_nb.envs.webshop.disk import DiskCatalogue
from rememberer_nb.envs.webshop.shop import GOAL_KINDS, ShopSource, load_shop
from rememberer_nb.envs.wikihow.goals import load_tasks
from rememberer_nb.llms.replay.recording import read_recording
from rememberer_nb.memory.initial import read_initial
from rememberer_nb.system.resources import data_path
from tests.fuzz.case import Case, target
from tests.fuzz.samples import PAGE, fresh_memory, notebook, session_visits


def use_memory(case: Case, path: Path) -> None:
    """What was taken into a memory file can be looked at in every way."""
    case.command("memory", "check", path, must=True)
    case.command("memory", "show", path, *case.rng.choice(((), ("--json",))), must=True)
    case.command("memory", "stats", path, "--json", must=True)
    if case.rng.random() < 0.3:
        case.command("memory", "dump", path, "--json", must=True)
        for ending in ("csv", "jsonl"):
            frame = case.folder / f"again.{ending}"
            case.command("export", "frame", path, "--out", frame, must=True)
            case.command("import", "frame", frame, must=True)
        case.command("export", "pool", path, "--out", case.folder / "again.yaml", must=True)


@target
def frame_jsonl(case: Case) -> None:
    """Action values in JSON Lines."""
    text = case.mutator.json_lines(case.samples.lines("frame.jsonl"))
    _import_frame(case, case.put("frame.jsonl", case.maybe_damaged(text)))


@target
def frame_csv(case: Case) -> None:
    """Action values in CSV."""
    text = (case.samples.folder / "frame.csv").read_text(encoding="utf-8")
    _import_frame(case, case.put("frame.csv", case.maybe_damaged(case.mutator.csv(text))))


def _import_frame(case: Case, path: Path) -> None:
    memory = case.folder / "new.sqlite"
    if case.command("import", "frame", path, "--memory", memory) == 0:
        use_memory(case, memory)


@target
def initial_memory(case: Case) -> None:
    """--initial: our own JSON."""
    env = case.rng.choice(("webshop", "wikihow"))
    content = json.loads(data_path(env, "E0.json").read_text(encoding="utf-8"))
    path = case.put("initial.json", case.maybe_damaged(case.mutator.json(content)))
    records = case.call(read_initial, path)
    if records is not None:
        memory = fresh_memory()
        memory.add_initial(records)
        memory.commit()
        memory.stats()
        list(memory.retrieve("a lamp", PAGE))
    if case.rng.random() < 0.2:
        case.command("train", "--estimate", "--tasks", "500", "--env", env, "--initial", path)


@target
def pool(case: Case) -> None:
    """A published memory pool in YAML."""
    text = (case.samples.folder / "pool.yaml").read_text(encoding="utf-8")
    path = case.put("pool.yaml", case.maybe_damaged(case.mutator.text(text)))
    memory = case.folder / "new.sqlite"
    if case.command("import", "pool", path, "--memory", memory) == 0:
        use_memory(case, memory)


@target
def sessions(case: Case) -> None:
    """Session logs, with or without the shop's attributes."""
    text = case.mutator.json_lines(session_visits())
    path, memory = case.put("s1.jsonl", case.maybe_damaged(text)), case.folder / "new.sqlite"
    more: tuple[object, ...] = ()
    if case.rng.random() < 0.3:
        table = {"B01": {"attributes": ["soft", "red"]}}
        more = ("--attributes", case.put("attributes.json", case.mutator.json(table)))
    if case.command("import", "sessions", path, "--memory", memory, *more) == 0:
        use_memory(case, memory)


@target
def react(case: Case) -> None:
    """ReAct's transcripts: as text, as a notebook, gzipped."""
    printed = case.samples.react
    if case.rng.random() < 0.5:
        content = notebook(case.mutator.text(printed))
        text = case.mutator.json(content) if case.rng.random() < 0.5 else json.dumps(content)
        name = "log.ipynb"
    else:
        text, name = case.mutator.text(printed), "log.txt"
    path, memory = case.put(name, _packed(case, text)), case.folder / "new.sqlite"
    if case.command("import", "react", path, "--memory", memory) == 0:
        use_memory(case, memory)


@target
def recording(case: Case) -> None:
    """A recording of calls to an LLM."""
    text = case.mutator.json_lines(case.samples.lines("recording.jsonl"))
    path = case.put("recording.jsonl", case.maybe_damaged(text))
    found = case.call(read_recording, path)
    for call in () if found is None else found.calls.values():
        case.call(call.outcome)
    if case.rng.random() < 0.2:
        case.command("evaluate", "--tasks", "0", "--max-steps", "1", "--llm", f"replay:{path}")


@target
def comparison(case: Case) -> None:
    """The file of finished seeds."""
    from rememberer_nb.experiments import comparison as experiments
    from rememberer_nb.teaching.report import comparison_numbers

    wanted, rows = case.samples.comparison, case.samples.seed_rows
    text = case.mutator.json_lines(rows)
    path = case.put("comparison.jsonl", case.maybe_damaged(text))
    held, experiments.run_seed = experiments.run_seed, lambda *_: rows[1]
    try:
        found = case.call(experiments.compare, wanted, path=path, is_shown=False)
    finally:
        experiments.run_seed = held
    if found is not None:
        case.call(comparison_numbers, found)


@target
def catalogue(case: Case) -> None:
    """The three files of a shop: in memory, and indexed."""
    paths = _catalogue_files(case)
    goals = case.rng.choice(GOAL_KINDS)
    shop = case.call(load_shop.__wrapped__, ShopSource(*paths.values(), goals=goals))
    if shop is not None:
        shop.find(("lamp", "red"))
        list(shop.tasks)
    if case.rng.random() < 0.4:
        out = case.folder / "index"
        if case.command("webshop", "index", *paths.values(), "--out", out) == 0:
            case.call(load_shop.__wrapped__, ShopSource(out, goals=goals))


def _catalogue_files(case: Case) -> dict[str, Path]:
    chosen = case.rng.choice(sorted(case.samples.catalogue))
    paths = {name: case.samples.folder / f"{name}.json" for name in case.samples.catalogue}
    text = case.mutator.json(case.samples.catalogue[chosen])
    return {**paths, chosen: case.put(f"{chosen}.json", _packed(case, text))}


@target
def index_folder(case: Case) -> None:
    """A shop's index on disk."""
    folder = case.folder / "index"
    shutil.copytree(case.samples.index, folder)
    path = case.rng.choice(sorted(folder.iterdir()))
    if path.suffix == ".json" and case.rng.random() < 0.5:
        path.write_text(case.mutator.json(json.loads(path.read_text())), "utf-8", "surrogatepass")
    else:
        path.write_bytes(case.mutator.bytes(path.read_bytes()))
    found = case.call(DiskCatalogue, folder)
    if found is not None:
        case.call(lambda: [list(found.products), list(found.find(("lamp",)))])
        case.call(found.draw, case.rng.choice(GOAL_KINDS), 0)


@target
def site(case: Case) -> None:
    """The how-to site and its tasks."""
    site_path, tasks_path = data_path("wikihow", "site.json.gz"), data_path("wikihow", "tasks.json")
    if case.rng.random() < 0.5:
        content = json.loads(tasks_path.read_text(encoding="utf-8"))
        content["tasks"] = content["tasks"][:5]
        tasks_path = case.put("tasks.json", case.maybe_damaged(case.mutator.json(content)))
    else:
        content = json.loads(gzip.decompress(site_path.read_bytes()))
        site_path = case.put("site.json", _packed(case, case.mutator.json(content)))
    case.call(load_tasks.__wrapped__, tasks_path, site_path)


@target
def memory_file(case: Case) -> None:
    """A memory file with bytes or cells changed."""
    path = case.put("memory.sqlite", case.samples.memory.read_bytes())
    if case.rng.random() < 0.5:
        path.write_bytes(case.mutator.bytes(path.read_bytes()))
    else:
        _change_cell(case, path)
    case.command("memory", "check", path)
    for what in ("show", "stats", "dump"):
        case.command("memory", what, path, "--json")
    case.command("memory", "diff", path, case.samples.memory)
    case.command("memory", "trace", path, "0")
    case.command("export", "frame", path, "--out", case.folder / "frame.csv")
    case.command("export", "pool", path, "--out", case.folder / "pool.yaml")
    case.command("memory", "merge", path, path, "--out", case.folder / "two.sqlite")


def _change_cell(case: Case, path: Path) -> None:
    values = (None, -1, 2**62, 1e999, "x", b"\xff\x00", "[" * 2000, "{}", "[[1,2]]", "NaN", 1.5)
    with sqlite3.connect(path) as db:
        tables = [
            name for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type='table'")
        ]
        table = case.rng.choice(tables)
        columns = [row[1] for row in db.execute(f"PRAGMA table_info({table})")]
        column = case.rng.choice(columns)
        change = f'UPDATE OR IGNORE {table} SET "{column}" = ?'
        case.notes.append(change)
        try:
            db.execute(change, (case.rng.choice(values),))
        except sqlite3.Error:
            db.execute(f"DELETE FROM {table}")
    db.close()


def _packed(case: Case, text: str) -> bytes:
    data = case.maybe_damaged(text)
    if case.rng.random() < 0.3:
        data = gzip.compress(data, 1)
        return case.mutator.bytes(data) if case.rng.random() < 0.3 else data
    return data
