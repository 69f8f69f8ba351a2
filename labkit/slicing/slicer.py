"""PrusaSlicer as a process: found, called so that nothing leaks, never believed at its word."""

import os
import re
import shutil
import signal
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from labkit.equipment import MaterialProfile, PrinterProfile
from labkit.errors import LabkitError, SlicingError, StorageError, ToolError, ToolMissingError
from labkit.files import sha256_of, storage_errors, written_whole
from labkit.processes import Finished, find_program, run, run_watched, tools_folder
from labkit.slicing.part import check_fits, read_bounds_mm
from labkit.slicing.settings import as_ini, check_followed, settings, sha256_of_settings

OLDEST = (2, 5)
"""The first PrusaSlicer with a choice of perimeter generator."""

LARGEST_GCODE_BYTES = 600 << 20
"""A part that PrusaSlicer cannot place makes it write without end."""

_FLATPAK = "com.prusa3d.PrusaSlicer"
_PROGRESS = re.compile(r"(\d+)%? => (.+)")


@dataclass(frozen=True)
class Slicer:
    """A PrusaSlicer that answered: how to call it, and its version."""

    command: tuple[str, ...]
    version: str

    @property
    def name(self) -> str:
        """Program and version, for the record."""
        return f"PrusaSlicer {self.version}"


@dataclass(frozen=True)
class Sliced:
    """What slicing was done with and what it gave.

    ``shift_mm`` added to the STL's coordinates gives the printer's: the part stands on
    the bed, the middle of its bounds over the bed's middle.
    """

    slicer: str
    version: str
    seconds: float
    settings: dict[str, str]
    settings_sha256: str
    part_sha256: str
    gcode_sha256: str
    shift_mm: tuple[float, float, float]
    messages: tuple[str, ...]


def find_slicer() -> Slicer:
    """The PrusaSlicer of this machine: ``$PRUSA_SLICER``, PATH, the kit's own, the usual places.

    Raises
    ------
    ToolMissingError
        None answers, all are older than 2.5, or ``$PRUSA_SLICER`` names something else.
    """
    chosen = os.environ.get("PRUSA_SLICER")
    found = f"PRUSA_SLICER names {chosen}" if chosen else "no PrusaSlicer on this machine"
    for command in [(chosen,)] if chosen else _candidates():
        version = _version(command)
        if version is None:
            continue
        if tuple(int(part) for part in version.split(".")[:2]) < OLDEST:
            found = f"PrusaSlicer {version} at {command[0]}, which is too old"
            continue
        return Slicer(command, version)
    raise _missing(found)


def slice_part(
    stl: Path,
    gcode: Path,
    *,
    printer: PrinterProfile,
    material: MaterialProfile,
    layer_height_mm: float,
    infill_percent: int,
    supports: bool,
    progress: Callable[[int, str], None] | None = None,
    timeout_s: float = 900,
) -> Sliced:
    """G-code of a part for a printer and a material, frozen: the same bytes on every run.

    The file carries no time and no name of the part.  With supports the slicer runs
    on one processor, since several make them differ from run to run; where there is no
    ``taskset`` (macOS, Windows) a part with supports is not the same on every run.

    Parameters
    ----------
    stl : the part, closed, mm; it is put on the middle of the bed, not turned.
    gcode : where the file goes; it is there whole or not at all.
    progress : called with percent and words, in PrusaSlicer's own order.

    Raises
    ------
    SlicingError
        A part, profile or choice that cannot be sliced; a part larger than the printer.
    ToolMissingError
        No PrusaSlicer.
    ToolError
        It failed, ran too long, was cut off, or did not follow the settings.
    StorageError
        The disk is full, or ``gcode`` cannot be written.
    """
    values = settings(
        printer,
        material,
        layer_height_mm=layer_height_mm,
        infill_percent=infill_percent,
        supports=supports,
    )
    bounds = read_bounds_mm(stl)
    check_fits(bounds, printer)
    slicer = find_slicer()
    bed = zip(printer.bed_min_mm, printer.bed_max_mm, strict=True)
    middle = [(low + high) / 2 for low, high in bed]
    part_middle = bounds.mean(axis=0)
    began = time.perf_counter()
    with tempfile.TemporaryDirectory(prefix="labkit-") as name:
        folder = Path(name)
        raw = folder / "out.gcode"
        with storage_errors(folder):
            shutil.copyfile(stl, folder / "part.stl")  # a neutral name: it would be in the file
            part_sha256 = sha256_of(folder / "part.stl")
            (folder / "settings.ini").write_text(as_ini(values), encoding="utf-8")
        done = run_watched(
            [
                *_limits(one_processor=supports),
                *slicer.command,
                "--export-gcode",
                *("--load", "settings.ini"),
                *("--dont-arrange", "--center", f"{middle[0]:g},{middle[1]:g}"),
                *("--output", str(raw), "part.stl"),
            ],
            lambda line: _report(line, progress),
            folder=folder,
            environment=_environment(folder),
            timeout_s=timeout_s,
        )
        messages = _messages(done, folder)
        if done.exit_code or not raw.is_file() or not raw.stat().st_size:
            raise _failure(done.exit_code, messages)
        check_followed(raw, values)
        with written_whole(gcode) as temporary:
            _freeze(raw, temporary)
    return Sliced(
        slicer="PrusaSlicer",
        version=slicer.version,
        seconds=time.perf_counter() - began,
        settings=values,
        settings_sha256=sha256_of_settings(values),
        part_sha256=part_sha256,
        gcode_sha256=sha256_of(gcode),
        shift_mm=(
            middle[0] - float(part_middle[0]),
            middle[1] - float(part_middle[1]),
            -float(bounds[0, 2]),
        ),
        messages=messages,
    )


def _candidates() -> Iterator[tuple[str, ...]]:
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
        yield (str(flatpak), "run", "--filesystem=/tmp", "--command=prusa-slicer", _FLATPAK)


def _version(command: tuple[str, ...]) -> str | None:
    if not Path(command[0]).is_file():
        return None
    with tempfile.TemporaryDirectory(prefix="labkit-") as folder:
        try:
            done = run([*command, "--help"], environment=_environment(Path(folder)), timeout_s=60)
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


def _environment(folder: Path) -> dict[str, str]:
    kept = {
        name: value
        for name, value in os.environ.items()
        if name not in ("DISPLAY", "WAYLAND_DISPLAY") and not name.startswith("LABKIT_")
    }
    return kept | {"HOME": str(folder), "XDG_CONFIG_HOME": str(folder), "LC_ALL": "C.UTF-8"}


def _limits(*, one_processor: bool) -> list[str]:
    """What to put before the command so that it cannot fill the disk, and uses one processor."""
    words: list[str] = []
    if Path("/bin/sh").exists():
        # not preexec_fn: a notebook has threads.  POSIX counts blocks of 512 bytes.
        limit = f'ulimit -f {LARGEST_GCODE_BYTES // 512} 2>/dev/null; exec "$@"'
        words += ["/bin/sh", "-c", limit, "sh"]
    taskset = find_program("taskset")
    if one_processor and taskset and hasattr(os, "sched_getaffinity"):
        words += [str(taskset), "-c", str(min(os.sched_getaffinity(0)))]
    return words


def _report(line: str, progress: Callable[[int, str], None] | None) -> None:
    if progress and (said := _PROGRESS.search(line)):
        words = "writing the G-code" if "out.gcode" in said[2] else said[2]
        progress(int(said[1]), words)


def _messages(done: Finished, folder: Path) -> tuple[str, ...]:
    """What it said besides its progress: at most 20 lines, a bad mesh makes hundreds."""
    lines = (line.strip() for line in done.output.replace(f"{folder}{os.sep}", "").splitlines())
    noise = re.compile(rf"{_PROGRESS.pattern}|\[trace\]|^Slicing result exported")
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


def _failure(exit_code: int, messages: tuple[str, ...]) -> LabkitError:
    said = " ".join(messages).replace("part.stl", "the part")[:400]
    if os.name == "posix" and exit_code in (-signal.SIGXFSZ, 128 + signal.SIGXFSZ):
        return ToolError(
            f"PrusaSlicer wrote more than {LARGEST_GCODE_BYTES >> 20} MB and was stopped",
            expected="a file of ordinary size",
            where="PrusaSlicer",
            fix="choose thicker layers, or look at the part",
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


def _freeze(raw: Path, frozen: Path) -> None:
    """Copy the slicer's file without the time in its first line."""
    with raw.open("rb") as source, frozen.open("wb") as target:
        first = source.readline()
        target.write(re.sub(rb"^(; generated by .+?) on \d{4}-.*$", rb"\1", first.rstrip(b"\r\n")))
        target.write(b"\n")
        shutil.copyfileobj(source, target)
