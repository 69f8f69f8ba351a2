"""The review of a mask: what counts, what it took, and that it replays."""

from pathlib import Path

import numpy as np
import pytest

from labkit.parameters import Segmentation
from labkit.segmentation import LabelMap, Review, Segment, mask_sha256, segment
from labkit.volume import Volume

PARAMETERS = Segmentation(threshold_hu=300)
PULL = {"plane": "axial", "normal_lps": [0, 0, 1], "brush": "ball", "radius_mm": 2.0}


class Clock:
    """Seconds that a test moves on."""

    def __init__(self) -> None:
        self.now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


def scan() -> Volume:
    """A bone of 20 mm with a soft end, and nothing else."""
    hu = np.full((30, 30, 40), -50, np.int16)
    hu[10:20, 10:20, 10:30] = 900
    hu[10:20, 10:20, 25:30] = 250
    return Volume(hu, np.array([5.0, -7.0, 100.0]), np.array([1.0, 1.0, 1.0]), np.eye(3))


def opened(kept: Path | None = None, clock_s: Clock | None = None) -> Review:
    return Review(scan(), PARAMETERS, kept, clock_s=clock_s or Clock())


def add(review: Review, *ijk: float) -> None:
    review.draw(mode="add", points_lps_mm=review.volume.to_lps([ijk]).tolist(), **PULL)


def test_only_what_was_accepted_counts() -> None:
    review = opened()
    plain = segment(scan(), PARAMETERS)
    add(review, 27, 15, 15)
    assert review.draft[15, 15, 27]
    assert np.array_equal(review.mask(PARAMETERS), plain)
    assert review.finding(plain) == ("0 strokes; drawn but not used: 1", "action")
    review.accept()
    corrected = review.mask(PARAMETERS)
    assert corrected[15, 15, 27]
    words, level = review.finding(corrected)
    assert level == "pass"
    assert words == f"1 strokes, {np.count_nonzero(corrected != plain)} voxels changed"


def test_what_was_set_and_not_accepted_is_worth_a_look() -> None:
    review = opened()
    mask = review.mask(PARAMETERS)
    review.consider({"threshold_hu": 350, "threshold_from": "set"})
    assert review.finding(mask) == ("0 strokes; set but not used: threshold_hu = 350", "action")
    moved = PARAMETERS.model_copy(update={"threshold_hu": 350})
    assert review.finding(review.mask(moved)) == ("none", "pass")  # accepted in another way
    review.consider({"threshold_hu": 360})
    review.accept()
    assert review.finding(review.mask(moved))[1] == "pass"


def test_a_given_mask_is_corrected_as_one_that_a_threshold_made() -> None:
    volume = scan()
    labels = np.zeros(volume.voxels.shape, np.uint8)
    labels[10:20, 10:20, 10:20], labels[10:20, 10:20, 20:26] = 3, 5
    given = LabelMap.on(volume, labels, {3: Segment("shaft"), 5: Segment("head")})
    review = Review(volume, PARAMETERS, None, given, clock_s=Clock())
    add(review, 27, 15, 15)
    review.accept()
    found = review.structures(PARAMETERS)
    assert found.label_map.labels[15, 15, 27] == 5
    assert np.array_equal(found.mask, review.draft)
    assert review.finding(found.mask)[1] == "pass"
    assert review.preview().volume > 0


def test_an_undone_stroke_leaves_nothing() -> None:
    review = opened()
    add(review, 27, 15, 15)
    review.draw(mode="erase", points_lps_mm=review.volume.to_lps([[12, 12, 12]]).tolist(), **PULL)
    after_two = review.draft.copy()
    box = review.undo()
    changed = np.argwhere(after_two != review.draft)
    assert len(changed)
    for axis, part in enumerate(box):
        assert part.start <= changed[:, axis].min()
        assert changed[:, axis].max() < part.stop
    review.undo()
    review.undo()  # one too many
    assert np.array_equal(review.draft, segment(scan(), PARAMETERS))


def test_the_file_replays_to_the_mask_that_was_accepted(tmp_path: Path) -> None:
    first = opened()
    add(first, 27.3, 15.1, 14.7)
    first.accept()
    first.write(tmp_path / "strokes.json")
    replay = opened(tmp_path / "strokes.json")
    mask = replay.mask(PARAMETERS)
    assert mask_sha256(mask) == mask_sha256(first.mask(PARAMETERS))
    assert mask_sha256(mask) == first.corrections.mask_sha256
    assert replay.finding(mask)[1] == "pass"
    replay.write(tmp_path / "again.json")
    assert (tmp_path / "again.json").read_bytes() == (tmp_path / "strokes.json").read_bytes()


def test_strokes_on_another_mask_than_the_accepted_one_are_worth_a_look(tmp_path: Path) -> None:
    first = opened()
    add(first, 27, 15, 15)
    first.accept()
    first.write(tmp_path / "strokes.json")
    lower = PARAMETERS.model_copy(update={"threshold_hu": 200})
    replay = opened(tmp_path / "strokes.json")
    words, level = replay.finding(replay.mask(lower))
    assert level == "action"
    assert "another mask" in words


def test_the_minutes_run_from_start_to_accept_and_add_up(tmp_path: Path) -> None:
    clock = Clock()
    review = opened(clock_s=clock)
    clock.now_s += 600  # looked at something else before
    review.start()
    clock.now_s += 90
    review.start()  # pressed twice
    clock.now_s += 30
    review.accept()
    clock.now_s += 600
    assert review.corrections.review_minutes == 2.0
    add(review, 27, 15, 15)  # drawing starts the clock too
    clock.now_s += 60
    review.accept()
    review.write(tmp_path / "strokes.json")
    assert opened(tmp_path / "strokes.json").corrections.review_minutes == 3.0


def test_nothing_is_written_where_nobody_reviewed(tmp_path: Path) -> None:
    review = opened()
    assert review.finding(review.mask(PARAMETERS)) == ("none", "pass")
    review.write(tmp_path / "strokes.json")
    assert not (tmp_path / "strokes.json").exists()


def test_what_is_no_stroke_is_refused() -> None:
    review = opened()
    with pytest.raises(ValueError, match="radius_mm"):
        review.draw(mode="add", points_lps_mm=[[0, 0, 0]], **{**PULL, "radius_mm": 0})
    assert not review.is_open


def test_the_preview_is_the_surface_of_the_draft() -> None:
    review = opened()
    before = review.preview().volume
    add(review, 27, 15, 15)
    assert review.preview().volume > before
