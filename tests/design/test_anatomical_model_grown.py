"""Hollow, cut open, pinned, in several bodies: what a model can be besides a cut surface."""

from pathlib import Path

import numpy as np
import pytest
import trimesh

from labkit import equipment
from labkit.case import Check, Order
from labkit.design import Anatomy, Part, design_part, propose, turned
from labkit.errors import DesignError, ParameterError
from labkit.parameters import AnatomicalModel, validated
from labkit.surface import signed_distances

from .proving import RANDOM_PARTS, assert_refused_outside, assert_slices
from .shapes import PLACE, ball, ellipsoid, joined, text


def _designed(patient: trimesh.Trimesh | Anatomy, order: Order, **chosen: object) -> Part:
    parameters = validated("03_design", chosen)
    assert isinstance(parameters, AnatomicalModel)
    anatomy = patient if isinstance(patient, Anatomy) else Anatomy(patient)
    return design_part(anatomy, parameters, order)


def _check(part: Part, name: str) -> Check:
    (found,) = [check for check in part.checks if check.name.startswith(name)]
    return found


def test_a_plane_and_a_box_leave_what_the_formula_says(order: Order) -> None:
    surface = ball(15)
    slanted = text(PLACE, PLACE + np.array([1, 2, 2]))
    half = _designed(surface, order, base="none", cut_planes_lps_mm=slanted)
    assert half.mesh.volume == pytest.approx(surface.volume / 2, rel=1e-3)
    placed = half.mesh.copy()
    placed.apply_transform(half.plate_to_patient)
    assert ((placed.vertices - PLACE) @ [1, 2, 2]).min() == pytest.approx(0, abs=1e-6)
    cube = trimesh.creation.box((30, 30, 30))
    cube.apply_translation(PLACE)
    corners = text(PLACE + np.array([5, -5, 40]), PLACE + np.array([-5, 6, -5]))
    boxed = _designed(cube, order, base="none", keep_box_lps_mm=corners)
    assert boxed.mesh.volume == pytest.approx(10 * 11 * 20)


def test_planes_and_boxes_that_make_no_sense_are_refused(order: Order) -> None:
    for name, places, words in (
        ("keep_box_lps_mm", text(PLACE), "a box of 1 places"),
        ("cut_planes_lps_mm", text(PLACE, PLACE), "the same place twice"),
        ("keep_box_lps_mm", text(PLACE + 50, PLACE + 60), "0 mm3 left"),
    ):
        with pytest.raises(DesignError, match=words):
            _designed(ball(15), order, **{name: places})
    with pytest.raises(ParameterError, match="cut_planes_lps_mm"):
        _designed(ball(15), order, cut_planes_lps_mm=text(PLACE))


@pytest.mark.parametrize("shape", ["ball", "cylinder"])
def test_the_wall_of_a_hollow_part_is_as_thick_as_asked(order: Order, shape: str) -> None:
    cylinder = trimesh.creation.cylinder(radius=12, height=40, sections=128)
    cylinder.apply_translation(PLACE)
    surface = ball(15) if shape == "ball" else cylinder
    part = _designed(surface, order, base="none", hollow=True, wall_mm=2.0, scale=0.8)
    outer = surface.copy()
    outer.apply_transform(np.linalg.inv(part.plate_to_patient))
    depth = -signed_distances(part.mesh.vertices, outer)
    inside = depth > 1.9  # neither the outside nor the drain's end there
    assert inside.sum() > 300
    assert depth[inside].min() >= 1.95
    assert np.percentile(depth[inside], 95) <= 2.05
    inner = 0.8 * np.array([15, 15, 15] if shape == "ball" else [12, 12, 20]) - 2
    volume = (4 / 3 if shape == "ball" else 2) * np.pi * np.prod(inner)
    assert part.metrics["hollow_mm3"] == pytest.approx(volume, rel=0.02)
    assert _check(part, "thinnest wall").verdict == "pass"
    assert part.bodies == 1


def test_a_model_with_drains_is_not_turned(order: Order, lab_home: Path) -> None:
    machine = equipment.printer("practice")
    whole, drained = (
        _designed(ellipsoid((8, 14, 24)), order, base="none", hollow=hollow)
        for hollow in (False, True)
    )
    assert propose(whole, machine).chosen.name != "as designed"
    proposal = propose(drained, machine)
    assert proposal.chosen.name == "as designed"
    assert "drains" in proposal.reason
    with pytest.raises(DesignError, match="drains lead straight down"):
        turned(drained, next(each for each in proposal.compared if each.name == "top down"))
    assert np.allclose(turned(drained, proposal.chosen).mesh.bounds, drained.mesh.bounds)


def test_the_drain_opens_the_hollow_through_the_base(order: Order) -> None:
    part = _designed(ball(15), order, hollow=True, drain_mm=5.0)
    shells = part.mesh.split(only_watertight=False)
    assert len(shells) == 1  # a closed cavity would be a second one
    bottom = part.mesh.section(plane_origin=(0, 0, 0.5), plane_normal=(0, 0, 1))
    assert bottom is not None
    rings = [ring for ring in bottom.discrete if np.ptp(ring[:, 0]) < 6]
    assert [np.ptp(ring[:, 0]) for ring in rings] == [pytest.approx(5.0, abs=0.01)]


def test_what_one_drain_leaves_behind_two_let_out(order: Order) -> None:
    legs = [trimesh.creation.cylinder(radius=8, height=30, sections=48) for _ in range(2)]
    for leg, x in zip(legs, (-15.0, 15.0), strict=True):
        leg.apply_translation(PLACE + np.array([x, 0, -10]))
    bar = trimesh.creation.box((50, 16, 16))
    bar.apply_translation(PLACE + np.array([0, 0, 10]))
    arch = joined(*legs, bar)
    one = _designed(arch, order, base="none", hollow=True, drains=1)
    leg_inside = np.pi * 6**2 * 25  # below the bar's hollow
    assert one.metrics["trapped_mm3"] == pytest.approx(leg_inside, rel=0.1)
    assert _check(one, "resin or powder").verdict == "action"
    two = _designed(arch, order, base="none", hollow=True, drains=4)
    assert two.metrics["drains"] == 2
    assert two.metrics["trapped_mm3"] == 0
    assert _check(two, "resin or powder").verdict == "pass"


def test_a_part_without_room_for_a_hollow_is_refused(order: Order) -> None:
    with pytest.raises(DesignError, match="no room for a hollow"):
        _designed(ball(5), order, hollow=True, wall_mm=3.0)


def test_a_cut_open_model_has_both_halves_apart_on_one_base(order: Order) -> None:
    surface = ellipsoid((10, 14, 20))
    part = _designed(surface, order, section="sagittal", section_gap_mm=12.0)
    assert part.edits[0].distances.max_mm < 1e-3
    assert any("12 mm apart" in caveat for caveat in part.caveats)
    open_ = _designed(surface, order, section="sagittal", section_gap_mm=12.0, base="none")
    assert open_.bodies == 2
    assert open_.mesh.extents == pytest.approx([20 + 12, 28, 40], abs=0.1)
    assert open_.mesh.volume == pytest.approx(surface.volume)


def test_pins_hold_fragments_where_they_are_in_the_patient(order: Order) -> None:
    surface = joined(
        ball(10), ball(4, PLACE + np.array([0, 0, 18])), ball(3, PLACE + np.array([17, 0, 3]), 3)
    )
    assert _designed(surface, order, base="none").bodies == 3
    part = _designed(surface, order, base="none", fragments="pinned", pin_mm=2.0)
    assert part.bodies == 1
    assert part.metrics["pins"] == 2
    assert part.metrics["pinned_gap_max_mm"] == pytest.approx(np.hypot(17, 3) - 13, abs=0.1)
    assert part.edits[0].distances.max_mm < 1e-3
    assert any("pins of 2 mm" in caveat for caveat in part.caveats)


def test_further_structures_are_bodies_of_their_own_that_do_not_overlap(order: Order) -> None:
    bone, tumour = ball(15), ball(6, PLACE + np.array([14, 0, 0]))
    both_of_them = Anatomy(bone, {"tumour": tumour})
    part = _designed(both_of_them, order, others="coloured")
    assert [each.name for each in part.objects] == ["C-0001", "tumour"]
    assert part.objects[0].colour != part.objects[1].colour
    both = [each.mesh for each in part.objects]
    common = trimesh.boolean.intersection(both, engine="manifold")
    assert common.is_empty or common.volume < 1e-6
    union = joined(bone, tumour)
    apart = _designed(both_of_them, order, others="coloured", base="none")
    assert sum(each.mesh.volume for each in apart.objects) == pytest.approx(union.volume)
    one = _designed(both_of_them, order, others="joined", base="none")
    assert one.mesh.volume == pytest.approx(union.volume)
    assert one.bodies == 1
    left = _designed(both_of_them, order)
    assert "not made, though segmented: tumour" in left.warnings


def _random(draw: np.random.Generator) -> dict[str, object]:
    def number(low: float, high: float) -> float:
        return round(float(draw.uniform(low, high)), 3)

    normal = draw.normal(size=3)
    point = PLACE + normal / np.linalg.norm(normal) * draw.uniform(-6, 0)
    return {
        "keep_from_mm": number(0, 8),
        "keep_length_mm": float(draw.choice([0, 18])),
        "cut_planes_lps_mm": text(point, point + normal) if draw.random() < 0.5 else "",
        "section": str(draw.choice(["none", "sagittal", "coronal"])),
        "section_percent": number(5, 95),
        "section_gap_mm": number(2, 100),
        "base": str(draw.choice(["plate", "none"])),
        "scale": number(0.5, 3),
        "hollow": bool(draw.random() < 0.4),
        "wall_mm": number(0.8, 2),
        "drain_mm": number(2, 12),
        "drains": int(draw.integers(1, 5)),
        "fragments": str(draw.choice(["as they are", "pinned"])),
        "pin_mm": number(1.5, 10),
        "others": str(draw.choice(["left out", "coloured", "joined"])),
    }


def test_random_parameters_inside_the_envelope_give_closed_parts(order: Order) -> None:
    draw = np.random.default_rng(3)
    surface = joined(ellipsoid((9, 8, 13), 3), ball(3, PLACE + np.array([0, 0, 17]), 3))
    anatomy = Anatomy(surface, {"tumour": ball(4, PLACE + np.array([8, 0, 0]), 3)})
    for n in range(RANDOM_PARTS):
        parameters = _random(draw)
        try:
            part = _designed(anatomy, order, **parameters)
        except DesignError as error:  # a hollow where walls meet
            assert "no room for a hollow" in error.found, parameters
            continue
        for each in part.objects:
            assert each.mesh.is_watertight and each.mesh.is_winding_consistent, (n, parameters)
            assert each.mesh.volume > 0
        low, high = part.mesh.bounds
        assert np.append(low[:2] + high[:2], low[2]) == pytest.approx([0, 0, 0], abs=1e-6)
        assert part.bodies >= 1


def test_what_lies_outside_the_envelope_is_refused_by_name() -> None:
    assert_refused_outside(AnatomicalModel)


@pytest.mark.parametrize(
    "chosen",
    [{"hollow": True}, {"section": "coronal"}, {"base": "none", "fragments": "pinned"}],
    ids=["hollow", "section", "pinned"],
)
def test_models_are_sliced(
    order: Order, tmp_path: Path, lab_home: Path, chosen: dict[str, object]
) -> None:
    surface = joined(ball(10), ball(4, PLACE + np.array([0, 0, 18])))
    assert_slices(_designed(surface, order, **chosen), tmp_path)
