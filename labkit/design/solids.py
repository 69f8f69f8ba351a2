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


def raised_text(
    words: str, *, height_mm: float, raised_mm: float, sunk_mm: float
) -> tuple[manifold3d.Manifold, float]:
    """The words as raised letters, reading along +x, and their width, mm.

    They stand on z = 0 and rise ``sunk_mm`` to be joined with, then ``raised_mm``.
    """
    source = vtkVectorText()
    source.SetText(words)
    triangles = vtkTriangleFilter()
    triangles.SetInputConnection(source.GetOutputPort())
    triangles.Update()
    outline = triangles.GetOutput()
    points = vtk_to_numpy(outline.GetPoints().GetData())[:, :2].astype(float)
    corners = points[vtk_to_numpy(outline.GetPolys().GetConnectivityArray()).reshape(-1, 3)]
    letters = manifold3d.CrossSection(list(corners), manifold3d.FillRule.NonZero)
    points -= points.min(axis=0)
    scale = height_mm / points[:, 1].max()
    low_x, low_y, _, _ = letters.bounds()
    letters = letters.translate((-low_x, -low_y)).scale((scale, scale))
    raised = manifold3d.Manifold.extrude(letters, raised_mm + sunk_mm)
    return raised, float(points[:, 0].max() * scale)
