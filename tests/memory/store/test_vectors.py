"""Vectors lie in a file once: added to, never rewritten, read without encoding anything."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from rememberer_nb.config import CapacityConfig, RetrievalConfig
from rememberer_nb.elements import Transition
from rememberer_nb.errors import LLMOutageError, MemoryFileError
from rememberer_nb.memory import ExperienceMemory
from rememberer_nb.memory.check import check_memory
from rememberer_nb.memory.store.format import FORMAT_VERSION, checksum
from rememberer_nb.memory.store.vectors import read_vectors, vectors_of_state, write_vectors
from rememberer_nb.retrieval import EmbeddingSimilarity, register_family, registry
from rememberer_nb.retrieval.vectors import vector_key
from rememberer_nb.rlem import learn_episode
from tests.memory.store.format4 import write_format_4

BY_LETTERS = RetrievalConfig(
    task_similarity="embedding:letters", observation_similarity="3*embedding:letters+jaccard"
)
LETTERS = "abcdefghijklmnopqrstuvwxyz"


class Letters:
    """Counts letters, and the texts that it is asked for."""

    def __init__(self, n_dimensions: int = 26) -> None:
        self.n_dimensions = n_dimensions
        self.asked: list[str] = []

    def __call__(self, texts: Sequence[str]) -> np.ndarray:
        self.asked += texts
        return np.array([[t.count(c) for c in LETTERS[: self.n_dimensions]] for t in texts], float)


@pytest.fixture
def encode(monkeypatch: pytest.MonkeyPatch) -> Letters:
    letters = Letters()
    monkeypatch.setattr(registry, "_FAMILIES", {})
    register_family("embedding", lambda model: EmbeddingSimilarity(model, letters))
    return letters


def teach(memory: ExperienceMemory, *words: str) -> None:
    """An episode of one step for each word, committed."""
    for word in words:
        end = Transition(f"page of {word}", "buy", 1.0, "end", terminated=True)
        learn_episode(memory, f"a {word}", [end])
        memory.commit()


def rows(path: Path) -> list[tuple]:
    with closing(sqlite3.connect(path)) as db:
        return db.execute("SELECT rowid, * FROM vectors ORDER BY rowid").fetchall()


def hits(memory: ExperienceMemory) -> list[tuple[str, float]]:
    return [(h.record.task, h.total) for h in memory.retrieve("a blue lamp", "page of a door")]


@pytest.fixture
def path(tmp_path: Path, encode: Letters) -> Path:
    with ExperienceMemory.open(tmp_path / "m.sqlite", retrieval=BY_LETTERS) as memory:
        teach(memory, "red lamp", "blue lamp", "door")
    return tmp_path / "m.sqlite"


def test_a_row_for_each_text_that_a_record_has(path: Path) -> None:
    words = ("red lamp", "blue lamp", "door")
    texts = [f"{what} {word}" for word in words for what in ("a", "page of")]
    found = {(row[1], row[2]): np.frombuffer(row[3], "<f4") for row in rows(path)}
    assert found.keys() == {vector_key("letters", text) for text in texts}
    # a, d, r, and o twice: √(1 + 1 + 1 + 4).
    expected = np.array([(c in "adr") + 2 * (c == "o") for c in LETTERS]) / np.sqrt(7)
    assert found[vector_key("letters", "a door")] == pytest.approx(expected, abs=1e-6)
    # And nowhere else.
    with closing(sqlite3.connect(path)) as db:
        states = db.execute("SELECT value FROM meta WHERE key LIKE '%embedding%'").fetchall()
        assert max(len(value) for (value,) in states) < 100
    assert check_memory(path)["problems"] == []


def test_a_commit_adds_rows_and_touches_no_other(path: Path) -> None:
    before = rows(path)
    with ExperienceMemory.open(path, retrieval=BY_LETTERS) as memory:
        teach(memory, "green door", "red lamp")
        assert memory._vectors.new == {}
    assert rows(path)[:6] == before
    assert [row[0] for row in rows(path)] == list(range(1, 9))


def test_reading_a_memory_encodes_nothing(path: Path, encode: Letters) -> None:
    encode.asked.clear()
    with ExperienceMemory.open(path, retrieval=BY_LETTERS, read_only=True) as memory:
        assert next(memory.retrieve("a door", "page of door")).total == pytest.approx(1)
        assert encode.asked == []
        first = hits(memory)
        assert sorted(encode.asked) == ["a blue lamp", "page of a door"][1:]
        memory.reload(), memory.rollback()
        assert hits(memory) == first
    assert len(encode.asked) == 1


def test_a_run_that_goes_on_encodes_only_what_is_new(path: Path, encode: Letters) -> None:
    encode.asked.clear()
    with ExperienceMemory.open(path, retrieval=BY_LETTERS) as memory:
        teach(memory, "door", "chair")
    assert sorted(set(encode.asked)) == ["a chair", "page of chair"]


def test_going_back_encodes_nothing(path: Path, encode: Letters) -> None:
    limits = CapacityConfig(max_records=3, eviction="oldest")
    with ExperienceMemory.open(path, retrieval=BY_LETTERS, capacity=limits) as memory:
        before = hits(memory)
        encode.asked.clear()
        with pytest.raises(RuntimeError), memory.all_or_nothing():
            memory.insert("a chair", "page of chair")
            assert memory.find("a red lamp", "page of red lamp") is None
            raise RuntimeError
        assert memory.find("a red lamp", "page of red lamp") is not None
        assert hits(memory) == before
    assert encode.asked == ["page of a door"]


def test_what_is_evicted_and_comes_again_keeps_its_row(path: Path) -> None:
    before = rows(path)
    limits = CapacityConfig(max_records=3, eviction="oldest")
    with ExperienceMemory.open(path, retrieval=BY_LETTERS, capacity=limits) as memory:
        teach(memory, "chair", "red lamp")
        assert len(memory) == 3
    assert rows(path)[:6] == before
    assert len(rows(path)) == 8


def test_a_failed_commit_forgets_nothing(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from rememberer_nb.memory.store import store

    def full(*_: object) -> None:
        raise sqlite3.OperationalError("database or disk is full")

    with ExperienceMemory.open(path, retrieval=BY_LETTERS) as memory:
        with monkeypatch.context() as patch:
            patch.setattr(store, "write_meta", full)
            with pytest.raises(MemoryFileError, match="full"):
                teach(memory, "chair")
        assert len(rows(path)) == 6
        memory.commit()
    assert len(rows(path)) == 8


def test_other_models_are_never_mixed(path: Path, encode: Letters) -> None:
    other = RetrievalConfig(task_similarity="embedding:others", observation_similarity="jaccard")
    encode.asked.clear()
    with ExperienceMemory.open(path, retrieval=other) as memory:
        memory.refresh(), memory.commit()
    assert sorted(encode.asked) == ["a blue lamp", "a door", "a red lamp"]
    assert [row[1] for row in rows(path)] == ["letters"] * 6 + ["others"] * 3
    encode.n_dimensions = 25
    with ExperienceMemory.open(path, retrieval=BY_LETTERS) as memory:
        with pytest.raises(LLMOutageError, match="25 dimensions, the memory holds vectors of 26"):
            hits(memory)
        teach(memory, "door")
    assert len(rows(path)) == 9


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ("UPDATE vectors SET vector = x'00000000' WHERE rowid = 2", "is not what was written"),
        ("UPDATE vectors SET key = x'00' WHERE rowid = 3", "is not what was written"),
    ],
)
def test_damaged_rows_are_named(path: Path, change: str, told: str) -> None:
    with closing(sqlite3.connect(path)) as db, db:
        db.execute(change)
    with pytest.raises(MemoryFileError, match=rf"is damaged: a vector of 'letters' {told}"):
        ExperienceMemory.open(path, retrieval=BY_LETTERS)
    told = f"a vector of 'letters' {told} (its checksum differs)"
    assert check_memory(path)["problems"] == [told]
    # Whoever does not use them is not kept from the rest.
    with ExperienceMemory.open(path) as memory:
        assert len(memory) == 3


def test_vectors_of_two_lengths_are_refused(path: Path) -> None:
    with closing(sqlite3.connect(path)) as db, db:
        row = ("letters", b"k", b"\0" * 8)
        db.execute("INSERT INTO vectors VALUES (?, ?, ?, ?)", (*row, checksum(row)))
    with pytest.raises(MemoryFileError, match=r"'letters' have \[2, 26\] dimensions"):
        ExperienceMemory.open(path, retrieval=BY_LETTERS)


def test_written_and_read_back(path: Path) -> None:
    with closing(sqlite3.connect(path)) as db:
        key = vector_key("n", "\ud83d")
        write_vectors(db, {key: np.array([0.5, -2.0])})
        write_vectors(db, {key: np.array([7.0, 7.0])})
        found = read_vectors(db, {"n", "nobody"})
        assert {k: v.tolist() for k, v in found.items()} == {key: [0.5, -2.0]}


# Format 4


def keys_of_states(path: Path) -> list[str]:
    with closing(sqlite3.connect(path)) as db:
        return [k for (k,) in db.execute("SELECT key FROM meta WHERE key LIKE '%:%' ORDER BY key")]


def test_migrating_leaves_no_vectors_behind(tmp_path: Path, path: Path, encode: Letters) -> None:
    old, mixture = tmp_path / "old.sqlite", "observation:3*embedding:letters+jaccard"
    with ExperienceMemory.open(path, retrieval=BY_LETTERS) as memory:
        write_format_4(old, memory)
    assert keys_of_states(old) == [mixture, "task:embedding:letters"]
    with ExperienceMemory.open(old) as memory:
        memory.commit()
    # Other parts of a mixture may have corpus statistics there.
    assert keys_of_states(old) == [mixture, "observation:tfidf", "task:tfidf"]
    assert len(rows(old)) == 6


def test_format_4_is_read_without_encoding_and_migrated_by_the_first_commit(
    tmp_path: Path, path: Path, encode: Letters
) -> None:
    old = tmp_path / "old.sqlite"
    with ExperienceMemory.open(path, retrieval=BY_LETTERS) as memory:
        expected = hits(memory)
        write_format_4(old, memory)
    before = old.read_bytes()
    encode.asked.clear()
    with ExperienceMemory.open(old, retrieval=BY_LETTERS) as memory:
        assert hits(memory) == expected
        assert old.read_bytes() == before
        teach(memory, "chair")
    assert sorted(set(encode.asked)) == ["a chair", "page of a door", "page of chair"]
    with closing(sqlite3.connect(old)) as db:
        assert db.execute("PRAGMA user_version").fetchone() == (FORMAT_VERSION,)
    assert sorted(row[2:] for row in rows(old)[:6]) == sorted(row[2:] for row in rows(path))
    assert len(rows(old)) == 8
    assert check_memory(old)["problems"] == []


def test_what_is_no_state_in_format_4_is_encoded_anew_and_what_is_damaged_named(
    tmp_path: Path, path: Path, encode: Letters
) -> None:
    old = tmp_path / "old.sqlite"
    with ExperienceMemory.open(path, retrieval=BY_LETTERS) as memory:
        write_format_4(old, memory)
    with closing(sqlite3.connect(old)) as db, db:
        for key, value in (
            ("task:embedding:letters", b"{}"),
            ("observation:3*embedding:letters+jaccard", b'["", "", ""]'),
        ):
            row = (value, checksum((key, value)), key)
            db.execute("UPDATE meta SET value = ?, checksum = ? WHERE key = ?", row)
    encode.asked.clear()
    settings = RetrievalConfig(task_similarity="embedding:letters")
    with ExperienceMemory.open(old, retrieval=settings) as memory:
        assert next(memory.retrieve("a door", "page of door")).total == pytest.approx(1)
    assert sorted(encode.asked) == ["a blue lamp", "a door", "a red lamp"]
    with closing(sqlite3.connect(old)) as db, db:
        db.execute("UPDATE meta SET value = x'00' WHERE key = 'task:embedding:letters'")
    with pytest.raises(MemoryFileError, match="'task:embedding:letters' is not what was written"):
        ExperienceMemory.open(old, retrieval=settings)


def test_a_state_by_hand() -> None:
    # Two texts of two dimensions: a head, two hashes of 16 bytes, four numbers.
    state = b'{"n": 2, "n_dimensions": 2}\n' + b"k" * 16 + b"l" * 16
    state += np.array([1, 0, 0.6, 0.8], "<f4").tobytes()
    found = dict(vectors_of_state("embedding:a/b:c", state))
    assert {key: v.round(6).tolist() for key, v in found.items()} == {
        ("a/b:c", b"k" * 16): [1.0, 0.0],
        ("a/b:c", b"l" * 16): pytest.approx([0.6, 0.8]),
    }
    assert dict(vectors_of_state("embedding:m", b"")) == {}
    assert dict(vectors_of_state("tfidf", state)) == {}
