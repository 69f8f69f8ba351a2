"""The edge where it is half as high as it stands here: thin and weak bone at its true place."""

import numpy as np
import numpy.typing as npt
from scipy import ndimage
from scipy.sparse import coo_array

from labkit.surface import Indices
from labkit.volume import Array, Volume

REACH_MM = 1.5
"""How far the edge is followed each way: beyond the blur of a scanner (0.4 to 0.6 mm
standard deviation), short of the next bone."""

WEAKEST_EDGE_HU = 100.0
"""An edge that is lower is left where it is: its half height would be that of noise."""

STEP_MM = 0.15
_CHUNK = 200_000


def half_height_shift(
    volume: Volume,
    points_lps_mm: Array,
    triangles: Indices,
    normals: Array,
    bound_mm: float,
) -> Array:
    """(n,) float64, mm: how far along its normal each point lies from the local half height.

    Half height between the brightest value within 1.5 mm inwards and the darkest within
    1.5 mm outwards; averaged over neighbouring points against noise.

    Restrictions
    ------------
    A wall thinner than the scanner's blur is shown as thick as the blur: its half height
    lies there.  Where another structure is nearer than 1.5 mm, its grey values count.
    """
    depths_mm = np.arange(-REACH_MM, REACH_MM + STEP_MM / 2, STEP_MM)
    shift = np.zeros(len(points_lps_mm))
    for start in range(0, len(points_lps_mm), _CHUNK):
        part = slice(start, start + _CHUNK)
        places = points_lps_mm[part, None] + depths_mm[:, None] * normals[part, None]
        ijk = volume.to_ijk(places.reshape(-1, 3))
        hu = ndimage.map_coordinates(
            volume.voxels, ijk.T[::-1], order=1, mode="nearest", output=np.float32
        ).reshape(-1, len(depths_mm))
        shift[part] = _nearest_half_height(hu, depths_mm)
    return np.clip(_averaged(shift, triangles), -bound_mm, bound_mm)


def _nearest_half_height(hu: npt.NDArray[np.float32], depths_mm: Array) -> Array:
    """Where each row falls through its half height, nearest to depth 0; 0 where it does not."""
    middle = len(depths_mm) // 2
    high, low = hu[:, : middle + 1].max(axis=1), hu[:, middle:].min(axis=1)
    above = hu - ((high + low) / 2)[:, None]
    falls = (above[:, :-1] > 0) & (above[:, 1:] <= 0)
    drop = np.where(falls, above[:, :-1] - above[:, 1:], 1)
    crossing = depths_mm[:-1] + np.where(falls, above[:, :-1] / drop, 0) * STEP_MM
    nearest = np.where(falls, np.abs(crossing), np.inf).argmin(axis=1)
    row = np.arange(len(hu))
    usable = falls[row, nearest] & (high - low >= WEAKEST_EDGE_HU)
    return np.where(usable, crossing[row, nearest], 0.0)


def _averaged(values: Array, triangles: Indices) -> Array:
    """Each value and its neighbours', averaged twice."""
    # In a closed surface every edge is run through once in each direction.
    ends = triangles.ravel(), np.roll(triangles, 1, axis=1).ravel()
    graph = coo_array((np.ones(triangles.size), ends), (len(values),) * 2).tocsr()
    weight: Array = graph.sum(axis=1) + 2
    for _ in range(2):
        values = (graph @ values + 2 * values) / weight
    return np.asarray(values)
