"""Training killed at random moments and inside checkpoints, resumed to the same memory."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from rememberer_nb.cli import main
from rememberer_nb.memory import ExperienceMemory
from rememberer_nb.memory.check import check_memory
from rememberer_nb.memory.operations import dump

ROOT = Path(__file__).resolve().parent.parent.parent
N_KILLS, N_CHECKPOINT_KILLS = 30, 20
# What is learnt must depend on all that is kept: corpus statistics, evictions, neighbours.
RUN = (
    "train", "--tasks", "S0", "--epochs", "3", "--seed", "5", "--json",
    "--max-records", "40", "--max-actions", "2",
)  # fmt: skip


def lines_of(path: Path) -> list[str]:
    with ExperienceMemory.open(path, must_exist=True, read_only=True) as memory:
        return list(dump(memory))


def n_done(path: Path) -> int:
    """Episodes that a run has finished; -1 before there is a file."""
    if not path.exists():
        return -1
    with ExperienceMemory.open(path, read_only=True) as memory:
        return memory.n_episodes


def start(path: Path, **environment: str) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "rememberer_nb", *RUN, "--memory", str(path), "--resume"]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    return subprocess.Popen(command, cwd=ROOT, env={**os.environ, **environment}, **quiet)


def wait_for(path: Path, process: subprocess.Popen[bytes]) -> float:
    """Until there is a file; the seconds that it took."""
    began = time.monotonic()
    while not path.exists() and process.poll() is None:
        time.sleep(0.001)
    return time.monotonic() - began


def finish(path: Path, capsys: pytest.CaptureFixture[str]) -> dict:
    """The run resumed to its end, here; what it reports but for the time it took."""
    assert main([*RUN, "--memory", str(path), "--resume"]) == 0
    result = json.loads(capsys.readouterr().out)
    del result["timing"]
    return result


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_killed_at_random_moments(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    straight = tmp_path / "straight.sqlite"
    report = finish(straight, capsys)
    expected = lines_of(straight)
    assert len(expected) > 150

    # How long a process of its own takes to make the file, and then works on it.
    timed = tmp_path / "timed.sqlite"
    process = start(timed)
    before = wait_for(timed, process)
    began = time.monotonic()
    # To the last episode: what it reports afterwards takes as long again.
    while n_done(timed) < 30 and process.poll() is None:
        time.sleep(0.001)
    work = time.monotonic() - began
    assert process.wait() == 0
    assert lines_of(timed) == expected

    rng = random.Random(20230607)
    done: list[int] = []
    for number in range(N_KILLS):
        path = tmp_path / f"{number}.sqlite"
        process = start(path)
        if number % 5 == 0:
            # Before there is a file, or while it is made.
            time.sleep(rng.uniform(0.8, 1.1) * before)
        else:
            wait_for(path, process)
            time.sleep(rng.uniform(0.0, work))
        process.kill()
        process.wait()
        done.append(n_done(path))
        if done[-1] >= 0:
            assert check_memory(path)["problems"] == []
        assert finish(path, capsys) == report
        assert lines_of(path) == expected
        path.unlink()
    # The moments were spread over the run, or this has shown nothing.
    assert len({n for n in done if 0 < n < 30}) >= 8, sorted(done)


# Loaded before everything else, it kills the process at the n-th page written to the memory file
# itself, as only a checkpoint does: commits go to the log.
SHIM = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

static void count(int file) {
    static long n_written = 0;
    char link[64], name[4096];
    const char *path = getenv("KILL_FILE"), *at = getenv("KILL_AT");
    if (!path || !at) return;
    snprintf(link, sizeof link, "/proc/self/fd/%d", file);
    ssize_t length = readlink(link, name, sizeof name - 1);
    if (length < 0) return;
    name[length] = 0;
    if (!strcmp(name, path) && ++n_written >= atol(at)) kill(getpid(), SIGKILL);
}

ssize_t pwrite(int file, const void *bytes, size_t n, off_t at) {
    static ssize_t (*next)(int, const void *, size_t, off_t);
    if (!next) next = dlsym(RTLD_NEXT, "pwrite");
    count(file);
    return next(file, bytes, n, at);
}

ssize_t pwrite64(int file, const void *bytes, size_t n, off64_t at) {
    static ssize_t (*next)(int, const void *, size_t, off64_t);
    if (!next) next = dlsym(RTLD_NEXT, "pwrite64");
    count(file);
    return next(file, bytes, n, at);
}
"""


@pytest.fixture
def shim(tmp_path: Path) -> Path:
    """The library that kills, compiled."""
    compiler = shutil.which("gcc") or shutil.which("cc")
    if compiler is None or not sys.platform.startswith("linux"):
        pytest.skip("no C compiler here to make what kills inside a checkpoint")
    source, library = tmp_path / "shim.c", tmp_path / "shim.so"
    source.write_text(SHIM)
    subprocess.run([compiler, "-shared", "-fPIC", "-o", library, source, "-ldl"], check=True)
    return library


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_killed_inside_a_checkpoint(
    tmp_path: Path, shim: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    straight = tmp_path / "straight.sqlite"
    report = finish(straight, capsys)
    expected = lines_of(straight)
    n_logs = 0
    for number in range(N_CHECKPOINT_KILLS):
        path = tmp_path / f"{number}.sqlite"
        n_pages = 2 + 2 * number
        process = start(path, LD_PRELOAD=str(shim), KILL_FILE=str(path), KILL_AT=str(n_pages))
        assert process.wait() == -signal.SIGKILL, f"there were not {n_pages} pages to write"
        # What is in the file alone is no memory, or an older one.
        n_logs += path.with_name(path.name + "-wal").stat().st_size > 0
        assert check_memory(path)["problems"] == []
        assert n_done(path) > 0
        assert finish(path, capsys) == report
        assert lines_of(path) == expected
        assert check_memory(path)["problems"] == []
    assert n_logs == N_CHECKPOINT_KILLS
