"""Memory files beside a busy writer, and on a disk that fills up."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from rememberer_nb.cli import main
from rememberer_nb.memory import ExperienceMemory
from rememberer_nb.memory.check import check_memory
from rememberer_nb.memory.operations import dump

ROOT = Path(__file__).resolve().parent.parent.parent.parent
N_OPENS = 10_000

# Commits without a pause, a checkpoint at every few pages, and a new beginning now and then.
WRITER = """
import sys
sys.path.insert(0, {root!r})
from rememberer_nb.memory import ExperienceMemory
from tests.memory.store.test_store import teach

number = 0
while True:
    with ExperienceMemory.open({path!r}) as memory:
        memory.lock(wait_s=10)
        if number:
            memory._store._db().execute("PRAGMA wal_autocheckpoint = 8")
        for _ in range(50):
            teach(memory, number % 4)
            number += 1
            print(number, flush=True)
"""


def lines_of(path: Path) -> list[str]:
    with ExperienceMemory.open(path, must_exist=True, read_only=True) as memory:
        return list(dump(memory))


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_a_reader_in_a_loop_beside_a_writer(tmp_path: Path) -> None:
    path = tmp_path / "m.sqlite"
    script = WRITER.format(root=str(ROOT), path=str(path))
    with (tmp_path / "log").open("w") as log:
        writer = subprocess.Popen([sys.executable, "-c", script], stdout=log, stderr=log)
    try:
        while not path.exists():
            assert writer.poll() is None
        seen: set[int] = set()
        for _ in range(N_OPENS):
            with ExperienceMemory.open(path, must_exist=True, read_only=True) as memory:
                # Whole commits only.
                assert memory.n_updates == 3 * memory.n_episodes
                assert len(memory) == 3 * min(memory.n_episodes, 4)
                seen.add(memory.n_episodes)
        assert writer.poll() is None, (tmp_path / "log").read_text()[-2000:]
        # The writer was at work meanwhile, or this has shown nothing.
        assert len(seen) > N_OPENS / 100
    finally:
        writer.kill()
        writer.wait()
    assert check_memory(path)["problems"] == []


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of its own, 160 kB large."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = shutil.which("mount")
    command = [mount or "mount", "-t", "tmpfs", "-o", "size=160k", "tmpfs", str(folder)]
    if mount is None or subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("no small disk can be mounted here (needs root)")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def train(path: Path, capsys: pytest.CaptureFixture[str]) -> tuple[int, dict | None, str]:
    """Exit status, report without times, and what was said."""
    status = main(["train", "--seed", "5", "--json", "--memory", str(path), "--resume"])
    out, said = capsys.readouterr()
    report = json.loads(out) if out else None
    if report is not None:
        del report["timing"]
    return status, report, said


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_a_full_disk(tmp_path: Path, small_disk: Path, capsys: pytest.CaptureFixture[str]) -> None:
    straight = tmp_path / "straight.sqlite"
    status, expected, _ = train(straight, capsys)
    assert status == 0
    n_whole = straight.stat().st_size // 1024
    assert n_whole > 200
    path, n_episodes = small_disk / "m.sqlite", 0
    # The file, its log and 32 kB for its readers do not fit in.
    for share in (0.6, 0.7, 0.8, 1.0):
        kilobytes = int(share * n_whole)
        resized = ["mount", "-o", f"remount,size={kilobytes}k", str(small_disk)]
        subprocess.run(resized, check=True)
        status, _, said = train(path, capsys)
        assert status == 1
        problem = said.strip().splitlines()[-1]
        assert problem == f"rememberer-nb: {path}: cannot be written: database or disk is full"
        # Full as the disk is, the file is sound, and can be looked at.
        assert check_memory(path)["problems"] == []
        with ExperienceMemory.open(path, read_only=True) as memory:
            assert memory.n_episodes >= n_episodes
            n_episodes = memory.n_episodes
    assert 0 < n_episodes < 30
    subprocess.run(["mount", "-o", "remount,size=20m", str(small_disk)], check=True)
    status, report, _ = train(path, capsys)
    assert (status, report) == (0, expected)
    assert lines_of(path) == lines_of(straight)
    assert sorted(os.listdir(small_disk)) == ["m.sqlite"]
