"""`memory ...`, `import frame` and `export frame` from the command line."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from rememberer_nb.cli import main
from rememberer_nb.elements import Transition
from rememberer_nb.memory import ExperienceMemory
from rememberer_nb.rlem import learn_episode
from tests.memory.store.test_store import filled
from tests.system.test_printable import unfit

SHORT = ("--tasks", "500:503", "--epochs", "2", "--seed", "1")


def result_of(capsys: pytest.CaptureFixture[str], *arguments: object, status: int = 0) -> dict:
    assert main([*map(str, arguments), "--json"]) == status
    return json.loads(capsys.readouterr().out)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    filled(tmp_path / "m.sqlite", 4).close()
    return tmp_path / "m.sqlite"


def test_a_sound_file_and_a_spoilt_one(capsys: pytest.CaptureFixture[str], path: Path) -> None:
    found = result_of(capsys, "memory", "check", path)
    assert (found["problems"], found["n_records"], found["n_updates"]) == ([], 12, 12)
    assert main(["memory", "check", str(path)]) == 0
    assert capsys.readouterr().out.startswith(f"{path}: sound; n_records 12")
    content = path.read_bytes()
    path.write_bytes(content[: len(content) - 4096])
    assert result_of(capsys, "memory", "check", path, status=1)["problems"]
    assert main(["memory", "check", str(path)]) == 1
    assert all(line.startswith(f"{path}: ") for line in capsys.readouterr().out.splitlines())
    path.write_text("no memory")
    assert main(["memory", "check", str(path)]) == 1
    assert capsys.readouterr().out.startswith(f"{path}: is not a memory file")
    assert main(["memory", "check", str(path) + "x"]) == 1
    assert "no such memory file" in capsys.readouterr().err


def test_trace(capsys: pytest.CaptureFixture[str], path: Path) -> None:
    found = result_of(capsys, "memory", "trace", path, "--record", 4, "--action", "click[1]")
    assert found["record"]["record_id"] == 4
    (update,) = found["updates"]
    assert (update["episode_id"], update["step"], update["rewards"]) == ("1", 1, [0.1])
    assert main(["memory", "trace", str(path), "--record", "4"]) == 0
    assert "update 4 (1, step 1) click[1]: Q 0.0000 -> " in capsys.readouterr().out
    assert result_of(capsys, "memory", "trace", path, "--record", 4, "--action", "no")["uses"] == []
    assert main(["memory", "trace", str(path), "--record", "99"]) == 1
    assert f"{path}: there is no record 99" in capsys.readouterr().err


def test_trace_of_a_training(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    path = tmp_path / "m.sqlite"
    result_of(capsys, "train", *SHORT, "--memory", path)
    found = result_of(capsys, "memory", "trace", path, "--record", 0)
    assert {"episode", "step", "rank", "is_shown", "is_success"} <= found["uses"][0].keys()
    assert main(["memory", "trace", str(path), "--record", "0"]) == 0
    assert "shown in episode 0, step 0 (rank 0, total " in capsys.readouterr().out


def test_resume(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    path, out = tmp_path / "m.sqlite", tmp_path / "out"
    arguments = ("train", *SHORT, "--memory", path, "--max-records", 12, "--eviction", "oldest")
    # Where there is nothing to resume, it begins.
    first = result_of(capsys, *arguments, "--resume", "--out", out)
    lines = (out / "episodes.jsonl").read_text()
    again = result_of(capsys, *arguments, "--resume", "--out", out)
    for result in (first, again):
        result.pop("timing")
    assert first == again
    assert (out / "episodes.jsonl").read_text() == lines
    assert first["n_records"] == 12
    for changed, problem in (
        (("--eviction", "redundancy"), "capacity.eviction: 'oldest', now 'redundancy'"),
        (("--initial-q", "0.5"), "rlem.initial_q: 0.0, now 0.5"),
        (("--initial", "E1"), "started from E0, not from E1"),
        (("--llm", "offline:able"), "agent.llm.llm: 'offline:novice', now 'offline:able'"),
    ):
        assert main([*map(str, arguments), "--resume", *changed]) == 2
        assert problem in capsys.readouterr().err
    assert main(["train", "--resume"]) == 2
    assert "--resume needs --memory" in capsys.readouterr().err


@pytest.mark.parametrize(
    "options",
    [
        ("--ranking", "two_phase", "--n-candidates", "4"),
        ("--stand-in", "kernel", "--n-neighbours", "3", "--n-step", "1"),
        ("--initial-q", "1", "--initial-visits", "2"),
        ("--exploration", "3"),
        ("--max-records", "9", "--max-actions", "1", "--eviction", "least_visited"),
    ],
)
def test_alternatives_are_reached(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, options: tuple[str, ...]
) -> None:
    plain, other = tmp_path / "plain.sqlite", tmp_path / "other.sqlite"
    result_of(capsys, "train", *SHORT, "--memory", plain)
    result_of(capsys, "train", *SHORT, *options, "--memory", other)
    assert result_of(capsys, "memory", "check", other)["problems"] == []
    dumps = [result_of(capsys, "memory", "dump", path)["lines"] for path in (plain, other)]
    runs = [lines.pop(0)["memory"]["run"]["parameters"] for lines in dumps]
    assert runs[0] != runs[1]
    assert dumps[0] != dumps[1]


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        (("--max-records", "0"), "max_records"),
        (("--eviction", "newest"), "eviction"),
        (("--ranking", "magic"), "ranking"),
        (("--stand-in", "magic"), "stand_in"),
        (("--exploration", "-1"), "exploration"),
    ],
)
def test_settings_out_of_range(
    capsys: pytest.CaptureFixture[str], options: tuple[str, ...], problem: str
) -> None:
    assert main(["train", *SHORT, *options]) == 2
    assert problem in capsys.readouterr().err


def test_split_and_merge_are_inverse(
    capsys: pytest.CaptureFixture[str], path: Path, tmp_path: Path
) -> None:
    parts = result_of(capsys, "memory", "split", path, "--out", tmp_path / "parts")["parts"]
    assert len(parts) == 4
    files = [part["file"] for part in parts]
    out = tmp_path / "merged.sqlite"
    merged = result_of(capsys, "memory", "merge", *files, "--out", out)
    assert merged["records"] == sum(part["records"] for part in parts) == 12
    difference = result_of(capsys, "memory", "diff", path, out)
    assert (difference["n_added"], difference["n_removed"], difference["n_changed"]) == (0, 0, 0)
    assert main(["memory", "merge", *files, "--out", str(out)]) == 1
    assert "exists already" in capsys.readouterr().err


def test_merge_of_workers_with_a_base(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    def teach(memory: ExperienceMemory, *rewards: float) -> None:
        for reward in rewards:
            end = Transition("o", "a", reward, "end", terminated=True)
            learn_episode(memory, "g", [end])
        memory.commit()

    names = [str(tmp_path / f"{name}.sqlite") for name in ("base", "one", "two", "out")]
    with ExperienceMemory.open(names[0]) as base:
        teach(base, 1.0, 1.0)
        for name, rewards in ((names[1], (0.0,)), (names[2], (0.5, 0.0))):
            with base.copy(name) as worker:
                teach(worker, *rewards)
    result_of(capsys, "memory", "merge", *names[1:3], "--base", names[0], "--out", names[3])
    (row,) = result_of(capsys, "memory", "show", names[3])["rows"]
    assert (row["q_value"], row["n_visits"]) == (pytest.approx(0.5), 5)


def test_filter_and_diff(capsys: pytest.CaptureFixture[str], path: Path, tmp_path: Path) -> None:
    out = tmp_path / "part.sqlite"
    chosen = result_of(
        capsys, "memory", "filter", path, "--task", "red", "--updates", "3:", "--out", out
    )
    assert (chosen["records"], chosen["of"]) == (3, 12)
    difference = result_of(capsys, "memory", "diff", path, out)
    assert (difference["n_removed"], len(difference["rows"])) == (9, 9)
    assert main(["memory", "diff", str(path), str(out), "--rows", "1"]) == 0
    shown = capsys.readouterr().out.splitlines()
    assert shown[0] == "0 added, 9 removed, 0 changed"
    assert shown[1].startswith("  removed  Q 0.000 x1 -> Q - x0  click[0]")
    with pytest.raises(SystemExit):
        main(["memory", "filter", str(path), "--updates", "five", "--out", str(out)])
    assert "expected A:B (half-open), got 'five'" in capsys.readouterr().err
    episodes = tmp_path / "episodes.sqlite"
    part = result_of(capsys, "memory", "filter", path, "--episodes", ":2", "--out", episodes)
    assert part["records"] == 6


@pytest.mark.parametrize("ending", ["csv", "jsonl"])
def test_frames(
    capsys: pytest.CaptureFixture[str], path: Path, tmp_path: Path, ending: str
) -> None:
    out, again = tmp_path / f"x.{ending}", tmp_path / "again.sqlite"
    assert result_of(capsys, "export", "frame", path, "--out", out)["rows"] == 12
    taken = result_of(capsys, "import", "frame", out, "--memory", again)
    assert (taken["records"], taken["action_values"]) == (12, 12)
    assert result_of(capsys, "memory", "diff", path, again)["rows"] == []
    assert main(["export", "frame", str(path), "--out", str(tmp_path / "x.txt")]) == 2


def test_two_tables_are_found_out(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    path = tmp_path / "m.sqlite"
    filled(path, 2, n_tables=2).close()
    for command in ("stats", "show", "check", "dump"):
        result_of(capsys, "memory", command, path)
    assert result_of(capsys, "memory", "diff", path, path)["rows"] == []


def test_half_a_character_on_the_screen(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    path = tmp_path / "m.sqlite"
    with ExperienceMemory.open(path) as memory:
        end = Transition("o\ud83d", "a\ud83d", 1.0, "end", terminated=True)
        learn_episode(memory, "g\ud83d", [end])
        memory.commit()
    assert main(["memory", "show", str(path)]) == 0
    assert "a\\ud83d" in capsys.readouterr().out
    (row,) = result_of(capsys, "memory", "show", path)["rows"]
    assert row["action"] == "a\ud83d"


def test_looking_changes_nothing(capsys: pytest.CaptureFixture[str], path: Path) -> None:
    before = path.read_bytes()
    for arguments in (
        ("stats", path),
        ("show", path),
        ("check", path),
        ("dump", path),
        ("trace", path, "--record", 1),
        ("diff", path, path),
    ):
        result_of(capsys, "memory", *arguments)
    assert path.read_bytes() == before
    assert [p.name for p in path.parent.iterdir()] == [path.name]


def test_output_that_is_cut_off(path: Path) -> None:
    """As by `| head -1`."""
    command = [sys.executable, "-m", "rememberer_nb", "memory", "dump", str(path)]
    root = Path(__file__).resolve().parent.parent
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=root
    ) as process:
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == 0


# Erases the screen, sets the title, turns the line round, goes back to its start; half a pair.
NASTY = "\x1b[2J\x1b]0;owned\x07 \x9b31m \u202e 0.001\r\x08 \x7f \ud800"


@pytest.fixture
def nasty(tmp_path: Path) -> Path:
    """A memory whose every text would take over a terminal."""
    path = tmp_path / "nasty.sqlite"
    with ExperienceMemory.open(path) as memory:
        end = Transition(f"o {NASTY}", f"click[{NASTY}\nfake]", 1.0, "end", terminated=True)
        learn_episode(memory, f"g {NASTY}", [end], episode_id=f"e {NASTY}")
        memory.commit()
    return path


@pytest.mark.parametrize(
    "arguments",
    [
        ("show",), ("stats",), ("trace", "--record", "0"), ("check",), ("dump",),
        ("split", "--out", "parts"), ("diff", "empty.sqlite"),
        ("filter", "--task", "g", "--out", NASTY.replace("\ud800", "")),
    ],
)  # fmt: skip
def test_no_control_reaches_the_terminal(
    capsys: pytest.CaptureFixture[str],
    nasty: Path,
    monkeypatch: pytest.MonkeyPatch,
    arguments: tuple[str, ...],
) -> None:
    monkeypatch.chdir(nasty.parent)
    with ExperienceMemory.open("empty.sqlite") as empty:
        empty.commit()
    command, *options = arguments
    assert main(["memory", command, str(nasty), *options]) == 0
    text = capsys.readouterr().out
    assert unfit(text) == []
    if command in ("show", "trace", "split", "diff"):
        assert "\\u001b[2J" in text


def test_as_json_nothing_is_lost_or_raw(capsys: pytest.CaptureFixture[str], nasty: Path) -> None:
    assert main(["memory", "show", str(nasty), "--json"]) == 0
    out = capsys.readouterr().out
    assert unfit(out) == []
    assert json.loads(out)["rows"][0]["action"] == f"click[{NASTY}\nfake]"
    assert main(["memory", "dump", str(nasty)]) == 0
    record = json.loads(capsys.readouterr().out.splitlines()[1])["record"]
    assert record["task"] == f"g {NASTY}"


def test_a_value_starts_no_line_of_its_own(capsys: pytest.CaptureFixture[str], nasty: Path) -> None:
    assert main(["memory", "show", str(nasty)]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 2
    assert main(["memory", "trace", str(nasty), "--record", "0"]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 2


@pytest.mark.parametrize(
    "arguments",
    [
        ("memory", "show", "no\x1b[31m.sqlite"), ("memory", "merge", "\x1b[31m", "--out"),
        ("\x1b[31m",), ("memory", "show", "x", "\x1b[31m"), ("train", "--llm", "\x1b[31m"),
    ],
)  # fmt: skip
def test_no_control_in_an_error(
    capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...]
) -> None:
    try:
        assert main(arguments) != 0
    except SystemExit as stop:
        assert stop.code == 2
    shown = capsys.readouterr()
    assert unfit(shown.out + shown.err) == []
    assert shown.err
