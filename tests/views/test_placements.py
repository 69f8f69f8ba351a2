"""Planes and places moved by hand: the fields, and the parameters that they come to."""

from typing import Any

import ipywidgets
import numpy as np
import pytest

from labkit import views
from labkit.case import Order
from labkit.design import Anatomy, Placement
from labkit.errors import LabkitError
from labkit.parameters import Design, places, validated
from labkit.views import placements
from labkit.views.live_planes import LivePicture
from labkit.views.live_surfaces import LiveSurface
from labkit.views.place_fields import PlaneFields
from labkit.volume import Array
from tests.design.limbs import beside
from tests.design.shapes import PLACE, ellipsoid, text


class Stage:
    headless = False

    def __init__(self, device: str, **values: Any) -> None:
        self.parameters: Any = validated("03_design", {"device": device, **values})
        self.accepted: list[dict[str, Any]] = []
        self.left_open: dict[str, str] = {}

    def accept(self, values: dict[str, Any]) -> str:
        self.accepted.append(values)
        self.parameters = validated("03_design", self.parameters.model_dump() | values)
        return "Accepted. Run the cells below."


class Bench:
    """The view as a person has it before them."""

    def __init__(self, stage: Stage, order: Order) -> None:
        self.stage = stage
        self.plan = Placement(Anatomy(ellipsoid((20, 15, 40))), stage.parameters, order)
        shown = views.placement(stage, self.plan)
        assert isinstance(shown, LivePicture)
        self.picture, self.box = shown, shown.planes
        self.live = next(each for each in self.all if isinstance(each, LiveSurface))

    @property
    def all(self) -> list[Any]:
        found, open_ = [], [self.box]
        while open_:
            each = open_.pop()
            found.append(each)
            if isinstance(each, ipywidgets.Box):
                open_ += each.children
        return found

    def field(self, description: str) -> Any:
        (found,) = [e for e in self.all if getattr(e, "description", "").startswith(description)]
        return found

    def press(self, description: str) -> None:
        self.field(description).click()

    @property
    def words(self) -> str:
        return " ".join(each.value for each in self.all if isinstance(each, ipywidgets.HTML))

    @property
    def numbers(self) -> list[str]:
        """The words in the scene that are no sides."""
        texts = [each.text for each in self.live.scene.objects if each.type == "Text"]
        return [each for each in texts if each.isdigit()]


@pytest.fixture
def looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(placements, "somebody_looks_on", lambda: True)


def turned_plane(seed: int) -> Array:
    random = np.random.default_rng(seed)
    on = PLACE + random.uniform(-9, 9, 3)
    return np.array([on, on + random.normal(size=3)])


@pytest.mark.parametrize("seed", range(20))
def test_a_plane_in_fields_is_the_same_plane(seed: int) -> None:
    plane = turned_plane(seed)
    got = PlaneFields(plane, PLACE, lambda _: None).item
    normals = [each[1] - each[0] for each in (plane, got)]
    units = [normal / np.linalg.norm(normal) for normal in normals]
    assert units[0] @ units[1] == pytest.approx(1, abs=1e-5)  # tilts to a tenth of a degree
    assert abs((got[0] - plane[0]) @ units[0]) < 0.05
    assert np.linalg.norm(normals[1]) == pytest.approx(10)


@pytest.mark.usefixtures("looked_at")
def test_a_plane_is_added_at_the_cut_moved_and_used(order: Order) -> None:
    bench = Bench(stage := Stage("anatomical model"), order)
    bench.live.axis, bench.live.at_mm, bench.live.flipped = 0, PLACE[0] + 3, True
    bench.press("Add: cutting plane")
    assert bench.numbers == ["1"]
    assert "keeps the side towards L of R 137.0 mm" in bench.words
    bench.field("keeps the side").value = (0, -1)
    bench.field("at:").value = PLACE[0] + 5
    bench.field("tilted towards S").value = 20.0
    assert "keeps the side towards R of R 135.0 mm, tilted by 20°" in bench.words
    assert stage.accepted == []
    bench.press("Use this place")
    on, kept = np.array(places(stage.parameters.cut_planes_lps_mm))
    assert on == pytest.approx(beside(5, 0, 0), abs=0.01)
    tilt = np.radians(20)
    assert kept - on == pytest.approx([-10 * np.cos(tilt), 0, 10 * np.sin(tilt)], abs=0.02)
    assert list(stage.accepted[0]) == ["cut_planes_lps_mm"]
    assert "Accepted." in bench.words
    (shape,) = bench.plan.shapes(stage.parameters)
    assert shape.kind == "plane"


@pytest.mark.usefixtures("looked_at")
def test_numbers_move_planes_and_only_what_is_kept_is_shown(order: Order) -> None:
    bench = Bench(stage := Stage("anatomical model", keep_from_mm=5.0), order)
    bench.field("keep_length_mm").value = 30.0
    assert bench.numbers == ["1", "2"]
    assert bench.live.kept == []
    bench.field("show only what is kept").value = True
    low = PLACE[2] - 40
    assert bench.live.kept[0] == pytest.approx([0, 0, 1, -(low + 5) + 0.05])
    assert bench.live.kept[1] == pytest.approx([0, 0, -1, low + 35 + 0.05])
    bench.press("Use this place")
    assert stage.accepted == [{"keep_length_mm": 30.0}]


@pytest.mark.usefixtures("looked_at")
def test_places_are_moved_added_and_removed_and_others_stay_as_written(order: Order) -> None:
    hole = text(beside(0, -15, 0), PLACE)
    stage = Stage("surgical guide", trajectories_lps_mm=hole, windows_lps_mm=text(PLACE))
    bench = Bench(stage, order)
    bench.field("entry: R").value = -141.5
    bench.press("Add: window")
    bench.press("Use this place")
    assert set(stage.accepted[0]) == {"trajectories_lps_mm", "windows_lps_mm"}
    entry, deeper = places(stage.parameters.trajectories_lps_mm)
    assert entry == (-141.5, PLACE[1] - 15, PLACE[2])
    assert deeper == tuple(PLACE)
    assert len(places(stage.parameters.windows_lps_mm)) == 2
    bench.press("Remove")
    bench.press("Remove")
    assert "Choose first" in bench.words
    bench.press("Use this place")
    assert stage.accepted[1] == {"windows_lps_mm": "-140.00, 25.00, 1300.00"}


@pytest.mark.usefixtures("looked_at")
def test_what_is_refused_is_said(order: Order) -> None:
    class Strict(Stage):
        def accept(self, values: dict[str, Any]) -> str:
            raise LabkitError("a reason", expected="another", where="03_design", fix="try")

    bench = Bench(Strict("anatomical model"), order)
    bench.press("Use this place")
    assert "Not used. Found: a reason." in bench.words
    assert 'role="status"' in bench.words


def test_headless_it_is_the_picture_with_what_is_placed(order: Order) -> None:
    stage = Stage("anatomical model", keep_from_mm=5.0)
    plan = Placement(Anatomy(ellipsoid((20, 15, 40))), stage.parameters, order)
    shown = views.placement(stage, plan)
    assert type(shown) is views.Picture
    assert "marked: 1 beginning" in shown.alt
    wrong: Design = stage.parameters.model_copy(update={"cut_planes_lps_mm": text(PLACE, PLACE)})
    plan = Placement(Anatomy(ellipsoid((20, 15, 40))), wrong, order)
    assert "marked" not in views.placement(stage, plan).alt
