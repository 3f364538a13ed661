"""One notebook, run headless: tiny ones that each prove one thing."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from rememberer_nb.errors import ConfigError, NotebookError
from rememberer_nb.teaching import headless
from rememberer_nb.teaching.clipping import MAX_TEXT
from rememberer_nb.teaching.headless import notebook_metrics, run_notebook
from rememberer_nb.teaching.report import write_html

RECORD = (
    "from rememberer_nb.teaching.recorded import record_metrics\nrecord_metrics(doubled=2 * number)"
)


def write_notebook(path: Path, *cells: str) -> Path:
    parameters = new_code_cell("number = 1", metadata={"tags": ["parameters"]})
    notebook = new_notebook(cells=[parameters, *(new_code_cell(cell) for cell in cells)])
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    notebook.metadata["kernelspec"] = kernel
    nbformat.write(notebook, path)
    return path


def outputs(path: Path) -> list[list]:
    """Per code cell, what it left."""
    notebook = nbformat.read(path, as_version=4)
    return [cell.outputs for cell in notebook.cells if cell.cell_type == "code"]


def run(tmp_path: Path, *cells: str) -> list[list]:
    path = write_notebook(tmp_path / "a.ipynb", *cells)
    run_notebook(path, tmp_path / "out.ipynb", is_shown=False)
    return outputs(tmp_path / "out.ipynb")


def test_parameters_go_in_and_metrics_come_out(tmp_path: Path) -> None:
    path = write_notebook(tmp_path / "a.ipynb", RECORD)
    output = tmp_path / "out" / "a.ipynb"
    assert run_notebook(path, output, {"number": 21}, is_shown=False) == {"doubled": 42}
    assert output.exists()


def test_an_unknown_parameter_fails_before_anything_runs(tmp_path: Path) -> None:
    path = write_notebook(tmp_path / "a.ipynb", RECORD)
    output = tmp_path / "out.ipynb"
    with pytest.raises(ConfigError, match=r"a\.ipynb has no parameter nubmer; it has number"):
        run_notebook(path, output, {"nubmer": 2}, is_shown=False)
    assert not output.exists()


def test_a_failing_cell_names_notebook_cell_and_error(tmp_path: Path) -> None:
    path = write_notebook(tmp_path / "a.ipynb", RECORD, "print('before')\n1 / 0", "1")
    output = tmp_path / "out.ipynb"
    with pytest.raises(NotebookError, match=r"a\.ipynb, cell 3: ZeroDivisionError: di") as caught:
        run_notebook(path, output, is_shown=False)
    error = caught.value
    assert (error.cell, error.cause, error.has_died) == (
        3,
        "ZeroDivisionError: division by zero",
        False,
    )
    assert notebook_metrics(nbformat.read(output, as_version=4)) == {"doubled": 2}
    assert outputs(output)[2][0].text == "before\n"
    assert outputs(output)[3] == []


def test_the_kernel_starts_without_warnings(tmp_path: Path, capfd) -> None:
    run(tmp_path, RECORD)
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize(
    ("cell", "cause"),
    [
        ("import os\nos._exit(3)", "the kernel died (exit status 3)"),
        ("import os\nos.kill(os.getpid(), 9)", "the kernel died (signal 9)"),
    ],
)
def test_a_kernel_that_dies_fails_the_notebook(tmp_path: Path, cell: str, cause: str) -> None:
    path = write_notebook(tmp_path / "a.ipynb", RECORD, cell, "1")
    output = tmp_path / "out.ipynb"
    with pytest.raises(NotebookError) as caught:
        run_notebook(path, output, is_shown=False)
    assert str(caught.value) == f"a.ipynb, cell 3: {cause} (see {output})"
    assert (caught.value.cell, caught.value.has_died) == (3, True)
    assert notebook_metrics(nbformat.read(output, as_version=4)) == {"doubled": 2}


def test_a_cell_that_takes_too_long_fails_the_notebook(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(headless, "_CELL_TIMEOUT_S", 1)
    path = write_notebook(tmp_path / "a.ipynb", "import time\ntime.sleep(60)")
    with pytest.raises(NotebookError, match="cell 2: CellTimeoutError: it took longer than 1 s"):
        run_notebook(path, tmp_path / "out.ipynb", is_shown=False)


def test_a_kernel_that_cannot_start_is_one_error(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv("PYTHONHOME", str(tmp_path))
    path = write_notebook(tmp_path / "a.ipynb", RECORD)
    with pytest.raises(NotebookError, match=r"a\.ipynb: no kernel could be started: "):
        run_notebook(path, tmp_path / "out.ipynb", is_shown=False)


def test_a_long_line_takes_no_longer_than_a_short_one(tmp_path: Path) -> None:
    started = time.process_time()
    _, (stream,) = run(tmp_path, "print('x' * 1_000_000)")
    assert time.process_time() - started < 3.0
    assert stream.text.startswith("x" * 50_000)
    assert f"[... {1_000_001 - MAX_TEXT:,} characters left out ...]" in stream.text
    assert len(stream.text) < MAX_TEXT + 100


@pytest.mark.slow
def test_20_mb_make_a_small_page(tmp_path: Path) -> None:
    show = "from IPython.display import HTML, display\n"
    cells = [
        "for _ in range(200): print('x' * 99_999)",
        "'x' * 20_000_000",
        show + "for _ in range(20): display(HTML('x' * 1_000_000))",
        "raise ValueError('x' * 20_000_000)",
    ]
    path = write_notebook(tmp_path / "a.ipynb", RECORD, *cells)
    with pytest.raises(NotebookError) as caught:
        run_notebook(path, tmp_path / "out.ipynb", is_shown=False)
    assert len(str(caught.value)) < 1000
    notebook = nbformat.read(tmp_path / "out.ipynb", as_version=4)
    assert notebook_metrics(notebook) == {"doubled": 2}
    shown = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    left_out = [o for o in shown if "left out: the cell shows" in str(o.get("data", ""))]
    # Each display is 1,000,034 characters with its text: nine fit into ten million.
    assert len(left_out) == 11
    write_html(notebook, tmp_path / "a.html", "a")
    assert (tmp_path / "a.html").stat().st_size < 12_000_000


def test_many_pieces_become_one_stream_each(tmp_path: Path) -> None:
    cell = (
        "import sys\nfor i in range(300):\n"
        "    print('warned', file=sys.stderr, flush=True)\n    print(i, flush=True)"
    )
    _, (out, err) = run(tmp_path, cell)
    assert (out.name, err.name) == ("stdout", "stderr")
    assert out.text == "".join(f"{i}\n" for i in range(300))
    assert err.text == "warned\n" * 300


@pytest.mark.slow
def test_what_is_printed_faster_than_it_is_read_is_not_dropped(tmp_path: Path) -> None:
    _, (out,) = run(tmp_path, "for i in range(10_000): print(i, flush=True)")
    assert out.text == "".join(f"{i}\n" for i in range(10_000))


def test_a_progress_bar_is_its_last_state(tmp_path: Path) -> None:
    cell = "for i in range(5): print(f'\\rstep {i}', end='', flush=True)\nprint('\\nend')"
    _, (out,) = run(tmp_path, cell)
    assert out.text == "step 4\nend\n"


def test_cleared_outputs_stay_cleared(tmp_path: Path) -> None:
    clear = "from IPython.display import clear_output\n"
    now, later = (
        clear + f"print('old')\nclear_output(wait={wait})\nprint('new')" for wait in (False, True)
    )
    _, (one,), (two,) = run(tmp_path, now, later)
    assert (one.text, two.text) == ("new\n", "new\n")


def test_what_child_processes_print_does_not_reach_our_output(tmp_path: Path, capfd) -> None:
    run(tmp_path, "import os, atexit\natexit.register(os.system, 'echo last words')")
    assert capfd.readouterr().out == ""


ALONE = """
import sys
from pathlib import Path
from rememberer_nb.teaching.headless import run_notebook
from rememberer_nb.system.stopping import sigterm_interrupts
with sigterm_interrupts():
    run_notebook(Path(sys.argv[1]), Path(sys.argv[2]), is_shown=False)
"""
SLEEPS = "import os, time\nopen('pid', 'w').write(str(os.getpid()))\ntime.sleep(60)"


@pytest.mark.slow
@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_no_kernel_is_left_behind(tmp_path: Path, sent: signal.Signals) -> None:
    path = write_notebook(tmp_path / "a.ipynb", SLEEPS)
    call = [sys.executable, "-c", ALONE, str(path), str(tmp_path / "out.ipynb")]
    process = subprocess.Popen(call, stderr=subprocess.DEVNULL)
    try:
        wait_until((tmp_path / "pid").exists, 60)
        wait_until(lambda: (tmp_path / "pid").read_text().isdigit(), 5)
        kernel = int((tmp_path / "pid").read_text())
        process.send_signal(sent)
        assert process.wait(10) != 0
        wait_until(lambda: not is_alive(kernel), 3)
    finally:
        process.kill()
        process.wait()


def wait_until(is_true, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not is_true():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    state = Path(f"/proc/{pid}/stat")
    return not state.exists() or state.read_text().rpartition(")")[2].split()[0] != "Z"


def test_markdown_has_no_metrics() -> None:
    assert notebook_metrics(new_notebook(cells=[new_markdown_cell("# hi")])) == {}


def test_a_file_that_is_no_notebook_is_one_error(tmp_path: Path) -> None:
    for text in ("my notes", "[1", ""):
        (tmp_path / "a.ipynb").write_text(text)
        with pytest.raises(NotebookError, match=r"a\.ipynb: is no notebook"):
            run_notebook(tmp_path / "a.ipynb", tmp_path / "out.ipynb", is_shown=False)
