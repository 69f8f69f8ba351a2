"""Several objects on one plate: where each stands, and refused where they do not fit."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import trimesh

from labkit.equipment import PrinterProfile
from labkit.errors import SlicingError
from labkit.files import sha256_of
from labkit.slicing.part import check_fits, read_bounds_mm
from labkit.surface import write_stl

Array = npt.NDArray[np.float64]
Shift = tuple[float, float, float]

SPACING_MM = 6.0
"""Between two objects: as PrusaSlicer keeps (``min_object_distance``)."""

_NEUTRAL = re.compile(r"[a-z][a-z0-9-]{0,31}")


@dataclass(frozen=True)
class PlateObject:
    """A closed part in an STL, mm, that is to be printed ``copies`` times, not turned.

    ``name`` stands in the G-code, where OctoPrint shows it: a word of what it is
    (``part``, ``tensile-bar``), never of whom it is for.
    """

    name: str
    stl: Path
    copies: int = 1

    def __post_init__(self) -> None:
        if not _NEUTRAL.fullmatch(self.name):
            raise ValueError(f"{self.name!r}: small letters, digits and - only")
        if self.copies < 1:
            raise ValueError(f"{self.copies} copies")


@dataclass(frozen=True)
class Placed:
    """One object on the plate; ``shift_mm`` added to its STL's coordinates gives the printer's."""

    name: str
    stl: Path
    sha256: str
    shift_mm: Shift
    bounds_mm: tuple[Shift, Shift]

    def as_dict(self) -> dict[str, object]:
        """Name, hash of the STL, shift, and bounds in the printer's frame, for the record."""
        return {name: value for name, value in vars(self).items() if name != "stl"}


def place(
    objects: Sequence[PlateObject], printer: PrinterProfile, *, spacing_mm: float = SPACING_MM
) -> list[Placed]:
    """Where every copy of every object stands: in rows, the whole over the bed's middle.

    Rows run along x, the deepest objects first; of several widths of a row the one is
    taken that fits and gives the smallest square.  A single object stands on the bed's middle.

    Parameters
    ----------
    spacing_mm : between two objects, in x and in y.

    Raises
    ------
    SlicingError
        An object cannot be sliced or is larger than the printer, or they do not all fit.
    """
    if not objects:
        raise ValueError("nothing to place")
    bounds: list[Array] = []
    names: list[tuple[str, Path, str]] = []
    for each in objects:
        found = read_bounds_mm(each.stl)
        check_fits(found, printer)
        sha256 = sha256_of(each.stl)
        for number in range(1, each.copies + 1):
            name = f"{each.name}-{number}" if each.copies > 1 else each.name
            names.append((name, each.stl, sha256))
            bounds.append(found)
    if len({name for name, *_ in names}) < len(names):
        raise ValueError("two objects of one name")
    room = printer.room_mm
    sizes = np.array([high[:2] - low[:2] for low, high in bounds])
    corners = _rows(sizes, room, spacing_mm)
    extent = (corners + sizes).max(axis=0)
    if extent[0] > room[0] or extent[1] > room[1]:
        raise _too_many(sizes, printer, spacing_mm, extent)
    bed_low, bed_high = np.array(printer.bed_min_mm), np.array(printer.bed_max_mm)
    origin = (bed_low + bed_high - extent) / 2
    placed = []
    for named, (low, high), corner, size in zip(names, bounds, corners, sizes, strict=True):
        middle = origin + corner + size / 2 - (low + high)[:2] / 2
        shift = (float(middle[0]), float(middle[1]), float(0 - low[2]))
        box = [tuple((corner_mm + shift).tolist()) for corner_mm in (low, high)]
        placed.append(Placed(*named, shift, (box[0], box[1])))
    return placed


def placed_mesh(placed: Sequence[Placed]) -> trimesh.Trimesh:
    """All objects of a plate as one mesh, mm, printer's frame: what the G-code should lay down."""
    meshes = []
    for each in placed:
        mesh = trimesh.load_mesh(each.stl, file_type="stl")
        mesh.apply_translation(each.shift_mm)
        meshes.append(mesh)
    together: trimesh.Trimesh = trimesh.util.concatenate(meshes)  # type: ignore[assignment]
    return together


def write_moved(placed: Placed, path: Path) -> None:
    """The object's STL in the printer's frame."""
    mesh = trimesh.load_mesh(placed.stl, file_type="stl", process=False)
    mesh.apply_translation(placed.shift_mm)
    write_stl(mesh, path)


def _rows(sizes: Array, room_mm: Shift, spacing_mm: float) -> Array:
    """(n, 2) float64, mm: the low corner of each object, the first row at 0."""
    order = np.argsort(-sizes[:, 1], kind="stable")
    widest = float(sizes[:, 0].max())
    best, best_score = np.zeros_like(sizes), (True, np.inf)
    for width in np.linspace(widest, max(room_mm[0], widest), 33):
        corners = np.zeros_like(sizes)
        x = y = depth = 0.0
        for one in order:
            if x > 0 and x + sizes[one, 0] > width + 1e-9:
                x, y, depth = 0.0, y + depth + spacing_mm, 0.0
            corners[one] = x, y
            x += sizes[one, 0] + spacing_mm
            depth = max(depth, sizes[one, 1])
        extent = (corners + sizes).max(axis=0)
        score = bool((extent > room_mm[:2]).any()), round(float(extent.max()), 6)
        if score < best_score:
            best, best_score = corners, score
    return best


def _too_many(
    sizes: Array, printer: PrinterProfile, spacing_mm: float, extent: Array
) -> SlicingError:
    room = printer.room_mm
    fit = 1
    for fit in range(len(sizes) - 1, 0, -1):
        corners = _rows(sizes[:fit], room, spacing_mm)
        if ((corners + sizes[:fit]).max(axis=0) <= room[:2]).all():
            break
    return SlicingError(
        f"{len(sizes)} objects need {extent[0]:.0f} × {extent[1]:.0f} mm of the bed, "
        f"{spacing_mm:g} mm apart; the first {fit} would fit",
        expected=f"at most {room[0]:g} × {room[1]:g} mm",
        where=f"printer {printer.name}",
        fix="print fewer copies or coupons at once, or choose a larger printer",
    )
