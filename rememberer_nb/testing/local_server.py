"""A small OpenAI-compatible server in a process of its own, for benchmarks and tests.

It answers completions, of chats and of texts, with the offline stand-in's replies, after a set
time. What it says and when is decided by a `Responder`; tests bring their own. Each answer goes out
in one write, with TCP_NODELAY, since a second small packet would wait 40 ms for the first one's
acknowledgement::

    python -m rememberer_nb.testing.local_server '{"delay_s": 0.2}'      prints its port
"""

from __future__ import annotations

import asyncio
import json
import socket
import struct
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from rememberer_nb.elements import Prompt
from rememberer_nb.errors import RemembererError
from rememberer_nb.llms.offline import OfflineLLM

HOST = "127.0.0.1"
_STATUS = {200: "OK", 400: "Bad Request", 401: "Unauthorized", 404: "Not Found"}


@dataclass(frozen=True, slots=True)
class Request:
    """What came in."""

    path: str
    headers: dict[str, str]
    body: dict[str, Any]


@dataclass(frozen=True, slots=True)
class PlannedAnswer:
    """What goes out, and how.

    Parameters
    ----------
    body : JSON values, or a text sent as it is.
    delay_s : counted from the request's arrival.
    cut_after : close the connection after that many bytes of the body; None: send all.
    pieces : send the body in so many parts, `delay_s` apart.
    """

    body: Any
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    delay_s: float = 0.0
    cut_after: int | None = None
    pieces: int = 1


Responder = Callable[[Request], PlannedAnswer]


def completion(text: str | None, *, is_chat: bool = True, **changes: Any) -> dict[str, Any]:
    """A completion with one choice, of a chat or of a text; `changes` go into the choice.

    >>> completion("hi")["choices"][0]["message"]["content"]
    'hi'
    """
    said = {"message": {"role": "assistant", "content": text}} if is_chat else {"text": text}
    choice = {"index": 0, **said}
    return {
        "id": "local",
        "object": "chat.completion",
        "created": 0,
        "model": "local",
        "choices": [{**choice, "finish_reason": "stop", **changes}],
        "usage": {"prompt_tokens": 100, "completion_tokens": 10, "total_tokens": 110},
    }


class StandIn:
    """The offline stand-in behind the endpoint: the reply that it gives in-process, too."""

    def __init__(self, delay_s: float = 0.0, profile: str = "webshop"):
        self.delay_s = delay_s
        self.llm = OfflineLLM(profile)

    def __call__(self, request: Request) -> PlannedAnswer:
        """Its reply to a text, or to messages, joined as `prompts.build_prompt` joins them."""
        text, is_chat = request.body.get("prompt"), request.path.endswith("/chat/completions")
        if is_chat:
            text = "\n\n".join(message["content"] for message in request.body["messages"])
        reply = self.llm.complete(Prompt((), text, 0), seed=request.body.get("seed", 0))
        data = completion(reply.text, is_chat=is_chat)
        data["model"] = request.body["model"]
        data["usage"] = {
            "prompt_tokens": reply.prompt_tokens,
            "completion_tokens": reply.completion_tokens,
        }
        return PlannedAnswer(data, delay_s=self.delay_s)


class _Connection(asyncio.Protocol):
    """One connection, which may carry many requests, one after the other."""

    def __init__(self, respond: Responder):
        self.respond = respond
        self.transport: Any = None
        self.waiting = b""

    def connection_made(self, transport: Any) -> None:
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.waiting += data
        head, found, rest = self.waiting.partition(b"\r\n\r\n")
        if not found:
            return
        first, *lines = head.decode("latin-1").split("\r\n")
        headers = dict(line.lower().split(": ", 1) for line in lines)
        length = int(headers.get("content-length", 0))
        if len(rest) < length:
            return
        self.waiting = rest[length:]
        body = json.loads(rest[:length] or b"{}")
        started = asyncio.get_running_loop().time()
        self.send(self.respond(Request(first.split(" ")[1], headers, body)), started)

    def send(self, answer: PlannedAnswer, started: float) -> None:
        """One write, or as the answer says."""
        loop = asyncio.get_running_loop()
        is_text = isinstance(answer.body, str)
        body = (answer.body if is_text else json.dumps(answer.body)).encode()
        headers = {
            "content-type": "text/html" if is_text else "application/json",
            "content-length": str(len(body)),
            **answer.headers,
        }
        lines = [f"HTTP/1.1 {answer.status} {_STATUS.get(answer.status, 'Status')}"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        whole = "\r\n".join(lines).encode() + b"\r\n\r\n" + body
        if answer.cut_after is not None:
            whole = whole[: len(whole) - len(body) + answer.cut_after]
        size = -(-len(whole) // answer.pieces)
        for i in range(answer.pieces):
            part = whole[i * size : (i + 1) * size]
            loop.call_at(started + (i + 1) * answer.delay_s, self._write, part)
        if answer.cut_after is not None:
            loop.call_at(started + (answer.pieces + 1) * answer.delay_s, self._reset)

    def _reset(self) -> None:
        # Without lingering, the connection is reset rather than closed in good order.
        linger = struct.pack("ii", 1, 0)
        self.transport.get_extra_info("socket").setsockopt(
            socket.SOL_SOCKET, socket.SO_LINGER, linger
        )
        self.transport.abort()

    def _write(self, part: bytes) -> None:
        if not self.transport.is_closing():
            self.transport.write(part)


async def serve(respond: Responder) -> None:
    """Serve on a free port of this machine, which is printed; never ends."""
    loop = asyncio.get_running_loop()
    # asyncio sets TCP_NODELAY on every connection itself.
    server = await loop.create_server(lambda: _Connection(respond), HOST, 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


@contextmanager
def running(command: list[str]) -> Iterator[str]:
    """A server's process, which prints its port first; yields its base URL, and ends it."""
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        port = process.stdout.readline().strip() if process.stdout else ""
        if not port.isdigit():
            raise RemembererError("the local server did not start")
        yield f"http://{HOST}:{port}/v1"
    finally:
        process.terminate()
        process.communicate()


@contextmanager
def stand_in_server(delay_s: float = 0.0, profile: str = "webshop") -> Iterator[str]:
    """The stand-in's server; yields its base URL."""
    settings = json.dumps({"delay_s": delay_s, "profile": profile})
    with running([sys.executable, "-m", __name__, settings]) as url:
        yield url


if __name__ == "__main__":
    asyncio.run(serve(StandIn(**json.loads(sys.argv[1]))))
