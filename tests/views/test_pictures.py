import base64
import io
import itertools
import re
from pathlib import Path
from typing import Any, Literal

import nbformat
import numpy as np
import numpy.typing as npt
import PIL.Image
import pytest
import trimesh
from nbconvert import HTMLExporter
from PIL import Image

from labkit import views
from labkit.case import Check, Verdict
from labkit.errors import StorageError
from labkit.views import surfaces, words
from labkit.views.orientation import PLANES, turn_upright
from labkit.volume import Array, Volume

LEFT_FRONT_TOP_MM = np.array([18.0, -12.0, 9.0])
"""Where the mark of the phantom lies, mm, LPS."""


def phantom(direction: Array, spacing_mm: tuple[float, float, float]) -> Volume:
    """A ball around the origin of LPS, with a bright mark at the patient's left, front, top."""
    spacing = np.array(spacing_mm)
    size = np.round(56 / spacing).astype(int)
    blank = Volume(np.zeros(size[::-1], np.int16), np.zeros(3), spacing, direction)
    k, j, i = np.indices(tuple(size[::-1]))
    lps = blank.to_lps(np.stack([i, j, k], axis=-1).reshape(-1, 3))
    middle = (lps.min(axis=0) + lps.max(axis=0)) / 2
    lps -= middle
    hu = np.where(np.linalg.norm(lps, axis=1) < 24, 40, -1000)
    hu[np.linalg.norm(lps - LEFT_FRONT_TOP_MM, axis=1) < 4] = 1500
    return Volume(hu.reshape(size[::-1]).astype(np.int16), -middle, spacing, direction)


def turned(order: tuple[int, ...], signs: tuple[int, ...]) -> Array:
    direction = np.zeros((3, 3))
    for voxel, (patient, sign) in enumerate(zip(order, signs, strict=True)):
        direction[patient, voxel] = sign
    return direction


ALL_TURNS = [
    turned(order, signs)
    for order in itertools.permutations(range(3))
    for signs in itertools.product((1, -1), repeat=3)
    if np.linalg.det(turned(order, signs)) > 0  # no volume is left-handed
]


@pytest.mark.parametrize("direction", ALL_TURNS)
def test_however_the_scan_lies_left_is_right_front_is_up_and_the_head_on_top(
    direction: Array,
) -> None:
    volume = phantom(direction, (1.0, 1.5, 2.0))
    turn = turn_upright(volume.direction)
    assert turn.tilt_deg == pytest.approx(0)
    upright = turn.volume(volume)
    at_ijk = np.round(upright.to_ijk([LEFT_FRONT_TOP_MM])[0]).astype(int)
    for plane in PLANES:
        grey = plane.of(upright.voxels, at_ijk)
        rows, columns = np.nonzero(grey == 1500)
        x = (columns.mean() + 0.5) / grey.shape[1]
        y = (rows.mean() + 0.5) / grey.shape[0]
        # mm from the middle of the picture, to the right and downwards
        across = LEFT_FRONT_TOP_MM[plane.across]
        down = LEFT_FRONT_TOP_MM[plane.down] * (-1 if plane.down == 2 else 1)
        assert 56 * (x - 0.5) == pytest.approx(across, abs=1.6)
        assert 56 * (y - 0.5) == pytest.approx(down, abs=1.6)


def pixels(picture: views.Picture) -> npt.NDArray[np.uint8]:
    return np.asarray(PIL.Image.open(io.BytesIO(picture.png)).convert("RGB"))


def test_slices_are_drawn_in_true_proportions_with_sides_and_sizes_in_words() -> None:
    volume = phantom(np.eye(3), (1.0, 2.0, 4.0))
    picture = views.slices(volume, title="Ball", window=(-1000, 100))
    for said in ("Ball", "56 mm (R to L) × 56 mm (A to P) × 56 mm (I to S)", "left on the right"):
        assert said in picture.alt
    # soft tissue is one light grey at this window; the ball must be round in mm
    axial = pixels(picture)[75:, :390].astype(int)
    ball = np.abs(axial - round(255 * 1040 / 1100)).max(axis=2) < 4
    assert ball.sum(axis=0).max() == pytest.approx(ball.sum(axis=1).max(), rel=0.1)
    assert ball.sum() > 40_000


def test_lines_are_drawn_where_the_threshold_and_the_mask_are() -> None:
    volume = phantom(np.eye(3), (1.0, 1.0, 1.0))
    plain = views.slices(volume)
    with_line = views.slices(volume, threshold_hu=-300)
    with_mask = views.slices(volume, mask=volume.voxels > 0)
    assert _share_of(with_line, (213, 94, 0)) > 0.0005 > _share_of(plain, (213, 94, 0))
    assert _share_of(with_mask, (86, 180, 233)) > 0.0005 > _share_of(plain, (86, 180, 233))
    assert "solid line: -300 HU" in with_line.alt
    assert "dashed line: mask" in with_mask.alt
    assert views.slices(volume, threshold_hu=3000).png  # no voxel reaches it: no line, no fault
    with pytest.raises(ValueError, match="mask of shape"):
        views.slices(volume, mask=np.zeros((2, 2, 2), bool))


def _share_of(picture: views.Picture, colour: tuple[int, int, int]) -> float:
    far = np.abs(pixels(picture).astype(int) - colour).max(axis=2)
    return float((far < 12).mean())


def test_the_planes_go_through_the_point_asked_for() -> None:
    volume = phantom(np.eye(3), (1.0, 1.0, 1.0))
    bright = (255, 255, 255)
    middle = views.slices(volume, window=(-1000, 1500))
    at_mark = views.slices(volume, window=(-1000, 1500), point_lps_mm=LEFT_FRONT_TOP_MM)
    assert _share_of(at_mark, bright) > _share_of(middle, bright) + 0.002
    outside = views.slices(volume, point_lps_mm=np.array([900.0, 0.0, 0.0]))
    assert outside.png


def test_an_oblique_scan_is_said_to_be() -> None:
    angle = np.radians(20)
    direction = np.eye(3)
    direction[:2, :2] = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
    assert "tilted by 20°" in views.slices(phantom(direction, (2.0, 2.0, 2.0))).alt
    assert "tilted" not in views.slices(phantom(np.eye(3), (2.0, 2.0, 2.0))).alt


def test_a_scan_of_one_slice_is_drawn() -> None:
    volume = phantom(np.eye(3), (1.0, 1.0, 1.0))
    flat = Volume(volume.voxels[:1], volume.origin_lps_mm, volume.spacing_mm, volume.direction)
    assert views.slices(flat, threshold_hu=-300).png


@pytest.fixture(params=[True, False], ids=["graphics", "painter"])
def any_machine(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> bool:
    monkeypatch.setenv("LABKIT_HOME", str(tmp_path / "home"))
    with_gl: bool = request.param
    if with_gl and not surfaces._graphics():
        pytest.skip("no graphics library here: apt install libegl1 libgl1-mesa-dri")
    monkeypatch.setattr(surfaces, "_graphics", lambda: with_gl)
    return with_gl


def marked_bar() -> trimesh.Trimesh:
    """A bar along z with a knob at +x, at its top."""
    bar = trimesh.creation.box((4, 4, 40))
    knob = trimesh.creation.icosphere(subdivisions=2, radius=4)
    knob.apply_translation((8, 0, 16))
    return trimesh.Trimesh(
        *trimesh.util.append_faces([bar.vertices, knob.vertices], [bar.faces, knob.faces])
    )


@pytest.mark.parametrize(("frame", "said"), [("LPS", "14.0 mm (R to L)"), ("plate", "14.0 mm (X)")])
def test_a_surface_is_seen_the_right_way_round(
    any_machine: bool, frame: Literal["LPS", "plate"], said: str
) -> None:
    picture = views.surface(marked_bar(), frame=frame, title="Bar")
    assert said in picture.alt
    front = pixels(picture)[100:480, 40:540].astype(int)
    letters = front.max(axis=2) < 60
    rows, columns = np.nonzero((front.min(axis=2) < 245) & ~letters)
    top = rows < rows.min() + 40
    # the knob: on the right of the picture at the top, nothing of it below
    assert columns[top].max() > columns[rows > 250].max() + 40
    assert columns[top].min() > columns[rows > 250].min() - 40


def test_distances_are_coloured_by_their_sign(any_machine: bool) -> None:
    ball = trimesh.creation.icosphere(subdivisions=4, radius=10)
    distances = np.where(ball.vertices[:, 0] > 0, 0.4, -0.4)
    picture = views.surface(ball, frame="plate", distances_mm=distances)
    assert "from -0.4 to 0.4 mm" in picture.alt
    front = pixels(picture).astype(int)[60:540, :540]
    red_minus_blue = front[..., 0] - front[..., 2]
    columns = np.arange(front.shape[1])
    outside, inside = red_minus_blue > 80, red_minus_blue < -60
    assert outside.mean() > 0.1
    assert inside.mean() > 0.1
    assert (outside.sum(axis=0) * columns).sum() / outside.sum() > (
        inside.sum(axis=0) * columns
    ).sum() / inside.sum() + 50
    with pytest.raises(ValueError, match="2 distances for"):
        views.surface(ball, distances_mm=np.zeros(2))


def test_the_parts_of_a_surface_have_their_colours_and_names(any_machine: bool) -> None:
    right, left = (trimesh.creation.icosphere(subdivisions=3, radius=8) for _ in range(2))
    right.apply_translation((-12, 0, 0))
    left.apply_translation((12, 0, 0))
    whole = trimesh.Trimesh(
        *trimesh.util.append_faces([right.vertices, left.vertices], [right.faces, left.faces])
    )
    parts = {"radius": (right, (1.0, 0.0, 0.0)), "ulna": (left, (0.0, 0.0, 1.0))}
    picture = views.surface(whole, parts=parts)
    assert "radius, ulna" in picture.alt
    front = pixels(picture).astype(int)[90:520, :580]
    red_minus_blue = front[..., 0] - front[..., 2]
    columns = np.arange(front.shape[1])
    red, blue = red_minus_blue > 100, red_minus_blue < -100
    assert min(red.mean(), blue.mean()) > 0.05
    # the patient's right, smaller x, is on the left of the picture
    assert columns[red.any(axis=0)].max() < columns[blue.any(axis=0)].min() + 10


def test_a_name_that_looks_like_a_formula_is_written_as_it_is() -> None:
    ball = trimesh.creation.icosphere(subdivisions=1, radius=10)
    picture = views.surface(
        ball, parts={"a$x^$": (ball, (1.0, 0.0, 0.0))}, marks={r"$\frac$": np.zeros(3)}
    )
    assert "a$x^$" in picture.alt
    assert picture.png.startswith(b"\x89PNG")


def test_each_label_of_a_mask_has_its_own_outline() -> None:
    volume = phantom(np.eye(3), (1.0, 1.0, 1.0))
    one = (volume.voxels > 0).astype(np.uint8)
    halves = one.copy()
    halves[:, :, halves.shape[2] // 2 :] *= 2
    both = [_share_of(views.slices(volume, mask=mask), (86, 180, 233)) for mask in (one, halves)]
    assert both[1] > 1.15 * both[0]


def test_a_picture_is_shown_as_png_only_with_its_words(tmp_path: Path) -> None:
    volume = phantom(np.eye(3), (2.0, 2.0, 2.0))
    picture = views.slices(volume)
    data, metadata = picture._repr_mimebundle_()
    assert set(data) == {"image/png", "text/plain"}
    assert base64.b64decode(data["image/png"]) == picture.png
    assert data["text/plain"] == metadata["image/png"]["alt"] == picture.alt
    assert views.slices(volume).png == picture.png  # the same scan, the same bytes
    path = picture.save(tmp_path / "new" / "a.png")
    assert path.read_bytes() == picture.png
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError):
        picture.save(tmp_path / "file" / "a.png")


def test_the_words_of_a_picture_reach_the_archived_page() -> None:
    picture = views.slices(phantom(np.eye(3), (4.0, 4.0, 4.0)))
    data, metadata = picture._repr_mimebundle_()
    v4 = nbformat.v4
    shown = v4.new_output("execute_result", data=data, metadata=metadata, execution_count=1)
    executed = v4.new_notebook(cells=[v4.new_code_cell("picture", outputs=[shown])])
    to_page = HTMLExporter(template_name="classic")  # type: ignore[no-untyped-call]
    page, _ = to_page.from_notebook_node(executed)
    assert f'alt="{picture.alt}"' in page


def test_a_table_says_the_same_in_html_and_in_text() -> None:
    shown = views.table([("a<b", 1.23456789, None), ("c", True, 7)], ["name", "x", "y"])
    data: dict[str, Any] = shown._repr_mimebundle_()
    assert set(data) == {"text/html", "text/plain"}
    assert "a&lt;b" in data["text/html"]
    assert "<script" not in data["text/html"]
    assert data["text/plain"].splitlines() == [
        "name  x        y",
        "----  -------  -",
        "a<b   1.23457  –",
        "c     yes      7",
    ]
    assert repr(views.table([], ["empty"])) == "empty\n-----"
    with pytest.raises(ValueError, match="a row of 1 cells under 2 columns"):
        views.table([("a",)], ["a", "b"])


def test_verdicts_are_signs_and_words_not_colour_alone() -> None:
    verdicts: tuple[Verdict, ...] = ("pass", "action", "fail", "not done")
    shown = views.checks([Check(name="wall", value=1.0, unit="mm", verdict=v) for v in verdicts])
    lines = shown.text.splitlines()[2:]
    signs = [line.split()[3] for line in lines]
    assert len(set(signs)) == 4
    assert [line.split(maxsplit=4)[4] for line in lines] == list(verdicts)


@pytest.mark.parametrize("colour", [colour for _, colour in words._SIGNS.values()])
def test_verdicts_have_the_contrast_of_wcag_aa(colour: str) -> None:
    linear = [
        value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4
        for value in (int(pair, 16) / 255 for pair in re.findall("..", colour[1:]))
    ]
    luminance = 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
    assert 1.05 / (luminance + 0.05) >= 4.5  # on white; WCAG 2.2, 1.4.3


def test_a_message_is_escaped() -> None:
    assert "&lt;b&gt;" in views.message("<b>").html
    assert repr(views.message("<b>")) == "<b>"


def test_the_room_knows_what_it_offers() -> None:
    for name in views._HOMES:
        assert getattr(views, name).__module__.startswith("labkit.views.")
    with pytest.raises(AttributeError, match="nothing"):
        views.nothing  # noqa: B018


def test_a_thumbnail_shows_the_part_from_a_corner_in_the_same_bytes_each_time(
    tmp_path: Path,
) -> None:
    flat = trimesh.creation.box((40, 40, 2))
    png = views.thumbnail(flat, 200)
    assert png == views.thumbnail(flat, 200)
    (tmp_path / "a.png").write_bytes(png)
    with Image.open(tmp_path / "a.png") as picture:
        assert picture.size == (200, 200)
        part = np.asarray(picture.convert("RGB")).min(axis=2) < 250
    # a flat square seen from a corner lies as a diamond, wider than high
    rows, columns = part.any(axis=1).sum(), part.any(axis=0).sum()
    assert columns > 175
    high_mm, wide_mm = 80 / np.sqrt(6) + 2 * np.sqrt(2 / 3), 80 / np.sqrt(2)  # isometric
    assert rows / columns == pytest.approx(high_mm / wide_mm, rel=0.05)
