"""What the acceptance of a segmentation says of its threshold and its corrections."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest

from labkit.case import Check
from labkit.parameters import Segmentation
from labkit.segmentation import Review, check_mask, check_surface, extract_structures
from labkit.stage import Stage
from labkit.volume import Volume
from tests.segmentation.surfaces import HALF, ball_scan
from tests.segmentation.test_masks_thresholds import _scan


@dataclass
class Accepted:
    """What a stage would keep."""

    parameters: Segmentation
    checks: list[Check] = field(default_factory=list)
    metrics: dict[str, float] = field(default_factory=dict)
    details: dict[str, Any] = field(default_factory=dict)

    check = Stage.check
    check_at_most = Stage.check_at_most

    def verdicts(self) -> dict[str, str]:
        return {check.name: check.verdict for check in self.checks}


def checked(volume: Volume, parameters: Segmentation) -> Accepted:
    stage = Accepted(parameters)
    review = Review(volume, parameters)
    check_mask(stage, review, review.structures(review.decided(parameters)))
    return stage


HALF_HEIGHT = Segmentation(threshold_hu=400, threshold_from="half height")
SCATTER, THIN = (
    "threshold, scatter over the edge",
    "threshold, share of the edge that is too thin",
)


def test_a_threshold_that_is_set_has_nothing_measured_to_check() -> None:
    stage = checked(_scan(), Segmentation(threshold_hu=475))
    assert set(stage.verdicts()) == {"corrections by hand", "cut off by the field of view"}
    assert stage.details["structures"] == [
        {"name": "bone", "value": 1, "kind": "bone", "threshold_hu": 475}
    ]


def test_a_clear_edge_passes() -> None:
    stage = checked(_scan(), HALF_HEIGHT)
    assert (stage.verdicts()[SCATTER], stage.verdicts()[THIN]) == ("pass", "pass")
    (scatter,) = (check for check in stage.checks if check.name == SCATTER)
    assert scatter.limit.startswith("≤ 10")
    assert "10% of the edge's height" in scatter.limit
    assert stage.details["structures"][0]["threshold_hu"] == pytest.approx(475, abs=15)


def test_an_edge_beside_ever_other_material_is_worth_a_look() -> None:
    volume = _scan()
    beside_hu = np.linspace(-50, 600, volume.voxels.shape[2]).astype(np.int16)
    volume.voxels[:] = np.maximum(volume.voxels, beside_hu)
    parameters = HALF_HEIGHT.model_copy(update={"threshold_hu": 620})
    assert checked(volume, parameters).verdicts()[SCATTER] == "action"


def test_a_cortex_that_is_thin_nearly_everywhere_is_worth_a_look(sample_volume: Volume) -> None:
    parameters = HALF_HEIGHT.model_copy(update={"components": 2})
    assert checked(sample_volume, parameters).verdicts()[THIN] == "action"


def test_a_learned_mask_wants_a_person() -> None:
    volume, parameters = _scan(), Segmentation(mask_from="model")
    assert checked(volume, parameters).verdicts()["corrections by hand"] == "action"
    stage = Accepted(parameters)
    review = Review(volume, parameters)
    review.accept()
    check_mask(stage, review, review.structures(parameters))
    assert stage.verdicts()["corrections by hand"] == "pass"


def test_the_editing_error_of_several_structures_is_the_largest_of_them() -> None:
    volume = ball_scan()
    stage = Accepted(HALF.model_copy(update={"structures": "core: teeth 800; ball: bone 475"}))
    review = Review(volume, stage.parameters)
    structures = review.structures(stage.parameters)
    check_mask(stage, review, structures)
    check_surface(stage, review, extract_structures(volume, structures))
    each = [stage.metrics[f"decimation_of_{name}_max_mm"] for name in ("core", "ball")]
    assert 0 < stage.metrics["decimation_max_mm"] == max(each)
    (check,) = (one for one in stage.checks if one.name == "editing error, maximum")
    assert check.value == pytest.approx(max(each), abs=1e-6)
    assert [told["file"] for told in stage.details["structures"]] == [
        "surface_core.stl",
        "surface_ball.stl",
    ]
