"""A wheel, installed elsewhere, holds everything that a checkout holds."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent

pytestmark = pytest.mark.slow

_LOOK = """
import json
import rememberer_nb
from rememberer_nb.system import resources

def files(top):
    return sorted(str(p.relative_to(top)) for p in top.rglob("*") if p.is_file())

print(json.dumps({
    "package": rememberer_nb.__path__[0],
    "is_checkout": resources.is_checkout(),
    "data": files(resources.data_path()),
    "notebooks": files(resources.notebooks_path()),
}))
"""


def _run(*command: str, cwd: Path, **environment: str) -> str:
    done = subprocess.run(
        [sys.executable, *command],
        cwd=cwd,
        env=os.environ | environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder into which a freshly built wheel is installed."""
    folder = tmp_path_factory.mktemp("wheel")
    _run("-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder), str(ROOT), cwd=folder)
    (wheel,) = folder.glob("*.whl")
    site = folder / "site"
    quiet = ("--quiet", "--disable-pip-version-check", "--no-deps", "--no-index", "--no-compile")
    _run("-m", "pip", "install", *quiet, "--target", str(site), str(wheel), cwd=folder)
    return site


@pytest.fixture(scope="module")
def seen(installed: Path, tmp_path_factory: pytest.TempPathFactory) -> dict:
    """What the installed package says of itself, from an unrelated working directory."""
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    return json.loads(_run("-c", _LOOK, cwd=elsewhere, PYTHONPATH=str(installed)))


def _shipped(folder: str) -> list[str]:
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z", folder]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if listed.returncode != 0:
        pytest.skip("which files of this folder are the project's is known from git")
    paths = (ROOT / name for name in listed.stdout.split("\0") if name)
    return sorted(str(p.relative_to(ROOT / folder)) for p in paths if p.is_file())


def test_the_installed_package_is_the_one_that_runs(installed: Path, seen: dict):
    assert Path(seen["package"]) == installed / "rememberer_nb"
    assert seen["is_checkout"] is False


@pytest.mark.parametrize("folder", ["data", "notebooks"])
def test_every_shipped_file_is_installed(seen: dict, folder: str):
    assert seen[folder], f"the wheel holds no {folder}"
    assert seen[folder] == _shipped(folder)


def test_every_module_is_installed_and_nothing_else(installed: Path):
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    assert {p.name for p in installed.iterdir()} == {
        "bin",
        "rememberer_nb",
        f"rememberer_nb-{version}.dist-info",
    }
    modules = {
        str(p.relative_to(installed))
        for p in (installed / "rememberer_nb").rglob("*.py")
        if "_share" not in p.parts
    }
    assert modules == {str(p.relative_to(ROOT)) for p in (ROOT / "rememberer_nb").rglob("*.py")}
