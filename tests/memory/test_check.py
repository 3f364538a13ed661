"""`memory check`: sound files pass, and each kind of damage is named."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from rememberer_nb.agents.rememberer import rememberer
from rememberer_nb.cli import main
from rememberer_nb.config import CapacityConfig, RlemConfig, RolloutConfig
from rememberer_nb.elements import Transition
from rememberer_nb.errors import MemoryFileError
from rememberer_nb.loop.training import train
from rememberer_nb.memory import ExperienceMemory
from rememberer_nb.memory.check import check_memory
from rememberer_nb.memory.initial import read_initial
from rememberer_nb.memory.store.format import (
    EPISODE_COLUMNS,
    UPDATE_COLUMNS,
    checksum,
    read_records,
)
from rememberer_nb.rlem import learn_episode
from tests.loop.test_training import guesses
from tests.memory.store.test_store import filled
from tests.toy import TOY, ScriptedLLM, ToyEnv


def test_a_trained_memory_is_sound(tmp_path: Path) -> None:
    """With eviction, pruned actions, initial values, two tables and kernel bootstraps."""
    for double in (False, True):
        path = tmp_path / f"{double}.sqlite"
        limits = CapacityConfig(max_records=5, max_actions=2)
        tables = 2 if double else 1
        with ExperienceMemory.open(path, capacity=limits, n_tables=tables) as memory:
            memory.add_initial(read_initial("E0"))
            rlem = RlemConfig(
                n_step=2, double=double, stand_in="kernel", initial_q=0.5, initial_visits=1
            )
            agent = rememberer(ScriptedLLM(guesses), TOY, memory, rlem=rlem)
            train(ToyEnv(), agent, range(4), config=RolloutConfig(n_epochs=10))
            n_updates = memory.n_updates
            assert any(update.bootstrap_sources for update in memory.updates())
        found = check_memory(path)
        assert found["problems"] == []
        assert (found["n_records"], found["n_episodes"], found["n_updates"]) == (5, 40, n_updates)


def test_an_action_that_was_forgotten_and_learnt_anew(tmp_path: Path) -> None:
    path = tmp_path / "m.sqlite"
    with ExperienceMemory.open(path, capacity=CapacityConfig(max_actions=1)) as memory:
        for action, reward in (("a", 0.1), ("a", 0.2), ("b", 0.5), ("a", 0.3), ("a", 0.4)):
            learn_episode(memory, "g", [Transition("o", action, reward, "end", terminated=True)])
        assert memory.find("g", "o").value_of("a").n_visits == 2
        memory.commit()
    assert check_memory(path)["problems"] == []


@pytest.mark.parametrize(
    ("statement", "problem"),
    [
        (
            "UPDATE action_values SET q_value = 9, tables = '[[9.0, 1]]' WHERE record_id = 1",
            r"record 1, 'click\[1\]': holds 9 after 1 visits, the log leads to 0 after 1",
        ),
        (
            "UPDATE action_values SET n_visits = 7 WHERE record_id = 1",
            "7 visits, its tables count otherwise",
        ),
        (
            "UPDATE action_values SET last_update = 99 WHERE record_id = 1",
            "last changed by update 99, the log says otherwise",
        ),
        ("DELETE FROM updates WHERE update_id = 3", "the update log has gaps: expected .* 0 to 8"),
        (
            "UPDATE updates SET target = 4 WHERE update_id = 8",
            "update 8: its rewards and bootstrap give 0.4, its target is 4",
        ),
        (
            "UPDATE updates SET q_after = 4 WHERE update_id = 8",
            "update 8: works out to 0.4, holds 4",
        ),
        (
            "UPDATE updates SET bootstrap_record_id = 77 WHERE update_id = 0",
            "update 0 refers to record 77, which never was",
        ),
        ("DELETE FROM records WHERE record_id = 2", "refers to record 2, which is not there"),
        ("UPDATE episodes SET data = x'00' WHERE number = 2", "is damaged"),
        ("DELETE FROM episodes WHERE number = 3", "tells of 3 episodes, there are fewer"),
        ("UPDATE updates SET rewards = 'x'", "is damaged"),
        ("DROP INDEX updates_by_value", ""),
    ],
)
def test_damage_is_named(tmp_path: Path, statement: str, problem: str) -> None:
    import re

    path = tmp_path / "m.sqlite"
    with filled(path, 3) as memory:
        run = {"parameters": {}, "first_episode": 0, "n_done": 3, "is_finished": True}
        memory.commit(run=run)
    with sqlite3.connect(path) as db:
        db.execute(statement)
    db.close()
    before = path.read_bytes()
    problems = check_memory(path)["problems"]
    assert bool(problems) == bool(problem)
    assert re.search(problem, "\n".join(problems))
    assert path.read_bytes() == before


def sign(path: Path) -> None:
    """As if all that the file holds had been written so: the checksums of its rows as they are."""
    db = sqlite3.connect(path, isolation_level=None)
    for stored in list(read_records(db)):
        found = checksum(stored.row, *stored.values)
        db.execute("UPDATE records SET checksum = ? WHERE record_id = ?", (found, stored.record_id))
    for table, columns, key in (
        ("updates", UPDATE_COLUMNS, "update_id"),
        ("episodes", EPISODE_COLUMNS, "number"),
        ("meta", "key, value", "key"),
    ):
        for name, *row in db.execute(f"SELECT {key}, {columns} FROM {table}").fetchall():
            found = checksum(tuple(row))
            db.execute(f"UPDATE {table} SET checksum = ? WHERE {key} = ?", (found, name))
    db.close()


@pytest.mark.parametrize(
    ("statement", "problem"),
    [
        ("UPDATE action_values SET q_value = q_value + 5", "record 0 is not what was written"),
        (
            "UPDATE action_values SET rationale = 'because 3' WHERE record_id = 4",
            "record 4 is not what was written",
        ),
        ("DELETE FROM action_values WHERE record_id = 4", "record 4 is not what was written"),
        (
            "UPDATE records SET observation = replace(observation, 'lamp', 'lcmp')",
            "record 0 is not what was written",
        ),
        (
            "UPDATE updates SET episode_id = '3' WHERE update_id = 1",
            "update 1 is not what was written",
        ),
        ("UPDATE episodes SET episode_id = '7' WHERE number = 2", "episode '7' is not what was"),
        ("UPDATE texts SET n_texts = 99 WHERE first = 0", "the row of text 0 is not what was"),
        (
            "UPDATE meta SET value = CAST(replace(CAST(value AS TEXT), '\"n_at_refresh\": ', "
            "'\"n_at_refresh\": 1') AS BLOB) WHERE key = 'task:tfidf'",
            "the value 'task:tfidf' is not what was written",
        ),
    ],
)
def test_what_is_not_as_written_is_named(tmp_path: Path, statement: str, problem: str) -> None:
    path = tmp_path / "m.sqlite"
    filled(path, 3).close()
    with sqlite3.connect(path) as db:
        assert db.execute(statement).rowcount > 0
    db.close()
    found = check_memory(path)["problems"]
    assert any(line.startswith(problem) for line in found), found
    # Nor is it worked with: what the memory itself needs is refused at opening.
    if "records" in statement or "values" in statement or "meta" in statement:
        with pytest.raises(MemoryFileError, match="is not what was written"):
            ExperienceMemory.open(path)


@pytest.mark.parametrize(
    ("statement", "problem"),
    [
        (
            "UPDATE action_values SET q_value = q_value + 5",
            r"record 1, 'click\[1\]': holds 5, its tables' mean is 0",
        ),
        (
            "UPDATE action_values SET reward = 7 WHERE record_id = 8",
            "record 8, .*: mean reward 7, the log says 0.4",
        ),
        (
            "UPDATE action_values SET first_update = 7, last_update = 7 WHERE record_id = 8",
            "record 8, .*: first changed by update 7, which the log lacks",
        ),
    ],
)
def test_values_that_do_not_follow_are_named(tmp_path: Path, statement: str, problem: str) -> None:
    import re

    path = tmp_path / "m.sqlite"
    filled(path, 3).close()
    with sqlite3.connect(path) as db:
        db.execute(statement)
    db.close()
    sign(path)
    found = "\n".join(check_memory(path)["problems"])
    assert "not what was written" not in found
    assert re.search(problem, found), found


def test_numbers_that_are_not_those_of_the_episode_are_named(tmp_path: Path) -> None:
    path = tmp_path / "m.sqlite"
    filled(path, 3).close()
    with sqlite3.connect(path) as db:
        db.execute("UPDATE episodes SET outcome = replace(outcome, '0.5', '0.6') WHERE number = 2")
    db.close()
    sign(path)
    assert check_memory(path)["problems"] == ["episode 2: its outcome is not that of its steps"]


def test_a_record_that_is_gone_is_missed(tmp_path: Path) -> None:
    path = tmp_path / "m.sqlite"
    filled(path, 3).close()
    with sqlite3.connect(path) as db:
        db.execute("DELETE FROM records WHERE record_id = 4")
        db.execute("DELETE FROM action_values WHERE record_id = 4")
    db.close()
    assert check_memory(path)["problems"] == ["it should hold 9 records, and holds 8"]
    with pytest.raises(MemoryFileError, match="should hold 9 records, and holds 8"):
        ExperienceMemory.open(path)


def test_rows_without_a_head_are_no_empty_memory(tmp_path: Path) -> None:
    path = tmp_path / "m.sqlite"
    filled(path, 3).close()
    with sqlite3.connect(path) as db:
        db.execute("UPDATE meta SET key = 'renamed' WHERE key = 'memory'")
    db.close()
    before = path.read_bytes()
    problem = "it has no head, but holds 9 records, 9 action_values, 9 updates, 3 episodes"
    assert problem in check_memory(path)["problems"][0]
    with pytest.raises(MemoryFileError, match=problem):
        ExperienceMemory.open(path)
    assert main(["evaluate", "--memory", str(path), "--tasks", "500"]) == 1
    assert path.read_bytes() == before


@pytest.mark.parametrize("table", ["updates", "episodes", "records"])
def test_all_rows_gone_is_missed(tmp_path: Path, table: str) -> None:
    path = tmp_path / "m.sqlite"
    filled(path, 3).close()
    with sqlite3.connect(path) as db:
        db.execute(f"DELETE FROM {table}")
        db.execute("DELETE FROM action_values" if table == "records" else "SELECT 1")
    db.close()
    assert check_memory(path)["problems"]


def test_many_problems_of_a_kind_are_counted(tmp_path: Path) -> None:
    path = tmp_path / "m.sqlite"
    filled(path, 12).close()
    with sqlite3.connect(path) as db:
        db.execute("UPDATE updates SET target = target + 5")
    db.close()
    problems = check_memory(path)["problems"]
    assert any(line.startswith("... and ") for line in problems)
    assert len(problems) < 90


def test_spoilt_pages(tmp_path: Path) -> None:
    path = tmp_path / "m.sqlite"
    filled(path, 12).close()
    whole = path.read_bytes()
    for start in range(4096, len(whole), 4096):
        path.write_bytes(whole[:start] + b"\xa5" * 4096 + whole[start + 4096 :])
        # No page of the file is free: each one is missed.
        assert check_memory(path)["problems"]


def test_what_is_no_memory(tmp_path: Path) -> None:
    path = tmp_path / "m.sqlite"
    path.write_text("task: buy a lamp\n" * 20)
    (problem,) = check_memory(path)["problems"]
    assert problem.startswith("is not a memory file")
    with pytest.raises(MemoryFileError, match="no such memory file"):
        check_memory(tmp_path / "absent.sqlite")
