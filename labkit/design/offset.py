"""Surfaces at a distance from a surface, mm: level sets of its signed distance on a grid.

Near the levels the samples are exact distances to the triangles; elsewhere they come
from a distance transform and only have to lie on the right side.  Between two samples
the level is taken as straight: on a ball of 10 mm and a grid of 0.5 mm this moves it
by less than 0.01 mm.  Creases of the level set are bevelled over about one step; on the
concave side of a cavity that only makes the wall thicker.
"""

from dataclasses import dataclass

import manifold3d
import numpy as np
import numpy.typing as npt
import trimesh
from scipy import ndimage

from labkit.design.implicit import Field, below
from labkit.errors import DesignError
from labkit.surface import inside, signed_distances
from labkit.volume import Array

MAXIMUM_SAMPLES = 60_000_000
"""Of a grid: about 1 GB while it is made."""
_BAND = 2.0
"""Steps around the levels in which distances are exact: the transform errs by less than one
step and a half."""


@dataclass(frozen=True)
class DistanceField:
    """Signed distances from a surface at the samples of a grid, mm; positive is outside.

    Parameters
    ----------
    values : (x, y, z) float32.
    first_mm : (3,) the first sample.
    spacing_mm : between samples.
    """

    values: Field
    first_mm: Array
    spacing_mm: float

    def within(self, level_mm: float) -> manifold3d.Manifold:
        """The body of all that is nearer than the level; negative levels lie inside."""
        return level_set(self.values, level_mm, self.first_mm, self.spacing_mm)

    def at(self, index: npt.ArrayLike) -> Array:
        """(…, 3) float64, mm: where samples are, by their index."""
        return np.asarray(self.first_mm + np.asarray(index) * self.spacing_mm, float)


def level_set(
    values: Field, level: float, first_mm: Array, spacing_mm: float
) -> manifold3d.Manifold:
    """Where values on a grid are below a level, closed at the grid's border."""
    shifted = (values - level).astype(np.float32)
    shifted[np.abs(shifted) < 1e-4] = 1e-4  # a sample on the level makes triangles of no area
    return below(shifted, first_mm, spacing_mm)


def distance_field(
    surface: trimesh.Trimesh,
    low: npt.ArrayLike,
    high: npt.ArrayLike,
    *,
    spacing_mm: float,
    levels_mm: tuple[float, float],
) -> DistanceField:
    """Signed distances from a closed surface over a box, exact around the levels.

    Parameters
    ----------
    low, high : (3,) corners of the box, in the surface's frame.
    levels_mm : the lowest and the highest level that will be asked for.

    Raises
    ------
    DesignError
        The grid would have more than `MAXIMUM_SAMPLES`.
    """
    first = np.asarray(low, float)
    shape = np.ceil((np.asarray(high, float) - first) / spacing_mm).astype(int) + 1
    if np.prod(shape.astype(float)) > MAXIMUM_SAMPLES:
        size = " × ".join(f"{n * spacing_mm:.0f}" for n in shape)
        raise DesignError(
            f"an offset over {size} mm at steps of {spacing_mm:g} mm",
            expected=f"at most {MAXIMUM_SAMPLES // 10**6} million samples",
            where="03_design",
            fix="cut the part or the region smaller, or ask for a thicker wall",
        )
    x, y, z = shape.tolist()
    values = _transform(inside(surface, first, (x, y, z), spacing_mm), spacing_mm)
    band = _BAND * spacing_mm
    near = np.argwhere((values > levels_mm[0] - band) & (values < levels_mm[1] + band))
    values[tuple(near.T)] = signed_distances(first + near * spacing_mm, surface)
    return DistanceField(values, first, spacing_mm)


def _transform(within: npt.NDArray[np.bool_], spacing_mm: float) -> Field:
    if not within.any() or within.all():
        far = float(np.linalg.norm(within.shape)) * spacing_mm
        return np.full(within.shape, -far if within.all() else far, np.float32)
    outer = ndimage.distance_transform_edt(~within, spacing_mm).astype(np.float32)
    outer -= ndimage.distance_transform_edt(within, spacing_mm).astype(np.float32)
    return np.asarray(outer, np.float32)
