"""Guide and model on the CT of a plastic skull, which nobody here made."""

from pathlib import Path

import numpy as np
import pytest
import trimesh

from labkit.case import Order
from labkit.design import Anatomy, design_part
from labkit.parameters import AnatomicalModel, Segmentation, SurgicalGuide
from labkit.scan import choose, discover, read_volume
from labkit.segmentation import extract_surface, segment
from labkit.surface import signed_distances, solid
from labkit.volume import Array

from .shapes import text

BROW = "-40, 5, 705; 40, 55, 752"
"""The forehead between the orbits and the root of the nose: a crop, to save time."""


@pytest.fixture(scope="session")
def brow(real_data: Path, tmp_path_factory: pytest.TempPathFactory) -> trimesh.Trimesh:
    """Its surface, lighter by up to 0.1 mm."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LABKIT_HOME", str(tmp_path_factory.mktemp("home")))
        series = discover(real_data / "ct_skull_phantom_1mm" / "S2030").series
        volume = read_volume(choose(series))
    chosen = Segmentation(threshold_hu=300, crop_lps_mm=BROW, decimation_bound_mm=0.1)
    return extract_surface(volume, segment(volume, chosen), chosen).mesh


def _in_front(surface: trimesh.Trimesh, x: float, z: float) -> Array:
    hits = solid(surface.vertices, surface.faces, "brow").ray_cast((x, -20, z), (x, 60, z))
    return np.array(hits[0].position)


def test_a_guide_seats_on_a_real_brow(brow: trimesh.Trimesh, order: Order) -> None:
    entries = _in_front(brow, 8, 736), _in_front(brow, -10, 738)
    ways = np.array([[0, 20, 4], [2, 20, 4]])
    holes = np.stack([entries, entries + ways], axis=1)
    chosen = SurgicalGuide(
        trajectories_lps_mm=text(*holes.reshape(-1, 3)),
        windows_lps_mm=text(_in_front(brow, -1, 728)),
        insertion_lps="0, 1, 0",
    )
    order = order.model_copy(update={"device": "surgical guide"})
    part = design_part(Anatomy(brow), chosen, order)
    assert part.mesh.is_watertight
    assert part.bodies == 1
    assert {check.name: check.verdict for check in part.checks if check.verdict != "pass"} == {}
    assert part.metrics["stability_hold"] > 0.1
    assert part.metrics["contact_mm2"] > 500
    placed = part.mesh.copy()
    placed.apply_transform(part.plate_to_patient)
    assert signed_distances(placed.vertices, brow).min() > 0.1


def test_a_model_of_a_real_brow_is_hollow_and_opened(brow: trimesh.Trimesh, order: Order) -> None:
    chosen = AnatomicalModel(hollow=True, wall_mm=1.2, section="sagittal", drains=8)
    part = design_part(Anatomy(brow), chosen, order)
    assert all(each.mesh.is_watertight for each in part.objects)
    assert part.metrics["hollow_mm3"] > 1000
    assert part.edits[0].distances.p95_mm < 0.01
    (wall,) = [check for check in part.checks if check.name.startswith("thinnest wall")]
    assert wall.verdict == "pass"
