"""The table of series, the stack from the side, and the progress of long steps."""

from dataclasses import replace
from pathlib import Path

import ipywidgets
import pytest
from pydicom.dataset import Dataset

from labkit import views
from labkit.pace import Pace
from labkit.scan import Limits, Series, discover, protocol_named
from tests.conftest import SAMPLE
from tests.scan import made
from tests.views.test_pictures import pixels


@pytest.fixture(autouse=True)
def _home(lab_home: Path) -> None:
    """Each test has its own lab."""


def _series(tmp_path: Path, images: list[Dataset]) -> Series:
    limits = Limits(interpolate_missing=True)
    return discover(made.write(images, tmp_path / "ct"), limits=limits).series[0]


def test_the_table_has_every_series_and_pictures_of_usable_ones_only() -> None:
    found = discover(SAMPLE).series
    words = views.series(found, protocol_named("bone_model"))
    assert "a scout image, not a volume" in words.text
    assert words.text.count("refused") == 1
    assert words.html.count("<img") == 1
    assert f'alt="the middle image of series {found[0].key}, axial; R to L across, ' in words.html
    assert "<br>R to L across, A to P down, " in words.html


def test_a_stack_without_fault_is_drawn_as_it_is() -> None:
    picture = views.stack(discover(SAMPLE).series[0])
    assert "from the side, 100 mm front to back, 82 mm upwards from feet to head: " in picture.alt
    assert "104 images; imported as 104 slices, one every 0.800 mm." in picture.alt
    assert pixels(picture).std() > 5


def test_missing_images_and_tilt_are_told_and_marked(tmp_path: Path) -> None:
    images = made.ct_images()
    for k, image in enumerate(images):
        image.ImagePositionPatient[1] += 0.2 * k
    del images[4]
    picture = views.stack(_series(tmp_path, images))
    assert "1 missing" in picture.alt
    assert "sheared by 9.1° (gantry tilt)" in picture.alt
    assert "8 slices, one every 1.250 mm, 1 of them interpolated" in picture.alt


def test_copies_are_told(tmp_path: Path) -> None:
    images = made.ct_images()
    picture = views.stack(_series(tmp_path, [*images, images[3]]))
    assert "left out: 1 image held twice" in picture.alt


def test_a_refused_stack_is_drawn_with_its_reason(tmp_path: Path) -> None:
    images = made.ct_images()
    for image in images[4:]:
        image.ImagePositionPatient[2] += 7.3
    picture = views.stack(_series(tmp_path, images))
    assert "no volume: the distance between images varies" in picture.alt


def test_images_without_a_place_are_no_error(tmp_path: Path) -> None:
    one = _series(tmp_path, made.ct_images(ImagePositionPatient=None))
    assert "no volume: " in views.stack(one).alt
    assert "no volume: " in views.stack(replace(one, images=[])).alt


class Stage:
    def __init__(self, headless: bool) -> None:
        self.headless = headless
        self.told: list[object] = []

    def tell(self, progress: object) -> None:
        self.told.append(progress)


def test_headless_progress_is_told_once_a_percent() -> None:
    stage = Stage(headless=True)
    on_progress = views.progress(stage, "reading images")
    for done in range(1, 1001):
        on_progress(done, 1000)
    assert len(stage.told) == 101
    assert stage.told[-1] == "reading images: 1000 of 1000"


def test_by_hand_progress_is_a_bar_and_tells_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    shown: list[ipywidgets.HBox] = []
    monkeypatch.setattr("labkit.views.bars.display", shown.append)
    stage = Stage(headless=False)
    on_progress = views.progress(stage, "reading images")
    on_progress(30, 60)
    bar, words = shown[0].children
    assert (bar.value, bar.description, words.value) == (50, "reading images", "50 %")
    assert stage.told == []


@pytest.mark.parametrize("headless", [True, False])
def test_a_long_step_says_how_long_it_still_takes(
    monkeypatch: pytest.MonkeyPatch, headless: bool
) -> None:
    shown: list[ipywidgets.HBox] = []
    clock = iter([0.0, 10.0])
    monkeypatch.setattr("labkit.views.bars.display", shown.append)
    monkeypatch.setattr("labkit.views.bars.Pace", lambda: Pace(lambda: next(clock)))
    stage = Stage(headless)
    views.progress(stage, "reading images")(20, 100)
    if headless:
        assert stage.told == ["reading images: 20 of 100, about 40 s left"]
    else:
        assert shown[0].children[1].value == "20 %, about 40 s left"
