"""A server on this machine that sends what a test wants, byte by byte, on plain sockets."""

from __future__ import annotations

import contextlib
import itertools
import socket
import threading
from collections.abc import Callable, Iterable, Iterator

# What each connection is sent, piece by piece; a float is a pause in seconds.
Script = Callable[[str], Iterable[bytes | float]]


class HostileServer:
    """Answers each request with the pieces of a script, and notes what came in.

    `base_url` is its address, `requests` the whole requests so far. A script is called with the
    request's path.
    """

    def __init__(self, script: Script):
        self.script = script
        self.requests: list[bytes] = []
        self._stopped = threading.Event()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self.base_url = f"http://127.0.0.1:{self.port}/v1"
        self._threads = [threading.Thread(target=self._accept, daemon=True)]
        self._threads[0].start()

    def stop(self) -> None:
        """End every connection."""
        self._stopped.set()
        # Closing alone would not wake the thread that waits for a connection.
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for thread in self._threads:
            thread.join(timeout=5)

    def _accept(self) -> None:
        while not self._stopped.is_set():
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            thread = threading.Thread(target=self._serve, args=(connection,), daemon=True)
            self._threads.append(thread)
            thread.start()

    def _serve(self, connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError):
            connection.settimeout(1.0)
            while (request := self._receive(connection)) and not self._stopped.is_set():
                self.requests.append(request)
                for piece in self.script(request.split(b" ")[1].decode()):
                    if self._stopped.is_set():
                        return
                    if isinstance(piece, float):
                        self._stopped.wait(piece)
                    else:
                        connection.sendall(piece)

    def _receive(self, connection: socket.socket) -> bytes:
        data = b""
        while b"\r\n\r\n" not in data:
            data += (part := connection.recv(65536))
            if not part:
                return b""
        head, _, body = data.partition(b"\r\n\r\n")
        lines = head.lower().split(b"\r\n")
        length = next(int(n[16:]) for n in lines if n.startswith(b"content-length: "))
        while len(body) < length:
            body += (part := connection.recv(65536))
            if not part:
                return b""
        return head + b"\r\n\r\n" + body


@contextlib.contextmanager
def hostile_server(script: Script) -> Iterator[HostileServer]:
    """The server, while the block runs."""
    server = HostileServer(script)
    try:
        yield server
    finally:
        server.stop()


def answer(body: bytes, *headers: str, status: str = "200 OK") -> bytes:
    """A whole answer."""
    lines = [f"HTTP/1.1 {status}", f"content-length: {len(body)}", *headers]
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + body


def dripping(piece: bytes, pause_s: float) -> Iterator[bytes | float]:
    """The same piece for ever, a pause before each."""
    return itertools.chain.from_iterable((pause_s, piece) for _ in itertools.count())
