"""Memory files: nothing lost, nothing by halves, nothing foreign touched."""

from __future__ import annotations

import hashlib
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rememberer_nb.config import CapacityConfig, RetrievalConfig, RlemConfig
from rememberer_nb.elements import Decision, Episode, Hit, Record, Step, Task, Transition
from rememberer_nb.errors import ConfigError, MemoryFileError
from rememberer_nb.memory import ExperienceMemory
from rememberer_nb.memory.store.format import APPLICATION_ID, FORMAT_VERSION
from rememberer_nb.memory.store.store import Store
from rememberer_nb.rlem import learn_episode


def teach(memory: ExperienceMemory, number: int, words: str = "lamp red door blue") -> None:
    """An episode of three steps, and its commit."""
    parts = words.split() * 2
    pages = [f"page {i} {parts[i % len(parts)]} number{number}" for i in range(4)]
    steps = [
        Transition(
            observation=pages[i],
            action=f"click[{i}]",
            reward=0.1 * i * number,
            next_observation=pages[i + 1],
            terminated=i == 2,
            rationale=f"because {i}",
            available_actions=(f"click[{i}]", "click[other]"),
        )
        for i in range(3)
    ]
    config = RlemConfig(n_step=1, gamma=0.9, double=memory.n_tables == 2)
    task = f"a {parts[number % len(parts)]} thing"
    updates = learn_episode(memory, task, steps, episode_id=str(number), config=config)
    decided = Decision(f"click[{number}]", "because")
    step = Step(0, pages[0], ("click[0]",), "page", decided, 0.5, True, updates=updates)
    memory.commit(
        Episode(str(number), "shop", "tester", Task("7", task, 7), (step,), pages[3], True)
    )


def filled(path: Path, n_episodes: int = 12, **settings: object) -> ExperienceMemory:
    memory = ExperienceMemory.open(path, **settings)
    for number in range(n_episodes):
        teach(memory, number)
    return memory


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def hits(memory: ExperienceMemory) -> list[tuple[Hit, ...]]:
    queries = (("a red lamp", "page 1 lamp number3"), ("a blue thing", "door"), ("", "unseen"))
    return [tuple(memory.retrieve(*query, 4)) for query in queries]


# Keeping


@pytest.mark.parametrize("n_tables", [1, 2])
@pytest.mark.parametrize("name", ["tfidf", "jaccard"])
def test_reopened_it_is_the_same(tmp_path: Path, n_tables: int, name: str) -> None:
    settings = {
        "retrieval": RetrievalConfig(task_similarity=name, observation_similarity=name),
        "n_tables": n_tables,
    }
    path = tmp_path / "memory.sqlite"
    with filled(path, **settings) as memory:
        for record_id in (1, 5, 6):
            memory.remove(record_id)
        memory.commit()
        before = (list(memory), memory.updates(), memory.episodes(), memory.n_updates)
        found = hits(memory)
    with ExperienceMemory.open(path, must_exist=True, **settings) as again:
        assert (list(again), again.updates(), again.episodes(), again.n_updates) == before
        # Equal to the last bit: scores, order, records.
        assert hits(again) == found
        teach(again, 99)
        assert again.n_updates == len(again.updates()) == before[3] + 3
        assert len({record.record_id for record in again}) == len(again)


def test_changed_and_pruned_values_are_rewritten(tmp_path: Path) -> None:
    path, capacity = tmp_path / "memory.sqlite", CapacityConfig(max_actions=2)
    with ExperienceMemory.open(path, capacity=capacity) as memory:
        for action, reward in (("a", 0.1), ("b", 0.5), ("b", 1.0), ("c", 0.7), ("d", 0.2)):
            end = Transition("o", action, reward, "end", terminated=True)
            learn_episode(memory, "g", [end])
            memory.commit()
    with ExperienceMemory.open(path, capacity=capacity) as memory:
        values = memory.find("g", "o").action_values
        assert [(v.action, v.q_value, v.n_visits) for v in values] == [
            ("b", 0.75, 2),
            ("d", 0.2, 1),
        ]


def test_learning_on_after_reopening_equals_learning_in_one_go(tmp_path: Path) -> None:
    straight, path = filled(tmp_path / "one.sqlite", 30), tmp_path / "two.sqlite"
    for number in range(30):
        with ExperienceMemory.open(path) as memory:
            teach(memory, number)
    with ExperienceMemory.open(path) as memory:
        assert list(memory) == list(straight)
        assert memory.updates() == straight.updates()
        assert hits(memory) == hits(straight)
    straight.close()


def test_in_ram_it_keeps_the_same_things() -> None:
    memory = ExperienceMemory()
    teach(memory, 1)
    assert memory.path is None
    assert len(memory.updates()) == 3
    assert [episode.episode_id for episode in memory.episodes()] == ["1"]
    memory.close()


def test_removed_records_leave_their_log(tmp_path: Path) -> None:
    path = tmp_path / "memory.sqlite"
    with filled(path, 2) as memory:
        memory.remove(0)
        memory.commit()
    with ExperienceMemory.open(path) as memory:
        assert 0 not in {record.record_id for record in memory}
        assert len(memory.updates(0)) == 1
        assert memory.insert("new", "new") == 6


texts = st.text(st.characters(codec="utf-8"), max_size=12)


@given(st.lists(st.tuples(texts, texts, texts, texts), max_size=6))
def test_any_text_is_kept(rows: list[tuple[str, str, str, str]]) -> None:
    store = Store()
    memory = ExperienceMemory(store=store)
    for task, observation, action, rationale in rows:
        end = Transition(
            observation,
            action,
            0.1,
            "end",
            terminated=True,
            rationale=rationale,
            available_actions=(action,),
        )
        learn_episode(memory, task, [end])
    memory.commit()
    assert [stored.read() for stored in store.load_records()] == list(memory)
    assert ExperienceMemory(store=store).find("absent", "absent") is None
    memory.close()


# Nothing by halves


def rows(path: Path) -> dict[str, int]:
    reader = sqlite3.connect(path)
    tables = ("records", "action_values", "updates", "episodes")
    counts = {t: reader.execute(f"SELECT COUNT(*) FROM {t}").fetchone()[0] for t in tables}
    reader.close()
    return counts


def test_nothing_is_written_before_commit(tmp_path: Path) -> None:
    path = tmp_path / "memory.sqlite"
    with filled(path, 2) as memory:
        before = rows(path)
        assert before == {"records": 6, "action_values": 6, "updates": 6, "episodes": 2}
        record_id = memory.insert("uncommitted", "page")
        memory.add_action(record_id, "click[x]")
        memory.remove(0)
        learn_episode(memory, "g", [Transition("p", "a", 1.0, "end", terminated=True)])
        assert rows(path) == before
        memory.commit()
        assert rows(path) == {"records": 7, "action_values": 7, "updates": 7, "episodes": 2}


KILLED = """
import os, sys
sys.path.insert(0, {tests!r})
from rememberer_nb.memory import ExperienceMemory
from rememberer_nb.elements import Transition
from rememberer_nb.rlem import learn_episode
memory = ExperienceMemory.open({path!r})
for page in "pq":
    learn_episode(memory, "g", [Transition(page, "a", 1.0, "end", terminated=True)])
    if page == "p":
        memory.commit()
os._exit(9)
"""


def test_a_killed_process_loses_only_what_was_not_committed(tmp_path: Path) -> None:
    path = tmp_path / "memory.sqlite"
    root = str(Path(__file__).resolve().parent.parent.parent.parent)
    script = KILLED.format(path=str(path), tests=root)
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 9
    with ExperienceMemory.open(path, must_exist=True) as memory:
        assert [record.observation for record in memory] == ["p"]
        assert memory.n_updates == len(memory.updates()) == 1


class NotJson:
    """Something no file format takes."""


def test_a_failing_commit_leaves_the_file_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "memory.sqlite"
    with filled(path, 2) as memory:
        before = rows(path)
        memory.insert("new", "page")
        bad = Episode("x", "shop", "tester", Task("7", "g"), (), "", metadata={"bad": NotJson()})
        with pytest.raises(MemoryFileError, match=r"memory\.sqlite: cannot be written"):
            memory.commit(bad)
        assert rows(path) == before
        # What was not written is still there to be written.
        memory.commit()
        assert rows(path)["records"] == before["records"] + 1


HALF = "half a smile: \ud83d"


def test_half_a_character_is_read_back_equal(tmp_path: Path) -> None:
    path = tmp_path / "memory.sqlite"
    end = Transition(HALF, HALF + "a", 1.0, "end", terminated=True, rationale=HALF)
    with ExperienceMemory.open(path) as memory:
        learn_episode(memory, HALF + "g", [end], episode_id=HALF)
        memory.commit(Episode(HALF, "shop", "tester", Task("7", HALF, 7), (), HALF))
        before = (list(memory), memory.updates(), memory.episodes())
    with ExperienceMemory.open(path) as memory:
        assert (list(memory), memory.updates(), memory.episodes()) == before
        assert memory.find(HALF + "g", HALF).value_of(HALF + "a").rationale == HALF
        assert len(memory.updates(0, HALF + "a")) == 1


def test_two_writers_do_not_mix(tmp_path: Path) -> None:
    path = tmp_path / "memory.sqlite"
    with filled(path, 1) as one, ExperienceMemory.open(path) as two:
        teach(one, 5)
        with pytest.raises(MemoryFileError, match="cannot be written"):
            teach(two, 6)
    with ExperienceMemory.open(path) as memory:
        assert [episode.episode_id for episode in memory.episodes()] == ["0", "5"]
        assert len(memory.updates()) == memory.n_updates == 6


# What is no memory


def text_file(path: Path) -> None:
    path.write_text("task: buy a lamp\n" * 20)


def empty_file(path: Path) -> None:
    path.touch()


def foreign_database(path: Path) -> None:
    other = sqlite3.connect(path)
    with other:
        other.execute("CREATE TABLE records (record_id INTEGER PRIMARY KEY, task TEXT)")
        other.execute("INSERT INTO records VALUES (1, 'not ours')")
    other.close()


def newer_format(path: Path) -> None:
    filled(path, 1).close()
    other = sqlite3.connect(path)
    other.execute(f"PRAGMA user_version = {FORMAT_VERSION + 1}")
    other.close()


def cut_off_in_its_first_bytes(path: Path) -> None:
    filled(path, 1).close()
    path.write_bytes(path.read_bytes()[:40])


def cut_off_after_a_page(path: Path) -> None:
    filled(path, 1).close()
    path.write_bytes(path.read_bytes()[:4096])


def cut_off_in_the_middle(path: Path) -> None:
    filled(path, 12).close()
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])


def overwritten_inside(path: Path) -> None:
    filled(path, 12).close()
    content = path.read_bytes()
    path.write_bytes(content[:4096] + b"\xff" * (len(content) - 4096))


def without_its_tables(path: Path) -> None:
    other = sqlite3.connect(path)
    other.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    other.execute("CREATE TABLE meta (key TEXT)")
    other.close()


SPOILT = [
    (text_file, "not a memory file"),
    (empty_file, "not a memory file"),
    (foreign_database, "a SQLite database but not a memory"),
    (newer_format, f"has format {FORMAT_VERSION + 1}, newer than {FORMAT_VERSION}"),
    (cut_off_in_its_first_bytes, "damaged"),
    (cut_off_after_a_page, "damaged"),
    (cut_off_in_the_middle, "damaged"),
    (overwritten_inside, "damaged"),
    (without_its_tables, "damaged"),
]


@pytest.mark.parametrize(("spoil", "problem"), SPOILT, ids=[spoil.__name__ for spoil, _ in SPOILT])
def test_spoilt_files_are_named_and_left_alone(
    tmp_path: Path, spoil: Callable[[Path], None], problem: str
) -> None:
    path = tmp_path / "memory.sqlite"
    spoil(path)
    before = digest(path)
    with pytest.raises(MemoryFileError, match=problem) as caught:
        ExperienceMemory.open(path)
    assert caught.value.path == path
    assert str(path) in str(caught.value)
    assert digest(path) == before
    assert [p.name for p in tmp_path.iterdir()] == [path.name]


def test_a_directory(tmp_path: Path) -> None:
    with pytest.raises(MemoryFileError, match="is not a file"):
        ExperienceMemory.open(tmp_path)


def test_a_folder_that_is_missing(tmp_path: Path) -> None:
    with pytest.raises(MemoryFileError, match=r"folder .*nowhere does not exist"):
        ExperienceMemory.open(tmp_path / "nowhere" / "memory.sqlite")
    assert not list(tmp_path.iterdir())


def test_a_file_that_must_exist(tmp_path: Path) -> None:
    with pytest.raises(MemoryFileError, match="no such memory file"):
        ExperienceMemory.open(tmp_path / "memory.sqlite", must_exist=True)
    assert not list(tmp_path.iterdir())


def test_a_name_that_no_file_can_have(tmp_path: Path) -> None:
    with pytest.raises(MemoryFileError):
        ExperienceMemory.open(tmp_path / ("x" * 5000))


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE meta SET value = x'00' WHERE key = 'memory'",
        "UPDATE meta SET value = CAST('[1]' AS BLOB) WHERE key = 'memory'",
        "UPDATE meta SET value = CAST('{\"n_tables\": 1}' AS BLOB) WHERE key = 'memory'",
        "UPDATE meta SET value = x'00' WHERE key = 'task:tfidf'",
        "UPDATE records SET available_actions = 'no list'",
        "UPDATE action_values SET tables = '[[1]]'",
        "UPDATE action_values SET n_visits = -1",
        "DROP TABLE action_values",
    ],
)
def test_damaged_rows_are_named_at_opening(tmp_path: Path, statement: str) -> None:
    path = tmp_path / "memory.sqlite"
    filled(path, 1).close()
    other = sqlite3.connect(path)
    with other:
        other.execute(statement)
    other.close()
    with pytest.raises(MemoryFileError, match=r"memory\.sqlite: is damaged"):
        ExperienceMemory.open(path)


@pytest.mark.parametrize(
    ("statement", "read"),
    [
        ("UPDATE updates SET rewards = '['", ExperienceMemory.updates),
        ("UPDATE episodes SET data = x'00'", ExperienceMemory.episodes),
    ],
)
def test_damaged_logs_are_named_when_read(
    tmp_path: Path, statement: str, read: Callable[[ExperienceMemory], object]
) -> None:
    path = tmp_path / "memory.sqlite"
    filled(path, 1).close()
    other = sqlite3.connect(path)
    with other:
        other.execute(statement)
    other.close()
    with (
        ExperienceMemory.open(path) as memory,
        pytest.raises(MemoryFileError, match=r"memory\.sqlite: is damaged"),
    ):
        read(memory)


def test_another_number_of_tables(tmp_path: Path) -> None:
    path = tmp_path / "memory.sqlite"
    filled(path, 1).close()
    with pytest.raises(ConfigError, match="keeps 1 values per action, not 2"):
        ExperienceMemory.open(path, n_tables=2)


def test_loading_gives_records_in_insertion_order(tmp_path: Path) -> None:
    with filled(tmp_path / "memory.sqlite", 12) as memory:
        held: list[Record] = list(memory)
    store = Store(tmp_path / "memory.sqlite")
    assert [stored.read() for stored in store.load_records()] == held
    assert store.count("episodes") == 12
    store.close()


# Metadata


def test_metadata_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "m.db"
    origin = {"pool": [{"map": [["a", 1.5]]}, None, "\ud800é"]}
    with ExperienceMemory.open(path) as memory:
        memory.insert("g", "o", ["x"], metadata=origin)
        memory.insert("g", "p")
        memory.commit()
    with ExperienceMemory.open(path) as memory:
        assert memory.find("g", "o").metadata == origin
        assert memory.find("g", "p").metadata == {}
        memory.insert("g", "o", metadata={"more": 2})
        memory.insert("g", "o", metadata={"more": 2})
        memory.commit()
        assert memory.copy().find("g", "o").metadata == {**origin, "more": 2}
    with ExperienceMemory.open(path) as memory:
        assert memory.find("g", "o").metadata == {**origin, "more": 2}
