"""Straightening and evening of stacks whose truth is a formula."""

import tracemalloc

import numpy as np
import numpy.typing as npt
import pytest
from scipy import ndimage

from labkit.scan.geometry import Geometry, Limits, geometry_of
from labkit.scan.resampling import resampled
from labkit.volume import Array
from tests.scan.test_geometry import PIXEL, SHAPE, stack_of

AIR_HU = -1000


def _grey(x: Array, y: Array, z: Array | float) -> Array:
    """Waves of 8 to 11 mm: finer than a bone's shape, coarser than four pixels."""
    return 500 + 400 * np.sin(x / 1.3) * np.cos(y / 1.5) * np.cos(z / 1.8)


def _scan(along_mm: Array, shear: tuple[float, float]) -> tuple[Geometry, npt.NDArray[np.int16]]:
    geometry = geometry_of(stack_of(along_mm, shear), Limits(interpolate_missing=True))
    x, y = np.meshgrid(np.arange(SHAPE[1]) * PIXEL[1], np.arange(SHAPE[0]) * PIXEL[0])
    stack = [_grey(x + shear[0] * z, y + shear[1] * z, z) for z in along_mm]
    return geometry, np.rint(stack).astype(np.int16)


def _truth(geometry: Geometry) -> Array:
    assert geometry.shape is not None and geometry.spacing_mm is not None
    assert geometry.origin_lps_mm is not None
    k, j, i = np.indices(geometry.shape)
    (x0, y0, z0), (dx, dy, dz) = geometry.origin_lps_mm, geometry.spacing_mm
    return _grey(x0 + i * dx, y0 + j * dy, z0 + k * dz)


def _inner(geometry: Geometry, margin: int = 3) -> npt.NDArray[np.bool_]:
    """Voxels that images cover, ``margin`` pixels from their edges."""
    white = np.full((len(geometry.order), *SHAPE), 500, np.int16)
    covered = resampled(white, geometry, AIR_HU) > 0
    around = np.ones((1, 2 * margin + 1, 2 * margin + 1), bool)
    return np.asarray(ndimage.binary_erosion(covered, around))


EVEN_MM = np.linspace(0, 23, 24)


@pytest.mark.parametrize("shear", [(0.0, 0.3), (0.0, -0.3), (0.17, 0.0), (-0.2, 0.25)])
def test_a_sheared_stack_comes_out_as_the_formula_has_it(shear: tuple[float, float]) -> None:
    geometry, stack = _scan(EVEN_MM, shear)
    voxels = resampled(stack, geometry, AIR_HU)
    assert voxels.shape == geometry.shape
    inner = _inner(geometry)
    assert inner.mean() > 0.3
    assert np.abs(voxels - _truth(geometry))[inner].max() < 8  # of ± 400


def test_what_no_image_covers_is_air() -> None:
    geometry, stack = _scan(EVEN_MM, (0.0, 0.3))
    voxels = resampled(stack, geometry, AIR_HU)
    assert (voxels[0, -5:] == AIR_HU).all()
    assert (voxels[-1, :5] == AIR_HU).all()
    assert (voxels[0, : SHAPE[0]] == stack[0]).all()  # the first image is not moved


def test_slices_on_an_image_are_that_image_and_the_others_lie_between() -> None:
    along_mm: Array = np.delete(EVEN_MM, 9)
    geometry, stack = _scan(along_mm, (0.0, 0.0))
    voxels = resampled(stack, geometry, AIR_HU)
    assert geometry.interpolated == (9,)
    assert (np.delete(voxels, 9, axis=0) == stack).all()
    assert np.abs(voxels - _truth(geometry)).max() < 20


def test_varying_gaps_come_out_even() -> None:
    gaps = 1.0 + 0.3 * np.sin(np.arange(30))
    geometry, stack = _scan(np.concatenate([[0.0], np.cumsum(gaps)]), (0.0, 0.0))
    voxels = resampled(stack, geometry, AIR_HU)
    assert np.abs(voxels - _truth(geometry)).max() < 20


def test_a_straight_stack_is_handed_through() -> None:
    geometry, stack = _scan(EVEN_MM, (0.0, 0.0))
    assert resampled(stack, geometry, AIR_HU) is stack


def test_values_at_the_end_of_16_bits_do_not_wrap() -> None:
    geometry, stack = _scan(EVEN_MM, (0.0, 0.3))
    stack[:] = 32767  # against the lowest value around it, the kernel overshoots
    voxels = resampled(stack, geometry, -32768)
    assert (voxels[_inner(geometry, 1)] > 0).all()


def test_memory_is_one_volume_and_a_few_slices() -> None:
    images = stack_of(np.linspace(0, 119, 120), (0.0, 0.05))
    geometry = geometry_of(images, Limits())
    stack = np.zeros((120, *SHAPE), np.int16)
    tracemalloc.start()
    voxels = resampled(stack, geometry, AIR_HU)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1.5 * voxels.nbytes
