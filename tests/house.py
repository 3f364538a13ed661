"""The house as the code has it: its layers, and the way of one observation through it.

``python -m tests.house`` writes both into CONTRIBUTING.md, between its marks, and prints how large
the parts are (``make house``).
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from types import FrameType
from typing import Any

from tests.imports import PACKAGE, imported_names, module_names

CONTRIBUTING = PACKAGE.parent / "CONTRIBUTING.md"
_ROW = re.compile(r"^\| `(?P<part>[\w.]+)` \|", re.MULTILINE)
_START, _END = "<!-- {}: written by `make house` -->\n", "<!-- end of {} -->"


def parts_in_order() -> list[str]:
    """The parts of the package in the order of CONTRIBUTING's map, from the top down."""
    text = CONTRIBUTING.read_text(encoding="utf-8").partition("## Map of the code")[2]
    return [row["part"] for row in _ROW.finditer(text.partition("\n## ")[0])]


def part_of(module: str) -> str:
    """The part that a module belongs to; "" for the package's own face.

    >>> part_of("rememberer_nb.memory.store.file"), part_of("rememberer_nb")
    ('memory', '')
    """
    return module.partition(".")[2].partition(".")[0]


# What a reader of the paper needs to read: the loop, without durability, speed and variants.
TEACHING_CORE = (
    "elements", "rlem", "memory.table", "memory.experience", "retrieval.similarity",
    "retrieval.tfidf", "retrieval.index", "prompting.exemplars",
    "prompting.prompts", "prompting.replies", "agents.interface", "agents.prompting_agent",
    "agents.rememberer", "loop.episode", "loop.training",
)  # fmt: skip


def n_lines() -> dict[str, int]:
    """Lines of each part, of the teaching core, and of all."""
    by_module = {
        module.removeprefix(PACKAGE.name + "."): len(path.read_text("utf-8").splitlines())
        for module, path in module_names(PACKAGE).items()
    }
    lines: dict[str, int] = {}
    for module in module_names(PACKAGE):
        n = by_module[module.removeprefix(PACKAGE.name + ".")]
        lines[part_of(module)] = lines.get(part_of(module), 0) + n
    lines["teaching core"] = sum(by_module[module] for module in TEACHING_CORE)
    lines["all"] = sum(by_module.values())
    return lines


def imports() -> set[tuple[str, str, str]]:
    """(part, part that it imports from, module that does) for all parts, late imports included."""
    known = {part_of(module) for module in module_names(PACKAGE)} - {""}
    found = set()
    for module, path in module_names(PACKAGE).items():
        for name in imported_names(module, path, only_at_import=False):
            if name.split(".")[0] == PACKAGE.name and part_of(name) in known:
                found.add((part_of(module), part_of(name), module))
    return {(one, other, module) for one, other, module in found if one and one != other}


def drawing_of_layers() -> str:
    """The parts and their imports; an arrow that others already imply is left out."""
    arrows = {(one, other) for one, other, _ in imports() if one != "__main__"}
    order = [part for part in parts_in_order() if part != "__main__"]
    below: dict[str, set[str]] = {}
    for part in order:
        direct = {other for one, other in arrows if one == part}
        below[part] = direct.union(*(below.get(other, set()) for other in direct))
    needed = [
        (one, other)
        for one, other in sorted(arrows, key=lambda arrow: tuple(map(order.index, arrow)))
        if not any((one, via) in arrows and other in below[via] for via in order if via != other)
    ]
    lines = [f"    {one} --> {other}" for one, other in needed]
    return "\n".join(["```mermaid", "flowchart BT", *lines, "```"])


def observation_s_way() -> list[str]:
    """Functions that are handed the first observation of an episode, in the order of their calls.

    The agent takes a step and learns from it, the memory is written, and a second episode is shown
    the record. A function is listed when it is first called.
    """
    from rememberer_nb import Settings, build_agent, build_env, build_memory, run_episode

    settings = Settings()
    env = build_env(settings)
    seen, _ = env.reset(seed=0, options={"task": 500})
    way: dict[str, None] = {}

    def follow(frame: FrameType, event: str, _: Any) -> None:
        module = str(frame.f_globals.get("__name__", ""))
        if event != "call" or not module.startswith(PACKAGE.name + "."):
            return
        code = frame.f_code
        named = code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]
        if any(_holds(frame.f_locals.get(name), seen) for name in named):
            name = code.co_qualname if hasattr(code, "co_qualname") else code.co_name
            way.setdefault(f"{module.removeprefix(PACKAGE.name + '.')}.{name}")

    with build_memory(settings) as memory:
        agent = build_agent("rememberer", env, settings, memory=memory)
        sys.setprofile(follow)
        try:
            episode = run_episode(env, agent, 500, learn=True)
            memory.commit(episode)
            run_episode(env, agent, 500)
        finally:
            sys.setprofile(None)
    # What has no name of its own to the outside (`_act`, `<genexpr>`) belongs to its caller, and
    # values and checks are on everybody's way.
    return [
        name
        for name in way
        if name.rpartition(".")[2][0] not in "_<"
        and part_of(f".{name}") not in ("elements", "system")
    ]


def _holds(value: object, text: str) -> bool:
    if isinstance(value, str):
        return text in value
    for name in ("observation", "text", "next_observation"):
        if text in str(getattr(value, name, "")):
            return True
    return hasattr(value, "record") and _holds(value.record, text)


def drawing_of_the_way() -> str:
    """The way, a line for each part that it enters."""
    lines: list[str] = []
    last = ""
    for name in observation_s_way():
        part, _, rest = name.partition(".")
        if part == last:
            lines[-1] += f" → `{rest}`"
        else:
            lines.append(f"1. **{part}** `{rest}`")
        last = part
    return "\n".join(lines)


def blocks() -> Iterator[tuple[str, str]]:
    """The name of each generated block, and what it holds."""
    yield "layers", drawing_of_layers()
    yield "way", drawing_of_the_way()


def written(text: str) -> str:
    """CONTRIBUTING with its generated blocks made anew."""
    for name, content in blocks():
        head, start, rest = text.partition(_START.format(name))
        _, end, tail = rest.partition(_END.format(name))
        if not end:
            raise SystemExit(f"CONTRIBUTING.md has no block named {name!r}")
        text = f"{head}{start}{content}\n{end}{tail}"
    return text


if __name__ == "__main__":
    held = CONTRIBUTING.read_text(encoding="utf-8")
    drawn = written(held)
    if sys.argv[1:] == ["--check"]:
        print(drawn)
        sys.exit("run `make house`" if drawn != held else 0)
    CONTRIBUTING.write_text(drawn, encoding="utf-8")
    for part, n in n_lines().items():
        print(f"{n:7,} {part or '__init__'}")
