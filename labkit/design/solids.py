"""Plain solids that designs are put together from, mm."""

from collections.abc import Iterable

import manifold3d
import numpy as np
import numpy.typing as npt
from vtkmodules.util.numpy_support import vtk_to_numpy
from vtkmodules.vtkFiltersCore import vtkTriangleFilter
from vtkmodules.vtkRenderingFreeType import vtkVectorText

from labkit.design.part import Box
from labkit.volume import Array


def block(low: npt.ArrayLike, high: npt.ArrayLike) -> manifold3d.Manifold:
    """The block between two corners, (3,) mm each."""
    corner, size = np.asarray(low, float), np.subtract(high, low).astype(float)
    return manifold3d.Manifold.cube(size).translate(corner)


def rod(
    start: npt.ArrayLike, end: npt.ArrayLike, diameter_mm: float, *, sides: int = 96
) -> manifold3d.Manifold:
    """The round rod between two places, (3,) mm each; its corners lie on the diameter."""
    along = np.subtract(end, start).astype(float)
    length = float(np.linalg.norm(along))
    upright = manifold3d.Manifold.cylinder(length, diameter_mm / 2, circular_segments=sides)
    return upright.transform(np.column_stack([axes_along(along), np.asarray(start, float)]))


def axes_along(direction: Array) -> Array:
    """(3, 3) right-handed unit axes in columns, the third along a direction."""
    z = direction / np.linalg.norm(direction)
    x = np.cross(np.eye(3)[np.abs(z).argmin()], z)
    x /= np.linalg.norm(x)
    return np.column_stack([x, np.cross(z, x), z])


def bounds(body: manifold3d.Manifold) -> tuple[Array, Array]:
    """The low and the high corner of a body's bounding box, (3,) float64 each."""
    corners = np.array(body.bounding_box())
    return corners[:3], corners[3:]


def joined(bodies: Iterable[manifold3d.Manifold]) -> manifold3d.Manifold:
    """The union of bodies; empty where there are none."""
    return manifold3d.Manifold.batch_boolean(list(bodies), manifold3d.OpType.Add)


def onto_plate(low: Array, high: Array) -> Array:
    """(3,) mm: what moves a box between two corners onto the plate, its middle over the origin."""
    return -np.array([(low[0] + high[0]) / 2, (low[1] + high[1]) / 2, low[2]])


def box(low: npt.ArrayLike, high: npt.ArrayLike) -> Box:
    """Two corners as the plain numbers that a record holds."""
    a, b = np.asarray(low, float).tolist(), np.asarray(high, float).tolist()
    return (a[0], a[1], a[2]), (b[0], b[1], b[2])


STROKE_MM = 0.9
"""Two lines of a 0.4 mm nozzle (0.45 mm, 1.125 times the nozzle): a slicer draws a loop in a
stroke so wide.  A narrower one is a single line that it may leave out without a word."""

WIDEST_STROKE = 0.15
"""Of the height: wider strokes close the eyes of letters such as 8 and B."""

LETTERS_APART_MM = 0.6
"""More than a line, so that two letters do not print as one."""

_SPACE = 0.35
"""Width of a blank, of the height."""

_TAPERED = 0.01
"""Share of the area of letters that may be narrower than their strokes: corners and ends."""


def raised_text(
    words: str, *, height_mm: float, raised_mm: float, sunk_mm: float
) -> tuple[manifold3d.Manifold, float]:
    """The words as raised letters, reading along +x, and their width, mm.

    They stand on z = 0 and rise ``sunk_mm`` to be joined with, then ``raised_mm``.  Their strokes
    are `STROKE_MM` wide or more, those of letters below 6 mm as wide as leaves them legible.
    """
    letters = [_letter(each) for each in words]
    seen = manifold3d.CrossSection.compose([each for each in letters if not each.is_empty()])
    _, low, _, high = seen.bounds()
    size = high - low
    # strokes and size both grow by the margin that is laid around the letters
    stroke = _stroke(_in_line(letters, size, 0.0), size) / size
    wanted = min(STROKE_MM / height_mm, WIDEST_STROKE)
    margin_mm = height_mm * max(0.0, wanted - stroke) / (2 * (1 - stroke))
    scale = (height_mm - 2 * margin_mm) / size
    wide = [
        each.translate((0, -low))
        .scale((scale, scale))
        .offset(margin_mm, manifold3d.JoinType.Miter)
        .translate((0, margin_mm))
        for each in letters
    ]
    line = _in_line(wide, LETTERS_APART_MM, _SPACE * height_mm)
    raised = manifold3d.Manifold.extrude(line, raised_mm + sunk_mm)
    return raised, float(line.bounds()[2])


def _letter(letter: str) -> manifold3d.CrossSection:
    source = vtkVectorText()
    source.SetText(letter)
    triangles = vtkTriangleFilter()
    triangles.SetInputConnection(source.GetOutputPort())
    triangles.Update()
    outline = triangles.GetOutput()
    if not outline.GetNumberOfPolys():
        return manifold3d.CrossSection()
    points = vtk_to_numpy(outline.GetPoints().GetData())[:, :2].astype(float)
    corners = points[vtk_to_numpy(outline.GetPolys().GetConnectivityArray()).reshape(-1, 3)]
    return manifold3d.CrossSection(list(corners), manifold3d.FillRule.NonZero)


def _in_line(
    letters: Iterable[manifold3d.CrossSection], apart: float, blank: float
) -> manifold3d.CrossSection:
    """The letters from x = 0 on, each so far from the one before; an empty one is a blank."""
    placed, at = [], 0.0
    for letter in letters:
        if letter.is_empty():
            at += blank
            continue
        low, _, high, _ = letter.bounds()
        placed.append(letter.translate((at - low, 0)))
        at += high - low + apart
    return manifold3d.CrossSection.compose(placed)


def _stroke(letters: manifold3d.CrossSection, size: float) -> float:
    """How wide nearly all strokes of letters are at least, in the unit of their size."""
    least, most = 0.0, size
    while most - least > 0.001 * size:
        tried = (least + most) / 2
        worn = letters.offset(-tried / 2, manifold3d.JoinType.Miter)
        opened = worn.offset(tried / 2, manifold3d.JoinType.Miter)
        if (letters - opened).area() > _TAPERED * letters.area():
            most = tried
        else:
            least = tried
    return least
