"""What the pixels tell: text that was drawn into them, and faces."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pydicom
import pytest
from PIL import Image, ImageDraw, ImageFont
from pydicom.misc import is_dicom

from labkit.errors import ScanError
from labkit.scan.facts import SeriesFacts, facts_of
from labkit.scan.privacy import deidentify, face_risk, text_in_plane, text_in_volume
from labkit.scan.privacy.report import PrivacyReport
from labkit.volume import Volume

TEXT = "MUELLER, J 12.03.1957"


def _with_text(
    plane: npt.NDArray[np.int16], size: float, share: float = 1.0, at: tuple[int, int] = (4, 4)
) -> npt.NDArray[np.int16]:
    """The plane with text; ``share``: its brightness between air and the brightest value."""
    picture = Image.new("L", plane.shape[::-1])
    ImageDraw.Draw(picture).text(at, TEXT, fill=255, font=ImageFont.load_default(size))
    ink = np.asarray(picture) / 255
    value = plane.min() + share * (float(plane.max()) - plane.min())
    drawn: npt.NDArray[np.int16] = (plane * (1 - ink) + value * ink).astype(np.int16)
    return drawn


@pytest.mark.parametrize("share", [0.35, 0.6, 1.0])
@pytest.mark.parametrize("size", [10, 14, 20])
def test_text_beside_the_body_is_found(sample_volume: Volume, size: float, share: float) -> None:
    drawn = _with_text(sample_volume.voxels[10], size, share)
    found = text_in_plane(drawn, 11)
    assert found
    assert all(one.image == 11 and one.top < 4 + 2 * size and one.glyphs >= 5 for one in found)


def test_text_on_every_image_is_found_even_over_the_body(sample_volume: Volume) -> None:
    drawn = [_with_text(plane, 14, at=(60, 100)) for plane in sample_volume.voxels[:40]]
    found = text_in_volume(replace(sample_volume, voxels=np.array(drawn)))
    assert found
    assert found[0].image == 0


def test_text_on_one_of_the_images_looked_at_is_told_by_its_number(sample_volume: Volume) -> None:
    voxels = sample_volume.voxels.copy()
    voxels[0] = _with_text(voxels[0], 14)
    assert {one.image for one in text_in_volume(replace(sample_volume, voxels=voxels))} == {1}


def test_the_mark_and_the_bar_pattern_of_the_sample_are_no_text(sample_volume: Volume) -> None:
    assert [text_in_plane(plane) for plane in sample_volume.voxels if text_in_plane(plane)] == []
    assert text_in_volume(sample_volume) == []


@pytest.mark.filterwarnings("ignore::UserWarning:pydicom.*")
def test_real_scans_give_no_false_alarm_and_ultrasound_a_true_one(real_data: Path) -> None:
    alarms = set()
    looked_at = 0
    for folder in ("ct_head_ge_tilt_irregular", "ct_skull_phantom_1mm", "ct_torso_jpeg2000"):
        for path in sorted((real_data / folder).rglob("*")):
            if path.is_file() and is_dicom(path):
                dataset = pydicom.dcmread(path)
                if "PixelData" in dataset:
                    looked_at += 1
                    alarms |= {folder} if text_in_plane(dataset.pixel_array) else set()
    assert looked_at > 100
    assert alarms == set()
    ultrasound = next(
        dataset
        for path in sorted((real_data / "dicom_transfer_syntaxes").rglob("*.dcm"))
        if (dataset := pydicom.dcmread(path)).get("Modality") == "US" and "PixelData" in dataset
    )
    with pytest.raises(ScanError, match="text burnt into its pixels, as it looks"):
        deidentify(ultrasound, "C-0001")


def _head(skin: bool) -> Volume:
    """An ellipsoid skull of 15 × 18 × 15 cm in 3 mm voxels, with a brain and maybe a scalp."""
    k, j, i = np.indices((60, 80, 80)) * 3.0
    radius = np.sqrt(((i - 120) / 75) ** 2 + ((j - 120) / 90) ** 2 + ((k - 30) / 75) ** 2)
    voxels = np.full(radius.shape, -1000, np.int16)
    voxels[radius < (1.15 if skin else 1.0)] = 30
    voxels[(radius < 1) & (radius > 0.9)] = 900
    return Volume(voxels, np.zeros(3), np.full(3, 3.0), np.eye(3))


@pytest.mark.parametrize("turn", [np.eye(3), np.roll(np.eye(3), 1, axis=0)])
def test_a_head_is_flagged_from_its_voxels_alone(
    turn: npt.NDArray[np.float64], sample_volume: Volume
) -> None:
    upright = _head(skin=True)
    order = [int(np.abs(row).argmax()) for row in turn]
    axes = [2 - order[2 - axis] for axis in range(3)]
    voxels = np.ascontiguousarray(np.transpose(upright.voxels, np.argsort(axes)))
    head = replace(upright, voxels=voxels, direction=turn)
    assert face_risk(head, SeriesFacts()).level == "face"
    assert face_risk(_head(skin=False), SeriesFacts()).level == "skull"
    assert not face_risk(sample_volume, SeriesFacts()).flagged


def test_the_header_is_believed_when_it_names_a_head(sample_volume: Volume) -> None:
    assert face_risk(sample_volume, SeriesFacts(body_part="MANDIBLE")).level == "face"
    told = SeriesFacts(recognizable_visual_features=True)
    assert face_risk(sample_volume, told).level == "face"
    claimed = SeriesFacts(body_part="FOOT", recognizable_visual_features=False)
    assert face_risk(_head(skin=True), claimed).level == "face"
    resonance = replace(sample_volume, unit="arbitrary")
    assert face_risk(resonance, SeriesFacts()).level == "unknown"
    assert face_risk(resonance, SeriesFacts(body_part="KNEE")).level == "unlikely"


@pytest.mark.parametrize(
    ("folder", "level"),
    [
        ("ct_head_ge_tilt_irregular", "face"),
        ("ct_skull_phantom_1mm", "skull"),
        ("ct_knee_sts013", "unlikely"),
        ("ct_torso_jpeg2000", "unlikely"),
    ],
)
@pytest.mark.filterwarnings("ignore::UserWarning:pydicom.*")
def test_real_heads_are_flagged_and_limbs_are_not(real_data: Path, folder: str, level: str) -> None:
    files = [path for path in (real_data / folder).rglob("*") if path.is_file() and is_dicom(path)]
    slices = [pydicom.dcmread(path) for path in files]
    slices = [one for one in slices if "RescaleSlope" in one and "LOCALIZER" not in one.ImageType]
    slices.sort(key=lambda one: float(one.ImagePositionPatient[2]))
    first = slices[0]
    voxels = np.array(
        [s.pixel_array * float(s.RescaleSlope) + float(s.RescaleIntercept) for s in slices]
    )
    spacing = np.array([*map(float, first.PixelSpacing[::-1]), 3.0])
    volume = Volume(voxels.clip(-1024, 3071).astype(np.int16), np.zeros(3), spacing, np.eye(3))
    assert face_risk(volume, replace(facts_of(first), body_part="")).level == level


def test_the_record_says_what_was_found_and_what_remains(sample_volume: Volume) -> None:
    drawn = _with_text(sample_volume.voxels[10], 14)
    risk = face_risk(_head(skin=True), SeriesFacts())
    report = PrivacyReport(tuple(text_in_plane(drawn, 11)), None, risk)
    assert [check.verdict for check in report.checks()] == ["action", "action"]
    assert "image 11" in str(report.checks()[0].value)
    said = " ".join(report.statement())
    for words in ("looked for, not read", "Rare anatomy", "NEJMc1908881", "bone encloses"):
        assert words in said
    clean = PrivacyReport((), False, face_risk(sample_volume, SeriesFacts()))
    assert [check.verdict for check in clean.checks()] == ["pass", "pass"]
    assert clean.findings() == []
