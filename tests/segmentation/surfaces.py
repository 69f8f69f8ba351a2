"""Scans of shapes whose surface is known by formula, for the tests of surfaces."""

import numpy as np
from scipy.special import erf

from labkit.parameters import Segmentation
from labkit.volume import Array, Volume

SPACING = np.array([0.7, 0.7, 1.25])
TURNED = np.array([[0.0, -1, 0], [1, 0, 0], [0, 0, 1]])
BLUR_MM = 0.5
HALF = Segmentation(threshold_hu=475)
"""Half way between the −50 HU around and the 1000 HU of the shapes."""


def scan_of(share: Array, noise_hu: float = 0.0, seed: int = 1) -> Volume:
    """A scan of a structure from how much of it each voxel (k, j, i) shows, 0 to 1."""
    hu = -50 + 1050 * share
    hu += np.random.default_rng(seed).normal(0, noise_hu, share.shape) if noise_hu else 0
    return Volume(np.rint(hu).astype(np.int16), np.array([-20.0, 35, 700]), SPACING, TURNED)


def grid_mm(shape_ijk: tuple[int, int, int]) -> tuple[Array, Array, Array]:
    """x, y, z (k, j, i), mm from the middle of the scan, which lies between voxels."""
    steps = [
        (np.arange(count) - count / 2) * step + 0.123
        for count, step in zip(shape_ijk, SPACING, strict=True)
    ]
    z, y, x = np.meshgrid(*steps[::-1], indexing="ij")
    return x, y, z


def middle_lps_mm(volume: Volume) -> Array:
    """Where x, y, z of `grid_mm` are nought."""
    count = np.array(volume.voxels.shape[::-1])
    return np.asarray(volume.to_lps([count / 2 - 0.123 / SPACING])[0])


def edge(depth_mm: Array) -> Array:
    """What a blurred voxel shows of a body whose flat surface it lies this deep under."""
    return np.asarray(0.5 * (1 + erf(depth_mm / (np.sqrt(2) * BLUR_MM))))


def wall(across_mm: Array, thickness_mm: float) -> Array:
    """What a blurred voxel shows of a wall, this far across from its middle."""
    half = thickness_mm / 2
    return edge(across_mm + half) - edge(across_mm - half)


def ball_scan(
    radius_mm: float = 12.0,
    noise_hu: float = 0.0,
    shape_ijk: tuple[int, int, int] = (48, 48, 30),
) -> Volume:
    """A ball in the middle of a scan."""
    x, y, z = grid_mm(shape_ijk)
    return scan_of(edge(radius_mm - np.sqrt(x**2 + y**2 + z**2)), noise_hu)
