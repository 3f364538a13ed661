"""`import pool` and `export pool` from the command line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from rememberer_nb.cli import main
from rememberer_nb.memory import ExperienceMemory
from rememberer_nb.memory.pool_yaml import load_yaml
from rememberer_nb.memory.pools import read_pool

POOL = """\
? !!python/tuple [page, "Instruction:a lamp", "search"]
: action_dict:
    ? !!python/tuple ["click[search]", because]
    : {number: 2, qvalue: 0.5, reward: 0.0}
  other_info: {action_history: [], last_reward: 0.0, number: 1, total_reward: 0.0}
  id: 0
"""


@pytest.fixture
def pool(tmp_path: Path) -> Path:
    path = tmp_path / "mine.wq.yaml"
    path.write_text(POOL)
    return path


def result_of(capsys: pytest.CaptureFixture[str], *arguments: object) -> dict:
    assert main([*map(str, arguments), "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def test_in_and_out(capsys: pytest.CaptureFixture[str], pool: Path, tmp_path: Path) -> None:
    memory, out = tmp_path / "m.db", tmp_path / "out.yaml"
    for n_known in range(2):
        result = result_of(capsys, "import", "pool", pool, "--memory", memory)
        assert result["skipped"] == n_known
        assert ("note" in result) == bool(n_known)
        assert result["pools"] == [{"file": str(pool), "records": 1}]
        assert (result["records_read"], result["records"], result["action_values"]) == (1, 1, 1)
    assert result["note"] == "1 of 1 action values were known: kept as they were"
    stats = result_of(capsys, "memory", "stats", memory)
    assert stats["origin"]["name"] == pool.name
    assert (stats["n_records"], stats["n_initial"], stats["n_visits"]) == (1, 1, 2)
    assert stats["sources"] == {"mine.wq.yaml": 1}
    result = result_of(capsys, "export", "pool", memory, "--out", out)
    assert (result["records"], result["out"]) == (1, str(out))
    assert load_yaml(out)[0] == load_yaml(pool)[0]
    result = result_of(capsys, "export", "pool", memory, "--out", out, "--source", pool.name)
    assert result["records"] == 1


def test_what_is_known_is_kept(
    capsys: pytest.CaptureFixture[str], pool: Path, tmp_path: Path
) -> None:
    """Of the second file one value is news, one is known and is worth something else there."""
    other, memory = tmp_path / "other.yaml", tmp_path / "m.db"
    second = (
        '    ? !!python/tuple ["click[buy]", ""]\n    : {number: 1, qvalue: 1.0, reward: 1.0}\n'
    )
    text = POOL.replace("qvalue: 0.5", "qvalue: 0.25")
    other.write_text(text.replace("  other_info", second + "  other_info"))
    result_of(capsys, "import", "pool", pool, "--memory", memory)
    result = result_of(capsys, "import", "pool", other, "--memory", memory)
    assert (result["skipped"], result["action_values"]) == (1, 2)
    shown = result_of(capsys, "memory", "show", memory)["rows"]
    assert [row["q_value"] for row in shown] == [1.0, 0.5]


def test_exporting_leaves_a_file_to_its_writer(
    capsys: pytest.CaptureFixture[str], pool: Path, tmp_path: Path
) -> None:
    """Of a memory with two tables, while it is being written."""
    with ExperienceMemory.open(tmp_path / "m.db", n_tables=2) as memory:
        memory.add_initial(read_pool(pool))
        memory.commit()
        result = result_of(capsys, "export", "pool", tmp_path / "m.db", "--out", tmp_path / "o")
    assert result["records"] == 1


def test_all_files_are_read_before_anything_is_changed(
    capsys: pytest.CaptureFixture[str], pool: Path, tmp_path: Path
) -> None:
    bad, trace, memory = tmp_path / "bad.yaml", tmp_path / "trace", tmp_path / "m.db"
    bad.write_text(f"a: !!python/object/apply:os.system ['touch {trace}']")
    assert main(["import", "pool", str(pool), str(bad), "--memory", str(memory)]) == 1
    assert "bad.yaml: line 1: " in capsys.readouterr().err
    assert not trace.exists()
    assert not memory.exists()


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (("--out", "x.yaml"), "no such memory file"),
        (("--out", "x.yaml", "--source", "y"), "no such memory file"),
    ],
)
def test_exporting_what_is_not_there(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, arguments: tuple[str, ...], problem: str
) -> None:
    assert main(["export", "pool", str(tmp_path / "no.db"), *arguments]) == 1
    assert problem in capsys.readouterr().err


@pytest.mark.parametrize("command", ["import", "export"])
def test_help(capsys: pytest.CaptureFixture[str], command: str) -> None:
    with pytest.raises(SystemExit) as caught:
        main([command, "pool", "--help"])
    assert caught.value.code == 0
    assert "--json" in capsys.readouterr().out
