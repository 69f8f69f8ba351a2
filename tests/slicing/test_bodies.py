import numpy as np
import pytest
import trimesh
from hypothesis import given, settings
from hypothesis import strategies as st

from labkit.slicing.bodies import swallowed_at


def _box(edge: float, middle: tuple[float, float, float] = (0, 0, 0)) -> trimesh.Trimesh:
    box: trimesh.Trimesh = trimesh.creation.box((edge, edge, edge))
    box.apply_translation(middle)
    return box


def _cavity(edge: float, middle: tuple[float, float, float] = (0, 0, 0)) -> trimesh.Trimesh:
    box = _box(edge, middle)
    box.invert()
    return box


def _ring() -> trimesh.Trimesh:
    ring: trimesh.Trimesh = trimesh.creation.annulus(r_min=10, r_max=20, height=30)
    return ring


def _together(*bodies: trimesh.Trimesh) -> trimesh.Trimesh:
    mesh: trimesh.Trimesh = trimesh.util.concatenate(bodies)  # type: ignore[assignment]
    mesh.merge_vertices()
    return mesh


@pytest.mark.parametrize(
    "bodies",
    [
        (_box(30),),
        (_box(30), _cavity(20)),
        (_box(30), _cavity(20), _box(10)),
        (_box(30), _cavity(20), _box(10), _cavity(5)),
        (_box(30), _box(20, (40, 0, 0))),
        (_box(30), _box(20, (12, 0, 0))),  # they cross
        (_ring(), _box(4)),  # in the ring's opening
        (_ring(), _box(6, (10, 0, 0))),  # half in its wall
        (_box(30), _box(30, (30, 30, 0))),  # they share an edge
    ],
    ids=lambda bodies: str(len(bodies)),
)
def test_what_is_right_stays(bodies: tuple[trimesh.Trimesh, ...]) -> None:
    assert swallowed_at(_together(*bodies)) is None


@pytest.mark.parametrize(
    ("bodies", "inner"),
    [
        ((_box(30), _box(20)), _box(20)),
        ((_box(30), _cavity(20), _box(10), _box(5)), _box(5)),
        ((_ring(), _box(2, (15, 0, 0))), _box(2, (15, 0, 0))),
        ((_box(30), _cavity(5, (-8, 0, 0)), _box(5, (8, 0, 0))), _box(5, (8, 0, 0))),
    ],
)
def test_a_body_in_another_s_material_is_found_with_its_place(
    bodies: tuple[trimesh.Trimesh, ...], inner: trimesh.Trimesh
) -> None:
    place = swallowed_at(_together(*bodies))
    assert place is not None
    assert np.linalg.norm(inner.vertices - place, axis=1).min() < 1e-6


@settings(max_examples=60, deadline=None)
@given(
    x=st.floats(-30, 30),
    y=st.floats(-30, 30),
    z=st.floats(-12, 12),
    edge=st.floats(0.5, 6),
)
def test_a_box_in_a_ring_is_judged_as_the_formula_does(
    x: float, y: float, z: float, edge: float
) -> None:
    """Wholly inside the wall: every corner between the radii and below the ends."""
    box = _box(edge, (x, y, z))
    radii = np.hypot(box.vertices[:, 0], box.vertices[:, 1])
    facet = 1 - np.cos(np.pi / 32)  # the ring is a polygon of 32 sides
    sure_inside = radii.min() > 10 and radii.max() < 20 * (1 - facet) and abs(z) + edge / 2 < 14.99
    corners_only = radii.min() > 10 * (1 - facet) and radii.max() < 20 and abs(z) + edge / 2 < 15
    found = swallowed_at(_together(_ring(), box)) is not None
    if sure_inside:
        assert found
    if not corners_only:
        assert not found
