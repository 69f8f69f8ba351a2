"""A surface to turn and to cut: what the page is given."""

from typing import Any

import numpy as np
import pytest
import trimesh

from labkit import views
from labkit.surface import distances
from labkit.views import live_surfaces
from labkit.views.live_planes import LivePicture
from labkit.views.live_surfaces import LiveSurface
from labkit.views.scenes import MOST_TRIANGLES, Scene, display_mesh
from labkit.views.surfaces import Frame, colours_of


class Stage:
    def __init__(self, *, headless: bool = False) -> None:
        self.headless = headless


@pytest.fixture
def looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live_surfaces, "somebody_looks_on", lambda: True)


def box(size: tuple[float, float, float] = (40.0, 20.0, 10.0)) -> trimesh.Trimesh:
    made: trimesh.Trimesh = trimesh.creation.box(size)
    made.apply_translation((-30, 10, 5))
    return made


def opened(mesh: trimesh.Trimesh, **look: Any) -> LiveSurface:
    shown = views.turnable(Stage(), mesh, **look)
    assert isinstance(shown, LivePicture)
    assert isinstance(shown.planes, LiveSurface)
    return shown.planes


def words_of(scene: Scene) -> dict[str, list[float]]:
    return {each.text: list(each.position) for each in scene.objects if each.type == "Text"}


@pytest.mark.parametrize("headless", [True, False])
def test_where_nobody_looks_on_it_is_the_picture_alone(headless: bool) -> None:
    shown = views.turnable(Stage(headless=headless), box(), title="Box")
    assert type(shown) is views.Picture
    assert shown.png == views.surface(box(), title="Box").png


@pytest.mark.usefixtures("looked_at")
def test_headless_it_is_the_picture_even_before_a_person() -> None:
    assert type(views.turnable(Stage(headless=True), box())) is views.Picture


@pytest.mark.usefixtures("looked_at")
@pytest.mark.parametrize(
    ("frame", "words"),
    [("LPS", "RLAPIS"), ("plate", ("left", "right", "front", "back", "bottom", "top"))],
)
def test_each_side_has_its_word_outside_of_the_surface(frame: Frame, words: str) -> None:
    surface = opened(box(), frame=frame)
    places = words_of(surface.scene)
    assert list(places) == list(words)
    for n, (word, place) in enumerate(places.items()):
        axis, upper = divmod(n, 2)
        end_mm = box().bounds[upper][axis]
        assert place[axis] > end_mm if upper else place[axis] < end_mm, word
    assert [axis["ends"] for axis in surface.facts["axes"]] == [
        (words[n], words[n + 1]) for n in (0, 2, 4)
    ]
    assert [axis["high"] - axis["low"] for axis in surface.facts["axes"]] == [40, 20, 10]


def test_the_copy_for_the_screen_is_light_and_lies_on_the_surface() -> None:
    ball = trimesh.creation.icosphere(subdivisions=6, radius=40.0)
    assert len(ball.faces) > MOST_TRIANGLES
    shown = display_mesh(ball)
    assert 0.9 * MOST_TRIANGLES < len(shown.triangles) <= MOST_TRIANGLES
    assert distances(shown.points.astype(float), ball).max_mm < 0.1
    out = shown.points / np.linalg.norm(shown.points, axis=1, keepdims=True)
    assert (np.einsum("ij,ij->i", out, shown.normals) > 0.95).all()  # outwards, for the light


def test_a_small_surface_is_shown_as_it_is_with_its_edges_sharp() -> None:
    shown = display_mesh(box())
    assert len(shown.triangles) == 12
    assert np.allclose(np.sort(np.abs(shown.normals), axis=1), [0, 0, 1])


@pytest.mark.usefixtures("looked_at")
def test_parts_have_their_colours() -> None:
    left, right = box(), box()
    right.apply_translation((80, 0, 0))
    points = np.vstack([left.vertices, right.vertices])
    whole = trimesh.Trimesh(points, np.vstack([left.faces, right.faces + 8]), process=False)
    parts = {"left": (left, (1.0, 0.0, 0.0)), "right": (right, (0.0, 0.0, 1.0))}
    surface = opened(whole, parts=parts)
    colours = surface.scene.objects[0].colors
    assert set(colours[surface.shown.points[:, 0] < 0]) == {0xFF0000}
    assert set(colours[surface.shown.points[:, 0] > 20]) == {0x0000FF}
    assert len(colours_of(whole, [])) == 1


@pytest.mark.parametrize(("length_mm", "step_mm"), [(2.0, 0.01), (90.0, 0.5), (300.0, 2.0)])
def test_the_cut_moves_by_round_steps(length_mm: float, step_mm: float) -> None:
    assert live_surfaces._step_mm(length_mm) == step_mm
