"""The event loop beside the caller."""

from __future__ import annotations

import asyncio
import threading
import time
from concurrent.futures import CancelledError, ThreadPoolExecutor

import pytest

from rememberer_nb.llms.endpoint.background import BackgroundLoop


@pytest.fixture
def loop():
    made = BackgroundLoop()
    yield made
    made.close()


async def nap(seconds: float, value: int = 0) -> int:
    await asyncio.sleep(seconds)
    return value


def test_callers_wait_side_by_side(loop: BackgroundLoop) -> None:
    started = time.monotonic()
    with ThreadPoolExecutor(20) as pool:
        found = list(pool.map(lambda n: loop.run(nap(0.1, n)), range(20)))
    assert found == list(range(20))
    assert time.monotonic() - started < 1.0
    assert sum(thread.name == "llm-calls" for thread in threading.enumerate()) >= 1


def test_errors_come_through(loop: BackgroundLoop) -> None:
    async def fail() -> None:
        raise KeyError("no")

    with pytest.raises(KeyError, match="no"):
        loop.run(fail())


def test_interrupting(loop: BackgroundLoop) -> None:
    threading.Timer(0.1, loop.interrupt).start()
    with pytest.raises(CancelledError):
        loop.run(nap(30))
    assert loop.run(nap(0, 3)) == 3


def test_closing_cancels_and_runs_the_last_one() -> None:
    loop, done = BackgroundLoop(), []

    async def last() -> None:
        done.append(True)

    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(loop.run, nap(30))
        while not loop._pending:
            time.sleep(0.01)
        loop.close(last())
        with pytest.raises(CancelledError):
            waiting.result(timeout=2)
    assert done == [True]
    loop.close()


def test_closing_in_its_own_thread_does_not_wait_for_itself() -> None:
    """As when the garbage collector happens to run there."""
    loop, done = BackgroundLoop(), threading.Event()

    async def last() -> None:
        done.set()

    async def close() -> None:
        loop.close(last())
        await asyncio.sleep(30)

    with pytest.raises(CancelledError):
        loop.run(close())
    assert done.wait(2)
    assert loop.run(nap(0, 3)) == 3
    loop.close()


def test_closing_what_never_ran_starts_no_thread() -> None:
    loop, n_threads = BackgroundLoop(), threading.active_count()
    loop.close(nap(30))
    assert threading.active_count() == n_threads


def test_an_interrupted_wait_cancels_the_coroutine(
    loop: BackgroundLoop, monkeypatch: pytest.MonkeyPatch
) -> None:
    cancelled = threading.Event()

    async def long() -> None:
        try:
            await asyncio.sleep(30)
        except asyncio.CancelledError:
            cancelled.set()
            raise

    submit = asyncio.run_coroutine_threadsafe

    def interrupted(coroutine, event_loop):
        future = submit(coroutine, event_loop)

        def result(timeout=None):
            time.sleep(0.1)
            raise KeyboardInterrupt

        monkeypatch.setattr(future, "result", result)
        return future

    monkeypatch.setattr(asyncio, "run_coroutine_threadsafe", interrupted)
    with pytest.raises(KeyboardInterrupt):
        loop.run(long())
    assert cancelled.wait(2)
