import shutil
import unicodedata
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pydicom
import pytest
from pydicom.dataset import Dataset
from pydicom.misc import is_dicom
from pydicom.uid import JPEGLSLossless

from labkit.errors import ScanError
from labkit.home import pseudonym_uid
from labkit.processes import run
from labkit.scan.privacy import deidentify, deidentify_files
from labkit.scan.sources import File
from tests.scan import identified

pytestmark = pytest.mark.filterwarnings(
    "ignore::UserWarning:pydicom.*", "ignore::UserWarning:highdicom.*"
)


@pytest.fixture(autouse=True)
def _home(lab_home: Path) -> None:
    """Each test has its own lab."""


@pytest.fixture
def series() -> list[Dataset]:
    return identified.identified_series()


OBJECTS: dict[str, Callable[[list[Dataset]], Dataset]] = {
    "CT": lambda series: series[0],
    "SEG": identified.segmentation,
    "enhanced CT": identified.enhanced,
    "MR": lambda series: identified.magnetic_resonance(series[0]),
    "STL": lambda series: identified.model(series[0]),
}


def _secrets_in(content: bytes) -> list[str]:
    low = content.lower()
    forms = ("utf-8", "latin-1", "utf-16-le")
    spelled = {s: {s, unicodedata.normalize("NFD", s)} for s in identified.SECRETS}
    return [
        secret
        for secret, texts in spelled.items()
        if any(t.encode(form, "ignore").lower() in low for t in texts for form in forms)
    ]


def _saved(dataset: Dataset, path: Path) -> Path:
    dataset.save_as(path, enforce_file_format=True)
    return path


def _is_image(path: Path) -> bool:
    return path.is_file() and is_dicom(path) and "PixelData" in pydicom.dcmread(path)


def _errors(path: Path) -> list[str]:
    if not shutil.which("dciodvfy"):
        pytest.skip("dciodvfy (Debian: dicom3tools) is not installed")
    said = run(["dciodvfy", "-new", path], timeout_s=60)
    return [line for line in (said.output + said.errors).splitlines() if line.startswith("Error")]


@pytest.mark.parametrize("kind", OBJECTS)
def test_no_byte_of_the_person_is_left(kind: str, series: list[Dataset], tmp_path: Path) -> None:
    before = OBJECTS[kind](series)
    assert len(_secrets_in(_saved(before, tmp_path / "before.dcm").read_bytes())) >= 4
    after = _saved(deidentify(before, "C-0001"), tmp_path / "after.dcm")
    assert _secrets_in(after.read_bytes()) == []
    dataset = pydicom.dcmread(after)
    assert (dataset.PatientID, dataset.PatientName) == ("C-0001", "C-0001^")
    assert dataset.PatientIdentityRemoved == "YES"
    assert dataset.DeidentificationMethodCodeSequence[0].CodeValue == "113100"
    assert dataset.LongitudinalTemporalInformationModified == "REMOVED"
    assert not any(element.tag.is_private for element in dataset.iterall())


@pytest.mark.parametrize("kind", ["CT", "SEG", "enhanced CT", "MR"])
def test_a_valid_object_stays_valid(kind: str, series: list[Dataset], tmp_path: Path) -> None:
    before = OBJECTS[kind](series)
    assert _errors(_saved(before, tmp_path / "before.dcm")) == []
    assert _errors(_saved(deidentify(before, "C-0001"), tmp_path / "after.dcm")) == []


def test_the_image_itself_is_the_same(series: list[Dataset]) -> None:
    before, after = series[2], deidentify(series[2], "C-0001")
    assert np.array_equal(before.pixel_array, after.pixel_array)
    for name in (
        *("ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing", "SliceThickness"),
        *("RescaleSlope", "RescaleIntercept", "Laterality", "BodyPartExamined", "InstanceNumber"),
    ):
        assert after[name].value == before[name].value


def test_references_between_objects_stay_whole(series: list[Dataset]) -> None:
    images = [deidentify(one, "C-0001") for one in series]
    mask = deidentify(identified.segmentation(series), "C-0001")
    assert {one.FrameOfReferenceUID for one in [*images, mask]} == {
        pseudonym_uid(f"{identified.ROOT}.2")
    }
    named = mask.ReferencedSeriesSequence[0].ReferencedInstanceSequence
    assert {one.ReferencedSOPInstanceUID for one in named} == {one.SOPInstanceUID for one in images}
    assert images[3].ReferencedImageSequence[0].ReferencedSOPInstanceUID == images[0].SOPInstanceUID
    purpose = images[3].ReferencedImageSequence[0].PurposeOfReferenceCodeSequence[0]
    assert purpose.CodeMeaning == "Localizer"


def test_comments_in_a_compressed_stream_go(series: list[Dataset], tmp_path: Path) -> None:
    before = series[0]
    before.compress(JPEGLSLossless, generate_instance_uid=False)
    stream = before.PixelData
    at = stream.index(b"\xff\xd8") + 2
    comment = b"\xff\xfe\x00\x10" + b"MRN-4711-0815"[:14].ljust(14)
    item = int.from_bytes(stream[at - 6 : at - 2], "little") + len(comment)
    before.PixelData = (
        stream[: at - 6] + item.to_bytes(4, "little") + stream[at - 2 : at] + comment + stream[at:]
    )
    after = deidentify(before, "C-0001")
    assert np.array_equal(after.pixel_array, before.pixel_array)
    assert _secrets_in(_saved(after, tmp_path / "after.dcm").read_bytes()) == []


def test_bytes_behind_the_pixels_and_overlay_bits_go(series: list[Dataset]) -> None:
    before = series[0]
    truth = before.pixel_array.copy()
    drawn = (truth | 0x8000).astype("<u2").tobytes()
    before.PixelData = drawn + b"MRN-4711-0815 "
    before[0x60000102].value = 15
    after = deidentify(before, "C-0001")
    assert after.PixelData == truth.astype("<u2").tobytes()


def test_what_cannot_be_cleaned_is_refused(series: list[Dataset]) -> None:
    report = identified.model(series[0])
    del report.EncapsulatedDocument
    screenshot = series[0]
    screenshot.BurnedInAnnotation = "YES"
    for dataset, words in ((report, "no image"), (screenshot, "burnt into")):
        with pytest.raises(ScanError, match=words):
            deidentify(dataset, "C-0001")


def test_files_are_written_all_or_none(series: list[Dataset], tmp_path: Path) -> None:
    source = identified.write_series(tmp_path, series)
    files = [File(path) for path in sorted(source.iterdir())]
    written = deidentify_files(files, tmp_path / "out" / "dicom", "C-0001")
    assert [path.name for path in written] == [f"C-0001_{n:04d}.dcm" for n in range(1, 7)]
    cut = source / "Juergen_6.dcm"
    cut.write_bytes(cut.read_bytes()[:-5000])
    with pytest.raises(ScanError) as caught:
        deidentify_files(
            [File(path) for path in sorted(source.iterdir())], tmp_path / "b" / "d", "C"
        )
    assert _secrets_in(str(caught.value).encode()) == []
    assert list((tmp_path / "b").iterdir()) == []


def test_real_scans_keep_their_pixels_and_get_no_new_fault(real_data: Path, tmp_path: Path) -> None:
    for folder in ("ct_skull_phantom_1mm", "ct_head_ge_tilt_irregular", "ct_knee_sts013"):
        path = next(p for p in sorted((real_data / folder).rglob("*")) if _is_image(p))
        before = pydicom.dcmread(path)
        after = deidentify(before, "C-0001")
        assert np.array_equal(before.pixel_array, after.pixel_array)
        assert len(_errors(_saved(after, tmp_path / "after.dcm"))) <= len(_errors(path))
