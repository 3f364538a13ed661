"""Recordings: every call once, the same replies again for nothing, and nothing secret."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from rememberer_nb.agents import PromptingAgent
from rememberer_nb.config import LLMConfig, OfflineConfig
from rememberer_nb.elements import Prompt, Reply, to_data
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
from rememberer_nb.rollout import evaluate
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
