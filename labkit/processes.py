"""Other programs: the only place that starts them."""

import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import platformdirs

from labkit.errors import ToolError, ToolMissingError

_started: dict[int, subprocess.Popen[bytes]] = {}
"""What `start` started and this process still has to collect, by process id."""


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
) -> Finished:
    """Run a program to its end, without a terminal or a shell.

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
            check=False,
        )
    except FileNotFoundError as error:
        raise _missing(words[0]) from error
    except subprocess.TimeoutExpired as error:
        raise _late(words[0], timeout_s) from error
    return Finished(done.returncode, done.stdout, done.stderr)


def _missing(program: str) -> ToolMissingError:
    return ToolMissingError(
        f"no program {program}",
        expected="it to be installed",
        fix="run `labkit doctor`: it names what is missing and how to get it",
    )


def _late(program: str, timeout_s: float) -> ToolError:
    return ToolError(
        f"{Path(program).name} had not ended after {timeout_s:g} s and was stopped",
        expected="an end within that time",
        fix="try with a smaller input, or look at what it printed in the log",
    )


def run_watched(
    command: Sequence[str | Path],
    each_line: Callable[[str], None],
    *,
    folder: Path,
    environment: Mapping[str, str],
    timeout_s: float,
) -> Finished:
    """Run a program to its end; every line it prints goes to ``each_line`` at once.

    What it prints as errors comes in the same stream.  It is killed, with all that
    it started, when the time is over and when ``each_line`` or the caller is
    interrupted.

    Raises
    ------
    ToolMissingError
        There is no such program.
    ToolError
        It did not end within ``timeout_s``; it was killed.
    """
    words = [str(word) for word in command]
    try:
        child = subprocess.Popen(
            words,
            cwd=folder,
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            encoding="utf-8",
            errors="replace",
            start_new_session=True,
        )
    except FileNotFoundError as error:
        raise _missing(words[0]) from error
    late = threading.Event()

    def end() -> None:
        with suppress(ProcessLookupError):
            if os.name == "posix":
                os.killpg(child.pid, signal.SIGKILL)
            else:
                child.kill()

    def end_late() -> None:
        late.set()
        end()

    clock = threading.Timer(timeout_s, end_late)
    clock.start()
    said: list[str] = []
    try:
        with child:
            try:
                for line in child.stdout or ():
                    said.append(line)
                    each_line(line.rstrip())
            except BaseException:
                end()
                raise
    finally:
        clock.cancel()
    if late.is_set():
        raise _late(words[0], timeout_s)
    return Finished(child.returncode, "".join(said), "")


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
    _started[child.pid] = child
    return child.pid


class Conversation:
    """A program that answers over its output what it is asked over its input."""

    def __init__(self, command: Sequence[str | Path]) -> None:
        self._child = subprocess.Popen(
            [str(word) for word in command],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    @contextmanager
    def within(self, timeout_s: float) -> Iterator[None]:
        """Kill the program if what is done inside takes longer: reading then ends early."""
        clock = threading.Timer(timeout_s, self._child.kill)
        clock.start()
        try:
            yield
        finally:
            clock.cancel()

    def say(self, words: bytes) -> None:
        """Give it words; a program that has ended takes none, and will not answer."""
        with suppress(BrokenPipeError):
            assert self._child.stdin
            self._child.stdin.write(words)
            self._child.stdin.flush()

    def line(self) -> bytes:
        """The next line of its answer; empty if it has ended."""
        assert self._child.stdout
        return self._child.stdout.readline()

    def read(self, size: int) -> bytes:
        """The next bytes of its answer; fewer if it has ended."""
        assert self._child.stdout
        return self._child.stdout.read(size)

    def end(self) -> None:
        """Kill it."""
        self._child.kill()
        with suppress(BrokenPipeError):
            self._child.communicate()


def is_running(pid: int) -> bool:
    """Whether a program that `start` started, here or in another process, still runs."""
    if child := _started.get(pid):
        if child.poll() is None:
            return True
        del _started[pid]
        return False
    if os.name != "posix":  # signal 0 would end the program there
        listed = run(["tasklist", "/FI", f"PID eq {pid}", "/NH"], timeout_s=30)
        return str(pid) in listed.output
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def stop(pid: int, *, timeout_s: float) -> None:
    """End a program that `start` started, with all that it started itself.

    It is asked first; whatever is left after ``timeout_s`` is killed.
    """
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGTERM)
    give_up = time.monotonic() + timeout_s
    while is_running(pid) and time.monotonic() < give_up:
        time.sleep(0.05)
    if os.name == "posix":  # its session is its own: children that outlive it go too
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(pid, signal.SIGKILL)
    if child := _started.pop(pid, None):
        child.wait()


@contextmanager
def asked_to_end_is_interrupted() -> Iterator[None]:
    """Meanwhile SIGTERM interrupts this program, as Ctrl-C does, so that it can tidy up."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def run_in_foreground(command: Sequence[str | Path], environment: Mapping[str, str]) -> int:
    """Run a program in the foreground, with this one's terminal; its exit code."""
    return subprocess.run(
        [str(word) for word in command], env=dict(environment), check=False
    ).returncode
