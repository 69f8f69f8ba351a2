"""How long the cells of each stage took the last times on this machine, and so the time left."""

import contextlib
import json
import math
import statistics
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from labkit.errors import LabkitError
from labkit.files import write_whole
from labkit.home import home_folder
from labkit.pace import about

KEPT = 5
"""How many of the last times of a cell count."""

NOT_KNOWN = {"05_printing": {"job"}}
"""Cells that take as long as what they wait for: a print tells its time left itself."""

_START = "start"
"""Stands for what is done before the first cell."""

_Seconds = dict[str, dict[str, list[float]]]
"""``{stage: {cell id: [seconds, …]}}``, the newest last."""


class CellTimes:
    """The cells of a stage at work: how long they take, and how long those before took.

    Parameters
    ----------
    stage : its name.
    clock_s : seconds from anywhere.
    """

    def __init__(self, stage: str, *, clock_s: Callable[[], float] = time.monotonic) -> None:
        self._stage = stage
        self._clock_s = clock_s
        self._known = _read().get(stage, {})
        self._began = [(_START, clock_s())]

    def begins(self, cells: Sequence[str]) -> str:
        """The first of ``cells`` begins, the others follow: the time left, as `about` says it."""
        self._began.append((cells[0], self._clock_s()))
        seconds = _seconds(self._known, cells)
        return "" if seconds is None else about(seconds)

    def keep(self) -> None:
        """The last cell has ended: keep what each took, for the next time.

        A lab's folder that cannot be written costs the estimate and nothing else.
        """
        ends = [*(at for _, at in self._began[1:]), self._clock_s()]
        with contextlib.suppress(LabkitError, OSError):
            known = _read()
            before = known.get(self._stage, {})
            known[self._stage] = {
                cell: [*before.get(cell, []), round(end - began, 2)][-KEPT:]
                for (cell, began), end in zip(self._began, ends, strict=True)
                if cell not in NOT_KNOWN.get(self._stage, ())
            }
            write_whole(_path(), json.dumps(known, indent=1) + "\n")


def rest(stages: Sequence[str]) -> str:
    """What stages that are still to run will take, in words; empty when not known."""
    known = _read()
    total = 0.0
    for stage in stages:
        cells = known.get(stage, {})
        seconds = _seconds(cells, cells)
        if seconds is None:
            return ""
        total += seconds
    if not (words := about(total)):
        return ""
    count = f"{len(stages)} stage{'' if len(stages) == 1 else 's'}"
    waiting = ", without the print itself" if NOT_KNOWN.keys() & set(stages) else ""
    return f"{words.removeprefix(', ')} for {count}{waiting}"


def _seconds(known: dict[str, list[float]], cells: Iterable[str]) -> float | None:
    """What cells take together; None where one of them was never timed."""
    times = [known.get(cell) for cell in cells]
    if not times or not all(times):
        return None
    return sum(statistics.median(each) for each in times if each)


def _path() -> Path:
    return home_folder() / "durations.json"


def _read() -> _Seconds:
    """What is kept; nothing where it cannot be read, since it is an estimate only."""
    try:
        content = json.loads(_path().read_text(encoding="utf-8"))
        return {
            str(stage): {
                str(cell): [float(each) for each in times if 0 <= float(each) < math.inf]
                for cell, times in cells.items()
            }
            for stage, cells in content.items()
        }
    except (LabkitError, OSError, ValueError, TypeError, AttributeError):
        return {}
