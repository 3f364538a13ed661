"""The YAML of published memory pools: plain values and tuples, and nothing else.

Files are read with PyYAML's safe loader; the one Python tag it knows besides is the tuple. What
is too large once its aliases are written out is refused before anything is built of it.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from rememberer_nb.errors import DataError
from rememberer_nb.system.checks import MAX_VALUE, is_number
from rememberer_nb.system.files import read_bytes

TUPLE_TAG = "tag:yaml.org,2002:python/tuple"

# What a file may amount to with its aliases written out, in characters; a node counts for 100
# besides its text. The largest published pool amounts to 0.4 million.
MAX_EXPANDED = 100_000_000
_NODE_COST = 100
# Lists and mappings inside each other; published pools have five. As JSON it becomes three times so
# much, which `files.MAX_DEPTH` has to hold.
MAX_HEIGHT = 30


class PoolLoader(yaml.SafeLoader):  # type: ignore[misc]
    """Builds plain values and tuples; a mapping must not name a key twice."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        """As the safe loader, but a repeated key is an error and not the last one's win."""
        mapping: dict[Any, Any] = super().construct_mapping(node, deep=deep)
        if len(mapping) < len(node.value):
            raise yaml.constructor.ConstructorError(
                None, None, "a key stands twice in one mapping", node.start_mark
            )
        return mapping


class PoolDumper(yaml.SafeDumper):  # type: ignore[misc]
    """Writes plain values and tuples, each in full: no aliases."""

    def ignore_aliases(self, data: Any) -> bool:
        """Never refer to what was written before."""
        return True


def _construct_tuple(loader: PoolLoader, node: yaml.Node) -> tuple[Any, ...]:
    if not isinstance(node, yaml.SequenceNode):
        raise yaml.constructor.ConstructorError(
            None, None, "a tuple must be a sequence", node.start_mark
        )
    return tuple(loader.construct_sequence(node, deep=True))


def _construct_number(loader: PoolLoader, node: yaml.ScalarNode) -> float:
    make = loader.construct_yaml_int if node.tag.endswith(":int") else loader.construct_yaml_float
    number: float = make(node)
    if not is_number(number):
        raise yaml.constructor.ConstructorError(
            None, None, f"{node.value:.20} is no number up to {MAX_VALUE:g}", node.start_mark
        )
    return number


PoolLoader.add_constructor(TUPLE_TAG, _construct_tuple)
for _tag in ("int", "float"):
    PoolLoader.add_constructor(f"tag:yaml.org,2002:{_tag}", _construct_number)
PoolDumper.add_representer(
    tuple, lambda dumper, value: dumper.represent_sequence(TUPLE_TAG, list(value))
)


def load_yaml(path: Path) -> tuple[Any, list[int]]:
    """The value in a YAML file, and the line on which each key of its outermost mapping stands.

    Raises
    ------
    DataError
        The file is missing or malformed, holds a tag other than a tuple's, holds a key twice, or
        is too large with its aliases written out; the message names file and line.
    """
    data = read_bytes(path)
    try:
        loader = PoolLoader(data)
        try:
            node = loader.get_single_node()
            if node is None:
                return None, []
            _check_size(node)
            content = loader.construct_document(node)
            # Only now: what a mapping merges ("<<") has become its own.
            keys = node.value if isinstance(node, yaml.MappingNode) else []
            return content, [key.start_mark.line + 1 for key, _ in keys]
        finally:
            loader.dispose()
    except yaml.YAMLError as error:
        raise _data_error(error, path) from error
    except (ValueError, TypeError, RecursionError, OverflowError) as error:
        raise DataError(f"holds something that is no plain value: {error}", path=path) from error


def dump_yaml(value: Any) -> str:
    """The YAML of plain values and tuples, as `load_yaml` reads it.

    >>> print(dump_yaml({("a", "b"): [1]}), end="")
    ? !!python/tuple
    - a
    - b
    : - 1
    """
    return str(yaml.dump(value, Dumper=PoolDumper, sort_keys=False, allow_unicode=True, width=100))


def _data_error(error: yaml.YAMLError, path: Path) -> DataError:
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    problem = (
        getattr(error, "problem", None)
        or getattr(error, "context", None)
        or " ".join(str(error).split())
    )
    field = f"line {mark.line + 1}" if mark else None
    return DataError(f"is no memory pool: {problem}", path=path, field=field)


def _check_size(root: yaml.Node) -> None:
    """Refuse what is endless, too large or too deep, at one look per node, aliases or not."""
    sizes: dict[int, int] = {}
    heights: dict[int, int] = {}
    stack: list[tuple[yaml.Node, bool]] = [(root, False)]
    under_way: set[int] = set()
    while stack:
        node, is_done = stack.pop()
        if is_done:
            under_way.discard(id(node))
            text = len(node.value) if isinstance(node, yaml.ScalarNode) else 0
            sizes[id(node)] = _NODE_COST + text + sum(sizes[id(c)] for c in _children(node))
            heights[id(node)] = 1 + max((heights[id(c)] for c in _children(node)), default=0)
            if heights[id(node)] > MAX_HEIGHT:
                raise _refusal("is nested too deeply", node)
            if sizes[id(node)] > MAX_EXPANDED:
                raise _refusal("is too large with its aliases written out", node)
        elif id(node) not in sizes:
            if id(node) in under_way:
                raise _refusal("holds itself", node)
            under_way.add(id(node))
            stack.append((node, True))
            stack += [(c, False) for c in _children(node) if id(c) not in sizes]


def _children(node: yaml.Node) -> Iterator[yaml.Node]:
    if isinstance(node, yaml.SequenceNode):
        yield from node.value
    elif isinstance(node, yaml.MappingNode):
        for pair in node.value:
            yield from pair


def _refusal(problem: str, node: yaml.Node) -> yaml.MarkedYAMLError:
    return yaml.MarkedYAMLError(problem=problem, problem_mark=node.start_mark)
