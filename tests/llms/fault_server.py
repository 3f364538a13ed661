"""A local server that misbehaves on demand, in a process of its own.

``POST /v1/script`` with {"answers": [...]} sets what the next completions get (the last one again
and again) and forgets what came in; ``GET /v1/log`` tells what came in since.
"""

from __future__ import annotations

import asyncio
import dataclasses
from typing import Any

from rememberer_nb.testing.local_server import PlannedAnswer, Request, serve


class Script:
    """Answers in order; logs requests."""

    def __init__(self) -> None:
        self.answers: list[dict[str, Any]] = []
        self.log: list[dict[str, Any]] = []

    def __call__(self, request: Request) -> PlannedAnswer:
        if request.path == "/v1/script":
            self.answers, self.log = request.body["answers"], []
            return PlannedAnswer({})
        if request.path == "/v1/log":
            return PlannedAnswer({"log": self.log})
        time = asyncio.get_running_loop().time()
        self.log.append({**dataclasses.asdict(request), "time": time})
        return PlannedAnswer(**self.answers[min(len(self.log), len(self.answers)) - 1])


if __name__ == "__main__":
    asyncio.run(serve(Script()))
