"""The review's side in Python: what the page is sent, and what its messages do."""

from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import ipywidgets
import numpy as np
import numpy.typing as npt
import pytest

from labkit import views
from labkit.errors import ParameterError
from labkit.parameters import Segmentation, validated
from labkit.segmentation import Review, segment
from labkit.views import reviews
from labkit.views.live_planes import LivePicture
from labkit.views.orientation import PLANES
from labkit.views.reviews import ReviewPlanes
from labkit.volume import Array, Volume
from tests.views.test_pictures import ALL_TURNS


class Stage:
    def __init__(self, *, headless: bool = False) -> None:
        self.headless = headless
        self.parameters: Any = Segmentation(threshold_hu=300)
        self.left_open: dict[str, str] = {}
        self.folder = Path(mkdtemp())

    def hand_made(self, name: str) -> Path:
        return self.folder / name

    def accept(self, values: dict[str, Any]) -> str:
        self.parameters = validated("02_segmentation", self.parameters.model_dump() | values)
        return "Accepted."


class Desk:
    """The review as a person has it before them, and what the page was sent."""

    def __init__(self, stage: Stage, volume: Volume, monkeypatch: pytest.MonkeyPatch) -> None:
        self.session = Review(volume, stage.parameters)
        shown = views.review(stage, self.session)
        assert isinstance(shown, LivePicture)
        tools, self.planes, buttons, self.answer, self.picture = shown.planes.children
        assert isinstance(self.planes, ReviewPlanes)
        self.tool, self.brush, self.radius = tools.children
        self.buttons: dict[str, ipywidgets.Button] = {
            button.description: button for button in buttons.children
        }
        self.page = np.zeros(self.planes.scan["size"][::-1], np.uint8)
        monkeypatch.setattr(self.planes, "send", self._received)

    def _received(self, content: dict[str, Any], buffers: list[memoryview]) -> None:
        i0, i1, j0, j1, k0, k1 = content["box"]
        part = self.page[k0:k1, j0:j1, i0:i1]
        bits = np.unpackbits(np.frombuffer(buffers[0], np.uint8), bitorder="little")
        part[...] = bits[: part.size].reshape(part.shape)

    def says(self, message: dict[str, Any]) -> None:
        """As the page would send it."""
        self.planes._handle_custom_msg(message, [])

    def stroke(self, mode: str, point_lps_mm: Array) -> None:
        look = {"plane": "coronal", "brush": "ball", "radius_mm": 1.5}
        self.says({"stroke": {"mode": mode, "points_lps_mm": [list(point_lps_mm)], **look}})

    def page_shows_the_draft(self) -> bool:
        upright = self.planes._turn.values(self.session.draft)
        return np.array_equal(self.page, upright)


def scan(direction: Array) -> Volume:
    hu = np.full((12, 14, 16), -50, np.int16)
    hu[3:8, 4:9, 5:12] = 900
    hu[3:8, 4:9, 9:12] = 250
    return Volume(hu, np.array([3.0, -20.0, 70.0]), np.array([1.0, 1.1, 1.2]), direction)


@pytest.fixture
def desk(monkeypatch: pytest.MonkeyPatch) -> Desk:
    return Desk(Stage(), scan(np.eye(3)), monkeypatch)


@pytest.mark.parametrize("direction", ALL_TURNS)
def test_however_the_scan_lies_the_page_shows_what_was_drawn_in_its_place(
    direction: Array, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reviews, "_PART_VOXELS", 300)  # several messages
    volume = scan(direction)
    desk = Desk(Stage(), volume, monkeypatch)
    desk.says({"mask": True})
    assert desk.page.sum() == desk.session.draft.sum() > 0
    assert desk.page_shows_the_draft()
    at: npt.NDArray[np.int_] = np.array([11, 6, 5])
    assert not desk.session.draft[tuple(at[::-1])]
    desk.stroke("add", volume.to_lps([at])[0])
    assert desk.session.draft[tuple(at[::-1])]
    assert desk.page_shows_the_draft()
    desk.stroke("erase", volume.to_lps([[6, 6, 5]])[0])
    desk.buttons["Undo"].click()
    assert desk.page_shows_the_draft()


@pytest.mark.parametrize("direction", ALL_TURNS)
@pytest.mark.parametrize("plane", ["axial", "coronal", "sagittal"])
def test_a_disc_lies_in_the_plane_it_was_drawn_in(
    direction: Array, plane: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk = Desk(Stage(), scan(direction), monkeypatch)
    desk.says({"mask": True})
    before = desk.page.copy()
    point = desk.planes.crosshair_lps_mm
    stroke = {"mode": "add", "plane": plane, "brush": "disc", "radius_mm": 4.0}
    desk.says({"stroke": {**stroke, "points_lps_mm": [point]}})
    drawn = np.argwhere(desk.page != before)
    through = next(each.through for each in PLANES if each.name == plane)
    assert len(drawn) > 4
    assert set(drawn[:, 2 - through]) == {desk.planes.at_ijk[through]}


def test_nothing_is_decided_before_it_is_used(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    stage = Stage()
    desk = Desk(stage, scan(np.eye(3)), monkeypatch)
    desk.says({"mask": True})
    desk.planes.threshold_hu = 200.0
    desk.buttons["Mask"].click()
    assert desk.page_shows_the_draft()
    assert desk.page.sum() == 5 * 5 * 7  # the soft end too
    assert stage.parameters.threshold_hu == 300
    assert stage.left_open == {"the review of the mask": "threshold_hu = 200, threshold_from = set"}
    desk.buttons["Use this mask"].click()
    assert stage.parameters.threshold_hu == 200
    assert "Accepted." in desk.answer.value
    mask = desk.session.mask(stage.parameters)
    assert desk.session.finding(mask) == ("none", "pass")
    assert desk.session.corrections.mask_sha256
    assert not stage.left_open
    assert (stage.folder / "strokes.json").is_file()


def test_brush_size_and_tool_come_from_the_fields_and_work_without_a_mouse(desk: Desk) -> None:
    desk.tool.value, desk.brush.value, desk.radius.value = "erase", "ball", 2.0
    assert (desk.planes.tool, desk.planes.brush, desk.planes.radius_mm) == ("erase", "ball", 2.0)
    desk.planes.at_ijk = [6, 6, 6]
    desk.buttons["Draw at the crosshair"].click()
    assert "1 strokes" in desk.answer.value
    (drawn,) = desk.session._strokes
    assert (drawn.mode, drawn.brush, drawn.radius_mm) == ("erase", "ball", 2.0)


def test_a_refusal_is_shown_as_text(monkeypatch: pytest.MonkeyPatch) -> None:
    class Strict(Stage):
        def accept(self, values: dict[str, Any]) -> str:
            raise ParameterError("x = 1", expected="2", fix="<do>", where="here")

    desk = Desk(Strict(), scan(np.eye(3)), monkeypatch)
    desk.planes.threshold_hu = 2000.0
    desk.buttons["Mask"].click()
    assert "threshold_hu = 2000" in desk.answer.value  # outside the structure's window
    desk.planes.threshold_hu = 300.0
    desk.buttons["Use this mask"].click()
    assert "Not used." in desk.answer.value
    assert "&lt;do&gt;" in desk.answer.value
    assert not desk.session.corrections.mask_sha256


def test_a_seed_keeps_its_piece_and_one_beside_the_structure_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    volume = scan(np.eye(3))
    volume.voxels[9:11, 11:13, 1:3] = 900  # a small piece of its own
    stage = Stage()
    desk = Desk(stage, volume, monkeypatch)
    desk.says({"mask": True})
    large = int(desk.page.sum())
    desk.says({"seed": volume.to_lps([[1, 11, 9]])[0].tolist()})
    assert desk.page.sum() == 8
    desk.says({"seed": volume.to_lps([[0, 0, 0]])[0].tolist()})
    assert "a seed where the structure is not" in desk.answer.value
    assert desk.session.draft.sum() == 8
    desk.buttons["Use this mask"].click()
    assert segment(volume, stage.parameters).sum() == 8
    desk.buttons["Forget the seeds"].click()
    assert desk.page.sum() == large
    desk.buttons["Use this mask"].click()
    assert stage.parameters.seeds_lps_mm == ""


def test_a_measured_threshold_stays_measured_unless_the_hand_moves_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    stage = Stage()
    stage.parameters = Segmentation(threshold_from="otsu")
    desk = Desk(stage, scan(np.eye(3)), monkeypatch)
    found_hu = desk.session.threshold(stage.parameters).hu
    assert desk.planes.threshold_hu == found_hu != 300
    desk.buttons["Use this mask"].click()
    assert stage.parameters.threshold_from == "otsu"
    desk.planes.threshold_hu = 310.0
    desk.buttons["Use this mask"].click()
    assert (stage.parameters.threshold_from, stage.parameters.threshold_hu) == ("set", 310)


def test_a_preview_is_a_picture_with_words(desk: Desk) -> None:
    desk.buttons["Preview in 3D"].click()
    assert 'alt="Preview' in desk.picture.value


def test_headless_it_is_the_picture_alone() -> None:
    stage = Stage(headless=True)
    shown = views.review(stage, Review(scan(np.eye(3)), stage.parameters))
    assert type(shown) is views.Picture


def test_a_line_that_was_moved_and_not_accepted_is_found(desk: Desk) -> None:
    mask = desk.session.mask(desk.session.decided(Segmentation()))
    desk.planes.threshold_hu = 350.0
    words, level = desk.session.finding(mask)
    assert level == "action"
    assert "threshold_hu = 350" in words
    desk.planes.threshold_hu = 300.0  # back where it was
    assert desk.session.finding(mask) == ("none", "pass")
