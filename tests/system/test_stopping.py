"""SIGTERM is taken like Ctrl-C; workers end with their parent."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from rememberer_nb.system.stopping import Terminated, sigterm_interrupts


def test_sigterm_interrupts_once() -> None:
    with pytest.raises(Terminated, match="terminated"), sigterm_interrupts():
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(5)
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL


def test_a_handler_that_is_there_stays() -> None:
    def own(*_: object) -> None:
        pass

    before = signal.signal(signal.SIGTERM, own)
    try:
        with sigterm_interrupts():
            assert signal.getsignal(signal.SIGTERM) is own
    finally:
        signal.signal(signal.SIGTERM, before)


def test_other_threads_leave_signals_alone() -> None:
    found: list[object] = []

    def look() -> None:
        with sigterm_interrupts():
            found.append(signal.getsignal(signal.SIGTERM))

    thread = threading.Thread(target=look)
    thread.start()
    thread.join()
    assert found == [signal.SIG_DFL]


PARENT = """
import subprocess, sys, time
worker = (
    "import sys, time; from rememberer_nb.system.stopping import end_with_parent; "
    "end_with_parent(int(sys.argv[1])); print('ready', flush=True); time.sleep(60)"
)
import os
child = subprocess.Popen([sys.executable, "-c", worker, str(os.getpid())], stdout=subprocess.PIPE)
child.stdout.readline()
print(child.pid, flush=True)
time.sleep(60)
"""


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="looks for processes in /proc")
def test_a_worker_ends_with_a_parent_that_is_killed() -> None:
    call = [sys.executable, "-c", PARENT]
    with subprocess.Popen(call, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            stat = Path(f"/proc/{int(process.stdout.readline())}/stat")
            assert stat.exists()
        finally:
            process.kill()
    deadline = time.monotonic() + 2.0
    while stat.exists() and stat.read_text().rpartition(")")[2].split()[0] != "Z":
        assert time.monotonic() < deadline, "the worker lives on"
        time.sleep(0.02)
