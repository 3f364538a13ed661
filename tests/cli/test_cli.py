"""The command line, as a user calls it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from rememberer_nb.cli import main
from rememberer_nb.errors import NotebookError
from rememberer_nb.system.places import claimed_folder

TRANSCRIPT = """-----------------
0
Action: reset
Observation: 
Webshop 
Instruction:  
i want a brass desk lamp, and price lower than 30.00 dollars 
[Search] 

Action: search[brass desk lamp]
Observation: 
[Back to Search] 
Page 1 (Total results: 1) 
[Next >] 
[B000LAMP01] 
Brass Desk Lamp by Nobody 
$19.0 

Action: click[B000LAMP01]
Observation: 
[Back to Search] 
[< Prev] 
Brass Desk Lamp by Nobody 
Price: $19.0 
Rating: N.A. 
[Description] 
[Features] 
[Reviews] 
[Buy Now] 

Action: click[Buy Now]
Observation: Your score (min 0.0, max 1.0): 1.0

1 1.0 1.0 0.0
-------------
"""


def run_json(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict:
    assert main([*arguments, "--json"]) == 0
    out = capsys.readouterr().out
    assert out.count("\n") == 1
    return json.loads(out)


@pytest.fixture
def transcript(tmp_path: Path) -> Path:
    path = tmp_path / "log.ipynb"
    output = {"output_type": "stream", "name": "stdout", "text": TRANSCRIPT}
    cell = {"cell_type": "code", "metadata": {}, "source": "", "outputs": [output]}
    cell["execution_count"] = None
    path.write_text(
        json.dumps({"cells": [cell], "metadata": {}, "nbformat": 4, "nbformat_minor": 4})
    )
    return path


def test_train_prints_what_it_promises(capsys) -> None:
    result = run_json(
        capsys, "train", "--tasks", "500:502", "--epochs", "2", "--seed", "3", "--max-steps", "6"
    )
    assert list(result) == [
        "env", "agent", "llm", "tasks", "seeds", "n_episodes", "success_rate", "mean_reward",
        "mean_steps", "reply_errors", "n_calls", "prompt_tokens", "completion_tokens", "money",
        "llm_errors", "ci95", "epochs", "n_records", "timing",
    ]  # fmt: skip
    assert (result["tasks"], result["seeds"], result["n_episodes"]) == ([500, 501], [3], 4)
    assert [set(epoch) for epoch in result["epochs"]] == [{"success_rate", "mean_reward"}] * 2
    assert set(result["ci95"]) == {"success_rate", "mean_reward"}


def test_two_runs_are_equal_but_for_the_times(capsys) -> None:
    call = ("train", "--tasks", "S0", "--epochs", "1", "--seed", "0")
    one, two = run_json(capsys, *call), run_json(capsys, *call)
    one.pop("timing"), two.pop("timing")
    assert one == two


def test_train_then_evaluate_on_the_memory(capsys, tmp_path: Path) -> None:
    path = str(tmp_path / "m.sqlite")
    trained = run_json(
        capsys, "train", "--tasks", "500:502", "--epochs", "1", "--memory", path, "--seed", "0"
    )
    before = Path(path).read_bytes()
    result = run_json(capsys, "evaluate", "--tasks", "100,101", "--seeds", "0:2", "--memory", path)
    assert (result["n_episodes"], result["seeds"]) == (4, [0, 1])
    assert Path(path).read_bytes() == before
    stats = run_json(capsys, "memory", "stats", path)
    assert stats["n_records"] == trained["n_records"]
    shown = run_json(capsys, "memory", "show", path, "--rows", "3")
    assert len(shown["rows"]) == 3
    assert main(["memory", "show", path]) == 0
    assert "visits" in capsys.readouterr().out


def test_out_keeps_episodes_and_metrics(capsys, tmp_path: Path) -> None:
    out = tmp_path / "run"
    result = run_json(
        capsys, "evaluate", "--agent", "random", "--tasks", "100:103", "--out", str(out)
    )
    lines = (out / "episodes.jsonl").read_text().splitlines()
    assert len(lines) == 3
    metrics = json.loads((out / "metrics.json").read_text())
    assert metrics["mean_reward"] == result["mean_reward"]
    assert metrics["config"]["run"]["agent"] == "random"


FOLDERS = [
    ["train", "--tasks", "500", "--epochs", "1"],
    ["evaluate", "--agent", "random", "--tasks", "100"],
    ["compare", "--n-seeds", "1"],
    ["run", "00"],
]


def no_work(*_: object, **__: object) -> None:
    raise AssertionError("work was begun")


@pytest.fixture
def idle(monkeypatch) -> None:
    """Whatever works says that it should not."""
    for name in (
        "loop.training.train",
        "loop.training.evaluate",
        "experiments.comparison.run_seed",
        "teaching.suite.run_notebook",
    ):
        monkeypatch.setattr(f"rememberer_nb.{name}", no_work)


@pytest.mark.usefixtures("idle")
@pytest.mark.parametrize("call", FOLDERS, ids=lambda call: call[0])
def test_a_file_in_the_way_is_refused_before_the_work(capsys, tmp_path: Path, call) -> None:
    (tmp_path / "out").write_text("mine")
    assert main([*call, "--out", str(tmp_path / "out")]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.endswith("out: a file is in the way; expected a folder")
    assert (tmp_path / "out").read_text() == "mine"


@pytest.mark.usefixtures("idle")
@pytest.mark.skipif(not Path("/proc").is_dir(), reason="needs a place that nobody can write to")
@pytest.mark.parametrize("call", FOLDERS, ids=lambda call: call[0])
def test_an_unwritable_place_is_refused_before_the_work(capsys, call) -> None:
    assert main([*call, "--out", "/proc/nowhere"]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert "/proc/nowhere: cannot be written: " in line


@pytest.mark.usefixtures("idle")
@pytest.mark.parametrize("call", FOLDERS, ids=lambda call: call[0])
def test_a_folder_in_use_is_refused_before_the_work(capsys, tmp_path: Path, call) -> None:
    with claimed_folder(tmp_path / "out"):
        assert main([*call, "--out", str(tmp_path / "out")]) == 1
    assert "out: another process is writing there" in capsys.readouterr().err


def test_a_failed_run_prints_its_json(capsys, tmp_path: Path, monkeypatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise NotebookError("00 failed", cell=3, cause="KeyError: 'lost'")

    monkeypatch.setattr("rememberer_nb.teaching.suite.run_notebook", fail)
    assert main(["run", "00", "--json", "--out", str(tmp_path / "out")]) == 1
    result = json.loads(capsys.readouterr().out)
    assert result["problems"] == [
        {"name": "00_start_here", "state": "failed", "cell": 3, "error": "KeyError: 'lost'"}
    ]
    assert result["states"] == {"00_start_here": "failed"}


def test_a_terminated_run_prints_its_json(capsys, tmp_path: Path, monkeypatch) -> None:
    def stop(*_: object, **__: object) -> None:
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(5)

    monkeypatch.setattr("rememberer_nb.teaching.suite.run_notebook", stop)
    assert main(["run", "00", "--json", "--out", str(tmp_path / "out")]) == 143
    result = json.loads(capsys.readouterr().out)
    assert result["stopped"] == {"name": "terminated", "why": "terminated", "n_unfinished": 1}
    assert "00_start_here: stopped" in (tmp_path / "out" / "index.html").read_text()


LIMITED = """
import resource, sys
from rememberer_nb.cli import main
from rememberer_nb.errors import NotebookError
from rememberer_nb.system.places import claimed_folder
resource.setrlimit(resource.RLIMIT_FSIZE, (2000, 2000))
sys.exit(main(sys.argv[1:]))
"""


def test_a_disk_that_fills_up_loses_no_result(tmp_path: Path) -> None:
    """A limit on the size of files stands for the full disk: episodes are larger, locks smaller."""
    out = tmp_path / "out"
    call = ["evaluate", "--agent", "random", "--tasks", "100:110", "--json", "--out", str(out)]
    done = subprocess.run([sys.executable, "-c", LIMITED, *call], capture_output=True, text=True)
    assert done.returncode == 1
    assert json.loads(done.stdout)["n_episodes"] == 10
    assert done.stderr.splitlines()[-1] == (
        f"rememberer-nb: {out / 'episodes.jsonl'}: cannot be written: file too large"
    )
    assert "Traceback" not in done.stderr
    assert not out.exists() or list(out.iterdir()) == []


@pytest.mark.parametrize("target", ["/dev/full", None], ids=["full", "closed"])
def test_an_output_that_cannot_be_printed_is_saved_all_the_same(tmp_path: Path, target) -> None:
    call = ["evaluate", "--agent", "random", "--tasks", "100:102", "--json"]
    call = [sys.executable, "-m", "rememberer_nb", *call, "--out", str(tmp_path / "out")]
    if target is None:
        reader, writer = os.pipe()
        os.close(reader)
    else:
        writer = os.open(target, os.O_WRONLY)
    done = subprocess.run(call, stdout=writer, stderr=subprocess.PIPE, text=True, timeout=60)
    os.close(writer)
    assert "Traceback" not in done.stderr and "Exception" not in done.stderr
    assert done.returncode == (0 if target is None else 1)
    assert json.loads((tmp_path / "out" / "metrics.json").read_text())["n_episodes"] == 2


def test_import_react(capsys, transcript: Path, tmp_path: Path) -> None:
    path = tmp_path / "m.sqlite"
    result = run_json(capsys, "import", "react", str(transcript), "--memory", str(path))
    result.pop("timing")
    assert result == {
        "episodes": 1,
        "mean_score": 1.0,
        "success_rate": 1.0,
        "purchases": 1,
        "transitions": 3,
        "skipped": 0,
        "records": 3,
    }
    assert run_json(capsys, "memory", "stats", str(path))["q_min"] == 1.0


def test_importing_a_log_twice_adds_nothing(capsys, transcript: Path, tmp_path: Path) -> None:
    path = tmp_path / "m.sqlite"
    call = ("import", "react", str(transcript), "--memory", str(path))
    run_json(capsys, *call)
    before = path.read_bytes()
    again = run_json(capsys, *call)
    assert (again["skipped"], again["records"]) == (1, 3)
    assert again["note"] == "1 of 1 episodes were known: skipped"
    assert main(list(call)) == 0
    assert "note: 1 of 1 episodes were known: skipped\n" in capsys.readouterr().out
    # From a file of another name it is the same log; with another outcome it is another one.
    renamed = tmp_path / "renamed.ipynb"
    renamed.write_text(transcript.read_text())
    assert run_json(capsys, *call[:2], str(renamed), *call[3:])["skipped"] == 1
    transcript.write_text(transcript.read_text().replace("1.0", "0.5"))
    assert main(list(call)) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert "episode 'react_0' of log.ipynb is known with other contents" in line
    assert path.read_bytes() == before
    assert run_json(capsys, "memory", "stats", str(path))["origin"]["name"] == "empty"


def test_importing_the_real_log_gives_the_published_figures(capsys, conformance_dir: Path) -> None:
    path = conformance_dir / "webshop_react" / "WebShop-first350.ipynb"
    if not path.exists():
        pytest.skip(f"no {path}")
    result = run_json(capsys, "import", "react", str(path))
    assert (result["episodes"], result["purchases"]) == (350, 323)
    assert result["mean_score"] == pytest.approx(0.63076, abs=5e-6)
    assert result["success_rate"] == pytest.approx(0.32857, abs=5e-6)
    assert result["transitions"] > result["records"] > 350


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        (["train", "--tasks", "9999"], 2, "no task 9999"),
        (["train", "--tasks", "abc"], 2, "abc"),
        (["train", "--agent", "oracle"], 2, "no agent is named 'oracle'"),
        (["evaluate", "--llm", "oracle"], 2, "no LLM is named 'oracle'"),
        (["evaluate", "--env", "moon"], 2, "moon"),
        (["train", "--gamma", "2"], 2, "gamma must be in [0, 1], got 2.0"),
        (["train", "--gamma", "x"], 2, "gamma must be in [0, 1], got 'x'"),
        (["train", "--seed", "x"], 2, "run.seeds must be 'N' or 'A:B' (half-open), at most"),
        (["train", "--seeds", "3:1"], 2, "got '3:1'"),
        (["train", "--seeds", "0:99999999999"], 2, "at most 100000 seeds, got '0:99999999999'"),
        (["train", "--seeds", "0:" + "9" * 5000], 2, "at most 100000 seeds, got '0:99999"),
        (["train", "--seed=-1"], 2, "got '-1'"),
        (["train", "--seeds", "0:2", "--memory", "m.sqlite"], 2, "one seed"),
        (["evaluate", "--memory", "absent.sqlite"], 1, "absent.sqlite: no such memory file"),
        (["memory", "stats", "absent.sqlite"], 1, "absent.sqlite: no such memory file"),
        (["import", "react", "absent.ipynb"], 1, "absent.ipynb"),
        (["bench", "magic"], 2, "no benchmark is named 'magic'"),
        (["run", "77"], 2, "no notebook starts with '77'"),
        (["run", "00", "-p", "nonsense=1"], 2, "has no parameter nonsense; it has"),
        (["run", "00", "-p", "n_epoch=1"], 2, "did you mean n_epochs?"),
        (["run", "00", "-p", "seed=[1"], 2, "parameter seed must be a whole number, got '[1'"),
        (["run", "00", "-p", "n_epochs=two"], 2, "n_epochs must be a whole number, got 'two'"),
        (["run", "00", "-p", "n_epochs=0"], 2, "n_epochs must be in [1, 1000], got 0"),
        (["run", "00", "-p", "env=moon"], 2, "env must be webshop or wikihow, got 'moon'"),
        (["run", "--n-seeds", "-1"], 2, "--n-seeds must be a whole number from 1 to 100000"),
        (["run", "00", "--jobs", "0"], 2, "--jobs must be a whole number from 1 to 1024, got 0"),
        (["compare", "--n-seeds", "99999999999"], 2, "--n-seeds must be a whole number from 1"),
        (["compare", "--n-seeds", "1", "--jobs", "0"], 2, "--jobs must be a whole number from 1"),
        (["compare", "--n-seeds", "1", "--jobs", "999999"], 2, "--jobs must be a whole number"),
        (["train", "--epochs", "99999999999"], 2, "n_epochs must be a whole number from 1 to"),
        (["train", "--epochs", "-1"], 2, "n_epochs must be a whole number from 1 to 1000000"),
        (["train", "--tasks", "0:99999999999"], 2, "no task 99999999998"),
        (["train", "--tasks", "0:" + "9" * 500], 2, "tasks should be"),
        (["bench", "loop", "--n", "-5"], 2, "--n must be a whole number from 1"),
        (["bench", "loop", "--seed", "-5"], 2, "--seed must be a whole number from 0"),
    ],
)
def test_errors_are_one_line(
    capsys, tmp_path: Path, monkeypatch, arguments: list[str], status: int, message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(arguments) == status
    captured = capsys.readouterr()
    assert captured.out == ""
    (line,) = captured.err.splitlines()
    assert line.startswith("rememberer-nb: ")
    assert message in line
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "arguments",
    [
        ["train", "--concurrency", "x"],
        ["run", "-p", "seed"],
        ["run", "-p", "=1"],
        [],
    ],
)
def test_wrong_calls_exit_with_2(capsys, arguments: list[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        main(arguments)
    assert stop.value.code == 2


def test_a_wrong_argument_is_repeated_on_one_line(capsys) -> None:
    with pytest.raises(SystemExit):
        main(["evaluate", "--moon=\nrememberer-nb: all is well\x1b[2J"])
    assert capsys.readouterr().err.endswith(
        "unrecognized arguments: --moon=\\nrememberer-nb: all is well\\u001b[2J\n"
    )


def test_a_file_that_is_no_memory_is_kept(capsys, tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("my notes, dear to me")
    assert main(["train", "--tasks", "500", "--memory", str(path)]) == 1
    assert "is not a memory file" in capsys.readouterr().err
    assert path.read_text() == "my notes, dear to me"


def test_a_notebook_without_transcripts(capsys, tmp_path: Path) -> None:
    path = tmp_path / "empty.ipynb"
    path.write_text('{"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 4}')
    assert main(["import", "react", str(path), "--memory", str(tmp_path / "m.sqlite")]) == 1
    assert "empty.ipynb" in capsys.readouterr().err
    assert not (tmp_path / "m.sqlite").exists()


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["run"],
        ["train"],
        ["evaluate"],
        ["import"],
        ["import", "react"],
        ["memory"],
        ["memory", "show"],
        ["memory", "stats"],
        ["bench"],
        ["compare"],
        ["config"],
        ["webshop", "index"],
    ],
)
def test_help(capsys, arguments: list[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        main([*arguments, "--help"])
    assert stop.value.code == 0
    assert "usage: rememberer-nb" in capsys.readouterr().out


def test_progress_goes_to_standard_error() -> None:
    call = [sys.executable, "-m", "rememberer_nb", "evaluate", "--tasks", "100:102", "--json"]
    done = subprocess.run(call, capture_output=True, text=True, check=True, timeout=60)
    assert json.loads(done.stdout)["n_episodes"] == 2
    assert "evaluate rememberer" in done.stderr
