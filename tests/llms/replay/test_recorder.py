"""Recordings: every call once, the same replies again for nothing, and nothing secret."""

from __future__ import annotations

import bz2
import dataclasses
import json
import os
import resource
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from rememberer_nb.agents.prompting_agent import PromptingAgent
from rememberer_nb.config import LLMConfig, OfflineConfig
from rememberer_nb.elements import Prompt, Reply
from rememberer_nb.errors import (
    BudgetError,
    ConfigError,
    DataError,
    LLMError,
    LLMResponseError,
    LLMTimeoutError,
    ReplayError,
)
from rememberer_nb.llms import OfflineLLM, RecordingLLM, ReplayLLM, make_llm
from rememberer_nb.llms.replay.recording import request_of
from rememberer_nb.loop.training import evaluate
from rememberer_nb.system.plain import to_data
from tests.llms.conftest import ROOT
from tests.toy import TOY, ScriptedLLM, ToyEnv, opens_the_right_door

SCHEMA = {"type": "object", "properties": {"action": {"type": "string"}}}


def prompt(text: str = "hello", system: str = "be kind", schema: dict | None = SCHEMA) -> Prompt:
    return Prompt((("system", system), ("user", text)), text, 3, reply_schema=schema)


class Counting:
    """Answers with the number of the call; fails where told to."""

    def __init__(self, name: str = "counting", failures: dict[int, LLMError] | None = None):
        self.name = name
        self.failures = failures or {}
        self.n = 0

    def complete(self, prompt: Prompt, *, seed: int = 0) -> Reply:
        self.n += 1
        if self.n in self.failures:
            raise self.failures[self.n]
        return Reply(f"reply {self.n} é\n", 11, 2, 0.125 * self.n, "model")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "below" / "calls.jsonl"


def test_what_was_recorded_comes_back(path: Path) -> None:
    llm = RecordingLLM(Counting(), path)
    asked = [(prompt("a"), 1), (prompt("b"), 1), (prompt("a"), 2)]
    replies = [llm.complete(p, seed=seed) for p, seed in asked]
    again = ReplayLLM(path)
    assert [again.complete(p, seed=seed) for p, seed in asked] == replies
    assert [reply.text for reply in replies] == [f"reply {n} é\n" for n in (1, 2, 3)]


def test_every_call_is_stored_once(path: Path) -> None:
    inner = Counting()
    llm = RecordingLLM(inner, path)
    assert llm.complete(prompt(), seed=1) == llm.complete(prompt(), seed=1)
    assert inner.n == 1
    head, call = map(json.loads, path.read_text().splitlines())
    assert head == {
        "format": "rememberer_nb recording", "version": 1, "settings": {"llm": "counting"},
    }  # fmt: skip
    assert call["request"] == {
        "settings": {"llm": "counting"},
        "messages": [["system", "be kind"], ["user", "hello"]],
        "reply_schema": SCHEMA,
        "seed": 1,
    }
    assert call["reply"] == {"text": "reply 1 é\n", "model": "model"}
    assert call["usage"] == {"prompt_tokens": 11, "completion_tokens": 2}
    assert (call["latency_s"], call["error"]) == (0.125, None)


def test_a_run_goes_on_where_the_file_ends(path: Path) -> None:
    RecordingLLM(Counting(), path).complete(prompt("a"))
    inner = Counting()
    llm = RecordingLLM(inner, path)
    assert llm.complete(prompt("a")).text == "reply 1 é\n"
    assert inner.n == 0
    llm.complete(prompt("b"))
    assert inner.n == 1


def test_a_line_that_was_cut_off_is_asked_again(path: Path) -> None:
    llm = RecordingLLM(Counting(), path)
    llm.complete(prompt("a")), llm.complete(prompt("b"))
    path.write_bytes(path.read_bytes()[:-9])
    inner = Counting()
    llm = RecordingLLM(inner, path)
    llm.complete(prompt("a")), llm.complete(prompt("b"))
    assert inner.n == 1
    assert len(ReplayLLM(path)._recording.calls) == 2
    assert len(path.read_text().splitlines()) == 3


@pytest.mark.parametrize(
    "changed",
    [
        {"text": "hullo"},
        {"system": "be curt"},
        {"schema": None},
        {"schema": {"type": "object"}},
    ],
)
def test_the_whole_request_is_the_key(path: Path, changed: dict) -> None:
    RecordingLLM(Counting(), path).complete(prompt(), seed=1)
    with pytest.raises(ReplayError, match=str(path)):
        ReplayLLM(path).complete(prompt(**changed), seed=1)


@pytest.mark.parametrize(
    ("other", "seed", "hint"),
    [
        (prompt(), 2, "not with the call seed 2"),
        (prompt(schema=None), 1, "another reply schema"),
        (prompt(system="be curt"), 1, "another introduction"),
        (prompt("other"), 1, "not among the 1 recorded calls"),
    ],
)
def test_a_miss_says_what_comes_nearest(path: Path, other: Prompt, seed: int, hint: str) -> None:
    RecordingLLM(Counting(), path).complete(prompt(), seed=1)
    with pytest.raises(ReplayError, match=hint):
        ReplayLLM(path).complete(other, seed=seed)


def test_the_channel_is_in_the_key_only_if_it_is_no_chat(path: Path) -> None:
    assert "channel" not in request_of({}, prompt(), 1)
    text = dataclasses.replace(prompt(), channel="completion")
    assert request_of({}, text, 1) == {**request_of({}, prompt(), 1), "channel": "completion"}
    RecordingLLM(Counting(), path).complete(text, seed=1)
    assert ReplayLLM(path).complete(text, seed=1).text == "reply 1 é\n"
    with pytest.raises(ReplayError, match="by another channel"):
        ReplayLLM(path).complete(prompt(), seed=1)


def test_failures_are_replayed_and_tried_again(path: Path) -> None:
    cut = LLMResponseError("cut off", name="truncated", reply=Reply("go[", 11, 50, 0.5, "m"))
    late = LLMTimeoutError("too late")
    llm = RecordingLLM(Counting(failures={1: cut, 2: late}), path)
    for text, error in (("a", cut), ("b", late)):
        with pytest.raises(type(error)):
            llm.complete(prompt(text))
        with pytest.raises(type(error)) as caught:
            ReplayLLM(path).complete(prompt(text))
        assert (str(caught.value), caught.value.name) == (str(error), error.name)
        assert caught.value.reply == error.reply
    # In another run they are asked again, and the answer takes the failure's place.
    assert llm.complete(prompt("a")).text == "reply 3 é\n"
    assert ReplayLLM(path).complete(prompt("a")).text == "reply 3 é\n"


def test_what_stops_a_run_is_not_kept(path: Path) -> None:
    llm = RecordingLLM(Counting(failures={1: BudgetError("used up")}), path)
    with pytest.raises(BudgetError):
        llm.complete(prompt())
    assert len(path.read_text().splitlines()) == 1


def test_other_settings_need_another_file(path: Path) -> None:
    RecordingLLM(Counting(), path).complete(prompt())
    with pytest.raises(DataError, match=r"other settings \(llm\): take another file"):
        RecordingLLM(Counting("another"), path)


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        ("", "line 1: is not a JSON object"),
        ("nonsense\n", "line 1: is not a JSON object"),
        ("{}\n", "is no recording"),
        ('{"format": "rememberer_nb recording", "version": 9, "settings": {}}\n', "version 9"),
        ('{"format": "rememberer_nb recording", "version": 1, "settings": {}}\n{}\n', "line 2"),
        ('{"format": "rememberer_nb recording", "version": 1, "settings": {}}\n3\n', "line 2"),
    ],
)
def test_files_that_are_no_recording(tmp_path: Path, content: str, complaint: str) -> None:
    path = tmp_path / "calls.jsonl"
    path.write_text(content)
    with pytest.raises(DataError, match=complaint):
        ReplayLLM(path)


HEAD = '{"format": "rememberer_nb recording", "version": 1, "settings": {"llm": "m"}}'
CALL: dict[str, Any] = {
    "key": "k",
    "request": {"settings": {}, "messages": [["user", "hi"]], "reply_schema": None, "seed": 1},
    "reply": {"text": "go", "model": "m"},
    "usage": {"prompt_tokens": 1, "completion_tokens": 1},
    "latency_s": 0.5,
    "error": None,
}


def changed(place: str, value: Any) -> str:
    """The call as a line, with another value at a place, or without it if that is `...`."""
    data = json.loads(json.dumps(CALL))
    *names, last = place.split(".")
    inner = data
    for name in names:
        inner = inner[name]
    if value is ...:
        del inner[last]
    else:
        inner[last] = value
    return json.dumps(data)


@pytest.mark.parametrize(
    ("place", "value", "complaint"),
    [
        ("key", 3, "line 2: key: expected a text, got 3"),
        ("key", ..., "line 2: key: lacks key: expected a text"),
        ("request", [], r"line 2: request: expected an object, got \[\]"),
        ("request.messages", ..., "line 2: request.messages: lacks request.messages"),
        ("request.messages", [["user"]], "line 2: request.messages: expected a list of"),
        ("request.messages", "hi", "line 2: request.messages: expected a list of"),
        ("request.seed", "1", "line 2: request.seed: expected a whole number, got '1'"),
        ("reply", {"text": {"a": 1}, "model": "m"}, "line 2: reply.text: expected a text"),
        ("reply", "go", "line 2: reply: expected an object or null, got 'go'"),
        ("reply", None, "line 2: reply: expected a reply, or an error, got None"),
        ("reply.model", ..., "line 2: reply.model: lacks reply.model"),
        ("usage", None, "line 2: usage.prompt_tokens: lacks usage.prompt_tokens"),
        ("usage.prompt_tokens", "7", "line 2: usage.prompt_tokens: expected a whole number from 0"),
        ("usage.prompt_tokens", 10**400, "line 2: usage.prompt_tokens: .*, got 1000"),
        ("usage.completion_tokens", -1, "line 2: usage.completion_tokens: .*, got -1"),
        ("usage.completion_tokens", True, "line 2: usage.completion_tokens: .*, got True"),
        ("latency_s", float("nan"), "line 2: latency_s: expected seconds, at least 0, got nan"),
        ("latency_s", float("inf"), "line 2: latency_s: .*, got inf"),
        ("error", {"name": 3, "message": "no"}, "line 2: error.name: expected a text, got 3"),
        ("error", {"name": "timeout"}, "line 2: error.message: lacks error.message"),
    ],
)
def test_values_that_are_wrong(tmp_path: Path, place: str, value: Any, complaint: str) -> None:
    path = tmp_path / "calls.jsonl"
    path.write_text(f"{HEAD}\n{json.dumps(CALL)}\n")
    assert len(ReplayLLM(path)._recording.calls) == 1
    path.write_text(f"{HEAD}\n{changed(place, value)}\n")
    with pytest.raises(DataError, match=rf"calls\.jsonl: {complaint}"):
        ReplayLLM(path)


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (f"{HEAD}\n{'[' * 100_000}\n".encode(), "line 2: is nested too deep"),
        (("[" * 100_000 + "\n").encode(), "line 1: is nested too deep"),
        (HEAD.encode() + b"\n{\xff}\n", "line 2: is not UTF-8"),
        (HEAD.encode("utf-16") + b"\n", "line 1: is not UTF-8"),
        (bz2.compress(f"{HEAD}\n[]\n".encode()), "is compressed|line 2: is not a JSON"),
        (bz2.compress(f"{HEAD}\n".encode())[:-4], "is compressed|is no whole bzip2 file"),
    ],
)
def test_contents_that_are_wrong(tmp_path: Path, content: bytes, complaint: str) -> None:
    path = tmp_path / "calls.jsonl"
    path.write_bytes(content)
    for make in (ReplayLLM, lambda path: RecordingLLM(Counting("m"), path)):
        with pytest.raises(DataError, match=complaint):
            make(path)
    assert path.read_bytes() == content


@pytest.mark.parametrize("kind", ["fifo", "loop", "folder", "device"])
def test_what_is_no_file(tmp_path: Path, kind: str) -> None:
    """None of it keeps us waiting, or is written to."""
    path = tmp_path / "calls.jsonl"
    {
        "fifo": lambda: os.mkfifo(path),
        "loop": lambda: path.symlink_to(path),
        "folder": path.mkdir,
        "device": lambda: path.symlink_to("/dev/zero"),
    }[kind]()
    complaint = {"loop": "symbolic links", "folder": "Is a directory"}.get(kind, "not a pipe")
    for make in (ReplayLLM, lambda path: RecordingLLM(Counting(), path)):
        with pytest.raises(DataError, match=rf"calls\.jsonl: cannot be .*{complaint}"):
            make(path)


def test_a_name_that_is_none() -> None:
    for make in (ReplayLLM, lambda path: RecordingLLM(Counting(), path)):
        with pytest.raises(DataError, match=r"cannot be .*null"):
            make("calls\0.jsonl")


def test_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"absent.jsonl: cannot be read: No such file"):
        make_llm(f"replay:{tmp_path}/absent.jsonl", profile=TOY)


def test_threads_record_whole_lines(path: Path) -> None:
    llm = RecordingLLM(Counting(), path)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda n: llm.complete(prompt(str(n % 50))), range(200)))
    again = ReplayLLM(path)
    for n in range(50):
        assert again.complete(prompt(str(n))) == llm.complete(prompt(str(n)))


def test_half_characters_are_kept(path: Path) -> None:
    llm = RecordingLLM(ScriptedLLM(["\ud800 and \u2028"]), path)
    odd = prompt("\udfff?")
    assert llm.complete(odd) == ReplayLLM(path).complete(odd)


def test_specs(tmp_path: Path) -> None:
    path = tmp_path / "calls.jsonl"
    llm = make_llm(
        f"record:{path}:offline:able", profile="webshop", config=LLMConfig(budget_calls=3)
    )
    assert llm.name == f"record:{path}:offline:able"
    # What is in the file costs nothing, so the budget is within the recorder.
    assert llm.inner.budget.config.budget_calls == 3
    assert make_llm(f"replay:{path}", profile="webshop").settings == llm.settings
    for spec in ("record", "record:file", "replay"):
        with pytest.raises(ConfigError, match="expected re"):
            make_llm(spec, profile="webshop")


def test_a_recording_of_the_stand_in_is_not_taken_for_one_with_other_settings(path: Path) -> None:
    RecordingLLM(OfflineLLM("webshop"), path)
    RecordingLLM(OfflineLLM("webshop"), path)
    for other, name in (
        (OfflineLLM("webshop", OfflineConfig(temperature=0.5)), "temperature"),
        (OfflineLLM("webshop", OfflineConfig(malformed_rate=0.5)), "malformed_rate"),
        (OfflineLLM("webshop", full_mark=3.0), "full_mark"),
    ):
        with pytest.raises(DataError, match=rf"recorded with other settings \({name}\)"):
            RecordingLLM(other, path)


def test_a_replayed_evaluation_is_identical(path: Path) -> None:
    scripted = ScriptedLLM(opens_the_right_door)
    recorded = PromptingAgent("llm_only", RecordingLLM(scripted, path), TOY)
    one = evaluate(ToyEnv(), recorded, range(4))
    n_calls = len(scripted.prompts)
    replayed = PromptingAgent("llm_only", ReplayLLM(path), TOY)
    two = evaluate(ToyEnv(), replayed, range(4))
    assert to_data(one) == to_data(two)
    assert len(scripted.prompts) == n_calls == sum(len(e.steps) for e in one)


class FullDisk:
    """Lets files grow up to a number of bytes, as a full disk does."""

    def __init__(self, n_bytes: int):
        self.n_bytes = n_bytes
        self.before = resource.getrlimit(resource.RLIMIT_FSIZE)

    def __enter__(self) -> None:
        self.handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (self.n_bytes, self.before[1]))

    def __exit__(self, *_: object) -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, self.before)
        signal.signal(signal.SIGXFSZ, self.handler)


def test_what_could_not_be_written_is_not_kept(path: Path) -> None:
    inner = Counting()
    llm = RecordingLLM(inner, path)
    llm.complete(prompt("a"))
    whole = path.read_bytes()
    # Room for half of the next line.
    with FullDisk(len(whole) + 50), pytest.raises(DataError, match="cannot be written: File too"):
        llm.complete(prompt("b"))
    assert path.read_bytes() == whole
    assert llm.complete(prompt("b")).text == "reply 3 é\n"
    assert [llm.complete(prompt(text)).text[:7] for text in "ab"] == ["reply 1", "reply 3"]
    assert len(ReplayLLM(path)._recording.calls) == 2


@pytest.mark.parametrize("n_bytes", [0, 1, 40])
def test_a_first_line_that_was_cut_off_is_begun_anew(path: Path, n_bytes: int) -> None:
    RecordingLLM(Counting(), path).close()
    path.write_bytes(path.read_bytes()[:n_bytes])
    llm = RecordingLLM(Counting(), path)
    llm.complete(prompt("a"))
    assert len(ReplayLLM(path)._recording.calls) == 1


def test_another_beginning_is_not_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("my notes")
    with pytest.raises(DataError, match="line 1: is not a JSON object"):
        RecordingLLM(Counting(), path)
    assert path.read_text() == "my notes"


_WRITER = """
import sys
from tests.llms.replay.test_recorder import Counting, prompt
from rememberer_nb.llms import RecordingLLM
llm = RecordingLLM(Counting(), sys.argv[1])
llm.complete(prompt("theirs"))
print("written", flush=True)
sys.stdin.read()
"""


def test_one_process_writes(path: Path) -> None:
    command = [sys.executable, "-c", _WRITER, str(path)]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True, cwd=ROOT) as process:
        try:
            assert process.stdout.readline() == "written\n"
            before = path.read_bytes()
            with pytest.raises(DataError, match="another process is recording to it"):
                RecordingLLM(Counting(), path)
            assert path.read_bytes() == before
            # Who only reads may.
            assert ReplayLLM(path).complete(prompt("theirs")).text == "reply 1 é\n"
        finally:
            process.kill()
    # It was killed, which gives the file free at once.
    llm = RecordingLLM(Counting(), path)
    assert llm.complete(prompt("theirs")).text == "reply 1 é\n"
    llm.close()
    assert [file.name for file in path.parent.iterdir()] == ["calls.jsonl"]


def test_recorders_of_one_process_share_the_file(path: Path) -> None:
    one, two = RecordingLLM(first := Counting(), path), RecordingLLM(second := Counting(), path)
    assert one.complete(prompt("a")) == two.complete(prompt("a"))
    one.close()
    two.complete(prompt("b"))
    assert (first.n, second.n) == (1, 1)
    # Closed, it opens the file again.
    assert one.complete(prompt("b")).text == "reply 1 é\n"
    assert len(ReplayLLM(path)._recording.calls) == 2
    with pytest.raises(DataError, match="other settings"):
        RecordingLLM(Counting("another"), path)


def test_a_file_that_was_changed_meanwhile_is_not_written_over(path: Path) -> None:
    llm = RecordingLLM(Counting(), path)
    llm.complete(prompt("a"))
    path.write_bytes(changed_by_hand := path.read_bytes() + b"\n")
    with pytest.raises(DataError, match="was changed since"):
        llm.complete(prompt("b"))
    assert path.read_bytes() == changed_by_hand


def test_the_process_may_go_elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    llm = RecordingLLM(Counting(), "calls.jsonl")
    (tmp_path / "below").mkdir()
    monkeypatch.chdir(tmp_path / "below")
    llm.complete(prompt("a"))
    llm.close()
    assert len(ReplayLLM(tmp_path / "calls.jsonl")._recording.calls) == 1
    assert {file.name for file in tmp_path.iterdir()} == {"calls.jsonl", "below"}
