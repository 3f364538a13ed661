"""One writer per memory file."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from rememberer_nb.errors import MemoryFileError
from rememberer_nb.locks import WriterLock

ROOT = Path(__file__).resolve().parent.parent
HOLDER = """
import sys, time
sys.path.insert(0, {root!r})
from pathlib import Path
from rememberer_nb.locks import WriterLock
lock = WriterLock(Path({path!r}))
print("held", flush=True)
time.sleep({seconds})
lock.release()
"""


def hold_elsewhere(path: Path, seconds: float) -> subprocess.Popen[str]:
    script = HOLDER.format(root=str(ROOT), path=str(path), seconds=seconds)
    holder = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
    assert holder.stdout.readline() == "held\n"
    return holder


def test_two_in_one_process(tmp_path: Path) -> None:
    path = tmp_path / "m.sqlite"
    one = WriterLock(path)
    with pytest.raises(MemoryFileError, match=rf"process {os.getpid()} on .* is writing it"):
        WriterLock(path)
    one.release()
    one.release()
    two = WriterLock(path)
    two.release()
    assert list(tmp_path.iterdir()) == []


def test_another_name_of_the_file_is_the_same_lock(tmp_path: Path) -> None:
    (tmp_path / "m.sqlite").touch()
    (tmp_path / "link").symlink_to(tmp_path / "m.sqlite")
    lock = WriterLock(tmp_path / "m.sqlite")
    with pytest.raises(MemoryFileError):
        WriterLock(tmp_path / "link")
    lock.release()


def test_a_lock_that_is_dropped_is_released(tmp_path: Path) -> None:
    WriterLock(tmp_path / "m.sqlite")
    WriterLock(tmp_path / "m.sqlite").release()


def test_a_killed_holder_gives_it_up(tmp_path: Path) -> None:
    path = tmp_path / "m.sqlite"
    holder = hold_elsewhere(path, 60)
    with pytest.raises(MemoryFileError, match=f"process {holder.pid} on"):
        WriterLock(path)
    holder.kill()
    holder.communicate()
    WriterLock(path).release()


def test_waiting_for_another_to_finish(tmp_path: Path) -> None:
    path = tmp_path / "m.sqlite"
    holder = hold_elsewhere(path, 0.5)
    started = time.monotonic()
    WriterLock(path, wait_s=30).release()
    assert 0.2 < time.monotonic() - started < 20
    holder.communicate()
