"""The fault matrix: what a server may do, and what becomes of the call and of the episode."""

from __future__ import annotations

import random
import socket
import threading
import time
import traceback
from collections.abc import Iterator
from concurrent.futures import CancelledError
from typing import Any

import pytest

from rememberer_nb.agents.prompting_agent import PromptingAgent
from rememberer_nb.config import LLMConfig, replace
from rememberer_nb.elements import Episode
from rememberer_nb.errors import LLMError, LLMOutageError, LLMStopError
from rememberer_nb.llms.endpoint.client import OpenAILLM
from rememberer_nb.loop.costs import llm_totals
from rememberer_nb.loop.episode import run_episode
from rememberer_nb.loop.training import Conduct, evaluate
from tests.llms.conftest import KEY, FaultServer, refusal, reply
from tests.toy import TOY, ToyEnv

FAST = LLMConfig(
    model="local",
    reply_format="text",
    timeout_s=2.0,
    deadline_s=4.0,
    max_retries=2,
    backoff_s=0.02,
    max_backoff_s=0.04,
    retry_after_cap_s=0.15,
)
GOOD = reply("go[on] -> 0.5 not there yet")
LATE = {**GOOD, "delay_s": 1.5}
SHORT = {"timeout_s": 0.3, "deadline_s": 1.2}
# What a busy machine may add.
SLACK_S = 0.7


def make(**changes: Any) -> OpenAILLM:
    return OpenAILLM(replace(FAST, **changes), rng=random.Random(0))


@pytest.fixture
def llms() -> Iterator[list[OpenAILLM]]:
    made: list[OpenAILLM] = []
    yield made
    for llm in made:
        llm.close()


def one_step(llm: OpenAILLM) -> tuple[Episode, float]:
    """An episode of one step, and how long it took."""
    started = time.monotonic()
    episode = run_episode(ToyEnv(max_steps=1), PromptingAgent("llm_only", llm, TOY), 0)
    return episode, time.monotonic() - started


# What the server does; changed settings; name of the error; requests made; time bounds in seconds,
# the upper one without `SLACK_S`.
MATRIX = {
    "429 with Retry-After": (
        [refusal(429, headers={"retry-after": "0.1"}), GOOD], {}, None, 2, (0.1, 0.2)),
    "429 with a long Retry-After, capped": (
        [refusal(429, headers={"retry-after": "90"}), GOOD], {}, None, 2, (0.15, 0.25)),
    "429 with Retry-After beyond the deadline": (
        [refusal(429, headers={"retry-after": "90"})],
        {"retry_after_cap_s": 90.0}, "unavailable", 1, (0.0, 0.1)),
    "429 without Retry-After": ([refusal(429), refusal(429), GOOD], {}, None, 3, (0.03, 0.2)),
    "429 for ever": ([refusal(429)], {}, "unavailable", 3, (0.03, 0.2)),
    "500": ([refusal(500), GOOD], {}, None, 2, (0.01, 0.1)),
    "500 for ever": ([refusal(500)], {}, "unavailable", 3, (0.03, 0.2)),
    "503": ([{"status": 503, "body": "<h1>busy</h1>"}, GOOD], {}, None, 2, (0.01, 0.1)),
    "503 for ever": ([{"status": 503, "body": "<h1>busy</h1>"}], {}, "unavailable", 3, (0.03, 0.2)),
    "reset mid-body": ([{**GOOD, "cut_after": 30}, GOOD], {}, None, 2, (0.01, 0.1)),
    "reset mid-body for ever": ([{**GOOD, "cut_after": 30}], {}, "unavailable", 3, (0.03, 0.2)),
    "slow reply, in time": ([{**GOOD, "pieces": 4, "delay_s": 0.05}], {}, None, 1, (0.2, 0.3)),
    "slow reply, a byte now and then": (
        [{**GOOD, "pieces": 60, "delay_s": 0.05}], SHORT, "timeout", 3, (0.9, 1.2)),
    "timeout, then a reply": ([LATE, GOOD], SHORT, None, 2, (0.3, 0.6)),
    "timeout for ever": ([LATE], SHORT, "timeout", 3, (0.9, 1.2)),
    "timeout until the deadline": (
        [LATE], {**SHORT, "max_retries": 50, "deadline_s": 0.8}, "timeout", 3, (0.6, 0.8)),
    "non-JSON 200": ([{"body": "<html>maintenance</html>"}], {}, "not_json", 1, (0.0, 0.1)),
    "empty choices": ([{"body": {"choices": []}}], {}, "empty_choices", 1, (0.0, 0.1)),
    "choices null": ([{"body": {"choices": None}}], {}, "empty_choices", 1, (0.0, 0.1)),
    "null content": ([reply(None)], {}, "null_content", 1, (0.0, 0.1)),
    "truncated": ([reply("go[", finish_reason="length")], {}, "truncated", 1, (0.0, 0.1)),
    "content filter": (
        [reply("", finish_reason="content_filter")], {}, "content_filter", 1, (0.0, 0.1)),
    "only reasoning": (
        [{"body": {"choices": [{"message": {"content": "", "reasoning_content": "hm"}}],
                   "usage": {"prompt_tokens": 100, "completion_tokens": 10}}}],
        {}, "only_reasoning", 1, (0.0, 0.1)),
    "a refusal in a list": (
        [reply(None, message={"content": None, "refusal": [{"text": "no"}]})],
        {}, "content_filter", 1, (0.0, 0.1)),
    "counts beyond measure": ([{"body": {**GOOD["body"], "usage": {
        "prompt_tokens": 10**400, "completion_tokens": -(10**9)}}}],
        {}, "wrong_usage", 1, (0.0, 0.1)),
    "deep JSON": ([{"body": "[" * 50_000}], {}, "not_json", 1, (0.0, 0.1)),
    "wrong schema": (
        [reply('{"answer": "go[on]"}')], {"reply_format": "auto"}, "wrong_schema", 1, (0.0, 0.1)),
    "400": ([refusal(400, "too long")], {}, "refused_request", 1, (0.0, 0.1)),
    "422": ([refusal(422, "too long")], {}, "refused_request", 1, (0.0, 0.1)),
    "an unavailable action": ([reply("fly[away]")], {}, "reply", 1, (0.0, 0.1)),
}  # fmt: skip


@pytest.mark.parametrize("case", MATRIX)
def test_the_fault_matrix(server: FaultServer, llms: list[OpenAILLM], case: str) -> None:
    answers, changes, name, n_requests, (low, high) = MATRIX[case]
    llms.append(llm := make(**changes))
    server.play(*answers)
    episode, seconds = one_step(llm)
    assert len(server.log) == llm.n_requests == n_requests
    assert low <= seconds <= high + SLACK_S
    # The episode is whole, and its one step accounted for.
    (step,) = episode.steps
    assert episode.truncated
    assert step.decision.error_name == name
    assert (step.decision.error is None) == (name is None)
    assert TOY.match(step.action, step.available_actions) == step.action
    if name is None:
        assert (step.action, step.decision.reply.text) == ("go[on]", GOOD["body"]["choices"][0][
            "message"]["content"])  # fmt: skip
    totals = llm_totals([episode])
    assert totals["n_calls"] == 1
    assert totals["llm_errors"] == ({} if name in (None, "reply") else {name: 1})
    assert episode.n_reply_errors == (name is not None)
    # What the server counted is paid for even when the reply is of no use.
    is_paid = name in (None, "null_content", "only_reasoning", "truncated", "content_filter",
                       "wrong_schema", "reply")  # fmt: skip
    if name == "wrong_usage":
        # Estimated, as where a server counts nothing.
        assert 0 < totals["prompt_tokens"] < 1000
        assert 0 < totals["completion_tokens"] < 100
    else:
        assert totals["prompt_tokens"] == (100 if is_paid else 0)


STOPS = {
    "401": ([refusal(401, f"Incorrect API key provided: {KEY}")], "auth", "OPENAI_API_KEY"),
    "403": ([refusal(403, "not in your country")], "auth", "not in your country"),
    "404": ([refusal(404, "The model `local` does not exist")], "endpoint", "no model 'local'"),
    "quota": ([refusal(429, "You exceeded", code="insufficient_quota")], "quota", "used up"),
    "quota by type": ([refusal(429, "You exceeded", type="insufficient_quota")], "quota", "quota"),
}


@pytest.mark.parametrize("case", STOPS)
def test_what_stops_a_run(server: FaultServer, llms: list[OpenAILLM], case: str) -> None:
    """One request, no fallback, and what was finished before is kept."""
    answers, name, complaint = STOPS[case]
    llms.append(llm := make())
    server.play(GOOD, *answers)
    kept: list[Episode] = []
    with pytest.raises(LLMStopError, match=complaint) as stop:
        agent = PromptingAgent("llm_only", llm, TOY)
        evaluate(ToyEnv(max_steps=1), agent, [0, 1, 2], conduct=Conduct(on_episode=kept.append))
    assert stop.value.name == name
    assert KEY not in str(stop.value)
    assert len(server.log) == 2
    assert [episode.task.number for episode in kept] == [0]


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def test_connection_refused(monkeypatch: pytest.MonkeyPatch, llms: list[OpenAILLM]) -> None:
    monkeypatch.setenv("OPENAI_BASE_URL", f"http://127.0.0.1:{free_port()}/v1")
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    llms.append(llm := make())
    episode, seconds = one_step(llm)
    assert (episode.steps[0].decision.error_name, llm.n_requests) == ("unavailable", 3)
    assert "after 3 tries" in episode.steps[0].decision.error
    assert seconds < SLACK_S


def test_an_outage_stops_the_run(server: FaultServer, llms: list[OpenAILLM]) -> None:
    llms.append(llm := make(max_failures=3, max_retries=0))
    server.play(refusal(503), refusal(503), GOOD, refusal(503))
    kept: list[Episode] = []
    with pytest.raises(LLMOutageError, match=r"3 calls in a row to 127.* failed; .* 503"):
        agent = PromptingAgent("llm_only", llm, TOY)
        evaluate(
            ToyEnv(max_steps=1), agent, list(range(4)) * 3, conduct=Conduct(on_episode=kept.append)
        )
    # Two failures, a reply that starts the count anew, three failures.
    assert [e.steps[0].decision.error_name for e in kept] == [
        "unavailable", "unavailable", None, "unavailable", "unavailable"]  # fmt: skip


def test_a_refused_request_ends_a_row_of_failures(
    server: FaultServer, llms: list[OpenAILLM]
) -> None:
    """The server is there, and answers."""
    llms.append(llm := make(max_failures=3, max_retries=0))
    server.play(refusal(503), refusal(503), refusal(400), refusal(503), refusal(503), GOOD)
    agent = PromptingAgent("llm_only", llm, TOY)
    episodes = evaluate(ToyEnv(max_steps=1), agent, [0, 1, 2, 3, 0, 1])
    assert [e.steps[0].decision.error_name for e in episodes] == [
        "unavailable", "unavailable", "refused_request", "unavailable", "unavailable", None,
    ]  # fmt: skip


@pytest.mark.parametrize("failed", [refusal(503), refusal(400)])
def test_failed_tries_give_their_tokens_back(
    server: FaultServer, llms: list[OpenAILLM], failed: dict[str, Any]
) -> None:
    """A try takes some 400 of 6000 tokens a minute: four seconds, if it kept them."""
    llms.append(llm := make(tokens_per_minute=6000.0, max_retries=0, deadline_s=30.0))
    server.play(failed, GOOD)
    assert one_step(llm)[0].steps[0].decision.error_name
    episode, seconds = one_step(llm)
    assert episode.steps[0].decision.error is None
    assert seconds < SLACK_S


def test_the_key_is_hidden_wherever_the_server_says_it(
    server: FaultServer, llms: list[OpenAILLM]
) -> None:
    llms.append(llm := make(max_retries=0))
    for answer in (
        refusal(500, f"cannot log in with {KEY}"),
        refusal(400, f"Bearer {KEY} is odd"),
        {"body": f"<html>{KEY}</html>"},
        reply(f"my key is {KEY}"),
    ):
        server.play(answer)
        episode, _ = one_step(llm)
        decision = episode.steps[0].decision
        assert KEY not in repr(decision)
        assert "[hidden]" in repr(decision)
    assert KEY not in repr(llm)


def test_interrupting_gives_up_what_is_under_way(
    server: FaultServer, llms: list[OpenAILLM]
) -> None:
    llms.append(llm := make(timeout_s=30.0, deadline_s=30.0))
    server.play({**GOOD, "delay_s": 20.0})
    threading.Timer(0.2, llm.interrupt).start()
    started = time.monotonic()
    with pytest.raises(CancelledError):
        one_step(llm)
    assert time.monotonic() - started < 1.0
    server.play(GOOD)
    assert one_step(llm)[0].steps[0].decision.error is None


def test_errors_have_no_context_with_the_key(server: FaultServer, llms: list[OpenAILLM]) -> None:
    """A traceback prints the errors that came before, too."""
    llms.append(llm := make())
    server.play(refusal(401, f"Incorrect API key provided: {KEY}"))
    try:
        one_step(llm)
    except LLMError as error:
        text = "".join(traceback.format_exception(error))
    assert "Incorrect API key provided: [hidden]" in text
    assert KEY not in text
