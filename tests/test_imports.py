"""Imports: few at the start, one place for each heavy library, and one way through the package."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.house import parts_in_order
from tests.imports import (
    PACKAGE,
    find_cycle,
    import_graph,
    module_names,
    strays,
    upward,
)

# Which module, or subpackage, may import each of these.
OWNERS = {
    "ipywidgets": "rememberer_nb.display.widgets",
    "matplotlib": "rememberer_nb.display.plots",
    "openai": "rememberer_nb.llms",
    "papermill": "rememberer_nb.teaching.headless",
}
IMPORT_LIMIT_S = 1.0


def test_the_package_has_few_rooms():
    names = subprocess.run(
        ["git", "ls-files", PACKAGE.name], capture_output=True, text=True, cwd=PACKAGE.parent
    ).stdout.split()
    assert 10 < len({name.split("/")[1] for name in names}) <= 20


def test_each_heavy_library_is_imported_in_one_place():
    assert strays(PACKAGE, OWNERS) == []


def test_modules_do_not_import_each_other_in_a_circle():
    graph = import_graph(PACKAGE)
    assert graph["rememberer_nb.prompting.prompts"] >= {
        "rememberer_nb.config",
        "rememberer_nb.elements",
    }
    assert find_cycle(graph) == []


def test_the_map_in_contributing_is_complete():
    parts = {module.split(".")[1] for module in module_names(PACKAGE) if "." in module}
    assert sorted(parts_in_order()) == sorted(parts)


def test_a_module_imports_from_the_parts_above_its_own_only():
    assert upward(PACKAGE, parts_in_order()) == []


def test_the_drawings_in_contributing_are_those_of_the_code():
    # In a process of its own: what is remembered between calls is not called again.
    done = subprocess.run(
        [sys.executable, "-m", "tests.house", "--check"],
        capture_output=True, text=True, cwd=PACKAGE.parent,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    for name in ("retrieve", "build_prompt", "observe", "keep", "record_row", "format_input"):
        assert f".{name}`" in done.stdout, name


def _run_import(*lines: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-X", "importtime", "-c", "\n".join(lines)]
    return subprocess.run(command, capture_output=True, text=True, check=True, cwd=PACKAGE.parent)


def test_importing_the_package_is_quick_and_loads_no_heavy_library():
    seconds = []
    for _ in range(3):
        done = _run_import(
            "import json, sys, rememberer_nb",
            f"print(json.dumps([name for name in {sorted(OWNERS)} if name in sys.modules]))",
        )
        assert json.loads(done.stdout) == []
        # "import time:   self |   cumulative | name", in microseconds.
        rows = [line.split("|") for line in done.stderr.splitlines()]
        (total,) = (row[1] for row in rows if len(row) == 3 and row[2].strip() == "rememberer_nb")
        seconds.append(int(total) / 1e6)
    assert min(seconds) < IMPORT_LIMIT_S


@pytest.fixture
def toy(tmp_path: Path):
    """Writes a package `toy` from module name -> source."""

    def write(**sources: str) -> Path:
        package = tmp_path / "toy"
        package.mkdir()
        (package / "__init__.py").write_text("")
        for name, source in sources.items():
            path = package / (name.replace("__", "/") + ".py")
            path.parent.mkdir(exist_ok=True)
            path.write_text(source)
        return package

    return write


@pytest.mark.parametrize(
    "sources",
    [
        {"a": "import toy.b", "b": "import toy.a"},
        {"a": "from toy import b", "b": "from toy.a import x"},
        {"a": "from . import b", "b": "from .c import x", "c": "from . import a"},
        {"a": "class A:\n    from toy.b import x", "b": "if 1:\n    import toy.a"},
    ],
)
def test_a_circle_is_found(toy, sources: dict[str, str]):
    assert find_cycle(import_graph(toy(**sources)))


@pytest.mark.parametrize(
    "sources",
    [
        {"a": "import toy.b", "b": "def f():\n    import toy.a"},
        {"a": "import toy.b", "b": "if TYPE_CHECKING:\n    from toy.a import x"},
        {"a": "from toy.b import x", "b": "import json"},
    ],
)
def test_late_and_typing_imports_make_no_circle(toy, sources: dict[str, str]):
    assert find_cycle(import_graph(toy(**sources))) == []


def test_a_package_may_gather_its_modules_but_they_may_not_ask_it_back(toy):
    package = toy(a="from toy.b import x", b="y = 1")
    (package / "__init__.py").write_text("from toy import a\nfrom toy.b import y")
    assert import_graph(package)["toy"] == {"toy.a", "toy.b"}
    assert find_cycle(import_graph(package)) == []
    (package / "b.py").write_text("from toy import y")
    assert set(find_cycle(import_graph(package))) >= {"toy", "toy.b"}


def test_strays_are_found_wherever_they_stand(toy):
    package = toy(
        plots="import matplotlib.pyplot as plt",
        analysis="def f():\n    from matplotlib import cm",
        plotsy="import matplotlib",
        llms__client="import openai",
    )
    owners = {"matplotlib": "toy.plots", "openai": "toy.llms"}
    assert strays(package, owners) == [
        "toy.analysis imports matplotlib",
        "toy.plotsy imports matplotlib",
    ]


def test_an_import_from_below_is_found_wherever_it_stands(toy):
    package = toy(
        one="import json",
        two__deep="from toy.one import x\ndef f():\n    from toy.three import y",
        three="if TYPE_CHECKING:\n    from toy import four, two",
        four="import toy",
    )
    assert upward(package, ["one", "two", "three", "four"]) == [
        "toy.four imports toy",
        "toy.three imports toy.four",
        "toy.two.deep imports toy.three.y",
    ]


# Twins: of the two bundled environments, of the two kernels, of checks and walks of two kinds of
# part. And what a module does when it is run.
TWINS = {
    "Engine", "Goal", "SearchIndex", "page_type", "scout", "shortlist", "sum_rows", "sum_some",
    "same_again", "threads", "walk", "main", "gist", "say",
}  # fmt: skip


def public_names(package: Path) -> dict[str, list[str]]:
    """Public functions and classes of a package: name -> the modules that define it."""
    found: dict[str, list[str]] = {}
    for module, path in module_names(package).items():
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.FunctionDef | ast.ClassDef) and node.name[0] != "_":
                found.setdefault(node.name, []).append(module)
    return found


def test_no_two_things_share_a_name():
    shared = {name for name, modules in public_names(PACKAGE).items() if len(modules) > 1}
    assert shared == TWINS


def test_shared_names_are_found(toy):
    package = toy(one="def f(): pass\nclass _C: pass", two="class f: pass\nclass _C: pass")
    assert public_names(package) == {"f": ["toy.one", "toy.two"]}
