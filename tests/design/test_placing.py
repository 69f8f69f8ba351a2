"""What a person is shown before a part is made: it lies where the part is then cut."""

from typing import Any

import numpy as np
import pytest
import trimesh

from labkit.case import Order
from labkit.design import Anatomy, Placement
from labkit.errors import DesignError
from labkit.parameters import FAMILIES, Design, validated
from labkit.volume import Array

from .limbs import beside, designer, tube
from .shapes import PLACE, ellipsoid, text

LIMB = {"from_mm": 5.0, "length_mm": 50.0, "closure": "none", "ventilation": "none"}


def decided(device: str, **values: Any) -> Design:
    parameters = validated("03_design", {"device": device, **values})
    assert isinstance(parameters, Design)
    return parameters


def placement(
    mesh: trimesh.Trimesh, order: Order, device: str, **values: Any
) -> tuple[Placement, Design]:
    parameters = decided(device, **values)
    return Placement(Anatomy(mesh), parameters, order), parameters


def depths_mm(points: Array, plane: Array) -> Array:
    """How far points lie on the side of a plane to which its second place points."""
    normal = plane[1] - plane[0]
    return np.asarray((points - plane[0]) @ normal / np.linalg.norm(normal))


def test_a_model_lies_on_the_kept_side_of_each_plane_that_was_shown(order: Order) -> None:
    bone = ellipsoid((20, 15, 40))
    values: dict[str, Any] = {
        "keep_from_mm": 12.0,
        "keep_length_mm": 50.0,
        "cut_planes_lps_mm": text(beside(5, 0, 0), beside(-5, 2, 3)),
        "keep_box_lps_mm": text(beside(-18, -10, -90), beside(90, 90, 90)),
    }
    plan, parameters = placement(bone, order, "anatomical model", **values)
    shapes = {shape.name: shape for shape in plan.shapes(parameters)}
    assert set(shapes) == {"beginning", "end", "cutting plane", "box that is kept"}
    assert {shape.parameter for shape in shapes.values()} == set(values)
    part = designer(order, "anatomical model", {"base": "none"})(bone, **values)
    points = trimesh.transform_points(part.mesh.vertices, part.plate_to_patient)
    for name in ("beginning", "end", "cutting plane"):
        depth = depths_mm(points, shapes[name].points)
        assert depth.min() == pytest.approx(0, abs=0.01), name
        assert depth.max() > 10
    low, _ = shapes["box that is kept"].points
    assert points[:, 1].min() == pytest.approx(low[1], abs=0.01)
    inside = np.min([space.depth_mm(points) for space in plan.kept(parameters)])
    assert inside == pytest.approx(0, abs=0.01)


def test_the_section_stands_where_the_model_is_opened(order: Order) -> None:
    bone = ellipsoid((20, 15, 40))
    values = {"section": "sagittal", "section_percent": 25.0}
    plan, parameters = placement(bone, order, "anatomical model", **values)
    (section,) = plan.shapes(parameters)
    assert section.points[0, 0] == pytest.approx(PLACE[0] - 10, abs=0.01)


@pytest.mark.parametrize("mirror", [False, True])
def test_the_halves_of_a_splint_lie_on_both_sides_of_the_parting_plane(
    order: Order, mirror: bool
) -> None:
    limb = tube(18.0, 70.0, oval=1.3)
    values: dict[str, Any] = {**LIMB, "split_deg": 30.0, "mirror": mirror}
    values["scanned_side"] = "left" if mirror else "right"
    part = designer(order, "orthosis", {})(limb, "right", **values)
    ordered = order.model_copy(update={"device": "orthosis", "laterality": "right"})
    plan, parameters = placement(limb, ordered, "orthosis", **values)
    shapes = {shape.name: shape.points for shape in plan.shapes(parameters)}
    first, second = (
        trimesh.transform_points(each.mesh.vertices, part.plate_to_patient) for each in part.objects
    )
    gap_mm = 2.0
    assert depths_mm(first, shapes["parting plane"]).min() == pytest.approx(gap_mm / 2, abs=0.05)
    assert depths_mm(second, shapes["parting plane"]).max() == pytest.approx(-gap_mm / 2, abs=0.05)
    for name in ("beginning", "end"):
        assert depths_mm(first, shapes[name]).min() == pytest.approx(0, abs=0.05)


@pytest.mark.parametrize("device", FAMILIES)
def test_each_family_says_what_it_places(device: str, order: Order) -> None:
    ordered = order.model_copy(update={"device": device})
    plan, parameters = placement(tube(18.0, 170.0), ordered, device)
    fields = type(parameters).model_fields
    places = {name for name in fields if name.endswith(("_lps_mm", "_lps"))}
    assert set(plan.groups) == places
    assert set(plan.fields) <= set(fields)
    for shape in plan.shapes(parameters):
        assert np.isfinite(shape.points).all()


def test_what_no_part_can_be_made_of_is_refused_in_words(order: Order) -> None:
    plan, parameters = placement(
        ellipsoid((20, 15, 40)), order, "anatomical model", cut_planes_lps_mm=text(PLACE, PLACE)
    )
    with pytest.raises(DesignError, match="the same place twice"):
        plan.shapes(parameters)
    lying = ellipsoid((60, 15, 15))
    ordered = order.model_copy(update={"device": "orthosis"})
    plan, parameters = placement(lying, ordered, "orthosis")
    with pytest.raises(DesignError, match="lies level"):
        plan.shapes(parameters)
    assert plan.kept(parameters) == []
