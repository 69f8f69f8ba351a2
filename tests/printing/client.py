"""A client of its own process that dies by SIGKILL at a chosen point.

``python client.py URL KEY GCODE POINT``; prints the job record unless it dies.
"""

import functools
import json
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from labkit.printing.servers.octoprint import OctoPrint
from labkit.printing.submission import print_once
from labkit.printing.watching import Progress


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def dying(act: Callable[..., Any], *, before: bool) -> Callable[..., Any]:
    @functools.wraps(act)
    def acted(*words: Any, **named: Any) -> None:
        if not before:
            act(*words, **named)
        die()

    return acted


def main(url: str, key: str, gcode: str, point: str) -> None:
    when, _, what = point.partition(" ")
    if when in ("before", "after"):
        setattr(OctoPrint, what, dying(getattr(OctoPrint, what), before=when == "before"))

    def told(progress: Progress) -> None:
        if point == "printing" and progress.state == "Printing" and progress.done_bytes > 0:
            die()

    record = print_once(
        Path(gcode),
        case_code="C-1",
        printer_name="practice",
        printer=OctoPrint(url, key),
        practice=True,
        silence_limit_s=20,
        progress=told,
    )
    sys.stdout.write(json.dumps(record.as_dict()))


if __name__ == "__main__":
    main(*sys.argv[1:])
