"""The frozen G-code of a case: sliced from the part, or brought from another slicer."""

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from labkit.equipment import MaterialProfile, PrinterProfile, QualityProfile
from labkit.errors import InputError
from labkit.files import sha256_of, storage_errors, written_whole
from labkit.parameters import kept_as
from labkit.slicing import coupons, gcode
from labkit.slicing.calipers import measure
from labkit.slicing.fidelity import placed_under
from labkit.slicing.part import read_bounds_mm
from labkit.slicing.plate import Placed, PlateObject
from labkit.slicing.printed import read_printed
from labkit.slicing.slicer import slice_plate
from labkit.slicing.toolpath import Toolpath, read_toolpath
from labkit.surface import read_stl

ELSEWHERE = (
    "sliced elsewhere: settings and profile of the slicer are not in the record; "
    "comments of the file are kept as they are, see that they name nobody"
)


class Stage(Protocol):
    """What slicing needs of a stage."""

    parameters: Any

    @property
    def folder(self) -> Path:
        """Where the products go."""

    def input(self, stage: str, name: str) -> Path:
        """A product of an earlier stage."""

    def output(self, name: str) -> Path:
        """Where a product goes."""

    def path_or_kept(self, parameter: str, name: str) -> Path | None:
        """The place that a parameter names, or the last revision's copy of it."""


@dataclass(frozen=True)
class Made:
    """Frozen G-code, and what is known of how it came to be.

    Parameters
    ----------
    gcode : the file.
    placed : what stands on the plate; the part first.
    coupon_features : what inspection measures on the witness coupons, by the coupon's name.
    details : for the record: settings, hashes, where every object stands.
    warnings : sentences for everyone who reads the record.
    """

    gcode: Path
    placed: tuple[Placed, ...]
    coupon_features: dict[str, list[dict[str, Any]]]
    details: dict[str, Any]
    warnings: tuple[str, ...] = ()

    @property
    def bounds_mm(self) -> npt.NDArray[np.float64]:
        """(2, 3) low and high corner of all objects, printer frame."""
        boxes = np.array([each.bounds_mm for each in self.placed])
        return np.array([boxes[:, 0].min(axis=0), boxes[:, 1].max(axis=0)])

    def dimensions_mm(self, features: list[dict[str, Any]], toolpath: Toolpath) -> dict[str, float]:
        """Each planned dimension of the part and of the coupons, as the tool path lays it down."""
        printed = read_printed(self.gcode, toolpath)
        found = measure(self.gcode, features, self.placed[0].shift_mm, printed)
        for each in self.placed:
            more = self.coupon_features.get(each.name, [])
            found |= measure(self.gcode, more, each.shift_mm, printed)
        return found


def make_gcode(
    stage: Stage,
    printer: PrinterProfile,
    material: MaterialProfile,
    quality: QualityProfile,
    *,
    thumbnail: bytes | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Made:
    """``part.gcode`` of the stage's part: sliced, or a copy of the file that was named.

    Parameters
    ----------
    thumbnail : a PNG that printers show with the file.
    progress : called with how much is done, of 100.

    Raises
    ------
    InputError
        G-code of another slicer was asked for, and none was named.
    SlicingError, ToolMissingError, ToolError, StorageError
        As `slice_plate`.
    """
    stl = stage.input("03_design", "part.stl")
    if stage.parameters.gcode_from == "file":
        return _brought(stage, stl)
    parameters = stage.parameters
    on_plate = [PlateObject("part", stl, parameters.copies)]
    witnesses = [
        make
        for wanted, make in (
            (parameters.landing_block, coupons.landing_block),
            (parameters.tensile_bar, coupons.tensile_bar),
        )
        if wanted
    ]
    made = [make() for make in witnesses]
    on_plate += [coupon.write(stage.folder) for coupon in made]
    sliced = slice_plate(
        on_plate,
        stage.output("part.gcode"),
        printer=printer,
        material=material,
        quality=quality,
        layer_height_mm=parameters.layer_height_mm or None,
        infill_percent=None if parameters.infill_percent < 0 else parameters.infill_percent,
        supports=parameters.supports,
        thumbnail=thumbnail,
        progress=(lambda percent, _: progress(percent, 100)) if progress else None,
    )
    details = {
        "slicer": f"{sliced.slicer} {sliced.version}",
        "layer_height_mm": float(sliced.settings["layer_height"]),
        "fill_density": sliced.settings["fill_density"],
        "settings_sha256": sliced.settings_sha256,
        "canonical_sha256": sliced.canonical_sha256,
        "objects": [each.as_dict() for each in sliced.objects],
    }
    return Made(
        stage.output("part.gcode"),
        sliced.objects,
        {coupon.name: list(coupon.features) for coupon in made},
        details,
    )


def _brought(stage: Stage, stl: Path) -> Made:
    parameter = "gcode_file"
    kept = kept_as(type(stage.parameters).model_fields[parameter])
    source = stage.path_or_kept(parameter, kept)
    if source is None or not source.is_file():
        raise InputError(
            "no G-code was named",
            expected=f"the file, in the parameter {parameter}, where gcode_from is 'file'",
            where="04_slicing",
            fix=f"-p slicing.{parameter}=PATH, or gcode_from=slicer",
        )
    frozen = stage.output(kept)
    with storage_errors(frozen.parent), written_whole(frozen) as temporary:
        shutil.copyfile(source, temporary)
    moves = read_toolpath(frozen)
    bounds = read_bounds_mm(stl)
    x, y, z = (float(value) for value in placed_under(moves, read_stl(stl)))
    shift = (x, y, z)
    low, high = (tuple((corner + shift).tolist()) for corner in bounds)
    placed = Placed("part", stl, sha256_of(stl), shift, (low, high))
    details = {"slicer": gcode.slicer_of(moves) or "not stated", "objects": [placed.as_dict()]}
    return Made(frozen, (placed,), {}, details, (ELSEWHERE,))
