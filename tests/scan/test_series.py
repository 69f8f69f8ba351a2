"""Which images belong together, which series is proposed, and what the table says."""

from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from pydicom.dataset import Dataset
from pydicom.uid import SecondaryCaptureImageStorage

from labkit.errors import ScanError
from labkit.scan import choose, discover, read_volume
from labkit.scan.facts import BODY_PARTS
from tests.conftest import SAMPLE
from tests.scan.made import IMAGES, STEP, ct_images, only, set_pixels, truth_hu, write


@pytest.fixture(autouse=True)
def _home(lab_home: Path) -> None:
    """Each test has its own lab."""


def _second(first: int = IMAGES, **tags: Any) -> list[Dataset]:
    """More images of the same series."""
    return ct_images(first=first, **tags)


@pytest.mark.parametrize(
    ("tag", "one", "other", "words"),
    [
        ("ConvolutionKernel", "B30s", "B70s", "kernel"),
        ("ImageType", ["ORIGINAL", "PRIMARY", "AXIAL"], ["DERIVED", "PRIMARY", "AXIAL"], "type"),
        ("AcquisitionNumber", 1, 2, "acquisition"),
        ("TemporalPositionIdentifier", 1, 2, "temporal position"),
        ("KVP", 80, 140, "tube voltage"),
        ("EchoTime", 20, 80, "echo time"),
        ("FrameOfReferenceUID", "1.2.3", "1.2.4", "frame of reference"),
    ],
)
def test_a_tag_tells_two_stacks_in_one_place_apart(
    tmp_path: Path, tag: str, one: Any, other: Any, words: str
) -> None:
    images = ct_images(**{tag: one}) + _second(**{tag: other})
    found = discover(write(images, tmp_path / "ct")).series
    assert [series.key[-2:] for series in found] == ["-1", "-2"]
    assert all(words in series.part for series in found)
    for series in found:
        assert (read_volume(choose(found, series.key)).voxels == truth_hu()).all()


@pytest.mark.parametrize(
    ("tag", "one", "other"),
    [
        ("StudyInstanceUID", "1.2.3", "1.2.4"),
        ("FrameOfReferenceUID", "1.2.3", "1.2.4"),
        ("SeriesNumber", 1, 2),
        ("SeriesNumber", 1, None),
        ("Modality", "CT", "OT"),
    ],
)
def test_without_series_uid_other_tags_tell_series_apart_and_a_note_says_so(
    tmp_path: Path, tag: str, one: Any, other: Any
) -> None:
    images = ct_images(**{tag: one}) + _second(**{tag: other})
    for image in images:
        image.SeriesInstanceUID = ""
    found = discover(write(images, tmp_path / "ct"))
    first, second = found.series
    assert first.key != second.key and not first.part and not second.part
    assert [len(series.images) for series in found.series] == [IMAGES, IMAGES]
    assert (read_volume(choose(found.series)).voxels == truth_hu()).all()
    assert found.notes[-1].startswith(f"{2 * IMAGES} images without Series Instance UID")
    assert "DOE" not in str(found.notes) and "4711" not in str(found.notes)


def test_without_series_uid_images_of_another_size_do_not_spoil_the_stack(tmp_path: Path) -> None:
    scout = _second()[:1]
    set_pixels(scout[0], np.zeros((9, 3), np.uint16))
    images = ct_images() + scout
    for image in images:
        image.SeriesInstanceUID = ""
    found = discover(write(images, tmp_path / "ct")).series
    assert [series.refusal for series in found] == [None, "only 1 image"]
    assert (read_volume(choose(found)).voxels == truth_hu()).all()


def test_without_series_uid_every_second_sign_is_refused_as_ever(tmp_path: Path) -> None:
    images = ct_images(SeriesInstanceUID="")
    for image in images[::2]:
        _turned(image)
    with pytest.raises(ScanError, match="different orientation"):
        choose(discover(write(images, tmp_path / "ct")).series)


def test_planes_are_told_apart(tmp_path: Path) -> None:
    sagittal = _second(ImageOrientationPatient=[0, 1, 0, 0, 0, -1])
    for k, image in enumerate(sagittal):
        image.ImagePositionPatient = [k * STEP, 0, 0]
    found = discover(write(ct_images() + sagittal, tmp_path / "ct")).series
    assert {series.plane for series in found} == {"axial", "sagittal"}
    assert all(series.refusal is None and "plane" in series.part for series in found)


def test_a_kernel_that_changes_on_the_way_does_not_cut_the_stack(tmp_path: Path) -> None:
    images = ct_images()
    for k, image in enumerate(images):
        image.ConvolutionKernel = "H31s" if k < 4 else "H70s"
    series = only(write(images, tmp_path / "ct"))
    assert series.refusal is None
    assert "2 values of kernel" in series.findings[0]


def test_interleaved_kernels_are_never_one_stack(tmp_path: Path) -> None:
    images = ct_images()
    for k, image in enumerate(images):
        image.ConvolutionKernel = "H31s" if k % 2 else "H70s"
    found = discover(write(images, tmp_path / "ct")).series
    assert [series.spacing_mm[2] for series in found if series.spacing_mm] == [2 * STEP] * 2


def _turned(image: Dataset) -> None:
    image.ImageOrientationPatient = [1, 0, 0, 0, -1, 0]


def _other_spacing(image: Dataset) -> None:
    image.PixelSpacing = [0.7, 0.7]


def _other_kernel_in_place(image: Dataset) -> None:
    image.ConvolutionKernel = "H31s"
    image.ImagePositionPatient = [-10.0, 20.0, 100.0]


@pytest.mark.parametrize("share", [1, 2])
@pytest.mark.parametrize("change", [_turned, _other_spacing, _other_kernel_in_place])
def test_an_odd_image_is_refused_and_never_vanishes(
    tmp_path: Path, change: Any, share: int
) -> None:
    images = ct_images()
    for image in images[4 : 4 + share]:
        change(image)
    found = discover(write(images, tmp_path / "ct")).series
    assert sum(len(series.images) for series in found) == IMAGES
    with pytest.raises(ScanError):
        choose(found)


def test_every_second_sign_is_refused(tmp_path: Path) -> None:
    images = ct_images()
    for image in images[::2]:
        _turned(image)
    with pytest.raises(ScanError, match="different orientation"):
        choose(discover(write(images, tmp_path / "ct")).series)


def test_scouts_and_captures_of_the_same_series_are_rows_of_their_own(tmp_path: Path) -> None:
    scout = _second(100, ImageType=["ORIGINAL", "PRIMARY", "LOCALIZER"])[:1]
    capture = _second(200, SOPClassUID=SecondaryCaptureImageStorage)[:1]
    capture[0].file_meta.MediaStorageSOPClassUID = SecondaryCaptureImageStorage
    found = discover(write(ct_images() + scout + capture, tmp_path / "ct")).series
    assert [len(series.images) for series in found] == [IMAGES, 1, 1]
    assert {str(series.refusal) for series in found} == {
        "None",
        "a scout image, not a volume",
        "no slices of a scan (Secondary Capture Image Storage)",
    }
    assert (read_volume(choose(found)).voxels == truth_hu()).all()


def test_the_best_series_is_proposed_and_any_other_can_be_chosen(tmp_path: Path) -> None:
    write(ct_images(), tmp_path / "disc" / "thin")
    write(ct_images(series="1.2.3")[::2], tmp_path / "disc" / "thick")
    (tmp_path / "disc" / "report.txt").write_text("text")
    found = discover(tmp_path / "disc")
    assert [len(one.images) for one in found.series] == [IMAGES, IMAGES // 2]
    assert found.other_files == 1
    assert choose(found.series) is found.series[0]
    assert choose(found.series, found.series[1].key) is found.series[1]
    with pytest.raises(ScanError, match="no series with the key"):
        choose(found.series, "nosuch")


def test_a_scout_beside_the_series_is_never_proposed() -> None:
    series = discover(SAMPLE).series
    assert choose(series).image_type[2] == "AXIAL"
    assert [one.refusal for one in series] == [None, "a scout image, not a volume"]


def test_nothing_in_the_table_names_the_patient(tmp_path: Path) -> None:
    images = ct_images(BodyPartExamined="JOHN DOE", Modality="CT")
    uid = str(images[0].SeriesInstanceUID)
    series = only(write(images, tmp_path / "DOE_JOHN"))
    volume = read_volume(series)
    said = str(series.row()) + volume.frame_of_reference_uid + series.facts.body_part
    assert not any(word in said for word in ("DOE", "4711", uid))
    assert pydicom.uid.UID(volume.frame_of_reference_uid).is_valid


def test_facts_are_what_the_header_says(tmp_path: Path) -> None:
    code = Dataset()
    code.CodeValue, code.CodingSchemeDesignator, code.CodeMeaning = "RPID1", "RADLEX", "DOE^JOHN"
    tags: dict[str, Any] = {
        "BodyPartExamined": "FOREARM",
        "ConvolutionKernel": ["B70s", "2"],
        "KVP": "120",
        "ContrastBolusAgent": "something",
        "ImageLaterality": "R",
        "BurnedInAnnotation": "NO",
        "ProcedureCodeSequence": pydicom.sequence.Sequence([code]),
        "GantryDetectorTilt": "1e400",
    }
    facts = only(write(ct_images(**tags), tmp_path / "ct")).facts
    assert (facts.body_part, facts.kernel, facts.kvp) == ("FOREARM", "B70s/2", 120)
    assert (facts.contrast, facts.laterality, facts.burned_in_annotation) == (True, "right", False)
    assert facts.protocol_codes == ("RADLEX:RPID1",)
    assert facts.gantry_tilt_deg is None
    assert facts.body_part in BODY_PARTS


def test_an_image_that_left_its_stack_is_told(tmp_path: Path) -> None:
    images = ct_images()
    images[-1].SeriesInstanceUID = images[-1].SeriesInstanceUID[:-1] + "6"
    images += ct_images(series="1.2.3", ImagePositionPatient=[300.0, 20.0, 100.0])[:1]
    series = choose(discover(write(images, tmp_path / "ct")).series)
    assert len(series.images) == IMAGES - 1
    assert "1 images that make no series of their own lie in line" in series.findings[-1]


def test_progress_counts_the_files(tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    folder = write(ct_images(), tmp_path / "ct")
    found = discover(folder, lambda done, total: seen.append((done, total)))
    read_volume(choose(found.series), lambda done, total: seen.append((done, total)))
    assert seen == [(k, IMAGES) for k in range(1, IMAGES + 1)] * 2


def test_of_several_patients_a_person_has_to_choose(tmp_path: Path) -> None:
    other = ct_images("1.2.3.4", PatientID="0815", PatientName="ROE^JANE")
    found = discover(write(ct_images() + other, tmp_path / "ct"))
    assert found.notes == ("the images are of 2 patients: take care to choose",)
    with pytest.raises(ScanError, match="series of 2 patients"):
        choose(found.series)
    for series in found.series:
        assert choose(found.series, series.key) is series


def test_what_was_compressed_with_loss_says_so(tmp_path: Path) -> None:
    series = only(write(ct_images(LossyImageCompression="01"), tmp_path / "ct"))
    assert any("compressed with loss" in text for text in series.findings)


def test_words_that_may_name_the_patient_are_left_out(tmp_path: Path) -> None:
    told: dict[str, Any] = {
        "ConvolutionKernel": ["B30s", "Doe 4711"],
        "Manufacturer": "Doe Medical",
        "ManufacturerModelName": "MRN_4711",
        "PatientOrientation": ["L", "JOHN"],
        "PatientPosition": "JOHN",
        "ImageType": ["ORIGINAL", "PRIMARY", "AXIAL", "JOHN"],
    }
    facts = only(write(ct_images(**told), tmp_path / "ct")).facts
    assert (facts.kernel, facts.manufacturer, facts.model) == ("B30s", "", "")
    assert (facts.patient_orientation, facts.patient_position) == (("L", ""), "")
    assert facts.image_type == ("ORIGINAL", "PRIMARY", "AXIAL")
    assert not [text for text in map(str, vars(facts).values()) if "DOE" in text.upper()]
