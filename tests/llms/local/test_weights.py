"""Weights and tokenizers: read as they were written, refused with one clear error otherwise."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rememberer_nb.errors import DataError, MissingExtraError
from rememberer_nb.llms.local.weights import read_gguf
from rememberer_nb.testing.tiny_model import write_tiny_model
from tests.llms.local.gguf_writer import changed

for name in ("gguf", "tokenizers"):
    pytest.importorskip(name, reason="needs the extra: pip install 'rememberer-nb[llama]'")
F32, F64 = 0, 28


def test_weights_of_a_tiny_model(tiny_gpt2: Path) -> None:
    weights, tokenizer = read_gguf(tiny_gpt2)
    v = tokenizer.get_vocab_size()
    assert weights.embedding.shape == (v, 32)
    assert weights.head is weights.embedding
    assert (len(weights.layers), weights.n_kv_heads, weights.head_width) == (2, 2, 8)
    layer = weights.layers[1]
    assert (layer.query.shape, layer.key.shape, layer.down.shape) == ((32, 32), (16, 32), (32, 64))
    # base ** (-2 i / e), base 100,000.
    expected = [1.0, 100_000**-0.25, 100_000**-0.5, 100_000**-0.75]
    assert weights.rope_frequencies == pytest.approx(expected)
    assert (weights.epsilon, weights.n_context) == (pytest.approx(1e-5), 512)


def test_a_head_of_its_own(tiny_gpt2: Path, tmp_path: Path) -> None:
    head = np.full(read_gguf(tiny_gpt2)[0].embedding.shape, 0.5)
    weights, _ = read_gguf(changed(tiny_gpt2, tmp_path / "m.gguf", {}, {"output.weight": head}))
    assert weights.head is not weights.embedding
    assert weights.head.min() == weights.head.max() == 0.5


@pytest.mark.parametrize(
    ("fields", "tensors", "match"),
    [
        ({"general.architecture": "gemma3"}, {}, "has architecture 'gemma3'; NumPy reads 'llama'"),
        ({"general.architecture": None}, {}, "lacks general.architecture"),
        ({"tokenizer.ggml.model": "llama"}, {}, "tokenizer 'llama', 'smollm'; NumPy reads 'gpt2'"),
        ({"tokenizer.ggml.pre": "llama-bpe"}, {}, "tokenizer 'gpt2', 'llama-bpe'; NumPy reads"),
        ({"tokenizer.ggml.add_bos_token": True}, {}, "begins texts with a token"),
        ({"tokenizer.ggml.merges": ["a b c"]}, {}, "merges 'a b c', but they are no tokens"),
        ({"tokenizer.ggml.merges": ["ab"]}, {}, "merges 'ab', but they are no tokens"),
        ({"tokenizer.ggml.merges": 7}, {}, "merges: expected a list of texts"),
        ({"tokenizer.ggml.tokens": ["a", "a"]}, {}, "does not say of each token what kind"),
        ({"tokenizer.ggml.token_type": [1]}, {}, "does not say of each token what kind"),
        ({"tokenizer.ggml.token_type": None}, {}, "lacks tokenizer.ggml.token_type"),
        ({"llama.block_count": 0}, {}, r"llama\.block_count: expected int above 0, got 0"),
        ({"llama.block_count": "two"}, {}, r"block_count: expected int above 0, got 'two'"),
        ({"llama.block_count": 1}, {}, r"has the tensor blk\.1\..*, which NumPy does not read"),
        ({"llama.block_count": 3}, {}, r"lacks the tensor blk\.2\.attn_norm"),
        ({"llama.attention.head_count": 5}, {}, "NumPy reads plain heads only"),
        ({"llama.rope.dimension_count": 4}, {}, "of width 4 make no 32"),
        ({"llama.rope.freq_base": float("nan")}, {}, "freq_base: expected float above 0, got nan"),
        ({"llama.rope.scaling.type": "yarn"}, {}, "has positions scaled as 'yarn'"),
        ({}, {"blk.0.attn_q.weight": None}, r"lacks the tensor blk\.0\.attn_q\.weight"),
        ({}, {"blk.0.attn_q.bias": np.ones(32)}, r"has the tensor blk\.0\.attn_q\.bias, which"),
        ({}, {"output_norm.weight": np.ones(31)}, r"expected the shape \(32,\), got \(31,\)"),
        ({}, {"output_norm.weight": ((32,), F64, bytes(256))}, "F64 is not yet implemented"),
        ({}, {"output_norm.weight": ((32,), 99, bytes(256))}, r"in an unknown way \(99\)"),
        ({}, {"blk.1.ffn_down.weight": ((32, 64), F32, b"")}, r"is cut off: blk\.1\.ffn_down"),
    ],
)
def test_models_that_are_refused(
    tiny_gpt2: Path, tmp_path: Path, fields: dict, tensors: dict, match: str
) -> None:
    path = changed(tiny_gpt2, tmp_path / "m.gguf", fields, tensors)
    with pytest.raises(DataError, match=match) as caught:
        read_gguf(path)
    assert str(caught.value).startswith(str(path))


def test_a_sentencepiece_tokenizer(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="has the tokenizer 'llama', 'gpt-2'; NumPy reads 'gpt2'"):
        read_gguf(write_tiny_model(tmp_path / "tiny.gguf"))


@pytest.fixture(scope="module")
def tiny_bytes(tiny_gpt2: Path) -> bytes:
    return tiny_gpt2.read_bytes()


@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=60
)
@given(cut=st.floats(0, 1, exclude_max=True))
def test_any_beginning_of_a_file_is_one_error(
    tmp_path: Path, tiny_bytes: bytes, cut: float
) -> None:
    path = tmp_path / "cut.gguf"
    path.write_bytes(tiny_bytes[: int(cut * len(tiny_bytes))])
    with pytest.raises(DataError, match=r"cut\.gguf: is (cut off|not a GGUF file)"):
        read_gguf(path)
    # Nothing of it stays open, which Windows would mind.
    path.unlink()


@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=60
)
@given(at=st.integers(0, 40_000), byte=st.integers(0, 255))
def test_a_damaged_byte_is_one_error_or_none(
    tmp_path: Path, tiny_bytes: bytes, at: int, byte: int
) -> None:
    path = tmp_path / "damaged.gguf"
    path.write_bytes(tiny_bytes[:at] + bytes([byte]) + tiny_bytes[at + 1 :])
    try:
        weights, _ = read_gguf(path)
    except DataError as error:
        assert str(error).startswith(str(path))
    else:
        assert weights.embedding.shape[1] == 32


@pytest.mark.parametrize("name", ["gguf", "tokenizers"])
def test_missing_extras_are_named(
    tiny_gpt2: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(MissingExtraError, match=rf"{name} is missing: .*rememberer-nb\[llama\]"):
        read_gguf(tiny_gpt2)
