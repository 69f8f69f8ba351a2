"""Broken surfaces: made whole with the change measured, or refused with the place."""

import re
from pathlib import Path

import numpy as np
import pytest
import trimesh

from labkit.design import read_part, repaired
from labkit.errors import DesignError

from .shapes import crossing_bar


@pytest.fixture
def ball() -> trimesh.Trimesh:
    made: trimesh.Trimesh = trimesh.creation.icosphere(subdivisions=3, radius=10)
    return made


def _without(mesh: trimesh.Trimesh, *faces: int) -> trimesh.Trimesh:
    mesh.update_faces(~np.isin(np.arange(len(mesh.faces)), faces))
    return mesh


def test_a_whole_surface_is_left_alone(ball: trimesh.Trimesh) -> None:
    found = repaired(ball, bound_mm=0.1)
    assert found.steps == []
    assert found.change.max_mm < 1e-6
    assert found.volume_change_mm3 == pytest.approx(0, abs=1e-6)


def test_a_small_hole_is_closed_and_the_change_is_the_caps_height(ball: trimesh.Trimesh) -> None:
    at = int(np.argmax(ball.vertices[:, 2]))
    edge = float(ball.edges_unique_length.max())
    _without(ball, *ball.vertex_faces[at][ball.vertex_faces[at] >= 0])
    found = repaired(ball, bound_mm=1.5)
    assert found.steps == ["1 hole closed"]
    assert found.mesh.is_watertight
    assert found.volume_change_mm3 is None
    cap_mm = 10 - np.sqrt(100 - edge**2)
    assert found.change.max_mm < edge, "the patch is as far from the rim as the hole is wide"
    assert found.mesh.bounds[1, 2] == pytest.approx(10 - cap_mm, abs=0.2)


def test_a_hole_larger_than_the_bound_is_refused_with_its_place(ball: trimesh.Trimesh) -> None:
    _without(ball, *np.flatnonzero(ball.triangles_center[:, 0] > 6))
    with pytest.raises(DesignError) as caught:
        repaired(ball, bound_mm=1.0, name="skin.stl")
    place = re.search(r"at ([-\d.]+), ([-\d.]+), ([-\d.]+) mm", caught.value.found)
    assert place is not None
    assert float(place[1]) > 4, "in the missing cap"
    assert caught.value.where == "skin.stl"
    assert repaired(ball, bound_mm=10.0).mesh.is_watertight


def test_turned_and_doubled_facets_are_mended_without_moving_anything(
    ball: trimesh.Trimesh,
) -> None:
    faces = ball.faces.copy()
    faces[::7] = faces[::7, ::-1]
    twice = trimesh.Trimesh(ball.vertices, np.vstack([faces, faces[:50]]), process=False)
    found = repaired(twice, bound_mm=0.01)
    assert found.change.max_mm < 1e-6
    assert found.mesh.volume == pytest.approx(ball.volume)
    assert len(found.steps) == 2
    inside_out = trimesh.Trimesh(ball.vertices, ball.faces[:, ::-1], process=False)
    assert repaired(inside_out, bound_mm=0.01).mesh.volume == pytest.approx(ball.volume)


def test_bodies_that_overlap_become_one() -> None:
    parts = [trimesh.creation.box(bounds=((0, 0, 0), (10, 10, 10)))]
    parts.append(trimesh.creation.box(bounds=((5, 2, 2), (15, 8, 8))))
    both = trimesh.util.concatenate(parts)
    assert isinstance(both, trimesh.Trimesh)
    found = repaired(both, bound_mm=10.0)
    assert found.mesh.volume == pytest.approx(1000 + 5 * 36)
    assert found.steps == ["2 bodies that overlap joined"]


def test_a_cavity_stays_a_cavity() -> None:
    outer, inner = trimesh.creation.box((20, 20, 20)), trimesh.creation.box((10, 10, 10))
    hollow = trimesh.boolean.difference([outer, inner], engine="manifold")
    assert isinstance(hollow, trimesh.Trimesh)
    assert repaired(hollow, bound_mm=0.01).mesh.volume == pytest.approx(7000)


def test_a_shell_that_passes_through_itself_says_where() -> None:
    found = repaired(crossing_bar(), bound_mm=0.1)
    assert found.mesh.is_watertight
    assert found.crossing is not None and len(found.crossing) > 10
    assert np.abs(found.crossing[:, 2]).max() < 5, "where the hook meets the bar again"


def test_a_whole_surface_has_no_crossing_and_one_too_large_is_not_searched(
    ball: trimesh.Trimesh, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = repaired(ball, bound_mm=0.1).crossing
    assert found is not None and found.shape == (0, 3)
    monkeypatch.setattr("labkit.design.repair.MOST_TRIANGLES", 100)
    assert repaired(ball, bound_mm=0.1).crossing is None


def test_every_broken_mesh_is_made_whole_or_refused_in_words(real_data: Path) -> None:
    whole, refused = [], []
    files = [
        path
        for folder in ("mesh_broken_trimesh", "mesh_selfintersect_manifold")
        for path in sorted((real_data / folder).iterdir())
        if not path.name.startswith("LICENSE")
    ]
    for path in files:
        try:
            part = read_part(path, "" if path.suffix.lower() == ".3mf" else "mm")
            bound_mm = 0.02 * float(part.mesh.scale)
            found = repaired(part.mesh, bound_mm=bound_mm, name=path.name)
        except DesignError as error:
            refused.append(path.name)
            assert error.fix, path.name
            continue
        whole.append(path.name)
        assert found.mesh.is_watertight, path.name
        assert found.mesh.volume > 0, path.name
        assert found.change.max_mm <= bound_mm, path.name
    assert len(whole) + len(refused) == 35
    assert {"busted.STL", "shared.STL", "multibody.stl", "counterXP.3MF"} <= set(whole)
    assert {"empty.stl", "soup.stl", "teapot.stl", "Offset1.obj"} <= set(refused)
