"""The file of a memory: checkpoints cut short, files replaced under a writer, forks, links."""

from __future__ import annotations

import multiprocessing
import os
import shutil
import sqlite3
import tempfile
from pathlib import Path

import pytest

from rememberer_nb.errors import MemoryFileError
from rememberer_nb.memory import ExperienceMemory
from rememberer_nb.memory.check import check_memory
from rememberer_nb.memory.operations import dump
from tests.memory.store.test_store import filled, teach

PAGE = 4096


def lines_of(path: Path) -> list[str]:
    with ExperienceMemory.open(path, must_exist=True, read_only=True) as memory:
        return list(dump(memory))


# A checkpoint that is under way, or was when its process was killed


@pytest.fixture
def checkpoint(tmp_path: Path) -> tuple[bytes, bytes, bytes, list[str]]:
    """The file before a checkpoint, the log, the file after it, and what the memory holds."""
    path = tmp_path / "source.sqlite"
    with filled(path, 2) as memory:
        sqlite3.connect(path).execute("PRAGMA wal_checkpoint(TRUNCATE)").connection.close()
        for number in range(2, 80):
            teach(memory, number)
        expected = list(dump(memory))
        before, log = path.read_bytes(), path.with_name("source.sqlite-wal").read_bytes()
        sqlite3.connect(path).execute("PRAGMA wal_checkpoint(FULL)").connection.close()
        after = path.read_bytes()
    assert len(after) > len(before)
    return before, log, after, expected


def test_killed_after_any_page_of_a_checkpoint(
    tmp_path: Path, checkpoint: tuple[bytes, bytes, bytes, list[str]]
) -> None:
    before, log, after, expected = checkpoint
    n_pages = len(after) // PAGE
    assert n_pages > 30
    for n_written in range(n_pages + 1):
        folder = tmp_path / str(n_written)
        folder.mkdir()
        path = folder / "m.sqlite"
        path.write_bytes(after[: n_written * PAGE] + before[n_written * PAGE :])
        path.with_name("m.sqlite-wal").write_bytes(log)
        assert check_memory(path)["problems"] == [], n_written
        assert lines_of(path) == expected
        with ExperienceMemory.open(path) as memory:
            teach(memory, 20)
        assert check_memory(path)["problems"] == []


def test_a_log_that_nobody_may_write(
    tmp_path: Path,
    checkpoint: tuple[bytes, bytes, bytes, list[str]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    before, log, after, expected = checkpoint
    path = tmp_path / "m.sqlite"
    path.write_bytes(after[: 3 * PAGE] + before[3 * PAGE :])
    path.with_name("m.sqlite-wal").write_bytes(log)
    monkeypatch.setattr(os, "access", lambda path, mode: mode != os.W_OK)
    assert lines_of(path) == expected


def test_a_file_that_changes_while_it_is_taken_for_unchanging(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "m.sqlite"
    filled(path, 3).close()
    with monkeypatch.context() as patch:
        patch.setattr(os, "access", lambda path, mode: mode != os.W_OK)
        reader = ExperienceMemory.open(path)
    filled(path, 1).close()
    with pytest.raises(MemoryFileError, match="was changed while it was read"):
        reader.episodes()
    assert reader.reload()
    assert reader.n_episodes == len(reader.episodes()) == 4
    reader.close()


# The wrong file


def test_a_file_that_was_removed_is_not_written(tmp_path: Path) -> None:
    path = tmp_path / "m.sqlite"
    memory = filled(path, 2)
    path.unlink()
    with pytest.raises(MemoryFileError, match="was removed, since it was opened"):
        teach(memory, 3)
    assert len(memory) == 9
    with memory.copy(path) as kept:
        assert [r.observation for r in kept] == [r.observation for r in memory]
    memory.close()
    assert [p.name for p in tmp_path.iterdir()] == ["m.sqlite"]
    assert check_memory(path)["problems"] == []


@pytest.mark.parametrize("is_writer", [True, False])
def test_another_file_in_its_place_is_left_alone(tmp_path: Path, is_writer: bool) -> None:
    path, other = tmp_path / "m.sqlite", tmp_path / "other.sqlite"
    filled(other, 5).close()
    expected = lines_of(other)
    filled(path, 2).close()
    memory = ExperienceMemory.open(path)
    if is_writer:
        teach(memory, 2)
        assert path.with_name("m.sqlite-wal").stat().st_size > 0
    other.rename(path)
    with pytest.raises(MemoryFileError, match="another file has been put in its place"):
        teach(memory, 3)
    assert not is_writer or [p.name for p in tmp_path.iterdir()] == ["m.sqlite"]
    # The new file is whole at once, and stays so whatever the old one's users do.
    assert lines_of(path) == expected
    with pytest.raises(MemoryFileError):
        memory.commit()
    with ExperienceMemory.open(path) as new:
        teach(new, 6)
        expected = list(dump(new))
        memory.close()
        assert check_memory(path)["problems"] == []
    assert lines_of(path) == expected


def test_the_log_of_another_file_is_refused(tmp_path: Path) -> None:
    path, other = tmp_path / "m.sqlite", tmp_path / "other.sqlite"
    filled(other, 5).close()
    memory = filled(path, 3)
    log = path.with_name("m.sqlite-wal").read_bytes()
    memory.close()
    # As if the writer had been killed, and a file been put in the place of its.
    other.rename(path)
    before = path.read_bytes()
    path.with_name("m.sqlite-wal").write_bytes(log)
    for _ in range(2):
        with pytest.raises(MemoryFileError, match=r"m\.sqlite-wal, belongs to another memory"):
            ExperienceMemory.open(path)
    assert "belongs to another memory" in check_memory(path)["problems"][0]
    assert path.read_bytes() == before
    path.with_name("m.sqlite-wal").unlink()
    path.with_name("m.sqlite-shm").unlink(missing_ok=True)
    assert check_memory(path)["problems"] == []
    with ExperienceMemory.open(path) as memory:
        assert memory.n_episodes == 5


def test_a_writer_whose_lock_file_is_deleted_stays_the_only_one(tmp_path: Path) -> None:
    path = tmp_path / "m.sqlite"
    with filled(path, 1) as one, ExperienceMemory.open(path) as two:
        path.with_name("m.sqlite-lock").unlink()
        teach(one, 1)
        with pytest.raises(MemoryFileError, match="is writing it"):
            teach(two, 2)
        two.reload()
        path.with_name("m.sqlite-lock").unlink()
        teach(two, 3)
        with pytest.raises(MemoryFileError, match="lock file was deleted, and process"):
            teach(one, 4)
        expected = list(dump(two))
    assert lines_of(path) == expected
    assert check_memory(path)["problems"] == []


def test_closed_is_closed(tmp_path: Path) -> None:
    memory = filled(tmp_path / "m.sqlite", 2)
    expected = list(dump(memory))
    memory.insert("g", "late")
    memory.close()
    memory.close()
    for use in (memory.commit, memory.lock, memory.reload, memory.updates, memory.episodes):
        with pytest.raises(MemoryFileError, match="is closed; open it again"):
            use()
    assert lines_of(tmp_path / "m.sqlite") == expected
    assert [p.name for p in tmp_path.iterdir()] == ["m.sqlite"]


# Forks


def try_to_use(memory: ExperienceMemory, answers: multiprocessing.Queue) -> None:
    for use in (lambda: teach(memory, 50), memory.updates, memory.reload):
        try:
            use()
            answers.put("used")
        except MemoryFileError as error:
            answers.put(str(error))
    answers.put(len(memory))
    memory.close()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
@pytest.mark.parametrize("is_writer", [True, False])
def test_a_child_leaves_its_parents_file_alone(tmp_path: Path, is_writer: bool) -> None:
    path = tmp_path / "m.sqlite"
    filled(path, 2).close()
    context = multiprocessing.get_context("fork")
    with ExperienceMemory.open(path) as memory:
        if is_writer:
            teach(memory, 2)
        answers = context.Queue()
        child = context.Process(target=try_to_use, args=(memory, answers))
        child.start()
        told = [answers.get(timeout=30) for _ in range(4)]
        child.join(30)
        assert child.exitcode == 0
        assert all(f"opened by process {os.getpid()}, before a fork" in said for said in told[:3])
        # What it holds in RAM, it may look at and change: nothing comes of it.
        assert told[3] == len(memory) + 3
        if is_writer:
            # The child has not given up the lock.
            with pytest.raises(MemoryFileError, match="is writing it"):
                ExperienceMemory.open(path).lock()
        teach(memory, 3)
        expected = list(dump(memory))
    assert lines_of(path) == expected
    assert check_memory(path)["problems"] == []


# Links and names


def test_a_dangling_link_leads_to_a_new_file(tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    link, target = tmp_path / "m.sqlite", tmp_path / "disk" / "real.sqlite"
    link.symlink_to(target)
    filled(link, 2).close()
    assert link.is_symlink()
    assert lines_of(link) == lines_of(target)
    with ExperienceMemory.open(link) as memory, ExperienceMemory.open(target) as same:
        teach(memory, 2)
        with pytest.raises(MemoryFileError, match="is writing it"):
            same.lock()
    assert [p.name for p in (tmp_path / "disk").iterdir()] == ["real.sqlite"]
    link.unlink()
    link.symlink_to(tmp_path / "nowhere" / "real.sqlite")
    with pytest.raises(MemoryFileError, match="nowhere does not exist"):
        ExperienceMemory.open(link)


def test_a_link_to_itself(tmp_path: Path) -> None:
    link = tmp_path / "m.sqlite"
    link.symlink_to(link)
    with pytest.raises(MemoryFileError, match=r"symbolic link that leads nowhere|is not a file"):
        ExperienceMemory.open(link)
    assert link.is_symlink()


def test_a_pipe_is_no_memory(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "m.sqlite")
    with pytest.raises(MemoryFileError, match="is not a file"):
        ExperienceMemory.open(tmp_path / "m.sqlite")


def test_opening_makes_no_file(tmp_path: Path) -> None:
    path = tmp_path / "m.sqlite"
    with ExperienceMemory.open(path) as memory:
        memory.insert("g", "o")
        assert not path.exists()
        memory.lock()
        with (
            ExperienceMemory.open(path) as other,
            pytest.raises(MemoryFileError, match="is writing it"),
        ):
            other.commit()
        memory.commit()
        assert lines_of(path) == list(dump(memory))
    assert [p.name for p in tmp_path.iterdir()] == ["m.sqlite"]


def test_a_file_that_another_has_made_meanwhile(tmp_path: Path) -> None:
    path = tmp_path / "m.sqlite"
    with ExperienceMemory.open(path) as late:
        late.insert("g", "late")
        filled(path, 1).close()
        before = lines_of(path)
        with pytest.raises(MemoryFileError, match="made by another process meanwhile"):
            late.commit()
        assert lines_of(path) == before
        assert late.reload()
        teach(late, 2)
    assert check_memory(path)["problems"] == []


def test_a_copied_file_is_the_same_memory(tmp_path: Path) -> None:
    path = tmp_path / "m.sqlite"
    filled(path, 3).close()
    shutil.copy(path, tmp_path / "copy.sqlite")
    assert lines_of(tmp_path / "copy.sqlite") == lines_of(path)
    with ExperienceMemory.open(path) as one, ExperienceMemory.open(tmp_path / "copy.sqlite") as two:
        teach(one, 3)
        teach(two, 4)
    assert (
        check_memory(path)["problems"] == check_memory(tmp_path / "copy.sqlite")["problems"] == []
    )


# What the system says is not damage


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="needs root")
def test_a_file_that_may_not_be_read() -> None:
    """As another user, since root may read anything."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "m.sqlite")
        filled(path, 1).close()
        path.chmod(0o000)
        Path(folder).chmod(0o755)
        child = os.fork()
        if not child:
            status = 1
            try:
                os.setuid(65534)
                with pytest.raises(MemoryFileError, match=r"cannot be (opened|read)"):
                    ExperienceMemory.open(path)
                status = 0
            finally:
                os._exit(status)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_a_plugins_own_error_is_its_own(tmp_path: Path) -> None:
    class Faulty:
        name, reads = "faulty", "observation"

        def put(self, slot: int, text: str) -> None:
            raise TypeError("the plugin's own")

    path = tmp_path / "m.sqlite"
    filled(path, 1).close()
    with pytest.raises(TypeError, match="the plugin's own"):
        ExperienceMemory.open(path, observation_similarity=Faulty()).retrieve("g", "o")
