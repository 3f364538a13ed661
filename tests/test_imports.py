"""Imports: few at the start, one place for each heavy library, and one way through the package."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from collections.abc import Collection, Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parent.parent / "rememberer_nb"
# Which module, or subpackage, may import each of these.
OWNERS = {
    "ipywidgets": "rememberer_nb.display.widgets",
    "matplotlib": "rememberer_nb.display.plots",
    "openai": "rememberer_nb.llms",
    "papermill": "rememberer_nb.teaching.headless",
}
IMPORT_LIMIT_S = 1.0


def module_names(package: Path) -> dict[str, Path]:
    """Module name -> file, for every module below a package's folder."""
    names = {}
    for path in sorted(package.rglob("*.py")):
        parts = [package.name, *path.relative_to(package).with_suffix("").parts]
        names[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return names


def _runs_at_import(tree: ast.AST) -> Iterator[ast.AST]:
    for node in ast.iter_child_nodes(tree):
        is_function = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        if is_function or (isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)):
            continue
        yield node
        yield from _runs_at_import(node)


def imported_names(module: str, path: Path, *, only_at_import: bool) -> set[str]:
    """Every dotted name that a module imports: "a.b" for `import a.b` and `from a import b`."""
    tree = ast.parse(path.read_text(encoding="utf-8"), filename=str(path))
    names: set[str] = set()
    for node in _runs_at_import(tree) if only_at_import else ast.walk(tree):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = _base(node, module, is_package=path.name == "__init__.py")
            names.update(f"{base}.{alias.name}" for alias in node.names)
    return names


def _base(node: ast.ImportFrom, module: str, *, is_package: bool) -> str:
    parts = module.split(".")
    start = parts[: len(parts) - (node.level - is_package)] if node.level else []
    return ".".join([*start, *([node.module] if node.module else [])])


def import_graph(package: Path) -> dict[str, set[str]]:
    """Module -> the modules of the package that it needs while it is being imported."""
    modules = module_names(package)
    return {
        module: {
            needed
            for name in imported_names(module, path, only_at_import=True)
            if (needed := _module_of(name, modules)) not in ("", module)
        }
        for module, path in modules.items()
    }


def _module_of(name: str, modules: Collection[str]) -> str:
    """The module that a dotted name lies in: itself, or the nearest above; "" if none."""
    while name and name not in modules:
        name = name.rpartition(".")[0]
    return name


def find_cycle(graph: dict[str, set[str]]) -> list[str]:
    """One cycle of modules, or an empty list."""
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return error.args[1]
    return []


def strays(package: Path, owners: dict[str, str]) -> list[str]:
    """Imports of a library outside the module that owns it, anywhere in the code."""
    found = []
    for module, path in module_names(package).items():
        names = imported_names(module, path, only_at_import=False)
        for library in sorted({name.partition(".")[0] for name in names} & owners.keys()):
            if module != owners[library] and not module.startswith(owners[library] + "."):
                found.append(f"{module} imports {library}")
    return found


def test_each_heavy_library_is_imported_in_one_place():
    assert strays(PACKAGE, OWNERS) == []


def test_modules_do_not_import_each_other_in_a_circle():
    graph = import_graph(PACKAGE)
    assert graph["rememberer_nb.prompting.prompts"] >= {
        "rememberer_nb.config",
        "rememberer_nb.elements",
    }
    assert find_cycle(graph) == []


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
