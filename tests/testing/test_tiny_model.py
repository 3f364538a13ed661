"""The tiny model with random weights: the same bytes each time, and a file that can be read."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from rememberer_nb.errors import MissingExtraError
from rememberer_nb.testing.tiny_model import (
    merge_pairs,
    merge_pieces,
    write_tiny_gpt2_model,
    write_tiny_model,
)


def test_pieces_are_merged_by_frequency() -> None:
    # "▁a" (3 times) before "ab" (2, within what is left of "▁ab"); words with é are passed over.
    assert merge_pieces("ab ab a é", 9) == ["▁a", "▁ab"]
    assert merge_pieces("", 5) == []
    assert merge_pairs("ab ab a é", 9, "_") == [("_", "a"), ("_a", "b")]


def test_the_same_arguments_give_the_same_bytes(tmp_path: Path) -> None:
    pytest.importorskip("gguf", reason="needs the extra llama: pip install 'rememberer-nb[llama]'")
    one = write_tiny_model(tmp_path / "a.gguf", seed=1).read_bytes()
    assert one == write_tiny_model(tmp_path / "b.gguf", seed=1).read_bytes()
    assert one != write_tiny_model(tmp_path / "c.gguf", seed=2).read_bytes()
    assert len(one) < 500_000


def test_the_file_holds_what_it_should(tmp_path: Path) -> None:
    gguf = pytest.importorskip("gguf", reason="needs the extra llama")
    path = write_tiny_model(tmp_path / "a.gguf", text="ab ab", n_pieces=2)
    reader = gguf.GGUFReader(path)
    shapes = {tensor.name: tuple(tensor.shape) for tensor in reader.tensors}
    # 3 special tokens, 256 bytes, 2 pieces; GGUF notes the inner dimension first.
    assert shapes["token_embd.weight"] == (32, 261)
    assert shapes["blk.0.ffn_up.weight"] == (32, 64)
    tokens = reader.fields["tokenizer.ggml.tokens"]
    assert [bytes(tokens.parts[i]).decode() for i in tokens.data[-2:]] == ["ab", "▁ab"]


def test_the_kind_of_smollm2(tmp_path: Path) -> None:
    gguf = pytest.importorskip("gguf", reason="needs the extra llama")
    path = write_tiny_gpt2_model(tmp_path / "a.gguf", seed=1)
    assert path.read_bytes() == write_tiny_gpt2_model(tmp_path / "b.gguf", seed=1).read_bytes()
    assert path.read_bytes() != write_tiny_gpt2_model(tmp_path / "c.gguf", seed=2).read_bytes()
    reader = gguf.GGUFReader(path)
    shapes = {tensor.name: tuple(tensor.shape) for tensor in reader.tensors}
    # Two of four heads of eight numbers have keys of their own; the embedding is the output too.
    assert shapes["blk.1.attn_q.weight"] == (32, 32)
    assert shapes["blk.1.attn_k.weight"] == shapes["blk.1.attn_v.weight"] == (32, 16)
    assert "output.weight" not in shapes
    tokens = reader.fields["tokenizer.ggml.tokens"].contents()
    assert shapes["token_embd.weight"] == (32, len(tokens)) and len(set(tokens)) == len(tokens)
    # As in GPT-2's table: a newline, a space, "!" and the soft hyphen.
    bytes_as_letters = tokens[3 : 3 + 256]
    assert [bytes_as_letters[byte] for byte in (0x0A, 0x20, 0x21, 0xAD)] == ["Ċ", "Ġ", "!", "Ń"]
    for merge in reader.fields["tokenizer.ggml.merges"].contents():
        assert set(merge.split(" ")) | {merge.replace(" ", "")} <= set(tokens)


def test_without_gguf_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "gguf", None)
    with pytest.raises(MissingExtraError, match=r"gguf is missing: .*rememberer-nb\[llama\]"):
        write_tiny_model(tmp_path / "a.gguf")
