"""JupyterLab as the kit needs it: for this machine only, nothing fetched from outside."""

import os
import signal
import sys
from pathlib import Path
from urllib.parse import quote

from labkit.errors import InputError
from labkit.processes import run_in_foreground
from labkit.staff_view import FOLDER_VARIABLE, START_VARIABLE, address
from labkit.views import offscreen

_SETTINGS = Path(__file__).parent / "jupyter"


def lab_command(
    folder: Path, notebook: Path, *, browser: bool = True, port: int = 0, staff: bool = False
) -> tuple[list[str], dict[str, str]]:
    """The command that starts JupyterLab, and the environment it needs.

    The server listens on 127.0.0.1, asks for a token, and looks for neither news
    nor updates nor extensions.  The kit's settings come first on Jupyter's search
    path: widget callbacks run on the kernel's main thread (JupyterLab's own default
    is a side thread, where drawings come out black; jupyterlab issue 19719).

    Parameters
    ----------
    folder : what JupyterLab shows; it reaches nothing above it.
    notebook : what it opens, inside ``folder``; a relative path starts there.
    browser : open a browser, too.
    port : 0 takes 8888, or the next that is free.
    staff : open the notebook without its code (`labkit.staff_view`).

    Raises
    ------
    InputError
        No such notebook, or it lies outside the folder.
    """
    root = folder.absolute()
    path = root / notebook
    if not path.is_file() or not path.is_relative_to(root) or ".." in path.parts:
        raise InputError(
            f"no notebook {notebook} in the lab's folder",
            expected="a notebook inside it",
            where=str(root),
            fix="run `labkit lab` in the folder that holds notebooks/",
        )
    page = path.relative_to(root)
    shown = address(page) if staff else f"lab/tree/{quote(page.as_posix())}"
    command = [
        *(sys.executable, "-m", "jupyterlab"),
        f"--ServerApp.root_dir={root}",
        "--ServerApp.ip=127.0.0.1",
        f"--ServerApp.open_browser={browser}",
        "--ServerApp.allow_remote_access=False",
        f"--LabApp.default_url=/{shown}",
        "--LabApp.news_url=None",
        "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate",
        "--LabApp.extension_manager=readonly",
    ]
    if port:
        command += [f"--ServerApp.port={port}", "--ServerApp.port_retries=0"]
    if os.name == "posix":
        command.append("--KernelManager.transport=ipc")  # other users cannot reach the kernels
        if os.geteuid() == 0:
            command.append("--allow-root")
    environment = {**os.environ, **offscreen.environment(), "PYTHONHASHSEED": "0"}
    if not environment.get("JUPYTER_TOKEN"):  # an empty one would open the server to everyone
        environment.pop("JUPYTER_TOKEN", None)
    # settings of JupyterLab and Voilà; the page that has no code; pictures that keep their words
    for searched in ("JUPYTER_CONFIG_PATH", "JUPYTER_PATH"):
        places = [str(_SETTINGS), environment.get(searched, "")]
        environment[searched] = os.pathsep.join(filter(None, places))
    environment[FOLDER_VARIABLE], environment[START_VARIABLE] = str(root), page.as_posix()
    return command, environment


def open_lab(
    folder: Path, notebook: Path, *, browser: bool = True, port: int = 0, staff: bool = False
) -> int:
    """The exit code of JupyterLab, after it ran in the foreground until it was stopped.

    Parameters and errors are those of `lab_command`.
    """
    command, environment = lab_command(folder, notebook, browser=browser, port=port, staff=staff)
    # Ctrl-C is for JupyterLab, which asks and then stops its kernels; not for us
    before = signal.signal(signal.SIGINT, lambda *_: None)
    try:
        return run_in_foreground(command, environment)
    finally:
        signal.signal(signal.SIGINT, before)
