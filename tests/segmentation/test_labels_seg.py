"""Masks as DICOM SEG, and back."""

import json
import shutil
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from functools import partial
from pathlib import Path

import highdicom
import numpy as np
import numpy.typing as npt
import pydicom
import pytest
from hypothesis import given, settings
from pydicom.dataset import Dataset
from pydicom.uid import EnhancedCTImageStorage

from labkit.errors import SegmentationError
from labkit.home import pseudonym_uid
from labkit.processes import run
from labkit.scan import choose, discover, protocol_named, read_volume, report_of
from labkit.segmentation import (
    LabelMap,
    Segment,
    SourceReferences,
    import_mask,
    structures_labelled,
    write_seg,
)
from labkit.segmentation.labels.dicom_seg_stored import stored_seg
from labkit.volume import Volume
from tests.conftest import SAMPLE
from tests.segmentation.labelled import (
    AXIAL,
    CORONAL,
    FRAME,
    OBLIQUE,
    SAGITTAL,
    label_maps,
    references_of,
    scan,
    two_blocks,
)

MADE = datetime(2026, 3, 1, 23, 30, tzinfo=timezone(timedelta(hours=-2)))


def _written(label_map: LabelMap, references: SourceReferences, path: Path) -> Dataset:
    assert write_seg(label_map, references, path, case_code="C-0001", made=MADE) == ""
    return pydicom.dcmread(path)


def test_a_mask_of_an_enhanced_image_refers_to_the_whole(tmp_path: Path) -> None:
    volume = scan(OBLIQUE)
    references = SourceReferences(
        "2.25.1", "2.25.2", ["2.25.7"] * len(volume.voxels), EnhancedCTImageStorage
    )
    seg = _written(two_blocks(volume), references, tmp_path / "mask.dcm")
    sources = seg.ReferencedSeriesSequence[0].ReferencedInstanceSequence
    assert [item.ReferencedSOPClassUID for item in sources] == [EnhancedCTImageStorage]
    back = import_mask(tmp_path / "mask.dcm", volume)
    assert (back.label_map.labels == two_blocks(volume).labels).all()


def test_names_of_any_script_and_length_come_back(tmp_path: Path) -> None:
    volume = scan()
    names = ["Wirbelsäule 頸椎", "a\\b\nc", "x" * 100, ""]
    labels = np.zeros(volume.voxels.shape, np.uint8)
    labels[2, 2, 1:5] = [1, 2, 3, 4]
    made = LabelMap.on(volume, labels, {n: Segment(name) for n, name in enumerate(names, 1)})
    _written(made, references_of(volume), tmp_path / "mask.dcm")
    back = import_mask(tmp_path / "mask.dcm", volume).label_map
    assert (back.labels == labels).all()
    assert [segment.name for segment in back.segments.values()] == [
        "Wirbelsäule 頸椎",
        "a/b c",
        "x" * 64,
        "not stated",
    ]


@pytest.mark.parametrize("direction", [AXIAL, CORONAL, SAGITTAL, OBLIQUE])
def test_another_reader_finds_the_same_voxels_in_the_same_place(
    tmp_path: Path, direction: npt.NDArray[np.float64]
) -> None:
    volume = scan(direction)
    label_map = two_blocks(volume)
    _written(label_map, references_of(volume), tmp_path / "mask.dcm")
    seg = highdicom.seg.segread(tmp_path / "mask.dcm")
    read = seg.get_volume(combine_segments=True)
    there = np.argwhere(read.array > 0)
    lps = there @ read.affine[:3, :3].T + read.affine[:3, 3]
    ijk = np.rint(volume.to_ijk(lps)).astype(int)
    assert np.abs(volume.to_lps(ijk) - lps).max() < 1e-6
    back = np.zeros_like(label_map.labels)
    back[tuple(ijk.T[::-1])] = read.array[tuple(there.T)]
    assert (back == label_map.labels).all()
    assert seg.FrameOfReferenceUID == FRAME
    assert [str(d.segmented_property_type.meaning) for d in seg.SegmentSequence] == ["Bone", "Skin"]


@settings(max_examples=25, deadline=None)
@given(label_maps())
def test_seg_comes_back_exactly(
    tmp_path_factory: pytest.TempPathFactory, made: tuple[Volume, LabelMap]
) -> None:
    volume, label_map = made
    path = tmp_path_factory.mktemp("seg") / "mask.dcm"
    _written(label_map, references_of(volume), path)
    back = import_mask(path, volume)
    assert (back.label_map.labels == label_map.labels).all()
    assert (back.resampled, back.voxels_outside, back.findings) == (False, 0, ())
    assert [s.name for s in back.label_map.segments.values()] == [
        s.name for s in label_map.segments.values()
    ]
    stored = stored_seg(path)
    corners = np.array([[0, 0, 0, 1], [*stored.labels.shape[::-1], 1]], float)
    first = np.rint(volume.to_ijk(stored.ijk_to_lps[:3, 3][None]))[0]  # empty planes are left out
    inside = corners[:, :3] + first
    assert np.abs(volume.to_lps(inside) - (corners @ stored.ijk_to_lps.T)[:, :3]).max() < 1e-6


def test_dicom_is_valid(tmp_path: Path) -> None:
    if shutil.which("dciodvfy") is None:
        pytest.skip("dciodvfy is not installed (apt-get install dicom3tools)")
    volume = scan(OBLIQUE)
    label_map = two_blocks(volume)
    whole = references_of(volume)
    enhanced = replace(whole, sop_class_uid=EnhancedCTImageStorage, sop_instance_uids=["2.25.7"])
    for n, references in enumerate((whole, replace(whole, resampled=True), enhanced)):
        _written(label_map, references, tmp_path / f"{n}.dcm")
        done = run(["dciodvfy", tmp_path / f"{n}.dcm"], timeout_s=60)
        assert "Segmentation" in done.output + done.errors
        assert "Error" not in done.output + done.errors


def test_the_record_names_the_case_and_nothing_else(tmp_path: Path) -> None:
    volume = scan()
    seg = _written(two_blocks(volume), references_of(volume), tmp_path / "mask.dcm")
    assert (seg.PatientID, str(seg.PatientName)) == ("C-0001", "C-0001^")
    assert seg.PatientIdentityRemoved == "YES"
    assert seg.StudyInstanceUID == "2.25.1"
    assert seg.SeriesInstanceUID != "2.25.2"
    assert "Not for diagnostic use" in seg.ContentDescription
    assert (seg.ContentDate, seg.ContentTime) == ("20260302", "013000")
    assert {seg.StudyDate, seg.StudyTime, seg.AccessionNumber, seg.StudyID} == {""}
    first = seg.SegmentSequence[0]
    assert (first.SegmentAlgorithmType, first.SegmentAlgorithmName) == (
        "SEMIAUTOMATIC",
        "labkit threshold",
    )
    assert first.TrackingID == "C-0001 bone"


def test_the_same_mask_gives_the_same_bytes_and_another_one_another_object(tmp_path: Path) -> None:
    volume = scan()
    label_map = two_blocks(volume)
    references = references_of(volume)
    one = _written(label_map, references, tmp_path / "1.dcm")
    _written(label_map, references, tmp_path / "2.dcm")
    assert (tmp_path / "1.dcm").read_bytes() == (tmp_path / "2.dcm").read_bytes()
    changed = label_map.labels.copy()
    changed[0, 0, 0] = 1
    other = _written(replace(label_map, labels=changed), references, tmp_path / "3.dcm")
    assert other.SOPInstanceUID != one.SOPInstanceUID
    assert other.SegmentSequence[0].TrackingUID == one.SegmentSequence[0].TrackingUID


def test_each_frame_names_its_image_unless_the_volume_was_resampled(tmp_path: Path) -> None:
    volume = scan(SAGITTAL)
    label_map, references = two_blocks(volume), references_of(volume)
    seg = _written(label_map, references, tmp_path / "1.dcm")
    for frame in seg.PerFrameFunctionalGroupsSequence:
        position = np.array(frame.PlanePositionSequence[0].ImagePositionPatient, float)
        k = round(float(volume.to_ijk(position[None])[0, 2]))
        source = frame.DerivationImageSequence[0].SourceImageSequence[0]
        assert source.ReferencedSOPInstanceUID == references.sop_instance_uids[k]
    fewer = replace(references, resampled=True, sop_instance_uids=references.sop_instance_uids[:4])
    for one_file in (fewer, replace(references, sop_instance_uids=["2.25.7"] * 6)):
        seg = _written(label_map, one_file, tmp_path / "2.dcm")
        frames = seg.PerFrameFunctionalGroupsSequence
        assert not any(frame.DerivationImageSequence for frame in frames)
        series = seg.ReferencedSeriesSequence[0]
        assert series.SeriesInstanceUID == "2.25.2"
        listed = {item.ReferencedSOPInstanceUID for item in series.ReferencedInstanceSequence}
        assert listed == set(one_file.sop_instance_uids)
        assert (import_mask(tmp_path / "2.dcm", volume).label_map.labels == label_map.labels).all()


def test_without_images_or_frame_there_is_no_seg_and_a_reason(tmp_path: Path) -> None:
    volume = scan(frame="")
    path = tmp_path / "mask.dcm"
    write = partial(write_seg, path=path, case_code="C-0001", made=MADE)
    assert "did not come as DICOM" in write(two_blocks(scan()), None)
    assert "frame of reference" in write(two_blocks(volume), references_of(volume))
    assert not path.exists()
    nothing = LabelMap.on(scan(), np.zeros(volume.voxels.shape, np.uint8), {1: Segment("bone")})
    with pytest.raises(SegmentationError, match="an empty mask"):
        write(nothing, references_of(volume))


def _imported(source: Path) -> tuple[Volume, LabelMap, SourceReferences | None]:
    """A scan as stage 01 imports and records it, and what is bright in it."""
    found = discover(source)
    chosen = choose(found.series)
    volume = read_volume(chosen)
    recorded = json.loads(json.dumps(report_of(found, chosen, protocol_named("any"))))
    bright = (volume.voxels > volume.voxels.mean()).astype(np.uint8)
    references = SourceReferences.of_import(recorded)
    return volume, structures_labelled(bright, volume, ["bone"]), references


def test_the_samples_mask_refers_to_its_images(lab_home: Path, tmp_path: Path) -> None:
    volume, label_map, references = _imported(SAMPLE)
    assert references is not None
    seg = _written(label_map, references, tmp_path / "mask.dcm")
    positions = {}
    for path in SAMPLE.glob("*.dcm"):
        image = pydicom.dcmread(path, stop_before_pixels=True)
        positions[pseudonym_uid(image.SOPInstanceUID)] = image.get("ImagePositionPatient")
    for frame in seg.PerFrameFunctionalGroupsSequence:
        source = frame.DerivationImageSequence[0].SourceImageSequence[0].ReferencedSOPInstanceUID
        assert np.allclose(
            frame.PlanePositionSequence[0].ImagePositionPatient, positions[source], atol=1e-6
        )
    assert (import_mask(tmp_path / "mask.dcm", volume).label_map.labels == label_map.labels).all()


def test_a_straightened_scan_is_referred_to_as_a_whole(
    real_data: Path, lab_home: Path, tmp_path: Path
) -> None:
    volume, label_map, references = _imported(real_data / "ct_irregular_small" / "gantrytilting")
    assert references is not None and references.resampled
    assert "no frame of reference" in write_seg(
        label_map, references, tmp_path / "mask.dcm", case_code="C-0001", made=MADE
    )
    label_map = replace(label_map, frame_of_reference_uid=FRAME)  # as most scanners give one
    seg = _written(label_map, references, tmp_path / "mask.dcm")
    assert not any(frame.DerivationImageSequence for frame in seg.PerFrameFunctionalGroupsSequence)
    assert len(seg.ReferencedSeriesSequence[0].ReferencedInstanceSequence) == 4
    back = import_mask(tmp_path / "mask.dcm", volume)
    assert (back.label_map.labels == label_map.labels).all()


def test_a_scan_of_another_format_has_no_seg(real_data: Path, lab_home: Path) -> None:
    source = real_data / "ct_torso_nifti_labels" / "example_ct.nii.gz"
    assert _imported(source)[2] is None


def test_times_are_told_in_utc_only(tmp_path: Path) -> None:
    volume = scan()
    _written(two_blocks(volume), references_of(volume), tmp_path / "1.dcm")
    write_seg(
        two_blocks(volume),
        references_of(volume),
        tmp_path / "2.dcm",
        case_code="C-0001",
        made=MADE.astimezone(UTC),
    )
    assert (tmp_path / "1.dcm").read_bytes() == (tmp_path / "2.dcm").read_bytes()
