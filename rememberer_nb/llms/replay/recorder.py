"""Record every call of an LLM once; replay them for nothing."""

from __future__ import annotations

import weakref
from pathlib import Path
from typing import Any

from rememberer_nb.elements import Prompt, Reply
from rememberer_nb.errors import LLMError, LLMStopError, ReplayError
from rememberer_nb.llms.protocol import LLM
from rememberer_nb.llms.replay.recording import Call, key_of, read_recording, request_of
from rememberer_nb.llms.replay.recording_file import RecordingFile, close_recording, open_recording
from rememberer_nb.llms.wrapped import WrappedLLM


class RecordingLLM(WrappedLLM):
    """An LLM whose calls are kept in a file, each as soon as it is back.

    A request that the file already answers is not made again, so a run that was stopped goes on
    where it was for nothing. Calls that failed are kept, too (a replay fails alike), but made again
    when they come up. What stops a run (`LLMStopError`) is not kept.

    Parameters
    ----------
    inner : the LLM. Its settings must be those of the file.
    path : the file; made if it does not exist.

    While it is open no other process can record to the file; `close` lets go of it.

    Raises
    ------
    DataError : the file is no recording, or one with other settings, or cannot be written.
    """

    def __init__(self, inner: LLM, path: str | Path):
        super().__init__(inner)
        self.path = Path(path)
        self._file = self._opened()

    @property
    def name(self) -> str:
        """The spec that `make_llm` makes it from."""
        return f"record:{self.path}:{self.inner.name}"

    def complete(self, prompt: Prompt, *, seed: int = 0) -> Reply:
        """The recorded reply, or the inner LLM's, which is then recorded."""
        request = request_of(self.settings, prompt, seed)
        key = key_of(request)
        if not self._closing.alive:
            self._file = self._opened()
        known = self._file.find(key)
        if known is not None and known.error is None:
            return known.outcome()
        try:
            reply = self.inner.complete(prompt, seed=seed)
        except LLMStopError:
            raise
        except LLMError as error:
            self._file.keep(key, Call(request, error.reply, error))
            raise
        return self._file.keep(key, Call(request, reply)).outcome()

    def close(self) -> None:
        """Close the inner LLM, and let go of the file; it is opened again by the next call."""
        super().close()
        self._closing()

    def _opened(self) -> RecordingFile:
        file = open_recording(self.path, self.settings)
        self._closing = weakref.finalize(self, close_recording, file)
        return file


class ReplayLLM:
    """The LLM of a recording: the same replies, errors and token counts, without any call.

    Parameters
    ----------
    path : the recording.

    Raises
    ------
    DataError : it is no recording.
    """

    def __init__(self, path: str | Path):
        self.path = Path(path)
        self._recording = read_recording(self.path)

    @property
    def name(self) -> str:
        """The spec that `make_llm` makes it from."""
        return f"replay:{self.path}"

    @property
    def settings(self) -> dict[str, Any]:
        """The settings that were recorded."""
        return self._recording.settings

    def complete(self, prompt: Prompt, *, seed: int = 0) -> Reply:
        """The recorded reply.

        Raises
        ------
        ReplayError : the recording lacks the request; says what comes nearest.
        LLMError : the recorded call failed.
        """
        request = request_of(self.settings, prompt, seed)
        key = key_of(request)
        call = self._recording.calls.get(key)
        if call is None:
            raise ReplayError(f"{self.path}: {self._miss(request)} (key {key[:12]})")
        return call.outcome()

    def _miss(self, request: dict[str, Any]) -> str:
        calls = list(self._recording.calls.values())
        same = [c.request for c in calls if c.request["messages"] == request["messages"]]
        if any(found["seed"] == request["seed"] for found in same):
            return "this prompt was recorded with another reply schema, or by another channel"
        if same:
            return f"this prompt was recorded, but not with the call seed {request['seed']}"
        systems = [found.request["messages"][:1] for found in calls]
        if calls and request["messages"][:1] not in systems:
            return "recorded with another introduction, environment or --reply-form: record it anew"
        return (
            f"this prompt is not among the {len(calls)} recorded calls; it was recorded with "
            "other tasks, seeds, memory or prompt settings, or not to its end"
        )
