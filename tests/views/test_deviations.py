"""The map of deviations: where its lines are, and what is said of them."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import trimesh

from labkit import views
from labkit.design.part import Feature
from labkit.inspection import Item, Measured, judge
from labkit.views.deviation_map import ends_of
from labkit.volume import affine
from tests.printed_case import FEATURES, SIZE_MM, block, features, items

LIMITS: dict[str, Any] = {"tolerance_mm": 1.0, "action_mm": 0.5}


def _measured(*off_mm: float, more: tuple[Item, ...] = ()) -> list[Measured]:
    plan = [*items(), *more]
    taken = {
        item.feature: (item.nominal_mm + off, "", "")
        for item, off in zip(plan, off_mm, strict=False)
    }
    return judge(plan, taken, **LIMITS)


@pytest.mark.parametrize("axis", range(3))
def test_a_line_goes_from_side_to_side(axis: int) -> None:
    ends = ends_of(block(), features()[axis])
    middle = np.array([0, 0, SIZE_MM[2] / 2])
    half = np.eye(3)[axis] * SIZE_MM[axis] / 2
    assert np.allclose(ends, [middle - half, middle + half])


def test_only_what_lies_in_the_box_counts() -> None:
    pair = block() + block().apply_translation((40, 0, 10))
    ends = ends_of(pair, features()[0])
    assert np.allclose(ends[:, 0], [-10, 10])
    assert np.allclose(ends[:, 2], 2.5)


def test_an_opening_is_measured_across_in_its_own_frame() -> None:
    tube = trimesh.creation.annulus(r_min=3, r_max=6, height=20, sections=64)
    turn = trimesh.transformations.rotation_matrix(0.5, (0, 1, 0), (5, 0, 0))
    bore = Feature("bore", "x", 6.0, ((-4.5, -0.3, -2), (4.5, 0.3, 2)), "pin gauge", "inside")
    ends = ends_of(tube.copy().apply_transform(turn), bore.turned(turn).as_dict())
    chord_mm = 2 * np.sqrt(3**2 - 0.3**2)  # the box is 0.6 mm wide
    assert np.linalg.norm(ends[1] - ends[0]) == pytest.approx(chord_mm, abs=0.01)
    assert abs((ends[1] - ends[0]) @ turn[:3, 0]) == pytest.approx(chord_mm, abs=0.01)


def test_a_feature_off_the_surface_is_drawn_with_its_nominal_length() -> None:
    away = FEATURES[0].turned(affine(np.eye(3), np.array([100.0, 0, 0])))
    assert np.allclose(ends_of(block(), away.as_dict())[:, 0], [90, 110])


def test_the_words_name_every_number_and_what_is_not_drawn() -> None:
    coupon = Item("landing block, width", "x", 10.0, "caliper")
    found = _measured(0.2, -0.7, more=(coupon,))
    shown = views.deviations(block(), features(), found, title="Deviations", **LIMITS)
    for said in (
        "20.0 mm (X) × 10.0 mm (Y) × 5.0 mm (Z)",
        "tolerance ± 1 mm, action beyond 0.5 mm",
        "1 block, width: designed 20.00 mm, measured 20.20 mm, +0.20 mm ✔ pass",
        "2 block, depth: designed 10.00 mm, measured 9.30 mm, -0.70 mm ▲ action",
        "3 block, height: designed 5.00 mm, not measured – not done",
        "4 landing block, width: designed 10.00 mm, not measured – not done (beside the part",
        "seen from the front and from above",
    ):
        assert said in shown.alt
    assert shown.png.startswith(b"\x89PNG")


def test_the_picture_changes_with_a_deviation_and_is_the_same_for_the_same() -> None:
    pictures = [
        views.deviations(block(), features(), _measured(off, 0, 0), **LIMITS).png
        for off in (0.2, 0.2, 1.4)
    ]
    assert pictures[0] == pictures[1]
    assert pictures[0] != pictures[2]


def test_an_action_level_beyond_the_tolerance_is_no_trouble() -> None:
    limits: dict[str, Any] = {"tolerance_mm": 0.1, "action_mm": 0.5}
    shown = views.deviations(block(), features(), _measured(0.2, 0.0, 9.0), **limits)
    assert "tolerance ± 0.1 mm" in shown.alt


def test_many_lines_at_one_place_are_moved_aside() -> None:
    many = [replace(FEATURES[0], name=f"width {n}") for n in range(16)]
    found = judge([Item(one.name, "x", 20.0, "") for one in many], {}, **LIMITS)
    shown = views.deviations(block(), [one.as_dict() for one in many], found, **LIMITS)
    assert "16 width 15" in shown.alt
