"""Scores from llama.cpp: the same in one batch, one by one and by hand."""

from __future__ import annotations

import math
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from rememberer_nb.elements import TextScore
from rememberer_nb.errors import ConfigError, DataError, LLMError, LLMRequestError, LLMStopError
from rememberer_nb.llms.local import llama_scores
from rememberer_nb.llms.local.catalogue import MODELS
from rememberer_nb.llms.local.llama_model import N_SEQUENCES, LlamaModel
from rememberer_nb.llms.local.llama_scores import LlamaScores
from rememberer_nb.llms.local.scores import Scorer
from rememberer_nb.testing.tiny_model import write_tiny_model

PROMPT = "Instruction: search for red shoes.\nEncouraged:\n- press"
TEXTS = (" the menu", " search", " go back", " Buy Now!", " é★ and more of it", " x")


@pytest.fixture(scope="module")
def scorer(tiny_gpt2: Path) -> Iterator[LlamaScores]:
    with LlamaScores(tiny_gpt2, n_threads=1) as made:
        yield made


def near(scores: tuple[TextScore, ...]) -> tuple[TextScore, ...]:
    """Equal but for the rounding of float32."""
    return tuple(TextScore(pytest.approx(s.log_probability, abs=1e-4), s.n_tokens) for s in scores)


def fresh(path: Path, prompt: str, texts: tuple[str, ...]) -> tuple[TextScore, ...]:
    """Each text's score from a scorer that has seen nothing else."""
    found: list[TextScore] = []
    for text in texts:
        with LlamaScores(path, n_threads=1) as made:
            made._forget()
            found += made.score(prompt, [text])
    return tuple(found)


def read_rows(scorer: LlamaScores, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many rows each batch has, from now on."""
    sizes: list[int] = []
    decode = scorer._model.decode

    def counted(rows: list[tuple[int, int, int]], outputs: list[int]) -> None:
        sizes.append(len(rows))
        decode(rows, outputs)

    monkeypatch.setattr(scorer._model, "decode", counted)
    return sizes


def test_it_keeps_the_protocol(scorer: LlamaScores) -> None:
    assert isinstance(scorer, Scorer)
    assert scorer.n_context == 512


def test_together_as_one_by_one(scorer: LlamaScores, tiny_gpt2: Path) -> None:
    together = scorer.score(PROMPT, TEXTS)
    assert fresh(tiny_gpt2, PROMPT, TEXTS) == near(together)
    assert all(score.log_probability < 0 for score in together)
    assert len({score.log_probability for score in together}) == len(TEXTS)
    assert [score.n_tokens for score in together] == [len(scorer.tokenize(t)) for t in TEXTS]


def test_the_order_changes_nothing(scorer: LlamaScores) -> None:
    assert scorer.score(PROMPT, TEXTS[::-1])[::-1] == near(scorer.score(PROMPT, TEXTS))


def test_by_hand_from_the_logits(scorer: LlamaScores, tiny_gpt2: Path) -> None:
    text = " the menu"
    start, of = scorer.tokenize(PROMPT), scorer.tokenize(text)
    assert len(of) > 1
    model = LlamaModel(tiny_gpt2, 512, 1, 32)
    tokens = start + of
    model.decode([(token, at, 0) for at, token in enumerate(tokens)], range(len(tokens)))
    total = 0.0
    for at in range(len(start), len(tokens)):
        # What follows token at - 1, in its row.
        logits = model._llama.get_logits_ith(model._context, at - 1)[: model._n_vocabulary]
        total += math.log(math.exp(logits[tokens[at]]) / sum(map(math.exp, logits)))
    model.close()
    (score,) = scorer.score(PROMPT, [text])
    assert score == TextScore(pytest.approx(total, abs=1e-4), len(of))


def test_all_single_tokens_are_the_whole_probability(scorer: LlamaScores) -> None:
    letters = [chr(code) for code in range(33, 127)]
    scores = scorer.score(PROMPT, letters)
    assert {score.n_tokens for score in scores} == {1}
    total = sum(math.exp(score.log_probability) for score in scores)
    # The letters are some of the tokens, and a uniform model would give each of them this much.
    assert 0.1 * len(letters) / 1259 < total < 1


def test_what_two_prompts_share_is_read_once(
    scorer: LlamaScores, tiny_gpt2: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scorer.score(PROMPT, TEXTS)
    sizes = read_rows(scorer, monkeypatch)
    longer = PROMPT + " the\nDiscouraged:\n- press"
    n_more = len(scorer.tokenize(longer)) - len(scorer.tokenize(PROMPT))
    changed = scorer.score(longer, TEXTS)
    assert sizes[0] == n_more
    sizes.clear()
    again = scorer.score(longer, TEXTS)
    assert again == changed
    # Nothing but the candidates, without the last token of each.
    assert sizes == [sum(score.n_tokens - 1 for score in again)]
    shorter = PROMPT[: len(PROMPT) // 2]
    assert scorer.score(shorter, TEXTS) == near(fresh(tiny_gpt2, shorter, TEXTS))
    other = "Another start. " + PROMPT
    assert scorer.score(other, TEXTS) == near(fresh(tiny_gpt2, other, TEXTS))
    assert changed == near(fresh(tiny_gpt2, longer, TEXTS))


def test_more_candidates_than_sequences(
    scorer: LlamaScores, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes = read_rows(scorer, monkeypatch)
    texts = [f" {number} shoes" for number in range(100, 100 + 2 * N_SEQUENCES)]
    together = scorer.score(PROMPT, texts)
    # The prompt, then 63 candidates, 63, and 2; a piece has at most 256 rows.
    assert len(sizes) > 4 and max(sizes) <= 256
    for at in (0, N_SEQUENCES - 2, N_SEQUENCES - 1, 2 * N_SEQUENCES - 3, 2 * N_SEQUENCES - 1):
        assert scorer.score(PROMPT, [texts[at]]) == near((together[at],)), at


def test_candidates_that_do_not_fit_at_once(tiny_gpt2: Path) -> None:
    texts = [f" {word} and some more of these words here" for word in ("one", "two", "three")]
    with LlamaScores(tiny_gpt2, n_threads=1) as roomy:
        longest = max(len(roomy.tokenize(text)) for text in texts)
        n_prompt = len(roomy.tokenize(PROMPT))
        expected = roomy.score(PROMPT, texts)
    with LlamaScores(tiny_gpt2, n_context=n_prompt + longest, n_threads=1) as narrow:
        assert narrow.n_context == n_prompt + longest
        assert narrow.score(PROMPT, texts) == near(expected)
        with pytest.raises(LLMRequestError, match=f"more than the context's {n_prompt + longest}"):
            narrow.score(PROMPT + " x", texts)
        assert narrow.score(PROMPT, texts) == near(expected)


def test_a_prompt_of_several_batches(tmp_path: Path, tiny_gpt2: Path) -> None:
    # Here a text begins with a token of its own.
    path = write_tiny_model(tmp_path / "long.gguf", n_context=4096)
    long = "press it " * 700
    with LlamaScores(path, n_threads=1) as made:
        n_tokens = len(made.tokenize(long))
        assert 2048 < n_tokens < 4096 and made.tokenize(long)[0] == 1
        at_once = made.score(long, TEXTS)
        made.score(long[:3000], TEXTS)
        assert made.score(long, TEXTS) == near(at_once)


def test_nothing_to_choose_from(scorer: LlamaScores) -> None:
    assert scorer.score(PROMPT, []) == ()


@pytest.mark.parametrize(
    ("prompt", "texts", "match"),
    [
        ("", [" a"], "the prompt is empty"),
        (PROMPT, [" a", ""], "a candidate is empty"),
        (PROMPT, [" a", " b", " a"], "two candidates are equal"),
        (PROMPT * 50, [" a"], r"the prompt has \d+ tokens and .* more than the context's 512"),
        (PROMPT, ["word " * 600], r"the longest candidate \d+, more than the context's 512"),
    ],
)
def test_requests_that_are_refused(
    scorer: LlamaScores, prompt: str, texts: list[str], match: str
) -> None:
    before = scorer.score(PROMPT, TEXTS)
    with pytest.raises(LLMRequestError, match=match):
        scorer.score(prompt, texts)
    assert scorer.score(PROMPT, TEXTS) == before


def test_texts_of_all_kinds_have_tokens(scorer: LlamaScores) -> None:
    assert scorer.tokenize("<|im_start|>a<|im_end|>") == [1, *scorer.tokenize("a"), 2]
    # Half a surrogate pair is a "?", and a zero byte a token as any other.
    assert scorer.tokenize("\ud83d") == scorer.tokenize("?")
    assert len(scorer.tokenize("a\0b")) == 3
    assert scorer.tokenize("") == []
    assert len(scorer.tokenize("\u202e😀")) == 7
    assert all(math.isfinite(s.log_probability) for s in scorer.score("\0", ["\ud83d", "😀\n"]))


def test_what_is_written_is_the_likeliest_each_time(scorer: LlamaScores, tiny_gpt2: Path) -> None:
    model = LlamaModel(tiny_gpt2, 512, 1, 32)
    tokens, written = scorer.tokenize(PROMPT), b""
    for _ in range(6):
        model.forget_all()
        model.decode([(token, at, 0) for at, token in enumerate(tokens)], [len(tokens) - 1])
        tokens.append(int(model.log_probabilities(len(tokens) - 1).argmax()))
        written += model.piece(tokens[-1])
    model.close()
    text = written.decode("utf-8", "ignore")
    assert scorer.write(PROMPT, max_tokens=6) == text.split("\n")[0]
    assert scorer.write(PROMPT, stop=(), max_tokens=6) == text
    assert scorer.write(PROMPT, stop=(text[3:5],), max_tokens=6) == text[: text.index(text[3:5])]
    # And what was written is not taken for a part of the prompt.
    assert scorer.score(PROMPT, TEXTS) == near(fresh(tiny_gpt2, PROMPT, TEXTS))


def test_writing_ends_where_a_text_does(
    scorer: LlamaScores, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scorer._model, "is_end", lambda token: True)
    assert scorer.write(PROMPT) == ""
    monkeypatch.undo()
    assert scorer._model.is_end(2) and not scorer._model.is_end(20)


def test_a_letter_cut_off_in_its_middle_is_not_written(
    scorer: LlamaScores, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scorer._model, "piece", lambda token: "é".encode()[:1])
    assert scorer.write(PROMPT, max_tokens=1) == ""


def test_what_cannot_be_written(scorer: LlamaScores) -> None:
    with pytest.raises(LLMRequestError, match="what is to be written 600, more than"):
        scorer.write(PROMPT, max_tokens=600)
    with pytest.raises(ConfigError, match="a token at least"):
        scorer.write(PROMPT, max_tokens=0)


@pytest.mark.parametrize("n_before", [0, 1])
def test_after_an_interrupt_nothing_is_wrong(
    scorer: LlamaScores, monkeypatch: pytest.MonkeyPatch, n_before: int
) -> None:
    other = "Quite another one: " + PROMPT
    expected = scorer.score(other, TEXTS)
    scorer.score(PROMPT, TEXTS)
    decode, n_calls = scorer._model.decode, iter(range(10))

    def interrupted(rows: list[tuple[int, int, int]], outputs: list[int]) -> None:
        decode(rows, outputs)
        if next(n_calls) == n_before:
            raise KeyboardInterrupt

    monkeypatch.setattr(scorer._model, "decode", interrupted)
    with pytest.raises(KeyboardInterrupt):
        scorer.score(other, TEXTS)
    monkeypatch.undo()
    assert scorer.score(other, TEXTS) == near(expected)


def test_what_llama_cannot_compute_is_one_error(
    scorer: LlamaScores, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = scorer.score(PROMPT, TEXTS)
    monkeypatch.setattr(scorer._model._llama, "decode", lambda context, batch: 1)
    with pytest.raises(LLMError, match=r"tiny\.gguf: llama\.cpp cannot compute it \(status 1\)"):
        scorer.score("another prompt", TEXTS)
    monkeypatch.undo()
    assert scorer.score(PROMPT, TEXTS) == near(expected)


def test_asked_from_several_threads(scorer: LlamaScores) -> None:
    prompts = [PROMPT + f" number {i}" for i in range(4)]
    expected = [scorer.score(prompt, TEXTS) for prompt in prompts]
    found: dict[int, tuple[TextScore, ...]] = {}

    def ask(i: int) -> None:
        for _ in range(3):
            found[i] = scorer.score(prompts[i], TEXTS)

    threads = [threading.Thread(target=ask, args=(i,)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for i, scores in enumerate(expected):
        assert found[i] == near(scores)


def test_closed_is_closed(tiny_gpt2: Path) -> None:
    made = LlamaScores(tiny_gpt2, n_threads=1)
    made.close()
    made.close()
    for ask in (
        lambda: made.score("a", ["b"]),
        lambda: made.tokenize("a"),
        lambda: made.write("a"),
    ):
        with pytest.raises(LLMStopError, match=r"tiny\.gguf: the model is closed"):
            ask()


def test_it_says_nothing(tiny_gpt2: Path, tmp_path: Path, capfd: pytest.CaptureFixture) -> None:
    half = tmp_path / "half.gguf"
    half.write_bytes(tiny_gpt2.read_bytes()[:100_000])
    with LlamaScores(tiny_gpt2, n_threads=1) as made:
        made.score(PROMPT, TEXTS)
    with pytest.raises(DataError, match=r"half\.gguf: cannot be loaded by llama\.cpp: damaged"):
        LlamaScores(half)
    assert tuple(capfd.readouterr()) == ("", "")


@pytest.mark.parametrize(
    ("content", "error", "match"),
    [
        (None, ConfigError, "no model file"),
        (b"", DataError, "is not a GGUF file"),
        (b"PK\x03\x04", DataError, "is not a GGUF file"),
        (b"GGUF", DataError, "cannot be loaded by llama"),
    ],
)
def test_files_that_are_no_models(
    tmp_path: Path, content: bytes | None, error: type[Exception], match: str
) -> None:
    if content is not None:
        (tmp_path / "m.gguf").write_bytes(content)
    if content == b"GGUF":
        pytest.importorskip("xllamacpp", reason="needs the extra llama")
    with pytest.raises(error, match=match):
        LlamaScores(tmp_path / "m.gguf")


@pytest.mark.parametrize("wrong", [{"n_threads": 0}, {"n_context": 0}])
def test_less_than_one_of_anything(tiny_gpt2: Path, wrong: dict[str, int]) -> None:
    with pytest.raises(ConfigError, match=f"expected at least 1, .*{next(iter(wrong))}=0"):
        LlamaScores(tiny_gpt2, **wrong)


# The check at the start finds a library that does something else.


def test_sequences_that_share_nothing_are_found(
    tiny_gpt2: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(LlamaModel, "share", lambda self, sequence: None)
    with pytest.raises(ConfigError, match=r"together and one by one differ: .*backend numpy"):
        LlamaScores(tiny_gpt2, n_threads=1)


def test_numbers_that_are_none_are_found(tiny_gpt2: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = LlamaModel.log_probabilities
    monkeypatch.setattr(
        LlamaModel, "log_probabilities", lambda self, row: real(self, row) * math.nan
    )
    with pytest.raises(ConfigError, match="one by one differ: nan"):
        LlamaScores(tiny_gpt2, n_threads=1)
    monkeypatch.setattr(LlamaModel, "log_probabilities", lambda self, row: real(self, row) + 0.01)
    with pytest.raises(ConfigError, match=r"probabilities sum to 1\.010\d+, not 1"):
        LlamaScores(tiny_gpt2, n_threads=1)


def test_a_known_model_with_other_scores_is_found(
    tiny_gpt2: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = replace(MODELS["smollm2"], name="tiny", check_sum=-1.0)
    monkeypatch.setattr(llama_scores, "recognised", lambda path: known)
    with pytest.raises(ConfigError, match=r"tiny scores -\d+\.\d+, not -1\.0"):
        LlamaScores(tiny_gpt2, n_threads=1)


def test_fewer_rows_at_a_time_where_more_round_differently(
    tiny_gpt2: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried: list[int] = []
    real = LlamaModel.__init__

    def noted(self: LlamaModel, path: Path, n_context: int, n_threads: int, n_rows: int) -> None:
        tried.append(n_rows)
        real(self, path, n_context, n_threads, n_rows)

    monkeypatch.setattr(LlamaModel, "__init__", noted)
    problems = iter(["they differ", ""])
    monkeypatch.setattr(LlamaScores, "_check", lambda self: next(problems))
    with LlamaScores(tiny_gpt2, n_threads=1) as made:
        assert tried == [32, 6]
        assert made.score(PROMPT, TEXTS)


# The real model, where it is.


@pytest.fixture(scope="module")
def real(smollm2: Path) -> Iterator[LlamaScores]:
    with LlamaScores(smollm2, n_context=1024) as made:
        yield made


@pytest.mark.slow
def test_the_real_model_scores_a_text_alike_in_any_company(real: LlamaScores) -> None:
    texts = [f" How to {verb} a boat" for verb in ("build", "paint", "sail", "sink", "sell")]
    texts += [f" Step {number}" for number in range(70)]
    prompt = "Instruction: open the article about painting a boat.\nEncouraged:\n- press"
    together = real.score(prompt, texts)
    for at in (0, 1, 4, 5, 74):
        real.score("something else", [" x y z"])
        (alone,) = real.score(prompt, [texts[at]])
        assert alone.log_probability == pytest.approx(together[at].log_probability, abs=0.02)
    best = max(range(len(texts)), key=lambda at: together[at].log_probability)
    assert texts[best] == " How to paint a boat"


@pytest.mark.slow
def test_the_real_model_writes_on(real: LlamaScores) -> None:
    prompt = "<|im_start|>user\nSay the word yes.<|im_end|>\n<|im_start|>assistant\n"
    text = real.write(prompt, max_tokens=12)
    assert text and text == real.write(prompt, max_tokens=12)
    assert "\n" not in text and "<|im_end|>" not in text
    assert real.write("One, two, three, four,", max_tokens=2).strip().startswith("five")
