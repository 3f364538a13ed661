"""The files of an index: strings found by bisection, and a manifest that notices every damage."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rememberer_nb.envs.webshop import storage
from rememberer_nb.envs.webshop.storage import (
    MANIFEST,
    StringTable,
    check_manifest,
    encode,
    load_array,
    save_array,
    save_strings,
    write_manifest,
)
from rememberer_nb.errors import CatalogueError

COUNTS = {"products": 3}
TEXT = st.text(st.characters(exclude_categories=()), max_size=5)


@given(texts=st.sets(TEXT | st.sampled_from(["", "a", "a\0", "\ud800", "é", "😀"])), other=TEXT)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_webshop_strings_are_found_in_the_order_of_texts(
    tmp_path: Path, texts: set[str], other: str
) -> None:
    """Trailing zeros and lone surrogates included; bytes sort as Python's strings do."""
    ordered = sorted(texts)
    encoded = sorted(map(encode, texts))
    save_strings(tmp_path, "t", encoded)
    table = StringTable(tmp_path, "t")
    assert list(table) == ordered
    assert [table.find(text) for text in ordered] == list(range(len(ordered)))
    assert table.find(other) == (ordered.index(other) if other in texts else -1)
    assert table[1:] == tuple(ordered[1:])
    with pytest.raises(IndexError):
        table[len(ordered)]


@pytest.mark.parametrize("small_bytes", [0, 1 << 20])
def test_webshop_arrays_come_back_mapped_or_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, small_bytes: int
) -> None:
    monkeypatch.setattr(storage, "SMALL_BYTES", small_bytes)
    save_array(tmp_path, "a", np.array([1.5, np.nan]))
    np.testing.assert_array_equal(load_array(tmp_path, "a"), [1.5, np.nan])
    (tmp_path / "a.npy").write_bytes(b"moon" * 100)
    with pytest.raises(CatalogueError, match=r"a\.npy: cannot be read"):
        load_array(tmp_path, "a")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with two files and a manifest; only the first file is small."""
    (tmp_path / "small.bin").write_bytes(b"0123456789")
    (tmp_path / "large.bin").write_bytes(bytes(storage.SMALL_BYTES + 1))
    write_manifest(tmp_path, COUNTS)
    return tmp_path


def _set(**changes: object) -> Callable[[Path], object]:
    def change(folder: Path) -> None:
        content = json.loads((folder / MANIFEST).read_text())
        (folder / MANIFEST).write_text(json.dumps(content | changes))

    return change


def test_webshop_manifest_vouches_for_a_whole_folder(folder: Path) -> None:
    assert check_manifest(folder) == COUNTS


@pytest.mark.parametrize(
    ("damage", "told"),
    [
        (lambda f: (f / MANIFEST).unlink(), "is no shop index: it lacks index.json"),
        (lambda f: (f / MANIFEST).write_text("[]"), "not the manifest of a shop index"),
        (lambda f: (f / MANIFEST).write_text('{"format": 1}'), "not the manifest"),
        (lambda f: (f / MANIFEST).write_bytes(b"\xff"), "index.json: is not JSON"),
        (_set(version=2), "has version 2, this program reads 1.*rememberer-nb webshop index"),
        (_set(version=None), "has version None"),
        (_set(counts={"products": 4}), "index.json: is damaged: the checksum differs"),
        (lambda f: (f / "small.bin").unlink(), "small.bin: the index lacks a file"),
        (lambda f: (f / "small.bin").write_bytes(b"012345678"), "small.bin: .* 9 bytes instead"),
        (lambda f: (f / "small.bin").write_bytes(b"0123456780"), "small.bin: is damaged"),
        (lambda f: (f / "large.bin").write_bytes(b"x"), "large.bin: is cut off or changed: 1 by"),
        (lambda f: (f / "large.bin").unlink(), "large.bin: the index lacks a file"),
    ],
)
def test_webshop_manifest_notices(
    folder: Path, damage: Callable[[Path], object], told: str
) -> None:
    damage(folder)
    with pytest.raises(CatalogueError, match=told):
        check_manifest(folder)


def test_webshop_manifest_cut_off_anywhere_is_refused(folder: Path) -> None:
    whole = (folder / MANIFEST).read_bytes()
    for length in range(0, len(whole) - 1):
        (folder / MANIFEST).write_bytes(whole[:length])
        with pytest.raises(CatalogueError, match=r"index\.json: is not JSON"):
            check_manifest(folder)


def test_webshop_manifest_of_nothing(tmp_path: Path) -> None:
    with pytest.raises(CatalogueError, match="moon: is no shop index"):
        check_manifest(tmp_path / "moon")
