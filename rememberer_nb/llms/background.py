"""An event loop in a thread of its own, for calls from any thread, a notebook's among them.

Being asynchronous underneath, a call can be given up at any moment: when its deadline passes, when
Ctrl-C or the kernel's stop button interrupts the caller, or when a run is stopped.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine
from concurrent.futures import Future
from typing import Any, TypeVar

Result = TypeVar("Result")


class BackgroundLoop:
    """Runs coroutines for callers that wait; the thread starts with the first of them.

    >>> loop = BackgroundLoop()
    >>> loop.run(asyncio.sleep(0, result="done"))
    'done'
    >>> loop.close()
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._pending: set[Future[Any]] = set()

    def run(self, coroutine: Coroutine[Any, Any, Result]) -> Result:
        """Wait for a coroutine; if the wait is interrupted, the coroutine is cancelled.

        Raises
        ------
        concurrent.futures.CancelledError : `interrupt` or `close` was called meanwhile.
        """
        future = asyncio.run_coroutine_threadsafe(coroutine, self._started())
        with self._lock:
            self._pending.add(future)
        try:
            return future.result()
        finally:
            future.cancel()
            with self._lock:
                self._pending.discard(future)

    def interrupt(self) -> None:
        """Cancel every call under way."""
        with self._lock:
            pending = tuple(self._pending)
        for future in pending:
            future.cancel()

    def close(self, last: Coroutine[Any, Any, Any] | None = None) -> None:
        """Cancel what is under way, run a last coroutine, and end the thread."""
        self.interrupt()
        if last is not None:
            self.run(last)
        with self._lock:
            loop, thread, self._loop, self._thread = self._loop, self._thread, None, None
        if loop is not None and thread is not None:
            loop.call_soon_threadsafe(loop.stop)
            thread.join()
            loop.close()

    def _started(self) -> asyncio.AbstractEventLoop:
        with self._lock:
            if self._loop is None:
                self._loop = asyncio.new_event_loop()
                self._thread = threading.Thread(
                    target=self._loop.run_forever, name="llm-calls", daemon=True
                )
                self._thread.start()
            return self._loop
