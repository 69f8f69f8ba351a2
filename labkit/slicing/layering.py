"""The layers of a tool path by the height at which it extrudes, whatever its comments say."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from labkit.slicing.toolpath import Toolpath

Array = npt.NDArray[np.float64]
Whole = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]

SAME_HEIGHT_MM = 0.005

TRACE_MM = 0.01
"""Filament pushed on the spot; PrusaSlicer writes such moves where a wall meets air."""


@dataclass(frozen=True)
class Layers:
    """Heights at which something is laid down, rising.

    Parameters
    ----------
    z_mm : (n,) float64, the top of each layer.
    height_mm : (n,) float64, from the top of the layer below, of the first from the bed.
    of_move : (m,) int64: the layer of each chosen move of the tool path, −1 for the others.
    first_line : (n,) int64: the first chosen line of each.
    """

    z_mm: Array
    height_mm: Array
    of_move: Whole
    first_line: Whole

    def __len__(self) -> int:
        return len(self.z_mm)

    def total(self, values: Array) -> Array:
        """(n,) float64: the sum of a value of each move over each layer."""
        chosen = self.of_move >= 0
        found: Array = np.bincount(self.of_move[chosen], values[chosen], len(self)).astype(float)
        return found


def layers_of(toolpath: Toolpath, chosen: Mask) -> Layers:
    """The layers of the chosen moves; heights within 0.005 mm of each other are one.

    Parameters
    ----------
    chosen : (m,) bool, moves that extrude.
    """
    rows = np.flatnonzero(chosen)
    z = toolpath.end[rows, 2]
    order = np.argsort(z, kind="stable")
    steps = np.diff(z[order], prepend=-np.inf) > SAME_HEIGHT_MM
    of_move = np.full(len(toolpath.line), -1, np.int64)
    of_move[rows[order]] = np.cumsum(steps) - 1
    tops = z[order][steps]
    first = np.full(len(tops), np.iinfo(np.int64).max)
    np.minimum.at(first, of_move[rows], toolpath.line[rows])
    return Layers(tops, np.diff(tops, prepend=0.0), of_move, first)


def motion_rank(toolpath: Toolpath) -> Whole:
    """(m,) int64: counts up with each move that goes sideways, or pushes or pulls filament.

    Two moves of the same run follow each other in it; lines that only set a speed, or push
    a trace of filament, do not count.
    """
    return np.cumsum(toolpath.sideways | (np.abs(toolpath.extruded_mm) > TRACE_MM))
