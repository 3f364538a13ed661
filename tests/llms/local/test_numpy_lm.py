"""The model in NumPy: by hand, against itself, and against llama.cpp."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from threadpoolctl import threadpool_info

from rememberer_nb.elements import Prompt, StepRandom, TextScore
from rememberer_nb.errors import ConfigError, LLMRequestError
from rememberer_nb.llms.local.llama_scores import LlamaScores
from rememberer_nb.llms.local.model import LocalLLM
from rememberer_nb.llms.local.numpy_lm import (
    NumpyLM,
    attention,
    log_softmax_rows,
    norm,
    rotated,
    softmax_rows,
    swiglu,
    tree_mask,
)
from rememberer_nb.llms.local.scores import Scorer
from rememberer_nb.testing.bench.local import likelihood_agent, situations
from tests.llms.local.gguf_writer import changed

pytest.importorskip("tokenizers", reason="needs the extra: pip install 'rememberer-nb[llama]'")

Pair = tuple[tuple[TextScore, ...], tuple[TextScore, ...]]
PROMPT = "Instruction: search for red shoes.\nEncouraged:\n- press"
TEXTS = (" the menu", " the", " the men", " go back", " Buy Now!", " é★ and more of it", " x")
UGLY = (
    "", " ", "   two  and   three   ", "\n\n \n", "a\tb\r\nc", "2023 is 7 * 289", "١٢٣ ²½",
    "Größe naïve façade", "日本語のテスト", "😀👩\u200d👩 \u202e", "don't WE'LL I'm they'RE",
    "\ud83d half", "<|im_start|>user\nhi<|im_end|>\n", "<|im_start |> <|endoftext|><|endoftext|>",
    "<b>&amp;\\n</b>", "a\0b", "e\u0301 \u00a0\u3000\u200b", "x" * 300, "$1,234.56 (20% off!)",
    "\ufffd\uffff",
)  # fmt: skip


@pytest.fixture(scope="module")
def lm(tiny_gpt2: Path) -> NumpyLM:
    return NumpyLM(tiny_gpt2)


def near(scores: tuple[TextScore, ...], off: float = 1e-4) -> tuple[TextScore, ...]:
    """Equal but for rounding."""
    return tuple(TextScore(pytest.approx(s.log_probability, abs=off), s.n_tokens) for s in scores)


# The parts, by hand.


def test_norm_by_hand() -> None:
    # The mean of 9 and 16 and 0 and 0 is 6.25, its root 2.5.
    found = norm(np.array([[3.0, 4.0, 0.0, 0.0]]), np.array([1.0, 2.0, 3.0, 4.0]), 0.0)
    assert found.tolist() == [[1.2, 3.2, 0.0, 0.0]]
    # 0 stays 0: epsilon alone is below the root.
    assert norm(np.zeros((1, 2)), np.ones(2), 1e-5).tolist() == [[0.0, 0.0]]
    assert norm(np.array([[3.0, 1.0]]), np.ones(2), 4.0)[0] == pytest.approx([1.0, 1 / 3])


def test_a_pair_is_turned_by_its_angle() -> None:
    x = np.array([[[2.0, 0.0, 0.0, 3.0]]])
    found = rotated(x, np.array([[math.pi / 6, math.pi / 2]]))
    assert found[0, 0] == pytest.approx([math.sqrt(3), 1.0, -3.0, 0.0])
    assert rotated(x, np.zeros((1, 2))).tolist() == x.tolist()


@given(st.integers(0, 500), st.integers(0, 500), st.integers(0, 100))
def test_a_product_of_turned_vectors_depends_on_their_distance_alone(
    one: int, other: int, more: int
) -> None:
    rng = np.random.default_rng(0)
    query, key, speeds = rng.normal(size=(1, 1, 8)), rng.normal(size=(1, 1, 8)), rng.random(4)

    def product(at: int, to: int) -> float:
        return float((rotated(query, at * speeds[None]) * rotated(key, to * speeds[None])).sum())

    assert product(one, other) == pytest.approx(product(one + more, other + more), abs=1e-9)


def test_attention_of_two_tokens_by_hand() -> None:
    # One head of width 4, so products are divided by 2; ln 3 and 0 become shares 3/4 and 1/4.
    query = np.array([[[2.0, 0, 0, 0]], [[2 * math.log(3), 0, 0, 0]]])
    key = np.array([[[1.0, 5, 0, 0]], [[0.0, 7, 0, 0]]])
    value = np.array([[[4.0, 0, 0, 1]], [[8.0, 4, 0, 1]]])
    found = attention(query, key, value, tree_mask(0, 2, []))
    # The first looks at itself alone.
    assert found[0] == pytest.approx([4, 0, 0, 1])
    assert found[1] == pytest.approx([0.75 * 4 + 0.25 * 8, 0.25 * 4, 0, 1])


def test_heads_share_keys_in_groups() -> None:
    # Four heads, two of keys: heads 0 and 1 take the first value, 2 and 3 the second.
    query, key = np.ones((1, 4, 2)), np.ones((1, 2, 2))
    value = np.array([[[1.0, 2.0], [3.0, 4.0]]])
    found = attention(query, key, value, np.zeros((1, 1)))
    assert found.tolist() == [[1, 2, 1, 2, 3, 4, 3, 4]]


def test_the_mask_of_a_tree() -> None:
    # Two tokens held, one new; candidates "1 2 .", "1 3 ." and "4 ." share the beginning "1".
    nodes = [(1,), (1, 2), (1, 3), (4,)]
    looks = tree_mask(2, 3, nodes) == 0
    assert looks.astype(int).tolist() == [
        [1, 1, 1, 0, 0, 0, 0],
        [1, 1, 1, 1, 0, 0, 0],
        [1, 1, 1, 1, 1, 0, 0],
        [1, 1, 1, 1, 0, 1, 0],
        [1, 1, 1, 0, 0, 0, 1],
    ]
    assert (tree_mask(0, 3, []) == 0).astype(int).tolist() == [[1, 0, 0], [1, 1, 0], [1, 1, 1]]


def test_swiglu_by_hand() -> None:
    layer = SimpleNamespace(
        gate=np.array([[1.0, 0.0], [0.0, 1.0]]),
        up=np.array([[0.0, 1.0], [1.0, 0.0]]),
        down=np.array([[1.0, 10.0]]),
    )
    # Gates 0 and ln 3 are squeezed to 0 and 3/4 of ln 3; the other way gives ln 3 and 0, and 2.
    assert swiglu(np.array([[0.0, math.log(3)]]), layer)[0, 0] == pytest.approx(0.0)
    x = np.array([[2.0, math.log(3)]])
    first = 2 / (1 + math.exp(-2)) * math.log(3)
    assert swiglu(x, layer)[0, 0] == pytest.approx(first + 10 * 0.75 * math.log(3) * 2)


def test_shares_by_hand() -> None:
    shares = softmax_rows(np.array([[1e4, 1e4 + math.log(3)], [-np.inf, 5.0]]))
    assert shares == pytest.approx(np.array([[0.25, 0.75], [0.0, 1.0]]))
    assert np.exp(log_softmax_rows(np.array([0.0, math.log(4)]))) == pytest.approx([0.2, 0.8])


def test_the_first_token_of_a_model_by_hand(lm: NumpyLM) -> None:
    """One token looks at itself alone, so each layer takes its value; the rest is written out."""
    weights, token = lm.weights, 7
    x = weights.embedding[token].astype(float)
    for layer in weights.layers:
        normed = x / math.sqrt((x @ x) / len(x) + weights.epsilon) * layer.attention_norm
        # Each head of values serves two of queries.
        taken = np.repeat((layer.value @ normed).reshape(2, 8), 2, axis=0).reshape(-1)
        x = x + layer.output @ taken
        normed = x / math.sqrt((x @ x) / len(x) + weights.epsilon) * layer.mlp_norm
        gate = layer.gate @ normed
        x = x + layer.down @ (gate * (1 / (1 + np.exp(-gate))) * (layer.up @ normed))
    normed = x / math.sqrt((x @ x) / len(x) + weights.epsilon) * weights.norm
    assert lm.forward([token], [])[0] == pytest.approx(weights.head @ normed, abs=1e-4)


# Against itself.


def test_it_keeps_the_protocol(lm: NumpyLM) -> None:
    assert isinstance(lm, Scorer)
    assert lm.n_context == 512
    lm.close()
    assert lm.score(PROMPT, [" x"])


def test_all_that_may_follow_is_1_together(lm: NumpyLM) -> None:
    logits = lm.forward(lm.tokenize(PROMPT), [])
    assert np.exp(log_softmax_rows(logits)).sum() == pytest.approx(1, abs=1e-4)


def test_together_as_one_by_one(lm: NumpyLM, tiny_gpt2: Path) -> None:
    together = lm.score(PROMPT, TEXTS)
    assert lm.score(PROMPT, TEXTS[::-1])[::-1] == near(together)
    alone = [NumpyLM(tiny_gpt2).score(PROMPT, [text])[0] for text in TEXTS]
    assert tuple(alone) == near(together)
    # And each token in a pass of its own, without a tree.
    context = lm.tokenize(PROMPT)
    for text, score in zip(TEXTS, together, strict=True):
        of, total = lm.tokenize(text), 0.0
        for i, token in enumerate(of):
            total += float(log_softmax_rows(lm.forward([*context, *of[:i]], []))[0, token])
        assert score == TextScore(pytest.approx(total, abs=1e-4), len(of))


def test_what_two_prompts_share_is_computed_once(
    lm: NumpyLM, tiny_gpt2: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = PROMPT + " the\nDiscouraged:\n- press"
    fresh = {text: NumpyLM(tiny_gpt2).score(text, TEXTS) for text in (PROMPT, other, PROMPT[:20])}
    lm.score("Quite another one", TEXTS)
    for text in (PROMPT, other, PROMPT, PROMPT[:20], other, other):
        assert lm.score(text, TEXTS) == near(fresh[text])
    n_rows: list[int] = []
    taken = lm._pass
    monkeypatch.setattr(
        lm, "_pass", lambda *args: n_rows.append(len(found := taken(*args))) or found
    )
    lm.score(other + " x", [" a"])
    n_more = len(lm.tokenize(other + " x")) - len(lm.tokenize(other))
    # One token is always new: its row says what follows.
    assert n_rows == [n_more]
    lm.score(other + " x", [" a"])
    assert n_rows == [n_more, 1]


def test_a_long_prompt_goes_in_by_pieces(
    lm: NumpyLM, tiny_gpt2: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = NumpyLM(tiny_gpt2).score(PROMPT * 3, TEXTS)
    monkeypatch.setattr("rememberer_nb.llms.local.numpy_lm._N_ROWS", 7)
    assert NumpyLM(tiny_gpt2).score(PROMPT * 3, TEXTS) == near(whole)


def test_after_an_interrupt_nothing_is_wrong(
    lm: NumpyLM, tiny_gpt2: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = lm.score(PROMPT, TEXTS)
    calls = itertools.count()

    def interrupted(*args: object) -> np.ndarray:
        if next(calls) == 1:
            raise KeyboardInterrupt
        return swiglu(*args)

    monkeypatch.setattr("rememberer_nb.llms.local.numpy_lm.swiglu", interrupted)
    with pytest.raises(KeyboardInterrupt):
        lm.score(PROMPT[:30], TEXTS)
    monkeypatch.undo()
    assert lm.score(PROMPT, TEXTS) == near(expected)


def test_what_is_written_is_the_likeliest_each_time(lm: NumpyLM) -> None:
    tokens = lm.tokenize(PROMPT)
    for _ in range(8):
        tokens.append(int(lm.forward(tokens, [])[0].argmax()))
    text = lm.tokenizer.decode(tokens[-8:]).replace("\ufffd", "")
    assert lm.write(PROMPT, stop=(), max_tokens=8) == text
    assert lm.write(PROMPT, stop=(text[3:5],), max_tokens=8) == text[: text.index(text[3:5])]


def test_writing_ends_where_a_text_does(lm: NumpyLM, monkeypatch: pytest.MonkeyPatch) -> None:
    (end,), (letter,) = lm.tokenize("<|im_end|>"), lm.tokenize("a")
    following = itertools.chain([letter, end], itertools.repeat(letter))
    monkeypatch.setattr(
        lm,
        "forward",
        lambda prompt, nodes: np.eye(lm.tokenizer.get_vocab_size())[[next(following)]],
    )
    assert lm.write(PROMPT) == "a"


def test_a_letter_cut_off_in_its_middle_is_not_written(
    lm: NumpyLM, monkeypatch: pytest.MonkeyPatch
) -> None:
    half = lm.tokenize("é")[0]
    assert len(lm.tokenize("é")) == 2
    one = np.eye(lm.tokenizer.get_vocab_size())[[half]]
    monkeypatch.setattr(lm, "forward", lambda prompt, nodes: one)
    assert lm.write(PROMPT, max_tokens=1) == ""


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
def test_requests_that_are_refused(lm: NumpyLM, prompt: str, texts: list[str], match: str) -> None:
    with pytest.raises(LLMRequestError, match=match):
        lm.score(prompt, texts)


def test_nothing_to_choose_from(lm: NumpyLM) -> None:
    assert lm.score(PROMPT, []) == ()


def test_what_cannot_be_written(lm: NumpyLM) -> None:
    with pytest.raises(LLMRequestError, match="what is to be written 600, more than"):
        lm.write(PROMPT, max_tokens=600)
    with pytest.raises(ConfigError, match="a token at least"):
        lm.write(PROMPT, max_tokens=0)


@pytest.mark.parametrize("wrong", [{"n_threads": 0}, {"n_context": 0}])
def test_less_than_one_of_anything(tiny_gpt2: Path, wrong: dict[str, int]) -> None:
    with pytest.raises(ConfigError, match=f"expected at least 1, .*{next(iter(wrong))}=0"):
        NumpyLM(tiny_gpt2, **wrong)


def test_a_narrower_context(tiny_gpt2: Path) -> None:
    n_tokens = len(NumpyLM(tiny_gpt2).tokenize(PROMPT + " x"))
    narrow = NumpyLM(tiny_gpt2, n_context=n_tokens)
    assert narrow.score(PROMPT, [" x"])
    with pytest.raises(LLMRequestError, match=f"more than the context's {n_tokens}"):
        narrow.score(PROMPT + " x", [" x"])


@pytest.mark.parametrize("n_threads", [1, 2])
def test_threads_are_held_while_it_computes_and_given_back(
    tiny_gpt2: Path, monkeypatch: pytest.MonkeyPatch, n_threads: int
) -> None:
    def used() -> list[int]:
        return [pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"]

    before, during = used(), []
    lm = NumpyLM(tiny_gpt2, n_threads=n_threads)
    taken = lm._pass
    monkeypatch.setattr(lm, "_pass", lambda *args: during.append(used()) or taken(*args))
    lm.score(PROMPT, [" x"])
    assert during == [[n_threads] * len(before)]
    assert used() == before


# Against llama.cpp.


@pytest.fixture(scope="module")
def twin(tiny_gpt2: Path) -> LlamaScores:
    with LlamaScores(tiny_gpt2, n_threads=1) as made:
        yield made


def test_tokens_of_ugly_texts_are_llamas(lm: NumpyLM, twin: LlamaScores) -> None:
    for text in UGLY:
        assert lm.tokenize(text) == twin.tokenize(text), text


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.text(max_size=60))
def test_tokens_of_any_text_are_llamas(lm: NumpyLM, twin: LlamaScores, text: str) -> None:
    assert lm.tokenize(text) == twin.tokenize(text)


def test_scores_are_llamas(lm: NumpyLM, twin: LlamaScores) -> None:
    rng = np.random.default_rng(0)
    words = PROMPT.split() + list(UGLY[5:8])
    for _ in range(50):
        prompt = " ".join(rng.choice(words, rng.integers(1, 30)))
        # Stored in halves there, keys and values are a little off.
        assert lm.score(prompt, TEXTS) == near(twin.score(prompt, TEXTS), 0.05), prompt


@pytest.fixture(scope="module")
def real(smollm2: Path) -> Iterator[Beside]:
    """SmolLM2 in NumPy, and in llama.cpp beside it."""
    with LlamaScores(smollm2, n_threads=1) as other:
        yield Beside(smollm2, other)


class Beside(LocalLLM):
    """NumPy's scores, with llama.cpp's beside them."""

    def __init__(self, path: Path, other: LlamaScores):
        super().__init__("smollm2", path)
        self.other = other
        self.pairs: list[Pair] = []

    def score(self, prompt: Prompt, candidates: Sequence[str]) -> tuple[TextScore, ...]:
        found = super().score(prompt, candidates)
        self.pairs.append((found, self.other.score(self.context(prompt), candidates)))
        return found


def off_per_token(pairs: list[Pair]) -> list[float]:
    """How far apart two scores of a text are, in nats per token."""
    return [
        abs(one.log_probability - other.log_probability) / one.n_tokens
        for ours, theirs in pairs
        for one, other in zip(ours, theirs, strict=True)
    ]


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_decisions_of_a_real_model_are_llamas(real: Beside) -> None:
    """On pages of the how-to site's development tasks, with exemplars, in the brief template.

    llama.cpp rounds what it multiplies weights of 4 bits by to 8 bits, NumPy rounds nothing.
    """
    real.pairs.clear()
    agent = likelihood_agent(real)
    for situation in situations(100):
        agent.decide(situation, StepRandom(0, np.random.default_rng(0)))
    assert len(real.pairs) == 100
    n_same = 0
    for ours, theirs in real.pairs:
        assert [s.n_tokens for s in ours] == [s.n_tokens for s in theirs]
        best = [max(range(len(ours)), key=lambda i: per_token(each[i])) for each in (ours, theirs)]
        n_same += best[0] == best[1]
    assert n_same >= 95
    assert np.median(off_per_token(real.pairs)) <= 0.1


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_without_rounding_a_real_model_scores_as_llamas(smollm2: Path, tmp_path: Path) -> None:
    """The same weights as float32 for both: what is left is the rounding of keys and values."""
    plain = changed(smollm2, tmp_path / "float32.gguf")
    with LlamaScores(plain, n_threads=1) as other:
        both = Beside(smollm2, other)
        agent = likelihood_agent(both)
        for situation in situations(50, seed=1):
            agent.decide(situation, StepRandom(0, np.random.default_rng(0)))
    assert len(both.pairs) == 50
    assert max(off_per_token(both.pairs)) <= 0.05


def per_token(score: TextScore) -> float:
    return score.log_probability / score.n_tokens


@pytest.mark.slow
def test_tokens_of_a_real_model_are_llamas(real: Beside) -> None:
    for text in (*UGLY, PROMPT):
        assert NumpyLM.tokenize(real._loaded(), text) == real.other.tokenize(text), text


@pytest.mark.slow
def test_a_real_model_knows_something(real: Beside) -> None:
    prompt = Prompt((), "The capital of France is", 0, channel="completion")
    paris, rome = real.score(prompt, [" Paris", " Rome"])
    assert per_token(paris) > per_token(rome)
    assert real.write(prompt, stop=(".",)).text.startswith(" Paris")


def test_what_is_written_is_llamas(lm: NumpyLM, twin: LlamaScores) -> None:
    for prompt in (PROMPT, "x", "Instruction:"):
        assert lm.write(prompt, max_tokens=12) == twin.write(prompt, max_tokens=12)
