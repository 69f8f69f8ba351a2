from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest
import trimesh

from labkit.design import Anatomy
from labkit.design.solids import block
from labkit.errors import DesignError
from labkit.parameters import Lattice
from labkit.surface import solid
from tests.design.proving import (
    RANDOM_PARTS,
    assert_refused_outside,
    assert_slices,
    assert_sound,
    designed,
)

CELL_NAMES = get_args(Lattice.model_fields["cell"].annotation)
SMALL: dict[str, Any] = {
    "envelope": "block",
    "block_x_mm": 10.0,
    "block_y_mm": 10.0,
    "block_z_mm": 10.0,
    "cell_mm": 5.0,
}


@pytest.mark.parametrize("name", CELL_NAMES)
def test_each_cell_meets_the_porosity_in_one_open_body(name: Any) -> None:
    part = designed(Lattice(**SMALL, cell=name, porosity=0.65))
    assert_sound(part)
    assert 1 - part.mesh.volume / 1000 == pytest.approx(0.65, abs=0.02)
    assert part.metrics["porosity"] == pytest.approx(1 - part.mesh.volume / 1000, abs=1e-6)
    assert part.metrics["void_reachable"] == 1
    assert [check.verdict for check in part.checks[:3]] == ["pass"] * 3
    assert [feature.nominal_mm for feature in part.features] == pytest.approx([10, 10, 10])
    assert "not for implantation" in part.caveats[0]


def test_a_gyroid_wall_is_as_thick_as_volume_over_area_says() -> None:
    part = designed(Lattice(**SMALL, porosity=0.8))
    # A wall t on both sides of a surface of 3.0915 L² per cell: t = 0.2 L/3.0915.
    assert part.metrics["ligament_mm"] == pytest.approx(0.2 * 5 / 3.0915, rel=0.03)
    assert part.metrics["pore_mm"] == pytest.approx(4 * 0.8 * 5 / (2 * 3.0915), rel=0.03)


def test_struts_are_as_thick_as_they_are() -> None:
    part = designed(Lattice(**SMALL, cell="cubic struts", porosity=0.85))
    body = solid(part.mesh.vertices, part.mesh.faces, "part")
    # Between the nodes only what is upright: one strut, or parts of one, a cell.
    radius = np.sqrt(body.slice(2.5).area() / 4 / np.pi)
    across = 3 * np.pi * (radius / 5) ** 2 - 8 * np.sqrt(2) * (radius / 5) ** 3
    assert 1 - across == pytest.approx(0.85, abs=0.02)


def test_a_grading_is_where_it_was_asked_for() -> None:
    part = designed(
        Lattice(
            **SMALL | {"block_z_mm": 25.0},
            grading="along z",
            porosity=0.5,
            porosity_to=0.85,
            grading_mm=25.0,
        )
    )
    assert_sound(part)
    body = solid(part.mesh.vertices, part.mesh.faces, "part")
    for cell in range(5):
        layer = block((-5, -5, 5 * cell), (5, 5, 5 * cell + 5))
        expected = 0.5 + 0.35 * (cell + 0.5) / 5
        assert 1 - (body ^ layer).volume() / 500 == pytest.approx(expected, abs=0.02)


def test_gradings_from_the_surface_and_from_places_are_denser_there() -> None:
    short: dict[str, Any] = {"cell_mm": 5.0, "keep_from_mm": 4.0, "keep_length_mm": 14.0}
    near = designed(Lattice(**short, grading="from the surface", porosity=0.4, grading_mm=6.0))
    body = solid(near.mesh.vertices, near.mesh.faces, "part")
    core = block((-3, -3, 4), (3, 3, 10))
    assert 1 - (body ^ core).volume() / core.volume() > near.metrics["porosity"] + 0.1
    place = designed(
        Lattice(
            **short,
            grading="from places",
            grading_places_lps_mm="-100, 20, 999",
            porosity=0.4,
            grading_mm=8.0,
        )
    )
    body = solid(place.mesh.vertices, place.mesh.faces, "part")
    assert 1 - (body ^ core).volume() / core.volume() < place.metrics["porosity"] - 0.1


def test_a_skin_has_its_thickness_and_leaves_the_ends_open() -> None:
    part = designed(
        Lattice(cell_mm=6.0, skin="open ends", skin_mm=1.5, keep_from_mm=2.0, keep_length_mm=20.0)
    )
    assert_sound(part)
    body = solid(part.mesh.vertices, part.mesh.faces, "part")
    inner = 96 / 2 * np.sin(2 * np.pi / 96) * 6.5**2 * 20  # a rod of 96 sides, less the skin
    region = part.mesh.volume - (1 - part.metrics["porosity"]) * inner
    whole = 96 / 2 * np.sin(2 * np.pi / 96) * 8**2 * 20
    assert region == pytest.approx(whole - inner, rel=0.02)
    within = block((-7.9, -1, 1), (-6.7, 1, 19))
    assert (body ^ within).volume() == pytest.approx(within.volume(), rel=0.001)
    over = block((-3, -3, 18.5), (3, 3, 20))
    assert (body ^ over).volume() < 0.6 * over.volume()


def test_a_closed_skin_needs_drains() -> None:
    with pytest.raises(DesignError, match="no way out"):
        designed(Lattice(cell_mm=6.0, skin="closed"))
    drained = designed(
        Lattice(
            cell_mm=6.0,
            skin="closed",
            drain_places_lps_mm="-100, 20, 1012; -100, 20, 988",
            drain_mm=6.0,
        )
    )
    assert_sound(drained)
    assert drained.metrics["void_reachable"] > 0.999


def test_compensation_brings_ligament_and_pore_to_size_after_the_process() -> None:
    names: tuple[Any, ...] = ("gyroid sheet", "diamond struts")
    for name in names:
        wanted = designed(Lattice(**SMALL, cell=name, porosity=0.6))
        change: dict[str, Any] = {"ligament_change_percent": -10.0, "pore_change_percent": -40.0}
        drawn = designed(Lattice(**SMALL, cell=name, porosity=0.6, **change))
        for size, left in (("ligament_mm", 0.9), ("pore_mm", 0.6)):
            expected = wanted.metrics[size] / left
            assert drawn.metrics[size] == pytest.approx(expected, rel=0.04), (name, size)
        assert drawn.details["compensation"][0]["porosity wanted"] == 0.6
        assert "drawn larger" in drawn.caveats[1]


def test_it_goes_back_into_the_patient_without_an_editing_error() -> None:
    part = designed(Lattice(cell_mm=4.0, keep_from_mm=4.0, keep_length_mm=12.0))
    placed = part.mesh.copy()
    placed.apply_transform(part.plate_to_patient)
    assert placed.bounds == pytest.approx(np.array([[-108, 12, 992], [-92, 28, 1004]]), abs=0.02)
    assert part.edits[0].distances.max_mm < 1e-4
    assert part.edits[0].volume_change_mm3 < 0
    moved = trimesh.creation.cylinder(radius=8, height=24, sections=96)
    assert not designed(Lattice(**SMALL), Anatomy(moved)).edits  # a block is nobody's surface


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"grading": "from places"}, "no place"),
        ({"drain_places_lps_mm": "0, 0, 0"}, "no skin"),
        ({"keep_length_mm": 5.0}, "a block, and a length"),
        ({"cell_mm": 1.0, "block_x_mm": 200.0, "block_y_mm": 200.0}, "million samples"),
        ({"skin": "open ends", "skin_mm": 5.0}, "left inside the skin"),
        ({"cell": "schwarz p network", "porosity": 0.9}, "in pieces"),
        ({"cell": "schwarz p sheet", "porosity": 0.35}, "no way out"),
        ({"porosity": 0.9, "pore_change_percent": -70.0}, "make up for the process"),
    ],
)
def test_what_cannot_be_made_is_refused(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(DesignError, match=words) as caught:
        designed(Lattice(**SMALL | changes))
    assert caught.value.expected and caught.value.fix


def test_random_lattices_are_sound() -> None:
    draw = np.random.default_rng(3)
    for _ in range(RANDOM_PARTS):
        name = str(draw.choice(CELL_NAMES))
        cell_mm = draw.uniform(2, 6)
        least, most = (0.35, 0.7) if name.endswith("network") else (0.55, 0.88)
        sides = dict(zip("xyz", cell_mm * draw.uniform(1.4, 2.2, 3), strict=True))
        values: dict[str, Any] = {
            **{f"block_{axis}_mm": max(5.0, size) for axis, size in sides.items()},
            "cell": name,
            "cell_mm": cell_mm,
            "porosity": draw.uniform(least, most),
            "porosity_to": draw.uniform(least, most),
            "grading": str(draw.choice(["none", "along z"])),
        }
        assert_sound(designed(Lattice(envelope="block", **values)))


def test_outside_the_envelope_is_refused_by_name() -> None:
    assert_refused_outside(Lattice)


@pytest.mark.parametrize("name", ["gyroid sheet", "schwarz p network", "body-centred struts"])
def test_lattices_slice(name: Any, tmp_path: Path, lab_home: Path) -> None:
    assert_slices(designed(Lattice(**SMALL, cell=name, porosity=0.5)), tmp_path)


def test_a_real_femur_is_filled(real_data: Path) -> None:
    femur = trimesh.load_mesh(real_data / "bones_mesh" / "m3" / "m3_lfemur_mm.stl")
    part = designed(
        Lattice(
            cell_mm=8.0, skin="open ends", keep_from_mm=40.0, keep_length_mm=30.0, porosity=0.7
        ),
        Anatomy(femur),
    )
    assert_sound(part)
    assert part.metrics["porosity"] == pytest.approx(0.7, abs=0.02)
    assert part.metrics["void_reachable"] > 0.99
    assert part.edits[0].distances.p95_mm < 0.001
    assert [check.verdict for check in part.checks] == ["pass"] * 5
