"""One notebook run headless: papermill executes it, whatever its cells do.

What a cell prints is joined as it comes, in linear time, and clipped: a cell that prints 20 MB
leaves both ends of it and a word on what is left out. A kernel that dies, or a cell that takes too
long, fails the notebook like any other error. Nothing that a cell or its child processes print gets
into our own standard output.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import papermill
import zmq
from jupyter_client.asynchronous import AsyncKernelClient
from jupyter_client.kernelspec import NoSuchKernel
from jupyter_client.manager import AsyncKernelManager
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError
from nbformat.v4 import new_output
from papermill.clientwrap import PapermillNotebookClient
from papermill.engines import NBClientEngine, papermill_engines
from papermill.exceptions import PapermillExecutionError
from papermill.log import logger

from rememberer_nb.errors import NotebookError
from rememberer_nb.system.printable import LINE_LIMIT, brief
from rememberer_nb.teaching.clipping import Stream, clip_display, clip_error
from rememberer_nb.teaching.parameters import checked
from rememberer_nb.teaching.recorded import METRICS_MIME

_CELL_TIMEOUT_S = 600
# How far behind its kernel the client may be: a kernel prints faster than messages are read.
_IOPUB_TIMEOUT_S = 120
_STANDARD_ERROR = 2
# ZeroMQ drops what is sent faster than it is read, unless told otherwise at both ends.
_KERNEL_DROPS_NOTHING = (
    "--IPKernelApp.exec_lines=(lambda thread: thread.schedule("
    "lambda: thread.socket.set_hwm(0)))(get_ipython().kernel.iopub_thread)"
)
_DIED = "DeadKernelError"


class _KernelClient(AsyncKernelClient):
    """What its kernel prints faster than it is read waits without limit."""

    def connect_iopub(self, identity: bytes | None = None) -> Any:
        self.context.setsockopt(zmq.RCVHWM, 0)
        return super().connect_iopub(identity)


class QuietKernelManager(AsyncKernelManager):
    """Kernels over IPC sockets: no open ports, and ipykernel 7 has nothing to warn about."""

    def __init__(self, **settings: Any):
        super().__init__(**settings)
        self.transport = "ipc"
        self.client_factory = _KernelClient


class _Client(PapermillNotebookClient):
    """Runs the cells; what `coalesce_streams` does takes time in the square of a line's length."""

    def __init__(self, manager: Any, **settings: Any):
        super().__init__(manager, **settings)
        self._streams: dict[str, tuple[Any, Stream]] = {}
        self._n_shown = 0

    def execute(self, **settings: Any) -> Any:
        self.reset_execution_trackers()
        try:
            with self.setup_kernel(stdout=_STANDARD_ERROR, **settings):
                self._run_cells()
        finally:
            # A stop while the kernel was starting leaves it.
            if self.km is not None:
                self._cleanup_kernel()
        return self.nb

    def _run_cells(self) -> None:
        try:
            info = self.wait_for_reply(self.kc.kernel_info())
            self.nb.metadata["language_info"] = info["content"]["language_info"]
            self.papermill_execute_cells()
            self.set_widgets_metadata()
        except KeyboardInterrupt:
            self.shutdown_kernel = "immediate"
            raise

    def execute_cell(self, cell: Any, cell_index: int, **settings: Any) -> Any:
        self._streams, self._n_shown = {}, 0
        try:
            return super().execute_cell(cell, cell_index, **settings)
        except DeadKernelError as error:
            raise self._failed(cell, _DIED, f"the kernel died{self._last_words()}") from error
        except CellTimeoutError as error:
            is_lost = "IOPub" in str(error)
            text = "some output was lost" if is_lost else f"it took longer than {self.timeout} s"
            raise self._failed(cell, "CellTimeoutError", text) from error
        finally:
            _sort_streams(cell.get("outputs", []))

    def _failed(self, cell: Any, name: str, text: str) -> CellExecutionError:
        # A kernel that dies at once has not said which cell it was at.
        cell.execution_count = cell.execution_count or self.code_cells_executed
        cell.outputs.append(new_output("error", ename=name, evalue=text, traceback=[text]))
        return CellExecutionError(text, name, text)

    def _last_words(self) -> str:
        process = getattr(self.km.provisioner, "process", None)
        status = None if process is None else process.poll()
        if status is None:
            return ""
        return f" (signal {-status})" if status < 0 else f" (exit status {status})"

    def process_message(self, msg: Any, cell: Any, cell_index: int) -> Any:
        if msg["msg_type"] in ("display_data", "update_display_data", "execute_result"):
            self._n_shown += clip_display(msg["content"], self._n_shown)
        elif msg["msg_type"] == "error":
            clip_error(msg["content"])
        return super().process_message(msg, cell, cell_index)

    def output(self, outs: Any, msg: Any, display_id: Any, cell_index: int) -> Any:
        is_hooked = self.output_hook_stack[msg["parent_header"].get("msg_id")]
        if msg["msg_type"] != "stream" or is_hooked:
            return super().output(outs, msg, display_id, cell_index)
        content = msg["content"]
        out, stream = self._streams.get(content["name"], (None, Stream()))
        if self.clear_before_next_output or not any(each is out for each in outs):
            out, stream = super().output(outs, msg, display_id, cell_index), Stream()
            self._streams[content["name"]] = (out, stream)
        stream.add(content["text"])
        out["text"] = stream.text
        return out


def _sort_streams(outputs: list[Any]) -> None:
    """Standard output before standard error where they meet: which comes first is chance."""
    names = [output.get("name") for output in outputs]
    for i in range(len(names) - 1):
        if names[i : i + 2] == ["stderr", "stdout"]:
            outputs[i : i + 2] = reversed(outputs[i : i + 2])


class _Engine(NBClientEngine):
    @classmethod
    def execute_managed_notebook(cls, nb_man: Any, kernel_name: str, **_: Any) -> None:
        client = _Client(
            nb_man,
            kernel_name=kernel_name,
            kernel_manager_class=QuietKernelManager,
            timeout=_CELL_TIMEOUT_S,
            iopub_timeout=_IOPUB_TIMEOUT_S,
            extra_arguments=[_KERNEL_DROPS_NOTHING],
            log=logger,
        )
        client.execute()


papermill_engines.register("rememberer_nb", _Engine)


def run_notebook(
    path: Path, output: Path, parameters: dict[str, Any] | None = None, *, is_shown: bool = True
) -> dict[str, Any]:
    """Execute one notebook from a clean kernel and return its metrics.

    Parameters
    ----------
    path, output : the notebook, and where its executed copy goes (kept also when a cell fails).
    parameters : values for the `parameters` cell; what does not fit is a `ConfigError`.

    Returns
    -------
    dict
        What the notebook gave to `record_metrics`.

    Raises
    ------
    NotebookError : a cell failed or the kernel died; names notebook, cell and error.
    """
    parameters = checked(path, parameters or {})
    output.parent.mkdir(parents=True, exist_ok=True)
    try:
        notebook = papermill.execute_notebook(
            str(path),
            str(output),
            parameters=parameters,
            engine_name="rememberer_nb",
            kernel_name="python3",
            cwd=str(output.parent),
            progress_bar=is_shown,
        )
    except PapermillExecutionError as error:
        cause = brief(
            error.evalue if error.ename == _DIED else f"{error.ename}: {error.evalue}", LINE_LIMIT
        )
        raise NotebookError(
            f"{path.name}, cell {error.exec_count}: {cause} (see {output})",
            cell=error.exec_count,
            cause=cause,
            has_died=error.ename == _DIED,
        ) from error
    except (RuntimeError, NoSuchKernel) as error:
        cause = f"no kernel could be started: {brief(str(error), LINE_LIMIT)}"
        raise NotebookError(f"{path.name}: {cause}", cause=cause, has_died=True) from error
    return notebook_metrics(notebook)


def notebook_metrics(notebook: Any) -> dict[str, Any]:
    """What `record_metrics` left in a notebook's outputs, later calls winning."""
    metrics: dict[str, Any] = {}
    for output in all_outputs(notebook):
        metrics |= output.get("data", {}).get(METRICS_MIME, {})
    return metrics


def all_outputs(notebook: Any) -> list[Any]:
    """The outputs of all cells, in order."""
    return [output for cell in notebook.cells for output in cell.get("outputs", [])]
