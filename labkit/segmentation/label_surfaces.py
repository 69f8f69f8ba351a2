"""Several structures that touch, as bodies that share their boundary exactly."""

from collections.abc import Mapping
from dataclasses import dataclass

import manifold3d
import numpy as np
import numpy.typing as npt
import trimesh
from scipy import ndimage

from labkit.errors import SegmentationError
from labkit.parameters import Segmentation
from labkit.segmentation.extraction import Surface, checked_mesh, extract_surface
from labkit.segmentation.pieces import bounding_box
from labkit.surface import contour, solid
from labkit.volume import Volume

_FINE = 2000
_REACH = 3.0
"""Of the blur, in standard deviations: as far as a cut goes beyond the structure."""


@dataclass(frozen=True)
class LabelSurfaces:
    """The surface around all labels together, and the closed body of each, mm, LPS."""

    whole: Surface
    meshes: dict[int, trimesh.Trimesh]


def extract_label_surfaces(
    volume: Volume,
    labels: npt.NDArray[np.uint8],
    parameters: Segmentation,
    names: Mapping[int, str] | None = None,
) -> LabelSurfaces:
    """The bodies of all labels (k, j, i) uint8, 0 outside; without gap or overlap.

    The outer surface comes from the grey values, as for one structure.  It is then cut
    along the blurred border between the labels, so that neighbours have the same triangles
    there and the bodies add up to the whole.

    Parameters
    ----------
    names : of the labels, for messages.

    Raises
    ------
    SegmentationError
        A label is not there, or holds nothing of printable size; or as `extract_surface`.
    """
    whole = extract_surface(
        volume,
        (labels > 0).astype(np.uint8),
        parameters.model_copy(update={"components": labels.size}),
    )
    values = [int(value) for value in np.unique(labels) if value]
    rest = solid(whole.mesh.vertices, whole.mesh.faces, "the surface around all labels")
    bodies = {}
    for place, value in enumerate(values[:-1]):
        cut = _territory(volume, labels, values[place:], parameters.decimation_bound_mm)
        bodies[value], rest = rest.split(cut)
    bodies[values[-1]] = rest
    named = {value: f"label {value}" for value in values} | dict(names or {})
    return LabelSurfaces(
        whole, {value: _mesh(named[value], body) for value, body in bodies.items()}
    )


def _territory(
    volume: Volume, labels: npt.NDArray[np.uint8], values: list[int], bound_mm: float
) -> manifold3d.Manifold:
    """The body of all places that belong to the first of the labels rather than to another.

    Each label has, at each place, a share of the labelled voxels around it; blurred only
    over what is labelled, so that a cut leaves the structure as it runs within it.
    """
    sigma = volume.spacing_mm.max() / volume.spacing_mm[::-1]
    reach = int(np.ceil(_REACH * sigma.max())) + 2
    near = bounding_box(labels == values[0], (reach + 2,) * 3)
    if near is None:
        raise ValueError(f"no voxel of label {values[0]}")
    part = np.pad(labels[near], reach)
    mine, *others = (
        ndimage.gaussian_filter((part == value).astype(np.float32), sigma, truncate=_REACH)
        for value in values
        if value == values[0] or (part == value).any()
    )
    all_around = mine + sum(others)
    best = np.max(others, axis=0) if others else np.zeros_like(mine)
    share = (mine - best) / np.maximum(all_around, 1e-4)
    share[all_around < 1e-3] = -1.0
    # Whole numbers, and a level between two: no value is the level.
    points_ijk, triangles = contour(np.rint(share * _FINE).astype(np.int16), 0.5)
    points = volume.to_lps(points_ijk + (np.array([part.start for part in near[::-1]]) - reach))
    return solid(points, triangles, f"the border of label {values[0]}").simplify(bound_mm / 4)


def _mesh(name: str, body: manifold3d.Manifold) -> trimesh.Trimesh:
    if body.is_empty():
        raise SegmentationError(
            f"nothing of {name} in the surface",
            expected="structures of printable size",
            where="02_segmentation",
            fix=f"leave {name} out, or lower its threshold",
        )
    return checked_mesh(body)
