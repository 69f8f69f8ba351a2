"""Fitness for printing: protocols, header, grey values; no false alarm on real scans."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from scipy import ndimage

from labkit.case import Check
from labkit.errors import ScanError
from labkit.protocols import Protocol, known_protocols
from labkit.scan import Series, choose, discover, fitness_of, protocol_named, read_volume
from labkit.scan.fitness import fitness_by_header, row_of
from labkit.scan.kernels import sharpness_of
from labkit.scan.measures import bone_cut_mm2, metal_of, motion_of, noise_hu
from labkit.volume import AIR_HU, Volume
from tests.conftest import SAMPLE


@pytest.fixture(autouse=True)
def _home(lab_home: Path) -> None:
    """Each test has its own lab."""


@pytest.fixture
def series(lab_home: Path) -> Series:
    return choose(discover(SAMPLE).series)


@pytest.fixture
def bone(lab_home: Path) -> Protocol:
    return protocol_named("bone_model")


def _of(checks: tuple[Check, ...], name: str) -> Check:
    return next(check for check in checks if check.name == name)


@pytest.mark.parametrize("name", ["any", "bone_model", "mr_model", "soft_tissue_model"])
def test_every_limit_of_the_kits_protocols_has_a_source(name: str) -> None:
    rules = [rule for _, rule in protocol_named(name) if hasattr(rule, "source")]
    assert rules
    for rule in rules:
        assert "labkit's own" in rule.source or any(
            word in rule.source for word in ("doi 10.", "3D-MAC", "3dheals.com", "slice_spacing_mm")
        )


def test_the_labs_own_protocol_wins_and_has_another_hash(lab_home: Path, bone: Protocol) -> None:
    text = known_protocols()["bone_model"].read_text(encoding="utf-8")
    folder = lab_home / "profiles" / "protocols"
    folder.mkdir(parents=True)
    content = yaml.safe_load(text)
    content["slice_spacing_mm"]["action"] = 0.6
    (folder / "bone_model.yaml").write_text(yaml.safe_dump(content), encoding="utf-8")
    own = protocol_named("bone_model")
    assert own.slice_spacing_mm is not None
    assert own.slice_spacing_mm.action == 0.6
    assert own.sha256 != bone.sha256


def test_an_unknown_protocol_lists_the_known() -> None:
    with pytest.raises(ScanError) as caught:
        protocol_named("bones")
    assert "any, bone_model, mr_model, soft_tissue_model" in caught.value.expected


def test_a_limit_without_its_source_is_refused(lab_home: Path) -> None:
    folder = lab_home / "profiles" / "protocols"
    folder.mkdir(parents=True)
    text = "name: own\nversion: '1'\nnoise_hu: {action: 10}\n"
    (folder / "own.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(ScanError, match=r"noise_hu\.source"):
        protocol_named("own")


@pytest.mark.parametrize(
    ("maker", "kernel", "sharpness"),
    [
        ("SIEMENS", "B30s", "soft"),
        ("Siemens Healthineers", "Br38f/3", "soft"),
        ("SIEMENS", "B70f", "sharp"),
        ("SIEMENS", "Hr59", "sharp"),
        ("SIEMENS", "none", "unknown"),
        ("GE MEDICAL SYSTEMS", "STD+", "soft"),
        ("GE MEDICAL SYSTEMS", "BONEPLUS", "sharp"),
        ("TOSHIBA", "FC03", "soft"),
        ("Philips", "YA", "unknown"),
        ("", "B30s", "unknown"),
    ],
)
def test_kernels_are_soft_sharp_or_honestly_unknown(
    maker: str, kernel: str, sharpness: str
) -> None:
    assert sharpness_of(kernel, maker) == sharpness


@pytest.mark.parametrize(
    ("facts", "check", "verdict"),
    [
        ({}, "slice thickness", "pass"),
        ({"slice_thickness_mm": 2.0}, "slice thickness", "action"),
        ({"slice_thickness_mm": 6.0}, "slice thickness", "fail"),
        ({"slice_thickness_mm": None}, "slice thickness", "action"),
        ({"kernel": "B70f", "manufacturer": "SIEMENS"}, "kernel", "action"),
        ({"kernel": ""}, "kernel", "action"),
        ({"contrast": True}, "contrast agent", "action"),
        ({"kvp": 80.0}, "tube voltage", "action"),
        ({"modality": "MR"}, "modality", "fail"),
        ({"modality": "unknown (NIfTI)"}, "modality", "action"),
    ],
)
def test_the_header_is_judged_and_what_it_does_not_tell_is_looked_at(
    series: Series, bone: Protocol, facts: dict[str, Any], check: str, verdict: str
) -> None:
    series.facts = replace(series.facts, **facts)
    assert _of(fitness_by_header(series, bone).checks, check).verdict == verdict


def test_corrections_and_thick_slices_are_caveats(series: Series, bone: Protocol) -> None:
    assert fitness_by_header(series, bone).caveats == ()
    series.facts = replace(series.facts, slice_thickness_mm=2.0)
    series.geometry = replace(
        series.geometry,
        interpolated=(3, 4),
        shear_mm_per_mm=(0.0, 0.2),
        corrections=("straightened",),
    )
    judged = fitness_by_header(series, bone)
    assert judged.caveats[0] == "straightened"
    assert "slice thickness 2 mm" in judged.caveats[1]
    assert _of(judged.checks, "gantry tilt straightened").verdict == "action"
    assert _of(judged.checks, "share of interpolated slices").verdict == "action"


def test_the_table_says_why(series: Series, bone: Protocol) -> None:
    series.facts = replace(series.facts, kernel="")
    row = row_of(series, bone)
    assert row["verdict"] == "action"
    assert "kernel unknown" in str(row["why"])
    series.refusal = "a scout image, not a volume"
    assert row_of(series, bone)["verdict"] == "refused"


def test_the_sample_is_fit_but_for_the_shafts_that_run_out(
    series: Series, bone: Protocol, sample_volume: Volume
) -> None:
    judged = fitness_of(series, sample_volume, bone)
    assert [c.name for c in judged.checks if c.verdict != "pass"] == ["bone cut off"]
    assert "first image 185 mm²" in judged.warnings[0]
    assert noise_hu(sample_volume) == pytest.approx(12, abs=2)  # truth.json: σ 12 HU


def _changed(volume: Volume, voxels: np.ndarray[Any, Any]) -> Volume:
    return replace(volume, voxels=voxels.astype(np.int16))


def test_metal_is_found_with_its_place(
    series: Series, bone: Protocol, sample_volume: Volume
) -> None:
    voxels = sample_volume.voxels.copy()
    voxels[40:44, 90:94, 120:124] = 3071
    judged = fitness_of(series, _changed(sample_volume, voxels), bone)
    check = _of(judged.checks, "denser than tissue")
    assert check.value == pytest.approx(64 * 0.2)
    assert check.verdict == "action"
    (said,) = [text for text in judged.warnings if "3000 HU" in text]
    assert "slices 41 to 44" in said
    assert "saturated" in said


@pytest.mark.parametrize("axis", [1, 2])
def test_a_patient_who_moved_by_3_mm_is_found_where_it_happened(
    sample_volume: Volume, axis: int
) -> None:
    shift = np.zeros(3)
    shift[axis] = 3 / sample_volume.spacing_mm[2 - axis]
    voxels = sample_volume.voxels.copy()
    voxels[30:] = ndimage.shift(voxels[30:], shift, order=1, cval=AIR_HU)
    jump = motion_of(_changed(sample_volume, voxels))
    assert jump is not None
    assert jump.size_mm > 0.8
    assert jump.after == 29


def test_motion_is_seen_in_grey_values_without_a_unit(series: Series) -> None:
    k, j, i = np.indices((20, 64, 64))
    inside = (i - 30 - 3 * (k >= 10)) ** 2 + (j - 32) ** 2 < 20**2
    voxels = np.where(inside, 400, 10).astype(np.int16)
    volume = Volume(voxels, np.zeros(3), np.ones(3), np.eye(3), unit="arbitrary")
    judged = fitness_of(series, volume, protocol_named("mr_model"))
    assert _of(judged.checks, "jump of the outline").verdict == "action"
    names = {check.name for check in judged.checks}
    assert not names & {"noise in soft tissue", "denser than tissue", "bone cut off"}


@pytest.mark.parametrize(("radius_mm", "verdict"), [(30, "pass"), (60, "action")])
@pytest.mark.parametrize("field", ["square", "round"])
def test_a_field_that_cuts_the_body_is_seen_also_where_it_is_round(
    series: Series, bone: Protocol, radius_mm: int, verdict: str, field: str
) -> None:
    j, i = np.indices((100, 100)) - 50
    noise = np.random.default_rng(1).normal(0, 10, (8, 100, 100))
    voxels = np.where(i**2 + j**2 < radius_mm**2, 40, AIR_HU) + noise
    if field == "round":
        voxels[:, i**2 + j**2 > 45**2] = -2000  # what a scanner fills the corners with
    volume = Volume(voxels.astype(np.int16), np.zeros(3), np.ones(3), np.eye(3))
    checks = fitness_of(series, volume, bone).checks
    assert _of(checks, "body cut by the border").verdict == verdict


@pytest.mark.parametrize("shape", [(3, 1, 1), (3, 1, 40), (9, 4, 5), (30, 300, 2)])
@pytest.mark.parametrize("value", [AIR_HU, 40, 3071])
def test_odd_and_even_volumes_are_judged_without_an_error(
    series: Series, bone: Protocol, shape: tuple[int, int, int], value: int
) -> None:
    volume = Volume(np.full(shape, value, np.int16), np.zeros(3), np.ones(3), np.eye(3))
    assert fitness_of(series, volume, bone).checks
    assert fitness_of(series, replace(volume, unit="arbitrary"), bone).checks


def test_a_scan_of_air_alone_is_told(series: Series, sample_volume: Volume, bone: Protocol) -> None:
    air = _changed(sample_volume, np.full_like(sample_volume.voxels, -900))
    assert "it shows air only" in fitness_of(series, air, bone).warnings[0]
    assert "air only" not in str(fitness_of(series, sample_volume, bone).warnings)


def test_bone_at_the_ends_is_told_by_end(sample_volume: Volume) -> None:
    cut = bone_cut_mm2(sample_volume)
    assert cut["first image"] == pytest.approx(185, abs=20)  # the shafts of radius and ulna
    assert cut["last image"] == 0


@pytest.mark.parametrize(
    "name",
    ["ct_skull_phantom_1mm", "ct_knee_sts013", "ct_torso_jpeg2000", "printed_part_ct_xcheck"],
)
def test_no_false_alarm_of_metal_or_motion_on_real_scans(real_data: Path, name: str) -> None:
    found = discover(real_data / name).series
    volume = read_volume(choose(found, found[0].key))
    assert metal_of(volume).volume_mm3 < 10
    jump = motion_of(volume)
    assert jump is not None
    assert jump.size_mm < 0.7
