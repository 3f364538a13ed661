"""A GGUF file in llama.cpp's hands: its tokens, its sequences, and what it computes of them."""

from __future__ import annotations

import ctypes as c
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import numpy.typing as npt

from rememberer_nb.errors import DataError, LLMError, LLMRequestError
from rememberer_nb.llms.local.llama_library import Batch, layout_error, llama_library
from rememberer_nb.llms.local.scores import as_utf8

# Sequence 0 is the prompt.
N_SEQUENCES = 64
# The most rows that go in at once.
N_BATCH = 2048
_LEAST_CELLS = 256
_PIECE_BYTES = 512

# Token, position, sequence.
Row = tuple[int, int, int]
Floats = npt.NDArray[np.float64]


class LlamaModel:
    """A model and one context, whose `N_SEQUENCES` sequences share one store.

    Parameters
    ----------
    path : a GGUF file.
    n_context : the tokens that there is room for; at most what the model was trained with.
    n_threads : at work, and waiting busily.
    n_rows : computed at a time.

    Not for several threads at once. After `close`, and without rows of a batch that have outputs,
    asking would end the process: `LlamaScores` sees to both.

    Raises
    ------
    ConfigError : the installed xllamacpp does not have the expected layout.
    DataError : the file cannot be loaded.
    MissingExtraError : `xllamacpp` is not installed.
    """

    def __init__(self, path: Path, n_context: int, n_threads: int, n_rows: int):
        self.path = path
        self._llama = llama_library()
        self._model = self._context = None
        with ExitStack() as on_failure:
            on_failure.callback(self.close)
            self._load()
            trained = self._llama.model_n_ctx_train(self._model)
            self.n_context = min(n_context, trained) if trained > 0 else n_context
            self._open_context(n_threads, n_rows)
            on_failure.pop_all()
        self._memory = self._llama.get_memory(self._context)
        self._vocabulary = self._llama.model_get_vocab(self._model)
        self._n_vocabulary = self._llama.vocab_n_tokens(self._vocabulary)

    @property
    def is_open(self) -> bool:
        """Whether it can be asked."""
        return bool(self._context)

    def close(self) -> None:
        """Free it."""
        if self._context:
            self._llama.free(self._context)
        if self._model:
            self._llama.model_free(self._model)
        self._context = self._model = None

    def tokens(self, text: str, *, is_start: bool = False) -> list[int]:
        """A text's tokens; after the one that begins a text, at a start, if the model wants it."""
        data = as_utf8(text)
        # Never more tokens than bytes, but for a few at the ends.
        found = (c.c_int32 * (len(data) + 8))()
        has_first = is_start and self._llama.vocab_get_add_bos(self._vocabulary)
        n = self._llama.tokenize(
            self._vocabulary, data, len(data), found, len(found), has_first, True
        )
        if n < 0:
            raise LLMRequestError(f"llama.cpp makes no tokens of {text!r:.80}")
        return found[:n]

    def piece(self, token: int) -> bytes:
        """A token's letters; none for a special one."""
        room = c.create_string_buffer(_PIECE_BYTES)
        n = self._llama.token_to_piece(self._vocabulary, token, room, _PIECE_BYTES, 0, False)
        return room.raw[: max(n, 0)]

    def is_end(self, token: int) -> bool:
        """Whether a text ends with it."""
        return bool(self._llama.vocab_is_eog(self._vocabulary, token))

    def decode(self, rows: Sequence[Row], outputs: Sequence[int]) -> None:
        """Compute at most `N_BATCH` rows; those in `outputs` have log-probabilities afterwards.

        Raises
        ------
        LLMError : llama.cpp cannot.
        """
        n = len(rows)
        token, position, sequence = np.array(rows, np.int32).T.copy()
        one, has_output = np.ones(n, np.int32), np.zeros(n, np.int8)
        has_output[outputs] = 1
        # An array of arrays, of one sequence each.
        sequences = (sequence.ctypes.data + sequence.itemsize * np.arange(n)).astype(np.uintp)
        arrays = (token, position, one, sequences, has_output)
        token_, position_, one_, sequences_, outputs_ = (array.ctypes.data for array in arrays)
        batch = Batch(n, token_, None, position_, one_, sequences_, outputs_)
        status = self._llama.decode(self._context, batch)
        if status:
            raise LLMError(f"{self.path.name}: llama.cpp cannot compute it (status {status})")

    def log_probabilities(self, row: int) -> Floats:
        """Of each token after a row of the last batch, in nats; shape (n_vocabulary,)."""
        logits = self._llama.get_logits_ith(self._context, row)
        if not logits:
            raise layout_error(f"row {row} of a batch has no output")
        values = np.ctypeslib.as_array(logits, (self._n_vocabulary,)).astype(np.float64)
        values -= values.max()
        values -= np.log(np.exp(values).sum())
        return values

    def share(self, sequence: int) -> None:
        """Let a sequence begin as sequence 0, without computing it again."""
        self._llama.memory_seq_cp(self._memory, 0, sequence, -1, -1)

    def go_back(self, n_tokens: int) -> bool:
        """Leave sequence 0 its first tokens; False if this kind of model cannot."""
        return bool(self._llama.memory_seq_rm(self._memory, 0, n_tokens, -1))

    def forget_others(self) -> None:
        """Empty all sequences but 0."""
        for sequence in range(1, N_SEQUENCES):
            self._llama.memory_seq_rm(self._memory, sequence, -1, -1)

    def forget_all(self) -> None:
        """Empty all sequences."""
        self._llama.memory_clear(self._memory, True)

    def _load(self) -> None:
        name = str(self.path).encode("utf-8", "surrogateescape")
        params = self._llama.model_default_params()
        # With weights laid out anew, what a row sums to depends on how many others there are:
        # Gemma's scores moved by 0.06 nats.
        params.use_extra_bufts = False
        self._model = self._llama.model_load_from_file(name, params)
        if not self._model:
            problem = "cannot be loaded by llama.cpp: damaged, or of a kind unknown to it"
            raise DataError(problem, path=self.path)

    def _open_context(self, n_threads: int, n_rows: int) -> None:
        llama = self._llama
        params = llama.context_default_params()
        # A batch must have room for all sequences, however short the context.
        params.n_ctx, params.n_batch = max(self.n_context, _LEAST_CELLS), N_BATCH
        params.n_ubatch = n_rows
        params.n_seq_max, params.kv_unified = N_SEQUENCES, True
        params.n_threads = params.n_threads_batch = n_threads
        self._context = llama.init_from_model(self._model, params)
        if not self._context:
            raise DataError("llama.cpp makes no context for it", path=self.path)
        # Only sequences that share one store see the whole context each.
        cells = llama.n_ctx(self._context)
        if cells < self.n_context or llama.n_ctx_seq(self._context) != cells:
            raise layout_error("the sequences do not share one store")
        if llama.n_seq_max(self._context) != N_SEQUENCES:
            raise layout_error(f"n_seq_max is not {N_SEQUENCES}, which was set")
