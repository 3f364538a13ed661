"""Memory files: readers beside a writer, one writer, older formats, full disks, rollback."""

from __future__ import annotations

import hashlib
import os
import resource
import sqlite3
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from rememberer_nb.config import CapacityConfig, RetrievalConfig, RlemConfig
from rememberer_nb.elements import Transition
from rememberer_nb.errors import ConfigError, MemoryFileError
from rememberer_nb.memory import ExperienceMemory
from rememberer_nb.memory.check import check_memory
from rememberer_nb.memory.operations import dump
from rememberer_nb.memory.outcome import Outcome
from rememberer_nb.memory.store.format import FORMAT_VERSION
from rememberer_nb.memory.store.store import Store
from rememberer_nb.retrieval import JaccardSimilarity
from rememberer_nb.rlem import learn_episode, learnt
from tests.memory.store.format1 import write_format_1
from tests.memory.store.format2 import write_format_2
from tests.memory.store.format3 import write_format_3
from tests.memory.store.test_store import filled, hits, teach

ROOT = Path(__file__).resolve().parent.parent.parent.parent


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def version_of(path: Path) -> int:
    db = sqlite3.connect(path)
    try:
        return db.execute("PRAGMA user_version").fetchone()[0]
    finally:
        db.close()


def in_process(script: str, **settings: object) -> subprocess.Popen[str]:
    prelude = f"import sys; sys.path.insert(0, {str(ROOT)!r})\n"
    return subprocess.Popen(
        [sys.executable, "-c", prelude + script],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        **settings,
    )


# Readers and a writer

WRITER = """
from pathlib import Path
from rememberer_nb.memory import ExperienceMemory
from tests.memory.store.test_store import teach
memory = ExperienceMemory.open(Path({path!r}))
for number in range(40):
    teach(memory, number)
    print(number, flush=True)
    if number == 0:
        sys.stdin.readline()
"""


def test_two_readers_see_commits_while_another_process_writes(tmp_path: Path) -> None:
    path = tmp_path / "m.sqlite"
    writer = in_process(WRITER.format(path=str(path)))
    assert writer.stdout.readline() == "0\n"
    with (
        ExperienceMemory.open(path, read_only=True) as one,
        ExperienceMemory.open(path) as two,
    ):
        assert len(one) == len(two) == 3
        print(file=writer.stdin, flush=True)
        seen = 1
        while seen < 40:
            for reader in (one, two):
                if reader.reload():
                    # Whole episodes only, and all that belongs to them.
                    assert reader.n_updates == len(reader.updates()) == 3 * reader.n_episodes
                    assert len(reader.episodes()) == reader.n_episodes
                    assert {u.record_id for u in reader.updates()} == {r.record_id for r in reader}
            seen = min(one.n_episodes, two.n_episodes)
        assert not one.reload()
        assert list(dump(one)) == list(dump(two))
        assert hits(one) == hits(two)
    _, error = writer.communicate()
    assert (writer.returncode, error) == (0, "")
    assert check_memory(path)["problems"] == []


def test_a_reader_keeps_to_what_it_has_loaded(tmp_path: Path) -> None:
    path = tmp_path / "m.sqlite"
    with filled(path, 2) as writer, ExperienceMemory.open(path) as reader:
        before = (list(reader), reader.updates(), reader.episodes(), reader.uses(0))
        teach(writer, 5)
        assert (list(reader), reader.updates(), reader.episodes(), reader.uses(0)) == before
        with pytest.raises(LookupError, match="no episode 3"):
            reader.episode(3)
        assert reader.reload()
        assert list(dump(reader)) == list(dump(writer))
        assert reader.episode(3) == writer.episodes()[2]


def test_a_second_writer_is_told_who_writes(tmp_path: Path) -> None:
    path = tmp_path / "m.sqlite"
    with filled(path, 1) as one, ExperienceMemory.open(path) as two:
        with pytest.raises(MemoryFileError, match=f"process {os.getpid()} on .* is writing it"):
            two.lock()
        with pytest.raises(MemoryFileError, match="is writing it"):
            teach(two, 2)
        one.close()
        # Its own changes still wait; the file has not changed since it was opened.
        two.commit()
        assert two.n_updates == 6
    with ExperienceMemory.open(path) as memory:
        assert memory.n_updates == 6


def test_a_writer_that_comes_late_does_not_overwrite(tmp_path: Path) -> None:
    path = tmp_path / "m.sqlite"
    filled(path, 1).close()
    with ExperienceMemory.open(path) as late:
        with ExperienceMemory.open(path) as early:
            teach(early, 5)
            expected = list(dump(early))
        for _ in range(2):
            with pytest.raises(MemoryFileError, match="another process has changed it"):
                teach(late, 6)
        late.reload()
        assert list(dump(late)) == expected
        teach(late, 7)
    assert check_memory(path)["problems"] == []


def test_read_only_is_read_only(tmp_path: Path) -> None:
    path = tmp_path / "m.sqlite"
    with pytest.raises(MemoryFileError, match="no such memory file"):
        ExperienceMemory.open(path, read_only=True)
    filled(path, 1).close()
    before = digest(path)
    with ExperienceMemory.open(path, read_only=True) as memory:
        memory.insert("g", "o")
        with pytest.raises(MemoryFileError, match="opened for reading only"):
            memory.commit()
    assert digest(path) == before
    assert [p.name for p in tmp_path.iterdir()] == ["m.sqlite"]


def test_a_file_on_a_read_only_medium_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, make in (("now.sqlite", None), ("old.sqlite", write_format_1)):
        path = tmp_path / name
        with filled(path if make is None else tmp_path / "source", 2) as memory:
            held = list(memory)
            if make is not None:
                make(path, memory)
        monkeypatch.setattr(os, "access", lambda path, mode: mode != os.W_OK)
        before = sorted(p.name for p in tmp_path.iterdir())
        with ExperienceMemory.open(path) as memory:
            assert list(memory) == held
            assert sorted(p.name for p in tmp_path.iterdir()) == before
            with pytest.raises(MemoryFileError, match="the file or its folder is read-only"):
                memory.commit()
        with pytest.raises(MemoryFileError, match=r"folder .* is read-only"):
            ExperienceMemory.open(tmp_path / "new.sqlite")
        assert sorted(p.name for p in tmp_path.iterdir()) == before
        monkeypatch.undo()


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="needs root")
def test_a_folder_without_permission() -> None:
    """As another user, since root may write anywhere."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "m.sqlite")
        filled(path, 2).close()
        path.chmod(0o444)
        Path(folder).chmod(0o555)
        child = os.fork()
        if not child:
            status = 1
            try:
                os.setuid(65534)
                with ExperienceMemory.open(path) as memory:
                    assert len(memory) == 6
                    with pytest.raises(MemoryFileError, match="read-only"):
                        memory.commit()
                status = 0
            finally:
                os._exit(status)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        assert [p.name for p in Path(folder).iterdir()] == ["m.sqlite"]


def test_making_a_file_is_all_or_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Path, "rename", fail)
        with ExperienceMemory.open(tmp_path / "m.sqlite") as memory:
            memory.insert("g", "o")
            with pytest.raises(KeyboardInterrupt):
                memory.commit()
            patch.undo()
            assert [p.name for p in tmp_path.iterdir()] == ["m.sqlite-lock"]
            # Nothing was forgotten.
            memory.commit()
    with ExperienceMemory.open(tmp_path / "m.sqlite") as memory:
        assert len(memory) == 1
    (tmp_path / "m.sqlite").unlink()
    # What a killed process has left is in nobody's way.
    (tmp_path / ".m.sqlite.new").write_bytes(b"half")
    (tmp_path / "m.sqlite-lock").touch()
    filled(tmp_path / "m.sqlite", 1).close()
    assert [p.name for p in tmp_path.iterdir()] == ["m.sqlite"]


# Formats


@pytest.mark.parametrize("has_metadata", [True, False])
def test_format_1_is_read_as_it_is_and_migrated_by_the_first_commit(
    tmp_path: Path, has_metadata: bool
) -> None:
    path = tmp_path / "old.sqlite"
    with filled(tmp_path / "source.sqlite", 5) as memory:
        expected = list(dump(memory))
        write_format_1(path, memory, has_metadata=has_metadata)
    before = digest(path)
    with ExperienceMemory.open(path) as memory:
        assert list(dump(memory)) == expected
    assert (version_of(path), digest(path)) == (1, before)
    assert check_memory(path)["problems"] == []
    assert digest(path) == before
    with ExperienceMemory.open(path) as memory:
        teach(memory, 9)
        after = list(dump(memory))
    assert version_of(path) == FORMAT_VERSION
    with ExperienceMemory.open(path) as memory:
        assert list(dump(memory)) == after
        assert len(after) > len(expected)
    assert check_memory(path)["problems"] == []


def test_migrating_tells_what_was_used(tmp_path: Path) -> None:
    from rememberer_nb.agents.rememberer import rememberer
    from rememberer_nb.loop.training import train
    from tests.toy import TOY, ScriptedLLM, ToyEnv, opens_the_right_door

    memory = ExperienceMemory.open(tmp_path / "now.sqlite")
    train(ToyEnv(), rememberer(ScriptedLLM(opens_the_right_door), TOY, memory), [0, 1, 2])
    write_format_1(tmp_path / "old.sqlite", memory)
    with ExperienceMemory.open(tmp_path / "old.sqlite") as old:
        uses = [old.uses(record.record_id) for record in old]
        assert uses == [memory.uses(record.record_id) for record in memory]
        assert sum(map(len, uses)) > 10
    memory.close()


def test_format_2_is_read_as_it_is_and_migrated_by_the_first_commit(tmp_path: Path) -> None:
    from rememberer_nb.agents.rememberer import rememberer
    from rememberer_nb.loop.training import train
    from tests.toy import TOY, ScriptedLLM, ToyEnv, opens_the_right_door

    path = tmp_path / "old.sqlite"
    rlem = RlemConfig(n_step=1, stand_in="kernel", n_neighbours=2)
    with ExperienceMemory.open(tmp_path / "now.sqlite") as memory:
        agent = rememberer(ScriptedLLM(opens_the_right_door), TOY, memory, rlem=rlem)
        train(ToyEnv(), agent, [0, 1, 2])
        assert any(update.bootstrap_sources for update in memory.updates())
        write_format_2(path, memory)
        expected = [line for line in dump(memory) if not line.startswith('{"memory"')]
        uses = [memory.uses(record.record_id) for record in memory]
    before = digest(path)
    assert check_memory(path)["problems"] == []
    with ExperienceMemory.open(path) as memory:
        assert [line for line in dump(memory) if not line.startswith('{"memory"')] == expected
        assert [memory.uses(record.record_id) for record in memory] == uses
        assert (version_of(path), digest(path)) == (2, before)
        memory.commit()
    assert version_of(path) == FORMAT_VERSION
    assert check_memory(path)["problems"] == []
    with ExperienceMemory.open(path) as memory:
        assert [line for line in dump(memory) if not line.startswith('{"memory"')] == expected


def trained_format_3(folder: Path) -> tuple[Path, list[str], list]:
    """A file of format 3 with prompts, updates and an evicted record; its dump and its uses."""
    from rememberer_nb.agents.rememberer import rememberer
    from rememberer_nb.loop.training import train
    from tests.toy import TOY, ScriptedLLM, ToyEnv, opens_the_right_door

    path, limits = folder / "old.sqlite", CapacityConfig(max_records=4)
    with ExperienceMemory.open(folder / "now.sqlite", capacity=limits) as memory:
        agent = rememberer(ScriptedLLM(opens_the_right_door), TOY, memory)
        train(ToyEnv(), agent, [0, 1, 2])
        assert memory.next_record > len(memory)
        write_format_3(path, memory)
        return path, list(dump(memory)), [memory.uses(i) for i in range(memory.next_record)]


def test_format_3_is_read_as_it_is_and_migrated_by_the_first_commit(tmp_path: Path) -> None:
    path, expected, uses = trained_format_3(tmp_path)
    before = digest(path)
    assert check_memory(path)["problems"] == []
    with ExperienceMemory.open(path) as memory:
        assert list(dump(memory)) == expected
        assert (version_of(path), digest(path)) == (3, before)
        numbers = list(memory.outcomes())
        memory.commit()
        assert list(memory.outcomes()) == numbers
    assert (version_of(path), check_memory(path)["problems"]) == (FORMAT_VERSION, [])
    with ExperienceMemory.open(path) as memory:
        assert list(dump(memory)) == expected
        assert [memory.uses(i) for i in range(memory.next_record)] == uses
        found = [Outcome.of(episode) for episode in memory.each_episode()]
        assert list(memory.outcomes()) == found
        assert [outcome.position for outcome in found] == [0, 1, 2] * 3


def test_an_episode_that_was_damaged_before_migrating_is_still_named(tmp_path: Path) -> None:
    path, _, _ = trained_format_3(tmp_path)
    with sqlite3.connect(path) as db:
        db.execute("UPDATE episodes SET episode_id = 'other' WHERE number = 2")
        db.execute("UPDATE episodes SET data = x'00' WHERE number = 4")
    db.close()
    with ExperienceMemory.open(path) as memory:
        assert len(memory) == 4
        memory.commit()
        assert memory.episode(1).episode_id == "rememberer/0/0/0/0"
        with pytest.raises(MemoryFileError, match=r"old\.sqlite: is damaged"):
            memory.episode(4)
    problems = check_memory(path)["problems"]
    assert problems[0] == "episode 'other' is not what was written (its checksum differs)"
    assert "is not what was written" in problems[1]


def test_an_episode_that_was_damaged_before_there_were_checksums(tmp_path: Path) -> None:
    path = tmp_path / "old.sqlite"
    with filled(tmp_path / "source.sqlite", 3) as source:
        write_format_2(path, source)
    with sqlite3.connect(path) as db:
        db.execute("UPDATE episodes SET data = x'00' WHERE number = 2")
    db.close()
    with ExperienceMemory.open(path) as memory:
        teach(memory, 9)
        assert [memory.episode(n).episode_id for n in (1, 3, 4)] == ["0", "2", "9"]
        with pytest.raises(MemoryFileError, match=r"old\.sqlite: is damaged"):
            memory.episode(2)


def test_a_migration_that_fails_leaves_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from rememberer_nb.memory.store import migration as store_migration

    path = tmp_path / "old.sqlite"
    with filled(tmp_path / "source.sqlite", 2) as source:
        write_format_1(path, source)
    before = digest(path)

    def fail(*_: object) -> None:
        error = sqlite3.OperationalError("database or disk is full")
        error.sqlite_errorcode = sqlite3.SQLITE_FULL
        raise error

    with ExperienceMemory.open(path) as memory:
        monkeypatch.setattr(store_migration, "write_meta", fail)
        with pytest.raises(MemoryFileError, match="cannot be written: database or disk is full"):
            memory.commit()
        monkeypatch.undo()
        assert (version_of(path), digest(path)) == (1, before)
        memory.commit()
    assert version_of(path) == FORMAT_VERSION


# Full disks


def test_a_full_disk_keeps_the_last_commit(tmp_path: Path) -> None:
    path = tmp_path / "m.sqlite"
    with filled(path, 3) as memory:
        expected = list(dump(memory))
        n_pages = memory._store._db().execute("PRAGMA page_count").fetchone()[0]
        memory._store._db().execute(f"PRAGMA max_page_count = {n_pages + 1}")
        memory.insert("g", "x" * 200_000)
        with pytest.raises(MemoryFileError, match="cannot be written: database or disk is full"):
            memory.commit()
        with ExperienceMemory.open(path) as reader:
            assert list(dump(reader)) == expected
        memory._store._db().execute("PRAGMA max_page_count = 1000000")
        # There is room again: nothing was forgotten.
        memory.commit()
    with ExperienceMemory.open(path) as memory:
        assert memory.find("g", "x" * 200_000) is not None
    assert check_memory(path)["problems"] == []


LIMITED = """
import resource, signal
from pathlib import Path
from rememberer_nb.errors import MemoryFileError
from rememberer_nb.memory import ExperienceMemory
memory = ExperienceMemory.open(Path({path!r}))
memory.insert("g", "x" * 3_000_000)
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, 300_000))
try:
    memory.commit()
except MemoryFileError as error:
    print(error)
"""


@pytest.mark.skipif(not hasattr(resource, "RLIMIT_FSIZE"), reason="needs file size limits")
def test_a_file_that_may_not_grow(tmp_path: Path) -> None:
    path = tmp_path / "m.sqlite"
    with filled(path, 3) as memory:
        expected = list(dump(memory))
    out, error = in_process(LIMITED.format(path=str(path))).communicate()
    assert error == ""
    assert out.startswith(f"{path}: cannot be written: ")
    assert out.count("\n") == 1
    with ExperienceMemory.open(path) as memory:
        assert list(dump(memory)) == expected
    assert check_memory(path)["problems"] == []


def test_damage_past_the_start_is_one_error(tmp_path: Path) -> None:
    """Any page of the file, spoilt: an error that names the file, or a sound memory."""
    path = tmp_path / "m.sqlite"
    with filled(path, 12) as memory:
        expected = list(dump(memory))
    whole = path.read_bytes()
    n_refused = 0
    for start in range(4096, len(whole), 4096):
        spoilt = whole[:start] + b"\xa5" * 4096 + whole[start + 4096 :]
        path.write_bytes(spoilt)
        try:
            with ExperienceMemory.open(path) as memory:
                assert list(dump(memory)) == expected
        except MemoryFileError as error:
            n_refused += 1
            assert str(path) in str(error)
        assert path.read_bytes() == spoilt
        assert [p.name for p in tmp_path.iterdir()] == ["m.sqlite"]
    assert n_refused > 3


# Rollback


def taught(memory: ExperienceMemory, observation: str, reward: float = 1.0) -> None:
    end = Transition(observation, "a", reward, "end", terminated=True)
    learn_episode(memory, "g", [end])


@pytest.mark.parametrize("is_in_file", [True, False])
def test_rollback_undoes_everything_since_the_commit(tmp_path: Path, is_in_file: bool) -> None:
    path = tmp_path / "m.sqlite" if is_in_file else None
    limits = CapacityConfig(max_records=4)
    with ExperienceMemory.open(path, capacity=limits) as memory:
        for i in range(6):
            taught(memory, f"page {i} word{i % 2}")
        memory.commit()
        before, found = list(dump(memory)), hits(memory)
        taught(memory, "page 5 word1", 0.0)
        taught(memory, "another")
        memory.remove(next(iter(memory)).record_id)
        memory.refresh()
        memory.rollback()
        assert list(dump(memory)) == before
        assert hits(memory) == found
        # What was undone is not written by the next commit.
        memory.commit()
        assert [line for line in dump(memory) if '"memory"' not in line] == before[1:]
        taught(memory, "page 7")
        memory.commit()
        assert memory.n_updates == len(memory.updates()) == 7


def test_rollback_keeps_similarities_of_ones_own(tmp_path: Path) -> None:
    own = JaccardSimilarity(reads="both")
    settings = {"observation_similarity": own}
    with ExperienceMemory.open(tmp_path / "m.sqlite", **settings) as memory:
        memory.insert("red", "page")
        memory.commit()
        memory.insert("blue", "page")
        memory.rollback()
        assert [hit.record.task for hit in memory.retrieve("red", "x")] == ["red"]
        (hit,) = memory.retrieve("red", "x", task_weight=0.0)
        assert hit.observation_similarity == pytest.approx(1 / 3)


def test_a_load_that_is_interrupted_is_not_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "m.sqlite"
    with filled(path, 4) as memory:
        expected = list(dump(memory))
        memory.insert("g", "o")

        def interrupted(self: Store) -> None:
            raise KeyboardInterrupt

        with monkeypatch.context() as patch:
            patch.setattr(Store, "load_records", interrupted)
            with pytest.raises(KeyboardInterrupt):
                memory.rollback()
        with pytest.raises(MemoryFileError, match="reading it was interrupted"):
            memory.commit()
        memory.rollback()
        assert list(dump(memory)) == expected


# Texts and numbers


@pytest.mark.parametrize("name", ["tfidf", "jaccard"])
@pytest.mark.parametrize("observation", ["", " ", "\x00", "\ud800", "x" * 10_000_000, "\n" * 9])
def test_odd_observations_are_read_back_equal(tmp_path: Path, observation: str, name: str) -> None:
    retrieval = RetrievalConfig(task_similarity=name, observation_similarity=name)
    path = tmp_path / "m.sqlite"
    with ExperienceMemory.open(path, retrieval=retrieval) as memory:
        taught(memory, observation)
        taught(memory, "plain")
        memory.commit()
        held = list(memory)
    with ExperienceMemory.open(path, retrieval=retrieval) as memory:
        assert list(memory) == held
        assert memory.find("g", observation).max_q == 1.0
        assert len(list(memory.retrieve("g", observation))) == 2


@pytest.mark.parametrize("reward", [float("nan"), float("inf"), float("-inf")])
def test_rewards_that_are_no_numbers_are_refused(tmp_path: Path, reward: float) -> None:
    with ExperienceMemory.open(tmp_path / "m.sqlite") as memory:
        taught(memory, "o")
        memory.commit()
        before = list(dump(memory))
        with pytest.raises(ConfigError, match="reward must be finite"):
            taught(memory, "o", reward)
        (update,) = memory.updates()
        value = memory.record(0).action_values[0]
        for q_after, received in ((reward, 0.0), (0.5, reward)):
            with pytest.raises(ConfigError, match="must be finite"):
                learnt(value, update_after(update, q_after), received)
        assert list(dump(memory)) == before


def update_after(update, q_after: float):
    import dataclasses

    return dataclasses.replace(update, update_id=1, q_after=q_after, n_visits=2)


def test_rewards_that_overflow_are_refused_whole(tmp_path: Path) -> None:
    with ExperienceMemory.open(tmp_path / "m.sqlite") as memory:
        steps = [
            Transition("o", "a", 9e99, "p"),
            Transition("p", "b", 9e99, "end", terminated=True),
        ]
        with pytest.raises(ConfigError, match=r"must be finite, got 1\.8e\+100"):
            learn_episode(memory, "g", steps)
        memory.rollback()
        assert len(memory) == memory.n_updates == 0
