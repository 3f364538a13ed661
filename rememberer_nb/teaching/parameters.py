"""The parameters of a notebook: their types, the values allowed, and whether given ones fit.

The cell tagged `parameters` names them and gives their defaults, plain scalars. A value must be of
its default's type (a whole number will do for a float; None only where the default is None). Which
values are allowed beyond that is declared in the notebook's metadata::

    "rememberer_nb": {"parameters": {"n_epochs": {"min": 1}, "env": {"choices": ["a", "b"]}}}
"""

from __future__ import annotations

import ast
import difflib
import math
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nbformat

from rememberer_nb.errors import ConfigError, NotebookError

Scalar = bool | int | float | str | None
_WORDS: dict[str, Scalar] = {"true": True, "false": False, "null": None}
_WHOLE = re.compile(r"[-+]?[0-9]{1,1000}")
_REAL = re.compile(r"[-+]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][-+]?[0-9]+)?")
_NAMES = {bool: "true or false", int: "a whole number", float: "a number", str: "text"}


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter: what it is by default, and what it may be.

    >>> Parameter("n_epochs", 3, least=1).checked(0)
    Traceback (most recent call last):
    ...
    rememberer_nb.errors.ConfigError: n_epochs must be at least 1, got 0
    """

    name: str
    default: Scalar
    least: float | None = None
    most: float | None = None
    choices: tuple[Scalar, ...] = ()

    def checked(self, value: Any) -> Scalar:
        """The value, a float if a float is wanted; `ConfigError` if it does not fit."""
        kind = type(self.default)
        if self.default is None:
            is_fine = value is None or isinstance(value, bool | int | float | str)
        elif kind is float and type(value) is int:
            value, is_fine = _float(value), True
        else:
            is_fine = type(value) is kind
        if not is_fine:
            raise ConfigError(
                f"{self.name} must be {_NAMES.get(kind, 'a scalar')}, got {value!r:.80}"
            )
        problem = self._problem(value)
        if problem:
            raise ConfigError(f"{self.name} must be {problem}, got {value!r:.80}")
        return value

    def _problem(self, value: Any) -> str:
        if isinstance(value, float) and not math.isfinite(value):
            return "finite"
        if self.choices and value not in self.choices:
            return " or ".join(str(choice) for choice in self.choices)
        if value is None or isinstance(value, str | bool):
            return ""
        is_fine = (self.least is None or value >= self.least) and (
            self.most is None or value <= self.most
        )
        return "" if is_fine else self._range()

    def _range(self) -> str:
        if self.most is None:
            return f"at least {self.least}"
        return f"at most {self.most}" if self.least is None else f"in [{self.least}, {self.most}]"


def _float(value: int) -> float:
    try:
        return float(value)
    except OverflowError:
        return math.inf


def read_parameters(path: Path) -> dict[str, Parameter]:
    """Name -> parameter, in the order of the notebook's `parameters` cell.

    Raises
    ------
    NotebookError : the file is no notebook, or its cell holds something else than plain scalars.
    """
    notebook = read_notebook(path)
    limits = notebook.metadata.get("rememberer_nb", {}).get("parameters", {})
    found = {}
    for cell in notebook.cells:
        if cell.cell_type == "code" and "parameters" in cell.metadata.get("tags", []):
            for name, default in _defaults(cell.source, path):
                found[name] = _parameter(name, default, limits.get(name, {}))
    return found


def _defaults(source: str, path: Path) -> list[tuple[str, Scalar]]:
    try:
        return [_default(statement) for statement in ast.parse(source).body]
    except (ValueError, SyntaxError, TypeError) as error:
        raise NotebookError(f"{path.name}: the parameters cell: {error}") from error


def _default(statement: ast.stmt) -> tuple[str, Scalar]:
    match statement:
        case ast.Assign(targets=[ast.Name(id=name)], value=value):
            pass
        case ast.AnnAssign(target=ast.Name(id=name), value=ast.expr() as value):
            pass
        case _:
            raise ValueError(f"expected NAME = VALUE, got {ast.unparse(statement)}")
    default = ast.literal_eval(value)
    if default is not None and type(default) not in _NAMES:
        raise ValueError(f"expected a number, text, True, False or None, got {default!r}")
    return name, default


def _parameter(name: str, default: Scalar, limits: dict[str, Any]) -> Parameter:
    return Parameter(
        name, default, limits.get("min"), limits.get("max"), tuple(limits.get("choices", ()))
    )


def checked(path: Path, given: dict[str, Any]) -> dict[str, Scalar]:
    """The given values, if the notebook has such parameters and they may have these values.

    Raises
    ------
    ConfigError : names the parameter, what was expected, and what it was given.
    """
    known = read_parameters(path)
    for name in given:
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            hint = f"; did you mean {near[0]}?" if near else ""
            raise ConfigError(
                f"{path.name} has no parameter {name}; it has {', '.join(known) or 'none'}{hint}"
            )
    try:
        return {name: known[name].checked(value) for name, value in given.items()}
    except ConfigError as error:
        raise ConfigError(f"{path.name}: parameter {error}") from None


def fast_parameters(path: Path) -> dict[str, Any]:
    """The notebook's own values for a quick run (metadata ``rememberer_nb.fast``)."""
    return dict(read_notebook(path).metadata.get("rememberer_nb", {}).get("fast", {}))


def read_notebook(path: Path) -> Any:
    """A notebook file, in the present format."""
    try:
        return nbformat.read(path, as_version=4)
    except (OSError, ValueError) as error:
        raise NotebookError(f"{path}: is no notebook: {error!r:.120}") from error


def parse_scalar(text: str) -> Scalar:
    """A value from the command line: a number, true, false, null, or text, in quotes or not.

    >>> [parse_scalar(text) for text in ("3", "1e-3", "true", "null", "'3'", "1:30", "[1", "")]
    [3, 0.001, True, None, '3', '1:30', '[1', '']
    """
    text = text.strip()
    if text in _WORDS:
        return _WORDS[text]
    if _WHOLE.fullmatch(text):
        return int(text)
    if _REAL.fullmatch(text):
        return float(text)
    is_quoted = len(text) > 1 and text[0] == text[-1] and text[0] in "'\""
    return text[1:-1] if is_quoted else text
