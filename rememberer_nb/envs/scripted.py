"""What the scripted agents of the bundled environments share: yardsticks without LLM and memory."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rememberer_nb.config import RlemConfig


class ScriptedAgent:
    """What `run_episode` asks of an agent, but for `decide`."""

    name = ""
    memory = None

    def __init__(self) -> None:
        self.rlem = RlemConfig()

    def describe(self) -> Mapping[str, Any]:
        """Its name: everything else is in its class."""
        return {"name": self.name}
