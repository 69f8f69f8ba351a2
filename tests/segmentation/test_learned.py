"""Learned models: stand-ins take the place of programs that need gigabytes of weights."""

import json
import os
import sys
from pathlib import Path

import numpy as np
import pytest

from labkit.errors import SegmentationError, ToolError, ToolMissingError
from labkit.segmentation import learned_segmentation
from labkit.volume import Volume
from tests.segmentation.labelled import OBLIQUE, scan

STAND_IN = """#!{python}
import os, sys, urllib.request
import SimpleITK as sitk
if "--version" in sys.argv:
    print("2.99.0")
    sys.exit()
assert "--ml" in sys.argv
at = lambda flag: sys.argv[sys.argv.index(flag) + 1]
if at("--task") == "total_fetch":
    print("Downloading pretrained weights ...")
    urllib.request.urlopen("http://backend.totalsegmentator.com/", timeout=5)
if at("--task") == "broken":
    sys.exit("Killed: out of memory")
image = sitk.ReadImage(at("-i"))
sitk.WriteImage(sitk.Cast(image > 200, sitk.sitkUInt8) * 75 + (image > 300) * 1, at("-o"))
"""


@pytest.fixture
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A TotalSegmentator that takes a threshold, and a folder of weights."""
    path = tmp_path / "bin" / "TotalSegmentator"
    path.parent.mkdir()
    path.write_text(STAND_IN.format(python=sys.executable))
    path.chmod(0o755)
    monkeypatch.setenv("PATH", str(path.parent))
    weights = tmp_path / "weights/Dataset297_x/trainer/fold_0/checkpoint_final.pth"
    weights.parent.mkdir(parents=True)
    weights.touch()
    monkeypatch.setenv("TOTALSEG_WEIGHTS_PATH", str(tmp_path / "weights"))
    return path


def test_the_model_sees_the_scan_and_its_mask_lands_in_it(program: Path) -> None:
    volume = scan(OBLIQUE)
    found = learned_segmentation(volume, "totalsegmentator:total", fast=True)
    expected = (volume.voxels > 200) * 75 + (volume.voxels > 300)
    assert (found.labels == expected).all()
    segment = found.segments[75]
    assert segment.algorithm == "AUTOMATIC"
    assert (segment.algorithm_name, segment.algorithm_version) == (
        "TotalSegmentator total fast",
        "2.99.0",
    )


def test_only_the_structures_asked_for_are_kept(program: Path) -> None:
    found = learned_segmentation(scan(), structures=["label 76"])
    assert set(np.unique(found.labels)) == {0, 76}
    with pytest.raises(SegmentationError, match="no segment named femur_left"):
        learned_segmentation(scan(), structures=["femur_left"])


def test_without_the_program_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(ToolMissingError, match="no program TotalSegmentator") as caught:
        learned_segmentation(scan(), "totalsegmentator:appendicular_bones")
    assert "totalseg_download_weights -t appendicular_bones" in caught.value.fix
    assert "licence number" in caught.value.fix


def test_without_weights_it_says_where_they_go(
    program: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TOTALSEG_WEIGHTS_PATH", str(tmp_path / "nowhere"))
    with pytest.raises(ToolMissingError, match="without the weights of task total") as caught:
        learned_segmentation(scan(), fast=True)
    assert "totalseg_download_weights -t total_fast" in caught.value.fix
    assert "TOTALSEG_WEIGHTS_PATH" in caught.value.where


def test_a_program_that_fetches_weights_reaches_no_network(program: Path) -> None:
    with pytest.raises(ToolMissingError, match="labkit downloads nothing"):
        learned_segmentation(scan(), "totalsegmentator:total_fetch")


def test_a_program_that_fails_is_quoted(program: Path) -> None:
    with pytest.raises(ToolError, match="out of memory"):
        learned_segmentation(scan(), "totalsegmentator:broken")


@pytest.mark.parametrize(
    ("unit", "model"),
    [("HU", "totalsegmentator:total_mr"), ("arbitrary", "totalsegmentator:total"), ("HU", "sam")],
)
def test_a_model_for_other_grey_values_is_refused(unit: str, model: str) -> None:
    volume = scan()
    other = Volume(
        volume.voxels,
        volume.origin_lps_mm,
        volume.spacing_mm,
        volume.direction,
        unit="HU" if unit == "HU" else "arbitrary",
    )
    with pytest.raises(SegmentationError, match=r"task total|model 'sam'"):
        learned_segmentation(other, model)


MONAI = """
import ast, os, sys
import SimpleITK as sitk
at = lambda flag: sys.argv[sys.argv.index(flag) + 1]
scan = ast.literal_eval(at("--datalist").removeprefix("$"))[0]
assert sys.argv[1] == "run" and os.path.isfile(at("--config_file")) and at("--bundle_root")
os.makedirs(at("--output_dir") + "/scan")
image = sitk.Cast(sitk.ReadImage(scan) > 200, sitk.sitkFloat32) * 3
sitk.WriteImage(image, at("--output_dir") + "/scan/scan_trans.nii.gz")
"""


def _bundle(folder: Path) -> Path:
    (folder / "configs").mkdir(parents=True)
    (folder / "models").mkdir()
    (folder / "models/model.pt").touch()
    (folder / "configs/inference.json").write_text("{}")
    output = {"pred": {"channel_def": {"0": "background", "3": "femur"}}}
    told = {"name": "Bones", "version": "0.1", "network_data_format": {"outputs": output}}
    (folder / "configs/metadata.json").write_text(json.dumps(told))
    return folder


def test_a_monai_bundle_names_what_it_finds(
    tmp_path: Path, lab_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bundle = _bundle(lab_home / "models" / "bones")
    place = tmp_path / "python/monai"
    place.mkdir(parents=True)
    (place / "__init__.py").touch()
    (place / "bundle.py").write_text(MONAI)
    monkeypatch.syspath_prepend(place.parent)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(place.parent)]))
    volume = scan(OBLIQUE)
    found = learned_segmentation(volume, "monai:bones", structures=["femur"])
    assert (found.mask("femur") == (volume.voxels > 200)).all()
    assert found.segments[3].algorithm_name == "MONAI Bones"
    (bundle / "configs/metadata.json").write_text('{"name": "Bones"}')
    with pytest.raises(ToolError, match="does not say what the values of the mask mean"):
        learned_segmentation(volume, "monai:bones")
    (bundle / "models/model.pt").unlink()
    with pytest.raises(ToolMissingError, match=r"models/\*\.pt"):
        learned_segmentation(volume, "monai:bones")


@pytest.mark.parametrize("python", ["", "/no/such/python"])
def test_without_monai_it_says_what_to_install(
    lab_home: Path, monkeypatch: pytest.MonkeyPatch, python: str
) -> None:
    _bundle(lab_home / "models" / "bones")
    monkeypatch.setenv("LABKIT_MONAI_PYTHON", python)
    with pytest.raises(ToolMissingError, match="no package monai"):
        learned_segmentation(scan(), "monai:bones")
