"""What of the anatomy is kept, and the cut that shows its inside."""

from dataclasses import dataclass

import manifold3d
import numpy as np

from labkit.design.solids import bounds
from labkit.errors import DesignError
from labkit.parameters import AnatomicalModel, places
from labkit.volume import Array

SMALLEST_MM3 = 50.0
"""Less left after a cut is a mistake in it: a cube of 3.7 mm; the project's own."""


@dataclass(frozen=True)
class HalfSpace:
    """Where ``normal`` · p ≥ ``offset_mm``: (3,) unit vector, mm."""

    normal: Array
    offset_mm: float

    def depth_mm(self, points: Array) -> Array:
        """(n,): how far the points (n, 3) lie inside."""
        return np.asarray(points @ self.normal - self.offset_mm)


def lengthwise(bottom_mm: float, keep_from_mm: float, keep_length_mm: float) -> list[HalfSpace]:
    """What is kept along S of a surface with this lowest point, LPS mm; length 0 keeps all."""
    begin = bottom_mm + keep_from_mm
    kept = [HalfSpace(np.array([0.0, 0.0, 1.0]), begin)]
    if keep_length_mm:
        kept.append(HalfSpace(np.array([0.0, 0.0, -1.0]), -(begin + keep_length_mm)))
    return kept


def half_spaces(low: Array, high: Array, parameters: AnatomicalModel) -> list[HalfSpace]:
    """What is kept of a surface between two corners, LPS mm; the lower end comes first.

    Raises
    ------
    DesignError
        A box without two corners, or a plane without a direction.
    """
    kept = lengthwise(float(low[2]), parameters.keep_from_mm, parameters.keep_length_mm)
    if corners := places(parameters.keep_box_lps_mm):
        if len(corners) != 2:
            raise _misread(f"a box of {len(corners)} places", "two corners", "keep_box_lps_mm")
        for axis, sign in zip(np.eye(3), np.sort(np.array(corners), axis=0).T, strict=True):
            kept += [HalfSpace(axis, float(sign[0])), HalfSpace(-axis, -float(sign[1]))]
    pairs = np.array(places(parameters.cut_planes_lps_mm)).reshape(-1, 2, 3)
    for on, towards in pairs:
        length = float(np.linalg.norm(towards - on))
        if length < 1e-3:
            raise _misread(
                "a plane with the same place twice", "two different places", "cut_planes_lps_mm"
            )
        normal = (towards - on) / length
        kept.append(HalfSpace(normal, float(on @ normal)))
    return kept


def cut(body: manifold3d.Manifold, kept: list[HalfSpace]) -> manifold3d.Manifold:
    """The part of a body inside all half-spaces.

    Raises
    ------
    DesignError
        Less than `SMALLEST_MM3` is left.
    """
    left = body
    for each in kept:
        left = left.trim_by_plane(each.normal, each.offset_mm)
    if left.volume() < SMALLEST_MM3:
        low, high = bounds(body)
        raise DesignError(
            f"{left.volume():.0f} mm3 left after the cut",
            expected=f"a cut within the {high[2] - low[2]:.0f} mm of the surface",
            where="03_design, what is kept: keep_from_mm, keep_length_mm, box and planes",
            fix="lower keep_from_mm; lengths of 0 and empty texts keep everything",
        )
    return left


@dataclass(frozen=True)
class Section:
    """A cut that opens the model: what lies beyond the plane stands ``gap_mm`` further.

    All in one frame, mm; ``normal`` is horizontal.
    """

    plane: HalfSpace
    gap_mm: float

    def opened(self, body: manifold3d.Manifold) -> manifold3d.Manifold:
        """The body, cut open."""
        beyond, before = body.split_by_plane(self.plane.normal, self.plane.offset_mm)
        return before + beyond.translate(self.plane.normal * self.gap_mm)

    def moved(self, points: Array) -> Array:
        """(n, 3): where points (n, 3) of the closed body are in the opened one."""
        beyond = self.plane.depth_mm(points) > 0
        return np.asarray(points + np.outer(beyond, self.plane.normal * self.gap_mm))


def section_of(body: manifold3d.Manifold, parameters: AnatomicalModel) -> Section | None:
    """Where the body is to be cut open, in the body's frame; None where it is not."""
    if parameters.section == "none":
        return None
    axis = ("sagittal", "coronal").index(parameters.section)
    low, high = bounds(body)
    at = low[axis] + (high[axis] - low[axis]) * parameters.section_percent / 100
    return Section(HalfSpace(np.eye(3)[axis], float(at)), parameters.section_gap_mm)


def _misread(found: str, expected: str, name: str) -> DesignError:
    return DesignError(
        found, expected=expected, where=f"03_design, {name}", fix=f"correct {name}, or leave it out"
    )
