"""A practice server in an environment of its own, made from a lock of wheels by hash."""

import hashlib
import os
import shutil
from collections.abc import Callable
from pathlib import Path

from filelock import FileLock

from labkit import processes
from labkit.files import storage_errors, write_whole
from labkit.printing.install import _install


def install_locked(name: str, version: str, lock: Path, say: Callable[[str], None]) -> Path:
    """The scripts of an environment that holds what ``lock`` names, made where there is none.

    Raises
    ------
    ToolMissingError
        This Python is newer than the program allows and no older one is on PATH.
    ToolError
        The download or the installation failed; the next try begins afresh.
    """
    folder = processes.tools_folder() / f"{name}-{version}"
    digest = hashlib.sha256(lock.read_bytes()).hexdigest()
    mark = folder / "installed"
    with storage_errors(folder):
        folder.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(f"{folder}.lock"):
        if not mark.is_file() or mark.read_text() != digest:
            say(f"Installing {name} {version}, once.")
            with storage_errors(folder):
                shutil.rmtree(folder, ignore_errors=True)
            _install(folder, lock)
            write_whole(mark, digest)
    return folder / ("Scripts" if os.name == "nt" else "bin")
