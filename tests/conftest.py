"""Shared fixtures and options."""

from __future__ import annotations

import importlib.util
import os
import signal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

_HERE = Path(__file__).resolve().parent

# A shell without job control lets what it starts with & ignore Ctrl-C, and so would the processes
# that the tests interrupt.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

_QUIET: dict[str, Any] = {"deadline": None, "suppress_health_check": [HealthCheck.too_slow]}
# The same examples every time; each night others, and more of them. The plugin of hypothesis knows
# them as --hypothesis-profile, too, and has the last word.
settings.register_profile("suite", derandomize=True, **_QUIET)
settings.register_profile("nightly", derandomize=False, max_examples=1000, **_QUIET)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "suite"))


def pytest_addoption(parser: pytest.Parser) -> None:
    """Where the recorded conformance vectors are."""
    default = os.environ.get("REMEMBERER_CONFORMANCE_DIR") or _HERE.parent.parent / "shared/data"
    parser.addoption(
        "--conformance-dir",
        type=Path,
        default=Path(default),
        help="folder of recorded vectors (default: $REMEMBERER_CONFORMANCE_DIR or ../shared/data)",
    )


@pytest.fixture(scope="session")
def wordllama() -> None:
    """Skips where the extra is absent; the package is not imported, since that sets up logging."""
    if importlib.util.find_spec("wordllama") is None:
        pytest.skip("needs the extra: pip install 'rememberer-nb[embed]'")


@pytest.fixture(scope="session")
def conformance_dir(request: pytest.FixtureRequest) -> Path:
    """The folder of recorded vectors; skips where it is absent."""
    folder = request.config.getoption("--conformance-dir")
    if not folder.is_dir():
        pytest.skip(f"no recorded vectors in {folder}: give --conformance-dir")
    return folder
