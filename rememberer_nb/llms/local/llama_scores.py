"""Scores from llama.cpp's own functions: one batch for all candidates, and no server.

The prompt is read once. The candidates are sequences that share what the model keeps of it, and go
through together; what two prompts in a row have in common at their start is read once, too. A
text's score does not depend on what else is asked, before or beside it. (The server has no part in
this: it gives no log-probabilities of a prompt.)
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from itertools import pairwise
from pathlib import Path

import numpy as np

from rememberer_nb.elements import TextScore
from rememberer_nb.errors import ConfigError, LLMStopError
from rememberer_nb.llms.local.fetch import recognised
from rememberer_nb.llms.local.llama_library import layout_error
from rememberer_nb.llms.local.llama_model import N_BATCH, N_SEQUENCES, LlamaModel, Row
from rememberer_nb.llms.local.scores import (
    CHECK_PROMPT,
    CHECK_TEXTS,
    CONTEXT_TOKENS,
    WRITTEN_TOKENS,
    check_gguf,
    check_request,
    check_writing,
    cut,
    usable_cores,
)

# Rows of a batch that have outputs, a number per token of the vocabulary each: 50 MB for SmolLM2.
_N_ROWS = 256
# Computed at a time. With more rows llama.cpp takes other ways through the same sums, which round
# differently, and models of 4 bits make much of that: SmolLM2's scores moved by up to 0.44 nats
# with what else was in the batch (from 64 rows on), Gemma's by 0.7 (from 8 on). The first of these
# where they do not move is taken: 32 for SmolLM2, 6 for Gemma.
_N_ROWS_AT_A_TIME = (32, 6)
# They are equal where this was written; a wrong row is off by whole nats.
_MOST_OFF = 0.02
_MOST_OFF_KNOWN = 0.05


class LlamaScores:
    """A GGUF file's scores (`scores.Scorer`), through llama.cpp.

    Parameters
    ----------
    path : the model.
    n_context : the longest prompt and candidate together, in tokens; at most what the model was
        trained with. It takes memory at once.
    n_threads : by default all cores that this process may use. llama.cpp waits busily: two
        processes on two cores must be given one each, or both are slower than one alone.

    It answers one request at a time, from whichever thread. When it is made it computes a few
    scores in two ways, since the library's layout is not promised to stay.

    Raises
    ------
    ConfigError : no such file, or the installed xllamacpp does not have the expected layout.
    DataError : it is not a model that llama.cpp can load.
    MissingExtraError : `xllamacpp` is not installed.

    Examples
    --------
    ::

        with LlamaScores("model.gguf") as scorer:
            scorer.score("press", [" the menu", " go back"])
    """

    def __init__(
        self, path: str | Path, *, n_context: int = CONTEXT_TOKENS, n_threads: int | None = None
    ):
        self.path = Path(path)
        threads = usable_cores() if n_threads is None else n_threads
        if n_context < 1 or threads < 1:
            raise ConfigError(f"expected at least 1, got {n_context=}, {n_threads=}")
        check_gguf(self.path)
        self._one_at_a_time = threading.Lock()
        # The tokens of sequence 0, and the log-probabilities of what follows them.
        self._kept: list[int] = []
        self._next = np.zeros(0)
        for n_rows in _N_ROWS_AT_A_TIME:
            self._model = LlamaModel(self.path, n_context, threads, n_rows)
            with ExitStack() as on_failure:
                on_failure.callback(self.close)
                problem = self._check()
                on_failure.pop_all()
            if not problem:
                break
            self.close()
        else:
            raise layout_error(problem)
        self.n_context = self._model.n_context

    def tokenize(self, text: str) -> list[int]:
        """A text's tokens, after the one that begins a text if the model wants that."""
        with self._turn():
            return self._model.tokens(text, is_start=True)

    def score(self, prompt: str, candidates: Sequence[str]) -> tuple[TextScore, ...]:
        """How likely each candidate is after the prompt; see `Scorer.score`."""
        with self._turn():
            start = self._model.tokens(prompt, is_start=True)
            tokens = [self._model.tokens(text) for text in candidates]
            check_request(start, candidates, tokens, self.n_context)
            sums = self._score(start, tokens)
        return tuple(TextScore(total, len(of)) for total, of in zip(sums, tokens, strict=True))

    def write(
        self, prompt: str, *, stop: Sequence[str] = ("\n",), max_tokens: int = WRITTEN_TOKENS
    ) -> str:
        """What follows, the likeliest token each time; see `Scorer.write`."""
        written, text = b"", ""
        with self._turn():
            start = self._model.tokens(prompt, is_start=True)
            check_writing(start, stop, max_tokens, self.n_context)
            self._read(start)
            for _ in range(max_tokens):
                token = int(self._next.argmax())
                if self._model.is_end(token):
                    break
                written += self._model.piece(token)
                # The last letter may have its bytes in the next token.
                text, is_done = cut(written.decode("utf-8", "ignore"), stop)
                if is_done:
                    break
                self._extend([token])
        return text

    def close(self) -> None:
        """Free the model; nothing can be asked afterwards."""
        with self._one_at_a_time:
            self._model.close()

    def __enter__(self) -> LlamaScores:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # Inside

    @contextmanager
    def _turn(self) -> Iterator[None]:
        with self._one_at_a_time:
            if not self._model.is_open:
                raise LLMStopError(f"{self.path.name}: the model is closed")
            yield

    def _check(self) -> str:
        """Compute a few scores in two ways; of a known model they are known. Says what is wrong."""
        start = self._model.tokens(CHECK_PROMPT, is_start=True)
        tokens = [self._model.tokens(text) for text in CHECK_TEXTS]
        self._forget()
        sums = self._score(start, tokens)
        known = recognised(self.path)
        if known and not abs(sum(sums) - known.check_sum) <= _MOST_OFF_KNOWN:
            return f"{known.name} scores {sum(sums)}, not {known.check_sum}"
        self._forget()
        for token in start:
            self._extend([token])
        for of, together in zip(tokens, sums, strict=True):
            self._read(start)
            alone = 0.0
            for token in of:
                alone += float(self._next[token])
                self._extend([token])
            if not abs(together - alone) <= _MOST_OFF:
                return f"scores together and one by one differ: {together}, {alone}"
        total = float(np.exp(self._next).sum())
        return "" if abs(total - 1.0) <= 1e-3 else f"probabilities sum to {total}, not 1"

    def _score(self, start: list[int], tokens: Sequence[list[int]]) -> list[float]:
        """The log-probability of each candidate's tokens after the start's."""
        self._read(start)
        sums = [float(self._next[of[0]]) for of in tokens]
        for group in self._groups(tokens, room=self._model.n_context - len(start)):
            self._model.forget_others()
            rows: list[Row] = []
            wanted: list[tuple[int, int]] = []
            for sequence, i in enumerate(group, start=1):
                self._model.share(sequence)
                for offset, (token, following) in enumerate(pairwise(tokens[i])):
                    rows.append((token, len(start) + offset, sequence))
                    wanted.append((i, following))
            for first in range(0, len(rows), _N_ROWS):
                piece = rows[first : first + _N_ROWS]
                self._model.decode(piece, range(len(piece)))
                for row, (i, following) in enumerate(wanted[first : first + _N_ROWS]):
                    sums[i] += float(self._model.log_probabilities(row)[following])
        return sums

    @staticmethod
    def _groups(tokens: Sequence[list[int]], room: int) -> Iterator[list[int]]:
        """The candidates of more than one token, as many together as there is room for."""
        group: list[int] = []
        n_cells = 0
        for i, of in enumerate(tokens):
            if len(of) == 1:
                continue
            if len(group) == N_SEQUENCES - 1 or (group and n_cells + len(of) > room):
                yield group
                group, n_cells = [], 0
            group.append(i)
            n_cells += len(of)
        if group:
            yield group

    def _read(self, tokens: list[int]) -> None:
        """Make sequence 0 these tokens; what it begins with already is not read again."""
        self._model.forget_others()
        if tokens == self._kept:
            return
        # Whatever interrupts this, nothing is taken for kept that is not.
        kept, self._kept = self._kept, []
        differ = (i for i, token in enumerate(tokens[:-1]) if kept[i : i + 1] != [token])
        n_same = next(differ, len(tokens) - 1)
        if self._model.go_back(n_same):
            self._kept = kept[:n_same]
        else:
            # A kind of model that cannot go back a part of the way.
            self._forget()
        self._extend(tokens[len(self._kept) :])

    def _extend(self, tokens: list[int]) -> None:
        """Let sequence 0 go on with these tokens."""
        kept, self._kept = self._kept, []
        rows = [(token, i, 0) for i, token in enumerate(tokens, start=len(kept))]
        for first in range(0, len(rows), N_BATCH):
            piece = rows[first : first + N_BATCH]
            self._model.decode(piece, [len(piece) - 1])
        self._next = self._model.log_probabilities(len(piece) - 1)
        self._kept = kept + tokens

    def _forget(self) -> None:
        self._kept = []
        self._model.forget_all()
