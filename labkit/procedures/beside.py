"""A run of a case in a process of its own, followed from elsewhere: a page, a program."""

import os
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

from labkit import processes

STOP_S = 30.0
"""How long a run is given to end by itself once it was asked to."""


class RunBeside:
    """``labkit run`` of one stage, beside this program.

    It outlives this program, as a run in a terminal would.  What it says is kept in a
    temporary file until `forget`.

    Parameters
    ----------
    root : the case folder.
    stage : the stage to run.
    overrides : decisions, and places such as the source of the scan.
    """

    def __init__(
        self, root: Path, stage: str, overrides: Mapping[str, Mapping[str, object]] | None = None
    ) -> None:
        self.stage = stage
        words: list[str | Path] = [sys.executable, "-m", "labkit", "run", root, stage]
        for name, values in (overrides or {}).items():
            words += _decisions(name, values)
        handle, log = tempfile.mkstemp(prefix="labkit-run-", suffix=".log")
        os.close(handle)
        self._log = Path(log)
        self._began = time.monotonic()
        self.was_stopped = False
        self._pid = processes.start(words, log=self._log)

    @property
    def is_running(self) -> bool:
        """Whether it is still at work."""
        return processes.is_running(self._pid)

    @property
    def seconds(self) -> float:
        """How long it has been at work, s."""
        return time.monotonic() - self._began

    def step(self) -> str:
        """What it does at the moment, as it said last: ``3/12 The mask``."""
        begun = f"{self.stage}: "
        said = [line for line in self._lines() if line.startswith(begun)]
        return said[-1].removeprefix(begun) if said else "starts"

    def trouble(self) -> str:
        """Why it failed, in the words of its error; "" where it raised none."""
        return next((line for line in reversed(self._lines()) if line.startswith("Found: ")), "")

    def stop(self) -> None:
        """End it; it takes back what was half done, and the case is as it was before."""
        self.was_stopped = True
        processes.stop(self._pid, timeout_s=STOP_S)

    def forget(self) -> None:
        """Remove the file with what it said."""
        self._log.unlink(missing_ok=True)

    def _lines(self) -> list[str]:
        try:
            return self._log.read_text(encoding="utf-8", errors="replace").splitlines()
        except OSError:
            return []


def _decisions(stage: str, values: Mapping[str, object]) -> list[str]:
    words = []
    for name, value in values.items():
        if name == "source":
            words += ["--source", str(value)]
        else:
            words += ["-p", f"{stage}.{name}={value}"]
    return words
