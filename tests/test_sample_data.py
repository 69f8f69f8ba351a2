"""The sample scan is what its script makes, and holds what its formulas promise."""

import hashlib
import importlib.util
import json
import shutil
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import cc3d
import numpy as np
import numpy.typing as npt
import pydicom
import pytest
from pydicom.dataset import Dataset
from pydicom.uid import JPEGLSLossless
from scipy.spatial import cKDTree

from labkit.case import read_order
from labkit.processes import run

FOLDER = Path(__file__).parents[1] / "sample_data"
DATA = ("ct_forearm", "truth.json", "order.yaml")
BONE_HU = 300

Floats = npt.NDArray[np.float64]


def data_files(folder: Path) -> dict[str, Path]:
    """The files that the script makes, but for the manifest, by their names in it."""
    paths = [path for name in DATA for path in (folder / name, *(folder / name).glob("*"))]
    return {path.relative_to(folder).as_posix(): path for path in paths if path.is_file()}


@pytest.fixture(scope="module")
def phantom() -> ModuleType:
    spec = importlib.util.spec_from_file_location("phantom", FOLDER / "phantom.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def truth() -> Any:
    return json.loads((FOLDER / "truth.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def images() -> list[Dataset]:
    """All images, in the order of their file names."""
    return [pydicom.dcmread(path) for path in sorted((FOLDER / "ct_forearm").glob("*.dcm"))]


@pytest.fixture(scope="module")
def slices(images: list[Dataset]) -> list[Dataset]:
    """The CT series from the feet to the head."""
    axial = [image for image in images if "LOCALIZER" not in image.ImageType]
    return sorted(axial, key=lambda image: float(image.ImagePositionPatient[2]))


@pytest.fixture(scope="module")
def hu(slices: list[Dataset]) -> npt.NDArray[np.int32]:
    """(k, j, i) the scan in HU."""
    assert {(image.RescaleSlope, image.RescaleIntercept) for image in slices} == {(1, -1024)}
    return np.stack([image.pixel_array.astype(np.int32) - 1024 for image in slices])


def to_lps(kji: npt.ArrayLike, truth: Any) -> Floats:
    """(n, 3) mm, LPS: where the positions (n, 3) in slices, rows, columns lie."""
    field = truth["field"]
    ijk = np.asarray(kji, float)[:, ::-1]
    lps: Floats = ijk * field["voxel_mm"] + field["first_voxel_centre_lps_mm"]
    return lps


def crossings(values: npt.NDArray[Any], level: float, axis: int) -> Floats:
    """(n, 3) where the grey value passes ``level`` between neighbours along an axis; k, j, i."""
    along = np.moveaxis(values, axis, 0).astype(float)
    at = np.argwhere((along[:-1] > level) != (along[1:] > level))
    low, high = along[:-1][tuple(at.T)], along[1:][tuple(at.T)]
    found = at.astype(float)
    found[:, 0] += (level - low) / (high - low)
    others = [one for one in range(3) if one != axis]
    return found[:, np.argsort([axis, *others])]


def dice(one: npt.NDArray[np.bool_], other: npt.NDArray[np.bool_]) -> float:
    return float(2 * (one & other).sum() / (one.sum() + other.sum()))


def test_manifest_names_every_file_and_its_hash() -> None:
    lines = (FOLDER / "manifest.sha256").read_text(encoding="utf-8").splitlines()
    named = {name: digest for digest, name in (line.split("  ", 1) for line in lines)}
    there = {
        name: hashlib.sha256(path.read_bytes()).hexdigest()
        for name, path in data_files(FOLDER).items()
    }
    assert named == there
    assert len(there) == 107


def test_made_again_it_is_the_same_to_the_byte(tmp_path: Path) -> None:
    done = run(
        [sys.executable, FOLDER / "make_sample_scan.py", "--to", tmp_path],
        folder=tmp_path,
        timeout_s=300,
    )
    assert done.exit_code == 0, done.errors
    again, here = data_files(tmp_path), data_files(FOLDER)
    assert list(again) == list(here)
    assert [name for name in here if again[name].read_bytes() != here[name].read_bytes()] == []
    name = "manifest.sha256"
    assert (tmp_path / name).read_bytes() == (FOLDER / name).read_bytes()


def test_it_is_small_enough_for_git() -> None:
    files = [path for path in FOLDER.rglob("*") if "__pycache__" not in path.parts]
    assert sum(path.stat().st_size for path in files if path.is_file()) <= 5_000_000


def test_order_is_a_practice_order_for_the_right_arm() -> None:
    order = read_order(FOLDER / "order.yaml")
    assert order.practice
    assert order.laterality == "right"


def test_one_study_of_a_series_and_a_scout(images: list[Dataset], slices: list[Dataset]) -> None:
    (scout,) = (image for image in images if "LOCALIZER" in image.ImageType)
    assert len(slices) == 104
    assert len({image.SOPInstanceUID for image in images}) == 105
    for keyword in ("StudyInstanceUID", "FrameOfReferenceUID", "PatientID", "Laterality"):
        assert len({image[keyword].value for image in images}) == 1
    assert len({image.SeriesInstanceUID for image in slices} | {scout.SeriesInstanceUID}) == 2
    assert {image.file_meta.TransferSyntaxUID for image in images} == {JPEGLSLossless}
    assert {image.file_meta.ImplementationVersionName for image in images} == {"LABKIT_SAMPLE_1"}


def test_geometry_is_uniform_and_as_told(slices: list[Dataset], truth: Any) -> None:
    field = truth["field"]
    positions = np.array([image.ImagePositionPatient for image in slices], float)
    assert positions[0].tolist() == field["first_voxel_centre_lps_mm"]
    steps = np.diff(positions, axis=0)
    assert np.abs(steps - [0, 0, field["voxel_mm"][2]]).max() < 1e-9
    for image in slices:
        assert image.ImageOrientationPatient == [1, 0, 0, 0, 1, 0]
        assert [*image.PixelSpacing, image.SliceThickness] == field["voxel_mm"]
        assert [image.Columns, image.Rows, len(slices)] == field["voxels_ijk"]


def test_file_names_tell_nothing_of_the_order(images: list[Dataset]) -> None:
    heights = [image.ImagePositionPatient[2] for image in images]
    steps = np.sign(np.diff(heights))
    assert 20 < (steps > 0).sum() < 84


def test_dicom_is_valid() -> None:
    if shutil.which("dciodvfy") is None:
        pytest.skip("dciodvfy is not installed (apt-get install dicom3tools)")
    for path in sorted((FOLDER / "ct_forearm").glob("*.dcm")):
        done = run(["dciodvfy", path], timeout_s=60)
        said = done.output + done.errors
        assert "CTImage" in said
        assert "Error" not in said, f"{path.name}: {said}"


def test_radius_and_ulna_are_the_two_largest_pieces(
    hu: npt.NDArray[np.int32], truth: Any, phantom: ModuleType
) -> None:
    labels = cc3d.connected_components(hu > BONE_HU, connectivity=26)
    sizes = np.bincount(labels.ravel())
    sizes[0] = 0
    largest = np.argsort(sizes)[::-1]
    assert sizes[largest[1]] > 3 * sizes[largest[2]]
    for bone, label in zip(("radius", "ulna"), largest[:2], strict=True):
        piece = to_lps(np.argwhere(labels == label), truth)
        assert phantom.distance_mm(bone, piece).max() < 1  # by the root of the ulna's styloid
        # All that is bright within the bone's outline is in that one piece.
        bright = np.argwhere(hu > 900)
        depth = phantom.distance_mm(bone, to_lps(bright, truth))
        assert (labels[tuple(bright[depth < 0].T)] == label).all()
        length, width, height = np.ptp(piece, axis=0)[[2, 0, 1]]
        assert 70 < length < 85
        assert 12 < height < 25
        assert 12 < width < 30  # with the bow


def test_no_other_large_piece_than_balls_bars_and_mark(hu: npt.NDArray[np.int32]) -> None:
    labels = cc3d.connected_components(hu > BONE_HU, connectivity=26)
    sizes = np.bincount(labels.ravel())[1:]
    assert (sizes > 500).sum() == 2 + 2 + 1 + 6 + 2  # bars of 1 and of 0.75 mm run together
    assert (sizes[sizes <= 500] < 20).all()  # specks of noise


def test_grey_values_and_noise(hu: npt.NDArray[np.int32], truth: Any) -> None:
    muscle = hu[95:, 85:115, 110:140]  # beyond the wrist, in the middle of the arm
    assert abs(muscle.mean() - truth["grey_values_hu"]["muscle"]) < 1
    assert abs(muscle.std() - truth["noise_sigma_hu"]) < 1


@pytest.mark.parametrize("bone", ["radius", "ulna"])
def test_bone_surface_lies_where_the_formula_says(
    bone: str, hu: npt.NDArray[np.int32], truth: Any, phantom: ModuleType
) -> None:
    greys = truth["grey_values_hu"]
    half = (greys["cortical_bone"] + greys["muscle"]) / 2
    shaft = hu[4:40]  # where the cortex is thick beside the blur
    found = [crossings(shaft, half, axis) + np.array([4, 0, 0]) for axis in (1, 2)]
    off = phantom.distance_mm(bone, to_lps(np.concatenate(found), truth))
    off = off[np.abs(off) < 0.6]
    assert off.size > 3000
    assert abs(float(off.mean())) < 0.05
    assert float(np.percentile(np.abs(off), 99)) < 0.2


@pytest.mark.parametrize("bone", ["radius", "ulna"])
def test_distance_and_inside_tell_the_same(bone: str, truth: Any, phantom: ModuleType) -> None:
    columns, rows, slices = truth["field"]["voxels_ijk"]
    grid = np.stack(np.meshgrid(*map(np.arange, (slices, rows, columns)), indexing="ij"), -1)
    points = to_lps(grid.reshape(-1, 3), truth)
    within = phantom.inside(bone, points)
    volume_mm3 = within.sum() * np.prod(truth["field"]["voxel_mm"])
    assert volume_mm3 == pytest.approx(truth["bones"][bone]["outer_volume_in_field_mm3"], rel=0.005)
    some = slice(0, None, 17)
    assert ((phantom.distance_mm(bone, points[some]) < 0) == within[some]).all()


def test_distance_is_that_to_the_nearest_point_of_the_surface(
    truth: Any, phantom: ModuleType
) -> None:
    generator = np.random.default_rng(3)
    low, high = phantom.to_lps_mm([[-22_000, -9000, 5000], [0, 9000, 55_000]])
    points = generator.uniform(low, high, (200_000, 3))
    far = np.abs(phantom.distance_mm("radius", points))
    surface = points[far < 2][:60_000]
    for _ in range(6):  # walk down the gradient onto the surface
        step = 0.05
        slope = np.stack(
            [
                phantom.distance_mm("radius", surface + step * axis)
                - phantom.distance_mm("radius", surface - step * axis)
                for axis in np.eye(3)
            ],
            axis=1,
        )
        slope /= np.linalg.norm(slope, axis=1, keepdims=True)
        surface = surface - phantom.distance_mm("radius", surface)[:, None] * slope
    probes = points[(far > 0.2) & (far < 1)][:300]
    inner = np.abs(probes - (low + high) / 2) < (high - low) / 2 - 3
    probes = probes[inner[:, 2]]
    nearest = cKDTree(surface).query(probes)[0]
    told = np.abs(phantom.distance_mm("radius", probes))
    assert np.abs(told - nearest).max() < 0.1


@pytest.mark.parametrize("number", [0, 1])
def test_a_ball_is_where_and_as_large_as_told(
    number: int, hu: npt.NDArray[np.int32], truth: Any
) -> None:
    centre = np.array(truth["balls"]["centres_lps_mm"][number])
    greys, field = truth["grey_values_hu"], truth["field"]
    half = (greys["balls"] + greys["air"]) / 2
    middle = (centre - field["first_voxel_centre_lps_mm"]) / field["voxel_mm"]
    low = np.rint(middle - 7 / np.array(field["voxel_mm"])).astype(int)
    high = np.rint(middle + 7 / np.array(field["voxel_mm"])).astype(int) + 1
    (i0, j0, k0), (i1, j1, k1) = low, high
    near = hu[k0:k1, j0:j1, i0:i1]
    found = np.concatenate([crossings(near, half, axis) for axis in range(3)])
    x = to_lps(found + low[::-1], truth) - centre
    # The ellipsoid with axes along x, y, z that fits the points at half height best.
    fit = np.linalg.lstsq(np.hstack([x**2, x]), np.ones(len(x)))[0]
    squares, offset = fit[:3], -fit[3:] / (2 * fit[:3])
    diameters = 2 * np.sqrt((1 + squares @ offset**2) / squares)
    assert np.abs(offset).max() < 0.1
    assert np.abs(diameters - truth["balls"]["diameter_mm"]).max() < 0.1


def test_line_pairs_blur_away_as_they_get_finer(hu: npt.NDArray[np.int32], truth: Any) -> None:
    pairs, field = truth["line_pairs"], truth["field"]
    corner, first = np.array(pairs["corner_lps_mm"]), np.array(field["first_voxel_centre_lps_mm"])
    low = (corner - first) / field["voxel_mm"]
    rows = slice(int(low[1]) + 4, int(low[1]) + 12)
    profile = hu[int(low[2]) + 3 : int(low[2]) + 8, rows].mean(axis=(0, 1))
    x = first[0] + np.arange(profile.size) * field["voxel_mm"][0]
    starts = np.array(pairs["bars_begin_at_x_mm"]).reshape(4, 3)
    widths = np.array(pairs["bar_widths_mm"]).reshape(4, 3)[:, 0]
    swings = []
    for start, width in zip(starts[:, 0], widths, strict=True):
        group = profile[(x > start) & (x < start + 5 * width)]
        swings.append(float(np.ptp(group)))
    contrast = truth["grey_values_hu"]["bars"] - truth["grey_values_hu"]["block_around_the_bars"]
    assert swings[0] > 0.9 * contrast
    assert swings == sorted(swings, reverse=True)
    assert swings[3] < 0.6 * contrast


def test_a_mirrored_stack_would_be_noticed(
    hu: npt.NDArray[np.int32], truth: Any, phantom: ModuleType
) -> None:
    grid = np.stack(np.meshgrid(*map(np.arange, hu.shape), indexing="ij"), -1).reshape(-1, 3)
    mark = phantom.in_mark(*phantom.to_local_um(to_lps(grid, truth))).reshape(hu.shape)
    k, j, i = np.nonzero(mark)
    box = tuple(slice(one.min() - 1, one.max() + 2) for one in (k, j, i))
    dense = hu > (truth["grey_values_hu"]["mark"] + truth["grey_values_hu"]["air"]) / 2
    assert dice(mark[box], dense[box]) > 0.95
    for axis in range(3):
        # Neither the whole stack turned over nor the letter alone, in its place.
        assert dice(mark[box], np.flip(dense, axis)[box]) < 0.8
        assert dice(mark[box], np.flip(dense[box], axis)) < 0.8
