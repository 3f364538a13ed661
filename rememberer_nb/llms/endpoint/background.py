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
_LAST_S = 1.0


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
        with self._lock:
            # Under the lock, so that nothing is submitted that `interrupt` does not know of.
            future = asyncio.run_coroutine_threadsafe(coroutine, self._started())
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
        with self._lock:
            loop, thread, self._loop, self._thread = self._loop, self._thread, None, None
        if loop is None or thread is None:
            if last is not None:
                last.close()
            return
        ended = asyncio.run_coroutine_threadsafe(last or asyncio.sleep(0), loop)
        ended.add_done_callback(lambda _: loop.call_soon_threadsafe(loop.stop))
        # Garbage may be collected in the thread itself, which cannot wait for its own end.
        if thread is not threading.current_thread():
            thread.join()

    def _started(self) -> asyncio.AbstractEventLoop:
        if self._loop is None:
            self._loop = asyncio.new_event_loop()
            self._thread = threading.Thread(
                target=_serve, args=(self._loop,), name="llm-calls", daemon=True
            )
            self._thread.start()
        return self._loop


def _serve(loop: asyncio.AbstractEventLoop) -> None:
    loop.run_forever()
    # What was cancelled at the end may need a moment to let go of its connection.
    if left := asyncio.all_tasks(loop):
        loop.run_until_complete(asyncio.wait(left, timeout=_LAST_S))
    loop.close()
