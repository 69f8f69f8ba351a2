"""OctoPrint for the practice printer, installed in an environment of its own.

OctoPrint 1.11.8 asks for ``netifaces``, which has no wheels for today's Pythons and
needs a C compiler.  ``octoprint.lock`` leaves it out and holds ``netifaces2``, whose
wheels bring the same module and which OctoPrint's own code knows.  So the lock is
complete, is installed without resolving (``--no-deps``), from wheels only, by hash.
"""

import hashlib
import os
import shutil
import sys
from collections.abc import Callable
from importlib.resources import as_file, files
from pathlib import Path

from filelock import FileLock

from labkit import processes
from labkit.errors import ToolError, ToolMissingError
from labkit.files import storage_errors, write_whole

VERSION = "1.11.8"
_LOCK = files("labkit.printing") / "octoprint.lock"


def _ours() -> Path:
    return processes.tools_folder() / f"octoprint-{VERSION}"


def server_program() -> Path:
    """The ``octoprint`` executable: ``LABKIT_OCTOPRINT``, else the one that the kit installed.

    Raises
    ------
    ToolMissingError
        Neither is there.
    """
    chosen = os.environ.get("LABKIT_OCTOPRINT")
    scripts = _ours() / ("Scripts" if os.name == "nt" else "bin")
    found = shutil.which(chosen) if chosen else shutil.which("octoprint", path=str(scripts))
    if found is None or (not chosen and not _is_installed()):
        raise ToolMissingError(
            f"no practice server at {chosen}" if chosen else "the practice server is not installed",
            expected=f"OctoPrint {VERSION}",
            where=str(chosen or _ours()),
            fix="correct LABKIT_OCTOPRINT" if chosen else "run `labkit doctor`: it names the way",
        )
    return Path(found)


def _is_installed() -> bool:
    mark = _ours() / "installed"
    return mark.is_file() and mark.read_text() == hashlib.sha256(_LOCK.read_bytes()).hexdigest()


def install_server(say: Callable[[str], None]) -> Path:
    """OctoPrint in an environment of its own, from the locked wheels; its executable.

    Takes seconds with uv, a minute or two with pip, about 200 MB, the internet (or
    the index that pip is configured for), no C compiler.  Does nothing when it is
    there already.

    Raises
    ------
    ToolMissingError
        This Python is newer than OctoPrint allows and no older one is on PATH.
    ToolError
        The download or the installation failed; the next try begins afresh.
    """
    if os.environ.get("LABKIT_OCTOPRINT"):
        return server_program()
    folder = _ours()
    with storage_errors(folder):
        folder.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(f"{folder}.lock"):
        if not _is_installed():
            say(f"Installing OctoPrint {VERSION} (the practice server), once.")
            with storage_errors(folder):
                shutil.rmtree(folder, ignore_errors=True)
            with as_file(_LOCK) as lock:
                _install(folder, lock)
            mark = hashlib.sha256(_LOCK.read_bytes()).hexdigest()
            write_whole(folder / "installed", mark)
    return server_program()


def _install(folder: Path, lock: Path) -> None:
    python = folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    rules: list[str | Path] = ["--no-deps", "--require-hashes", "--only-binary", ":all:"]
    beside = shutil.which("uv", path=str(Path(sys.executable).parent))
    uv = Path(beside) if beside else processes.find_program("uv")
    if uv is not None:
        steps: list[list[str | Path]] = [
            [uv, "venv", "--python", _python(), folder],
            [uv, "pip", "install", "--python", python, *rules, "-r", lock],
        ]
    else:
        steps = [
            [_python(), "-m", "venv", folder],
            [python, "-m", "pip", "install", *rules, "-r", lock],
        ]
    for step in steps:
        done = processes.run(step, timeout_s=900)
        if done.exit_code != 0:
            last = (done.errors.strip() or done.output.strip() or "nothing said").splitlines()[-3:]
            raise ToolError(
                f"the practice server could not be installed: {' '.join(last)[:500]}",
                expected=f"OctoPrint {VERSION} from {lock.name}",
                where=str(folder),
                fix="check the connection to the package index and run again",
            )


def _python() -> Path:
    """A Python that OctoPrint 1.11.8 allows: below 3.14."""
    if sys.version_info < (3, 14):
        return Path(sys.executable)
    if found := processes.find_program("python3.13", "python3.12", "python3.11"):
        return found
    raise ToolMissingError(
        f"Python {sys.version_info.major}.{sys.version_info.minor} only",
        expected=f"a Python from 3.11 to 3.13, which OctoPrint {VERSION} needs",
        fix="install one beside this one, or name an OctoPrint in LABKIT_OCTOPRINT",
    )
