"""Whether G-code still describes the part: its solid rebuilt layer by layer, without a golden file.

Each layer's outline is put together from its outer walls and compared with the part's section
in the middle of the layer; `coverage` checks what is inside, `consistency` what has to fit
within the file.  A published limit for any of this was not found: all are the project's own,
well above what honest files of PrusaSlicer 2.5 showed.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import manifold3d
import numpy as np
import numpy.typing as npt
import trimesh

from labkit.equipment import MaterialProfile
from labkit.slicing.deviation import Deviation, in_layers, runs, worst
from labkit.slicing.features import role_of
from labkit.slicing.fidelity import consistency, coverage, settled
from labkit.slicing.fidelity.outline_check import Limits, OutlineCheck
from labkit.slicing.fidelity.outlines import Sections
from labkit.slicing.fidelity.rebuilt import Rebuilt, no_walls
from labkit.slicing.nearness import Lines
from labkit.slicing.setpoints import stated_number, stated_settings
from labkit.slicing.toolpath import Toolpath

Array = npt.NDArray[np.float64]

FULL_MM2 = 20.0


@dataclass(frozen=True)
class Fidelity:
    """How a tool path and a part compare.

    Parameters
    ----------
    volume_error, difference : shares of the part's volume; volume is signed.
    z_mm, height_mm : (n,) float64, the layers.
    area_part_mm2, area_printed_mm2, difference_mm2 : (n,) float64, of each layer's section
        and outline, and of what lies in only one of them.
    deviation_p95_mm : (n,) float64: 95 % of a layer's outline, both ways, lie within it.
    deviation_out_mm, deviation_in_mm : (n,) float64: the farthest that an outline lies outside
        the section (positive), and inside (negative); 3 mm stands for 3 mm or more.
    plastic_mm3 : (n,) float64, what is pushed out in each layer.
    line_mm : the usual width of outer walls.
    deviations : what is not as it should be.
    notes : what could not be checked, and why.
    """

    volume_error: float
    difference: float
    z_mm: Array
    height_mm: Array
    area_part_mm2: Array
    area_printed_mm2: Array
    difference_mm2: Array
    deviation_p95_mm: Array
    deviation_out_mm: Array
    deviation_in_mm: Array
    plastic_mm3: Array
    line_mm: float
    deviations: tuple[Deviation, ...]
    notes: tuple[str, ...]

    @property
    def faithful(self) -> bool:
        """Whether nothing fails."""
        return not any(one.severity == "fail" for one in self.deviations)

    @property
    def outline_mm(self) -> float:
        """The largest of `deviation_p95_mm`."""
        known = self.deviation_p95_mm[np.isfinite(self.deviation_p95_mm)]
        return float(known.max(initial=0.0))

    def as_dict(self) -> dict[str, Any]:
        """The numbers as a whole, for the record."""
        return {
            "volume_error": self.volume_error,
            "difference": self.difference,
            "outline_p95_mm": self.outline_mm,
            "line_mm": self.line_mm,
            "layers": len(self.z_mm),
            "faithful": self.faithful,
            "deviations": [one.as_row() for one in self.deviations],
            "notes": list(self.notes),
        }


def placed_under(toolpath: Toolpath, part: trimesh.Trimesh) -> Array:
    """(3,) float64, mm: the shift that brings a part under the middle of its outer walls.

    For files whose slicer did not say where it put the part; a part that was turned, or a
    plate with other parts, cannot be found so.  In z the part stands on the bed.

    Raises
    ------
    SlicingError
        Nothing is named as an outer wall.
    """
    outer = np.array([role_of(name) == "outer wall" for name in toolpath.features])
    rows = toolpath.on_part & outer[toolpath.feature]
    if not rows.any():
        raise no_walls()
    ends = np.vstack([toolpath.start[rows, :2], toolpath.end[rows, :2]])
    middle = (ends.min(axis=0) + ends.max(axis=0)) / 2
    return np.array([*(middle - part.bounds[:, :2].mean(axis=0)), -part.bounds[0, 2]])


def fidelity(
    toolpath: Toolpath,
    part: trimesh.Trimesh | manifold3d.Manifold,
    shift_mm: npt.ArrayLike = (0.0, 0.0, 0.0),
    *,
    material: MaterialProfile | None = None,
    infill_percent: float | None = None,
    limits: Limits | None = None,
) -> Fidelity:
    """How G-code and the part that it was made from compare, and what speaks against the G-code.

    Parameters
    ----------
    part : closed, mm; several parts on a plate as their union.
    shift_mm : (3,) added to the part's coordinates it gives the printer's.
    material : to compare temperatures and the filament's width with; else those that the
        file states are believed.
    infill_percent : what was asked for; else what the file states.

    Raises
    ------
    SlicingError
        The file does not name its lines (``;TYPE:``), or has no outer walls; the part is empty.
    """
    limits = limits or Limits()
    settings = stated_settings(toolpath)
    if infill_percent is None:
        infill_percent = stated_number(settings, "fill_density")
    sections = Sections(part, shift_mm)
    rebuilt = Rebuilt(toolpath, sections, settings, material)
    check = OutlineCheck(rebuilt, limits)
    found = [
        *check.deviations(),
        *_inside(rebuilt, check, infill_percent),
        *_itself(rebuilt, sections, limits),
    ]
    layers = rebuilt.layers
    volume = float(rebuilt.area_part @ layers.height_mm)
    shares = [
        share / volume if volume else math.inf
        for share in (
            float(rebuilt.area_printed @ layers.height_mm) - volume,
            float(check.difference @ layers.height_mm),
        )
    ]
    found += _whole(rebuilt, shares, limits)
    return Fidelity(
        volume_error=shares[0],
        difference=shares[1],
        z_mm=layers.z_mm,
        height_mm=layers.height_mm,
        area_part_mm2=rebuilt.area_part,
        area_printed_mm2=rebuilt.area_printed,
        difference_mm2=check.difference,
        deviation_p95_mm=check.p95,
        deviation_out_mm=check.farthest_out,
        deviation_in_mm=check.farthest_in,
        plastic_mm3=rebuilt.plastic,
        line_mm=rebuilt.line_mm,
        deviations=worst(found),
        notes=tuple(rebuilt.notes),
    )


def _inside(
    rebuilt: Rebuilt, check: OutlineCheck, infill_percent: float | None
) -> Iterator[Deviation]:
    """What fills the part, and what lies beyond it."""
    toolpath, rows, layers = rebuilt.toolpath, rebuilt.rows, rebuilt.layers
    settings = rebuilt.settings
    half = rebuilt.width[rows] / 2
    lines = Lines(
        toolpath.start[rows, :2],
        toolpath.end[rows, :2],
        layers.of_move[rows],
        coverage.REACH_MM,
    )
    if (rebuilt.area_part > 0).any():
        inside = coverage.inside_of(rebuilt.sections, lines, rows, half)
        yield from coverage.hollows(toolpath, layers, inside, infill_percent, settings)
        yield from coverage.outside(toolpath, layers, inside, check.rims[:3])
        yield from coverage.skins(layers, inside, settings)
        if (stated_number(settings, "perimeters") or 0) > 1:
            yield from coverage.walls(layers, rebuilt.sections, lines, half, rebuilt.line_mm)
    yield from coverage.cut_lines(toolpath, layers, rows)
    yield from coverage.density(
        toolpath, layers, rebuilt.area_printed, rebuilt.filament_mm2, infill_percent
    )


def _itself(rebuilt: Rebuilt, part: Sections, limits: Limits) -> Iterator[Deviation]:
    """The file against itself."""
    toolpath, layers, settings = rebuilt.toolpath, rebuilt.layers, rebuilt.settings

    def solid_between(low_mm: float, high_mm: float) -> bool:
        return bool(part.at((low_mm + high_mm) / 2).area() > limits.island_mm2)

    yield from consistency.flow(toolpath, layers, rebuilt.filament_mm2, settings, rebuilt.chosen)
    yield from consistency.order(toolpath, layers, settings, solid_between)
    yield from settled.settled(toolpath, layers, settings, rebuilt.material)
    yield from consistency.beside(toolpath, layers, settings)


def _whole(rebuilt: Rebuilt, shares: list[float], limits: Limits) -> Iterator[Deviation]:
    """The part as a whole, and the plastic of its layers."""
    for rule, value, limit in zip(
        ("volume", "difference"), shares, (limits.volume, limits.difference), strict=True
    ):
        if abs(value) > limit:
            yield Deviation(
                "fail",
                rule,
                f"{100 * value:+.1f} % of the part's volume",
                100 * value,
                100 * limit,
                "%",
            )
    layers = rebuilt.layers
    fill = rebuilt.plastic / np.maximum(rebuilt.area_printed * layers.height_mm, 1e-9)
    # threads over air are thicker than the layer
    airy = np.array(["bridge" in name.casefold() for name in rebuilt.toolpath.features])
    thick = layers.total(np.where(airy[rebuilt.toolpath.feature], 1.0, 0.0)) > 0
    full = (fill > limits.overfill) & (rebuilt.area_part > FULL_MM2) & ~thick
    for first, count in runs(np.flatnonzero(full)):
        most = float(fill[first : first + count].max())
        yield in_layers(
            layers,
            "overfill",
            first,
            count,
            100 * most,
            100 * limits.overfill,
            "%",
            f"{100 * most:.0f} % of the plastic that the layer has room for",
        )
