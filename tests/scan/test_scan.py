"""From files to a volume: what is true comes out true, what is not is refused."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from pydicom.dataset import Dataset

from labkit.errors import ScanError
from labkit.scan import choose, discover, read_volume
from tests.scan.made import COLUMNS, IMAGES, ROWS, SPACING, STEP, ct_images, write

Fault = Callable[[list[Dataset]], object]


@pytest.fixture(autouse=True)
def _home(lab_home: Path) -> None:
    """Each test has its own lab."""


def test_values_and_geometry_come_out_true(tmp_path: Path) -> None:
    found = discover(write(ct_images(), tmp_path / "ct"))
    series, others = found.series, found.other_files
    volume = read_volume(choose(series))
    expected = 100 * np.arange(IMAGES)[:, None] + np.arange(ROWS * COLUMNS)[None]
    assert (volume.voxels == 2 * expected.reshape(IMAGES, ROWS, COLUMNS) - 1000).all()
    assert volume.spacing_mm.tolist() == pytest.approx([SPACING[1], SPACING[0], STEP])
    assert volume.origin_lps_mm.tolist() == [-10, 20, 100]
    assert volume.to_lps([[1, 2, 3]])[0].tolist() == pytest.approx([-9.4, 21.4, 103.75])
    assert others == 0


def _reversed_orientation(images: list[Dataset]) -> None:
    for image in images:
        image.ImageOrientationPatient = [1, 0, 0, 0, -1, 0]


def test_a_stack_seen_from_the_other_side_stays_right_handed(tmp_path: Path) -> None:
    images = ct_images()
    _reversed_orientation(images)
    volume = read_volume(choose(discover(write(images, tmp_path / "ct")).series))
    assert np.linalg.det(volume.direction) == pytest.approx(1)
    assert volume.direction[:, 2].tolist() == [0, 0, -1]
    assert volume.origin_lps_mm[2] == 100 + (IMAGES - 1) * STEP
    assert (volume.voxels[0] > volume.voxels[-1]).all()


def _move(index: int, by: list[float]) -> Fault:
    def fault(images: list[Dataset]) -> None:
        position = np.array(images[index].ImagePositionPatient, float) + by
        images[index].ImagePositionPatient = position.tolist()

    return fault


def _set(index: int, **values: object) -> Fault:
    def fault(images: list[Dataset]) -> None:
        for name, value in values.items():
            setattr(images[index], name, value)

    return fault


def _set_all(**values: object) -> Fault:
    def fault(images: list[Dataset]) -> None:
        for index in range(len(images)):
            _set(index, **values)(images)

    return fault


FAULTS: dict[str, tuple[Fault, str]] = {
    "missing": (lambda images: images.pop(3), "1 image missing: gaps of 1.25, 2.5 mm"),
    "two missing": (lambda images: (images.pop(5), images.pop(2)), "2 images missing"),
    "double": (_move(4, [0, 0, -STEP]), "1 image where another one lies already"),
    "one shifted": (_move(4, [3.0, 0, 0]), "shifted against each other"),
    "turned": (_set(2, ImageOrientationPatient=[0, 1, 0, 1, 0, 0]), "different orientation"),
    "not unit": (_set_all(ImageOrientationPatient=[2, 0, 0, 0, 1, 0]), "two unit vectors"),
    "no position": (_set(0, ImagePositionPatient=None), "Image Position"),
    "no orientation": (_set(0, ImageOrientationPatient=None), "Image Orientation"),
    "no spacing": (_set(0, PixelSpacing=None), "Pixel Spacing"),
    "other spacing": (_set(0, PixelSpacing=[0.7, 0.7]), "different pixel spacing"),
    "other matrix": (_set(0, Rows=4), "40 bytes of pixels where its matrix takes 32"),
    "no rescale": (_set_all(RescaleSlope=None), "without Rescale Slope and Intercept"),
    "slope 0": (_set(3, RescaleSlope=0), "without Rescale Slope and Intercept"),
    "two frames": (_set(2, FrameOfReferenceUID="1.2.3"), "different frame of reference"),
    "scout in one word": (_set_all(ImageType="LOCALIZER"), "a scout image"),
    "scout": (_set_all(ImageType=["ORIGINAL", "PRIMARY", "LOCALIZER"]), "a scout image"),
    "other modality": (_set_all(Modality="PT"), "modality PT in CT images"),
    "colour": (_set_all(SamplesPerPixel=3), "colour"),
    "multi-frame": (_set_all(NumberOfFrames=2), "multi-frame"),
    "two images": (lambda images: images.__delitem__(slice(2, None)), "only 2 images"),
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_is_refused_with_its_reason(tmp_path: Path, name: str) -> None:
    fault, reason = FAULTS[name]
    images = ct_images()
    fault(images)
    series = discover(write(images, tmp_path / "ct")).series
    with pytest.raises(ScanError) as caught:
        choose(series)
    assert reason in caught.value.found
    assert "DOE" not in str(caught.value)
    with pytest.raises(ValueError, match="refused"):
        read_volume(series[0])


def _cut(path: Path, size: int) -> None:
    path.write_bytes(path.read_bytes()[:size])


@pytest.mark.parametrize("keep", [0.99, 0.9])
def test_a_file_cut_within_its_pixels_is_refused(tmp_path: Path, keep: float) -> None:
    folder = write(ct_images(), tmp_path / "ct")
    last = sorted(folder.iterdir())[-1]
    _cut(last, int(last.stat().st_size * keep))
    with pytest.raises(ScanError):
        read_volume(choose(discover(folder).series))


@pytest.mark.parametrize("size", [200, 300, 500, 700])
def test_a_file_cut_within_its_header_is_never_left_out_in_silence(
    tmp_path: Path, size: int
) -> None:
    folder = write(ct_images(), tmp_path / "ct")
    _cut(max(folder.iterdir()), size)
    with pytest.raises(ScanError):
        read_volume(choose(discover(folder).series))


def test_an_empty_folder_and_one_of_texts_are_told_apart(tmp_path: Path) -> None:
    with pytest.raises(ScanError, match="an empty folder"):
        discover(tmp_path)
    (tmp_path / "readme.txt").write_text("hello")
    with pytest.raises(ScanError, match="no DICOM image among 1 file"):
        discover(tmp_path)
    with pytest.raises(ScanError, match="no DICOM image among 1 file"):
        discover(tmp_path / "readme.txt")
    with pytest.raises(ScanError, match="nothing of that name"):
        discover(tmp_path / "nowhere")
    with pytest.raises(ScanError, match="no source"):
        discover(None)


def test_the_sample_is_where_its_formula_says(sample_volume: object) -> None:
    volume = sample_volume
    assert volume.voxels.shape == (104, 200, 256)  # type: ignore[attr-defined]
    assert volume.spacing_mm.tolist() == pytest.approx([0.5, 0.5, 0.8])  # type: ignore[attr-defined]
