"""A tiny llama model with random weights, as a GGUF file: to try the local server, not to think.

Its tokens are the 256 bytes and some pieces of words, merged from the bundled demonstrations as
byte-pair encoding merges them. One constant component of the residual stream carries a bias per
token, which prefers words to letters; everything else of it is drawn. What comes out is noise that
keeps to the reply's schema, since the server decodes by grammar.

::

    python -m rememberer_nb.testing.tiny_model FILE.gguf
"""

from __future__ import annotations

import sys
from collections import Counter
from itertools import pairwise
from pathlib import Path

import numpy as np

from rememberer_nb.errors import MissingExtraError
from rememberer_nb.memory.initial import read_initial
from rememberer_nb.prompting.prompts import HOW_TO_REPLY

WIDTH = 32
HIDDEN = 64
N_HEADS = 2
CONTEXT_TOKENS = 16384
N_PIECES = 1000

# A space as SentencePiece writes it.
_SPACE = "\u2581"
_SPECIAL = ("<unk>", "<s>", "</s>")
# The server's default templates suit trained models; this one just lists the messages.
_TEMPLATE = (
    "{% for message in messages %}{{ message['role'] }}: {{ message['content'] }}\n\n"
    "{% endfor %}assistant:"
)
# Far below what a product of normalised random vectors reaches.
_NEVER = -1000.0
_RARELY = -6.0


def merge_pieces(text: str, n_pieces: int) -> list[str]:
    """Pieces of words by byte-pair encoding: again and again the most frequent pair is merged.

    Ties go to the pair that comes first in the alphabet.

    >>> merge_pieces("low lower lowest", 3)
    ['lo', 'low', '\u2581low']
    """
    words = Counter(tuple(_SPACE + word) for word in text.split() if word.isascii())
    pieces: list[str] = []
    while len(pieces) < n_pieces:
        pairs: Counter[tuple[str, str]] = Counter()
        for symbols, n in words.items():
            for pair in pairwise(symbols):
                pairs[pair] += n
        if not pairs:
            break
        best = min(pairs, key=lambda pair: (-pairs[pair], pair))
        pieces.append("".join(best))
        merged: Counter[tuple[str, ...]] = Counter()
        for symbols, n in words.items():
            merged[_merge(symbols, best)] += n
        words = merged
    return pieces


def _merge(symbols: tuple[str, ...], pair: tuple[str, str]) -> tuple[str, ...]:
    merged: list[str] = []
    for symbol in symbols:
        if merged and (merged[-1], symbol) == pair:
            merged[-1] += symbol
        else:
            merged.append(symbol)
    return tuple(merged)


def write_tiny_model(
    path: str | Path,
    *,
    seed: int = 0,
    text: str | None = None,
    n_pieces: int = N_PIECES,
    n_context: int = CONTEXT_TOKENS,
) -> Path:
    """Write the model; the same arguments give the same bytes.

    Parameters
    ----------
    path : the file, about 400 kB.
    seed : draws the weights.
    text : what the pieces are merged from, since prompts like it take fewer tokens; by default how
        to reply, and the bundled demonstrations.
    n_pieces : at most so many.
    n_context : the longest prompt and reply together, in tokens.

    Raises
    ------
    MissingExtraError : `gguf` is not installed.
    """
    try:
        import gguf
    except ImportError as error:
        raise MissingExtraError("gguf", extra="llama") from error
    pieces = merge_pieces(_usual_text() if text is None else text, n_pieces)
    file = gguf.GGUFWriter(Path(path), "llama")
    file.add_context_length(n_context)
    file.add_embedding_length(WIDTH)
    file.add_block_count(1)
    file.add_feed_forward_length(HIDDEN)
    file.add_head_count(N_HEADS)
    file.add_head_count_kv(N_HEADS)
    file.add_layer_norm_rms_eps(1e-5)
    file.add_rope_dimension_count(WIDTH // N_HEADS)
    file.add_pooling_type(gguf.PoolingType.MEAN)
    _add_tokens(file, gguf.TokenType, pieces)
    for name, weights in _weights(pieces, np.random.default_rng(seed)).items():
        file.add_tensor(name, weights.astype(np.float32))
    file.write_header_to_file()
    file.write_kv_data_to_file()
    file.write_tensors_to_file()
    file.close()
    return Path(path)


def _usual_text() -> str:
    texts = [HOW_TO_REPLY]
    for env in ("webshop", "wikihow"):
        for record in read_initial("E0", env):
            texts += [record.task, record.observation]
            texts += [f"{value.action} {value.rationale}" for value in record.action_values]
    return "\n".join(texts)


def _add_tokens(file: object, kinds: type, pieces: list[str]) -> None:
    known = [f"<0x{byte:02X}>" for byte in range(256)]
    types = [kinds.UNKNOWN, kinds.CONTROL, kinds.CONTROL]
    types += [kinds.BYTE] * len(known) + [kinds.NORMAL] * len(pieces)
    file.add_tokenizer_model("llama")
    file.add_vocab_size(len(types))
    file.add_token_list([*_SPECIAL, *known, *pieces])
    # Pieces are merged by score, so those found first go first.
    file.add_token_scores(
        [0.0] * (len(_SPECIAL) + len(known)) + [-1.0 - i for i in range(len(pieces))]
    )
    file.add_token_types(types)
    file.add_unk_token_id(0)
    file.add_bos_token_id(1)
    file.add_eos_token_id(2)
    file.add_chat_template(_TEMPLATE)


def _weights(pieces: list[str], rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Tensors by name; matrices of shape (n_out, n_in)."""

    def draw(n_out: int, n_in: int) -> np.ndarray:
        return rng.normal(0.0, n_in**-0.5, (n_out, n_in))

    n_tokens = len(_SPECIAL) + 256 + len(pieces)
    weights = {
        "token_embd.weight": draw(n_tokens, WIDTH),
        "output_norm.weight": np.ones(WIDTH),
        "output.weight": draw(n_tokens, WIDTH),
        "blk.0.attn_norm.weight": np.ones(WIDTH),
        "blk.0.ffn_norm.weight": np.ones(WIDTH),
        "blk.0.ffn_gate.weight": draw(HIDDEN, WIDTH),
        "blk.0.ffn_up.weight": draw(HIDDEN, WIDTH),
        "blk.0.ffn_down.weight": draw(WIDTH, HIDDEN),
    }
    for name in ("attn_q", "attn_k", "attn_v", "attn_output"):
        weights[f"blk.0.{name}.weight"] = draw(WIDTH, WIDTH)
    # Component 0 is 1 in every embedding and nothing is ever added to it.
    weights["token_embd.weight"][:, 0] = 1.0
    for name in ("attn_output", "ffn_down"):
        weights[f"blk.0.{name}.weight"][0] = 0.0
    weights["output.weight"][:, 0] = _biases(pieces)
    return weights


def _biases(pieces: list[str]) -> list[float]:
    """Per token: whole words and the closing quote are likely, other text is not, bytes are never.

    The server's grammar goes before it: where only an unlikely token fits, that one is taken.
    """
    by_byte = [_RARELY if 0x20 <= byte < 0x7F else _NEVER for byte in range(256)]
    by_byte[ord('"')] = 0.0
    by_piece = [0.0 if piece.startswith(_SPACE) else _RARELY for piece in pieces]
    return [_NEVER, _NEVER, 0.0, *by_byte, *by_piece]


if __name__ == "__main__":
    print(write_tiny_model(sys.argv[1]))
