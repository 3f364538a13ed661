"""Comparisons whose settings were written down before the first test task was met.

``data/registered/NAME-ENV.toml`` holds the settings of the comparison with a real LLM, and, as
comments, why they were chosen: on development tasks alone. Its hash stands in the first line of the
recording that was made with it, ``data/recordings/NAME-ENV.jsonl.bz2``.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

from rememberer_nb.errors import DataError
from rememberer_nb.llms import LLM, ReplayLLM
from rememberer_nb.system.resources import data_path


def registration(llm: str, env: str) -> Path | None:
    """The file of settings for an LLM ("smollm2", "replay:smollm2") and environment, if any.

    >>> registration("replay:smollm2", "wikihow").name, registration("offline", "wikihow")
    ('smollm2-wikihow.toml', None)
    """
    name = llm.removeprefix("replay:")
    if not name.isidentifier():
        return None
    try:
        return data_path("registered", f"{name}-{env}.toml")
    except DataError:
        return None


def check_registered(path: Path, llm: LLM) -> None:
    """Make sure that a recording was made with the registered settings, if it replays one.

    Raises
    ------
    DataError : it was made with others.
    """
    if isinstance(llm, ReplayLLM) and llm.registered != registration_sha256(path):
        raise DataError("are not the settings that the recording was made with", path=path)


def registration_sha256(path: Path) -> str:
    """The hash of a registered file, 64 hexadecimal digits."""
    return hashlib.sha256(path.read_bytes()).hexdigest()
