"""What is sent to a server, and what is found out of it."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from rememberer_nb.agents.baselines import FixedExemplars
from rememberer_nb.agents.prompting_agent import PromptingAgent
from rememberer_nb.config import LLMConfig, PromptConfig
from rememberer_nb.elements import Advice, Episode, Exemplar, Situation, Task
from rememberer_nb.errors import ConfigError, LLMAuthError
from rememberer_nb.llms import make_llm
from rememberer_nb.llms.endpoint.client import OpenAILLM
from rememberer_nb.llms.endpoint.features import LISTS_HINT, SCHEMA_HINT
from rememberer_nb.loop.episode import run_episode
from rememberer_nb.prompting.prompts import build_prompt
from rememberer_nb.prompting.schema import ADVICE_SCHEMA, REPLY_SCHEMA
from rememberer_nb.testing.local_server import completion
from tests.llms.conftest import KEY, ROOT, FaultServer, refusal, reply
from tests.toy import TOY, ToyEnv

TEXT = reply("go[on] -> 0.5 on")
ADVISED = {"action": "go[on]", "value": 0.5, "rationale": "on"}
JSON = reply(json.dumps({"encouraged": [ADVISED], "discouraged": []}))
PROMPT = build_prompt(TOY, Situation(Task("0", "open the red door"), "a hall", ("go[on]",)))


@pytest.fixture
def make() -> Iterator[Callable[..., OpenAILLM]]:
    made = []

    def make_one(**settings: Any) -> OpenAILLM:
        made.append(OpenAILLM(LLMConfig(**{"model": "local", "max_retries": 0, **settings})))
        return made[-1]

    yield make_one
    for llm in made:
        llm.close()


def steps(llm: OpenAILLM, n: int, **prompt: str) -> Episode:
    agent = PromptingAgent("llm_only", llm, TOY, prompt=PromptConfig(**prompt))
    return run_episode(ToyEnv(max_steps=n), agent, 0)


def test_the_whole_request(server: FaultServer, make) -> None:
    llm = make(temperature=0.3, max_tokens=50, stop=("END",), reply_format="text")
    found = llm.complete(PROMPT, seed=7)
    assert (found.text, found.prompt_tokens, found.completion_tokens) == (
        "go[on] -> 0.5 on", 100, 10)  # fmt: skip
    assert found.model == "local"
    assert 0 < found.latency_s < 1
    (request,) = server.log
    assert request["path"] == "/v1/chat/completions"
    assert request["headers"]["authorization"] == f"bearer {KEY.lower()}"
    assert request["body"] == {
        "model": "local",
        "messages": [{"role": r, "content": text} for r, text in PROMPT.messages],
        "temperature": 0.3,
        "max_tokens": 50,
        "stop": ["END"],
        "seed": 7,
    }


@pytest.mark.parametrize(("seed", "sent"), [("call", 7), (3, 3), (None, None)])
def test_the_seed(server: FaultServer, make, seed: Any, sent: int | None) -> None:
    make(seed=seed).complete(PROMPT, seed=7)
    assert server.log[0]["body"].get("seed") == sent


def test_a_server_with_schemas(server: FaultServer, make) -> None:
    server.play(JSON)
    llm = make()
    episode = steps(llm, 3)
    assert [step.action for step in episode.steps] == ["go[on]"] * 3
    assert [step.decision.rationale for step in episode.steps] == ["on"] * 3
    for request in server.log:
        form = request["body"]["response_format"]
        assert form["json_schema"]["schema"] == ADVICE_SCHEMA
        assert request["body"]["messages"][0]["content"].endswith(LISTS_HINT)
    # Known to have schemas: from now on anything else is an error.
    server.play(TEXT)
    assert steps(llm, 1).steps[0].decision.error_name == "wrong_schema"


def test_the_form_of_one_line_has_its_own_schema(server: FaultServer, make) -> None:
    server.play(reply(json.dumps(ADVISED)))
    episode = steps(make(), 2, reply_form="action")
    assert episode.n_reply_errors == 0
    for request in server.log:
        form = request["body"]["response_format"]
        assert form["json_schema"]["schema"] == REPLY_SCHEMA
        assert request["body"]["messages"][0]["content"].endswith(SCHEMA_HINT)


def test_lists_that_are_none(server: FaultServer, make) -> None:
    server.play(reply('{"encouraged": "go[on]", "discouraged": []}'))
    (step,) = steps(make(), 1).steps
    assert step.decision.error_name == "wrong_schema"
    assert "wrong type of encouraged" in step.decision.error


def continued(text: str, **changes: Any) -> dict[str, Any]:
    return {"body": completion(text, is_chat=False, **changes)}


def test_a_text_to_be_continued(server: FaultServer, make) -> None:
    server.play(continued("\n- go[on] -> 0.5 on\nDiscouraged:\n- go[back] -> 0.1 no"))
    (step,) = steps(make(stop=("END",)), 1, channel="completion").steps
    assert (step.action, step.decision.rationale) == ("go[on]", "on")
    assert [advice.value for advice in step.decision.predicted_encouraged] == [0.5]
    (request,) = server.log
    assert request["path"] == "/v1/completions"
    body = request["body"]
    assert body["prompt"] == step.decision.prompt.text
    assert body["prompt"].endswith("\nEncouraged:")
    assert body["stop"] == ["END", "\n## "]
    assert body.keys().isdisjoint({"messages", "response_format"})


def test_a_text_that_goes_on_to_the_limit_is_read(server: FaultServer, make) -> None:
    names = []
    for answer in (
        continued("\n- go[on] -> 0.5\nDiscouraged:\n- go[ba", finish_reason="length"),
        continued("", finish_reason="length"),
        continued(None),
    ):
        server.play(answer)
        names.append(steps(make(), 1, channel="completion").steps[0].decision.error_name)
    assert names == [None, "truncated", "null_content"]


def test_exemplars_as_turns(server: FaultServer, make) -> None:
    server.play(TEXT)
    shown = Exemplar(0, "open a door", "a hall", (), (Advice("go[on]", 0.5, "fits"),))
    agent = PromptingAgent(
        "fixed", make(reply_format="text"), TOY, FixedExemplars([shown]),
        prompt=PromptConfig(channel="chat_turns"),
    )  # fmt: skip
    run_episode(ToyEnv(max_steps=1), agent, 0)
    (request,) = server.log
    assert request["path"] == "/v1/chat/completions"
    messages = request["body"]["messages"]
    assert [message["role"] for message in messages] == ["system", "user", "assistant", "user"]
    assert messages[1]["content"] == "Task: open a door\nPage:\n| a hall"
    assert messages[2]["content"] == "Encouraged:\n- go[on] -> 0.50 fits"


@pytest.mark.parametrize("status", [400, 422])
def test_a_server_that_refuses_schemas(server: FaultServer, make, status: int) -> None:
    server.play(refusal(status, "response_format: not supported"), TEXT)
    llm = make()
    episode = steps(llm, 3)
    assert episode.n_reply_errors == 0
    has_schema = ["response_format" in request["body"] for request in server.log]
    assert has_schema == [True, False, False, False]
    assert LISTS_HINT not in server.log[1]["body"]["messages"][0]["content"]


def test_a_server_that_passes_over_schemas(server: FaultServer, make) -> None:
    episode = steps(make(), 3)
    assert episode.n_reply_errors == 0
    assert ["response_format" in r["body"] for r in server.log] == [True, False, False]


def test_a_refusal_for_another_reason_is_not_blamed_on_the_schema(
    server: FaultServer, make
) -> None:
    too_long = refusal(400, "maximum context length is 4096 tokens")
    server.play(too_long, too_long, JSON)
    episode = steps(make(), 2)
    assert [s.decision.error_name for s in episode.steps] == ["refused_request", None]
    assert ["response_format" in r["body"] for r in server.log] == [True, False, True]


def test_forced_schema_never_falls_back(server: FaultServer, make) -> None:
    server.play(refusal(400, "response_format is not supported"))
    assert steps(make(reply_format="schema"), 1).steps[0].decision.error_name == "refused_request"
    assert len(server.log) == 1
    server.play(TEXT)
    assert steps(make(reply_format="schema"), 1).steps[0].decision.error_name == "wrong_schema"


def test_parameters_that_a_model_does_not_take(server: FaultServer, make) -> None:
    server.play(
        refusal(400, "Unsupported parameter: 'max_tokens' is not supported with this model. "
                "Use 'max_completion_tokens' instead.", param="max_tokens"),
        refusal(400, "Unsupported value: 'temperature' does not support 0", param="temperature"),
        refusal(422, "Extra inputs are not permitted: seed"),
        TEXT,
    )  # fmt: skip
    llm = make(reply_format="text")
    assert steps(llm, 2).n_reply_errors == 0
    assert len(server.log) == 5
    assert sorted(server.log[-1]["body"]) == ["max_completion_tokens", "messages", "model"]
    assert server.log[-1]["body"]["max_completion_tokens"] == 300


def test_servers_that_count_nothing_are_estimated(server: FaultServer, make) -> None:
    server.play({"body": {"choices": [{"message": {"content": "go[on]"}}]}})
    found = make().complete(PROMPT)
    assert (found.prompt_tokens, found.completion_tokens, found.model) == (
        PROMPT.n_tokens, 2, "local")  # fmt: skip


def test_text_in_parts(server: FaultServer, make) -> None:
    parts = [{"type": "text", "text": "go"}, {"type": "text", "text": "[on]"}]
    server.play({"body": {"choices": [{"message": {"content": parts}}]}})
    assert make().complete(PROMPT).text == "go[on]"


def test_limits_per_minute_space_the_requests(server: FaultServer, make) -> None:
    llm = make(requests_per_minute=600, reply_format="text")
    started = time.monotonic()
    for _ in range(4):
        llm.complete(PROMPT)
    assert 0.3 <= time.monotonic() - started < 1.5


def test_specs(server: FaultServer) -> None:
    llm = make_llm("openai:a:b", profile=TOY)
    assert llm.name == "openai:a:b"
    assert llm.settings["model"] == "a:b"
    llm.close()
    for spec, config, complaint in (
        ("openai", LLMConfig(), "no model is named"),
        ("openai:a", LLMConfig(model="b"), "two models are named"),
    ):
        with pytest.raises(ConfigError, match=complaint):
            make_llm(spec, profile=TOY, config=config)


def test_without_a_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    monkeypatch.delenv("OPENAI_BASE_URL", raising=False)
    with pytest.raises(LLMAuthError, match=r"set OPENAI_API_KEY .* or OPENAI_BASE_URL"):
        make_llm("openai:gpt", profile=TOY)


def test_the_client_is_imported_when_it_is_needed() -> None:
    code = (
        "import sys, json, rememberer_nb.llms as llms\n"
        "from rememberer_nb.envs.webshop.profile import WEBSHOP\n"
        "before = 'openai' in sys.modules\n"
        "llms.make_llm('openai:m', profile=WEBSHOP)\n"
        "print(json.dumps([before, 'openai' in sys.modules]))"
    )
    environment = {"OPENAI_BASE_URL": "http://localhost:1/v1", "PATH": ""}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment,
        cwd=ROOT,
    )  # fmt: skip
    assert json.loads(done.stdout) == [False, True]
