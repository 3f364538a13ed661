"""Stops: SIGTERM taken like Ctrl-C, and worker processes that never outlive their parent."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

_POLL_S = 0.2


class Terminated(KeyboardInterrupt):
    """A SIGTERM came: whatever handles Ctrl-C handles this, too.

    >>> Terminated.name, str(Terminated())
    ('terminated', 'terminated')
    """

    name = "terminated"

    def __init__(self) -> None:
        super().__init__("terminated")


@contextmanager
def sigterm_interrupts() -> Iterator[None]:
    """Within it, the first SIGTERM raises `Terminated` in the main thread; a second one kills.

    Outside of the main thread, or where SIGTERM is handled already, nothing changes.
    """
    is_free = signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
    if not is_free or threading.current_thread() is not threading.main_thread():
        yield
        return

    def stop(number: int, _: object) -> None:
        signal.signal(number, signal.SIG_DFL)
        raise Terminated

    signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)


def end_with_parent(parent: int) -> None:
    """Called in a worker process: it ends when its parent has ended, whatever it is at.

    Ctrl-C, which a terminal sends to the workers as well, is left to the parent.

    Parameters
    ----------
    parent : the parent's process id, as the parent knows it: it may be gone already.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_watch, args=(parent,), daemon=True).start()


def _watch(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(_POLL_S)
    os._exit(1)
