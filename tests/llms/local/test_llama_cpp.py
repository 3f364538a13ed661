"""A local model behind llama.cpp's own server: a real third-party server, asked through `openai`.

The model is tiny and its weights are random, so what is tested is the way there and back.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from rememberer_nb.config import LLMConfig, PromptConfig, RolloutConfig
from rememberer_nb.elements import Prompt, Situation, Task
from rememberer_nb.errors import (
    BudgetError,
    ConfigError,
    DataError,
    LLMRequestError,
    LLMResponseError,
    MissingExtraError,
)
from rememberer_nb.llms import ReplayLLM, close, make_llm
from rememberer_nb.llms.endpoint.client import OpenAILLM
from rememberer_nb.llms.local.catalogue import MODELS
from rememberer_nb.llms.local.llama_cpp import LlamaCppLLM
from rememberer_nb.llms.wrapped import scoring
from rememberer_nb.loop.build import Settings, build_agent, build_env
from rememberer_nb.loop.episode import run_episode
from rememberer_nb.loop.parallel import Slots
from rememberer_nb.loop.training import Conduct, evaluate, train
from rememberer_nb.prompting.prompts import build_prompt
from rememberer_nb.prompting.schema import REPLY_SCHEMA, constrained
from rememberer_nb.testing.tiny_model import write_tiny_model
from tests.toy import TOY

WARM = LLMConfig(temperature=1.0, max_tokens=500)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    for name in ("xllamacpp", "gguf"):
        pytest.importorskip(name, reason="needs the extra: pip install 'rememberer-nb[llama]'")
    return write_tiny_model(tmp_path_factory.mktemp("model") / "tiny.gguf")


@pytest.fixture(scope="module")
def llm(model: Path) -> Iterator[LlamaCppLLM]:
    made = LlamaCppLLM(model, WARM, n_context=16384)
    yield made
    made.close()


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")


@pytest.mark.parametrize(
    ("agent", "env", "form"),
    [
        ("rememberer", "webshop", "advice"),
        ("rememberer", "wikihow", "advice"),
        ("rememberer", "webshop", "action"),
        ("react", "webshop", "advice"),
        ("retrieval_only", "wikihow", "advice"),
    ],
)
def test_a_whole_episode_with_constrained_actions(
    llm: LlamaCppLLM, agent: str, env: str, form: str
) -> None:
    settings = Settings(env=env, prompt=PromptConfig(reply_form=form))
    world = build_env(settings)
    episode = run_episode(world, build_agent(agent, world, settings, llm=llm), 120)
    assert episode.terminated or len(episode.steps) == 15
    for step in episode.steps:
        # Not one reply of a model that knows nothing is unusable: the grammar sees to that.
        assert step.decision.error is None
        found = json.loads(step.decision.reply.text)
        assert set(found) == set(step.decision.prompt.reply_schema["required"])
        encouraged = found.get("encouraged", [found])
        said = [world.unwrapped.profile.match(e["action"], step.available_actions)
                for e in encouraged + found.get("discouraged", [])]  # fmt: skip
        assert None not in said
        assert step.action in said[: len(encouraged)]
        if "encouraged" in found:
            values = {advice.value for advice in step.decision.predicted_encouraged}
            assert len(values) <= len(encouraged) <= 2
        assert step.decision.reply.prompt_tokens > 100
        assert step.decision.reply.completion_tokens > 5
    assert len({step.action for step in episode.steps}) > 1


def test_reflexion_reflects_on_it(llm: LlamaCppLLM) -> None:
    settings = Settings(rollout=RolloutConfig(max_steps=2, n_epochs=1))
    world = build_env(settings)
    agent = build_agent("reflexion", world, settings, llm=llm)
    (episode,) = train(world, agent, [500], config=settings.rollout)
    (call,) = episode.metadata["calls"]
    assert call["error"] in (None, "truncated")
    assert call["completion_tokens"] > 5


def about(actions: tuple[str, ...], form: str = "advice") -> Prompt:
    now = Situation(Task("0", "a task"), "a page", actions)
    return build_prompt(TOY, now, config=PromptConfig(reply_form=form))


def chosen_in(text: str) -> list[str]:
    """The actions of a reply in either form."""
    found = json.loads(text)
    lists = found.get("encouraged", [found]) + found.get("discouraged", [])
    return [advice["action"] for advice in lists]


def test_replies_depend_on_the_seed_alone(llm: LlamaCppLLM) -> None:
    actions = ("go[on]", "go[back]", "say[<words>]")
    prompt = constrained(about(actions), actions, TOY)
    texts = [llm.complete(prompt, seed=seed).text for seed in (1, 2, 3, 1)]
    assert texts[0] == texts[3]
    assert len(set(texts)) == 3


@pytest.mark.parametrize(
    "actions",
    [
        ('click[a "quoted" b]', "click[back\\slash]", "click[é ü ★]", "click[it's {1} (2) ^$ .*]"),
        ("say [x] (<words>) + $5.00?",),
        ("INPUT(12, <words>)", "GOBACK"),
    ],
)
@pytest.mark.parametrize("form", ["advice", "action"])
def test_whatever_the_actions_look_like(
    llm: LlamaCppLLM, actions: tuple[str, ...], form: str
) -> None:
    prompt = constrained(about(actions, form), actions, TOY)
    for seed in range(4):
        for chosen in chosen_in(llm.complete(prompt, seed=seed).text):
            is_filled = any(_is_filled(chosen, action) for action in actions)
            assert chosen in actions or is_filled, chosen


def _is_filled(chosen: str, action: str) -> bool:
    before, found, after = action.partition("<words>")
    is_longer = len(chosen) > len(before) + len(after)
    return bool(found) and is_longer and chosen.startswith(before) and chosen.endswith(after)


def test_several_at_once_give_the_same(llm: LlamaCppLLM) -> None:
    settings = Settings(rollout=RolloutConfig(max_steps=3))
    world = build_env(settings)
    agent = build_agent("rememberer", world, settings, llm=llm)
    tasks = [120, 121, 122]
    alone = evaluate(world, agent, tasks)
    together = evaluate(
        world, agent, tasks, conduct=Conduct(slots=Slots(3, lambda: build_env(settings)))
    )
    actions = [[step.action for step in episode.steps] for episode in (*alone, *together)]
    assert actions[:3] == actions[3:]


def test_its_server_has_schemas_and_says_how_many_tokens(llm: LlamaCppLLM) -> None:
    assert llm.inner._features.has_schema is True
    assert llm.inner._features.left_out == set()
    prompt = Prompt((("user", "hello"),), "hello", 2, reply_schema=REPLY_SCHEMA)
    short = LLMConfig(model="tiny.gguf", max_tokens=4)
    client = OpenAILLM(short, endpoint=llm.server.endpoint)
    try:
        with pytest.raises(LLMResponseError) as caught:
            client.complete(prompt)
    finally:
        client.close()
    assert caught.value.name == "truncated"
    assert caught.value.reply.completion_tokens == 4


def test_a_prompt_beyond_the_context_is_refused_and_the_next_one_served(model: Path) -> None:
    llm = LlamaCppLLM(model, WARM, n_context=1024)
    short = constrained(about(("go[on]",)), ("go[on]",), TOY)
    try:
        with pytest.raises(LLMRequestError, match="context"):
            llm.complete(Prompt((("user", "word " * 2000),), "", 0))
        assert set(chosen_in(llm.complete(short).text)) == {"go[on]"}
    finally:
        llm.close()


def test_by_name_recorded_and_replayed_without_the_model(model: Path, tmp_path: Path) -> None:
    path = tmp_path / "calls.jsonl"
    settings = Settings(
        llm=f"record:{path}:llama.cpp:{model}",
        llm_config=WARM,
        rollout=RolloutConfig(max_steps=3),
    )
    world = build_env(settings)
    agent = build_agent("rememberer", world, settings)
    episode = run_episode(world, agent, 130)
    close(agent.llm)
    assert str(model.parent) not in path.read_text()
    again = build_agent("rememberer", world, settings, llm=ReplayLLM(path))
    assert again.is_constrained
    replayed = run_episode(world, again, 130)
    assert [s.decision.reply for s in replayed.steps] == [s.decision.reply for s in episode.steps]


def test_a_budget_holds_for_it(model: Path) -> None:
    llm = make_llm(f"llama.cpp:{model}", profile="webshop", config=LLMConfig(budget_calls=1))
    prompt = constrained(about(("go[on]",)), ("go[on]",), TOY)
    try:
        llm.complete(prompt)
        with pytest.raises(BudgetError):
            llm.complete(prompt)
    finally:
        close(llm)


# What is wrong is said before anything is loaded, so these need neither package.


@pytest.mark.parametrize(
    ("content", "error", "match"),
    [
        (None, ConfigError, "no model file .*expected llama.cpp:FILE.gguf"),
        (b"", DataError, "is not a GGUF file"),
        (b"PK\x03\x04 something else", DataError, "is not a GGUF file"),
    ],
)
def test_files_that_are_no_models(
    tmp_path: Path, content: bytes | None, error: type[Exception], match: str
) -> None:
    path = tmp_path / "m.gguf"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(error, match=match):
        make_llm(f"llama.cpp:{path}", profile="webshop")


def test_no_file_or_another_model(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"expected llama\.cpp:FILE"):
        make_llm("llama.cpp", profile="webshop")
    with pytest.raises(ConfigError, match="is its file, not 'gpt'"):
        make_llm("llama.cpp:a.gguf", profile="webshop", config=LLMConfig(model="gpt"))


def test_without_the_package_the_extra_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "m.gguf").write_bytes(b"GGUF")
    monkeypatch.setitem(sys.modules, "xllamacpp", None)
    llm = make_llm(f"llama.cpp:{tmp_path / 'm.gguf'}", profile="webshop")
    with pytest.raises(MissingExtraError, match=r"pip install 'rememberer-nb\[llama\]'"):
        llm.complete(about(("go[on]",)))


def test_a_damaged_model_is_refused(model: Path, tmp_path: Path) -> None:
    path = tmp_path / "half.gguf"
    path.write_bytes(model.read_bytes()[:20_000])
    llm = make_llm(f"llama.cpp:{path}", profile="webshop")
    with pytest.raises(DataError, match=r"cannot be loaded by llama\.cpp"):
        llm.complete(about(("go[on]",)))
    with pytest.raises(DataError):
        scoring(llm).score(about(("go[on]",)), [" go[on]"])


def test_a_model_of_the_catalogue_goes_by_name_and_hash(model: Path) -> None:
    llm = LlamaCppLLM(model, known=MODELS["smollm2"])
    try:
        assert llm.name == llm.settings["llm"] == "smollm2"
        assert llm.settings["sha256"] == MODELS["smollm2"].sha256
        assert str(model.parent) not in json.dumps(llm.settings)
    finally:
        llm.close()


@pytest.mark.parametrize("name", sorted(MODELS))
def test_a_model_that_is_not_fetched_says_how(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv("REMEMBERER_MODELS", str(tmp_path))
    with pytest.raises(ConfigError, match=f"fetch it with `rememberer-nb model get {name}"):
        make_llm(name, profile="webshop")
    with pytest.raises(ConfigError, match=r"no backend is named 'x'; known: numpy, llama\.cpp"):
        make_llm(f"{name}:x", profile="webshop")


@pytest.mark.slow
def test_the_real_small_model_replies_by_its_name(smollm2: Path) -> None:
    llm = make_llm("smollm2", profile="webshop", config=LLMConfig(max_tokens=60))
    try:
        actions = ("go[on]", "go[back]")
        now = Situation(Task("0", "a task"), "a page", actions)
        asked = build_prompt(TOY, now, config=PromptConfig(reply_form="action"))
        reply = llm.complete(constrained(asked, actions, TOY))
        assert json.loads(reply.text)["action"] in actions
    finally:
        close(llm)
