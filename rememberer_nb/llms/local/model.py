"""A local model as an LLM: it says how likely texts are, and replies through llama.cpp's server."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jinja2
from jinja2.sandbox import ImmutableSandboxedEnvironment

from rememberer_nb.config import LLMConfig
from rememberer_nb.elements import Prompt, Reply, TextScore
from rememberer_nb.errors import ConfigError, DataError
from rememberer_nb.llms.local.catalogue import Model
from rememberer_nb.llms.local.llama_cpp import LlamaCppLLM
from rememberer_nb.llms.local.scores import Scorer, check_gguf

# Who computes scores.
BACKENDS = ("numpy", "llama.cpp")
_BAD_TEMPLATE = "has a chat template that cannot be filled in: {}"


class LocalLLM:
    """A GGUF file as an LLM.

    Parameters
    ----------
    name : the spec that `make_llm` makes it from.
    path : the model.
    backend : "numpy" (readable, and the faster one where llama.cpp was built without AVX-512) or
        "llama.cpp" (three fifths of the memory, and any architecture); `bench local` compares them.
    config : for replies: temperature, longest reply, ...
    known : the model of the catalogue that the file is; `settings` hold its hash then.
    n_threads : by default 1 for NumPy's scores, and all cores for what llama.cpp does. Threads wait
        for each other busily: where cores are shared, fewer are faster.

    Model and server are loaded when they are first needed. Calls may come from several threads, one
    is worked on at a time.

    Raises
    ------
    ConfigError : no such file or backend.
    DataError : the file is no GGUF file; when it is loaded, that it is damaged or of an
        architecture that the backend does not know.
    """

    def __init__(
        self,
        name: str,
        path: str | Path,
        *,
        backend: str = "numpy",
        config: LLMConfig | None = None,
        known: Model | None = None,
        n_threads: int | None = None,
    ):
        check_backend(backend)
        self.name = name
        self.path = Path(path)
        self.backend = backend
        self.config = config or LLMConfig()
        self.n_threads = n_threads
        self.known = known
        if self.config.model not in ("", self.path.name):
            raise ConfigError(f"the model of {name} is its file, not {self.config.model!r}")
        check_gguf(self.path)
        self._scorer: Scorer | None = None
        self._server: LlamaCppLLM | None = None
        self._chat: jinja2.Template | None = None
        self._lock = threading.RLock()

    @property
    def settings(self) -> dict[str, Any]:
        """Model and backend, and what replies depend on; no folder, so that they can be shared."""
        asked = ("temperature", "max_tokens", "seed", "reply_format")
        shared = {name: getattr(self.config, name) for name in asked}
        constrains = self.config.reply_format != "text"
        known = {"sha256": self.known.sha256} if self.known else {}
        return {
            "llm": self.name if self.known else f"llama.cpp:{self.path.name}",
            "model": self.path.name,
            **known,
            "backend": self.backend,
            **shared,
            "stop": list(self.config.stop),
            "constrain_actions": constrains,
        }

    def complete(self, prompt: Prompt, *, seed: int = 0) -> Reply:
        """The model's reply, through llama.cpp's server."""
        with self._lock:
            if self._server is None:
                self._server = LlamaCppLLM(self.path, self.config, n_threads=self.n_threads)
            return self._server.complete(prompt, seed=seed)

    def score(self, prompt: Prompt, candidates: Sequence[str]) -> tuple[TextScore, ...]:
        """ln P(candidate | prompt) of each; see `ScoringLLM`."""
        with self._lock:
            return self._loaded().score(self.context(prompt), candidates)

    def write(self, prompt: Prompt, *, stop: Sequence[str], max_tokens: int = 24) -> Reply:
        """What most likely follows."""
        with self._lock:
            scorer = self._loaded()
            text = scorer.write(self.context(prompt), stop=stop, max_tokens=max_tokens)
            n_tokens = len(scorer.tokenize(text)) if text else 0
        return Reply(text, prompt.n_tokens, n_tokens, model=self.name)

    def count_tokens(self, text: str) -> int:
        """How many tokens a text has."""
        with self._lock:
            return len(self._loaded().tokenize(text))

    def context(self, prompt: Prompt) -> str:
        """What the model reads: the text, or the messages in the form that it was tuned on.

        A last message of the assistant is left open, so that it goes on.
        """
        if prompt.channel == "completion":
            return prompt.text
        messages = [{"role": role, "content": text} for role, text in prompt.messages]
        begun = messages.pop()["content"] if messages[-1]["role"] == "assistant" else ""
        with self._lock:
            if self._chat is None:
                self._chat = _chat_template(self.path)
            try:
                return self._chat.render(messages=messages, add_generation_prompt=True) + begun
            except jinja2.TemplateError as error:
                raise DataError(_BAD_TEMPLATE.format(error), path=self.path) from error

    def interrupt(self) -> None:
        """Give up a reply under way."""
        if self._server is not None:
            self._server.interrupt()

    def close(self) -> None:
        """Free the model and end the server; the next call loads them again."""
        with self._lock:
            for held in (self._scorer, self._server):
                if held is not None:
                    held.close()
            self._scorer = self._server = None

    def _loaded(self) -> Scorer:
        if self._scorer is None:
            self._scorer = _load(self.backend, self.path, self.n_threads)
        return self._scorer


def check_backend(name: str) -> None:
    """Refuse a backend that there is none of."""
    if name not in BACKENDS:
        known = ", ".join(BACKENDS)
        raise ConfigError(f"no backend is named {name!r:.80}; known: {known}")


def _load(backend: str, path: Path, n_threads: int | None) -> Scorer:
    if backend == "numpy":
        from rememberer_nb.llms.local.numpy_lm import NumpyLM

        return NumpyLM(path, n_threads=n_threads or 1)
    from rememberer_nb.llms.local.llama_scores import LlamaScores

    return LlamaScores(path, n_threads=n_threads)


def _chat_template(path: Path) -> jinja2.Template:
    from rememberer_nb.llms.local.gguf_file import open_gguf

    found = open_gguf(path).get("tokenizer.chat_template", None)
    if found is None:
        raise DataError(
            "has no chat template: a base model continues texts, --channel completion", path=path
        )
    # The template is the file's own text: it gets at nothing but the messages.
    sandbox = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True)
    try:
        return sandbox.from_string(found)
    except jinja2.TemplateError as error:
        raise DataError(_BAD_TEMPLATE.format(error), path=path) from error
