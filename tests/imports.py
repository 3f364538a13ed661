"""What imports what, read from the code."""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

PACKAGE = Path(__file__).resolve().parent.parent / "rememberer_nb"


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


def upward(package: Path, order: list[str]) -> list[str]:
    """Imports of a part that stands below one's own, anywhere in the code.

    The package's own face may name anything, and nothing inside may ask it.
    """
    found = []
    for module, path in module_names(package).items():
        part = module.partition(".")[2].partition(".")[0]
        if not part:
            continue
        for name in sorted(imported_names(module, path, only_at_import=False)):
            root, _, rest = name.partition(".")
            other = rest.partition(".")[0]
            if root == package.name and (
                other not in order or order.index(other) > order.index(part)
            ):
                found.append(f"{module} imports {name}")
    return found
