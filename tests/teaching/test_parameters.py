"""Parameters of notebooks are checked before anything runs."""

from __future__ import annotations

import math
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook

from rememberer_nb.errors import ConfigError, NotebookError
from rememberer_nb.teaching.parameters import checked, parse_scalar, read_parameters
from rememberer_nb.teaching.suite import all_notebooks, fast_parameters

SOURCE = (
    'env = "webshop"\nn_epochs = 3  # passes\ngamma: float = 0.5\nis_double = False\npath = None\n'
)
LIMITS = {
    "env": {"choices": ["webshop", "wikihow"]},
    "n_epochs": {"min": 1, "max": 10},
    "gamma": {"min": 0, "max": 1},
}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return write(tmp_path, SOURCE)


def write(folder: Path, source: str) -> Path:
    notebook = new_notebook(cells=[new_code_cell(source, metadata={"tags": ["parameters"]})])
    notebook.metadata["rememberer_nb"] = {"parameters": LIMITS}
    nbformat.write(notebook, folder / "a.ipynb")
    return folder / "a.ipynb"


@pytest.mark.parametrize(
    ("given", "found"),
    [
        ({"env": "wikihow", "n_epochs": 10}, {"env": "wikihow", "n_epochs": 10}),
        ({"gamma": 1}, {"gamma": 1.0}),
        ({"is_double": True, "path": None}, {"is_double": True, "path": None}),
        ({"path": "a.txt"}, {"path": "a.txt"}),
        ({}, {}),
    ],
)
def test_values_that_fit(path: Path, given: dict, found: dict) -> None:
    values = checked(path, given)
    assert values == found
    assert [type(value) for value in values.values()] == [type(v) for v in found.values()]


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        ({"epochs": 3}, "has no parameter epochs; it has env, n_epochs, gamma, is_double, path; "),
        ({"epochs": 3}, r"did you mean n_epochs\?"),
        ({"n_epochs": "3"}, "parameter n_epochs must be a whole number, got '3'"),
        ({"n_epochs": 3.0}, r"n_epochs must be a whole number, got 3\.0"),
        ({"n_epochs": True}, "n_epochs must be a whole number, got True"),
        ({"n_epochs": None}, "n_epochs must be a whole number, got None"),
        ({"n_epochs": [3]}, r"n_epochs must be a whole number, got \[3\]"),
        ({"n_epochs": 0}, r"n_epochs must be in \[1, 10\], got 0"),
        ({"n_epochs": 10**30}, r"n_epochs must be in \[1, 10\], got 1000"),
        ({"gamma": "high"}, "gamma must be a number, got 'high'"),
        ({"gamma": 1.01}, r"gamma must be in \[0, 1\], got 1\.01"),
        ({"gamma": float("nan")}, "gamma must be finite, got nan"),
        ({"gamma": 10**400}, "gamma must be finite, got inf"),
        ({"is_double": 1}, "is_double must be true or false, got 1"),
        ({"env": 5}, "env must be text, got 5"),
        ({"env": "moon"}, "env must be webshop or wikihow, got 'moon'"),
        ({"path": []}, r"path must be a scalar, got \[\]"),
    ],
)
def test_values_that_do_not_fit(path: Path, given: dict, problem: str) -> None:
    with pytest.raises(ConfigError, match=f"a.ipynb.*{problem}"):
        checked(path, given)


@pytest.mark.parametrize("source", ["x = 2 * 3", "x = [1]", "print(1)", "x = ", "x: int"])
def test_a_cell_that_holds_more_than_scalars(tmp_path: Path, source: str) -> None:
    with pytest.raises(NotebookError, match=r"a\.ipynb: the parameters cell: "):
        read_parameters(write(tmp_path, source))


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("3", 3), ("-1", -1), ("010", 10), ("0.5", 0.5), (".5", 0.5), ("1e-3", 0.001),
        ("true", True), ("null", None), ("yes", "yes"), ("nan", "nan"), ("", ""), (" ", ""),
        ("'3'", "3"), ('"a b"', "a b"), ("'", "'"), ("webshop", "webshop"), ("a=b", "a=b"),
        ("1:30", "1:30"), ("2024-01-02", "2024-01-02"), ("[1", "[1"), ("9" * 5000, math.inf),
    ],
)  # fmt: skip
def test_scalars_of_the_command_line(text: str, value: object) -> None:
    found = parse_scalar(text)
    assert (found, type(found)) == (value, type(value))


@pytest.mark.parametrize("path", all_notebooks(), ids=lambda path: path.stem)
def test_defaults_and_fast_values_fit(path: Path) -> None:
    parameters = read_parameters(path)
    defaults = {name: parameter.default for name, parameter in parameters.items()}
    assert checked(path, defaults) == defaults
    assert checked(path, fast_parameters(path)) == fast_parameters(path)
    metadata = nbformat.read(path, as_version=4).metadata.get("rememberer_nb", {})
    assert set(metadata.get("parameters", {})) <= set(parameters)
