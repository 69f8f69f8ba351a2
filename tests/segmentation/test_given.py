"""A mask that is given in place of a threshold's: how it comes into a stage, and what stops it."""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk  # noqa: N813

from labkit.case import Case
from labkit.errors import LabkitError, SegmentationError, ToolMissingError
from labkit.files import sha256_of
from labkit.parameters import Segmentation
from labkit.segmentation import (
    LabelMap,
    Segment,
    given_mask,
    import_mask,
    write_label_map,
    write_seg,
)
from labkit.segmentation.labels.importing import keep_mask
from labkit.segmentation.labels.nifti import image_of
from labkit.stage import Stage
from labkit.volume import Volume
from tests.conftest import SAMPLE
from tests.segmentation.labelled import FRAME, OBLIQUE, SPACING, references_of, scan, two_blocks

MADE = datetime(2026, 1, 2, tzinfo=UTC)
KEPT = "imported.seg.nrrd"


def stage_of(case: Case, **parameters: object) -> Stage:
    values = Segmentation(case_dir=str(case.root)).model_dump() | parameters
    return Stage("02_segmentation", Segmentation.model_validate(values))


def verdict(stage: Stage) -> tuple[object, str]:
    (check,) = (one for one in stage.checks if one.name == "mask of another tool")
    return check.value, check.verdict


def test_without_a_file_or_a_model_there_is_none(case: Case) -> None:
    stage = stage_of(case)
    assert given_mask(stage, scan()) is None
    assert (stage.checks, stage.details) == ([], {})


def test_a_file_is_kept_in_the_scans_voxels_with_the_hash_of_the_first(
    case: Case, tmp_path: Path
) -> None:
    volume = scan(OBLIQUE)
    mask = two_blocks(volume)
    path = tmp_path / "DOE^JOHN.seg.nrrd"
    write_label_map(mask, path)
    stage = stage_of(case, mask_from="file", mask_file=str(path))
    found = given_mask(stage, volume)
    assert found is not None
    assert (found.labels == mask.labels).all()
    assert verdict(stage) == ("voxel for voxel", "pass")
    told = stage.details["mask_of_another_tool"]
    assert told["sha256"] == sha256_of(path)
    assert told["segments"] == ["bone", "skin"]
    # from what was kept the same again, to the byte
    kept = stage.output(KEPT)
    again = stage_of(case, mask_from="file", mask_file=str(kept))
    given_mask(again, volume)
    assert again.output(KEPT).read_bytes() == kept.read_bytes()
    assert again.details["mask_of_another_tool"] == told
    assert b"DOE" not in kept.read_bytes()


def test_what_the_import_cost_is_said_again_by_what_was_kept(case: Case, tmp_path: Path) -> None:
    volume = scan(OBLIQUE, (12, 14, 18), SPACING / 2, frame="")
    coarse = two_blocks(scan(OBLIQUE, origin_lps_mm=volume.to_lps([[0.5, 0.5, 0.5]])[0]))
    write_label_map(coarse, tmp_path / "coarse.nrrd")
    first = stage_of(case, mask_from="file", mask_file=str(tmp_path / "coarse.nrrd"))
    given_mask(first, volume)
    assert verdict(first)[1] == "action"
    assert any("nearest neighbours" in text for text in first.warnings)
    again = stage_of(case, mask_from="file", mask_file=str(first.output(KEPT)))
    given_mask(again, volume)
    assert again.checks == first.checks
    assert again.warnings == first.warnings
    assert again.details["mask_of_another_tool"]["resampled"] is True


def test_what_a_dicom_seg_says_of_its_maker_is_kept(tmp_path: Path) -> None:
    volume = scan(OBLIQUE, (6, 8, 9))
    labels = np.zeros(volume.voxels.shape, np.uint8)
    labels[1:4, 1:5, 2:4] = 1
    made_by = Segment("femur", algorithm="MANUAL", algorithm_name="a person", rgb=(0.1234, 0, 1))
    path = tmp_path / "mask.dcm"
    label_map = LabelMap.on(volume, labels, {1: made_by})
    assert write_seg(label_map, references_of(volume), path, case_code="C-1", made=MADE) == ""
    keep_mask(import_mask(path, volume), tmp_path / KEPT)
    segment = import_mask(tmp_path / KEPT, volume).label_map.segments[1]
    assert (segment.name, segment.algorithm, segment.algorithm_name) == (
        "femur",
        "MANUAL",
        "a person",
    )


@pytest.mark.parametrize("name", ["DOE^JOHN", "femur 19670831", "tibia 31.08.1967"])
@pytest.mark.parametrize("suffix", [".seg.nrrd", ".dcm"])
def test_a_name_that_may_be_the_patients_is_left_out_everywhere(
    case: Case, tmp_path: Path, name: str, suffix: str
) -> None:
    volume = scan(OBLIQUE, (6, 8, 9))
    labels = np.zeros(volume.voxels.shape, np.uint8)
    labels[1:4, 1:5, 2:4] = 1
    label_map, path = LabelMap.on(volume, labels, {1: Segment(name)}), tmp_path / f"m{suffix}"
    if suffix == ".dcm":
        write_seg(label_map, references_of(volume), path, case_code="C-1", made=MADE)
    else:
        write_label_map(label_map, path)
    stage = stage_of(case, mask_from="file", mask_file=str(path))
    given_mask(stage, volume)
    assert stage.details["mask_of_another_tool"]["segments"] == ["segment 1 (name left out)"]
    wrong = stage_of(case, mask_from="file", mask_file=str(path), structures="femur")
    with pytest.raises(SegmentationError, match="no segment named femur") as caught:
        given_mask(wrong, volume)
    assert name not in str(caught.value) + str(stage.checks) + str(stage.warnings)
    assert name.encode() not in stage.output(KEPT).read_bytes()


def test_what_leaves_a_given_mask_as_it_is_is_said(case: Case, tmp_path: Path) -> None:
    volume = scan()
    write_label_map(two_blocks(volume), tmp_path / "m.seg.nrrd")
    named = {"mask_from": "file", "mask_file": str(tmp_path / "m.seg.nrrd")}
    stage = stage_of(case, open_mm=1.0, crop_lps_mm="0, 0, 0; 1, 1, 1", **named)
    found = given_mask(stage, volume)
    assert found is not None
    assert (found.labels == two_blocks(volume).labels).all()
    assert stage.warnings == ["the mask is taken whole: crop_lps_mm, open_mm did not change it"]
    plain = stage_of(case, **named)
    given_mask(plain, volume)
    assert plain.warnings == []


def test_a_scan_without_hu_is_refused_before_a_model_is_asked(case: Case) -> None:
    with pytest.raises(SegmentationError, match="no physical unit"):
        given_mask(stage_of(case, mask_from="model"), replace(scan(), unit="arbitrary"))


def test_only_the_structures_that_are_named_are_taken(case: Case, tmp_path: Path) -> None:
    volume = scan()
    write_label_map(two_blocks(volume), tmp_path / "m.seg.nrrd")
    named = {"mask_from": "file", "mask_file": str(tmp_path / "m.seg.nrrd")}
    found = given_mask(stage_of(case, structures="Skin: soft tissue", **named), volume)
    assert found is not None
    assert set(np.unique(found.labels)) == {0, 2}


def _moved(folder: Path) -> Path:
    mask = two_blocks(scan())
    write_label_map(replace(mask, origin_lps_mm=mask.origin_lps_mm + 500.0), folder / "m.seg.nrrd")
    return folder / "m.seg.nrrd"


def _other_frame(folder: Path) -> Path:
    write_label_map(two_blocks(scan(frame=FRAME + ".1")), folder / "m.seg.nrrd")
    return folder / "m.seg.nrrd"


def _turned(folder: Path) -> Path:
    """The same array, said to lie with the head where the feet are."""
    mask = two_blocks(scan(frame=""))
    turned = replace(mask, direction=mask.direction @ np.diag([1.0, -1.0, -1.0]))
    write_label_map(turned, folder / "m.seg.nrrd")
    return folder / "m.seg.nrrd"


def _mirrored(folder: Path) -> Path:
    """RAS taken for LPS: the mask of a mirrored patient, beside this one."""
    volume = scan(frame="")
    image = image_of(replace(volume, voxels=two_blocks(volume).labels.astype(np.int16)))
    image.SetOrigin([-2 * x for x in image.GetOrigin()])
    sitk.WriteImage(sitk.Cast(image, sitk.sitkUInt8), str(folder / "m.nii.gz"))
    return folder / "m.nii.gz"


def _empty(folder: Path) -> Path:
    mask = two_blocks(scan())
    write_label_map(replace(mask, labels=mask.labels * np.uint8(0)), folder / "m.seg.nrrd")
    return folder / "m.seg.nrrd"


def _text(folder: Path) -> Path:
    (folder / "m.seg.nrrd").write_text("Dear colleague")
    return folder / "m.seg.nrrd"


def _cut_short(folder: Path) -> Path:
    path = _other_frame(folder)
    path.write_bytes(path.read_bytes()[:-20])
    return path


def _no_mask(folder: Path) -> Path:
    return sorted(SAMPLE.iterdir())[0]


@pytest.mark.parametrize(
    ("made", "found"),
    [
        (_moved, "100% of them outside the scan"),
        (_other_frame, "another frame of reference"),
        (_turned, "outside the scan"),
        (_mirrored, "outside the scan"),
        (_empty, "an empty mask"),
        (_text, "of an unknown format"),
        (_cut_short, "cannot be read as a mask"),
        (_no_mask, "it is no Segmentation object"),
    ],
)
def test_a_mask_that_cannot_be_used_says_why_and_what_to_do(
    case: Case, tmp_path: Path, made: object, found: str
) -> None:
    path = made(tmp_path)  # type: ignore[operator]
    stage = stage_of(case, mask_from="file", mask_file=str(path))
    with pytest.raises(SegmentationError) as caught:
        given_mask(stage, scan())
    _four_answers(caught.value, found)
    assert not stage.output(KEPT).exists()


def _four_answers(error: LabkitError, found: str) -> None:
    assert found in error.found
    assert error.expected
    assert error.where
    assert error.fix


@pytest.mark.parametrize(
    ("parameters", "found", "fix"),
    [
        ({"mask_from": "file"}, "without a mask_file", "name the file"),
        ({"mask_file": "m.seg.nrrd"}, "but mask_from = threshold", "set mask_from = file"),
        (
            {"mask_from": "file", "mask_file": "m.seg.nrrd", "structures": "bine"},
            "no segment named bine",
            "the nearest name is bone",
        ),
    ],
)
def test_parameters_that_do_not_fit_say_which_would(
    case: Case,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    parameters: dict[str, str],
    found: str,
    fix: str,
) -> None:
    write_label_map(two_blocks(scan()), tmp_path / "m.seg.nrrd")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SegmentationError) as caught:
        given_mask(stage_of(case, **parameters), scan())
    _four_answers(caught.value, found)
    assert fix in caught.value.fix


@pytest.mark.parametrize("model", ["totalsegmentator:total", "monai:bones"])
def test_a_model_that_is_not_here_says_how_to_get_it(
    case: Case, monkeypatch: pytest.MonkeyPatch, model: str
) -> None:
    monkeypatch.setenv("PATH", "")
    stage = stage_of(case, mask_from="model", model=model)
    with pytest.raises(ToolMissingError) as caught:
        given_mask(stage, scan())
    assert "download" in caught.value.fix
    assert "licence" in caught.value.fix


def test_a_learned_mask_is_a_caveat_for_all_that_follows(
    case: Case, monkeypatch: pytest.MonkeyPatch
) -> None:
    volume = scan()

    def found(scanned: Volume, model: str, *, structures: tuple[str, ...]) -> LabelMap:
        assert (model, structures) == ("totalsegmentator:total", ("femur",))
        labels = (scanned.voxels > 200).astype(np.uint8)
        made_by = Segment("femur", algorithm_name="TotalSegmentator total", algorithm_version="2")
        return LabelMap.on(scanned, labels, {1: made_by})

    monkeypatch.setattr("labkit.segmentation.given.learned_segmentation", found)
    stage = stage_of(case, mask_from="model", structures="femur")
    assert given_mask(stage, volume) is not None
    assert stage.tools["TotalSegmentator total"] == "2"
    assert "no medical device" in stage.caveats[0].text
