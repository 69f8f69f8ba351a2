"""Opening and closing are those of a ball in mm, whatever the voxels."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from labkit.segmentation.morphology import closed, dilated, opened
from labkit.segmentation.runs import Inside
from labkit.volume import Array

SPACING = np.array([0.5, 0.7, 1.25])  # along i, j, k
SHAPE = (14, 18, 22)


@st.composite
def masks(draw: st.DrawFn, margin: int = 0) -> Inside:
    """Blobs of any size, with holes, bridges and specks."""
    random = np.random.default_rng(draw(st.integers(0, 2**32)))
    smooth = ndimage.gaussian_filter(random.normal(size=SHAPE), draw(st.sampled_from([0.6, 1.5])))
    blobs = smooth > draw(st.floats(-1, 1)) * smooth.std()
    return np.pad(blobs, margin)


radii_mm = st.sampled_from([0.3, 0.5, 0.7, 1.0, 1.25, 1.4, 2.0, 3.0])


@settings(max_examples=40, deadline=None)
@given(masks(), radii_mm)
def test_opening_lies_within_the_mask_and_the_mask_within_closing(
    mask: Inside, radius_mm: float
) -> None:
    for operator in (opened, closed):
        once = operator(mask, SPACING, radius_mm)
        assert (operator(once, SPACING, radius_mm) == once).all()
    assert not (opened(mask, SPACING, radius_mm) & ~mask).any()
    assert not (mask & ~closed(mask, SPACING, radius_mm)).any()


@settings(max_examples=25, deadline=None)
@given(masks(margin=9), radii_mm, st.tuples(*[st.integers(-2, 2)] * 3))
def test_a_moved_mask_gives_the_moved_result(
    mask: Inside, radius_mm: float, by: tuple[int, int, int]
) -> None:
    for operator in (opened, closed):
        moved = operator(np.roll(mask, by, (0, 1, 2)), SPACING, radius_mm)
        assert (moved == np.roll(operator(mask, SPACING, radius_mm), by, (0, 1, 2))).all()


@settings(max_examples=25, deadline=None)
@given(masks(), radii_mm)
def test_they_are_a_distance_map_cut_at_the_radius(mask: Inside, radius_mm: float) -> None:
    def nearer_than(to: Inside) -> Inside:
        if not to.any():
            return to
        distance = ndimage.distance_transform_edt(~to, sampling=SPACING[::-1])
        return np.asarray(distance <= radius_mm * (1 + 1e-6))

    assert (dilated(mask, SPACING, radius_mm) == nearer_than(mask)).all()
    assert (opened(mask, SPACING, radius_mm) == nearer_than(~nearer_than(~mask))).all()


def _dumbbell(spacing_mm: Array) -> tuple[Inside, Array, Inside]:
    """Two balls of radius 6 mm joined by a rod of radius 1.5 mm, and where the rod is bare."""
    count = np.round(np.array([40, 16, 16]) / spacing_mm).astype(int)
    x, y, z = (
        np.arange(n).reshape([-1 if a == 2 - axis else 1 for a in range(3)]) * step
        for axis, (n, step) in enumerate(zip(count, spacing_mm, strict=True))
    )
    across = (y - 8) ** 2 + (z - 8) ** 2
    balls = (np.minimum((x - 9) ** 2, (x - 31) ** 2) + across) <= 36
    rod = (across <= 1.5**2) & (x > 9) & (x < 31)
    return balls | rod, spacing_mm, rod & (x > 17) & (x < 23)


@pytest.mark.parametrize("spacing", [(0.5, 0.5, 0.5), (0.4, 0.4, 1.0), (1.0, 0.5, 0.7)])
def test_what_opening_takes_away_is_a_matter_of_mm_and_not_of_voxels(
    spacing: tuple[float, float, float],
) -> None:
    mask, spacing_mm, bare = _dumbbell(np.array(spacing))
    voxel_mm = max(spacing)
    assert not (opened(mask, spacing_mm, 1.5 + voxel_mm) & bare).any()
    assert (opened(mask, spacing_mm, 1.5 - voxel_mm / 2) & bare).any()
    volume_mm3 = opened(mask, spacing_mm, 1.5 + voxel_mm).sum() * np.prod(spacing_mm)
    assert volume_mm3 == pytest.approx(2 * 4 / 3 * np.pi * 6**3, rel=0.06)


def test_a_face_that_the_field_of_view_cuts_stays_flat() -> None:
    mask = np.zeros((12, 20, 20), np.bool_)
    mask[:6, 5:15, 5:15] = True
    for operator in (opened, closed):
        assert operator(mask, np.ones(3), 1.0)[0, 5:15, 5:15].sum() >= 96
        assert not operator(mask, np.ones(3), 2.0)[:, :4].any()
