"""A local model: a GGUF file behind llama.cpp's own server, which runs inside this process.

The server is `xllamacpp` (extra `llama`) and speaks the same protocol as any other endpoint, so it
is asked through the same `openai` client. It decodes by grammar: a reply with a schema always fits
it, and its action is one of those available.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rememberer_nb.config import LLMConfig, replace
from rememberer_nb.errors import ConfigError, DataError, MissingExtraError
from rememberer_nb.llms.endpoint.client import OpenAILLM
from rememberer_nb.llms.endpoint.secret import NO_KEY, Endpoint
from rememberer_nb.llms.local.catalogue import Model
from rememberer_nb.llms.local.scores import check_gguf
from rememberer_nb.llms.wrapped import WrappedLLM

CONTEXT_TOKENS = 8192
_SILENT = -1
# The threads of a smaller model would mostly wait for each other, and busily so.
_MIN_BYTES_FOR_THREADS = 16 * 2**20


class LlamaServer:
    """llama.cpp's server in this process, on a free port of this machine.

    Parameters
    ----------
    path : the model, a GGUF file.
    n_context : the longest prompt and reply together, in tokens; it takes memory at once.
    has_embeddings : serve /embeddings, and no completions.
    n_threads : by default one for a tiny model, else as many as llama.cpp likes. They wait busily,
        so fewer are faster where others work on the same cores.

    It answers one request at a time, so that no reply depends on what else is asked. The address
    is in `endpoint`; `close` ends it.

    Raises
    ------
    ConfigError : no such file.
    DataError : it is not a model that llama.cpp can load.
    MissingExtraError : `xllamacpp` is not installed.
    """

    def __init__(
        self,
        path: str | Path,
        *,
        n_context: int = CONTEXT_TOKENS,
        has_embeddings: bool = False,
        n_threads: int | None = None,
    ):
        self.path = Path(path)
        check_gguf(self.path)
        try:
            import xllamacpp
        except ImportError as error:
            raise MissingExtraError("xllamacpp", extra="llama") from error
        settings = xllamacpp.CommonParams()
        settings.model.path = str(self.path)
        settings.n_ctx = n_context
        settings.n_parallel = 1
        settings.port = 0
        settings.ui = False
        settings.verbosity = _SILENT
        if n_threads is None and self.path.stat().st_size < _MIN_BYTES_FOR_THREADS:
            n_threads = 1
        if n_threads is not None:
            settings.cpuparams.n_threads = n_threads
            settings.cpuparams_batch.n_threads = n_threads
        # Answers then name the file, not the folder that it lies in.
        settings.model_alias = {self.path.name}
        if has_embeddings:
            settings.embedding = True
            # The longest text is a single batch.
            settings.n_batch = settings.n_ubatch = n_context
        try:
            self._server = xllamacpp.Server(settings)
        except (RuntimeError, ValueError) as error:
            problem = f"cannot be loaded by llama.cpp: {error}"
            raise DataError(problem, path=self.path) from error
        self.endpoint = Endpoint(f"{self._server.listening_address}/v1", NO_KEY)

    def close(self) -> None:
        """End the server and free the model."""
        self._server = None

    def __enter__(self) -> LlamaServer:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class LlamaCppLLM(WrappedLLM):
    """A GGUF file as an LLM: a server of its own, and the client for it.

    Parameters
    ----------
    path : the model.
    config : as for any endpoint; `model` and address are the server's.
    n_context, n_threads : see `LlamaServer`.
    known : the model of the catalogue that the file is; it goes by its name and hash then.

    `close` ends the `server`, too.
    """

    def __init__(
        self,
        path: str | Path,
        config: LLMConfig | None = None,
        *,
        n_context: int = CONTEXT_TOKENS,
        n_threads: int | None = None,
        known: Model | None = None,
    ):
        self.path, self.known, config = Path(path), known, config or LLMConfig()
        if config.model not in ("", self.path.name):
            raise ConfigError(f"the model of llama.cpp is its file, not {config.model!r}")
        self.server = LlamaServer(path, n_context=n_context, n_threads=n_threads)
        named = replace(config, model=self.path.name)
        super().__init__(OpenAILLM(named, endpoint=self.server.endpoint))

    @property
    def name(self) -> str:
        """The spec that `make_llm` makes it from."""
        return self.known.name if self.known else f"llama.cpp:{self.path}"

    @property
    def settings(self) -> dict[str, Any]:
        """The client's; without the model's folder, so that recordings can be shared."""
        has_grammar = self.inner.settings["reply_format"] != "text"
        named = {"llm": f"llama.cpp:{self.path.name}", "constrain_actions": has_grammar}
        if self.known:
            named |= {"llm": self.known.name, "sha256": self.known.sha256}
        return {**self.inner.settings, **named}

    def close(self) -> None:
        """Give up what is under way; end the client and the server."""
        super().close()
        self.server.close()
