"""Series with every fault that a lab meets, made here; and the real ones."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pydicom
import pytest
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, generate_uid

from labkit.errors import ScanError
from labkit.scan import choose, discover, read_volume
from tests.conftest import SAMPLE

ROWS, COLUMNS, IMAGES = 5, 4, 8
SPACING, STEP = (0.7, 0.6), 1.25
NORMAL = np.array([0.0, 0.0, 1.0])

Fault = Callable[[list[Dataset]], object]


def _images() -> list[Dataset]:
    """An axial CT whose every pixel value is its own, so that any mix-up shows."""
    uid = "1.2.826.0.1.3680043.8.498.77"
    made = []
    for k in range(IMAGES):
        image = Dataset()
        image.file_meta = FileMetaDataset()
        image.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        image.file_meta.MediaStorageSOPClassUID = CTImageStorage
        image.SOPClassUID = CTImageStorage
        image.SOPInstanceUID = generate_uid(entropy_srcs=["labkit", str(k)])
        image.file_meta.MediaStorageSOPInstanceUID = image.SOPInstanceUID
        image.StudyInstanceUID, image.SeriesInstanceUID = uid + ".1", uid
        image.FrameOfReferenceUID = uid + ".2"
        image.PatientName, image.PatientID = "DOE^JOHN", "4711"
        image.Modality, image.ImageType = "CT", ["ORIGINAL", "PRIMARY", "AXIAL"]
        image.Rows, image.Columns, image.SamplesPerPixel = ROWS, COLUMNS, 1
        image.PhotometricInterpretation, image.PixelRepresentation = "MONOCHROME2", 0
        image.BitsAllocated, image.BitsStored, image.HighBit = 16, 16, 15
        image.PixelSpacing = list(SPACING)
        image.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
        image.ImagePositionPatient = [-10.0, 20.0, 100 + k * STEP]
        image.InstanceNumber = IMAGES - k  # the other way round: must not matter
        image.SpacingBetweenSlices = 99  # a lie: must not matter
        image.RescaleSlope, image.RescaleIntercept = 2, -1000
        values = 100 * k + np.arange(ROWS * COLUMNS, dtype=np.uint16).reshape(ROWS, COLUMNS)
        image.PixelData = values.tobytes()
        made.append(image)
    return made


def _write(images: list[Dataset], folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for number, image in enumerate(images):
        name = f"{(number * 5) % 17:02d}{number}.dcm"  # no order in the names
        image.save_as(folder / name, enforce_file_format=True)
    return folder


@pytest.fixture(autouse=True)
def _home(lab_home: Path) -> None:
    """Each test has its own lab."""


def test_values_and_geometry_come_out_true(tmp_path: Path) -> None:
    found = discover(_write(_images(), tmp_path / "ct"))
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
    images = _images()
    _reversed_orientation(images)
    volume = read_volume(choose(discover(_write(images, tmp_path / "ct")).series))
    assert np.linalg.det(volume.direction) == pytest.approx(1)
    assert volume.direction[:, 2].tolist() == [0, 0, -1]
    assert volume.origin_lps_mm[2] == 100 + (IMAGES - 1) * STEP
    assert (volume.voxels[0] > volume.voxels[-1]).all()


def _move(index: int, by: list[float]) -> Fault:
    def fault(images: list[Dataset]) -> None:
        position = np.array(images[index].ImagePositionPatient, float) + by
        images[index].ImagePositionPatient = position.tolist()

    return fault


def _tilt(images: list[Dataset]) -> None:
    for k, image in enumerate(images):
        image.ImagePositionPatient[1] += k * STEP * np.tan(np.radians(12))


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
    "missing": (lambda images: images.pop(3), "1 images are missing: gaps of 1.25, 2.5 mm"),
    "two missing": (lambda images: (images.pop(5), images.pop(2)), "2 images are missing"),
    "uneven": (_move(4, [0, 0, 0.4]), "the distance between images varies"),
    "double": (_move(4, [0, 0, -STEP]), "1 images lie where another one lies already"),
    "tilt": (_tilt, "sheared by 12.0° (gantry tilt)"),
    "one shifted": (_move(4, [3.0, 0, 0]), "sheared"),
    "turned": (_set(2, ImageOrientationPatient=[0, 1, 0, 1, 0, 0]), "different orientation"),
    "not unit": (_set_all(ImageOrientationPatient=[2, 0, 0, 0, 1, 0]), "two unit vectors"),
    "no position": (_set(0, ImagePositionPatient=None), "Image Position"),
    "no orientation": (_set(0, ImageOrientationPatient=None), "Image Orientation"),
    "no spacing": (_set(0, PixelSpacing=None), "Pixel Spacing"),
    "other spacing": (_set(0, PixelSpacing=[0.7, 0.7]), "different pixel spacing"),
    "other matrix": (_set(0, Rows=4), "different matrix size"),
    "no rescale": (_set_all(RescaleSlope=None), "without Rescale Slope and Intercept"),
    "slope 0": (_set(3, RescaleSlope=0), "without Rescale Slope and Intercept"),
    "two frames": (_set(2, FrameOfReferenceUID="1.2.3"), "different frame of reference"),
    "scout in one word": (_set_all(ImageType="LOCALIZER"), "a scout image"),
    "scout": (_set_all(ImageType=["ORIGINAL", "PRIMARY", "LOCALIZER"]), "a scout image"),
    "MR": (_set_all(Modality="MR"), "not CT"),
    "colour": (_set_all(SamplesPerPixel=3), "colour"),
    "multi-frame": (_set_all(NumberOfFrames=2), "multi-frame"),
    "two images": (lambda images: images.__delitem__(slice(2, None)), "only 2 images"),
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_is_refused_with_its_reason(tmp_path: Path, name: str) -> None:
    fault, reason = FAULTS[name]
    images = _images()
    fault(images)
    series = discover(_write(images, tmp_path / "ct")).series
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
    folder = _write(_images(), tmp_path / "ct")
    last = sorted(folder.iterdir())[-1]
    _cut(last, int(last.stat().st_size * keep))
    with pytest.raises(ScanError):
        read_volume(choose(discover(folder).series))


@pytest.mark.parametrize("size", [200, 300, 500, 700])
def test_a_file_cut_within_its_header_is_never_left_out_in_silence(
    tmp_path: Path, size: int
) -> None:
    folder = _write(_images(), tmp_path / "ct")
    _cut(max(folder.iterdir()), size)
    with pytest.raises(ScanError):
        read_volume(choose(discover(folder).series))


def test_an_empty_folder_and_one_of_texts_are_told_apart(tmp_path: Path) -> None:
    with pytest.raises(ScanError, match="an empty folder"):
        discover(tmp_path)
    (tmp_path / "readme.txt").write_text("hello")
    with pytest.raises(ScanError, match="1 files, none of them a DICOM image"):
        discover(tmp_path)
    with pytest.raises(ScanError, match="a file"):
        discover(tmp_path / "readme.txt")
    with pytest.raises(ScanError, match="no source"):
        discover(None)


def test_the_best_series_is_proposed_and_any_other_can_be_chosen(tmp_path: Path) -> None:
    folder = _write(_images(), tmp_path / "disc" / "thin")
    thick = _images()[::2]
    for image in thick:
        image.SeriesInstanceUID = "1.2.3"
    _write(thick, tmp_path / "disc" / "thick")
    (tmp_path / "disc" / "report.txt").write_text("text")
    found = discover(folder.parent)
    series, others = found.series, found.other_files
    assert [len(one.images) for one in series] == [IMAGES, IMAGES // 2]
    assert others == 1
    assert choose(series) is series[0]
    assert choose(series, series[1].key) is series[1]
    with pytest.raises(ScanError, match="no series with the key"):
        choose(series, "nosuch")


def test_a_scout_beside_the_series_is_never_proposed() -> None:
    series = discover(SAMPLE).series
    assert choose(series).image_type[2] == "AXIAL"
    assert [one.refusal for one in series] == [None, "a scout image, not a volume"]


def test_nothing_in_the_table_names_the_patient(tmp_path: Path) -> None:
    images = _images()
    uid = images[0].SeriesInstanceUID
    series = discover(_write(images, tmp_path / "DOE_JOHN")).series
    volume = read_volume(series[0])
    said = str(series[0].row()) + volume.frame_of_reference_uid
    assert not any(word in said for word in ("DOE", "4711", uid))
    assert pydicom.uid.UID(volume.frame_of_reference_uid).is_valid


def test_the_sample_is_where_its_formula_says(sample_volume: object) -> None:
    volume = sample_volume
    assert volume.voxels.shape == (104, 200, 256)  # type: ignore[attr-defined]
    assert volume.spacing_mm.tolist() == pytest.approx([0.5, 0.5, 0.8])  # type: ignore[attr-defined]


REAL = {
    "ct_skull_phantom_1mm": ((60, 512, 512), (0.451, 0.451, 1.0), None),
    "ct_knee_sts013": ((114, 215, 252), (0.977, 0.977, 3.27), None),
    "ct_torso_jpeg2000": ((20, 512, 512), (0.977, 0.977, 2.0), None),
    "ct_head_ge_tilt_irregular": (None, None, "sheared by 18.5° (gantry tilt); the gaps also vary"),
    "ct_irregular_small": (None, None, "gantry tilt"),
    "dicom_enhanced_multiframe": (None, None, "not classic CT images"),
    "dicom_transfer_syntaxes": (None, None, "duplicates"),
}


@pytest.mark.parametrize("name", REAL)
def test_real_scans_come_out_true_or_are_refused(real_data: Path, name: str) -> None:
    shape, spacing, refusal = REAL[name]
    series = discover(real_data / name).series
    if refusal:
        with pytest.raises(ScanError) as caught:
            choose(series)
        assert refusal in caught.value.found
        return
    volume = read_volume(choose(series))
    assert volume.voxels.shape == shape
    assert volume.spacing_mm.tolist() == pytest.approx(spacing, abs=1e-3)
    assert volume.voxels.min() <= -1000
