"""environment.yml, pyproject.toml and constraints.txt ask for the same things."""

from __future__ import annotations

import copy
import tomllib
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parent.parent
# PyPI name -> conda-forge name, where more than upper and lower case differs.
CONDA_NAMES: dict[str, str] = {}
CONDA_ONLY = {"python", "pip"}


def _pyproject() -> dict:
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def _environment() -> dict:
    return yaml.safe_load((ROOT / "environment.yml").read_text(encoding="utf-8"))


def _named(lines: list[str]) -> dict[str, SpecifierSet]:
    wanted = {}
    for line in lines:
        requirement = Requirement(line)
        name = canonicalize_name(requirement.name)
        assert name not in wanted, f"{name} is listed twice"
        wanted[CONDA_NAMES.get(name, name)] = requirement.specifier
    return wanted


def differences(pyproject: dict, environment: dict) -> list[str]:
    """What the two files do not agree on, in words."""
    project = pyproject["project"]
    wanted = _named(project["dependencies"])
    lines = [line for line in environment["dependencies"] if isinstance(line, str)]
    rest = [line for line in environment["dependencies"] if not isinstance(line, str)]
    listed = _named(lines)
    python = listed.get("python")
    found = [f"{name}: not in both" for name in wanted.keys() ^ (listed.keys() - CONDA_ONLY)]
    found += [
        f"{name}: {wanted[name]} and {listed[name]}"
        for name in wanted.keys() & listed.keys()
        if wanted[name] != listed[name]
    ]
    if python != SpecifierSet(project["requires-python"]):
        found.append(f"python: {project['requires-python']} and {python}")
    if environment["name"] != project["name"]:
        found.append(f"name: {project['name']} and {environment['name']}")
    if environment["channels"] != ["conda-forge"]:
        found.append(f"channels: {environment['channels']}")
    if "pip" not in listed or rest != [{"pip": ["-e ."]}]:
        found.append(f"pip: {rest}")
    return found


def test_environment_and_pyproject_agree():
    assert differences(_pyproject(), _environment()) == []


def _replace(lines: list, old: str, new: str | None) -> None:
    place = lines.index(old)
    lines[place : place + 1] = [] if new is None else [new]


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("numpy>=2.0", None, "numpy: not in both"),
        ("numpy>=2.0", "numpy>=2.1", "numpy: >=2.0 and >=2.1"),
        ("numpy>=2.0", "numpy", "numpy: >=2.0 and "),
        ("python>=3.11", "python>=3.12", "python: >=3.11 and >=3.12"),
        ("python>=3.11", None, "python: >=3.11 and None"),
        ("pip", None, "pip: [{'pip': ['-e .']}]"),
    ],
)
def test_a_changed_environment_is_noticed(old: str, new: str | None, told: str):
    environment = _environment()
    _replace(environment["dependencies"], old, new)
    assert differences(_pyproject(), environment) == [told]


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("PyYAML>=6.0", None, "pyyaml: not in both"),
        ("PyYAML>=6.0", "PyYAML>=6.0,<7", "pyyaml: <7,>=6.0 and >=6.0"),
    ],
)
def test_a_changed_pyproject_is_noticed(old: str, new: str | None, told: str):
    pyproject = _pyproject()
    _replace(pyproject["project"]["dependencies"], old, new)
    assert differences(pyproject, _environment()) == [told]


@pytest.mark.parametrize(
    ("key", "value"),
    [("channels", ["conda-forge", "defaults"]), ("channels", []), ("name", "rememberer_nb")],
)
def test_other_channels_and_names_are_noticed(key: str, value: object):
    environment = _environment() | {key: value}
    assert len(differences(_pyproject(), environment)) == 1


def test_another_pip_part_is_noticed():
    environment = copy.deepcopy(_environment())
    environment["dependencies"][-1]["pip"].append("numpy")
    assert len(differences(_pyproject(), environment)) == 1


def test_a_changed_python_in_pyproject_is_noticed():
    pyproject = _pyproject()
    pyproject["project"]["requires-python"] = ">=3.12"
    assert differences(pyproject, _environment()) == ["python: >=3.12 and >=3.11"]


def _pins() -> dict[str, str]:
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pins = {}
    for line in lines:
        if line and not line.startswith("#"):
            name, equals, version = line.partition("==")
            assert equals, f"constraints.txt: {line!r} is no exact version"
            pins[canonicalize_name(name)] = version
    return pins


@pytest.mark.parametrize("extra", ["", "dev", "e2e", "llama", "fast", "bench", "embed"])
def test_every_dependency_has_an_exact_version_within_its_bounds(extra: str):
    project = _pyproject()["project"]
    lines = project["optional-dependencies"][extra] if extra else project["dependencies"]
    pins = _pins()
    for requirement in map(Requirement, lines):
        version = pins.get(canonicalize_name(requirement.name))
        assert version is not None, f"{requirement.name} has no exact version: make lock"
        assert requirement.specifier.contains(version), f"{requirement}: locked at {version}"
