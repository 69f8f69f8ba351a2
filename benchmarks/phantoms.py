"""Scans of shapes whose surface is a formula: blurred, averaged over each slice, with noise.

A phantom is a function from places (mm) to grey values (HU) as the kernel blurs them.  A voxel
shows that at the middle of its pixel, averaged over the thickness of the slice, which is where
partial volume along z comes from.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import trimesh
from scipy.special import erf

from labkit.volume import Array, Volume

Phantom = Callable[[Array, Array, Array], Array]
"""x, y, z in mm, which broadcast against each other, to HU."""

SOFT_TISSUE_HU, BONE_HU = 50.0, 1250.0
HALF_HEIGHT_HU = 650

PART_MM = 0.2
"""How finely a slice is averaged."""


@dataclass(frozen=True)
class Grid:
    """The voxels of a scan around the origin.

    Parameters
    ----------
    size_mm : of the scan along x, y, z.
    spacing_mm : of the voxels; slices are as thick as they are apart.
    offset_mm : by how much the grid is moved.
    """

    size_mm: tuple[float, float, float]
    spacing_mm: tuple[float, float, float]
    offset_mm: tuple[float, float, float] = (0.0, 0.0, 0.0)


def scan_of(phantom: Phantom, grid: Grid, *, noise_hu: float, seed: int) -> Volume:
    """The scan of a phantom, int16 HU; the same seed gives the same noise."""
    size, spacing, offset = map(np.array, (grid.size_mm, grid.spacing_mm, grid.offset_mm))
    counts = np.rint(size / spacing).astype(int)
    first = offset - size / 2 + spacing / 2
    x, y, z = (
        start + np.arange(n) * step for start, n, step in zip(first, counts, spacing, strict=True)
    )
    parts = int(np.ceil(spacing[2] / PART_MM))
    across = ((np.arange(parts) + 0.5) / parts - 0.5) * spacing[2]
    hu = np.stack([phantom(x, y[:, None], at + across[:, None, None]).mean(axis=0) for at in z])
    hu += np.random.default_rng(seed).normal(0, noise_hu, hu.shape)
    return Volume(np.rint(hu).astype(np.int16), first, spacing, np.eye(3))


def blurred_edge(depth_mm: Array, blur_mm: float) -> Array:
    """How much of a body a Gaussian blur shows at this depth under its flat surface, 0 to 1."""
    return np.asarray(0.5 * (1 + erf(depth_mm / (np.sqrt(2) * blur_mm))))


def blurred_ball(distance_mm: Array, radius_mm: float, blur_mm: float) -> Array:
    """How much of a ball a Gaussian blur shows at this distance from its centre, 0 to 1.

    The convolution in closed form.  At the edge it is less than a half: a blurred ball is
    smaller at half height, by about blur²/radius all round.
    """
    r = np.maximum(distance_mm, 1e-9)
    inner, outer = radius_mm - r, radius_mm + r
    bells = np.exp(-((inner / blur_mm) ** 2) / 2) - np.exp(-((outer / blur_mm) ** 2) / 2)
    edges = blurred_edge(inner, blur_mm) + blurred_edge(outer, blur_mm) - 1
    return np.asarray(edges - blur_mm / (r * np.sqrt(2 * np.pi)) * bells)


def outer_shells(mesh: trimesh.Trimesh, count: int = 1) -> list[trimesh.Trimesh]:
    """The largest connected surfaces by size, largest first."""
    shells = mesh.split(only_watertight=False)
    return sorted(shells, key=lambda shell: -shell.scale)[:count]


def places_on(mesh: trimesh.Trimesh, count: int = 20_000) -> Array:
    """(count, 3), mm: places spread evenly over a surface, always the same."""
    return np.asarray(trimesh.sample.sample_surface(mesh, count, seed=0)[0])
