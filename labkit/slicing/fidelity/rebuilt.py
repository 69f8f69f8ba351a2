"""The solid that a tool path lays down, layer by layer, beside the part's sections."""

import math
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from labkit.equipment import MaterialProfile
from labkit.errors import SlicingError
from labkit.slicing.features import role_of
from labkit.slicing.fidelity.outlines import (
    ROUND,
    SEGMENTS,
    Area,
    Sections,
    Wall,
    apart,
    outer_walls,
    printed_area,
)
from labkit.slicing.layering import layers_of
from labkit.slicing.setpoints import stated_number
from labkit.slicing.toolpath import Toolpath

Array = npt.NDArray[np.float64]

FACE = 0.005
FACE_MM = 0.01
"""Where outline and section differ by more than this share, a face this near is looked for."""

ODD_WIDTH = 0.05

LARGEST_FOOT_MM = 0.5
"""Elephant's foot compensation that is believed where the file states it."""


class Rebuilt:
    """Outlines, sections and widths of all layers of the part.

    Raises
    ------
    SlicingError
        No line is named as an outer wall.
    """

    def __init__(
        self,
        toolpath: Toolpath,
        part: Sections,
        settings: dict[str, str],
        material: MaterialProfile | None,
    ) -> None:
        self.toolpath, self.part, self.settings = toolpath, part, settings
        self.material = material
        self.notes: list[str] = []
        diameter = (
            material.filament_diameter_mm
            if material
            else stated_number(settings, "filament_diameter") or 1.75
        )
        self.filament_mm2 = math.pi * (diameter / 2) ** 2
        self.chosen = toolpath.on_part
        outer = np.array([role_of(name) == "outer wall" for name in toolpath.features])
        if not (self.chosen & outer[toolpath.feature]).any():
            raise no_walls()
        self.rows = np.flatnonzero(self.chosen)
        self.layers = layers_of(toolpath, self.chosen)
        self.width = self._widths()
        self.line_mm = float(np.median(self.width[self.chosen & outer[toolpath.feature]]))
        self.walls, self._unnamed = outer_walls(toolpath, self.layers, self.width)
        self.printed = [printed_area(walls) for walls in self.walls]
        self._first_height()
        self.sections = [self._section(number) for number in range(len(self.layers))]
        for number in range(len(self.layers)):
            self._decide(number)
        if not part.exact:
            self.notes.append("the part's surface is not closed; its sections may have gaps")
        self.area_printed = np.array([area.area() for area in self.printed])
        self.area_part = np.array([area.area() for area in self.sections])
        self.plastic = self.layers.total(toolpath.extruded_mm) * self.filament_mm2

    def _first_height(self) -> None:
        """The first layer of the part may lie on supports: then its stated height counts."""
        heights = self.toolpath.height_mm[self.layers.of_move == 0]
        stated = float(np.median(heights)) if len(heights) else 0.0
        if 0 < stated < self.layers.height_mm[0]:
            self.layers.height_mm[0] = stated

    def _section(self, number: int) -> Area:
        """The part's section in the middle of a layer.

        A face that lies just there may belong to the layer or not: both are right.
        """
        z = float(self.layers.z_mm[number] - self.layers.height_mm[number] / 2)
        printed = self.printed[number]
        section = self.part.at(z)
        foot = stated_number(self.settings, "elefant_foot_compensation") or 0.0
        if number == 0 and 0 < foot <= LARGEST_FOOT_MM:
            self.notes.append(f"the first layer is {foot:g} mm smaller all round, as stated")
            section = section.offset(-foot, ROUND, 2.0, SEGMENTS)
        if apart(section, printed) > FACE * max(section.area(), printed.area()):
            below, above = self.part.at(z - FACE_MM), self.part.at(z + FACE_MM)
            if apart(below, above) > FACE * section.area():
                return (below ^ above) + (printed ^ (below + above))
        return section

    def _decide(self, number: int) -> None:
        """Where walls can be taken in two ways, take them as the part's section has it.

        PrusaSlicer draws a thin ring as one line and names it like any outer wall; a wall
        that is all over air it names the same whether it is an outer or an inner one.
        """
        section = self.sections[number]
        if apart(self.printed[number], section) <= FACE * section.area():
            return
        for wall in self._unnamed.get(number, []):
            self._take(number, [*self.walls[number], wall])
        for wall in self.walls[number]:
            if wall.closed and abs(wall.width_mm / self.line_mm - 1) > ODD_WIDTH:
                others = [one for one in self.walls[number] if one is not wall]
                self._take(number, [*others, replace(wall, thin=True)])

    def _take(self, number: int, walls: list[Wall]) -> None:
        """Other walls for a layer, if the outline then agrees better with the section."""
        area, section = printed_area(walls), self.sections[number]
        if apart(area, section) < apart(self.printed[number], section):
            self.walls[number], self.printed[number] = walls, area

    def _widths(self) -> Array:
        """(n,) mm: as stated, else what the plastic of each line comes to."""
        width = self.toolpath.width_mm.astype(np.float64)
        unknown = self.chosen & (width <= 0)
        if unknown.any():
            self.notes.append("no line widths are stated: flow cannot be checked")
            height = self.layers.height_mm[self.layers.of_move]
            section = self.toolpath.extruded_mm * self.filament_mm2
            section = section / np.maximum(self.toolpath.distance_mm * height, 1e-9)
            for feature in np.unique(self.toolpath.feature[unknown]):
                mine = unknown & (self.toolpath.feature == feature)
                width[mine] = np.median(section[mine])
        return width


def no_walls() -> SlicingError:
    """The refusal of a file that names no outer walls."""
    return SlicingError(
        "the G-code does not say which lines are outer walls",
        expected="the comments ;TYPE:… of PrusaSlicer, Orca or Cura",
        where="the G-code file",
        fix="export it again with comments, or slice the part with the kit",
    )
