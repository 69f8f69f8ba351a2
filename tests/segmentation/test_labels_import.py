"""Masks of other tools on a scan that is not quite theirs; NIfTI; real label maps."""

from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk  # noqa: N813

from labkit.errors import SegmentationError
from labkit.segmentation import LabelMap, Segment, import_mask, write_label_map
from labkit.segmentation.labels.importing import bring_to_scan
from labkit.segmentation.labels.nifti import image_of, matrix_of
from labkit.segmentation.labels.stored import StoredLabels
from labkit.volume import Volume
from tests.segmentation.labelled import AXIAL, FRAME, OBLIQUE, SPACING, scan, two_blocks


def _stored(label_map: LabelMap) -> StoredLabels:
    uid = label_map.frame_of_reference_uid
    return StoredLabels(label_map.labels, label_map.segments, label_map.ijk_to_lps, uid)


def test_a_mask_of_the_same_voxels_in_another_order_is_no_resampling() -> None:
    """Slices from head to foot, columns for rows: 3D Slicer and ITK both write such files."""
    volume = scan(OBLIQUE)
    label_map = two_blocks(volume)
    for axes, flips in (((0, 1, 2), (0,)), ((2, 0, 1), (1, 2)), ((1, 0, 2), (0, 1, 2))):
        labels = label_map.labels.transpose(axes)
        place = volume.ijk_to_lps.copy()
        place[:3, :3] = place[:3, [2 - axis for axis in axes[::-1]]]
        for axis in flips:
            labels = np.flip(labels, axis)
            place[:3, 3] += place[:3, 2 - axis] * (labels.shape[axis] - 1)
            place[:3, 2 - axis] *= -1
        stored = StoredLabels(np.ascontiguousarray(labels), label_map.segments, place, FRAME)
        found = bring_to_scan(stored, volume)
        assert (found.label_map.labels == label_map.labels).all()
        assert (found.resampled, found.voxels_outside) == (False, 0)


def test_a_coarser_mask_is_resampled_to_the_nearest_and_says_so() -> None:
    volume = scan(OBLIQUE, (12, 14, 18), SPACING / 2)
    coarse = two_blocks(scan(OBLIQUE, origin_lps_mm=volume.to_lps([[0.5, 0.5, 0.5]])[0]))
    found = bring_to_scan(_stored(coarse), volume)
    twice = coarse.labels.repeat(2, 0).repeat(2, 1).repeat(2, 2)
    assert (found.label_map.labels == twice).all()
    assert found.resampled
    assert "nearest neighbours" in found.findings[0]


def test_a_finer_mask_keeps_its_volume() -> None:
    fine = scan(OBLIQUE, (48, 56, 72), SPACING / 8)
    labels = np.zeros(fine.voxels.shape, np.uint8)
    labels[8:40, 8:48, 16:60] = 1
    found = bring_to_scan(_stored(LabelMap.on(fine, labels, {1: Segment("x")})), scan(OBLIQUE))
    assert found.resampled
    size_mm3 = (labels > 0).sum() * np.prod(fine.spacing_mm)
    assert (found.label_map.labels > 0).sum() * np.prod(SPACING) == pytest.approx(size_mm3, rel=0.2)


def test_what_lies_outside_the_scan_is_counted_and_lost() -> None:
    volume = scan(OBLIQUE)
    higher = scan(OBLIQUE, origin_lps_mm=volume.to_lps([[0, 0, 2]])[0])
    label_map = two_blocks(higher)
    found = bring_to_scan(_stored(label_map), volume)
    assert (found.label_map.labels[2:] == label_map.labels[:-2]).all()
    lost = int((label_map.labels[-2:] > 0).sum())
    assert lost > 0
    assert (found.voxels, found.voxels_outside) == ((label_map.labels > 0).sum(), lost)
    assert found.findings == (
        f"{lost} of {found.voxels} voxels of the mask lie outside the scan: cut off",
    )


def test_a_mask_that_is_not_of_this_scan_is_refused() -> None:
    volume = scan()
    far = scan(origin_lps_mm=volume.to_lps([[0, 0, 20]])[0])
    with pytest.raises(SegmentationError, match="100% of them outside"):
        bring_to_scan(_stored(two_blocks(far)), volume)
    other = scan(frame=FRAME + ".1")
    with pytest.raises(SegmentationError, match="another frame of reference"):
        bring_to_scan(_stored(two_blocks(other)), volume)


def test_without_a_frame_half_of_the_mask_must_lie_in_the_scan() -> None:
    volume = scan()
    for shift, named in ((1, ""), (3, ""), (3, FRAME)):
        moved = scan(origin_lps_mm=volume.to_lps([[0, 0, shift]])[0], frame=named)
        if (shift, named) == (3, ""):
            with pytest.raises(SegmentationError, match="outside the scan"):
                bring_to_scan(_stored(two_blocks(moved)), volume)
            continue
        found = bring_to_scan(_stored(two_blocks(moved)), volume)
        assert ("judged by their place only" in found.findings[0]) == (named == "")


def test_a_segment_that_vanishes_is_named() -> None:
    fine = scan(shape=(24, 28, 36), spacing_mm=SPACING / 4)
    labels = np.zeros(fine.voxels.shape, np.uint8)
    labels[4:12, 4:12, 4:12] = 1
    labels[2, 2, 2] = 2
    segments = {1: Segment("jaw"), 2: Segment("screw")}
    found = bring_to_scan(_stored(LabelMap.on(fine, labels, segments)), scan())
    assert found.findings[-1] == "without a voxel in the scan: screw"


# NIfTI


def _nifti(label_map: LabelMap, volume: Volume, path: Path, **header: str) -> Path:
    image = image_of(Volume(label_map.labels.astype(np.int16), *_place(volume)))
    image = sitk.Cast(image, sitk.sitkUInt8)
    for key, text in header.items():
        image.SetMetaData(key, text)
    sitk.WriteImage(image, str(path))
    return path


def _place(volume: Volume) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    return volume.origin_lps_mm, volume.spacing_mm, volume.direction


@pytest.mark.parametrize("name", ["m.nii", "m.nii.gz"])
def test_nifti_labels_land_in_their_place(tmp_path: Path, name: str) -> None:
    volume = scan(OBLIQUE)
    label_map = two_blocks(volume)
    found = import_mask(_nifti(label_map, volume, tmp_path / name), volume)
    assert (found.label_map.labels == label_map.labels).all()
    assert not found.resampled
    assert [s.name for s in found.label_map.segments.values()] == ["label 1", "label 2"]
    one = import_mask(tmp_path / name, volume, ("label 2",))
    assert set(np.unique(one.label_map.labels)) == {0, 2}


def test_a_fourth_axis_of_one_is_no_axis(tmp_path: Path) -> None:
    volume = scan(OBLIQUE)
    label_map = two_blocks(volume)
    path = _nifti(label_map, volume, tmp_path / "m.nii")
    _patched(path, axes=(40, b"\4\0"), fourth=(48, b"\1\0"))
    assert (import_mask(path, volume).label_map.labels == label_map.labels).all()
    _patched(path, fourth=(48, b"\2\0"))
    with pytest.raises(SegmentationError, match="cannot be read as a mask"):
        import_mask(path, volume)


def _patched(path: Path, **fields: tuple[int, bytes]) -> Path:
    content = bytearray(path.read_bytes())
    for offset, value in fields.values():
        content[offset : offset + len(value)] = value
    path.write_bytes(content)
    return path


NO_CODE = b"\0\0"
TEMPLATE = b"\4\0"


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"qform": (252, NO_CODE), "sform": (254, NO_CODE)}, "left and right are unknown"),
        ({"qform": (252, TEMPLATE), "sform": (254, TEMPLATE)}, "in a template"),
        ({"quatern_b": (256, b"\0\0\0\0")}, "qform and sform differ|cannot be read"),
        ({"qoffset_x": (268, b"\0\0\x20\x41")}, "qform and sform differ"),
        ({"srow_x": (280, b"\0\0\xc0\x7f")}, "qform and sform differ|without a known place"),
        ({"size": (42, b"\xff\x7f\xff\x7f\xff\x7f")}, "cannot be read as a mask"),
        ({"magic": (344, b"abcd")}, "left and right are unknown"),  # then it is Analyze
    ],
)
def test_a_nifti_without_a_true_place_is_refused(
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
    fields: dict[str, tuple[int, bytes]],
    reason: str,
) -> None:
    volume = scan(OBLIQUE)
    path = _patched(_nifti(two_blocks(volume), volume, tmp_path / "DOE^JOHN.nii"), **fields)
    with pytest.raises(SegmentationError, match=reason) as caught:
        import_mask(path, volume)
    assert "DOE" not in str(caught.value) + "".join(capfd.readouterr())


def test_probabilities_are_no_labels(tmp_path: Path) -> None:
    volume = scan()
    image = sitk.Cast(image_of(volume), sitk.sitkFloat32) / 1000.0
    sitk.WriteImage(image, str(tmp_path / "m.nii"))
    with pytest.raises(SegmentationError, match="fractions"):
        import_mask(tmp_path / "m.nii", volume)


# Real label maps


def _torso(real_data: Path) -> Volume:
    image = sitk.ReadImage(str(real_data / "ct_torso_nifti_labels" / "example_ct.nii.gz"))
    place = matrix_of(image)
    spacing = np.linalg.norm(place[:3, :3], axis=0)
    voxels = sitk.GetArrayFromImage(image).astype(np.int16)
    return Volume(voxels, place[:3, 3], spacing, place[:3, :3] / spacing, FRAME)


def test_labels_of_a_learned_model_lie_on_the_bones_of_their_ct(
    real_data: Path, tmp_path: Path
) -> None:
    volume = _torso(real_data)
    folder = real_data / "ct_torso_nifti_labels"
    spine = import_mask(folder / "spine_report/test_result/totalseg.nii.gz", volume)
    assert (spine.resampled, spine.voxels_outside) == (False, 0)
    assert [segment.name for segment in spine.label_map.segments.values()][:2] == [
        "vertebrae_S1",
        "vertebrae_L5",
    ]
    body = import_mask(folder / "example_seg_fast_force_split.nii.gz", volume)
    names = [segment.name for segment in body.label_map.segments.values()]
    hu = {name: volume.voxels[body.label_map.mask(name) > 0].mean() for name in names}
    assert len(hu) == 61
    assert hu["femur_left"] > 250
    assert 0 < hu["liver"] < 200
    assert hu["lung_lower_lobe_left"] < -500
    left, right = (
        volume.to_lps(np.argwhere(body.label_map.mask(name))[:, ::-1])[:, 0].mean()
        for name in ("femur_left", "femur_right")
    )
    assert left > right  # LPS: x grows to the patient's left
    write_label_map(body.label_map, tmp_path / "m.seg.nrrd")
    back = import_mask(tmp_path / "m.seg.nrrd", volume)
    assert (back.label_map.labels == body.label_map.labels).all()
    assert back.label_map.segments[5].name == "liver"


def test_labels_of_one_scan_are_refused_on_another(real_data: Path) -> None:
    path = real_data / "ct_torso_nifti_labels" / "example_seg_fast_force_split.nii.gz"
    with pytest.raises(SegmentationError, match="outside the scan"):
        import_mask(path, scan(AXIAL))
