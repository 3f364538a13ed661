"""One writer per memory file."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
import warnings
from collections.abc import Callable
from pathlib import Path

import pytest

from rememberer_nb.errors import MemoryFileError
from rememberer_nb.system.locks import WriterLock

ROOT = Path(__file__).resolve().parent.parent.parent
HOLDER = """
import sys, time
sys.path.insert(0, {root!r})
from pathlib import Path
from rememberer_nb.system.locks import WriterLock
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


def test_any_thread_may_give_it_up(tmp_path: Path) -> None:
    path = tmp_path / "m.sqlite"
    made: list[WriterLock] = []
    thread = threading.Thread(target=lambda: made.append(WriterLock(path)))
    thread.start()
    thread.join()
    with pytest.raises(MemoryFileError):
        WriterLock(path)
    made[0].renew()
    made[0].release()
    assert list(tmp_path.iterdir()) == []
    WriterLock(path).release()


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


def test_a_lock_file_that_was_deleted_is_made_again(tmp_path: Path) -> None:
    path, file = tmp_path / "m.sqlite", tmp_path / "m.sqlite-lock"
    lock = WriterLock(path)
    file.unlink()
    lock.renew()
    with pytest.raises(MemoryFileError, match=f"process {os.getpid()} on"):
        WriterLock(path)
    # Or it is another one's by now, which is left alone.
    file.unlink()
    other = WriterLock(path)
    with pytest.raises(MemoryFileError, match="lock file was deleted, and process"):
        lock.renew()
    lock.release()
    assert file.exists()
    other.release()
    assert not file.exists()


def forked(work: Callable[[], object]) -> int:
    """Do it in a child made by `fork`, which then ends as a program does; its exit status."""
    with warnings.catch_warnings():
        # Newer Pythons warn of a fork beside threads, such as those of the test runner.
        warnings.simplefilter("ignore", DeprecationWarning)
        child = os.fork()
    if child == 0:
        status = 1
        try:
            work()
            status = 0
        finally:
            os._exit(status)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def _refused(work: Callable[[], object]) -> None:
    with pytest.raises(MemoryFileError, match="is writing it now"):
        work()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_a_child_does_not_give_up_its_parents_lock(tmp_path: Path) -> None:
    path = tmp_path / "m.sqlite"
    lock = WriterLock(path)
    assert forked(lock.release) == 0
    assert forked(lambda: _refused(lock.renew)) == 0
    assert (tmp_path / "m.sqlite-lock").exists()
    with pytest.raises(MemoryFileError):
        WriterLock(path)
    lock.release()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_a_lock_does_not_live_on_in_a_child(tmp_path: Path) -> None:
    path = tmp_path / "m.sqlite"
    script = (
        "import os, sys, time\n"
        f"sys.path.insert(0, {str(ROOT)!r})\n"
        "from pathlib import Path\n"
        "from rememberer_nb.system.locks import WriterLock\n"
        f"lock = WriterLock(Path({str(path)!r}))\n"
        "child = os.fork()\n"
        "if child:\n"
        "    print(child, flush=True)\n"
        "time.sleep(60)\n"
    )
    holder = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
    child = int(holder.stdout.readline())
    try:
        holder.kill()
        holder.wait()
        WriterLock(path, wait_s=5).release()
    finally:
        os.kill(child, signal.SIGKILL)
        holder.stdout.close()
