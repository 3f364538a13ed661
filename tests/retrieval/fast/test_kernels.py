"""Which kernels are used, where compiled code is kept, and many readers at once."""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from pathlib import Path

import pytest

from rememberer_nb.memory import ExperienceMemory
from rememberer_nb.retrieval.fast import kernels, plain
from rememberer_nb.testing.bench.states import StateMaker

needs_numba = pytest.mark.skipif(
    not kernels.has_compiled(), reason="numba is missing: pip install 'rememberer-nb[fast]'"
)


def run(code: str, **environment: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, text=True, capture_output=True, check=True
    )
    return done.stdout.strip()


def test_small_memories_and_importing_load_no_numba() -> None:
    code = (
        "import sys, rememberer_nb; from rememberer_nb.memory import ExperienceMemory as M;"
        "m = M(); [m.insert(f'g{i}', f'page {i}') for i in range(100)];"
        "next(m.retrieve('g1', 'page 7')); print('numba' in sys.modules)"
    )
    assert run(code) == "False"


def test_the_switch_turns_compiled_code_off() -> None:
    code = (
        "from rememberer_nb.retrieval.fast.kernels import has_compiled, kernels;"
        "print(has_compiled(), kernels(10**6).__name__)"
    )
    assert run(code, REMEMBERER_NB_FAST="0") == "False rememberer_nb.retrieval.fast.plain"


@needs_numba
def test_large_memories_use_compiled_code() -> None:
    assert kernels.kernels(kernels.MIN_ROWS - 1) is plain
    assert kernels.kernels(kernels.MIN_ROWS).__name__.endswith("compiled")


@needs_numba
@pytest.mark.slow
def test_compiled_code_is_kept_in_the_users_cache(tmp_path: Path) -> None:
    code = (
        "import numba, numpy as np; before = numba.config.CACHE_DIR;"
        "from rememberer_nb.retrieval.fast import compiled;"
        "compiled._hash_terms(np.arange(3, dtype=np.int32)); print(numba.config.CACHE_DIR==before)"
    )
    assert run(code, XDG_CACHE_HOME=str(tmp_path)) == "True"
    assert list((tmp_path / "rememberer_nb" / "numba").rglob("*.nbi"))


def test_many_readers_at_once() -> None:
    """Nothing is shared between queries: threads get what one after the other gets."""
    maker = StateMaker(6_000, seed=3)
    memory = ExperienceMemory()
    for task, page in maker.states(6_000):
        memory.insert(task, page)
    queries = [*maker.states(60)] * 3

    def ask(query: tuple[str, str]) -> list[tuple[int, float]]:
        hits = islice(memory.retrieve(*query), 5)
        return [(hit.record.record_id, hit.total) for hit in hits]

    wanted = [ask(query) for query in queries]
    with ThreadPoolExecutor(8) as threads:
        assert list(threads.map(ask, queries)) == wanted
