from functools import cache
from pathlib import Path

import manifold3d
import numpy as np
import pytest
import trimesh

from labkit import equipment
from labkit.case import Check, Order
from labkit.design import Anatomy, Part, design_part, printability
from labkit.design.solids import block, raised_text, rod
from labkit.design.surgical_guide import _plan_checks
from labkit.design.surgical_guide.seating import stability
from labkit.errors import DesignError, ParameterError
from labkit.parameters import SurgicalGuide, validated
from labkit.surface import signed_distances, solid
from labkit.volume import Array

from .proving import RANDOM_PARTS, assert_refused_outside, assert_slices
from .shapes import PLACE, ball, ellipsoid, joined, on_ellipsoid, text

AXES = (18.0, 13.0, 30.0)
ENTRY = on_ellipsoid(AXES, (0.1, -1, 0.1))
HOLE = text(ENTRY, ENTRY + np.array([1, 20, 3]))


@pytest.fixture
def order(order: Order) -> Order:
    return order.model_copy(update={"device": "surgical guide"})


@cache
def _bone() -> trimesh.Trimesh:
    return ellipsoid(AXES, 5)


def _designed(surface: trimesh.Trimesh, order: Order, **chosen: object) -> Part:
    coarse = {"device": "surgical guide", "step_mm": 0.6}
    parameters = validated("03_design", coarse | chosen)
    assert isinstance(parameters, SurgicalGuide)
    return design_part(Anatomy(surface), parameters, order)


@pytest.fixture(scope="module")
def plain() -> Part:
    """A guide with one sleeve, which no test may change."""
    order = Order(
        case="C-0001",
        patient_code="P-1",
        anatomy="distal radius and ulna",
        laterality="right",
        device="surgical guide",
        requested_by="course leader",
        practice=True,
    )
    return _designed(_bone(), order, trajectories_lps_mm=HOLE)


def _placed(part: Part) -> trimesh.Trimesh:
    mesh = part.mesh.copy()
    mesh.apply_transform(part.plate_to_patient)
    return mesh


def _body(mesh: trimesh.Trimesh) -> manifold3d.Manifold:
    return solid(mesh.vertices, mesh.faces, "the guide")


def _checks(part: Part) -> dict[str, Check]:
    return {check.name: check for check in part.checks}


def _opening_mm(part: Part, number: int) -> float:
    """The gap along a feature's axis around the middle of its box, from the mesh."""
    feature = part.features[number]
    low, high = np.array(feature.region_mm)
    to_plate = np.eye(4) if feature.to_plate is None else np.array(feature.to_plate)
    middle = (to_plate @ np.append((low + high) / 2, 1))[:3]
    reach = np.array(feature.direction) * (high - low).max()
    body = _body(part.mesh)
    walls = [np.array(body.ray_cast(middle, middle + s * reach)[0].position) for s in (-1, 1)]
    return float(np.linalg.norm(walls[1] - walls[0]))


@pytest.mark.parametrize("clearance_mm", [0.1, 0.2, 0.5])
def test_the_guide_keeps_the_clearance_from_the_bone(order: Order, clearance_mm: float) -> None:
    part = _designed(
        _bone(), order, trajectories_lps_mm=HOLE, clearance_mm=clearance_mm, step_mm=0.4
    )
    placed = _placed(part)
    points, _ = trimesh.sample.sample_surface(placed, 50_000, seed=1)
    gap = signed_distances(np.vstack([points, placed.vertices]), _bone())
    assert gap.min() > clearance_mm - 0.05
    near = gap[gap < clearance_mm + 0.5]  # the contact; the rest is a wall away
    assert len(near) > 5000
    assert np.percentile(near, 80) < clearance_mm + 0.05
    for name in ("least", "mean", "95 %"):
        check = _checks(part)[f"clearance, {name}"]
        assert check.value == pytest.approx(clearance_mm, abs=0.05)
        assert check.verdict == "pass"
    assert part.edits[0].distances.p95_mm < 0.05
    outside = signed_distances(placed.vertices, _bone()) < clearance_mm + 3.0 + 0.9
    assert outside.mean() > 0.5  # shell and letters; the sleeve reaches further


def test_undercuts_are_taken_away_so_that_it_comes_off(order: Order) -> None:
    stem = trimesh.creation.cylinder(radius=7, height=40, sections=64)
    stem.apply_transform(trimesh.transformations.rotation_matrix(np.pi / 2, (1, 0, 0)))
    stem.apply_translation(PLACE + np.array([0, 20, 0]))
    knob = joined(ball(12), stem)
    top = PLACE - np.array([0, 12, 0])
    chosen = {
        "trajectories_lps_mm": text(top, PLACE),
        "insertion_lps": "0, 1, 0",
        "reach_mm": 20.0,
        "region_margin_mm": 20.0,
    }
    part = _designed(knob, order, **chosen)
    assert part.metrics["undercut_mm3"] > 500
    assert part.mesh.extents[2] > 12 + 15  # it reaches beyond the widest place
    guide, bone = _body(_placed(part)), _body(knob)
    for back_mm in np.linspace(0, 25, 11):
        assert (guide.translate((0, -back_mm, 0)) ^ bone).volume() < 0.01, back_mm
    assert (guide.translate((1.0, 0, 0)) ^ bone).volume() > 1  # the measure sees a collision
    assert _checks(part)["collision with bone on the way on"].verdict == "pass"


def test_bone_in_the_way_is_refused_or_fails(order: Order) -> None:
    for apart_mm in (18, 28):
        wall = trimesh.creation.box((60, 4, 60))
        wall.apply_translation(PLACE - np.array([0, 13 + apart_mm, 0]))
        both = joined(_bone(), wall)
        if apart_mm < 20:  # within insertion_mm
            with pytest.raises(DesignError, match="bone in the way"):
                _designed(both, order, trajectories_lps_mm=HOLE)
        else:
            part = _designed(both, order, trajectories_lps_mm=HOLE)
            assert _checks(part)["collision with bone on the way on"].verdict == "fail"


def test_a_drill_of_the_sleeves_diameter_goes_where_it_was_planned(order: Order) -> None:
    other = on_ellipsoid(AXES, (-0.5, -1, -0.2))
    ways = np.array([[1, 20, 3], [5, 20, 0]])
    entries = np.array([ENTRY, other])
    holes = np.stack([entries, entries + ways], axis=1)
    part = _designed(_bone(), order, trajectories_lps_mm=text(*holes.reshape(-1, 3)))
    guide = _body(_placed(part))
    for n, (entry, deeper) in enumerate(holes, 1):
        along = (deeper - entry) / np.linalg.norm(deeper - entry)
        drill = [rod(entry - 30 * along, entry + 20 * along, d) for d in (3.18, 3.24)]
        assert (guide ^ drill[0]).volume() < 1e-6
        assert (guide ^ drill[1]).volume() > 1
        assert _checks(part)[f"sleeve {n}, axis against the plan"].value == pytest.approx(
            0, abs=0.1
        )
        assert _checks(part)[f"sleeve {n}, entry against the plan"].value < 0.05  # type: ignore[operator]
        row = part.details["trajectories"][n - 1]
        assert row["entry_lps_mm"] == pytest.approx(entry, abs=1e-5)
        assert row["direction_lps"] == pytest.approx(along, abs=1e-5)
        assert row["inner_mm"] == pytest.approx(3.2, abs=0.01)
        wide = [check for check in _plan_checks([row]) if "inner diameter" in check.name]
        wider = _plan_checks([row | {"inner_error_mm": 0.06}])
        assert [check.verdict for check in wide] == ["pass"]
        assert "fail" in [check.verdict for check in wider]
        feature = part.features[n - 1]
        assert (feature.name, feature.nominal_mm) == (f"sleeve {n}, inner diameter", 3.2)
        assert _opening_mm(part, n - 1) == pytest.approx(3.2, abs=0.05)


def test_a_blade_of_the_slots_width_goes_where_it_was_planned(order: Order) -> None:
    start, end = on_ellipsoid(AXES, (-0.3, -1, -0.4)), on_ellipsoid(AXES, (0.3, -1, -0.4))
    part = _designed(_bone(), order, slots_lps_mm=text(start, end, PLACE), slot_width_mm=1.4)
    guide = _body(_placed(part))
    along = (end - start) / np.linalg.norm(end - start)
    into = PLACE - (start + end) / 2
    into -= along * (into @ along)
    into /= np.linalg.norm(into)
    turn = np.column_stack([along, np.cross(into, along), into, (start + end) / 2])
    half = float(np.linalg.norm(end - start)) / 2
    overlaps = [
        (guide ^ block((-half, -w / 2, -20), (half, w / 2, 20)).transform(turn)).volume()
        for w in (1.39, 1.41)
    ]
    assert overlaps[0] == pytest.approx(0, abs=1e-4)
    assert overlaps[1] > 0.05
    assert (part.features[0].name, part.features[0].nominal_mm) == ("slot 1, width", 1.4)
    assert _opening_mm(part, 0) == pytest.approx(1.4, abs=1e-3)
    assert part.details["slots"][0]["length_mm"] == pytest.approx(2 * half, abs=1e-3)


def test_a_window_shows_the_bone(order: Order) -> None:
    seen = on_ellipsoid(AXES, (-0.4, -1, -0.1))
    chosen = {"trajectories_lps_mm": HOLE, "insertion_lps": "0, 1, 0"}
    for windows, hits in (("", 2), (text(seen), 0)):
        guide = _body(_placed(_designed(_bone(), order, windows_lps_mm=windows, **chosen)))
        assert len(guide.ray_cast(seen - np.array([0, 30, 0]), seen)) == hits


def test_the_letters_read_from_outside(order: Order) -> None:
    slab = trimesh.creation.box((80, 20, 80))
    slab.apply_translation(PLACE)
    top = PLACE - np.array([0, 10, 0])
    part = _designed(slab, order, trajectories_lps_mm=text(top, PLACE), region_margin_mm=25.0)
    letters_mm = part.metrics["letters_mm"]
    outside = 15 - 0.2 - 3.0  # the sleeve stands on the plate, 15 mm above the bone
    below = _body(part.mesh).slice(outside - 0.4).decompose()
    rings = [piece for piece in below if piece.num_contour() == 2 and piece.area() > 20]
    assert len(rings) == 1  # the sleeve
    seen = manifold3d.CrossSection.compose([piece for piece in below if piece not in rings])
    flat, _ = raised_text("C-0001 R", height_mm=letters_mm, raised_mm=1, sunk_mm=0)
    wanted = flat.slice(0.5)
    assert seen.area() == pytest.approx(wanted.area(), rel=0.02)
    common: dict[str, float] = {}
    for turned in (seen, seen.rotate(90), seen.rotate(180), seen.rotate(-90)):
        for name, shown in (("from outside", turned.mirror((1, 0))), ("from the bone", turned)):
            x0, y0, _, _ = shown.bounds()
            u0, v0, _, _ = wanted.bounds()
            area = (shown.translate((u0 - x0, v0 - y0)) ^ wanted).area() / wanted.area()
            common[name] = max(area, common.get(name, 0))
    assert common["from outside"] > 0.95
    assert common["from the bone"] < 0.9
    assert _checks(part)["marked with case and side"].value == "C-0001 R"


def test_a_guide_without_a_mark_fails(order: Order) -> None:
    part = _designed(_bone(), order, trajectories_lps_mm=HOLE, mark="none")
    assert _checks(part)["marked with case and side"].verdict == "fail"


def _contact(mesh: trimesh.Trimesh) -> tuple[Array, Array, Array]:
    return mesh.triangles_center, mesh.face_normals, mesh.area_faces


def test_stability_is_that_of_the_formula() -> None:
    sphere = stability(*_contact(ball(10)))
    assert sphere.eigenvalues == pytest.approx([0, 0, 0, 1 / 3, 1 / 3, 1 / 3], abs=1e-3)
    cube = trimesh.creation.box((2, 2, 2)).subdivide().subdivide().subdivide().subdivide()
    u = np.linspace(-1, 1, 2001)
    radius = np.sqrt(1 + u[:, None] ** 2 + u**2).mean()
    turn = 2 / 9 / radius**2
    found = stability(*_contact(cube))
    assert found.eigenvalues == pytest.approx([turn, turn, turn, 1 / 3, 1 / 3, 1 / 3], rel=0.02)
    assert found.hold == pytest.approx(np.sqrt(turn), rel=0.01)
    tube = trimesh.creation.cylinder(radius=5, height=30, sections=64).subdivide().subdivide()
    side = np.abs(tube.face_normals[:, 2]) < 0.5
    values = stability(*(each[side] for each in _contact(tube))).eigenvalues
    assert values[:2] == pytest.approx([0, 0], abs=1e-3)
    assert values[2] > 0.05


def test_a_contact_that_can_turn_fails_and_one_with_corners_passes(order: Order) -> None:
    hold = "hold of the contact in its softest direction"
    top = PLACE - np.array([0, 15, 0])
    loose = _designed(ball(15, fineness=5), order, trajectories_lps_mm=text(top, PLACE))
    assert _checks(loose)[hold].verdict == "fail"
    knob = joined(
        ball(15), ball(6, PLACE + np.array([9, -11, 0])), ball(6, PLACE + np.array([-4, -11, 9]))
    )
    firm = _designed(
        knob, order, trajectories_lps_mm=text(top, PLACE), insertion_lps="0, 1, 0", wall_mm=2.0
    )
    assert float(firm.metrics["stability_hold"]) > 3 * loose.metrics["stability_hold"]
    assert _checks(firm)[hold].verdict == "pass"


def test_the_guide_lies_with_its_contact_up_and_goes_back_to_the_patient(plain: Part) -> None:
    part = plain
    low, high = part.mesh.bounds
    assert np.append(low[:2] + high[:2], low[2]) == pytest.approx([0, 0, 0], abs=1e-6)
    turn = part.plate_to_patient[:3, :3]
    assert np.linalg.det(turn) == pytest.approx(1)
    assert turn @ [0, 0, 1] == pytest.approx(part.details["insertion_lps"])
    assert part.details["insertion_lps"][1] > 0.9  # from in front (A) towards the back (P)
    assert np.linalg.norm(_placed(part).centroid - ENTRY) < 8


@pytest.mark.parametrize(
    ("chosen", "words"),
    [
        ({}, "guides nothing"),
        ({"trajectories_lps_mm": text(ENTRY - np.array([0, 8, 0]), PLACE)}, "mm from its entry"),
        (
            {
                "trajectories_lps_mm": text(
                    PLACE + np.array([80, 0, 0]), PLACE + np.array([90, 0, 0])
                )
            },
            "not enter",
        ),
        ({"trajectories_lps_mm": text(ENTRY, ENTRY)}, "sleeve 1 of 0"),
        (
            {"slots_lps_mm": text(ENTRY, ENTRY + np.array([5, 0, 0]), ENTRY + np.array([2, 0, 0]))},
            "off its line",
        ),
        ({"trajectories_lps_mm": HOLE, "region_lps_mm": text(ENTRY, PLACE)}, "two places"),
        ({"trajectories_lps_mm": HOLE, "insertion_lps": "0, 0, 0"}, "of no length"),
        (
            {"trajectories_lps_mm": HOLE, "region_lps_mm": text(PLACE + np.array([90, 0, 0]))},
            "no bone inside|no bone where|pieces",
        ),
        (
            {"trajectories_lps_mm": HOLE, "windows_lps_mm": text(ENTRY), "window_mm": 25.0},
            "no bore where|pieces",
        ),
    ],
)
def test_a_plan_that_makes_no_sense_is_refused(
    order: Order, chosen: dict[str, object], words: str
) -> None:
    with pytest.raises(DesignError, match=words) as caught:
        _designed(_bone(), order, **chosen)
    assert caught.value.fix and caught.value.where.startswith("03_design")


def _random(draw: np.random.Generator) -> dict[str, object]:
    def within(name: str) -> float:
        low, high = 0.0, 1.0
        for rule in SurgicalGuide.model_fields[name].metadata:
            low, high = getattr(rule, "ge", low), getattr(rule, "le", high)
        return round(float(draw.uniform(low, high)), 3)

    def place() -> Array:
        return on_ellipsoid(AXES, (draw.uniform(-0.4, 0.4), -1, draw.uniform(-0.3, 0.3)))

    holes = [place() for _ in range(draw.integers(1, 4))]
    aims = [hole + np.array([draw.uniform(-5, 5), 20, draw.uniform(-5, 5)]) for hole in holes]
    middle = place()
    cut = [middle + np.array(way) for way in ([-4, 0, 0], [4, 0, 0], [0, 15, 0])]
    slot = text(*cut) if draw.random() < 0.4 else ""
    corners = [on_ellipsoid(AXES, (x, -1, z)) for x, z in ((-1, -0.8), (1, -0.8), (1, 1), (-1, 1))]
    names = [
        name
        for name in SurgicalGuide.model_fields
        if name.endswith("_mm") and not name.endswith("_lps_mm") and name != "window_mm"
    ]
    return {name: within(name) for name in names} | {
        "trajectories_lps_mm": text(*np.stack([holes, aims], axis=1).reshape(-1, 3)),
        "slots_lps_mm": slot,
        "region_lps_mm": text(*corners) if draw.random() < 0.5 else "",
        "step_mm": round(float(draw.uniform(0.6, 0.8)), 3),
        "insertion_lps": "0, 1, 0" if draw.random() < 0.5 else "",
    }


def test_random_guides_inside_the_envelope_are_closed_and_in_one_piece(order: Order) -> None:
    draw = np.random.default_rng(5)
    surface = ellipsoid(AXES, 4)
    made = 0
    for n in range(RANDOM_PARTS):
        parameters = _random(draw)
        try:
            part = _designed(surface, order, **parameters)
        except DesignError as error:  # one bore through the next, or a sleeve beside the contact
            assert "no bore" in error.found or "pieces" in error.found, (parameters, error)
            continue
        made += 1
        assert part.mesh.is_watertight and part.mesh.is_winding_consistent, (n, parameters)
        assert part.bodies == 1
        assert _checks(part)["collision with bone on the way on"].verdict == "pass", parameters
        assert part.metrics["clearance_min_mm"] > 0, parameters
    assert made > 0.8 * RANDOM_PARTS


def test_what_lies_outside_the_envelope_is_refused_by_name() -> None:
    assert_refused_outside(SurgicalGuide)
    for name in ("trajectories_lps_mm", "slots_lps_mm", "insertion_lps"):
        with pytest.raises(ParameterError, match=name):
            validated("03_design", {"device": "surgical guide", name: "1, 2, 3; 4, 5"})


@pytest.mark.parametrize("shape", ["sleeve", "slot", "window"])
def test_guides_are_sliced(
    order: Order, plain: Part, tmp_path: Path, lab_home: Path, shape: str
) -> None:
    slot = text(*(on_ellipsoid(AXES, (x, -1, -0.4)) for x in (-0.3, 0.3)), PLACE)
    seen = text(on_ellipsoid(AXES, (-0.4, -1, -0.1)))
    chosen = {
        "slot": {"slots_lps_mm": slot},
        "window": {"trajectories_lps_mm": HOLE, "windows_lps_mm": seen},
    }
    part = plain if shape == "sleeve" else _designed(_bone(), order, **chosen[shape])
    assert_slices(part, tmp_path)


def test_printability_takes_none_of_the_guides_own_numbers_away(plain: Part) -> None:
    found = printability(plain, equipment.printer("practice"))
    assert plain.metrics.keys().isdisjoint(found.metrics), "the notebook joins both"
    assert plain.metrics["contact_mm2"] > 100
