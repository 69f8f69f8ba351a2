"""Anatomical model: the patient's structure, cut to length, on a marked base.

The base carries the case code, the side, and two *landing blocks*: plain blocks of
known size that calipers can grip, since nothing on a bone is flat (Ravi 2022,
PMC9156585).
"""

from dataclasses import replace

import manifold3d
import numpy as np
import trimesh
from vtkmodules.util.numpy_support import vtk_to_numpy
from vtkmodules.vtkFiltersCore import vtkTriangleFilter
from vtkmodules.vtkRenderingFreeType import vtkVectorText

from labkit.case import Order
from labkit.design.part import Feature, Part
from labkit.errors import DesignError
from labkit.parameters import Design
from labkit.surface import Distances, distances, mesh_of, solid
from labkit.volume import Array

BASE_THICKNESS_MM = 3.0
MARGIN_MM = 4.0
OVERLAP_MM = 0.6
"""How far the part sinks into its base, so that the two print as one."""
BLOCK_MM = 10.0
TEXT_HEIGHT_MM = 6.0
TEXT_RAISED_MM = 0.9
SMALLEST_PART_MM3 = 100.0


def design_anatomical_model(surface: trimesh.Trimesh, parameters: Design, order: Order) -> Part:
    """The part, plate frame mm, from a patient surface in LPS mm.

    Cut square to the patient's long (S) axis, scaled, set on its base.  All Booleans
    are exact (manifold3d) and leave a manifold body.

    Restrictions
    ------------
    The base joins only what reaches down to the cut; what floats above stays loose
    and is warned of.

    Raises
    ------
    DesignError
        The surface is not closed, or nothing is left after the cut.
    """
    cut = _cut(solid(surface.vertices, surface.faces, "the patient surface"), parameters)
    to_plate = np.diag([parameters.scale] * 3 + [1.0])
    body = cut.transform(to_plate[:3])
    features: list[Feature] = []
    if parameters.base == "plate":
        base, features = _base(body, f"{order.case} {_side(order)}".strip())
        body += base
    low, high = _bounds(body)
    shift = -np.array([(low[0] + high[0]) / 2, (low[1] + high[1]) / 2, low[2]])
    body = body.translate(shift)
    to_plate[:3, 3] = shift
    pieces = sum(piece.volume() > 0 for piece in body.decompose())  # cavities are negative
    warnings = []
    if pieces > 1:
        warnings.append(f"{pieces} separate bodies: what does not reach the base comes off loose")
    if parameters.scale != 1:
        warnings.append(f"scaled to {parameters.scale:g} of life size: not for measuring anatomy")
    whole = Feature("overall height", "z", float(high[2] - low[2]), _box(low - 1, high + 1))
    return Part(
        mesh=mesh_of(body),
        plate_to_patient=np.linalg.inv(to_plate),
        bodies=pieces,
        features=[_moved(feature, shift) for feature in [*features, whole]],
        warnings=warnings,
    )


def editing_error(surface: trimesh.Trimesh, part: Part, parameters: Design) -> Distances:
    """How far the patient's surface (LPS mm) lies from the part's, where the part keeps it.

    Left out are the ends, where the cut and the base are meant to differ.

    Raises
    ------
    DesignError
        Nothing but the ends is left.
    """
    points = np.asarray(surface.vertices)
    height = points[:, 2] - points[:, 2].min() - parameters.keep_from_mm
    hidden = 2 * OVERLAP_MM / parameters.scale
    top = parameters.keep_length_mm or height.max() + 1
    kept = points[(height > hidden) & (height < top - hidden)]
    if not len(kept):
        raise DesignError(
            f"less than {2 * hidden:.1f} mm of the anatomy kept",
            expected="more than the base and the cut hide",
            where="03_design, keep_length_mm and scale",
            fix=f"keep at least {3 * hidden:.0f} mm",
        )
    placed = part.mesh.copy()
    placed.apply_transform(part.plate_to_patient)
    return distances(kept, placed)


def _cut(body: manifold3d.Manifold, parameters: Design) -> manifold3d.Manifold:
    bottom = _bounds(body)[0][2] + parameters.keep_from_mm
    cut = body.trim_by_plane((0, 0, 1), bottom) if parameters.keep_from_mm else body
    if parameters.keep_length_mm:
        cut = cut.trim_by_plane((0, 0, -1), -(bottom + parameters.keep_length_mm))
    if cut.volume() < SMALLEST_PART_MM3:
        low, high = _bounds(body)
        raise DesignError(
            f"{cut.volume():.0f} mm3 left after the cut",
            expected=f"a cut within the {high[2] - low[2]:.0f} mm of the surface",
            where="03_design, keep_from_mm and keep_length_mm",
            fix="lower keep_from_mm, or set both to 0 to keep everything",
        )
    return cut


def _base(body: manifold3d.Manifold, words: str) -> tuple[manifold3d.Manifold, list[Feature]]:
    """The base under a body, in the body's frame, and the dimensions to inspect on it.

    In front of the part (towards −y) runs a strip: block A, the words, block B.
    """
    low, high = _bounds(body)
    text, text_width = _text(words)
    width = max(high[0] - low[0] + 2 * MARGIN_MM, text_width + 2 * BLOCK_MM + 4 * MARGIN_MM)
    left, right = (low[0] + high[0] - width) / 2, (low[0] + high[0] + width) / 2
    front = low[1] - 2 * MARGIN_MM - BLOCK_MM
    top = low[2] + OVERLAP_MM
    bottom = top - BASE_THICKNESS_MM
    plate = _block((left, front, bottom), (right, high[1] + MARGIN_MM, top))
    strip = front + MARGIN_MM
    block_a = (left + MARGIN_MM, strip, bottom)
    block_b = (right - MARGIN_MM - BLOCK_MM, strip, bottom)
    size = np.array([BLOCK_MM, BLOCK_MM, BASE_THICKNESS_MM + BLOCK_MM])
    base = plate + _block(block_a, block_a + size) + _block(block_b, block_b + size)
    middle = (left + right - text_width) / 2
    base += text.translate((middle, strip + (BLOCK_MM - TEXT_HEIGHT_MM) / 2, top - OVERLAP_MM))
    above = np.array([-1.0, -1.0, BASE_THICKNESS_MM + 2.0])
    around_a = _box(block_a + above, block_a + size + 1)
    both = _box(block_a + above, block_b + size + 1)
    beside = [np.array(block_a) - 1, np.array(block_a) + size + 1]
    apart = float(block_b[0] + BLOCK_MM - block_a[0])
    return base, [
        Feature("landing block A, width", "x", BLOCK_MM, around_a),
        Feature("landing block A, depth", "y", BLOCK_MM, around_a),
        Feature("landing block A, height over all", "z", float(size[2]), _box(*beside)),
        Feature("landing blocks A to B, outside", "x", apart, both),
    ]


def _text(words: str) -> tuple[manifold3d.Manifold, float]:
    """The words as raised letters, standing on z = 0 and reading along +x; their width, mm."""
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
    scale = TEXT_HEIGHT_MM / points[:, 1].max()
    low_x, low_y, _, _ = letters.bounds()
    letters = letters.translate((-low_x, -low_y)).scale((scale, scale))
    raised = manifold3d.Manifold.extrude(letters, TEXT_RAISED_MM + OVERLAP_MM)
    return raised, float(points[:, 0].max() * scale)


def _side(order: Order) -> str:
    return "" if order.laterality == "none" else order.laterality.upper()


def _block(low: tuple[float, ...] | Array, high: tuple[float, ...] | Array) -> manifold3d.Manifold:
    return manifold3d.Manifold.cube(np.subtract(high, low)).translate(np.asarray(low))


def _bounds(body: manifold3d.Manifold) -> tuple[Array, Array]:
    box = np.array(body.bounding_box())
    return box[:3], box[3:]


def _box(low: Array, high: Array) -> tuple[tuple[float, float, float], tuple[float, float, float]]:
    a, b = np.asarray(low, float).tolist(), np.asarray(high, float).tolist()
    return (a[0], a[1], a[2]), (b[0], b[1], b[2])


def _moved(feature: Feature, shift: Array) -> Feature:
    low, high = (np.array(corner) + shift for corner in feature.region_mm)
    return replace(feature, region_mm=_box(low, high))
