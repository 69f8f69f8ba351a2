"""Touching structures share their boundary: no gap, no overlap."""

import numpy as np
import numpy.typing as npt
import pytest

from labkit.segmentation import extract_label_surfaces
from labkit.surface import solid
from labkit.volume import Volume
from tests.segmentation.surfaces import HALF, ball_scan


def _labelled(volume: Volume, parts: int) -> npt.NDArray[np.uint8]:
    """The ball in slanting parts: halves, or two quarters and a half."""
    k, j, i = (axis.astype(float) for axis in np.indices(volume.voxels.shape))
    slant = i + 0.4 * j + 0.7 * k
    labels = 1 + (slant > np.median(slant[volume.voxels > 475])).astype(np.uint8)
    if parts == 3:
        labels[(labels == 2) & (j > volume.voxels.shape[1] // 2)] = 3
    return np.asarray(labels * (volume.voxels > 475), np.uint8)


@pytest.mark.parametrize("parts", [2, 3])
def test_the_bodies_of_the_labels_add_up_and_never_overlap(parts: int) -> None:
    volume = ball_scan(noise_hu=20)
    found = extract_label_surfaces(volume, _labelled(volume, parts), HALF)
    assert sorted(found.meshes) == list(range(1, parts + 1))
    bodies = [solid(mesh.vertices, mesh.faces, "a label") for mesh in found.meshes.values()]
    assert sum(body.volume() for body in bodies) == pytest.approx(found.whole.mesh.volume)
    assert all(body.volume() > found.whole.mesh.volume / 6 for body in bodies)
    for n, one in enumerate(bodies):
        for other in bodies[n + 1 :]:
            assert abs((one ^ other).volume()) < 1e-6
    together = bodies[0]
    for body in bodies[1:]:
        together += body
    assert together.volume() == pytest.approx(found.whole.mesh.volume)


def test_the_cut_between_two_labels_is_smooth() -> None:
    """Not the staircase of the voxels: within a fifth of a voxel of the plane."""
    volume = ball_scan()
    cut = extract_label_surfaces(volume, _labelled(volume, 2), HALF).meshes
    shared = set(map(tuple, cut[1].vertices)) & set(map(tuple, cut[2].vertices))
    points = volume.to_ijk(np.array(sorted(shared))) @ np.array([1, 0.4, 0.7])
    height = (points - np.median(points)) / np.linalg.norm([1, 0.4, 0.7])
    assert len(shared) > 50
    assert np.percentile(np.abs(height), 95) < 0.2
