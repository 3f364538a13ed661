"""A local model as an LLM: what it reads, what it says, and who may ask."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from rememberer_nb.config import LLMConfig
from rememberer_nb.elements import Prompt, TextScore
from rememberer_nb.errors import ConfigError, DataError, LLMResponseError
from rememberer_nb.llms.local.catalogue import find_model
from rememberer_nb.llms.local.model import BACKENDS, LocalLLM
from rememberer_nb.llms.local.numpy_lm import NumpyLM
from rememberer_nb.llms.protocol import ScoringLLM
from rememberer_nb.llms.wrapped import scoring, settings_of, token_counter
from tests.llms.local.gguf_writer import changed

TEMPLATE = (
    "{% for message in messages %}\n"
    "<|im_start|>{{ message['role'] }}\n"
    "{{ message['content'] }}<|im_end|>\n"
    "{% endfor %}\n"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
TEXT = "Instruction: go on.\nEncouraged:\n-"
COMPLETION = Prompt((("user", "not this"),), TEXT, 12, channel="completion")
CHAT = Prompt((("system", "Be brief."), ("user", "Go on?")), "not this", 7, channel="chat")
TEXTS = (" the menu", " go back", " x")


@pytest.fixture(scope="module")
def chatty(tiny_gpt2: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny model, with a chat template."""
    pytest.importorskip("tokenizers", reason="needs the extra: pip install 'rememberer-nb[llama]'")
    path = tmp_path_factory.mktemp("chatty") / "chatty.gguf"
    return changed(tiny_gpt2, path, {"tokenizer.chat_template": TEMPLATE})


@pytest.fixture(params=BACKENDS)
def llm(request: pytest.FixtureRequest, chatty: Path) -> Iterator[LocalLLM]:
    made = LocalLLM("chatty", chatty, backend=request.param, n_threads=1)
    yield made
    made.close()


def near(scores: tuple[TextScore, ...]) -> tuple[TextScore, ...]:
    """Equal but for what two backends differ by."""
    return tuple(TextScore(pytest.approx(s.log_probability, abs=0.05), s.n_tokens) for s in scores)


def test_it_scores(llm: LocalLLM, chatty: Path) -> None:
    assert isinstance(llm, ScoringLLM)
    assert scoring(llm) is llm
    assert llm.score(COMPLETION, TEXTS) == near(NumpyLM(chatty).score(TEXT, TEXTS))


def test_a_completion_is_read_as_it_is(llm: LocalLLM) -> None:
    assert llm.context(COMPLETION) == TEXT


def test_a_chat_is_put_into_the_models_own_form(llm: LocalLLM, chatty: Path) -> None:
    asked = (
        "<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\nGo on?<|im_end|>\n"
        "<|im_start|>assistant\n"
    )
    assert llm.context(CHAT) == asked
    assert llm.score(CHAT, TEXTS) == near(NumpyLM(chatty).score(asked, TEXTS))


def test_turns_and_an_answer_that_goes_on(llm: LocalLLM) -> None:
    turns = (("user", "One?"), ("assistant", "Two."), ("user", "Three?"), ("assistant", "- "))
    assert llm.context(Prompt(turns, "", 0, channel="chat_turns")) == (
        "<|im_start|>user\nOne?<|im_end|>\n<|im_start|>assistant\nTwo.<|im_end|>\n"
        "<|im_start|>user\nThree?<|im_end|>\n<|im_start|>assistant\n- "
    )


def test_markup_in_a_message_stays_as_it_is(llm: LocalLLM) -> None:
    asked = llm.context(Prompt((("user", "{{ 1 + 1 }} <b> & {% if %}"),), "", 0))
    assert "{{ 1 + 1 }} <b> & {% if %}<|im_end|>" in asked


@pytest.mark.parametrize(
    ("template", "match"),
    [
        (None, "has no chat template: a base model continues texts, --channel completion"),
        ("{% for %}", "has a chat template that cannot be filled in"),
        ("{{ raise_exception('no') }}", "cannot be filled in: 'raise_exception' is undefined"),
        ("{{ messages.append(1) }}", "cannot be filled in: .*unsafe"),
    ],
)
def test_templates_that_cannot_be_used(
    chatty: Path, tmp_path: Path, template: str | None, match: str
) -> None:
    path = changed(chatty, tmp_path / "m.gguf", {"tokenizer.chat_template": template})
    llm = LocalLLM("m", path)
    with pytest.raises(DataError, match=match) as caught:
        llm.score(CHAT, TEXTS)
    assert str(caught.value).startswith(str(path))
    assert len(llm.score(COMPLETION, TEXTS)) == 3


def test_it_writes(llm: LocalLLM, chatty: Path) -> None:
    reply = llm.write(COMPLETION, stop=(), max_tokens=6)
    assert reply.text == NumpyLM(chatty).write(TEXT, stop=(), max_tokens=6)
    assert (reply.prompt_tokens, reply.model) == (12, "chatty")
    assert reply.completion_tokens == llm.count_tokens(reply.text)
    nothing = llm.write(COMPLETION, stop=(reply.text[0],))
    assert (nothing.text, nothing.completion_tokens) == ("", 0)


def test_it_replies_through_the_server(llm: LocalLLM, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    llm.config = LLMConfig(max_tokens=5, reply_format="text")
    before = llm.score(COMPLETION, TEXTS)
    for _ in range(2):
        try:
            reply = llm.complete(COMPLETION, seed=1)
        except LLMResponseError as error:
            # Random weights find no end: the reply was cut off.
            reply = error.reply
        assert reply is not None
        assert (reply.model, reply.completion_tokens) == (llm.path.name, 5)
        # Both stay loaded, and neither minds the other.
        assert llm.score(COMPLETION, TEXTS) == near(before)
    llm.interrupt()


def test_tokens_are_the_models_own(llm: LocalLLM, chatty: Path) -> None:
    count = token_counter(llm)
    assert count is not None
    assert count("Instruction: é") == len(NumpyLM(chatty).tokenize("Instruction: é"))
    assert count("") == 0


def test_closed_and_used_again(llm: LocalLLM) -> None:
    before = llm.score(COMPLETION, TEXTS)
    llm.close()
    llm.close()
    assert llm.score(COMPLETION, TEXTS) == near(before)


def test_nothing_is_loaded_before_it_is_needed(tmp_path: Path) -> None:
    for name in ("xllamacpp", "gguf", "tokenizers"):
        pytest.importorskip(name, reason="needs the extra: pip install 'rememberer-nb[llama]'")
    path = tmp_path / "empty.gguf"
    path.write_bytes(b"GGUF")
    for backend in BACKENDS:
        llm = LocalLLM("empty", path, backend=backend)
        assert llm.context(COMPLETION) == TEXT
        llm.interrupt()
        llm.close()
        with pytest.raises(DataError, match=r"empty\.gguf: (is cut off|cannot be loaded)"):
            llm.score(COMPLETION, TEXTS)


def test_files_that_are_no_models(tmp_path: Path, chatty: Path) -> None:
    with pytest.raises(ConfigError, match=r"no model file '.*gone\.gguf'"):
        LocalLLM("gone", tmp_path / "gone.gguf")
    with pytest.raises(DataError, match="is not a GGUF file"):
        LocalLLM("this", __file__)
    with pytest.raises(ConfigError, match="the model of chatty is its file, not 'other'"):
        LocalLLM("chatty", chatty, config=LLMConfig(model="other"))


def test_asked_from_several_threads(llm: LocalLLM) -> None:
    prompts = [Prompt((), f"{TEXT} {i}", 0, channel="completion") for i in range(4)]
    expected = [llm.score(prompt, TEXTS) for prompt in prompts]
    found: dict[int, list[tuple[TextScore, ...]]] = {i: [] for i in range(4)}

    def ask(i: int) -> None:
        for _ in range(3):
            found[i].append(llm.score(prompts[i], TEXTS))

    threads = [threading.Thread(target=ask, args=(i,)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for i, scores in enumerate(expected):
        assert found[i] == [near(scores)] * 3


def test_settings_are_all_that_a_reply_depends_on(chatty: Path, tmp_path: Path) -> None:
    config = LLMConfig(temperature=0.5, max_tokens=9, stop=("x",), reply_format="text")
    llm = LocalLLM("chatty", chatty, config=config, n_threads=2)
    assert settings_of(llm) == {
        "llm": "llama.cpp:chatty.gguf",
        "model": "chatty.gguf",
        "backend": "numpy",
        "temperature": 0.5,
        "max_tokens": 9,
        "seed": "call",
        "reply_format": "text",
        "stop": ["x"],
        "constrain_actions": False,
    }
    # Not where the file lies, nor how many threads there are.
    elsewhere = shutil.copy(chatty, tmp_path / "chatty.gguf")
    assert LocalLLM("other", elsewhere, config=config).settings == llm.settings
    assert LocalLLM("chatty", chatty).settings["constrain_actions"] is True


def test_a_known_model_goes_by_its_name_and_hash(chatty: Path) -> None:
    settings = LocalLLM("smollm2", chatty, known=find_model("smollm2")).settings
    assert settings["llm"] == "smollm2"
    assert settings["sha256"] == find_model("smollm2").sha256


def test_backends_that_there_are_not(chatty: Path) -> None:
    with pytest.raises(ConfigError, match=r"no backend is named 'torch'; known: numpy, llama\.cpp"):
        LocalLLM("chatty", chatty, backend="torch")
