"""Fuzzed besides files: options, odd paths, answers of servers, replies, pages."""

from __future__ import annotations

import gzip
import json
import os
import socket
from collections.abc import Callable
from pathlib import Path

from rememberer_nb.config.reading import make_configs, to_toml
from rememberer_nb.elements import Episode, Prompt
from rememberer_nb.envs.webshop.profile import WEBSHOP
from rememberer_nb.llms.endpoint.answers import check_schema, read_answer
from rememberer_nb.prompting.prompts import REPLY_SCHEMA
from rememberer_nb.prompting.replies import parse_reply
from rememberer_nb.system.plain import from_data, to_data
from tests.fuzz.case import Case, target
from tests.fuzz.samples import ITEM, PAGE, fresh_memory


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
    "--set", "--config",
)  # fmt: skip
_GIVEN = (
    "0", "1", "-1", "3", "0:2", "2:0", ":", "0:99999999999", "99999999999999999999", "1e999",
    "nan", "-inf", "0.5", "", " ", "x", "S0", "S0,S0", "test", "500,", "1:2:3", "0x10", "٣", "1_0",
    "\ud800", "\u202e", "\n", "a=b", "none", "all", "call", "webshop", "wikihow", "random", "tfidf",
    "lcs", "offline", "offline:able", "offline:x", "openai", "replay:", "record:x", "llama.cpp:x",
    "embedding:", "2*tfidf+jaccard", "0*tfidf", "-1*lcs", "E1", "empty", "/", "redundancy",
    "kernel", "two_phase", "rlem.gamma=0.5", "rlem.n_step=\ud800", "llm.stop=", "=",
    "9" * 400, "a" * 300, "..", "~", "%s",
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
def config_file(case: Case) -> None:
    """--config FILE."""
    text = case.mutator.text(to_toml(make_configs({"rlem.gamma": 0.5, "llm.stop": ("END",)})))
    path = case.put("config.toml", text.encode("utf-8", "surrogatepass"))
    if case.command("config", "--config", path, "--json") == 0:
        case.command("train", "--estimate", "--config", path, "--tasks", "500")


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
    from rememberer_nb.envs.webshop.logs.shop_pages import LoggedPage, logged_actions
    from rememberer_nb.llms import make_llm
    from rememberer_nb.memory import ExperienceMemory
    from rememberer_nb.memory.views import to_html

    page = case.mutator.text(case.rng.choice((PAGE, ITEM)))
    task = case.mutator.text("i want a red lamp\nand price lower than 60.00 dollars")
    f_g, f_o = case.rng.choice(_SIMILARITIES), case.rng.choice(_SIMILARITIES)
    case.notes.append(f"{f_g}, {f_o}")
    memory = ExperienceMemory(RetrievalConfig(task_similarity=f_g, observation_similarity=f_o))
    memory.adopt(fresh_memory())
    record = memory.insert(task, page, logged_actions(page))
    memory.add_action(record, case.mutator.odd_text(), case.mutator.odd_text())
    memory.commit()
    for hit in list(memory.retrieve(task, PAGE)) + list(memory.retrieve("", page)):
        memory.explain(hit)
    assert isinstance(to_html(memory), str)
    memory.to_frame()
    memory.stats()
    LoggedPage(page).click_option(case.mutator.odd_text()).show()
    prompt = Prompt((("user", page),), case.mutator.text(f"## Example 1\nTask: {task}\n{page}"), 2)
    case.call(make_llm("offline", profile=WEBSHOP).complete, prompt)
