"""Many episodes at once, where only the waiting for the LLM overlaps.

Every episode runs in a thread of its own, but all of them hold one baton: whoever has it works
(environment, retrieval, prompt), and puts it down just for the time of its call. So nothing but an
LLM has to bear several threads at once, and each slot has at most one call in flight.

A stop is prompt: calls in flight are given up where the LLM can (`llms.interrupt`), no other is
begun, and results that are finished have been handed over already.
"""

from __future__ import annotations

import copy
import functools
import threading
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass
from queue import SimpleQueue
from typing import Any, TypeVar

from rememberer_nb.elements import Prompt, Reply
from rememberer_nb.errors import ConfigError, LLMStopError
from rememberer_nb.llms import LLM, interrupt

Worker = TypeVar("Worker")
Job = TypeVar("Job")
Result = TypeVar("Result")
Agent = TypeVar("Agent")


class Baton:
    """Who holds it works. `stop` lets nobody begin anything more.

    >>> with Baton() as baton:
    ...     baton.check()
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._is_stopped = False
        self.last_word: LLMStopError | None = None

    def __enter__(self) -> Baton:
        self._lock.acquire()
        return self

    def __exit__(self, *_: object) -> None:
        self._lock.release()

    @contextmanager
    def put_down(self) -> Iterator[None]:
        """Others may work in the meantime."""
        self._lock.release()
        try:
            yield
        finally:
            self._lock.acquire()

    def stop(self) -> None:
        """Nobody is to work any more."""
        self._is_stopped = True

    def check(self) -> None:
        """Raise `CancelledError` once the run is stopped."""
        if self._is_stopped:
            raise CancelledError


class WaitingLLM:
    """An LLM whose caller puts the baton down while it waits.

    After an `LLMStopError` no other call is begun: each raises the same.
    """

    def __init__(self, inner: LLM, baton: Baton):
        self.inner = inner
        self.baton = baton
        self.name = inner.name

    def complete(self, prompt: Prompt, *, seed: int = 0) -> Reply:
        """The inner LLM's reply."""
        word = self.baton.last_word
        if word is not None:
            raise type(word)(str(word))
        try:
            with self.baton.put_down():
                reply = self.inner.complete(prompt, seed=seed)
        except LLMStopError as error:
            self.baton.last_word = self.baton.last_word or error
            raise
        finally:
            self.baton.check()
        return reply


@dataclass(frozen=True, slots=True)
class Slots:
    """How many episodes may be under way at once, each with an environment of its own.

    Parameters
    ----------
    n : at most so many, and so many LLM calls in flight.
    make_env : makes the environments of all slots but the first.

    >>> len(Slots(8, object).environments(object(), n_jobs=3))
    3
    """

    n: int = 1
    make_env: Callable[[], Any] | None = None

    def __post_init__(self) -> None:
        if self.n < 1:
            raise ConfigError(f"there must be a slot at least, got {self.n!r}")
        if self.n > 1 and self.make_env is None:
            raise ConfigError("several slots need make_env: each has an environment of its own")

    def environments(self, env: Any, n_jobs: int) -> list[Any]:
        """`env` and as many others as `n_jobs` can make use of."""
        make = self.make_env or (lambda: env)
        return [env, *(make() for _ in range(min(self.n, n_jobs) - 1))]


def run_jobs(
    jobs: Sequence[Job],
    work: Callable[[Worker, Agent, Job], Result],
    workers: Sequence[Worker],
    agent: Agent,
) -> Generator[tuple[int, Result], None, None]:
    """Do the jobs, as many at a time as there are workers; yields (number of the job, result).

    Parameters
    ----------
    jobs : begun in order; results come as they are finished.
    work : called as `work(worker, agent, job)`, each worker in one call at a time.
    agent : whose `llm`, if it has one, is what is waited for.

    Raises
    ------
    LLMStopError : from a job; the jobs under way are let run as far as they get without the LLM.
    Anything else that a job raises, and KeyboardInterrupt, at once.

    Examples
    --------
    >>> done = run_jobs([3, 4], lambda unit, agent, job: f"{job} {unit}", ["m"], object())
    >>> list(done)
    [(0, '3 m'), (1, '4 m')]
    """
    if not workers:
        raise ConfigError("there must be a worker at least")
    baton = Baton()
    do = functools.partial(_do, work, baton, _queue(workers), _waiting(agent, baton))
    pool = ThreadPoolExecutor(len(workers), thread_name_prefix="episode")
    numbers = {pool.submit(do, job): number for number, job in enumerate(jobs)}
    is_finished = False
    try:
        yield from _finished(numbers, baton)
        is_finished = True
    finally:
        baton.stop()
        if not is_finished and hasattr(agent, "llm"):
            interrupt(agent.llm)
        pool.shutdown(wait=is_finished, cancel_futures=True)


def _do(
    work: Callable[[Worker, Agent, Job], Result],
    baton: Baton,
    free: SimpleQueue[Worker],
    agent: Agent,
    job: Job,
) -> Result:
    with baton:
        baton.check()
        if baton.last_word is not None:
            raise CancelledError
        worker = free.get()
        try:
            return work(worker, agent, job)
        finally:
            free.put(worker)


def _queue(workers: Sequence[Worker]) -> SimpleQueue[Worker]:
    queue: SimpleQueue[Worker] = SimpleQueue()
    for worker in workers:
        queue.put(worker)
    return queue


def _waiting(agent: Agent, baton: Baton) -> Agent:
    """The agent with an LLM for which the baton is put down."""
    own = copy.copy(agent)
    if hasattr(agent, "llm"):
        own.llm = WaitingLLM(agent.llm, baton)  # type: ignore[attr-defined]
    return own


def _finished(numbers: dict[Future[Any], int], baton: Baton) -> Iterator[tuple[int, Any]]:
    for future in as_completed(numbers):
        try:
            result = future.result()
        except (LLMStopError, CancelledError):
            if baton.last_word is None:
                raise
            continue
        yield numbers[future], result
    if baton.last_word is not None:
        raise baton.last_word
