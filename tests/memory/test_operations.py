"""Memories from memories: copies, merges, parts, differences."""

from __future__ import annotations

import dataclasses
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rememberer_nb.config import CapacityConfig, RetrievalConfig, RlemConfig
from rememberer_nb.elements import ActionValue, Record, Transition
from rememberer_nb.errors import ConfigError, MemoryFileError
from rememberer_nb.loop.build import Settings, build_memory
from rememberer_nb.memory import ExperienceMemory
from rememberer_nb.memory.check import check_memory
from rememberer_nb.memory.operations import diff, dump, filter_records, merge, merge_values, split
from rememberer_nb.retrieval import JaccardSimilarity
from rememberer_nb.rlem import learn_episode
from tests.memory.store.test_store import filled

ROOT = Path(__file__).resolve().parent.parent.parent
WORDWISE = RetrievalConfig(task_similarity="jaccard", observation_similarity="jaccard")

Row = tuple[str, str, str, float]


def taught(memory: ExperienceMemory, *rows: Row, why: str = "") -> ExperienceMemory:
    """An episode of one step per (task, observation, action, reward)."""
    for task, observation, action, reward in rows:
        end = Transition(observation, action, reward, "end", terminated=True, rationale=why)
        config = RlemConfig(double=memory.n_tables == 2)
        learn_episode(memory, task, [end], config=config)
    return memory


def values(memory: ExperienceMemory) -> dict[tuple[str, str, str], tuple[float, int, float]]:
    return {
        (record.task, record.observation, value.action): (
            value.q_value,
            value.n_visits,
            value.reward,
        )
        for record in memory
        for value in record.action_values
    }


def contents(memory: ExperienceMemory) -> list[Record]:
    return [dataclasses.replace(record, record_id=0) for record in memory]


# Copies


def test_a_copy_into_a_file(tmp_path: Path) -> None:
    memory = taught(ExperienceMemory(), ("g", "o", "a", 1.0), ("g", "p", "b", 0.5))
    memory.insert("g", "o", metadata={"from": 1})
    path = tmp_path / "copy.sqlite"
    with memory.copy(path) as twin:
        assert contents(twin) == contents(memory)
        taught(twin, ("g", "o", "a", 0.0))
        twin.commit()
        # The log goes on where the original's ended: first and last updates stay in order.
        assert [u.update_id for u in twin.updates()] == [2]
        assert (twin.log_start, twin.n_updates) == (2, 3)
    assert check_memory(path)["problems"] == []
    with ExperienceMemory.open(path) as again:
        assert (again.log_start, again.n_updates) == (2, 3)
        value = again.find("g", "o").value_of("a")
        assert (value.first_update, value.last_update, value.q_value) == (0, 2, 0.5)


def test_a_file_that_exists_is_not_copied_into(tmp_path: Path) -> None:
    path = tmp_path / "m.sqlite"
    filled(path, 2).close()
    before = path.read_bytes()
    for make in (ExperienceMemory().copy, lambda path: merge([ExperienceMemory()], path)):
        with pytest.raises(MemoryFileError, match=r"m\.sqlite: exists already"):
            make(path)
    assert path.read_bytes() == before


@pytest.mark.parametrize("how", ["copy", "merge", "filter"])
def test_a_file_that_a_killed_process_left_is_in_nobodys_way(tmp_path: Path, how: str) -> None:
    """What was under way when it was killed never had the name."""
    path = tmp_path / "m.sqlite"
    (tmp_path / ".m.sqlite.new").write_bytes(b"half")
    (tmp_path / "m.sqlite-lock").touch()
    source = filled(tmp_path / "source.sqlite", 2)
    make = {
        "copy": source.copy,
        "merge": lambda path: merge([source], path),
        "filter": lambda path: filter_records(source, path),
    }[how]
    make(path).close()
    with ExperienceMemory.open(path) as memory:
        assert diff(source, memory).empty
    with pytest.raises(MemoryFileError, match="exists already"):
        make(path)
    source.close()


def test_similarities_of_ones_own_go_along() -> None:
    own = JaccardSimilarity(reads="both")
    memory = ExperienceMemory(observation_similarity=own)
    taught(memory, ("red", "page", "a", 1.0), ("blue", "page", "b", 0.0))
    query = ("red", "site", 2, 0.0)
    expected = [(hit.record.task, hit.total) for hit in memory.retrieve(*query)]
    assert expected[0] == ("red", pytest.approx(1 / 3))
    rng = np.random.default_rng(0)
    for twin in (memory.copy(), memory.shuffled(rng), merge([memory]), memory.copy().copy()):
        assert [(hit.record.task, hit.total) for hit in twin.retrieve(*query)] == expected
        taught(twin, ("green", "page", "c", 1.0))
    assert len(memory) == 2


# Merging, by hand


def test_merge_by_visits_by_hand() -> None:
    one = taught(ExperienceMemory(), ("g", "o", "a", 1.0), ("g", "o", "b", 0.25), why="early")
    two = taught(ExperienceMemory(), *[("g", "o", "a", 0.5)] * 3, why="often")
    taught(two, ("h", "o", "a", 0.75))
    merged = merge([one, two])
    # a: (1 · 1 + 3 · 0.5) / 4; the rest is known to one of them only.
    assert values(merged) == {
        ("g", "o", "a"): (0.625, 4, 0.625),
        ("g", "o", "b"): (0.25, 1, 0.25),
        ("h", "o", "a"): (0.75, 1, 0.75),
    }
    assert merged.find("g", "o").value_of("a").rationale == "often"
    assert (merged.updates(), merged.n_updates) == ([], 0)
    # Learning goes on as from so many visits.
    taught(merged, ("g", "o", "a", 0.0))
    assert merged.find("g", "o").value_of("a").q_value == pytest.approx(0.5)


def test_merge_of_a_common_start_counts_it_once() -> None:
    start = taught(ExperienceMemory(), *[("g", "o", "a", 1.0)] * 2)
    workers = [start.copy(), start.copy()]
    taught(workers[0], ("g", "o", "a", 0.0))
    taught(workers[1], ("g", "o", "a", 0.5), ("g", "o", "a", 0.0))
    merged = merge(workers, base=start)
    # Rewards 1, 1 | 0 | 0.5, 0: five visits, not seven.
    assert values(merged) == {("g", "o", "a"): (pytest.approx(0.5), 5, pytest.approx(0.5))}
    naive = merge(workers)
    assert values(naive)[("g", "o", "a")][1] == 7


def test_merge_with_a_base_that_one_has_forgotten() -> None:
    start = taught(ExperienceMemory(), *[("g", "o", "a", 1.0)] * 4)
    kept, anew = start.copy(), ExperienceMemory()
    taught(kept, ("g", "o", "a", 0.0))
    taught(anew, ("g", "o", "a", 0.0))
    merged = merge([kept, anew], base=start)
    # Four times 1, and 0 from each.
    assert values(merged)["g", "o", "a"][:2] == (pytest.approx(4 / 6), 6)


def test_merge_of_two_tables_by_hand() -> None:
    one = taught(ExperienceMemory(n_tables=2), ("g", "o", "a", 1.0))
    two = taught(ExperienceMemory(n_tables=2), *[("g", "o", "a", 0.5)] * 3)
    value = merge([one, two]).find("g", "o").value_of("a")
    # Tables by turns: one has (1.0, 1), (0, 0); two has (0.5, 2), (0.5, 1).
    assert value.tables == ((pytest.approx(2 / 3), 3), (0.5, 1))
    assert value.q_value == pytest.approx((2 / 3 + 0.5) / 2)
    with pytest.raises(ConfigError, match="one and with two tables"):
        merge([one, ExperienceMemory()])
    with pytest.raises(ConfigError, match="at least"):
        merge([])


def test_merge_keeps_texts_and_origin() -> None:
    one, two = ExperienceMemory(), ExperienceMemory()
    one.insert("g", "o", ["a", "b"], source="E0", metadata={"x": 1})
    two.insert("g", "o", ["b", "c"], source="other", metadata={"x": 2, "y": 3})
    (record,) = merge([one, two])
    assert record.available_actions == ("a", "b", "c")
    assert (record.source, record.metadata) == ("E0", {"x": 1, "y": 3})


def test_merge_of_initial_values() -> None:
    known = ActionValue("a", 0.5, 1, rationale="shown")
    initial = Record(0, "g", "o", (), (known,), "E0")
    one, two = ExperienceMemory(), ExperienceMemory()
    for memory in (one, two):
        memory.add_initial([initial])
    assert merge([one, two]).find("g", "o").value_of("a").is_initial
    taught(two, ("g", "o", "a", 1.0))
    value = merge([one, two]).find("g", "o").value_of("a")
    assert (value.is_initial, value.n_visits) == (False, 3)


def test_merge_is_not_limited_by_a_workers_capacity() -> None:
    limits = CapacityConfig(max_records=2)
    parts = [
        taught(ExperienceMemory(WORDWISE, limits), *[("g", f"{name} {i}", "a", 1.0) for i in "12"])
        for name in "xy"
    ]
    assert len(merge(parts)) == 4
    assert len(merge(parts, capacity=limits)) == 2


def test_the_rationale_of_the_most_visited_of_equals_the_last() -> None:
    def value(why: str, n_visits: int) -> ActionValue:
        return ActionValue("a", 0.0, n_visits, rationale=why, tables=((0.0, n_visits),))

    assert merge_values([value("x", 2), value("y", 1)]).rationale == "x"
    assert merge_values([value("x", 1), value("y", 1)]).rationale == "y"
    assert merge_values([value("x", 1), value("", 5)]).rationale == "x"


rewards = st.sampled_from([0.0, 0.25, 0.5, 1.0])
steps = st.lists(
    st.tuples(st.sampled_from("gh"), st.sampled_from("op"), st.sampled_from("ab"), rewards),
    max_size=12,
)


@given(st.lists(steps, min_size=1, max_size=4), steps)
def test_workers_merged_know_what_one_who_did_it_all_knows(
    shares: list[list[Row]], start: list[Row]
) -> None:
    """Full returns and running means: the order of episodes leaves no trace in the values."""
    base = taught(ExperienceMemory(WORDWISE), *start)
    workers = [taught(base.copy(), *rows) for rows in shares]
    alone = taught(base.copy(), *[row for rows in shares for row in rows])
    for merged in (merge(workers, base=base), merge(workers[::-1], base=base)):
        found, expected = values(merged), values(alone)
        assert found.keys() == expected.keys()
        for key, (q_value, n_visits, reward) in expected.items():
            assert found[key] == (
                pytest.approx(q_value),
                n_visits,
                pytest.approx(reward, abs=1e-9),
            )


@given(steps)
def test_merging_one_changes_nothing(rows: list[Row]) -> None:
    memory = taught(ExperienceMemory(WORDWISE), *rows)
    assert values(merge([memory])) == values(memory)
    assert diff(memory, merge([memory])).empty
    assert diff(memory, merge([memory, memory], base=memory)).empty


# Parts


@given(steps)
def test_parts_merged_are_the_whole(rows: list[Row]) -> None:
    memory = taught(ExperienceMemory(WORDWISE), *rows)
    parts = split(memory)
    assert list(parts) == list(dict.fromkeys(record.task for record in memory))
    if parts:
        assert diff(memory, merge(list(parts.values()))).empty


def test_filter_by_task_is_a_pattern() -> None:
    memory = taught(ExperienceMemory(), *[(g, "o", "a", 1.0) for g in ("Red lamp", "blue", "reed")])
    assert [r.task for r in filter_records(memory, task="^red")] == ["Red lamp"]
    assert [r.task for r in filter_records(memory, task="re+d")] == ["Red lamp", "reed"]
    with pytest.raises(ConfigError, match="no regular expression"):
        filter_records(memory, task="(")


def test_filter_by_time() -> None:
    memory = taught(ExperienceMemory(), ("g", "o", "a", 1.0), ("g", "o", "b", 1.0))
    taught(memory, ("h", "o", "a", 1.0), ("g", "o", "a", 0.0))
    # Last changed by: g a 3, g b 1, h a 2.
    assert set(values(filter_records(memory, updates=(1, 3)))) == {
        ("g", "o", "b"),
        ("h", "o", "a"),
    }
    assert set(values(filter_records(memory, updates=(3, 9), task="g"))) == {("g", "o", "a")}
    assert len(filter_records(memory, updates=(9, 9))) == 0


def test_filter_by_episode_and_by_rule(tmp_path: Path) -> None:
    with filled(tmp_path / "m.sqlite", 4) as memory:
        part = filter_records(memory, tmp_path / "part.sqlite", episodes=(1, 3))
        assert [r.observation for r in part] == [r.observation for r in memory][3:9]
        part.close()
        kept = filter_records(memory, keep=lambda record: record.max_q > 0.3)
        assert [r.max_q for r in kept] == [r.max_q for r in memory if r.max_q > 0.3] != []
    assert check_memory(tmp_path / "part.sqlite")["problems"] == []


# Differences


def test_diff_by_hand() -> None:
    before = taught(ExperienceMemory(), ("g", "o", "a", 1.0), ("g", "o", "b", 1.0))
    after = before.copy()
    taught(after, ("g", "o", "a", 0.0), ("h", "o", "c", 0.5))
    gone = filter_records(after, keep=lambda record: record.task == "h")
    rows = diff(before, after).values.tolist()
    assert rows == [
        ["g", "o", "a", "changed", 1.0, 0.5, 1, 2],
        ["h", "o", "c", "added", pytest.approx(float("nan"), nan_ok=True), 0.5, rows[1][6], 1],
    ]
    assert diff(after, gone)["change"].tolist() == ["removed", "removed"]
    assert diff(before, before.copy()).empty


def test_dump_is_equal_for_equal_memories_only(tmp_path: Path) -> None:
    with filled(tmp_path / "one.sqlite", 3) as one, filled(tmp_path / "two.sqlite", 3) as two:
        lines = list(dump(one))
        assert lines == list(dump(two))
        assert len(lines) == 1 + 9 + 9 + 3
        taught(two, ("g", "o", "a", 1.0))
        assert list(dump(two)) != lines


@pytest.mark.slow
def test_the_readme_merges_workers(tmp_path: Path) -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    code = re.search(r"```python\n(from joblib .*?)```", text, re.DOTALL)
    assert code
    (tmp_path / "round.py").write_text(code.group(1), encoding="utf-8")
    with build_memory(Settings(), tmp_path / "start.sqlite") as start:
        held = values(start)
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    subprocess.run([sys.executable, "round.py"], cwd=tmp_path, env=environment, check=True)
    workers = sorted(tmp_path.glob("worker*.sqlite"))
    assert len(workers) == 2
    merged = ExperienceMemory.open(tmp_path / "round1.sqlite", must_exist=True)
    n_visits = sum(n for _, n, _ in held.values())
    for path in workers:
        with ExperienceMemory.open(path) as worker:
            n_visits += worker.n_updates
    assert sum(n for _, n, _ in values(merged).values()) == n_visits
    merged.close()
