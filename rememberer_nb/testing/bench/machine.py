"""What every benchmark needs to say: on which machine, how long, how much memory."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from rememberer_nb.errors import RemembererError


def machine() -> str:
    """What the figures were taken on, in one line."""
    cpu = platform.processor() or platform.machine()
    return f"{cpu}, {os.cpu_count()} cores, Python {platform.python_version()}"


def timing(durations_s: Sequence[float]) -> dict[str, float]:
    """median_ms and p99_ms of single calls, and calls per second over all of them.

    >>> timing([0.001, 0.001, 0.004])["median_ms"]
    1.0
    """
    times = np.asarray(durations_s)
    return {
        "median_ms": float(np.median(times) * 1e3),
        "p99_ms": float(np.quantile(times, 0.99) * 1e3),
        "per_s": float(len(times) / times.sum()),
    }


def peak_mib() -> float:
    """The most memory that this process has held so far, in MiB; maps of files count as touched.

    >>> peak_mib() > 10
    True
    """
    status = Path("/proc/self/status")
    if status.exists():
        # `getrusage` would count what the parent held when it started this process.
        lines = status.read_text().splitlines()
        return int(next(line for line in lines if line.startswith("VmHWM:")).split()[1]) / 1024
    import resource

    # macOS counts in bytes, others in KiB.
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 2**20


def in_fresh_process(module: str, task: str, **settings: Any) -> dict[str, Any]:
    """What ``python -m module task SETTINGS`` prints as JSON; its progress goes to standard error.

    A process of its own, so that nothing else is counted. The settings reach it as JSON, with
    `started`, the time of the call in seconds since the epoch.
    """
    content = json.dumps({"started": time.time(), **settings})
    command = [sys.executable, "-m", module, task, content]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True)
    if done.returncode:
        raise RemembererError(f"the benchmark's process for {task!r} failed")
    return json.loads(done.stdout)  # type: ignore[no-any-return]
