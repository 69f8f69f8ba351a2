"""The viewer's side in Python: what is sent to the page, and what is kept out of notebooks."""

import json
from pathlib import Path
from typing import Any

import nbformat
import numpy as np
import numpy.typing as npt
import papermill
import pytest

from labkit import views
from labkit.views import live_planes
from labkit.views.live_planes import LivePicture, LivePlanes
from labkit.volume import Array, Volume
from tests.views.test_pictures import ALL_TURNS


class Stage:
    def __init__(self, *, headless: bool) -> None:
        self.headless = headless


def labelled(direction: Array) -> Volume:
    """A volume whose grey values are different for every voxel."""
    voxels = np.arange(4 * 5 * 6, dtype=np.int16).reshape(4, 5, 6)
    return Volume(voxels, np.array([3.0, -20.0, 70.0]), np.array([1.0, 2.0, 3.0]), direction)


def opened(volume: Volume, **settings: Any) -> LivePlanes:
    picture = views.viewer(Stage(headless=False), volume, **settings)
    assert isinstance(picture, LivePicture)
    planes = picture.planes
    assert isinstance(planes, LivePlanes)
    return planes


def as_the_page_gets_it(
    planes: LivePlanes, monkeypatch: pytest.MonkeyPatch
) -> npt.NDArray[np.int16]:
    """(k, j, i): the parts that the page asks for, put together by the facts it has."""
    sent: dict[int, bytes] = {}

    def send(content: dict[str, Any], buffers: list[memoryview]) -> None:
        sent[content["part"]] = bytes(buffers[0])

    monkeypatch.setattr(planes, "send", send)
    facts = planes.scan
    for part in reversed(range(facts["parts"])):
        planes._handle_custom_msg({"part": part}, [])
    whole = bytearray(2 * int(np.prod(facts["size"])))
    for part, data in sent.items():
        start = part * facts["bytes_per_part"]
        whole[start : start + len(data)] = data
    return np.frombuffer(whole, "<i2").reshape(facts["size"][::-1])


@pytest.mark.parametrize("direction", ALL_TURNS)
def test_however_the_scan_lies_the_page_gets_it_upright_with_every_voxel_in_its_place(
    direction: Array, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live_planes, "_PART_BYTES", 100)  # several parts, the last one shorter
    volume = labelled(direction)
    planes = LivePlanes(volume, title="", window=(0, 120), threshold_hu=None)
    got = as_the_page_gets_it(planes, monkeypatch)
    assert planes.scan["parts"] > 1
    matrix = np.array(planes.scan["ijk_to_lps"])
    # i grows to the left, j to the back, k to the feet
    assert np.allclose(matrix[:, :3], np.diag(np.array(planes.scan["spacing_mm"]) * [1, 1, -1]))
    for k, j, i in np.ndindex(got.shape):
        at_lps_mm = matrix @ [i, j, k, 1]
        ijk = np.round(volume.to_ijk([at_lps_mm])[0]).astype(int)
        assert np.allclose(volume.to_lps([ijk])[0], at_lps_mm)
        assert got[k, j, i] == volume.voxels[tuple(ijk[::-1])]


def test_what_is_asked_for_wrongly_is_not_answered(monkeypatch: pytest.MonkeyPatch) -> None:
    planes = opened(labelled(np.eye(3)))
    monkeypatch.setattr(planes, "send", lambda *_, **__: pytest.fail("answered"))
    for asked in ({"part": 99}, {"part": -1}, {"part": "0"}, {}):
        planes._handle_custom_msg(asked, [])


def test_headless_it_is_the_picture_alone() -> None:
    volume = labelled(np.eye(3))
    shown = views.viewer(Stage(headless=True), volume, title="Scan", threshold_hu=60)
    assert type(shown) is views.Picture
    assert shown.png == views.slices(volume, title="Scan", threshold_hu=60).png


def test_values_without_a_unit_get_windows_of_their_own() -> None:
    volume = labelled(np.eye(3))
    without = Volume(
        **{name: getattr(volume, name) for name in ("voxels", "origin_lps_mm", "spacing_mm")},
        direction=volume.direction,
        unit="arbitrary",
    )
    planes = opened(without)
    assert planes.scan["unit"] == ""
    assert planes.window == list(planes.scan["windows"]["usual"]) == [1.0, 118.0]
    assert "HU" not in views.slices(without, threshold_hu=60).alt
    assert opened(volume).scan["windows"]["brain"] == (0, 80)


def test_an_oblique_scan_is_said_to_be() -> None:
    angle = np.radians(20)
    direction = np.eye(3)
    direction[:2, :2] = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
    assert "tilted by 20°" in opened(labelled(direction)).scan["note"]
    assert opened(labelled(np.eye(3))).scan["note"] == ""


def test_the_widgets_state_holds_no_voxels() -> None:
    small, large = (
        opened(Volume(np.zeros((n, n, n), np.int16), np.zeros(3), np.ones(3), np.eye(3)))
        for n in (10, 99)
    )
    sizes = [len(json.dumps(planes.get_state(), default=repr)) for planes in (small, large)]
    assert sizes[1] < sizes[0] + 10
    assert not any(isinstance(value, bytes | memoryview) for value in large.get_state().values())


@pytest.mark.filterwarnings("default")  # those of papermill and nbclient, not ours
def test_a_notebook_run_by_plain_papermill_holds_the_picture_and_no_voxels(tmp_path: Path) -> None:
    source, output = tmp_path / "a.ipynb", tmp_path / "b.ipynb"
    cell = """
import numpy as np
from types import SimpleNamespace
from labkit import views
from labkit.volume import Volume
voxels = np.random.default_rng(1).integers(0, 9, (80, 80, 80)).astype(np.int16)
volume = Volume(voxels, np.zeros(3), np.ones(3), np.eye(3))
views.viewer(SimpleNamespace(headless=False), volume, title="Noise")
"""
    nbformat.write(nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell)]), source)
    papermill.execute_notebook(str(source), str(output), kernel_name="python3", progress_bar=False)
    executed = nbformat.read(output, as_version=4)
    first, second = executed.cells[0].outputs
    assert "image/png" in first.data
    assert first.metadata["image/png"]["alt"] == first.data["text/plain"]
    assert set(second.data) == {"application/vnd.jupyter.widget-view+json", "text/plain"}
    del first.data["image/png"]
    # of a megabyte of voxels nothing: what is left are words and the viewer's own program
    assert len(nbformat.writes(executed)) < 100_000
