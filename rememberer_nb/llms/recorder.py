"""Record every call of an LLM once; replay them for nothing."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

from rememberer_nb.elements import Prompt, Reply
from rememberer_nb.errors import DataError, LLMError, LLMStopError, ReplayError
from rememberer_nb.llms.protocol import LLM
from rememberer_nb.llms.recording import (
    Call,
    Recording,
    call_line,
    header_line,
    key_of,
    read_recording,
    request_of,
)
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

    Raises
    ------
    DataError : the file is no recording, or one with other settings, or cannot be written.
    """

    def __init__(self, inner: LLM, path: str | Path):
        super().__init__(inner)
        self.path = Path(path)
        self._lock = threading.Lock()
        self._recording = self._open()

    @property
    def name(self) -> str:
        """The spec that `make_llm` makes it from."""
        return f"record:{self.path}:{self.inner.name}"

    def complete(self, prompt: Prompt, *, seed: int = 0) -> Reply:
        """The recorded reply, or the inner LLM's, which is then recorded."""
        request = request_of(self.settings, prompt, seed)
        key = key_of(request)
        known = self._recording.calls.get(key)
        if known is not None and known.error is None:
            return known.outcome()
        try:
            reply = self.inner.complete(prompt, seed=seed)
        except LLMStopError:
            raise
        except LLMError as error:
            self._keep(key, Call(request, error.reply, error))
            raise
        return self._keep(key, Call(request, reply)).outcome()

    def _keep(self, key: str, call: Call) -> Call:
        with self._lock:
            known = self._recording.calls.get(key)
            if known is not None and known.error is None:
                # Two asked the same at the same time: as in the replay, both get the first reply.
                return known
            self._recording.calls[key] = call
            self._append(call_line(key, call))
        return call

    def _open(self) -> Recording:
        settings = self.settings
        if not self.path.exists() or not self.path.stat().st_size:
            self._append(header_line(settings))
            return Recording(settings)
        recording = read_recording(self.path)
        if recording.settings != settings:
            names = settings.keys() | recording.settings.keys()
            differing = sorted(n for n in names if settings.get(n) != recording.settings.get(n))
            raise DataError(
                f"was recorded with other settings ({', '.join(differing)}): take another file",
                path=self.path,
            )
        if recording.size < self.path.stat().st_size:
            with self.path.open("r+b") as file:
                file.truncate(recording.size)
        return recording

    def _append(self, line: str) -> None:
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with self.path.open("a", encoding="utf-8") as file:
                file.write(line)
        except OSError as error:
            raise DataError(f"cannot be written: {error.strerror}", path=self.path) from error


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
            return "this prompt was recorded with another reply schema"
        if same:
            return f"this prompt was recorded, but not with the call seed {request['seed']}"
        systems = [found.request["messages"][:1] for found in calls]
        if calls and request["messages"][:1] not in systems:
            return "recorded with another introduction or environment; record it again"
        return (
            f"this prompt is not among the {len(calls)} recorded calls; it was recorded with "
            "other tasks, seeds, memory or prompt settings, or not to its end"
        )
