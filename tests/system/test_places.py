"""Places to write to: tried first, one process's alone, never half a file."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from rememberer_nb.errors import ConfigError, DataError
from rememberer_nb.system.places import (
    LOCK_NAME,
    claimed_folder,
    new_run_folder,
    tried_file,
    whole_file,
    write_text,
)

places = pytest.mark.parametrize("place", [claimed_folder, tried_file])


@places
def test_a_place_made_in_vain_goes_again(tmp_path: Path, place) -> None:
    with place(tmp_path / "a" / "b" / "c"):
        assert (tmp_path / "a" / "b").is_dir()
    assert list(tmp_path.iterdir()) == []


@places
def test_what_was_there_stays(tmp_path: Path, place) -> None:
    (tmp_path / "a").mkdir()
    with place(tmp_path / "a" / "b"):
        pass
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


def test_a_folder_with_something_in_it_stays(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), claimed_folder(tmp_path / "a" / "b") as folder:
        write_text(folder / "c.txt", "kept")
        raise ZeroDivisionError
    assert (tmp_path / "a" / "b" / "c.txt").read_text() == "kept"
    assert not (tmp_path / "a" / "b" / LOCK_NAME).exists()


@places
def test_a_file_in_the_way(tmp_path: Path, place) -> None:
    (tmp_path / "file").write_text("mine")
    with pytest.raises(ConfigError, match="a file is in the way"), place(tmp_path / "file" / "x"):
        pass
    assert (tmp_path / "file").read_text() == "mine"


def test_one_kind_is_not_the_other(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    with pytest.raises(ConfigError, match="expected a folder"), claimed_folder(tmp_path / "file"):
        pass
    with pytest.raises(ConfigError, match="is a folder; expected"), tried_file(tmp_path):
        pass
    with tried_file(tmp_path / "file"):
        pass
    assert (tmp_path / "file").read_text() == "mine"


@places
@pytest.mark.skipif(not Path("/proc").is_dir(), reason="needs a place that nobody can write to")
def test_a_place_that_cannot_be_written(place) -> None:
    with (
        pytest.raises(DataError, match=r"/proc/nowhere.*: cannot be written: "),
        place("/proc/nowhere/x"),
    ):
        pass


@pytest.mark.skipif(os.geteuid() == 0, reason="root writes everywhere")
def test_a_read_only_folder(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(DataError, match="permission denied"), claimed_folder(tmp_path):
        pass


def test_a_folder_has_one_process(tmp_path: Path) -> None:
    refused = pytest.raises(DataError, match="another process is writing there")
    with claimed_folder(tmp_path), refused, claimed_folder(tmp_path):
        pass
    with claimed_folder(tmp_path):
        pass


HOLDS = """
import sys, time
from rememberer_nb.system.places import claimed_folder
with claimed_folder(sys.argv[1]):
    print("held", flush=True)
    time.sleep(60)
"""


def test_a_killed_process_gives_its_folder_up(tmp_path: Path) -> None:
    call = [sys.executable, "-c", HOLDS, str(tmp_path)]
    with subprocess.Popen(call, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None and process.stdout.readline() == "held\n"
            with pytest.raises(DataError, match="another process"), claimed_folder(tmp_path):
                pass
        finally:
            process.kill()
    with claimed_folder(tmp_path):
        pass


def test_runs_of_one_second_differ(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr("time.strftime", lambda _: "now")
    with new_run_folder(tmp_path / "runs") as one, new_run_folder(tmp_path / "runs") as two:
        assert (one.name, two.name) == ("now", "now-2")
        (two / "metrics.json").touch()
    assert [path.name for path in (tmp_path / "runs").iterdir()] == ["now-2"]


def test_many_at_once_get_a_folder_each(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr("time.strftime", lambda _: "now")
    names: list[str] = []
    gate = threading.Barrier(8)

    def run() -> None:
        gate.wait()
        with new_run_folder(tmp_path) as folder:
            names.append(folder.name)
            gate.wait()

    threads = [threading.Thread(target=run) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(names)) == 8


def test_a_file_takes_its_name_when_it_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("old")
    with pytest.raises(ZeroDivisionError), whole_file(path) as file:
        file.write("half")
        raise ZeroDivisionError
    assert (path.read_text(), len(list(tmp_path.iterdir()))) == ("old", 1)
    with whole_file(path) as file:
        file.write("new")
        assert path.read_text() == "old"
    assert (path.read_text(), len(list(tmp_path.iterdir()))) == ("new", 1)


FULL = """
import resource, sys
from rememberer_nb.system.places import write_text
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
write_text(sys.argv[1], "x" * 5000)
"""


def test_a_full_disk_leaves_no_half_of_a_file(tmp_path: Path) -> None:
    """A limit on the size of files stands for a disk that fills up while it is written."""
    path = tmp_path / "a.txt"
    path.write_text("old")
    done = subprocess.run([sys.executable, "-c", FULL, str(path)], capture_output=True, text=True)
    assert "DataError" in done.stderr.splitlines()[-1]
    assert f"{path}: cannot be written: file too large" in done.stderr
    assert (path.read_text(), len(list(tmp_path.iterdir()))) == ("old", 1)
