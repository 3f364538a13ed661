"""Record every call of an LLM once; replay them for nothing."""

from __future__ import annotations

import dataclasses
import weakref
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

from rememberer_nb.elements import Prompt, Reply, TextScore
from rememberer_nb.errors import LLMError, LLMStopError, ReplayError
from rememberer_nb.llms.protocol import LLM
from rememberer_nb.llms.replay.recording import (
    Call,
    key_of,
    read_recording,
    request_of,
    same_llm,
)
from rememberer_nb.llms.replay.recording_file import RecordingFile, close_recording, open_recording
from rememberer_nb.llms.replay.scored import Scored, rounded, score_key, write_key
from rememberer_nb.llms.wrapped import WrappedLLM, scoring


class RecordingLLM(WrappedLLM):
    """An LLM whose calls are kept in a file, each as soon as it is back.

    A request that the file already answers is not made again, so a run that was stopped goes on
    where it was for nothing. Calls that failed are kept, too (a replay fails alike), but made again
    when they come up. What stops a run (`LLMStopError`) is not kept.

    Parameters
    ----------
    inner : the LLM. Its settings must be those of the file.
    path : the file; made if it does not exist.
    also : other recordings of the same LLM, whose scores need not be asked for; they are copied.

    While it is open no other process can record to the file; `close` lets go of it.

    Raises
    ------
    DataError : the file is no recording, or one with other settings, or cannot be written.
    """

    def __init__(self, inner: LLM, path: str | Path, *, also: Sequence[str | Path] = ()):
        super().__init__(inner)
        self.path = Path(path)
        self._file = self._opened()
        self._also: dict[str, Scored] = {}
        for other in also:
            self._also |= same_llm(Path(other), self.settings).scored

    @property
    def name(self) -> str:
        """The spec that `make_llm` makes it from."""
        return f"record:{self.path}:{self.inner.name}"

    def complete(self, prompt: Prompt, *, seed: int = 0) -> Reply:
        """The recorded reply, or the inner LLM's, which is then recorded."""
        request = request_of(self.settings, prompt, seed)
        key = key_of(request)
        known = self._opened_file().find(key)
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

    def score(self, prompt: Prompt, candidates: Sequence[str]) -> tuple[TextScore, ...]:
        """The recorded scores, or the inner LLM's, rounded, which are then recorded."""
        key = score_key(prompt, candidates)
        known = self._known(key)
        if known is None:
            found = rounded(scoring(self.inner).score(prompt, candidates))
            known = self._file.keep_scored(key, found)
        return cast(tuple[TextScore, ...], known)

    def write(self, prompt: Prompt, *, stop: Sequence[str], max_tokens: int = 24) -> Reply:
        """The recorded text, or the inner LLM's, which is then recorded."""
        key = write_key(prompt, stop, max_tokens)
        known = self._known(key)
        if known is None:
            found = scoring(self.inner).write(prompt, stop=stop, max_tokens=max_tokens)
            known = self._file.keep_scored(key, found)
        return dataclasses.replace(cast(Reply, known), prompt_tokens=prompt.n_tokens)

    def close(self) -> None:
        """Close the inner LLM, and let go of the file; it is opened again by the next call."""
        super().close()
        self._closing()

    def _known(self, key: str) -> Scored | None:
        file = self._opened_file()
        known = file.find_scored(key)
        if known is None and key in self._also:
            return file.keep_scored(key, self._also[key])
        return known

    def _opened_file(self) -> RecordingFile:
        if not self._closing.alive:
            self._file = self._opened()
        return self._file

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

    @property
    def registered(self) -> str:
        """The hash of the settings that were registered before, "" if none were."""
        return self._recording.registered

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

    def score(self, prompt: Prompt, candidates: Sequence[str]) -> tuple[TextScore, ...]:
        """The recorded scores; `ReplayError` if there are none."""
        return cast(tuple[TextScore, ...], self._scored(score_key(prompt, candidates)))

    def write(self, prompt: Prompt, *, stop: Sequence[str], max_tokens: int = 24) -> Reply:
        """The recorded text; `ReplayError` if there is none."""
        found = cast(Reply, self._scored(write_key(prompt, stop, max_tokens)))
        return dataclasses.replace(found, prompt_tokens=prompt.n_tokens)

    def _scored(self, key: str) -> Scored:
        found = self._recording.scored.get(key)
        if found is None:
            raise ReplayError(
                f"{self.path}: this prompt is not among the {len(self._recording.scored)} recorded "
                "scores; they were recorded with other tasks, seeds, memory, template, form of "
                f"reply or channel, or not to their end (key {key})"
            )
        return found

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
