"""Files in and out: one clear error for whatever is no file, and nothing replaced by half a one."""

from __future__ import annotations

import gzip
import json
import os
import socket
import stat
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rememberer_nb.errors import CatalogueError, ConfigError, DataError
from rememberer_nb.system.files import (
    LIMIT_VARIABLE,
    MAX_DEPTH,
    parse_json,
    read_bytes,
    read_json,
    read_json_lines,
    read_lines,
    read_text,
    replacing,
)

READERS: list[Callable[[Path], Any]] = [
    read_bytes,
    read_text,
    read_json,
    lambda path: list(read_lines(path)),
    lambda path: list(read_json_lines(path)),
]


def _make_fifo(path: Path) -> None:
    os.mkfifo(path)


def _make_socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as made:
        made.bind(str(path))


def _make_loop(path: Path) -> None:
    path.symlink_to(path)


ODD = [
    (Path.mkdir, "it is a folder"),
    (_make_fifo, "it is a pipe or a device"),
    (_make_socket, "no such device"),
    (_make_loop, "too many levels of symbolic links"),
    (lambda path: path.symlink_to("/dev/zero"), "it is a pipe or a device"),
    (lambda path: path.symlink_to("absent"), "no such file"),
    (lambda path: None, "no such file"),
]


@pytest.mark.parametrize("read", READERS)
@pytest.mark.parametrize(("make", "problem"), ODD)
def test_what_is_no_file_is_refused_at_once(
    tmp_path: Path, read: Callable[[Path], Any], make: Callable[[Path], Any], problem: str
) -> None:
    path = tmp_path / "x"
    make(path)
    start = time.perf_counter()
    with pytest.raises(DataError, match=rf"x: cannot be read: {problem}") as caught:
        read(path)
    assert time.perf_counter() - start < 1
    assert caught.value.path == path


def test_no_permission_and_impossible_names(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_text("1")
    path.chmod(0)
    if not os.access(path, os.R_OK):
        with pytest.raises(DataError, match="permission denied"):
            read_bytes(path)
    with pytest.raises(DataError, match="file name too long"):
        read_bytes(tmp_path / ("x" * 300))
    with pytest.raises(CatalogueError, match="null byte"):
        read_bytes("a\0b", CatalogueError)


def test_descriptors_are_given_back(tmp_path: Path) -> None:
    before = len(os.listdir("/proc/self/fd")) if Path("/proc/self/fd").exists() else 0
    for _ in range(20):
        with pytest.raises(DataError):
            read_bytes(tmp_path)
    if before:
        assert len(os.listdir("/proc/self/fd")) <= before + 1


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_text_and_lines(tmp_path: Path, pack: Callable[[bytes], bytes]) -> None:
    path = tmp_path / "x"
    path.write_bytes(pack("\ufeffé\r\nb\u2028c\n".encode()))
    assert read_text(path) == "é\r\nb\u2028c\n"
    assert list(read_lines(path)) == [(1, "é\r\n"), (2, "b\u2028c\n")]
    path.write_bytes(pack(b"half \xed\xa0\x80"))
    assert read_text(path) == "half \ud800"


def test_what_is_not_utf_8_is_found(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_bytes(b"one\ntwo\nth\xffree\n")
    with pytest.raises(DataError, match=r"x: cannot be read as UTF-8: line 3, .*byte 0xff"):
        read_text(path)
    with pytest.raises(DataError, match=r"x: line 3: cannot be read as UTF-8: .*position 2"):
        list(read_lines(path))


def test_what_gzip_unpacks_to_is_limited(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """2 MiB of zeros are 2 KB: over a limit of 1 MiB, and over 50 times their size."""
    path = tmp_path / "x.gz"
    path.write_bytes(gzip.compress(b"\0" * (2 << 20)))
    assert len(read_bytes(path)) == 2 << 20
    monkeypatch.setenv(LIMIT_VARIABLE, "1")
    for read in READERS[:2]:
        with pytest.raises(DataError, match=r"x\.gz: .*more than 1 MiB.*REMEMBERER_NB_MAX_UNP"):
            read(path)
    # Random bytes do not shrink: 50 times the size is no limit for them.
    path.write_bytes(gzip.compress(os.urandom(1 << 20)) + gzip.compress(os.urandom(1 << 20)))
    assert len(read_bytes(path)) == 2 << 20
    monkeypatch.setenv(LIMIT_VARIABLE, "much")
    with pytest.raises(ConfigError, match="must be a number of MiB, got 'much'"):
        read_bytes(path)


def test_a_bomb_is_refused_in_bounded_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import resource

    monkeypatch.setenv(LIMIT_VARIABLE, "32")

    path = tmp_path / "x.gz"
    with gzip.open(path, "wb", compresslevel=1) as file:
        for _ in range(200):
            file.write(b" " * (1 << 20))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(DataError, match=r"unpacks to more than \d\d MiB"):
        read_bytes(path)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 80 << 10


@pytest.mark.parametrize("damage", [slice(1), slice(0, 12), slice(0, -5), slice(0, -1)])
def test_a_gzip_file_that_is_cut_off(tmp_path: Path, damage: slice) -> None:
    path = tmp_path / "x.gz"
    path.write_bytes(gzip.compress(json.dumps(list(range(1000))).encode())[damage])
    with pytest.raises(DataError, match=r"x\.gz: (cannot be read|is not JSON): ."):
        read_json(path)


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner),
    max_leaves=8,
)  # fmt: skip


@given(value=VALUES)
def test_json_comes_back(value: Any) -> None:
    assert repr(parse_json(json.dumps(value))) == repr(value)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "Expecting value"),
        ("[1", "Expecting ',' delimiter"),
        ("[NaN]", "NaN is no finite number"),
        ("[-Infinity]", "-Infinity is no finite number"),
        ("[-1e999]", "-1e999 is no finite number"),
        ("9" * 400, r"9{17}\.\.\. is no finite number"),
        ("9" * 5000, "is no finite number"),
        ('{"a": 1, "b": 2, "a": 3}', "an object names something twice"),
        ("[" * (MAX_DEPTH + 1) + "]" * (MAX_DEPTH + 1), "nested too deeply"),
        ('{"a":' * (MAX_DEPTH + 1) + "1" + "}" * (MAX_DEPTH + 1), "nested too deeply"),
        ("[" * 100_000, "nested too deeply"),
    ],
)
def test_what_no_one_can_work_with_is_refused(tmp_path: Path, text: str, problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        parse_json(text)
    path = tmp_path / "x.jsonl"
    path.write_text(text)
    with pytest.raises(DataError, match=f"x.jsonl: is not JSON: .*{problem}"):
        read_json(path)
    path.write_text("\n[1]\n" + (text or "-"))
    with pytest.raises(DataError, match=f"x.jsonl: line 3: is not JSON: .*{problem}"):
        list(read_json_lines(path))


def test_as_deep_as_is_allowed() -> None:
    text = "[" * MAX_DEPTH + "]" * MAX_DEPTH
    assert json.dumps(parse_json(text)) == text
    assert parse_json(str(["["] * 200).replace("'", '"')) == ["["] * 200


def test_what_others_publish_may_hold_more(tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    path.write_text('{"a": NaN, "a": 1e999}')
    assert read_json(path, is_strict=False) == {"a": float("inf")}
    path.write_text("[" * 100_000)
    with pytest.raises(DataError, match="is not JSON: it is nested too deeply"):
        read_json(path, is_strict=False)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32"])
def test_json_in_other_encodings(tmp_path: Path, encoding: str) -> None:
    path = tmp_path / "x.json"
    path.write_bytes('["é", "\\ud800"]'.encode(encoding))
    assert read_json(path) == ["é", "\ud800"]


# Writing


def write(path: Path, text: str = "new") -> None:
    with replacing(path) as file:
        file.write(text)


def test_a_file_is_made_or_replaced(tmp_path: Path) -> None:
    path = tmp_path / "x"
    write(path, "a\nb\r\n\ud800")
    assert path.read_bytes() == b"a\nb\r\n\xed\xa0\x80"
    path.chmod(0o600)
    write(path)
    assert (path.read_text(), stat.S_IMODE(path.stat().st_mode)) == ("new", 0o600)
    assert os.listdir(tmp_path) == ["x"]


@pytest.mark.parametrize("is_there", [True, False])
def test_a_link_stays_and_its_target_is_written(tmp_path: Path, is_there: bool) -> None:
    target, link = tmp_path / "far" / "target", tmp_path / "link"
    target.parent.mkdir()
    if is_there:
        target.write_text("old")
    link.symlink_to(target)
    write(link)
    assert link.is_symlink()
    assert target.read_text() == "new"
    assert sorted(os.listdir(tmp_path)) == ["far", "link"]


@pytest.mark.parametrize(
    ("make", "problem"),
    [
        (Path.mkdir, "no regular file"),
        (_make_fifo, "no regular file"),
        (_make_loop, "a link that leads round in a circle"),
        (lambda path: path.symlink_to("/dev/null"), "no regular file"),
        (lambda path: path.symlink_to("far/target"), "no such file"),
    ],
)
def test_anything_else_is_left_alone(
    tmp_path: Path, make: Callable[[Path], Any], problem: str
) -> None:
    path = tmp_path / "x"
    make(path)
    before = os.lstat(path)
    with pytest.raises(DataError, match=f"x: cannot be written: .*{problem}"):
        write(path)
    after = os.lstat(path)
    assert (after.st_ino, after.st_mode) == (before.st_ino, before.st_mode)
    assert os.listdir(tmp_path) == ["x"]


def test_an_interrupted_write_changes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_text("old")
    for error in (KeyboardInterrupt, ValueError):
        with pytest.raises(error), replacing(path) as file:
            file.write("half")
            raise error
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["x"]
