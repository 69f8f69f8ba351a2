"""The frozen file behind a job: where it lies, the picture in its head, and its plan."""

import base64
import binascii
import re
import time
from dataclasses import dataclass
from pathlib import Path

from labkit.errors import LabkitError
from labkit.files import sha256_of
from labkit.printing.jobs import Job
from labkit.printing.plan import Plan
from labkit.printing.queue import Queue

HEAD_BYTES = 4 << 20
"""Pictures stand before the first command; what comes later is not looked at."""

LOOK_AGAIN_S = 30.0
"""A file that was not found is looked for again after so long."""

_BEGIN = re.compile(rb"; thumbnail begin (\d+)x(\d+) (\d+)\s*")
_PNG = b"\x89PNG\r\n\x1a\n"


def picture_in(gcode: Path) -> bytes | None:
    """The largest PNG in the head of a G-code, as PrusaSlicer writes it; None without one.

    A block that is broken off, or holds something else than a PNG, is passed over.
    """
    best: tuple[int, bytes] | None = None
    rows: list[bytes] | None = None
    area = length = 0
    with gcode.open("rb") as lines:
        read = 0
        for line in lines:
            read += len(line)
            if read > HEAD_BYTES or not line.startswith((b";", b"\n", b"\r")):
                break
            if begin := _BEGIN.fullmatch(line):
                width, height, length = map(int, begin.groups())
                area, rows = width * height, []
            elif rows is not None and line.startswith(b"; thumbnail end"):
                png = _decoded(b"".join(rows), length)
                if png is not None and (best is None or area > best[0]):
                    best = area, png
                rows = None
            elif rows is not None:
                rows.append(line[1:].strip())
    return None if best is None else best[1]


def _decoded(text: bytes, length: int) -> bytes | None:
    if len(text) != length:
        return None
    try:
        png = base64.b64decode(text, validate=True)
    except binascii.Error:
        return None
    return png if png.startswith(_PNG) else None


@dataclass(frozen=True)
class PrintedFile:
    """A frozen file, with the picture in its head and its plan, where there are such."""

    path: Path
    picture: bytes | None
    plan: Plan | None


class PrintedFiles:
    """The files behind the lab's jobs; each is looked for once.

    Parameters
    ----------
    cases_dir : the folder that holds the lab's cases.
    """

    def __init__(self, cases_dir: Path) -> None:
        self._cases = cases_dir
        self._known: dict[str, PrintedFile] = {}
        self._missed_at: dict[str, float] = {}

    def of(self, job: Job) -> PrintedFile | None:
        """The file that a job prints; None where it lies neither in the queue nor in a case."""
        if job.job_id in self._known:
            return self._known[job.job_id]
        moment = time.monotonic()
        if moment - self._missed_at.get(job.job_id, -LOOK_AGAIN_S) < LOOK_AGAIN_S:
            return None
        path = self._find(job)
        if path is None:
            self._missed_at[job.job_id] = moment
            return None
        found = self._known[job.job_id] = read_printed(path)
        return found

    def _find(self, job: Job) -> Path | None:
        asked = [one.gcode for one in Queue().requests() if one.gcode_sha256 == job.sha256]
        for path in [*asked, *sorted(self._cases.glob("*/04_slicing*/*.gcode"))]:
            try:
                same_size = path.stat().st_size == job.file_size_bytes
                if same_size and sha256_of(path) == job.sha256:
                    return path
            except (OSError, LabkitError):
                continue
        return None


def read_printed(gcode: Path) -> PrintedFile:
    """A frozen file with its picture and its plan, as far as they can be read."""
    try:
        picture = picture_in(gcode)
    except OSError:
        picture = None
    try:
        plan = Plan.read(gcode.with_name("gcode.json"))
    except LabkitError:
        plan = None
    return PrintedFile(gcode, picture, plan)
