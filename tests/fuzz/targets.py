"""What is fuzzed: each target makes inputs of one kind and drives the real entry points."""

from __future__ import annotations

import gzip
import json
import os
import shutil
import socket
import sqlite3
from collections.abc import Callable
from pathlib import Path

from rememberer_nb.elements import Episode, Prompt, from_data, to_data
from rememberer_nb.envs.webshop.disk import DiskCatalogue
from rememberer_nb.envs.webshop.profile import WEBSHOP
from rememberer_nb.envs.webshop.shop import GOAL_KINDS, ShopSource, load_shop
from rememberer_nb.envs.wikihow.goals import load_tasks
from rememberer_nb.initial import read_initial
from rememberer_nb.llms.answers import check_schema, read_answer
from rememberer_nb.llms.recording import read_recording
from rememberer_nb.prompts import REPLY_SCHEMA
from rememberer_nb.replies import parse_reply
from rememberer_nb.resources import data_path
from tests.fuzz.case import Case
from tests.fuzz.samples import ITEM, PAGE, fresh_memory, notebook, session_visits

Target = Callable[[Case], None]
TARGETS: dict[str, Target] = {}


def target(function: Target) -> Target:
    """Make a target known by its name."""
    TARGETS[function.__name__] = function
    return function


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
    from rememberer_nb import experiments
    from rememberer_nb.report import comparison_numbers

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


@target
def episode_json(case: Case) -> None:
    """An episode as the memory file holds it."""
    data = json.loads(json.dumps(to_data(case.samples.episode)))
    try:
        changed = json.loads(case.mutator.json(data))
    except (ValueError, RecursionError):
        return
    case.call(from_data, Episode, changed)


@target
def parameter(case: Case) -> None:
    """-p NAME=VALUE."""
    text = case.rng.choice(("x=[1, 2]", "name={a: 1}", "seed=3", "a: b=c", "x=!!python/tuple [1]"))
    given = case.mutator.text(text)
    case.command("run", "99", "--out", case.folder / "out", "-p", given.replace("\0", ""))


_OPTIONS = (
    "--tasks", "--seed", "--seeds", "--max-steps", "--gamma", "--n-step", "--epochs", "--agent",
    "--env", "--llm", "--initial", "--n-exemplars", "--task-weight", "--batch-size",
    "--max-records", "--eviction", "--stand-in", "--task-similarity", "--observation-similarity",
    "--ranking", "--exploration", "--temperature", "--max-tokens", "--stop", "--llm-seed",
    "--concurrency", "--budget-money", "--budget-calls", "--input-price", "--timeout", "--memory",
)  # fmt: skip
_GIVEN = (
    "0", "1", "-1", "3", "0:2", "2:0", ":", "0:99999999999", "99999999999999999999", "1e999",
    "nan", "-inf", "0.5", "", " ", "x", "S0", "S0,S0", "test", "500,", "1:2:3", "0x10", "٣", "1_0",
    "\ud800", "\u202e", "\n", "a=b", "none", "all", "call", "webshop", "wikihow", "random", "tfidf",
    "lcs", "offline", "offline:able", "offline:x", "openai", "replay:", "record:x", "llama.cpp:x",
    "embedding:", "2*tfidf+jaccard", "0*tfidf", "-1*lcs", "E1", "empty", "/", "redundancy",
    "kernel", "two_phase", "9" * 400, "a" * 300, "..", "~", "%s",
)  # fmt: skip


@target
def arguments(case: Case) -> None:
    """Options of the commands; nothing is run, only estimated."""
    line: list[str] = [case.rng.choice(("train", "evaluate")), "--estimate", "--tasks", "500"]
    for option in case.rng.sample(_OPTIONS, case.rng.choice((1, 1, 2, 4))):
        given = case.rng.choice(_GIVEN)
        line.append(f"{option}={given}" if case.rng.random() < 0.5 else option)
        if "=" not in line[-1]:
            line.append(given)
    if "--tasks=" not in " ".join(line) and case.rng.random() < 0.3:
        line += ["--tasks", ",".join(case.rng.choices(_GIVEN, k=2))]
    here = Path.cwd()
    os.chdir(case.folder)
    try:
        case.command(*line)
    finally:
        os.chdir(here)


@target
def memory_arguments(case: Case) -> None:
    """Options of the commands on memory files."""
    path, given = case.samples.memory, lambda: case.rng.choice(_GIVEN)
    out = case.folder / "new.sqlite"
    case.command(
        *case.rng.choice(
            (
                ("memory", "show", path, f"--rows={given()}"),
                ("memory", "show", path, f"--sort={given()}"),
                ("memory", "stats", path, f"--env={given()}"),
                ("memory", "trace", path, given(), f"--action={given()}"),
                ("memory", "filter", path, "--out", out, f"--updates={given()}"),
                ("memory", "filter", path, "--out", out, f"--episodes={given()}"),
                ("memory", "filter", path, "--out", out, f"--task={given()}"),
                ("memory", "diff", path, path, f"--rows={given()}"),
                ("export", "pool", path, "--out", case.folder / "p.yaml", f"--source={given()}"),
                ("bench", f"no-{given()}"),
            )
        )
    )


def _make_socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as made:
        made.bind(str(path))


_ODD_FILES: dict[str, Callable[[Path], object]] = {
    "a pipe": os.mkfifo,
    "a socket": _make_socket,
    "a folder": Path.mkdir,
    "nothing": lambda path: None,
    "a link to itself": lambda path: path.symlink_to(path),
    "a link to nothing": lambda path: path.symlink_to("absent"),
    "a link to /dev/zero": lambda path: path.symlink_to("/dev/zero"),
    "a link to /dev/null": lambda path: path.symlink_to("/dev/null"),
    "an empty file": Path.touch,
    "a bomb": lambda path: path.write_bytes(gzip.compress(bytes(1 << 24))),
}


@target
def odd_files(case: Case) -> None:
    """Pipes, folders, devices, links and nothing, wherever a file is expected."""
    kind = case.rng.choice(sorted(_ODD_FILES))
    memory = case.samples.memory
    command, name = case.rng.choice(
        (
            (("import", "frame"), "x.jsonl"), (("import", "frame"), "x.csv"),
            (("import", "pool"), "x.yaml"), (("import", "sessions"), "x.jsonl"),
            (("import", "react"), "x.ipynb"), (("import", "react"), "x.txt"),
            (("memory", "check"), "x.sqlite"), (("memory", "show"), "x.sqlite"),
            (("export", "frame", memory, "--out"), "x.csv"),
            (("export", "pool", memory, "--out"), "x.yaml"),
            (("train", "--estimate", "--tasks", "500", "--initial"), "x.json"),
            (("evaluate", "--tasks", "0", "--max-steps", "1", "--llm"), "x.jsonl"),
            (("memory", "filter", memory, "--out"), "x.sqlite"),
        )
    )  # fmt: skip
    path = case.folder / name
    _ODD_FILES[kind](path)
    case.notes.append(kind)
    before = os.readlink(path) if path.is_symlink() else None
    case.command(*command, f"replay:{path}" if command[-1] == "--llm" else path)
    assert before is None or (path.is_symlink() and os.readlink(path) == before), "a link is lost"


@target
def answer_body(case: Case) -> None:
    """What a server of an LLM answers."""
    reply = json.dumps({"action": "click[b01]", "value": 0.5, "rationale": "it fits"})
    body = {
        "model": "m",
        "choices": [{"message": {"content": reply}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 7, "completion_tokens": 3},
    }
    prompt = Prompt((("user", "hello"),), "hello", 2)
    found = case.call(read_answer, case.mutator.json(body), prompt, model="m")
    if found is not None:
        case.call(check_schema, found, REPLY_SCHEMA)


@target
def reply_text(case: Case) -> None:
    """What an LLM writes."""
    texts = (
        '{"action": "click[b01]", "value": 0.5, "rationale": "it fits"}',
        "Encouraged:\n1. click[b01] -> 0.9 it fits\nDiscouraged:\n- click[b02] -> 0 no",
        "search[red lamp] -> 0.5\nthought: maybe",
    )
    actions = ("click[b01]", "click[b02]", "search[<keywords>]")
    case.call(parse_reply, case.mutator.text(case.rng.choice(texts)), actions, WEBSHOP)


_SIMILARITIES = (
    "tfidf", "jaccard", "lcs", "lcs_class", "instruction_pattern", "page_pattern",
    "instruction_relevance", "page_relevance", "9*page_pattern+instruction_relevance",
)  # fmt: skip


@target
def observation(case: Case) -> None:
    """Odd pages and tasks: kept, found again, shown."""
    from rememberer_nb.config import RetrievalConfig
    from rememberer_nb.importers.shop_pages import Page, available_actions
    from rememberer_nb.llms import make_llm
    from rememberer_nb.memory import ExperienceMemory
    from rememberer_nb.views import to_html

    page = case.mutator.text(case.rng.choice((PAGE, ITEM)))
    task = case.mutator.text("i want a red lamp\nand price lower than 60.00 dollars")
    f_g, f_o = case.rng.choice(_SIMILARITIES), case.rng.choice(_SIMILARITIES)
    case.notes.append(f"{f_g}, {f_o}")
    memory = ExperienceMemory(RetrievalConfig(task_similarity=f_g, observation_similarity=f_o))
    memory.adopt(fresh_memory())
    record = memory.insert(task, page, available_actions(page))
    memory.add_action(record, case.mutator.odd_text(), case.mutator.odd_text())
    memory.commit()
    for hit in list(memory.retrieve(task, PAGE)) + list(memory.retrieve("", page)):
        memory.explain(hit)
    assert isinstance(to_html(memory), str)
    memory.to_frame()
    memory.stats()
    Page(page).click_option(case.mutator.odd_text()).show()
    prompt = Prompt((("user", page),), case.mutator.text(f"## Example 1\nTask: {task}\n{page}"), 2)
    case.call(make_llm("offline", profile=WEBSHOP).complete, prompt)


def _packed(case: Case, text: str) -> bytes:
    data = case.maybe_damaged(text)
    if case.rng.random() < 0.3:
        data = gzip.compress(data, 1)
        return case.mutator.bytes(data) if case.rng.random() < 0.3 else data
    return data
