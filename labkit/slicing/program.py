"""PrusaSlicer as a program: where it is, what it may use up, what its words mean."""

import os
import re
import signal
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from labkit.errors import LabkitError, SlicingError, StorageError, ToolError, ToolMissingError
from labkit.processes import Finished, find_program, run, tools_folder

OLDEST = (2, 5)
"""The first PrusaSlicer with a choice of perimeter generator."""

LARGEST_GCODE_BYTES = 600 << 20
"""A part that PrusaSlicer cannot place makes it write without end."""

LARGEST_MEMORY_BYTES = 8 << 30
"""Of address space.  Measured: 0.3 GB for 330 000 triangles, 0.6 GB for 2.3 million."""

PROGRESS = re.compile(r"(\d+)%? => (.+)")

_FLATPAK = "com.prusa3d.PrusaSlicer"


@dataclass(frozen=True)
class Slicer:
    """A PrusaSlicer that answered: how to call it, and its version."""

    command: tuple[str, ...]
    version: str

    @property
    def name(self) -> str:
        """Program and version, for the record."""
        return f"PrusaSlicer {self.version}"


def find_slicer() -> Slicer:
    """The PrusaSlicer of this machine: ``$PRUSA_SLICER``, PATH, the kit's own, the usual places.

    Raises
    ------
    ToolMissingError
        None answers, all are older than 2.5, or ``$PRUSA_SLICER`` names something else.
    """
    chosen = os.environ.get("PRUSA_SLICER")
    found = f"PRUSA_SLICER names {chosen}" if chosen else "no PrusaSlicer on this machine"
    for command in [(chosen,)] if chosen else candidates():
        version = _version(command)
        if version is None:
            continue
        if tuple(int(part) for part in version.split(".")[:2]) < OLDEST:
            found = f"PrusaSlicer {version} at {command[0]}, which is too old"
            continue
        return Slicer(command, version)
    raise _missing(found)


def candidates() -> Iterator[tuple[str, ...]]:
    """How PrusaSlicer may be called on Linux, macOS and Windows, the likeliest first."""
    for name in ("prusa-slicer", "PrusaSlicer", "prusa-slicer-console"):
        if found := find_program(name):
            yield (str(found),)
    yield (str(tools_folder() / "prusa-slicer" / "bin" / "prusa-slicer"),)
    for folder in (Path.home() / "Applications", Path.home(), Path("/opt")):
        for image in sorted(folder.glob("PrusaSlicer*.AppImage"), reverse=True):
            yield (str(image),)
    yield ("/Applications/PrusaSlicer.app/Contents/MacOS/PrusaSlicer",)
    yield ("/Applications/Original Prusa Drivers/PrusaSlicer.app/Contents/MacOS/PrusaSlicer",)
    # not prusa-slicer.exe: that one is a window program and prints nothing
    yield (r"C:\Program Files\Prusa3D\PrusaSlicer\prusa-slicer-console.exe",)
    if flatpak := find_program("flatpak"):
        place = f"--filesystem={tempfile.gettempdir()}"
        yield (str(flatpak), "run", place, "--command=prusa-slicer", _FLATPAK)


def environment(folder: Path) -> dict[str, str]:
    """What the program sees: no display, no settings of a person, nothing of the kit's."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if name not in ("DISPLAY", "WAYLAND_DISPLAY") and not name.startswith("LABKIT_")
    }
    return kept | {
        "HOME": str(folder),
        "XDG_CONFIG_HOME": str(folder),
        "LC_ALL": "C.UTF-8",
        # glibc would set 64 MB of address space aside for every thread of a large machine
        "MALLOC_ARENA_MAX": "8",
    }


def limits() -> list[str]:
    """What to put before the command: one processor, and it can fill neither disk nor memory.

    On Windows there is no such limit; macOS knows the one of files only.
    """
    words: list[str] = []
    if Path("/bin/sh").exists():
        # not preexec_fn: a notebook has threads.  POSIX counts blocks of 512 bytes.
        limit = (
            f"ulimit -f {LARGEST_GCODE_BYTES // 512} 2>/dev/null; "
            f'ulimit -v {LARGEST_MEMORY_BYTES // 1024} 2>/dev/null; exec "$@"'
        )
        words += ["/bin/sh", "-c", limit, "sh"]
    taskset = find_program("taskset")
    if taskset and hasattr(os, "sched_getaffinity"):
        words += [str(taskset), "-c", str(min(os.sched_getaffinity(0)))]
    return words


def messages(done: Finished, folder: Path) -> tuple[str, ...]:
    """What it said besides its progress: at most 20 lines, a bad mesh makes hundreds."""
    said = done.output.replace(f"{folder}{os.sep}", "").splitlines()
    lines = (re.sub(r"^\[\d{4}-[^\]]*\] \[0x\w+\] ", "", line.strip()) for line in said)
    noise = re.compile(rf"{PROGRESS.pattern}|\[trace\]|^Slicing result exported")
    return tuple(line for line in lines if line and not noise.search(line))[:20]


_KNOWN_FAILURES = (
    ("could not fit on the bed", "a part that fits on the bed", "turn or cut the part"),
    ("No layers were detected", "a part of at least one layer", "export it in millimetres"),
    ("Layer height can't be greater", "layers below the nozzle's width", "choose thinner layers"),
    ("has the wrong size", "a whole STL", "export the part again"),
    ("input file is empty", "a part", "export the part again"),
    ("is an empty file", "a part", "export the part again"),
    ("Nothing to print", "a part inside the printer's volume", "turn or cut the part"),
    ("first layer", "a first layer that touches the bed", "give the part a flat base"),
)
_NO_MEMORY = re.compile(
    # short of memory it also says that the part does not fit the bed
    r"bad_alloc|Resource temporarily unavailable|Cannot allocate memory"
    r"|failed to map segment|Unable to create convex hull"
)


def failure(exit_code: int, said_lines: tuple[str, ...]) -> LabkitError:
    """What to tell a person when it gave no file; exit code 0 proves nothing."""
    said = re.sub(r"\bpart(-\d+)?\.stl\b", "the part", " ".join(said_lines))[:400]
    if os.name == "posix" and exit_code in (-signal.SIGXFSZ, 128 + signal.SIGXFSZ):
        return ToolError(
            f"PrusaSlicer wrote more than {LARGEST_GCODE_BYTES >> 20} MB and was stopped",
            expected="a file of ordinary size",
            where="PrusaSlicer",
            fix="choose thicker layers, or look at the part",
        )
    if _NO_MEMORY.search(said):
        return ToolError(
            f"PrusaSlicer had not enough memory; it may use {LARGEST_MEMORY_BYTES / 2**30:.3g} GB",
            expected="a part that this machine can slice",
            where="PrusaSlicer",
            fix="reduce the triangles of the part, choose thicker layers, or close other programs",
        )
    if re.search(r"disk full|No space left|Cannot open the file for writing", said):
        return StorageError(
            "the disk is full, or cannot be written",
            expected="room for the G-code",
            where=tempfile.gettempdir(),
            fix="free some space and slice again: nothing half-written was kept",
        )
    for words, expected, fix in _KNOWN_FAILURES:
        if words in said:
            return SlicingError(said, expected=expected, where="PrusaSlicer", fix=fix)
    return ToolError(
        f"PrusaSlicer ended with exit code {exit_code} and no file: {said or 'it said nothing'}",
        expected="a G-code file",
        where="PrusaSlicer",
        fix="check the part in the design stage; try a coarser layer height",
    )


def _version(command: tuple[str, ...]) -> str | None:
    if not Path(command[0]).is_file():
        return None
    with tempfile.TemporaryDirectory(prefix="labkit-") as folder:
        try:
            done = run([*command, "--help"], environment=environment(Path(folder)), timeout_s=60)
        except (OSError, LabkitError):  # not a program, not for this machine, or silent
            return None
    found = re.search(r"PrusaSlicer-(\d+\.\d+\.\d+)", done.output + done.errors)
    return found[1] if found else None


def _missing(found: str) -> ToolMissingError:
    return ToolMissingError(
        found,
        expected=f"PrusaSlicer {OLDEST[0]}.{OLDEST[1]} or newer",
        where="PRUSA_SLICER" if os.environ.get("PRUSA_SLICER") else "PATH and the usual places",
        fix="install it (`apt-get install prusa-slicer`; `labkit doctor` tells the way here), "
        "or name it in PRUSA_SLICER",
    )
