"""Memories as tables: equal to the last bit, and clear words for what is no such table."""

from __future__ import annotations

import csv
import dataclasses
import json
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rememberer_nb.elements import ActionValue, Record, Transition
from rememberer_nb.errors import ConfigError, DataError, MemoryFileError
from rememberer_nb.memory import ExperienceMemory
from rememberer_nb.memory.check import check_memory
from rememberer_nb.memory.interchange import COLUMNS, import_frame, read_frame, write_frame
from rememberer_nb.memory.operations import diff, dump
from rememberer_nb.memory.store.store import Store
from rememberer_nb.rlem import learn_episode
from tests.memory.store.test_store import filled

KINDS = pytest.mark.parametrize("ending", [".csv", ".jsonl"])

texts = st.text(max_size=8) | st.sampled_from(["", '"', '""', '"""', "\r", "a\r\nb", "\ud800", ","])
numbers = st.floats(-1e100, 1e100)


def of_table(q_value: float, n_visits: int, **details: object) -> ActionValue:
    """A value of one table, which it agrees with."""
    tables = ((q_value, n_visits),)
    return ActionValue(q_value=q_value, n_visits=n_visits, tables=tables, **details)


action_values = st.builds(
    of_table,
    q_value=numbers,
    n_visits=st.integers(0, 2**40),
    action=texts,
    reward=numbers,
    rationale=texts,
    is_initial=st.booleans(),
    first_update=st.none() | st.integers(0, 9),
    last_update=st.none() | st.integers(9, 99),
)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | numbers | texts,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(texts, inner, max_size=2),
    max_leaves=4,
)
records = st.builds(
    Record,
    record_id=st.integers(0, 99),
    task=texts,
    observation=texts,
    available_actions=st.lists(texts, max_size=3).map(tuple),
    action_values=st.lists(action_values, max_size=3, unique_by=lambda v: v.action).map(tuple),
    source=texts,
    metadata=st.dictionaries(texts, json_values, max_size=2),
)
record_lists = st.lists(
    records, max_size=4, unique_by=(lambda r: r.record_id, lambda r: (r.task, r.observation))
)


@KINDS
@given(rows=record_lists)
def test_anything_is_read_back_equal(
    tmp_path_factory: pytest.TempPathFactory, ending: str, rows: list[Record]
) -> None:
    path = tmp_path_factory.getbasetemp() / f"any{ending}"
    n_rows = write_frame(path, rows)
    assert n_rows == sum(max(1, len(record.action_values)) for record in rows)
    # repr tells 0.0 from -0.0, too.
    assert repr(list(read_frame(path))) == repr(rows)


@KINDS
@pytest.mark.parametrize("n_tables", [1, 2])
def test_out_and_in(tmp_path: Path, ending: str, n_tables: int) -> None:
    path, out = tmp_path / f"x{ending}", tmp_path / "again.sqlite"
    with filled(tmp_path / "m.sqlite", 5, n_tables=n_tables) as memory:
        memory.insert("no", "actions", ["a"])
        assert write_frame(path, memory) == 16
        with import_frame(path, out) as again:
            assert diff(memory, again).empty
            assert [dataclasses.replace(r, record_id=0) for r in again] == [
                dataclasses.replace(r, record_id=0) for r in memory
            ]
            assert (again.n_updates, again.log_start, again.n_tables) == (15, 15, n_tables)
            end = Transition("new", "a", 1.0, "end", terminated=True)
            if n_tables == 1:
                learn_episode(again, "g", [end])
                again.commit()
    assert check_memory(out)["problems"] == []
    with pytest.raises(MemoryFileError, match="exists already"):
        import_frame(path, out)


@KINDS
def test_a_killed_import_blocks_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ending: str
) -> None:
    path, out = tmp_path / f"x{ending}", tmp_path / "m.sqlite"
    write_frame(path, filled(tmp_path / "source.sqlite", 5))

    def die(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(Store, "write", die)
        import_frame(path, out)
    with import_frame(path, out) as memory, import_frame(path) as straight:
        assert list(dump(memory)) == list(dump(straight))


@KINDS
def test_a_long_page(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"x{ending}"
    limit = csv.field_size_limit()
    memory = ExperienceMemory()
    memory.insert("g", "x" * 3_000_000)
    write_frame(path, memory)
    assert list(read_frame(path)) == list(memory)
    assert csv.field_size_limit() == limit


def test_pandas_reads_it(tmp_path: Path) -> None:
    import pandas as pd

    with filled(tmp_path / "m.sqlite", 3) as memory:
        write_frame(tmp_path / "x.csv", memory)
        write_frame(tmp_path / "x.jsonl", memory)
        expected = memory.to_frame()["q_value"].tolist()
    assert pd.read_csv(tmp_path / "x.csv")["q_value"].tolist() == expected
    assert pd.read_json(tmp_path / "x.jsonl", lines=True)["q_value"].tolist() == expected


def row(**changes: object) -> dict[str, object]:
    values = (0, "g", "o", "a", 0.5, 1, 0.5, "", False, "s", None, None, [[0.5, 1]], [], {})
    return {**dict(zip(COLUMNS, values, strict=True)), **changes}


def lines(*rows: object) -> str:
    return "".join(json.dumps(row) + "\n" for row in rows)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("{", "line 1: is not JSON"),
        ("[1]", r"line 1: expected an object, found \[1\]"),
        (lines(row(), row(action="b", q_value="high")), "line 2: q_value must be a finite number"),
        (lines(row(q_value=float("nan"))), "line 1: is not JSON: NaN is no finite number"),
        (lines(row(q_value=1e101)), "line 1: q_value must be a finite number, found 1e[+]101"),
        (lines(row(reward=10**400)), "line 1: is not JSON: 10000000000000000... is no finite num"),
        (lines(row(n_visits=True)), "line 1: n_visits must be a whole number .*, found True"),
        (lines(row(n_visits=-1)), "line 1: n_visits must be a whole number .*, found -1"),
        (lines(row(n_visits=2)), "line 1: n_visits is 2, but its tables count 1"),
        (lines(row(q_value=0.25)), "line 1: q_value is 0.25, but its tables give 0.5"),
        (lines(row(record_id=2**63)), "line 1: record_id must be a whole number .*, found 92233"),
        (lines(row(record_id=-1)), "line 1: record_id must be a whole number .*, found -1"),
        (lines(row(last_update="x")), "line 1: last_update must be a whole number .*, found 'x'"),
        (lines(row(first_update="\r\n")), "line 1: first_update must be .*, found"),
        (lines(row(first_update=2, last_update=1)), "line 1: the first update cannot be 2 and"),
        (lines(row(available_actions=["a", 1])), "line 1: available_actions must hold texts"),
        (lines(row(metadata=json.loads("[" * 99 + "]" * 99))), "line 1: metadata must be of type"),
        ('{"metadata": ' + "[" * 900 + "]" * 900 + "}", "line 1: is not JSON: it is nested too"),
        (lines(row(tables=[[1]])), r"line 1: tables must hold pairs .*, found \[1\]"),
        (lines(row(tables=[[0.5, 1.5]])), "line 1: visits in tables must be a whole number"),
        (lines(row(tables=[["x", 1]])), "line 1: a value in tables must be a finite number"),
        (lines(row(tables=[], n_visits=0)), "each value must have one table, or each two; found 0"),
        (lines(row(), row(record_id=1)), "line 2: the record is the same as record 0"),
        (lines(row(), row()), "line 2: the record has this action already"),
        (lines(row(), row(action="b", task="h")), "line 2: the record differs"),
        (lines({"record_id": 1}), "line 1: lacks the column 'task'"),
        (
            lines(row(), row(action="b", tables=[[0.5, 1], [0, 0]])),
            "each value must have one table, or each two; found 1 and 2",
        ),
    ],
)
def test_lines_that_are_none(tmp_path: Path, text: str, problem: str) -> None:
    path = tmp_path / "x.jsonl"
    path.write_text(text)
    with pytest.raises(DataError, match=problem) as caught:
        import_frame(path, tmp_path / "m.sqlite")
    assert caught.value.path == path
    assert [p.name for p in tmp_path.iterdir()] == ["x.jsonl"]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "line 1: expected the columns record_id"),
        ("a,b\n1,2\n", "line 1: expected the columns"),
        (",".join(COLUMNS) + "\n1,2\n", "line 2: has 2 cells, not 15"),
        (",".join(COLUMNS) + "\n" + ",".join("x" * 15) + "\n", "line 2: record_id is not JSON"),
        (",".join(COLUMNS) + '\n"unclosed', "line 2: has 1 cells, not 15"),
        (",".join(COLUMNS) + "\na\rb\n", "line 2: new-line character seen"),
        (",".join([*COLUMNS[1:], "task"]) + "\n", "line 1: expected the columns"),
    ],
)
def test_tables_that_are_none(tmp_path: Path, text: str, problem: str) -> None:
    path = tmp_path / "x.csv"
    path.write_text(text)
    with pytest.raises(DataError, match=problem):
        read_frame(path)


def test_files_that_cannot_be(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"must end in \.csv or \.jsonl"):
        write_frame(tmp_path / "x.txt", [])
    with pytest.raises(DataError, match="cannot be read"):
        read_frame(tmp_path / "absent.csv")
    with pytest.raises(DataError, match="cannot be written"):
        write_frame(tmp_path / "absent" / "x.csv", [])
    (tmp_path / "x.csv").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(DataError, match="cannot be read"):
        read_frame(tmp_path / "x.csv")


def test_a_file_is_replaced_whole_or_not_at_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "x.csv"
    path.write_text("mine")

    def fail(*_: object) -> None:
        raise OSError("no space left")

    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(DataError, match="no space left"):
        write_frame(path, [])
    assert path.read_text() == "mine"
    assert [p.name for p in tmp_path.iterdir()] == ["x.csv"]


@pytest.mark.parametrize("held", [[{"content": 1}], "x", [{}], 7])
def test_metadata_of_a_pool_that_was_edited_is_refused(tmp_path: Path, held: object) -> None:
    """It could not be written out as a pool again."""
    memory = ExperienceMemory()
    memory.add_initial([Record(0, "g", "o", (), (), metadata={"pool:mine.yaml": held})])
    path = tmp_path / "frame.jsonl"
    write_frame(path, memory)
    with pytest.raises(DataError, match=r"frame\.jsonl: metadata of record 0: .* an import leaves"):
        import_frame(path, tmp_path / "new.sqlite")
    assert not (tmp_path / "new.sqlite").exists()
