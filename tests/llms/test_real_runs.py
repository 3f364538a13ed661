"""Whole runs from the command line against servers: recorded, replayed, stopped, and searched."""

from __future__ import annotations

import json
import logging
import signal
import subprocess
import sys
import time
from pathlib import Path

import nbformat
import pytest

from rememberer_nb.cli import main
from tests.llms.conftest import KEY, ROOT, FaultServer, refusal, reply

TEXT = ("--reply-format", "text")
REAL = ("--llm", "openai:stand-in", *TEXT)


def run(capsys: pytest.CaptureFixture[str], *arguments: str, status: int = 0) -> dict:
    assert main([*arguments, "--json"]) == status
    captured = capsys.readouterr()
    assert KEY not in captured.out + captured.err
    result = json.loads(captured.out)
    result.pop("timing")
    return result


def test_a_real_server_gives_what_the_stand_in_gives(capsys, stand_in: str) -> None:
    """The same replies over HTTP, one after the other or all at once."""
    call = ("evaluate", "--tasks", "100:106", "--seeds", "0:2")
    offline = run(capsys, *call)
    real = run(capsys, *call, *REAL)
    at_once = run(capsys, *call, *REAL, "--concurrency", "6")
    continued = run(capsys, *call, *REAL, "--channel", "completion")
    assert offline.pop("llm") == "offline"
    for result in (real, at_once, continued):
        assert result.pop("llm") == "openai:stand-in"
    for result in (offline, real, at_once, continued):
        # The server has no estimate of the prompt's tokens, and counts none.
        result.pop("prompt_tokens")
    assert real == at_once == continued == offline
    assert real["n_calls"] > 12
    assert real["llm_errors"] == {}


def test_record_then_replay(
    capsys, server: FaultServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Identical metrics and episodes, zero calls; failed calls and all."""
    said = {"action": "search[red shoes]", "value": 0.4, "rationale": "say it"}
    good = json.dumps({"encouraged": [said], "discouraged": []})
    bad = [reply(None), refusal(503), reply('{"act": 1}'), reply("go", finish_reason="length")]
    server.play(reply(good), *bad, reply(good))
    call = ("evaluate", "--tasks", "100:103", "--max-steps", "4", "--agent", "llm_only",
            "--input-price", "2", "--output-price", "8")  # fmt: skip
    path, outs = tmp_path / "calls.jsonl", [tmp_path / "one", tmp_path / "two"]
    options = ("--max-retries", "0", "--record", str(path))
    recorded = run(capsys, *call, "--llm", "openai:m", *options, "--out", str(outs[0]))
    n_calls = len(server.log)
    assert recorded["n_calls"] == n_calls > 6
    assert recorded["llm_errors"] == {
        "null_content": 1, "truncated": 1, "unavailable": 1, "wrong_schema": 1}  # fmt: skip
    # The server counts 100 + 10 tokens an answer; the 503 took none.
    n_paid = n_calls - 1
    tokens = (recorded["prompt_tokens"], recorded["completion_tokens"])
    assert tokens == (100 * n_paid, 10 * n_paid)
    assert recorded["money"] == pytest.approx((200 + 80) * n_paid / 1e6)
    monkeypatch.delenv("OPENAI_API_KEY")
    monkeypatch.delenv("OPENAI_BASE_URL")
    replayed = run(capsys, *call, "--llm", f"replay:{path}", "--out", str(outs[1]))
    assert len(server.log) == n_calls
    assert (recorded.pop("llm"), replayed.pop("llm")) == ("openai:m", f"replay:{path}")
    assert replayed == recorded
    episodes = [(out / "episodes.jsonl").read_bytes() for out in outs]
    assert episodes[0] == episodes[1]


def test_a_replay_that_misses_says_so(capsys, server: FaultServer, tmp_path: Path) -> None:
    path = str(tmp_path / "calls.jsonl")
    call = ("evaluate", "--max-steps", "2", "--agent", "llm_only")
    run(capsys, *call, "--tasks", "100", "--llm", "openai:m", "--record", path)
    assert main([*call, "--tasks", "101", "--llm", f"replay:{path}"]) == 1
    (line,) = capsys.readouterr().err.strip().splitlines()[-1:]
    assert line.startswith(f"rememberer-nb: {path}: this prompt is not among the 2 recorded calls")


def test_a_budget_stops_the_run_and_a_recording_lets_it_go_on(
    capsys, server: FaultServer, tmp_path: Path
) -> None:
    server.play(reply("click[search] -> 0.1 hm"))
    path = str(tmp_path / "calls.jsonl")
    call = ("evaluate", "--tasks", "100:105", "--max-steps", "3", "--agent", "llm_only",
            "--llm", "openai:m", *TEXT, "--record", path)  # fmt: skip
    first = run(capsys, *call, "--budget-calls", "8", status=1)
    assert len(server.log) == 8
    assert (first["n_episodes"], first["n_calls"]) == (2, 6)
    assert first["stopped"]["name"] == "budget"
    assert first["stopped"]["n_unfinished"] == 3
    assert "budget of 8 calls is used up" in first["stopped"]["why"]
    # Eight calls of the fifteen are in the recording.
    second = run(capsys, *call, "--budget-calls", "7")
    assert len(server.log) == 15
    assert (second["n_episodes"], second["n_calls"]) == (5, 15)
    assert "stopped" not in second


def test_a_refused_key_is_one_line(capsys, server: FaultServer) -> None:
    server.play(refusal(401, f"Incorrect API key provided: {KEY}"))
    assert main(["evaluate", "--tasks", "100:103", *REAL, "--json"]) == 1
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "the key in OPENAI_API_KEY is refused" in captured.err
    assert KEY not in captured.err
    assert len(server.log) == 1


def test_no_key(capsys, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    monkeypatch.delenv("OPENAI_BASE_URL", raising=False)
    assert main(["evaluate", "--tasks", "100", *REAL]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert "no API key: set OPENAI_API_KEY" in line


def test_the_estimate_comes_first_and_needs_no_key(capsys, monkeypatch, server) -> None:
    prices = ("--input-price", "2", "--output-price", "8")
    call = ("evaluate", "--tasks", "100:110", "--max-steps", "5", *REAL, *prices)
    assert main([*call]) == 0
    first, *_ = capsys.readouterr().err.splitlines()
    assert first.startswith("estimate: 10 episodes: about ")
    monkeypatch.delenv("OPENAI_API_KEY")
    server.play(reply("x"))
    found = run(capsys, *call, "--estimate")["estimate"]
    assert server.log == []
    assert (found["n_episodes"], found["max_calls"]) == (10, 50)
    assert found["max_prompt_tokens"] == 50 * 3700
    assert found["max_money"] == pytest.approx((50 * 3700 * 2 + 50 * 300 * 8) / 1e6)
    assert 10 <= found["n_calls"] <= 50
    assert 0 < found["money"] < found["max_money"]


def test_training_in_batches(capsys, stand_in: str) -> None:
    call = ("train", "--tasks", "500:504", "--epochs", "2", *REAL, "--batch-size", "4")
    one, four = run(capsys, *call), run(capsys, *call, "--concurrency", "4")
    assert one == four
    assert (one["n_episodes"], len(one["epochs"])) == (8, 2)
    assert main(["train", "--tasks", "500", *REAL, "--concurrency", "2"]) == 2
    assert "several slots need a batch_size" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--llm", "openai"), "no model is named"),
        (("--llm", "replay:absent.jsonl"), "absent.jsonl: cannot be read"),
        (("--llm", "openai:a", "--model", "b"), "two models are named"),
        (("--llm", "openai:a", "--budget-money", "1"), "None without prices, got 1.0"),
        (("--llm", "openai:a", "--concurrency", "0"), "a slot at least"),
        (("--llm", "replay:x", "--record", "y"), "another LLM, not of replay:x"),
        (("--llm", "openai:a", "--timeout", "-1"), "timeout_s must be above 0, got -1.0"),
    ],
)
def test_wrong_calls(capsys, server, tmp_path, monkeypatch, arguments, message) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["evaluate", "--tasks", "100", *arguments]) in (1, 2)
    assert message in capsys.readouterr().err.splitlines()[-1]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("n_slots", ["1", "8"])
def test_ctrl_c_in_the_command(server: FaultServer, tmp_path: Path, n_slots: str) -> None:
    """It ends at once, says how far it came, and the recording has every finished call."""
    quick, slow = reply("click[search] -> 0.1 hm"), {**reply("click[search]"), "delay_s": 60.0}
    server.play(*[quick] * 24, slow)
    path = tmp_path / "calls.jsonl"
    command = [
        sys.executable, "-m", "rememberer_nb", "evaluate", "--tasks", "100:120", "--max-steps",
        "3", "--agent", "llm_only", "--llm", "openai:m", *TEXT, "--record", str(path),
        "--concurrency", n_slots, "--json",
    ]  # fmt: skip
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True, cwd=ROOT) as process:
        try:
            while len(server.log) < 25:
                assert process.poll() is None, process.stderr.read()
                time.sleep(0.02)
            time.sleep(0.3)
            pressed = time.monotonic()
            process.send_signal(signal.SIGINT)
            out, err = process.communicate(timeout=20)
        finally:
            process.kill()
    assert time.monotonic() - pressed < 3.0
    assert process.returncode == 130, err
    assert "stopped before its end: interrupted" in err
    assert "Traceback" not in err
    result = json.loads(out)
    assert result["stopped"]["name"] == "interrupted"
    assert result["n_episodes"] + result["stopped"]["n_unfinished"] == 20
    assert 1 <= result["n_episodes"] <= 8
    assert len(path.read_text().splitlines()) == 1 + 24


def test_inside_a_running_event_loop(stand_in: str) -> None:
    """As in a notebook, whose kernel runs one."""
    import asyncio

    from rememberer_nb.config import LLMConfig
    from rememberer_nb.loop.build import Settings, build_agent, build_env, build_llm
    from rememberer_nb.loop.parallel import Slots
    from rememberer_nb.loop.training import Conduct, evaluate

    settings = Settings(llm="openai:m", llm_config=LLMConfig(reply_format="text"))
    env = build_env(settings)

    async def cell() -> int:
        llm = build_llm(env, settings)
        agent = build_agent("llm_only", env, settings, llm=llm)
        slots = Slots(4, lambda: build_env(settings))
        episodes = evaluate(env, agent, range(100, 106), conduct=Conduct(slots=slots))
        llm.close()
        return len(episodes)

    assert asyncio.run(cell()) == 6


NOTEBOOK = [
    "import logging; logging.basicConfig(level=logging.DEBUG)",
    "import rememberer_nb as rnb\n"
    "from rememberer_nb.loop.build import build_llm\n"
    "settings = rnb.Settings(llm='record:calls.jsonl:openai:m')\n"
    "env = rnb.build_env(settings)\n"
    "llm = build_llm(env, settings)\n"
    "agent = rnb.build_agent('llm_only', env, settings, llm=llm)\n"
    "episodes = rnb.evaluate(env, agent, [100])\n"
    "rnb.record_metrics(n_steps=len(episodes[0].steps))\n"
    "llm, llm.settings, episodes[0].steps[0].decision",
    "rnb.evaluate(env, agent, [101])",
]


def test_no_artefact_of_a_run_holds_the_key(
    capsys, caplog, server: FaultServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Metrics, episodes, recordings, logs, messages and notebooks of runs that echo the key."""
    from nbclient import NotebookClient
    from nbclient.exceptions import CellExecutionError

    monkeypatch.chdir(tmp_path)
    echo = reply(f"click[search] -> 0.1 my key is {KEY}")
    refused = refusal(401, f"Incorrect API key provided: {KEY}")
    server.play(
        refusal(503, f"busy, {KEY}"), refusal(400, f"odd, {KEY}"), echo, echo, echo, refused
    )
    with caplog.at_level(logging.DEBUG):
        status = main(
            ["evaluate", "--tasks", "100:103", "--max-steps", "2", "--llm", "openai:m", *TEXT,
             "--record", "run.jsonl", "--out", "out", "--json"]
        )  # fmt: skip
    captured = capsys.readouterr()
    assert status == 1
    assert json.loads(captured.out)["stopped"]["name"] == "auth"
    texts = [captured.out, captured.err, caplog.text]

    server.play(echo, *[reply("click[search]")] * 14, refused)
    cells = [nbformat.v4.new_code_cell(source) for source in NOTEBOOK]
    notebook = nbformat.v4.new_notebook(cells=cells)
    client = NotebookClient(notebook, kernel_name="python3", resources={"metadata": {"path": "."}})
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    with pytest.raises(CellExecutionError) as failure:
        client.execute()
    nbformat.write(notebook, tmp_path / "run.ipynb")
    texts.append(str(failure.value))

    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert {path.name for path in files} >= {
        "run.jsonl", "calls.jsonl", "episodes.jsonl", "metrics.json", "run.ipynb"}  # fmt: skip
    texts += [path.read_text() for path in files]
    assert "LLMAuthError" in (tmp_path / "run.ipynb").read_text()
    for text in texts:
        assert KEY not in text
        assert KEY[8:24] not in text
    assert "[hidden]" in (tmp_path / "out" / "episodes.jsonl").read_text()
