"""Other programs: the only place that starts them."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import platformdirs

from labkit.errors import ToolError, ToolMissingError


@dataclass(frozen=True)
class Finished:
    """How a program ended: its exit code and what it printed."""

    exit_code: int
    output: str
    errors: str


def tools_folder() -> Path:
    """Where the kit keeps the programs that it installs for itself.

    ``LABKIT_TOOLS``, else inside the Python environment that labkit runs in, so
    that deleting the environment deletes them; else the user's cache.
    """
    if chosen := os.environ.get("LABKIT_TOOLS"):
        return Path(chosen)
    inside = Path(sys.prefix) / "labkit-tools"
    if sys.prefix != sys.base_prefix and os.access(sys.prefix, os.W_OK):
        return inside
    return inside if inside.is_dir() else Path(platformdirs.user_cache_dir("labkit")) / "tools"


def find_program(*names: str) -> Path | None:
    """The first of ``names`` on PATH, or None."""
    return next((Path(found) for name in names if (found := shutil.which(name))), None)


def run(
    command: Sequence[str | Path],
    *,
    folder: Path | None = None,
    environment: Mapping[str, str] | None = None,
    timeout_s: float,
    before: Callable[[], None] | None = None,
) -> Finished:
    """Run a program to its end, without a terminal or a shell.

    ``before`` runs in the child just before the program (POSIX only): resource
    limits go there.

    Raises
    ------
    ToolMissingError
        There is no such program.
    ToolError
        It did not end within ``timeout_s``; it was killed.
    """
    words = [str(word) for word in command]
    try:
        done = subprocess.run(
            words,
            cwd=folder,
            env=None if environment is None else dict(environment),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=timeout_s,
            preexec_fn=before if os.name == "posix" else None,
            check=False,
        )
    except FileNotFoundError as error:
        raise ToolMissingError(
            f"no program {words[0]}",
            expected="it to be installed",
            fix="run `labkit doctor`: it names what is missing and how to get it",
        ) from error
    except subprocess.TimeoutExpired as error:
        raise ToolError(
            f"{Path(words[0]).name} had not ended after {timeout_s:g} s and was stopped",
            expected="an end within that time",
            fix="try with a smaller input, or look at what it printed in the log",
        ) from error
    return Finished(done.returncode, done.stdout, done.stderr)


def start(
    command: Sequence[str | Path], *, log: Path, environment: Mapping[str, str] | None = None
) -> int:
    """Start a program that outlives this one; its output goes to ``log``. The process id.

    It gets a session of its own, so that an interrupt at the terminal, or the
    death of the caller, does not reach it.
    """
    with log.open("ab") as stream:
        child = subprocess.Popen(
            [str(word) for word in command],
            env=None if environment is None else dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=stream,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    return child.pid


def run_in_foreground(command: Sequence[str | Path], environment: Mapping[str, str]) -> int:
    """Run a program in the foreground, with this one's terminal; its exit code."""
    return subprocess.run(
        [str(word) for word in command], env=dict(environment), check=False
    ).returncode
