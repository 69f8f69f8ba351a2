from pathlib import Path
from typing import Any

import numpy as np
import pytest
import trimesh

from labkit import equipment
from labkit.case import Order
from labkit.design import Part
from labkit.design.imported import read_part
from labkit.design.mirroring import mirrored
from labkit.design.orthosis.ventilation import nominal_open_share
from labkit.design.printability.thickness import walls
from labkit.errors import DesignError
from labkit.parameters import Orthosis, Segmentation
from labkit.scan import choose, discover, read_volume
from labkit.segmentation import extract_surface, segment
from labkit.slicing.slicer import slice_part
from labkit.surface import signed_distances, write_stl

from .limbs import assert_features, beside, designer, tube
from .proving import RANDOM_PARTS, assert_printable, assert_refused_outside
from .shapes import PLACE, crossing_bar

RADIUS = 18.0
SMALL = {"from_mm": 5.0, "length_mm": 50.0, "closures": 1, "strap_mm": 12.0, "step_mm": 1.0}


@pytest.fixture(scope="module")
def limb() -> trimesh.Trimesh:
    return tube(RADIUS, 70.0)


@pytest.fixture
def splint(order: Order) -> Any:
    """``splint(limb, **parameters)``: designed as an orthosis."""
    return designer(order, "orthosis", SMALL)


def _in_patient(part: Part) -> trimesh.Trimesh:
    moved = part.mesh.copy()
    moved.apply_transform(part.plate_to_patient)
    return moved


def _inner_radii(part: Part, low: float, high: float) -> np.ndarray:
    """Of corners of the inner wall between two heights of the plate, from the tube's axis."""
    points = part.mesh.vertices
    kept = points[(points[:, 2] > low) & (points[:, 2] < high)]
    radius = np.linalg.norm(_moved(kept, part)[:, :2] - PLACE[:2], axis=1)
    return np.asarray(radius[radius < radius.min() + 1.0])


def _moved(points: np.ndarray, part: Part) -> np.ndarray:
    return np.asarray(trimesh.transform_points(points, part.plate_to_patient))


def test_the_inner_wall_keeps_the_clearance_of_each_region(
    limb: trimesh.Trimesh, splint: Any
) -> None:
    part = splint(
        limb, closure="none", ventilation="none", clearance_along="0, 1; 25, 1; 26, 3; 50, 3"
    )
    for low, high, clearance in ((12, 22, 1.0), (29, 38, 3.0)):
        radii = _inner_radii(part, low, high)
        assert np.abs(radii - RADIUS - clearance).max() < 0.05
    assert part.metrics["clearance_error_p95_mm"] < 0.05
    assert part.metrics["wall_median_mm"] == pytest.approx(3.0, abs=0.05)


def test_a_relief_lifts_the_wall_off_its_place_and_nowhere_else(
    limb: trimesh.Trimesh, splint: Any
) -> None:
    place = beside(0, -RADIUS, 0)
    part = splint(
        limb,
        closure="none",
        ventilation="none",
        relief_lps_mm=", ".join(f"{each:g}" for each in place),
        relief_mm=4.0,
        relief_radius_mm=12.0,
    )
    inside = _in_patient(part)
    out = trimesh.creation.cylinder(
        radius=0.3, segment=[beside(0, -RADIUS + 1, 0), beside(0, -RADIUS - 20, 0)]
    )
    wall = trimesh.boolean.intersection([inside, out], engine="manifold")
    near, far = PLACE[1] - wall.bounds[::-1, 1]
    assert near == pytest.approx(RADIUS + 1.5 + 4.0, abs=0.1)
    assert far - near == pytest.approx(3.0, abs=0.1)
    behind = _moved(part.mesh.vertices, part)
    behind = behind[(behind[:, 1] > PLACE[1] + 5) & (abs(behind[:, 2] - PLACE[2]) < 5)]
    radii = np.linalg.norm(behind[:, :2] - PLACE[:2], axis=1)
    assert radii.min() == pytest.approx(RADIUS + 1.5, abs=0.05)


def test_edges_bend_away_by_the_flare(limb: trimesh.Trimesh, splint: Any) -> None:
    part = splint(limb, closure="none", ventilation="none", flare_mm=4.0)
    assert _inner_radii(part, -1, 1e-3).min() == pytest.approx(RADIUS + 1.5 + 4.0, abs=0.1)
    assert _inner_radii(part, 49.999, 51).min() == pytest.approx(RADIUS + 1.5 + 4.0, abs=0.1)
    assert _inner_radii(part, 20, 30).max() < RADIUS + 1.5 + 0.05


@pytest.mark.parametrize("wall_mm", [1.2, 3.0])
def test_a_flare_of_45_degrees_ends_in_a_rim_that_can_be_printed(
    limb: trimesh.Trimesh, splint: Any, wall_mm: float
) -> None:
    part = splint(limb, closure="none", wall_mm=wall_mm, flare_mm=3.0, flare_length_mm=6.0)
    found = walls(part.mesh, reach_mm=8.0)
    assert found.area_below_mm2(0.66 * wall_mm) < 5
    assert part.metrics["wall_p01_mm"] > 0.95 * wall_mm
    top = part.mesh.vertices[part.mesh.vertices[:, 2] > 50 - 1e-3]
    radius = np.hypot(top[:, 0], top[:, 1])
    assert np.ptp(radius) == pytest.approx(wall_mm * np.sqrt(0.5), abs=0.15)


@pytest.mark.parametrize("closure", ["strap slots", "screw lugs", "none"])
def test_two_halves_part_by_the_gap_and_the_features_are_on_the_mesh(
    limb: trimesh.Trimesh, splint: Any, closure: str
) -> None:
    part = splint(limb, closure=closure, gap_mm=2.0)
    assert_printable(part)
    assert_features(part)
    first, second = (each.mesh for each in part.objects)
    assert first.bounds[0, 1] - second.bounds[1, 1] == pytest.approx(2.0, abs=1e-3)
    assert part.mesh.extents[2] == pytest.approx(50.0, abs=1e-6)


def test_strap_slots_go_through_the_wall_and_screw_holes_have_their_size(
    limb: trimesh.Trimesh, splint: Any
) -> None:
    plain = splint(limb, closure="none", ventilation="none")
    slots = splint(limb, closure="strap slots", ventilation="none")
    lost = plain.mesh.volume - slots.mesh.volume
    assert lost == pytest.approx(4 * 13.0 * 3.5 * 3.0, rel=0.15)  # a wall that leans is longer
    lugs = splint(limb, closure="screw lugs", screw="M3", ventilation="none")
    tip = lugs.mesh.bounds[1, 0]
    through = trimesh.creation.cylinder(radius=1.65, height=40)
    through.apply_transform(trimesh.transformations.rotation_matrix(np.pi / 2, [1, 0, 0]))
    through.apply_translation([tip - 4.0 - 1.7, 0, 25.0])
    assert trimesh.boolean.intersection([lugs.mesh, through], engine="manifold").is_empty
    wider = through.copy().apply_translation([0.2, 0, 0])
    assert trimesh.boolean.intersection([lugs.mesh, wider], engine="manifold").volume > 0


def test_ventilation_takes_what_its_holes_say(splint: Any) -> None:
    part = splint(
        tube(40.0, 70.0), closure="none", hole_mm=6.0, web_mm=4.0, flare_mm=0.0, wall_mm=2.0
    )
    plain = splint(tube(40.0, 70.0), closure="none", ventilation="none", flare_mm=0.0, wall_mm=2.0)
    taken = plain.mesh.volume - part.mesh.volume
    hole = 16 * np.sin(2 * np.pi / 32) * 9.0 * 2.0  # a drill of 32 sides through 2 mm
    assert taken == pytest.approx(part.metrics["ventilation_holes"] * hole, rel=0.02)
    assert part.metrics["open_share"] == pytest.approx(taken / plain.mesh.volume, abs=0.02)
    assert nominal_open_share(6.0, 4.0) == pytest.approx(0.3265, abs=1e-4)
    assert 0.5 < part.metrics["open_share"] / nominal_open_share(6.0, 4.0) < 1


def test_bending_is_that_of_two_half_rings_on_two_supports(
    limb: trimesh.Trimesh, splint: Any
) -> None:
    part = splint(
        limb,
        closure="none",
        ventilation="none",
        flare_mm=0.0,
        gap_mm=0.8,
        load_n=100.0,
        modulus_mpa=2000.0,
        strength_mpa=20.0,
    )
    x, y = np.meshgrid(np.arange(-25, 25, 0.02), np.arange(0.4, 25, 0.02))
    half = y[(np.hypot(x, y) > RADIUS + 1.5) & (np.hypot(x, y) < RADIUS + 4.5)]
    middle, second = half.mean(), 2 * half.var() * len(half) * 0.02**2
    assert part.metrics["second_moment_mm4"] == pytest.approx(second, rel=0.01)
    assert part.metrics["bending_deflection_mm"] == pytest.approx(
        100 * 50**3 / (48 * 2000 * second), rel=0.01
    )
    stress = 100 * 50 / 4 * (middle - 0.4) / second  # the farther fibre: at the halves' edges
    assert part.metrics["bending_stress_mpa"] == pytest.approx(stress, rel=0.02)
    weak = splint(limb, ventilation="none", load_n=1000.0, strength_mpa=1.0, modulus_mpa=10.0)
    verdicts = {check.name: check.verdict for check in weak.checks}
    assert verdicts["bending: strength over stress"] == "fail"
    assert verdicts["bending: deflection"] == "action"


def test_a_mirrored_splint_says_so_and_fits_the_mirror_image(splint: Any) -> None:
    limb = tube(RADIUS, 70.0)
    thumb = trimesh.creation.icosphere(radius=8)
    thumb.apply_translation(beside(RADIUS, 0, 0))
    lopsided = trimesh.boolean.union([limb, thumb], engine="manifold")
    plain = splint(lopsided, closure="none", ventilation="none")
    part = splint(lopsided, mirror=True, scanned_side="left", closure="none", ventilation="none")
    assert np.linalg.det(plain.plate_to_patient[:3, :3]) == pytest.approx(1)
    assert np.linalg.det(part.plate_to_patient[:3, :3]) == pytest.approx(-1)
    assert "mirrored: made for the right side" in part.caveats[0]
    assert not any("mirrored" in caveat for caveat in plain.caveats)
    assert part.details["mirrored"] is True
    # its points, taken back to the scan, lie around the scanned limb
    assert signed_distances(_moved(part.mesh.vertices, part), lopsided).min() > 1.4
    assert abs(plain.mesh.center_mass[0]) > 1
    assert part.mesh.center_mass[0] == pytest.approx(-plain.mesh.center_mass[0], abs=0.05)
    with pytest.raises(DesignError, match="scanned_side = 'left'"):
        splint(lopsided, mirror=True, scanned_side="right")
    with pytest.raises(DesignError, match="whose side is 'as ordered'"):
        splint(lopsided, mirror=True)
    with pytest.raises(DesignError, match="not mirrored"):
        splint(lopsided, scanned_side="left")


@pytest.mark.parametrize(
    ("parameters", "says"),
    [
        ({"length_mm": 100.0}, "at most the 70 mm"),
        ({"flare_mm": 8.0}, "set flare_mm to 5"),
        ({"flare_length_mm": 30.0}, "shorten flare_length_mm"),
        ({"closures": 6}, "fewer closures"),
        ({"clearance_along": "10, 2; 5, 2"}, "heights that rise"),
        ({"clearance_along": "0, 2; 60, 2"}, "heights that rise"),
        ({"clearance_along": "0, 50"}, "up to 12 mm"),
        ({"relief_lps_mm": "0, 0, 0"}, "a place on the skin"),
        ({"limb_file": "nowhere.stl", "limb_file_unit": "mm"}, "not there"),
    ],
)
def test_what_makes_no_sense_is_refused_in_words(
    limb: trimesh.Trimesh, splint: Any, parameters: dict[str, Any], says: str
) -> None:
    with pytest.raises(DesignError) as caught:
        splint(limb, **parameters)
    assert says in str(caught.value)


def test_two_limbs_side_by_side_or_an_open_one_are_refused(
    limb: trimesh.Trimesh, splint: Any
) -> None:
    other = limb.copy().apply_translation([60.0, 0, 0])
    with pytest.raises(DesignError, match="a shell in 2 pieces"):
        splint(trimesh.util.concatenate([limb, other]), axis="superior")
    torn = limb.copy()
    torn.update_faces(np.arange(len(torn.faces)) > 3)
    with pytest.raises(DesignError, match="not a closed body"):
        splint(torn)


def test_a_limb_file_that_crosses_itself_or_lies_level_is_refused(
    limb: trimesh.Trimesh, splint: Any, tmp_path: Path
) -> None:
    crossing_bar().export(tmp_path / "crossing.stl")
    with pytest.raises(DesignError, match="passes through itself"):
        splint(limb, limb_file=str(tmp_path / "crossing.stl"), limb_file_unit="mm")
    level = limb.copy()
    level.apply_transform(trimesh.transformations.rotation_matrix(np.pi / 2, [0, 1, 0]))
    with pytest.raises(DesignError, match="which end is distal"):
        splint(level)


def _random(rng: np.random.Generator) -> dict[str, Any]:
    """Within the envelope, and within what the parameters say of each other."""

    def between(low: float, high: float) -> float:
        return float(rng.uniform(low, high))

    flare_length = between(3, 14)
    return {
        "halves": str(rng.choice(["two", "first", "second"])),
        "split_deg": between(-180, 180),
        "gap_mm": between(0.8, 4),
        "closure": str(rng.choice(["strap slots", "screw lugs", "none"])),
        "strap_mm": between(8, 16),
        "screw": str(rng.choice(["M3", "M4", "M5"])),
        "ventilation": str(rng.choice(["none", "holes"])),
        "hole_mm": between(3, 20),
        "web_mm": between(2, 30),
        "clearance_mm": between(0, 12),
        "wall_mm": between(1.2, 8),
        "flare_length_mm": flare_length,
        "flare_mm": between(0, min(8, flare_length / 2)),
        "step_mm": between(1.5, 2.5),
        "from_mm": between(0, 15),
        "length_mm": between(45, 55),
        "axis": str(rng.choice(["limb", "superior"])),
    }


def test_random_parameters_give_printable_splints(splint: Any) -> None:
    rng = np.random.default_rng(7)
    for _ in range(RANDOM_PARTS):
        limb = tube(
            float(rng.uniform(14, 22)),
            72.0,
            taper=float(rng.uniform(0, 0.3)),
            oval=float(rng.uniform(0.9, 1.2)),
        )
        assert_printable(splint(limb, **_random(rng)))


def test_what_lies_outside_the_envelope_is_refused_by_name() -> None:
    assert_refused_outside(Orthosis)


@pytest.mark.parametrize("number", range(3))
def test_random_splints_are_sliced(
    splint: Any, number: int, tmp_path: Path, lab_home: Path
) -> None:
    rng = np.random.default_rng(100 + number)
    part = splint(tube(18.0, 72.0), **_random(rng))
    write_stl(part.mesh, tmp_path / "part.stl")
    sliced = slice_part(
        tmp_path / "part.stl",
        tmp_path / "part.gcode",
        printer=equipment.printer("practice"),
        material=equipment.material("PLA"),
        layer_height_mm=0.3,
        infill_percent=10,
        supports=False,
    )
    assert (tmp_path / "part.gcode").stat().st_size > 10_000
    assert sliced is not None


def test_a_thigh_from_ct_is_splinted_with_its_clearance(
    splint: Any, real_data: Path, lab_home: Path
) -> None:
    volume = read_volume(choose(discover(real_data / "ct_knee_sts013").series))
    skin = Segmentation(
        structure="skin",
        threshold_hu=-300,
        fill_holes_mm3=1e6,
        crop_lps_mm="-5, -60, 660; 170, 130, 870",
    )
    leg = extract_surface(volume, segment(volume, skin), skin).mesh
    part = splint(
        leg, axis="superior", from_mm=60.0, length_mm=90.0, step_mm=1.5, strap_mm=25.0, closures=2
    )
    assert_printable(part)
    assert_features(part)
    assert part.metrics["clearance_error_p95_mm"] < 0.05
    places = _moved(part.mesh.vertices, part)
    off = signed_distances(places[::20], leg)
    assert np.percentile(off, 1) > 1.5 - 0.05
    assert off.min() > 1.5 - 0.15
    assert places[:, 2].min() == pytest.approx(leg.bounds[0, 2] + 60, abs=1e-3)


@pytest.mark.parametrize("name", ["l_patella", "tibia_r"])
def test_a_bone_in_metres_is_mirrored_with_its_unit_asked_for(
    splint: Any, real_data: Path, name: str
) -> None:
    file = real_data / "bones_opensim_vtp" / f"{name}.vtp"
    with pytest.raises(DesignError, match="no unit for a VTP file"):
        read_part(file)
    bone = read_part(file, "m").mesh
    other, back = mirrored(bone)
    assert 50 < bone.extents.max() < 400
    assert other.volume == pytest.approx(bone.volume)
    assert np.linalg.det(back[:3, :3]) == pytest.approx(-1)
    assert np.allclose(trimesh.transform_points(other.vertices, back), bone.vertices)
    sides = ("left", "right") if name == "l_patella" else ("right", "left")
    values = {"limb_file": str(file), "closure": "none", "axis": "superior", "gap_mm": 0.8}
    values |= {"length_mm": 20.0, "flare_length_mm": 4.0, "flare_mm": 1.0, "ventilation": "none"}
    with pytest.raises(DesignError, match="no unit for a VTP file"):
        splint(bone, **values)
    part = splint(
        bone, laterality=sides[1], mirror=True, scanned_side=sides[0], limb_file_unit="m", **values
    )
    assert np.linalg.det(part.plate_to_patient[:3, :3]) == pytest.approx(-1)
    assert part.details["limb_file"]["unit"] == "m"
    assert name not in str(part.details)
    assert f"made for the {sides[1]} side from a surface of the {sides[0]} side" in part.caveats[0]
