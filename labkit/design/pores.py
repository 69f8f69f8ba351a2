"""The void of a porous body, measured from voxels of its mesh: reach, pores, throats."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import trimesh
from scipy import ndimage

from labkit.case import Check
from labkit.surface import inside
from labkit.volume import Array

Mask = npt.NDArray[np.bool_]

MOST_VOXELS = 3_000_000
LEAST_REACHABLE = 0.99
"""Share of the void with a way out; what is missing may be corners smaller than a voxel."""
_RUNGS = 16


@dataclass(frozen=True)
class Pores:
    """What was found in the void, mm.

    Balls are understated, by up to three voxels: they are centred on voxels, and walls
    are taken half a voxel nearer than the solid was found.

    Parameters
    ----------
    porosity : share of the envelope that is void.
    reachable : share of the void that has a way out, at this voxel size.
    largest_mm : the largest ball that fits into a pore inside the envelope.
    throat_mm : the largest ball that gets from outside into 95 % of the pores, by the
        volume of the largest ball in each; 5 % are left to corners at the envelope.
    pores : how many, each a place where the largest ball around is.
    voxel_mm : side of a voxel: what lengths are certain to.
    """

    porosity: float
    reachable: float
    largest_mm: float
    throat_mm: float
    pores: int
    voxel_mm: float

    def check(self) -> Check:
        """The void with a way out against the least share."""
        return Check(
            name="void with a way out",
            value=self.reachable,
            limit=f"at least {LEAST_REACHABLE:g} (the project's own)",
            verdict="pass" if self.reachable >= LEAST_REACHABLE else "fail",
        )


def measure(body: trimesh.Trimesh, envelope: trimesh.Trimesh, voxel_mm: float) -> Pores:
    """The pores of a body inside an envelope: closed surfaces, mm, one frame.

    Voxels are larger than asked where there were more than `MOST_VOXELS`.
    """
    bounds = np.vstack([body.bounds, envelope.bounds])
    bounds = np.array([bounds.min(axis=0), bounds.max(axis=0)])
    size = np.ptp(bounds, axis=0)
    voxel_mm = max(voxel_mm, float((np.prod(size + 4 * voxel_mm) / MOST_VOXELS) ** (1 / 3)))
    within = voxels(envelope, bounds, voxel_mm)
    empty = ~voxels(body, bounds, voxel_mm)
    void = within & empty
    labels, _ = ndimage.label(empty)
    out = labels == labels[0, 0, 0]
    # Voxel centres: the wall is half a voxel nearer than the nearest solid centre.
    radius = _depth(empty) - 0.5
    whole = void & (_depth(void) - 0.5 == radius)  # the ball there touches a wall, not the envelope
    largest = float(radius[whole].max(initial=0))
    # A narrow place between two pores is no pore: it is not the widest within a ball's reach.
    around = ndimage.maximum_filter(radius, size=2 * max(2, round(largest)) + 1)
    peaks = whole & (radius >= 1.5) & (radius == around)
    throats, sizes = _throats(np.where(within, radius, np.float32(np.inf)), peaks, largest)
    total = max(int(void.sum()), 1)
    return Pores(
        porosity=float(void.sum() / within.sum()),
        reachable=float((void & out).sum() / total),
        largest_mm=2 * largest * voxel_mm,
        throat_mm=2 * _share(throats, sizes, 0.05) * voxel_mm,
        pores=len(throats),
        voxel_mm=voxel_mm,
    )


def _depth(mask: Mask) -> Array:
    return np.asarray(ndimage.distance_transform_edt(mask), np.float32)


def voxels(mesh: trimesh.Trimesh, bounds: Array, voxel_mm: float) -> Mask:
    """(x, y, z) bool: voxels whose centre is in a closed mesh; two more on each side of bounds."""
    x, y, z = (np.ceil((bounds[1] - bounds[0]) / voxel_mm).astype(int) + 4).tolist()
    return inside(mesh, bounds[0] - 1.5 * voxel_mm, (x, y, z), voxel_mm)


def _throats(balls: Array, peaks: Mask, widest: float) -> tuple[Array, Array]:
    """(n,) each: per pore the radius of the largest ball that comes to it, and its own; voxels.

    A ball gets to all voxels that are joined to the outside where none is too narrow for
    it.  One ladder of radii serves all pores: each rung is one labelling.
    """
    pores, count = ndimage.label(peaks, structure=np.ones((3, 3, 3)))
    if not count:
        return np.zeros(0), np.zeros(0)
    flat = np.flatnonzero(peaks)
    of = pores.ravel()[flat] - 1
    own = np.zeros(count)
    np.maximum.at(own, of, balls.ravel()[flat])
    best = np.zeros(count)
    for radius in np.linspace(0, widest, _RUNGS + 1)[1:]:
        labels, _ = ndimage.label(balls >= radius)
        reached = np.bincount(of, labels.ravel()[flat] == labels[0, 0, 0], count) > 0
        best[reached] = radius
        if not reached.any():
            break
    return best, own


def _share(throats: Array, sizes: Array, share: float) -> float:
    """The throat below which so much of the pores' volume is left; 0 without pores."""
    if not len(throats):
        return 0.0
    order = np.argsort(throats)
    filled = np.cumsum(sizes[order] ** 3)
    return float(throats[order][np.searchsorted(filled, share * filled[-1])])
