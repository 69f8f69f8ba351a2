"""Strokes: what they draw, where, and the same on every replay."""

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from labkit.errors import SegmentationError
from labkit.segmentation.strokes import (
    Corrections,
    Stroke,
    apply_strokes,
    draw,
    mask_sha256,
    read_corrections,
    write_corrections,
)
from labkit.volume import Volume

# i runs to the back, j to the right, k to the head
DIRECTION = np.array([[0.0, -1, 0], [1, 0, 0], [0, 0, 1]])
ORIGIN = np.array([-20.0, 35.0, 700.0])
SPACING = np.array([0.5, 0.8, 1.25])
VOLUME = Volume(np.zeros((16, 40, 50), np.int16), ORIGIN, SPACING, DIRECTION)
NORMALS = {"axial": (0.0, 0.0, 1.0), "coronal": (0.0, 1.0, 0.0), "sagittal": (1.0, 0.0, 0.0)}


def stroke(*ijk: tuple[float, float, float], **said: object) -> Stroke:
    """A stroke through voxel positions of VOLUME; rounded as a file would hold it."""
    points = np.round(VOLUME.to_lps(ijk), 3).tolist()
    given = {"mode": "add", "plane": "axial", "radius_mm": 3.0, "points_lps_mm": points, **said}
    given.setdefault("normal_lps", NORMALS[str(given["plane"])])
    return Stroke.model_validate(given)


def blank() -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    return np.zeros(VOLUME.voxels.shape, np.uint8)


@pytest.mark.parametrize(("plane", "axis"), [("axial", 0), ("coronal", 2), ("sagittal", 1)])
def test_a_disc_stays_in_its_layer_and_has_its_radius_in_mm(plane: str, axis: int) -> None:
    drawn = apply_strokes(blank(), VOLUME, [stroke((25, 20, 8), plane=plane)])
    at = np.argwhere(drawn)
    assert set(at[:, axis]) == {(8, 20, 25)[axis]}
    in_plane_mm = np.delete(SPACING[::-1], axis)
    area_mm2 = drawn.sum() * np.prod(in_plane_mm)
    assert area_mm2 == pytest.approx(np.pi * 3.0**2, rel=0.15)
    off_mm = (at - [8, 20, 25]) * SPACING[::-1]
    assert np.linalg.norm(off_mm, axis=1).max() <= 3.0 + 1e-6


def test_a_ball_reaches_through_the_layers() -> None:
    drawn = apply_strokes(blank(), VOLUME, [stroke((25, 20, 8), brush="ball", radius_mm=6.0)])
    assert drawn.sum() * np.prod(SPACING) == pytest.approx(4 / 3 * np.pi * 6.0**3, rel=0.05)


def test_a_pull_covers_the_line_between_its_points() -> None:
    """However far apart the pointer was seen: half a disc, a bar and half a disc."""
    drawn = apply_strokes(blank(), VOLUME, [stroke((10, 20, 8), (40, 20, 8))])
    length_mm = 30 * SPACING[0]
    assert drawn.sum() * np.prod(SPACING[:2]) == pytest.approx(np.pi * 9 + 6.0 * length_mm, rel=0.1)
    assert drawn[8, 20, 10:41].all()


def test_the_last_stroke_wins() -> None:
    add, erase = stroke((25, 20, 8), radius_mm=5.0), stroke((25, 20, 8), mode="erase")
    ring = apply_strokes(blank(), VOLUME, [add, erase])
    assert ring[8, 20, 25] == 0
    assert ring.any()
    full = apply_strokes(blank(), VOLUME, [erase, add])
    assert mask_sha256(full) == mask_sha256(apply_strokes(blank(), VOLUME, [add]))


@given(
    st.lists(st.tuples(*(st.floats(-10, n + 10) for n in (50, 40, 16))), min_size=1, max_size=4),
    st.sampled_from(["disc", "ball"]),
    st.sampled_from(list(NORMALS)),
    st.floats(0.1, 8),
)
def test_it_changes_nothing_outside_the_part_it_names(
    points: list[tuple[float, float, float]], brush: str, plane: str, radius_mm: float
) -> None:
    mask = blank()
    box = draw(mask, VOLUME, stroke(*points, brush=brush, plane=plane, radius_mm=radius_mm))
    mask[box] = 0
    assert not mask.any()


def test_the_mask_given_is_left_as_it_is() -> None:
    mask = blank()
    apply_strokes(mask, VOLUME, [stroke((25, 20, 8))])
    assert not mask.any()


def test_what_was_written_replays_to_the_same_mask_and_the_same_bytes(tmp_path: Path) -> None:
    pulls = (stroke((10, 9, 3), (14, 9, 3)), stroke((12, 9, 3), mode="erase", radius_mm=1.0))
    before = apply_strokes(blank(), VOLUME, pulls)
    made = Corrections(review_minutes=2.5, mask_sha256=mask_sha256(before), strokes=pulls)
    write_corrections(made, tmp_path / "strokes.json")
    read = read_corrections(tmp_path / "strokes.json")
    assert read == made
    assert mask_sha256(apply_strokes(blank(), VOLUME, read.strokes)) == read.mask_sha256
    write_corrections(read, tmp_path / "again.json")
    assert (tmp_path / "again.json").read_bytes() == (tmp_path / "strokes.json").read_bytes()


@pytest.mark.parametrize(
    "content",
    [
        "no json",
        json.dumps({"schema": "labkit/strokes/9"}),
        json.dumps({"strokes": [{"mode": "add"}]}),
        json.dumps({"strokes": [{**stroke((1, 1, 1)).model_dump(), "radius_mm": -1}]}),
    ],
)
def test_another_file_is_refused_in_words(tmp_path: Path, content: str) -> None:
    (tmp_path / "a.json").write_text(content)
    with pytest.raises(SegmentationError, match="strokes that cannot be read"):
        read_corrections(tmp_path / "a.json")
    with pytest.raises(SegmentationError, match="Is a directory"):
        read_corrections(tmp_path)
