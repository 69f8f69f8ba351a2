"""The editing error as a table and a map, from steps that are known."""

import numpy as np
import pytest
import trimesh

from labkit.segmentation import EDITING_COLUMNS, EditingStep, editing_map, editing_table
from labkit.surface import Distances
from labkit.volume import Array


def _step(name: str, points_lps_mm: Array, signed_mm: Array, change_mm3: float) -> EditingStep:
    return EditingStep(name, Distances.of(signed_mm), change_mm3, points_lps_mm, signed_mm)


def test_each_step_has_a_row_and_the_map_is_their_sum_without_the_gate() -> None:
    ball = trimesh.creation.icosphere(3, 10.0)
    points = np.asarray(ball.vertices)
    left = np.where(points[:, 0] > 0, 0.2, 0.0)
    steps = [
        _step("gate", points, np.full(len(points), 5.0), 900.0),
        _step("smoothing", points, left, 10.0),
        _step("decimation", points[::2] * 1.001, np.full(len(points[::2]), -0.05), -3.25),
    ]
    moved_mm = editing_map(ball, steps)
    assert moved_mm[points[:, 0] > 0] == pytest.approx(0.15)
    assert moved_mm[points[:, 0] <= 0] == pytest.approx(-0.05)
    rows = editing_table(steps)
    assert [len(row) for row in rows] == [len(EDITING_COLUMNS)] * 3
    assert rows[2] == ["decimation", "-0.050", "0.000", "0.050", "0.050", "0.050", "-3.2"]


def test_a_surface_that_no_step_touched_has_an_empty_map() -> None:
    ball = trimesh.creation.icosphere(1, 10.0)
    assert not editing_map(ball, []).any()
    assert editing_table([]) == []
