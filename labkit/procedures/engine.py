"""Notebooks without a person: papermill with a kernel that cannot keep it waiting.

papermill's own engine sometimes waits for ever for a reply that has long arrived: a
message sent on the same socket takes the wake-up away (nbclient issue 312).  Here
every wait is cut into slices, and after each the socket is looked at again.
"""

import asyncio
import contextlib
import logging
import math
import os
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from pathlib import Path
from queue import Empty
from typing import Any

import nbformat
import papermill
from ipykernel.kernelspec import get_kernel_dict
from jupyter_client.asynchronous.client import AsyncKernelClient
from jupyter_client.channels import AsyncZMQSocketChannel
from jupyter_client.kernelspec import KernelSpec, KernelSpecManager
from jupyter_client.manager import AsyncKernelManager
from jupyter_core.utils import run_sync
from nbclient.exceptions import CellTimeoutError
from papermill.clientwrap import PapermillNotebookClient
from papermill.engines import Engine, papermill_engines
from papermill.exceptions import PapermillExecutionError
from traitlets import Type

from labkit.errors import InputError, LabkitError, ParameterError, ToolError
from labkit.files import storage_errors
from labkit.views import offscreen

SLICE_S = 0.5
"""How long one look at a socket lasts."""

STOP_S = 5.0
"""How long a cell that was interrupted is given to end what it started."""

OnCell = Callable[[int, int, str, Sequence[str]], None]
"""Told before each code cell: its number from 1, how many there are, its heading, and
the names of the cells still to run, itself the first."""

INJECTED = "injected-parameters"
"""Stands for the cell that papermill puts in, whose own name is another one each time."""

_log = logging.getLogger(__name__)
_log.addHandler(logging.NullHandler())


class _SlicedChannel(AsyncZMQSocketChannel):
    """A channel to the kernel that looks again after every `SLICE_S`."""

    async def get_msg(  # type: ignore[override]  # as in jupyter_client itself
        self, timeout: float | None = None
    ) -> dict[str, Any]:
        end = math.inf if timeout is None else time.monotonic() + timeout
        while True:
            left = end - time.monotonic()
            try:
                return await super().get_msg(timeout=max(0.0, min(SLICE_S, left)))
            except Empty:
                if left <= SLICE_S:
                    raise


class _SlicedKernelClient(AsyncKernelClient):
    shell_channel_class = Type(_SlicedChannel)
    iopub_channel_class = Type(_SlicedChannel)


class _ThisPython(KernelSpecManager):
    """Kernels run this very Python, whatever the user's own kernel specs say."""

    def get_kernel_spec(self, kernel_name: str) -> KernelSpec:
        return KernelSpec(**get_kernel_dict())


class _KernelManager(AsyncKernelManager):
    client_factory = Type(_SlicedKernelClient)

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        self.kernel_spec_manager = _ThisPython()


class _Client(PapermillNotebookClient):  # type: ignore[misc]  # papermill is untyped
    """One notebook with its kernel; ``room`` is a short-lived folder of its own."""

    def __init__(self, notebook: Any, room: Path, **settings: Any) -> None:
        self.room = room
        self.kernel_exit: int | None = None
        super().__init__(notebook, **settings)

    def create_kernel_manager(self) -> AsyncKernelManager:
        self.km = _KernelManager(
            kernel_name=self.kernel_name, connection_file=str(self.room / "kernel.json")
        )
        if os.name == "posix":  # files in a folder of our own: no other user can connect
            self.km.transport, self.km.ip = "ipc", str(self.room / "k")
        return self.km

    def papermill_execute_cells(self) -> None:
        try:
            super().papermill_execute_cells()
        except BaseException as error:
            process = getattr(self.km.provisioner, "process", None)
            self.kernel_exit = process.poll() if process else None
            self.shutdown_kernel = "immediate"
            run_sync(_end_other_tasks)()  # else asyncio complains of them on stderr
            if isinstance(error, KeyboardInterrupt | CellTimeoutError):
                run_sync(self._ask_to_stop)()
            raise

    async def _ask_to_stop(self) -> None:
        """Interrupt the cell and wait for its end, as it may have a program to stop.

        A slicer has a session of its own and would outlive a kernel that is only killed,
        and so would its temporary folder, which holds a patient's part.
        """
        with contextlib.suppress(Exception):  # a dead kernel, or one that does not answer
            await self.km.interrupt_kernel()
            await self.kc.get_shell_msg(timeout=STOP_S)

    # The two below: no widget state in the executed notebook (it can hold a whole
    # volume).  `store_widget_state` alone breaks nbclient at an Output widget.
    def reset_execution_trackers(self) -> None:
        super().reset_execution_trackers()
        self.widget_state: dict[str, dict[str, Any]] = defaultdict(dict)

    def set_widgets_metadata(self) -> None:
        pass


async def _end_other_tasks() -> None:
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)


class LabEngine(Engine):  # type: ignore[misc]  # papermill is untyped
    """The engine behind ``papermill --engine labkit``."""

    @classmethod
    def execute_managed_notebook(
        cls,
        nb_man: Any,
        kernel_name: str,
        *,
        environment: Mapping[str, str] | None = None,
        folder: Path | None = None,
        execution_timeout: float = 3600,
        on_cell: OnCell | None = None,
        **_: Any,
    ) -> Any:
        """The executed notebook; ``execution_timeout``, in seconds, bounds all of it."""
        end = time.monotonic() + execution_timeout
        with tempfile.TemporaryDirectory(prefix="labkit-", ignore_cleanup_errors=True) as room:
            client = _Client(
                nb_man,
                Path(room),
                kernel_name=kernel_name,
                timeout=execution_timeout,
                timeout_func=lambda _cell: max(0.1, end - time.monotonic()),
                startup_timeout=120,
                iopub_timeout=60,  # nbclient gives up after 4 s, and then blames the cell
                store_widget_state=False,
                on_cell_execute=_teller(nb_man.nb, on_cell),
                log=_log,
            )
            told = {
                **os.environ,
                **offscreen.environment(),
                "PYTHONHASHSEED": "0",
                "IPYTHONDIR": str(Path(room) / "ipython"),  # no start-up files of the user's
                "PYDEVD_DISABLE_FILE_VALIDATION": "1",  # no warning of frozen modules
                **(environment or {}),
            }
            said = Path(room) / "kernel.log"
            with said.open("wb") as stream:
                try:
                    return client.execute(env=told, cwd=folder, stdout=stream, stderr=stream)
                except RuntimeError as error:  # nbclient's and jupyter_client's word for it
                    raise _KernelEndedError(client.kernel_exit, _last_words(said)) from error


papermill_engines.register("labkit", LabEngine)


class _KernelEndedError(Exception):
    """The kernel ended by itself, with this exit code and these last words."""


def _last_words(path: Path) -> str:
    lines = path.read_text(encoding="utf-8", errors="replace").split("\n")
    return " / ".join(line.strip() for line in lines if line.strip())[:300]


def _teller(notebook: Any, on_cell: OnCell | None) -> Callable[..., None]:
    """What nbclient calls before each code cell, turned into ``on_cell``."""
    titles: dict[int, str] = {}
    names: list[str] = []
    heading = ""
    for index, cell in enumerate(notebook.cells):
        if cell.cell_type == "code" and cell.source.strip():
            titles[index] = heading
            tags = cell.metadata.get("tags", [])
            names.append(INJECTED if INJECTED in tags else cell.get("id", ""))
        elif cell.cell_type == "markdown":
            heads = [line for line in cell.source.splitlines() if line.startswith("#")]
            heading = heads[-1].lstrip("# ").strip() if heads else heading
    numbers = {index: number for number, index in enumerate(titles, start=1)}

    def tell(*, cell: Any, cell_index: int) -> None:
        if on_cell is not None:
            number = numbers[cell_index]
            on_cell(number, len(numbers), titles[cell_index], names[number - 1 :])

    return tell


def run_notebook(
    source: Path,
    output: Path,
    parameters: Mapping[str, Any],
    *,
    folder: Path,
    environment: Mapping[str, str],
    timeout_s: float,
    family: Collection[str] = (),
    on_cell: OnCell | None = None,
) -> None:
    """Run a notebook in a fresh kernel; the executed one is at ``output``, failed or not.

    Parameters
    ----------
    source : the notebook; it is not changed.
    output : where the executed notebook goes, written after every cell.
    parameters : values for its parameters cell.
    folder : the kernel's working directory.
    environment : more environment variables for the kernel.
    timeout_s : seconds for the whole notebook.
    family : names that the notebook takes though its parameters cell, which holds what
        all families have in common, does not list them.
    on_cell : told of each code cell before it runs: number, how many, heading, and the
        names of those still to run.

    Raises
    ------
    InputError
        ``source`` is not a notebook.
    ParameterError
        The notebook's parameters cell has no such name.
    LabkitError
        The one that a cell raised, of its own kind.
    ToolError
        A cell failed in any other way, time ran out, or the kernel died.
    StorageError
        The executed notebook could not be written.
    """
    _check_parameters(source, set(parameters) - set(family))
    try:
        with storage_errors(output), _names_checked_above():
            papermill.execute_notebook(
                str(source),
                str(output),
                dict(parameters),
                engine_name="labkit",
                kernel_name="python3",
                language="python",
                progress_bar=False,
                folder=folder,
                environment=environment,
                execution_timeout=timeout_s,
                on_cell=on_cell,
            )
    except PapermillExecutionError as error:
        raise _cell_failed(error, source, output) from error
    except CellTimeoutError as error:
        raise ToolError(
            f"{source.name} had not ended after {timeout_s:g} s and was stopped",
            expected="an end within that time",
            where=str(output),
            fix="look at its last cell; try again when the machine is less busy",
        ) from error
    except _KernelEndedError as error:
        raise _kernel_died(error, source, output) from error


@contextlib.contextmanager
def _names_checked_above() -> Iterator[None]:
    """Without papermill's warning of each name that the parameters cell lacks.

    It would tell a person that each parameter of a family is unknown.
    """

    def other(said: logging.LogRecord) -> bool:
        return not said.getMessage().startswith("Passed unknown parameter")

    log = logging.getLogger("papermill")
    log.addFilter(other)
    try:
        yield
    finally:
        log.removeFilter(other)


def _check_parameters(source: Path, parameters: Collection[str]) -> None:
    # papermill itself only logs a warning for a name that the notebook does not have
    try:
        known = papermill.inspect_notebook(str(source))
    except (OSError, ValueError, nbformat.ValidationError) as error:
        raise InputError(
            f"{source.name} cannot be read as a notebook ({error})",
            expected="one of the kit's notebooks",
            where=str(source.parent),
            fix="get the notebook again from where the kit came from",
        ) from error
    for name in sorted(parameters):
        if name not in known:
            raise ParameterError(
                f"{source.name} has no parameter {name!r}",
                expected="one of " + ", ".join(known),
                where=source.name,
                fix="correct the name or leave it out",
            )


def _cell_failed(error: PapermillExecutionError, source: Path, output: Path) -> LabkitError:
    if ours := LabkitError.from_notebook(error.ename, error.traceback):
        return ours
    return ToolError(
        f"cell {error.exec_count} of {source.name} failed: {error.ename}: {error.evalue}",
        expected="every cell to run to its end",
        where=str(output),
        fix="open the executed notebook: the cell is marked; then report it as a fault of the kit",
    )


def _kernel_died(error: _KernelEndedError, source: Path, output: Path) -> ToolError:
    exit_code, words = error.args
    fix = "run the stage again; if it happens again, report what the notebook shows"
    if exit_code == -9:
        fix = "the machine is likely out of memory: close programs, or take a smaller scan"
    elif offscreen.window_class() is None:
        fix = (
            "it likely drew without a graphics library: on Debian or Ubuntu,"
            " apt install libegl1 libgl1-mesa-dri"
        )
    ending = "" if exit_code is None else f" (exit code {exit_code})"
    said = f"; its last words: {words}" if words else ""
    return ToolError(
        f"the kernel of {source.name} died{ending}{said}",
        expected="it to live until the last cell",
        where=str(output),
        fix=fix,
    )
