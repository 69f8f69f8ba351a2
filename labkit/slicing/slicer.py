"""Parts become G-code: PrusaSlicer called so that nothing leaks, never believed at its word."""

import shutil
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from labkit.equipment import MaterialProfile, PrinterProfile, QualityProfile
from labkit.equipment import quality as quality_named
from labkit.files import sha256_of, storage_errors, written_whole
from labkit.processes import run_watched
from labkit.slicing import program
from labkit.slicing.frozen import canonical_sha256, freeze
from labkit.slicing.plate import SPACING_MM, Placed, PlateObject, place, write_moved
from labkit.slicing.program import Slicer, find_slicer
from labkit.slicing.settings import as_ini, check_followed, settings, sha256_of_settings

__all__ = ["Sliced", "Slicer", "find_slicer", "slice_part", "slice_plate"]

Progress = Callable[[int, str], None]


@dataclass(frozen=True)
class Sliced:
    """What slicing was done with and what it gave.

    ``shift_mm`` added to the first STL's coordinates gives the printer's: the part stands
    on the bed.  ``objects`` holds the same for all that is on the plate.
    ``canonical_sha256`` is the hash of what is printed: without time and picture.
    """

    slicer: str
    version: str
    seconds: float
    settings: dict[str, str]
    settings_sha256: str
    part_sha256: str
    gcode_sha256: str
    canonical_sha256: str
    shift_mm: tuple[float, float, float]
    objects: tuple[Placed, ...]
    messages: tuple[str, ...]


def slice_part(
    stl: Path,
    gcode: Path,
    *,
    printer: PrinterProfile,
    material: MaterialProfile,
    quality: QualityProfile | None = None,
    layer_height_mm: float | None = None,
    infill_percent: int | None = None,
    supports: bool = False,
    thumbnail: bytes | None = None,
    progress: Progress | None = None,
    timeout_s: float = 900,
) -> Sliced:
    """G-code of one part, in the middle of the bed; see `slice_plate`."""
    return slice_plate(
        [PlateObject("part", stl)],
        gcode,
        printer=printer,
        material=material,
        quality=quality,
        layer_height_mm=layer_height_mm,
        infill_percent=infill_percent,
        supports=supports,
        thumbnail=thumbnail,
        progress=progress,
        timeout_s=timeout_s,
    )


def slice_plate(
    objects: Sequence[PlateObject],
    gcode: Path,
    *,
    printer: PrinterProfile,
    material: MaterialProfile,
    quality: QualityProfile | None = None,
    layer_height_mm: float | None = None,
    infill_percent: int | None = None,
    supports: bool = False,
    thumbnail: bytes | None = None,
    spacing_mm: float = SPACING_MM,
    progress: Progress | None = None,
    timeout_s: float = 900,
) -> Sliced:
    """G-code of all objects of a plate, frozen: the same bytes on every run.

    The file carries no time and no name but the objects' own; of several objects each
    is marked in every layer, so that a server can cancel one.  The slicer runs on one
    processor: several make supports differ from run to run, and now and then the last digit
    of a coordinate.  Where there is no ``taskset`` (macOS, Windows) that may happen, and a
    part with ``arachne`` walls is not the same on every run anywhere.

    Ctrl-C, and whatever ``progress`` raises, ends the slicer with all that it started and
    leaves no file.

    Parameters
    ----------
    objects : closed parts in mm; they are put on the bed, not turned (`plate.place`).
    gcode : where the file goes; it is there whole or not at all.
    quality : left out, the kit's ``standard``; layer height and infill in its place if given.
    thumbnail : a PNG to show with the file.
    spacing_mm : between two objects, beside their brims.
    progress : called with percent and words, in PrusaSlicer's own order.

    Raises
    ------
    SlicingError
        A part, profile or choice that cannot be sliced; parts that the bed does not hold.
    ToolMissingError
        No PrusaSlicer.
    ToolError
        It failed, ran too long or short of memory, was cut off, or did not follow the
        settings.
    StorageError
        The disk is full, or ``gcode`` cannot be written.
    """
    quality = quality or quality_named("standard")
    values = settings(
        printer,
        material,
        quality,
        layer_height_mm=layer_height_mm,
        infill_percent=infill_percent,
        supports=supports,
        labels=len(objects) > 1 or objects[0].copies > 1,
    )
    placed = place(objects, printer, spacing_mm=spacing_mm + 2 * quality.brim_mm)
    slicer = find_slicer()
    began = time.perf_counter()
    with tempfile.TemporaryDirectory(prefix="labkit-") as name:
        folder = Path(name)
        raw = folder / "out.gcode"
        with storage_errors(folder):
            parts = _write_parts(placed, folder, printer)
            (folder / "settings.ini").write_text(as_ini(values), encoding="utf-8")
        done = run_watched(
            [
                *program.limits(),
                *slicer.command,
                "--export-gcode",
                *("--load", "settings.ini"),
                *("--dont-arrange", "--output", str(raw), *parts),
            ],
            lambda line: _report(line, progress),
            folder=folder,
            environment=program.environment(folder),
            timeout_s=timeout_s,
        )
        messages = program.messages(done, folder)
        if done.exit_code or not raw.is_file() or not raw.stat().st_size:
            raise program.failure(done.exit_code, messages)
        check_followed(raw, values)
        with written_whole(gcode) as temporary:
            freeze(raw, temporary, thumbnail)
    return Sliced(
        slicer="PrusaSlicer",
        version=slicer.version,
        seconds=time.perf_counter() - began,
        settings=values,
        settings_sha256=sha256_of_settings(values),
        part_sha256=placed[0].sha256,
        gcode_sha256=sha256_of(gcode),
        canonical_sha256=canonical_sha256(gcode),
        shift_mm=placed[0].shift_mm,
        objects=tuple(placed),
        messages=messages,
    )


def _write_parts(placed: Sequence[Placed], folder: Path, printer: PrinterProfile) -> list[str]:
    """The STLs under neutral names (they would be in the file), and how to call for them."""
    if len(placed) == 1:
        shutil.copyfile(placed[0].stl, folder / "part.stl")
        bed = zip(printer.bed_min_mm, printer.bed_max_mm, strict=True)
        x, y = [(low + high) / 2 for low, high in bed]
        return ["--center", f"{x:g},{y:g}", "part.stl"]
    for each in placed:
        write_moved(each, folder / f"{each.name}.stl")
    return ["--merge", *(f"{each.name}.stl" for each in placed)]


def _report(line: str, progress: Progress | None) -> None:
    if progress and (said := program.PROGRESS.search(line)):
        words = "writing the G-code" if "out.gcode" in said[2] else said[2]
        progress(int(said[1]), words)
