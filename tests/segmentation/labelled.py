"""Small scans with structures in them, in every position a patient may lie in."""

import numpy as np
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from labkit.segmentation import LabelMap, Segment, SourceReferences, structures_labelled
from labkit.volume import Array, Volume

FRAME = "1.2.826.0.1.3680043.8.498.4711"
AXIAL = np.eye(3)
SAGITTAL = np.array([[0.0, 0, 1], [1, 0, 0], [0, 1, 0]])
CORONAL = np.array([[1.0, 0, 0], [0, 0, -1], [0, 1, 0]]) @ np.diag([1, -1, -1])
OBLIQUE = Rotation.from_euler("xyz", [20, -35, 110], degrees=True).as_matrix()
SHAPE = (6, 7, 9)
SPACING = np.array([0.7, 0.8, 1.25])
ORIGIN = np.array([-20.3, 35.1, 700.0])


def scan(
    direction: Array = AXIAL,
    shape: tuple[int, int, int] = SHAPE,
    spacing_mm: Array = SPACING,
    origin_lps_mm: Array = ORIGIN,
    frame: str = FRAME,
) -> Volume:
    """A scan in which every voxel has a grey value of its own."""
    voxels = np.arange(np.prod(shape), dtype=np.int16).reshape(shape)
    return Volume(voxels, origin_lps_mm, spacing_mm, direction, frame)


def two_blocks(volume: Volume) -> LabelMap:
    """Two structures without any symmetry, so that a flip or a shift shows."""
    labels = np.zeros(volume.voxels.shape, np.uint8)
    labels[1:4, 1:5, 2:4] = 1
    labels[2, 1, 1:6] = 1
    labels[3:5, 2:6, 5:8] = 2
    return structures_labelled(labels, volume, ["bone", "skin"])


def references_of(volume: Volume) -> SourceReferences:
    """The images of the scan, by pseudonym."""
    uids = tuple(f"2.25.100{k}" for k in range(len(volume.voxels)))
    return SourceReferences("2.25.1", "2.25.2", uids)


@st.composite
def label_maps(draw: st.DrawFn) -> tuple[Volume, LabelMap]:
    """Any labels in any place; images of 8 pixels at least, as highdicom packs no smaller ones."""
    numbers = st.floats(-1, 1, width=32)
    quaternion = np.array([draw(numbers), draw(numbers), draw(numbers), 1.5 + draw(numbers)])
    volume = scan(
        Rotation.from_quat(quaternion).as_matrix(),
        (draw(st.integers(2, 5)), draw(st.integers(2, 6)), draw(st.integers(4, 7))),
        np.array([draw(st.floats(0.05, 6)) for _ in range(3)]),
        np.array([draw(st.floats(-900, 900)) for _ in range(3)]),
    )
    kinds = draw(st.integers(1, 4))
    labels = np.random.default_rng(draw(st.integers(0, 2**32))).integers(
        0, kinds + 1, volume.voxels.shape, np.uint8
    )
    labels.flat[0] = kinds
    segments = {value: Segment(f"structure {value}") for value in range(1, kinds + 1)}
    return volume, LabelMap.on(volume, labels, segments)
