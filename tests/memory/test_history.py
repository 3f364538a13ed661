"""A memory file looked into: the same answers as the memory itself gives."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from rememberer_nb.agents.rememberer import rememberer
from rememberer_nb.config import CapacityConfig, RlemConfig
from rememberer_nb.envs import get_profile
from rememberer_nb.errors import MemoryFileError
from rememberer_nb.loop.training import train
from rememberer_nb.memory import ExperienceMemory
from rememberer_nb.memory.history import ORDERS, History
from rememberer_nb.memory.initial import read_initial
from rememberer_nb.memory.operations import dump
from rememberer_nb.memory.origin import origin_in
from rememberer_nb.memory.provenance import record_uses
from rememberer_nb.memory.views import file_stats, stats
from tests.memory.store.format1 import write_format_1
from tests.memory.store.test_store import HALF, filled
from tests.toy import TOY, ScriptedLLM, ToyEnv, opens_the_right_door


@pytest.fixture(params=[1, 2])
def memory(tmp_path: Path, request: pytest.FixtureRequest) -> ExperienceMemory:
    """With initial records, evicted ones, odd texts, and one table or two."""
    limits = CapacityConfig(max_records=6)
    memory = ExperienceMemory.open(tmp_path / "m.sqlite", capacity=limits, n_tables=request.param)
    memory.add_initial(read_initial("E0")[:3])
    memory.insert(HALF, HALF)
    rlem = RlemConfig(double=request.param == 2)
    agent = rememberer(ScriptedLLM(opens_the_right_door), TOY, memory, rlem=rlem)
    train(ToyEnv(), agent, [0, 1, 2])
    yield memory
    memory.close()


def test_it_tells_what_the_memory_tells(memory: ExperienceMemory) -> None:
    with History(memory.path) as history:
        assert (len(history), history.n_updates, history.n_episodes, history.next_record) == (
            len(memory), memory.n_updates, memory.n_episodes, memory.next_record,
        )  # fmt: skip
        assert history.run == memory.run
        assert list(history) == list(memory)
        assert list(dump(history)) == list(dump(memory))
        assert repr(history) == repr(memory)
        profile = get_profile("webshop")
        assert file_stats(history, profile) == stats(memory, profile)
        assert history.initial_sources() == {
            r.source for r in memory if any(v.is_initial for v in r.action_values)
        }
        assert origin_in(history) == origin_in(memory)
        for record_id in range(memory.next_record):
            held = {record.record_id: record for record in memory}.get(record_id)
            assert history.find(record_id) == held
            assert history.updates(record_id) == memory.updates(record_id)
            assert history.uses(record_id) == memory.uses(record_id)
            assert record_uses(history, record_id).equals(record_uses(memory, record_id))
        assert [history.episode(number) for number in (1, 3)] == memory.episodes()[::2][:2]


@pytest.mark.parametrize("order", ORDERS)
def test_top_values_are_those_of_the_frame(memory: ExperienceMemory, order: str) -> None:
    frame = memory.to_frame().sort_values(
        [order, "record_id"], ascending=[False, True], kind="stable"
    )
    with History(memory.path) as history:
        rows = history.top_values(order, 7)
        assert len(history.top_values(order, 1000)) == history.n_action_values == len(frame)
        # More than SQLite can count to.
        assert len(history.top_values(order, 10**30)) == len(frame)
    expected = frame.head(7)
    assert [(r["record_id"], r["action"], r["q_value"]) for r in rows] == list(
        expected[["record_id", "action", "q_value"]].itertuples(index=False, name=None)
    )
    assert list(rows[0]) == list(frame.columns)


def test_of_an_empty_memory_and_of_an_old_format(tmp_path: Path) -> None:
    with filled(tmp_path / "m.sqlite", 3) as memory:
        write_format_1(tmp_path / "old.sqlite", memory)
        with History(tmp_path / "old.sqlite") as history:
            assert list(dump(history)) == list(dump(memory))
            assert file_stats(history) == stats(memory)
    with ExperienceMemory.open(tmp_path / "none.sqlite") as empty:
        empty.commit()
    with History(tmp_path / "none.sqlite") as history:
        assert file_stats(history) == stats(ExperienceMemory())
        assert history.top_values() == []
    with pytest.raises(MemoryFileError, match="no such memory file"):
        History(tmp_path / "absent.sqlite")


def test_a_memory_that_was_left_without_a_commit_is_read(tmp_path: Path) -> None:
    """What is held, but was never asked for, is written back as it was."""
    path = tmp_path / "m.sqlite"
    filled(path, 4).close()
    with ExperienceMemory.open(path) as memory:
        before = list(dump(memory.copy()))
    with ExperienceMemory.open(path) as memory, memory.copy(tmp_path / "two.sqlite") as two:
        assert list(dump(two)) == before


@pytest.mark.parametrize("column", ["task", "observation", "source"])
@pytest.mark.parametrize("cell", ["x'ff'", "7"])
def test_texts_that_are_none_are_damage(tmp_path: Path, column: str, cell: str) -> None:
    path = tmp_path / "m.sqlite"
    filled(path, 2).close()
    with closing(sqlite3.connect(path)) as db, db:
        db.execute(f"UPDATE records SET {column} = CAST({cell} AS BLOB)")
    with History(path) as history, pytest.raises(MemoryFileError, match="is damaged"):
        history.top_values() if cell == "x'ff'" else list(history)
