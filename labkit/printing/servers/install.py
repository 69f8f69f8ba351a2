"""Server programs, each installed in an environment of its own from locked wheels.

A lock is complete and is installed without resolving (``--no-deps``), from wheels
only, by hash: no C compiler, and the same files everywhere.

OctoPrint 1.11.8 asks for ``netifaces``, which has no wheels for today's Pythons and
needs a C compiler.  ``octoprint.lock`` leaves it out and holds ``netifaces2``, whose
wheels bring the same module and which OctoPrint's own code knows.
"""

import hashlib
import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

from filelock import FileLock

from labkit import processes
from labkit.errors import ToolError, ToolMissingError
from labkit.files import storage_errors, write_whole

VERSION = "1.11.8"
_LOCK = Path(__file__).with_name("octoprint.lock")


def locked_folder(name: str, version: str) -> Path:
    """Where `install_locked` puts a program."""
    return processes.tools_folder() / f"{name.lower()}-{version}"


def scripts_of(environment: Path) -> Path:
    """The folder of an environment's programs."""
    return environment / ("Scripts" if os.name == "nt" else "bin")


def server_program() -> Path:
    """The ``octoprint`` executable: ``LABKIT_OCTOPRINT``, else the one that the kit installed.

    Raises
    ------
    ToolMissingError
        Neither is there.
    """
    chosen = os.environ.get("LABKIT_OCTOPRINT")
    folder = locked_folder("OctoPrint", VERSION)
    beside = str(scripts_of(folder))
    found = shutil.which(chosen) if chosen else shutil.which("octoprint", path=beside)
    if found is None or (not chosen and not _is_installed(folder, _LOCK)):
        raise ToolMissingError(
            f"no practice server at {chosen}" if chosen else "the practice server is not installed",
            expected=f"OctoPrint {VERSION}",
            where=str(chosen or folder),
            fix="correct LABKIT_OCTOPRINT" if chosen else "run `labkit doctor`: it names the way",
        )
    return Path(found)


def install_server(say: Callable[[str], None]) -> Path:
    """OctoPrint in an environment of its own, from the locked wheels; its executable.

    Takes seconds with uv, a minute or two with pip, about 200 MB, the internet (or
    the index that pip is configured for), no C compiler.  Does nothing when it is
    there already, or when ``LABKIT_OCTOPRINT`` names one.

    Raises
    ------
    ToolMissingError, ToolError
        See `install_locked`.
    """
    if not os.environ.get("LABKIT_OCTOPRINT"):
        install_locked("OctoPrint", VERSION, _LOCK, say)
    return server_program()


def install_locked(name: str, version: str, lock: Path, say: Callable[[str], None]) -> Path:
    """The environment that holds the program ``name`` and what else its lock names.

    Does nothing when it is there already; a lock that changed is installed anew.

    Parameters
    ----------
    name, version : name the environment, and the program in messages.
    lock : requirements with a hash for each wheel.
    say : is told before something is downloaded.

    Raises
    ------
    ToolMissingError
        This Python is newer than the locks are made for and no older one is on PATH.
    ToolError
        The download or the installation failed; the next try begins afresh.
    """
    folder = locked_folder(name, version)
    with storage_errors(folder):
        folder.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(f"{folder}.lock"):
        if not _is_installed(folder, lock):
            say(f"Installing {name} {version} in an environment of its own, once.")
            with storage_errors(folder):
                shutil.rmtree(folder, ignore_errors=True)
            _install(f"{name} {version}", folder, lock)
            write_whole(folder / "installed", _hash(lock))
    return folder


def _hash(lock: Path) -> str:
    return hashlib.sha256(lock.read_bytes()).hexdigest()


def _is_installed(folder: Path, lock: Path) -> bool:
    mark = folder / "installed"
    return mark.is_file() and mark.read_text() == _hash(lock)


def _install(program: str, folder: Path, lock: Path) -> None:
    python = scripts_of(folder) / ("python.exe" if os.name == "nt" else "python")
    rules: list[str | Path] = ["--no-deps", "--require-hashes", "--only-binary", ":all:"]
    beside = shutil.which("uv", path=str(Path(sys.executable).parent))
    uv = Path(beside) if beside else processes.find_program("uv")
    if uv is not None:
        steps: list[list[str | Path]] = [
            [uv, "venv", "--python", _python(program), folder],
            [uv, "pip", "install", "--python", python, *rules, "-r", lock],
        ]
    else:
        steps = [
            [_python(program), "-m", "venv", folder],
            [python, "-m", "pip", "install", *rules, "-r", lock],
        ]
    for step in steps:
        done = processes.run(step, timeout_s=900)
        if done.exit_code != 0:
            last = (done.errors.strip() or done.output.strip() or "nothing said").splitlines()[-3:]
            raise ToolError(
                f"{program} could not be installed: {' '.join(last)[:500]}",
                expected=f"what {lock.name} names",
                where=str(folder),
                fix="check the connection to the package index and run again",
            )


def _python(program: str) -> Path:
    """A Python that the locks are made for; OctoPrint 1.11.8 allows none from 3.14."""
    if sys.version_info < (3, 14):
        return Path(sys.executable)
    if found := processes.find_program("python3.13", "python3.12", "python3.11"):
        return found
    raise ToolMissingError(
        f"Python {sys.version_info.major}.{sys.version_info.minor} only",
        expected=f"a Python from 3.11 to 3.13, which {program} needs",
        fix="install one beside this one (for OctoPrint: or name one in LABKIT_OCTOPRINT)",
    )
